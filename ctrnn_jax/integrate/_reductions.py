"""What is kept of a trajectory in place of its states, updated at every step."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Float, PyTree
from ..fields import AbstractField
from ..fields._energy import energy_of, energy_shift
from ._fixed_steps import alive

Observable: TypeAlias = Callable[[AbstractField, Float[Array, " n"]], Array]


class AbstractReduction(eqx.Module):
    """A number, or a few, computed along a trajectory without saving its states.

    Methods see one lane: its `model` (with the weight built) and its state `y` of
    shape `(n,)`. What a step hands to the next is any pytree of arrays, `carry`.
    """

    @abstractmethod
    def init(self, model: AbstractField, y: Float[Array, " n"]) -> PyTree:
        """Return the carry of the initial state, which counts as the first sample."""

    @abstractmethod
    def update(
        self,
        model: AbstractField,
        y: Float[Array, " n"],
        index: Array,
        carry: PyTree,
    ) -> PyTree:
        """Take in the state after step `index` = 1, 2, …, an integer scalar."""

    @abstractmethod
    def finish(self, carry: PyTree, count: Array) -> PyTree:
        """Return the result; `count` is the index of the last step."""


class Minimum(AbstractReduction):
    """Smallest value over all steps, elementwise.

    **Arguments:** `of(model, y)`: what to measure of one lane's state `(n,)`, an array
    of any shape; the state itself if `None`.
    """

    of: Observable | None = None

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> Array:
        return _measure(self.of, model, y)

    def update(
        self, model: AbstractField, y: Float[Array, " n"], index: Array, carry: Array
    ) -> Array:
        return jnp.minimum(carry, _measure(self.of, model, y))

    def finish(self, carry: Array, count: Array) -> Array:
        return carry


class Maximum(AbstractReduction):
    """Largest value over all steps, elementwise.

    **Arguments:** as [`Minimum`][ctrnn_jax.integrate.Minimum].
    """

    of: Observable | None = None

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> Array:
        return _measure(self.of, model, y)

    def update(
        self, model: AbstractField, y: Float[Array, " n"], index: Array, carry: Array
    ) -> Array:
        return jnp.maximum(carry, _measure(self.of, model, y))

    def finish(self, carry: Array, count: Array) -> Array:
        return carry


class Mean(AbstractReduction):
    """Average of the initial state and the states after each step, elementwise.

    The sum is compensated, so that float32 does not lose the small terms of long runs.

    **Arguments:** as [`Minimum`][ctrnn_jax.integrate.Minimum].

    **Reference:** Kahan (1965), Further remarks on reducing truncation errors.
    """

    of: Observable | None = None

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> tuple[Array, Array]:
        value = _measure(self.of, model, y)
        return value, jnp.zeros_like(value)

    def update(
        self,
        model: AbstractField,
        y: Float[Array, " n"],
        index: Array,
        carry: tuple[Array, Array],
    ) -> tuple[Array, Array]:
        return _add(carry, _measure(self.of, model, y))

    def finish(self, carry: tuple[Array, Array], count: Array) -> Array:
        total, _ = carry
        return total / (count + 1).astype(total.dtype)


class Variance(AbstractReduction):
    r"""Variance over the initial state and those after each step, elementwise.

    The mean squared deviation from the mean, $\frac1N\sum_i (x_i - \bar x)^2$, by an
    update that does not cancel.

    **Arguments:** as [`Minimum`][ctrnn_jax.integrate.Minimum].

    **Reference:** Welford (1962), Technometrics 4 (3).
    """

    of: Observable | None = None

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> PyTree:
        value = _measure(self.of, model, y)
        zero = jnp.zeros_like(value)
        return (value, zero), (zero, zero)

    def update(
        self, model: AbstractField, y: Float[Array, " n"], index: Array, carry: PyTree
    ) -> PyTree:
        mean, squares = carry
        value = _measure(self.of, model, y)
        deviation = value - mean[0]
        mean = _add(mean, deviation / (index + 1).astype(value.dtype))
        return mean, _add(squares, deviation * (value - mean[0]))

    def finish(self, carry: PyTree, count: Array) -> Array:
        _, (squares, _) = carry
        return squares / (count + 1).astype(squares.dtype)


class MaxChange(AbstractReduction):
    r"""Largest distance from the initial value, $\max_t |g(x(t)) - g(x(0))|$.

    **Arguments:** as [`Minimum`][ctrnn_jax.integrate.Minimum].
    """

    of: Observable | None = None

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> tuple[Array, Array]:
        value = _measure(self.of, model, y)
        return value, jnp.zeros_like(value)

    def update(
        self,
        model: AbstractField,
        y: Float[Array, " n"],
        index: Array,
        carry: tuple[Array, Array],
    ) -> tuple[Array, Array]:
        first, largest = carry
        return first, jnp.maximum(largest, abs(_measure(self.of, model, y) - first))

    def finish(self, carry: tuple[Array, Array], count: Array) -> Array:
        return carry[1]


class EnergyDrift(AbstractReduction):
    r"""Largest change of the energy, $\max_t |H(x(t)) - H(x(0))|$.

    H is that of [`energy`][ctrnn_jax.invariants.energy]; what depends on the model
    alone is computed once. It costs a potential for each neuron, about as much as an
    evaluation of the field: thin it out with `Every`.

    **Raises:** as `energy`.
    """

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> PyTree:
        shift = energy_shift(model)
        first = energy_of(model, shift, y)
        return shift, first, jnp.zeros_like(first)

    def update(
        self, model: AbstractField, y: Float[Array, " n"], index: Array, carry: PyTree
    ) -> PyTree:
        shift, first, largest = carry
        change = abs(energy_of(model, shift, y) - first)
        return shift, first, jnp.maximum(largest, change)

    def finish(self, carry: PyTree, count: Array) -> Array:
        return carry[2]


class Every(AbstractReduction):
    """Let another reduction see the initial state and every k-th step only.

    **Arguments:** `num_steps`: k, at least 1; `reduction`.

    **Raises:** `ValueError` for another k.
    """

    num_steps: int = eqx.field(static=True)
    reduction: AbstractReduction

    def __check_init__(self) -> None:
        if not isinstance(self.num_steps, int) or self.num_steps < 1:
            raise ValueError(
                f"num_steps must be an integer of at least 1, got {self.num_steps!r}."
            )
        check_reductions(self.reduction)

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> PyTree:
        return self.reduction.init(model, y)

    def update(
        self, model: AbstractField, y: Float[Array, " n"], index: Array, carry: PyTree
    ) -> PyTree:
        # The index is the same in all lanes, so that one branch runs, not both.
        return jax.lax.cond(
            index % self.num_steps == 0,
            lambda: self.reduction.update(model, y, index // self.num_steps, carry),
            lambda: carry,
        )

    def finish(self, carry: PyTree, count: Array) -> PyTree:
        return self.reduction.finish(carry, count // self.num_steps)


class OneLane(NamedTuple):
    """All reductions of a run, as functions of one lane."""

    reductions: list[AbstractReduction]
    structure: Any
    may_overflow: bool

    @classmethod
    def of(cls, reductions: PyTree, may_overflow: bool) -> "OneLane":
        """Take in a pytree of reductions."""
        return cls(*jax.tree.flatten(reductions, is_leaf=is_reduction), may_overflow)

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> list[PyTree]:
        """Return all carries of the initial state."""
        return [reduction.init(model, y) for reduction in self.reductions]

    def update(
        self,
        model: AbstractField,
        y: Float[Array, " n"],
        index: Array,
        carries: list[PyTree],
    ) -> list[PyTree]:
        """Take in the state after step `index`."""
        if self.reductions and self.may_overflow:
            # A frozen lane's values are discarded; they and their slopes stay finite.
            y = jnp.where(alive(y), y, 1.0)
        return [
            reduction.update(model, y, index, carry)
            for reduction, carry in zip(self.reductions, carries, strict=True)
        ]

    def finish(self, carries: list[PyTree], count: Array, *, lanes: int) -> PyTree:
        """Return the results of carries with an axis `lanes`; theirs lead with it."""
        results = [
            jax.vmap(reduction.finish, in_axes=(lanes, None))(carry, count)
            for reduction, carry in zip(self.reductions, carries, strict=True)
        ]
        return jax.tree.unflatten(self.structure, results)


def is_reduction(node: object) -> bool:
    """Whether `node` is a reduction, for use as `is_leaf`."""
    return isinstance(node, AbstractReduction)


def check_reductions(reductions: PyTree) -> None:
    """Refuse a pytree that holds anything but reductions.

    **Raises:** `ValueError` naming what it holds.
    """
    for leaf in jax.tree.leaves(reductions, is_leaf=is_reduction):
        if not is_reduction(leaf):
            hint = f"; write {leaf.__name__}()" if isinstance(leaf, type) else ""
            raise ValueError(
                "reductions must hold objects such as Minimum() or "
                f"Mean(of=function), in any pytree; got {leaf!r}{hint}."
            )


def _measure(
    of: Observable | None, model: AbstractField, y: Float[Array, " n"]
) -> Array:
    return y if of is None else jnp.asarray(of(model, y))


def _add(total: tuple[Array, Array], term: Array) -> tuple[Array, Array]:
    """Add to a sum that carries what rounding has left out of it."""
    value, lost = total
    term = term - lost
    moved = value + term
    return moved, (moved - value) - term
