"""Coordinate splitting: explicit steps that keep the Poisson structure of a field."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, PyTree, State
from ..fields import AbstractField, RateCTRNN, VoltageCTRNN
from ..fields._fields import as_column
from ..fields._inputs import Inputs
from ..matrices._base import contract
from ._base import AbstractFieldSolver, relax

_SUZUKI = 1 / (4 - 4 ** (1 / 3))
#: Fractions of the step in symmetric compositions of a second-order one: Suzuki
#: (1990) for order 4, Kahan and Li (1997), s9odr6a, for order 6.
_FRACTIONS: dict[int, tuple[float, ...]] = {
    2: (1.0,),
    4: (_SUZUKI, _SUZUKI, 1 - 4 * _SUZUKI, _SUZUKI, _SUZUKI),
    6: (
        0.39216144400731413928,
        0.33259913678935943860,
        -0.70624617255763935981,
        0.082213596293550800230,
        0.79854399093482996340,
        0.082213596293550800230,
        -0.70624617255763935981,
        0.33259913678935943860,
        0.39216144400731413928,
    ),
}


class CoordinateSplitting(AbstractFieldSolver):
    r"""Advance one neuron at a time, each exactly: explicit and symmetric.

    The energy $H = \sum_i \Phi(x_i)$ is a sum of terms, and the flow of one term is
    exact: $x_j \mathrel{+}= h W_{ji}\varphi(x_i)$, $x_i$ unchanged (voltage form);
    $r_i \mathrel{+}= h\varphi((Wr)_i + d_i)$ (rate form). Half steps over
    neurons 1…n and back compose to a symmetric second-order step that preserves the
    Poisson structure, hence every linear Casimir exactly and the energy up to an
    error that stays bounded for exponentially long times. Dense weights are swept in
    blocks so that most of the work is matrix products; structured ones by their
    independent sets.

    Leak and, in the voltage form, bias and inputs are one more exact flow in the
    middle of the step, with u(t) held at its midpoint value.

    **Arguments:**

    - `order`: 2, 4 (5 substeps) or 6 (9 substeps).
    - `block_size`: neurons swept one by one before their joint effect on the others
      is one product; dense weights only.

    **Raises:** `ValueError` for another order, or for a weight that may have a
    non-zero diagonal (`GainPlusSkew`, `Unconstrained`).

    **Cost:** O(n²) and n activations a sweep, two sweeps a substep. Stable while
    h·ω ≤ 2 for every eigenfrequency ω of a two-set weight.

    **Reference:** McLachlan and Quispel (2002), Splitting methods, §3.
    """

    _order: int = eqx.field(static=True)
    block_size: int = eqx.field(static=True)

    def __init__(self, order: int = 2, *, block_size: int = 8):
        if order not in _FRACTIONS:
            raise ValueError(f"order must be 2, 4 or 6, got {order!r}.")
        if block_size < 1:
            raise ValueError(f"block_size must be at least 1, got {block_size}.")
        self._order = order
        self.block_size = block_size

    def order(self, terms: PyTree) -> int:
        return self._order

    @property
    def fractions(self) -> tuple[float, ...]:
        """Lengths of the substeps, in steps."""
        return _FRACTIONS[self._order]

    def check(self, field: AbstractField) -> None:
        check_splittable(field, type(self).__name__)

    def advance(
        self,
        field: AbstractField,
        t: Float[Array, ""],
        h: Float[Array, ""],
        y: State,
        inputs: Inputs,
        carry: None,
    ) -> tuple[State, None, diffrax.RESULTS]:
        def substep(y: State, interval: Float[Array, " 2"]) -> tuple[State, None]:
            start, fraction = interval
            return self._substep(field, t + start * h, fraction * h, y, inputs), None

        fractions = np.asarray(self.fractions)
        starts = np.concatenate([[0.0], np.cumsum(fractions)[:-1]])
        intervals = np.stack([starts, fractions], axis=1)
        if self._order == 2:
            y = self._substep(field, t, h, y, inputs)
        else:
            y, _ = jax.lax.scan(substep, y, jnp.asarray(intervals, y.dtype))
        return y, None, diffrax.RESULTS.successful

    def _substep(
        self, field: AbstractField, t: Array, h: Array, y: State, inputs: Inputs
    ) -> State:
        drive = field.drive(t + 0.5 * h, inputs)
        if field.weight.independent_sets is None:
            y = _sweep(field, 0.5 * h, y, drive, self.block_size, reverse=False)
            y = relax(field, h, y, outer_force(field, drive))
            return _sweep(field, 0.5 * h, y, drive, self.block_size, reverse=True)
        last = len(field.weight.independent_sets) - 1
        for index in range(last):
            y = kick(field, index, 0.5 * h, y, drive)
        y = relax(field, 0.5 * h, y, outer_force(field, drive))
        y = kick(field, last, h, y, drive)
        y = relax(field, 0.5 * h, y, outer_force(field, drive))
        for index in reversed(range(last)):
            y = kick(field, index, 0.5 * h, y, drive)
        return y


class Leapfrog(AbstractFieldSolver):
    r"""Störmer–Verlet for two uncoupled groups: two half-size products a step.

    The coordinate splitting of a weight with exactly two independent sets
    (`BipartiteSkew`, `BlockRotation`, `SparseSkew` on a bipartite graph): kick with
    group 1 for h/2, with group 2 for h, with group 1 for h/2. The last kick is the
    first of the next step, so its product is handed on.

    **Raises:** `ValueError` for a weight without exactly two independent sets.

    **Order:** 2. Stable for h·ω ≤ 2. Keeps linear Casimirs exactly, and the energy
    up to a bounded error of size O(h²).

    **Reference:** Hairer, Lubich and Wanner (2003), Störmer–Verlet, Acta Numerica 12.
    """

    def order(self, terms: PyTree) -> int:
        return 2

    def check(self, field: AbstractField) -> None:
        check_splittable(field, "Leapfrog")
        sets = field.weight.independent_sets
        if sets is None or len(sets) != 2:
            raise ValueError(
                "Leapfrog needs a weight with exactly two independent sets, such as "
                f"BipartiteSkew or BlockRotation; {type(field.weight).__name__} has "
                f"{'none' if sets is None else len(sets)}. Use CoordinateSplitting()."
            )

    def start(
        self,
        field: AbstractField,
        t: Float[Array, ""],
        h: Float[Array, ""],
        y: State,
        inputs: Inputs,
    ) -> State | None:
        if self._kick_depends_on_time(field, inputs):
            return None
        return kick_rate(field, 0, y, field.drive(t, inputs))

    def advance(
        self,
        field: AbstractField,
        t: Float[Array, ""],
        h: Float[Array, ""],
        y: State,
        inputs: Inputs,
        carry: State | None,
    ) -> tuple[State, State | None, diffrax.RESULTS]:
        drive = field.drive(t + 0.5 * h, inputs)
        if carry is None:
            y = kick(field, 0, 0.5 * h, y, drive)
        else:
            y = y + 0.5 * h * carry
        y = relax(field, 0.5 * h, y, outer_force(field, drive))
        y = kick(field, 1, h, y, drive)
        y = relax(field, 0.5 * h, y, outer_force(field, drive))
        rate = kick_rate(field, 0, y, drive)
        y = y + 0.5 * h * rate
        return y, None if carry is None else rate, diffrax.RESULTS.successful

    def _kick_depends_on_time(self, field: AbstractField, inputs: Inputs) -> bool:
        return isinstance(field, RateCTRNN) and inputs is not None


def check_splittable(field: AbstractField, solver: str) -> None:
    """Refuse a field whose coordinates cannot be advanced exactly one by one."""
    if not isinstance(field, VoltageCTRNN | RateCTRNN):
        raise ValueError(
            f"{solver} knows VoltageCTRNN and RateCTRNN, got {type(field).__name__}."
        )
    if not field.weight.has_zero_diagonal:
        raise ValueError(
            f"{solver} needs a weight whose diagonal is zero by construction, such as "
            f"SkewSymmetric; {type(field.weight).__name__} has none. Use "
            "ImplicitMidpoint() or diffrax.Tsit5()."
        )


def kick_rate(field: AbstractField, index: int, y: State, drive: Array | None) -> State:
    """Return dy/dt due to the `index`-th independent set, constant along its flow."""
    sets = field.weight.independent_sets
    assert sets is not None
    members = sets[index]
    if isinstance(field, VoltageCTRNN):
        return field.weight.mv_from(index, field.activation(y[members]))
    current = field.weight.mv_to(index, y)
    if drive is not None:
        current = current + as_column(drive, y)[members]
    return jnp.zeros_like(y).at[members].set(field.activation(current))


def kick(
    field: AbstractField, index: int, h: Array, y: State, drive: Array | None
) -> State:
    """Flow exactly along the `index`-th independent set's term for a time h."""
    return y + h * kick_rate(field, index, y, drive)


