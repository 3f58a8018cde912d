"""Whole networks by name, sized for a task."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from .._precision import in_chosen_precision
from .._types import DTypeLike, Key, PyTree
from ..matrices._checks import check_dtype
from ..tasks import AbstractTask
from ._cell import AbstractCell
from ._network import Features, Generator, Readout, RecurrentNetwork
from ._oscillators import OSCILLATORS, oscillator
from .rivals import CELLS

#: Sequences that the mean input is taken over.
_MEAN_OVER = 64


def network_names() -> tuple[str, ...]:
    """Return what `make_network` knows: our cells, then the rivals."""
    return (*OSCILLATORS, *CELLS)


@in_chosen_precision
def make_network(
    name: str,
    task: AbstractTask,
    *,
    size: int = 128,
    hidden: int = 0,
    features: int = 0,
    num_cells: int = 1,
    key: Key,
    dtype: DTypeLike | None = None,
    **options: object,
) -> RecurrentNetwork | Generator:
    """Return a new network for a task: cells by name, and a readout.

    **Arguments:**

    - `name`: one of `network_names()`.
    - `task`: gives the channels, the outputs, and where the network answers.
    - `size`: neurons a cell.
    - `hidden`: hidden units of the readout; 0 for a linear one.
    - `features`: rectified linear features of each input that the cells read instead
      of it; 0 for the input itself. What a linear state cannot do, such as to multiply
      a value and its marker, they can.
    - `num_cells`: cells one upon another; 1 for a task that generates.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype; JAX's default if `None`.
    - `options`: of [`oscillator`][ctrnn_jax.networks.oscillator], for our cells. There
      the first cell starts with its `mean_input` at that of the task.

    **Raises:** `ValueError` for an unknown name, or an option the cell does not take.
    """
    if name not in network_names():
        raise ValueError(
            f"no network {name!r}; there are {', '.join(network_names())}."
        )
    if num_cells < 1:
        raise ValueError(f"num_cells must be at least 1, got {num_cells}.")
    dtype = check_dtype(dtype)
    readout_key, start_key, *keys = jr.split(key, 2 + num_cells)
    readout = Readout(
        size, task.output_size, hidden=hidden, key=readout_key, dtype=dtype
    )
    if task.reads == "generate":
        if num_cells > 1:
            raise ValueError("a network that generates has one cell; drop num_cells.")
        if features:
            raise ValueError("a network that generates has no input; drop features.")
        return _generator(name, task, size, readout, keys[0], start_key, dtype, options)
    own, encoder, width = dict(options), None, task.input_size
    inputs = task.sample(_MEAN_OVER, key=jr.key(0)).inputs
    if features:
        width = features
        encoder = Features(
            task.input_size, features, key=jr.fold_in(key, 1), dtype=dtype
        )
        inputs = jax.vmap(jax.vmap(encoder))(inputs)
    if name in OSCILLATORS:
        own.setdefault("mean_input", jnp.mean(inputs, axis=(0, 1)))
    cells = [_cell(name, width, size, keys[0], dtype, own)]
    # What a task feeds on average concerns the first cell alone.
    later = {k: v for k, v in options.items() if k != "mean_input"}
    for each in keys[1:]:
        cells.append(_cell(name, size, size, each, dtype, later))
    return RecurrentNetwork(cells, readout, encoder=encoder, reads=task.reads)


def recurrent_weights(network: PyTree) -> PyTree:
    """Return a mask that is true where cells say `recurrent_weights`.

    They are the delicate part of a network that oscillates: an error of 1/horizon in a
    frequency is a whole turn. An optimiser gives them a smaller rate by this mask. Our
    cells name W; of the rivals those whose papers do so too: expRNN its generator, LRU
    its eigenvalues and gains.
    """

    def mark(part: PyTree) -> PyTree:
        marks = jax.tree.map(lambda _: False, part)
        if not isinstance(part, AbstractCell) or not _delicate(part):
            return marks
        true = jax.tree.map(lambda _: True, part.recurrent_weights())
        return eqx.tree_at(lambda cell: cell.recurrent_weights(), marks, true)

    return jax.tree.map(mark, network, is_leaf=lambda x: isinstance(x, AbstractCell))


def _delicate(cell: AbstractCell) -> bool:
    return bool(jax.tree.leaves(cell.recurrent_weights()))


def _cell(
    name: str,
    input_size: int,
    size: int,
    key: Key,
    dtype: DTypeLike,
    options: dict[str, object],
) -> AbstractCell:
    if name in OSCILLATORS:
        return oscillator(name, input_size, size, key=key, dtype=dtype, **options)
    if options:
        raise ValueError(f"{name} takes no {next(iter(options))}; drop it.")
    return CELLS[name](input_size, size, key=key, dtype=dtype)


def _generator(
    name: str,
    task: AbstractTask,
    size: int,
    readout: Readout,
    key: Key,
    start_key: Key,
    dtype: DTypeLike,
    options: dict[str, object],
) -> Generator:
    if name not in OSCILLATORS:
        cell = _cell(name, task.input_size, size, key, dtype, options)
        return Generator(cell, readout, task.num_samples)
    cell = _cell(name, 0, size, key, dtype, options)
    start = 0.5 * jr.normal(start_key, (size, task.input_size), dtype)
    return Generator(cell, readout, task.num_samples, start)
