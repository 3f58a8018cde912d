"""Sequence models: an encoder, cells one upon another, a readout."""

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.random as jr

from .._precision import in_chosen_precision
from .._types import Array, DTypeLike, Float, Key, PyTree
from ._cell import AbstractCell


class Readout(eqx.Module):
    r"""$r(x) = Cx + c$, or with a hidden layer $Cx + c + V \mathrm{relu}(Ux + b)$.

    **Arguments:**

    - `input_size`, `output_size`: n and o.
    - `hidden`: rows of U; 0 leaves it out.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype; JAX's default if `None`.
    """

    linear: eqx.nn.Linear
    hidden: eqx.nn.MLP | None

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 0,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        linear_key, hidden_key = jr.split(key)
        self.linear = eqx.nn.Linear(
            input_size, output_size, dtype=dtype, key=linear_key
        )
        self.hidden = None
        if hidden:
            self.hidden = eqx.nn.MLP(
                input_size,
                output_size,
                hidden,
                1,
                use_final_bias=False,
                dtype=dtype,
                key=hidden_key,
            )

    def __call__(self, x: Float[Array, " n"]) -> Float[Array, " o"]:
        """Return the outputs at one state, shape `(o,)`."""
        out = self.linear(x)
        return out if self.hidden is None else out + self.hidden(x)


class Features(eqx.Module):
    r"""$\mathrm{relu}(Eu + e)$ of one input, shape `(k,)`.

    **Arguments:**

    - `input_size`, `size`: m and k.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype; JAX's default if `None`.
    """

    linear: eqx.nn.Linear

    def __init__(
        self,
        input_size: int,
        size: int,
        *,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        self.linear = eqx.nn.Linear(input_size, size, dtype=dtype, key=key)

    def __call__(self, u: Float[Array, " m"]) -> Float[Array, " k"]:
        """Return the features of one input."""
        return jax.nn.relu(self.linear(u))


class RecurrentNetwork(eqx.Module):
    """A sequence model: cells, each reading the one before, and a readout.

    **Arguments:**

    - `cells`: one `AbstractCell` or several; each reads what the one before puts out.
    - `readout`: from the last cell's output `(n,)` to `(o,)`, such as `Readout`.
    - `encoder`: applied to each input first, `(m,) -> (k,)`; `None` for none.
    - `reads`: `"every"` answers after each input, `"last"` after the last one alone.

    **Returns**, when called with inputs of shape `(time, m)`: `(time, o)`, or `(o,)`
    if it reads at the last.

    **Raises:** `ValueError` where sizes do not follow on from each other.
    """

    encoder: Callable | None
    cells: tuple[AbstractCell, ...]
    readout: Callable
    reads: str = eqx.field(static=True)

    def __init__(
        self,
        cells: AbstractCell | Sequence[AbstractCell],
        readout: Callable,
        *,
        encoder: Callable | None = None,
        reads: str = "every",
    ):
        self.cells = (cells,) if isinstance(cells, AbstractCell) else tuple(cells)
        self.readout = readout
        self.encoder = encoder
        self.reads = reads
        if reads not in ("every", "last"):
            raise ValueError(
                f"reads must be 'every' or 'last', got {reads!r}; a network that "
                "generates is a Generator."
            )
        check_chain(self.cells)

    @in_chosen_precision
    def __call__(self, inputs: Float[Array, "time m"]) -> Float[Array, "*time o"]:
        """Return the answers to one sequence."""
        if self.encoder is not None:
            inputs = jax.vmap(self.encoder)(inputs)
        check_channels(inputs, self.cells[0])
        for cell in self.cells[:-1]:
            _, inputs = cell.scan(cell.initial_state(), inputs)
        final = self.cells[-1]
        if self.reads == "last":
            return self.readout(final.last(final.initial_state(), inputs)[1])
        return jax.vmap(self.readout)(final.scan(final.initial_state(), inputs)[1])


class Generator(eqx.Module):
    r"""A network that a code sets going, and that goes on without input.

    $x_0 = S d$, then the cell alone; the output at sample k is $r(x_k)$. Without S
    the code is the cell's one input, and sample 0 follows it.

    **Arguments:**

    - `cell`: an `AbstractCell`; its state is an array if S is given.
    - `readout`: from `(n,)` to `(o,)`, such as `Readout`.
    - `num_samples`: length of what is generated.
    - `start`: S, shape `(n, d)`, or `None`.

    **Returns**, when called with a code of shape `(d,)`: shape `(num_samples, o)`.
    """

    cell: AbstractCell
    readout: Callable
    num_samples: int = eqx.field(static=True)
    start: Float[Array, "n d"] | None = None

    def __check_init__(self) -> None:
        """Refuse sizes that do not follow on from each other."""
        if self.num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {self.num_samples}.")
        if self.start is not None and self.start.shape[0] != self.cell.output_size:
            raise ValueError(
                f"start must have shape ({self.cell.output_size}, d), got "
                f"{self.start.shape}."
            )

    @in_chosen_precision
    def __call__(
        self, code: Float[Array, " d"], num_samples: int | None = None
    ) -> Float[Array, "time o"]:
        """Return what follows from a code, for `num_samples` if given."""
        count = self.num_samples if num_samples is None else num_samples
        return jax.vmap(self.readout)(self.states(code, count))

    @in_chosen_precision
    def states(self, code: Float[Array, " d"], num_samples: int) -> Array:
        """Return the outputs of the cell, shape `(num_samples, n)`."""
        return self.cell.free_run(self.initial_state(code), num_samples)

    @in_chosen_precision
    def initial_state(self, code: Float[Array, " d"]) -> PyTree:
        """Return the state that a code sets."""
        if self.start is None:
            return self.cell.prepare().step(self.cell.initial_state(), code)
        return self.cell.state_from(self.start @ code)


def check_chain(cells: tuple[AbstractCell, ...]) -> None:
    """Refuse cells that cannot read each other."""
    if not cells:
        raise ValueError("cells is empty; give at least one.")
    for place, (first, second) in enumerate(zip(cells, cells[1:], strict=False)):
        if first.output_size != second.input_size:
            raise ValueError(
                f"cell {place} puts out {first.output_size} values but cell "
                f"{place + 1} reads {second.input_size}; make them equal."
            )


def check_channels(inputs: Float[Array, "time m"], cell: AbstractCell) -> None:
    """Refuse inputs with another number of channels than the first cell reads."""
    if inputs.ndim != 2 or inputs.shape[1] != cell.input_size:
        raise ValueError(
            f"inputs must have shape (time, {cell.input_size}) for one sequence, got "
            f"{inputs.shape}; map over a batch with jax.vmap."
        )


def count_parameters(network: PyTree) -> int:
    """Return the number of floating-point entries, all of which training moves."""
    leaves = jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))
    return sum(leaf.size for leaf in leaves)
