"""How a kernel goes through the steps of a run, and what it saves between them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..._types import Array, PyTree
from .._saves import SavePlan


class Schedule(NamedTuple):
    """Slots of steps, each of which ends with a save.

    There is one for each save of the plan, and one more for steps after the last, whose
    save nobody reads.
    """

    plan: SavePlan

    @property
    def slots(self) -> int:
        """How many slots there are."""
        tail = self.plan.tail
        return self.plan.num_saves + (0 if isinstance(tail, int) and tail == 0 else 1)

    @property
    def counts(self) -> Array:
        """Steps of the first slot, of those in between and of the one at the end."""
        plan = self.plan
        counts = plan.lead, plan.stride, plan.tail
        return jnp.stack([jnp.asarray(count, jnp.int32) for count in counts])

    def run(
        self,
        counts_ref: Any,
        body: Callable[[Array, PyTree], PyTree],
        save: Callable[[Array, Array, PyTree], None],
        state: PyTree,
    ) -> PyTree:
        """Return the last state.

        `body(index, state)` is a step after `index` of them, and
        `save(slot, index, state)` is called in each slot.
        """

        def interval(slot: Array, carry: tuple[Array, PyTree]) -> tuple[Array, PyTree]:
            index, state = carry
            count = jnp.where(slot == 0, counts_ref[0], counts_ref[1])
            count = jnp.where(slot == self.plan.num_saves, counts_ref[2], count)
            state = jax.lax.fori_loop(index, index + count, body, state)
            save(slot, index + count, state)
            return index + count, state

        zero = jnp.zeros((), jnp.int32)
        carry = zero, state
        _, state = jax.lax.fori_loop(zero, jnp.int32(self.slots), interval, carry)
        return state
