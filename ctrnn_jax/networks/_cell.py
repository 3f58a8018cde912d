"""What a recurrent cell is: one step, and how it is repeated over a sequence."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Float, PyTree


class AbstractCell(eqx.Module):
    """A map (state, input) to state, with a part of the state for others to read.

    All methods take one unbatched sequence; batches are made with `jax.vmap`. A cell
    says `input_size`, `output_size`, `initial_state`, `step` and `output`; one whose
    steps share work overrides `prepare`, one that knows a faster way through a whole
    sequence `scan`.
    """

    @property
    @abstractmethod
    def input_size(self) -> int:
        """Number m of input channels."""

    @property
    @abstractmethod
    def output_size(self) -> int:
        """Number n of values that `output` returns."""

    @abstractmethod
    def initial_state(self) -> PyTree:
        """Return the state before the first input."""

    @abstractmethod
    def step(self, state: PyTree, u: Float[Array, " m"]) -> PyTree:
        """Return the state after one input."""

    @abstractmethod
    def output(self, state: PyTree) -> Float[Array, " n"]:
        """Return what a readout, or the next cell, sees of a state."""

    def state_from(self, y: Float[Array, " n"]) -> PyTree:
        """Return the state whose output is `y`, for cells whose state is that."""
        return y

    def recurrent_weights(self) -> PyTree:
        """Return the parameters that the spectrum of the recurrence follows from.

        They learn at a smaller rate, see
        [`recurrent_weights`][ctrnn_jax.networks.recurrent_weights]. None by default.
        """
        return ()

    def prepare(self) -> "AbstractCell":
        """Return the cell with what all its steps share computed once.

        Another kind of cell if need be, with the same states.
        """
        return self

    def scan(
        self, state: PyTree, inputs: Float[Array, "time m"]
    ) -> tuple[PyTree, Float[Array, "time n"]]:
        """Return the last state, and the output after each input."""
        cell = self.prepare()

        def body(state: PyTree, u: Float[Array, " m"]) -> tuple[PyTree, Array]:
            state = cell.step(state, u)
            return state, cell.output(state)

        return jax.lax.scan(body, state, inputs)

    def last(
        self, state: PyTree, inputs: Float[Array, "time m"]
    ) -> tuple[PyTree, Float[Array, " n"]]:
        """Return the last state and its output, and keep no others."""
        cell = self.prepare()
        state, _ = jax.lax.scan(
            lambda state, u: (cell.step(state, u), None), state, inputs
        )
        return state, cell.output(state)

    def free_run(self, state: PyTree, num_samples: int) -> Float[Array, "time n"]:
        """Return the outputs at `state` and on from it, without input."""
        cell = self.prepare()
        silence = jnp.zeros(self.input_size, jax.eval_shape(cell.output, state).dtype)

        def body(state: PyTree, _: None) -> tuple[PyTree, Array]:
            return cell.step(state, silence), cell.output(state)

        return jax.lax.scan(body, state, None, length=num_samples)[1]