def outer_force(field: AbstractField, drive: Array | None) -> Array | None:
    """Return the part of the drive outside φ: all of it in the voltage form."""
    return drive if isinstance(field, VoltageCTRNN) else None


def _sweep(
    field: AbstractField,
    h: Array,
    y: State,
    drive: Array | None,
    block_size: int,
    *,
    reverse: bool,
) -> State:
    """Flow along every coordinate in turn, blocks of neurons at a time."""
    matrix = field.weight.as_matrix()
    size = matrix.shape[0]
    for start in _ordered(range(0, size, block_size), reverse):
        block = slice(start, min(start + block_size, size))
        inner = matrix[block, block]
        if isinstance(field, VoltageCTRNN):
            active = _kick_block(field, inner, h, y[block], reverse)
            y = y + h * contract(matrix[:, block], active)
        else:
            current = contract(matrix[block], y)
            if drive is not None:
                current = current + as_column(drive, y)[block]
            active = _kick_block(field, inner, h, current, reverse)
            y = y.at[block].add(h * active)
    return y


def _kick_block(
    field: AbstractField,
    inner: Float[Array, "k k *lanes"],
    h: Array,
    argument: Float[Array, "k *batch"],
    reverse: bool,
) -> Float[Array, "k *batch"]:
    """Return φ of each argument at the moment its neuron is kicked."""
    active: dict[int, Array] = {}
    for i in _ordered(range(argument.shape[0]), reverse):
        active[i] = field.activation(argument[i : i + 1])
        argument = argument + h * as_column(inner[:, i], argument) * active[i]
    return jnp.concatenate([active[i] for i in range(argument.shape[0])])


def _ordered(indices: range, reverse: bool) -> range:
    return indices[::-1] if reverse else indices
