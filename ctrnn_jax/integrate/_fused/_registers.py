"""One launch for a whole integration: a lane a thread, its numbers in registers."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from ..._types import Array, Bool, Float, PyTree
from ...fields import AbstractField
from .._base import AbstractFieldSolver
from .._fixed_steps import alive, fixed_step, guarded, overflow_is_possible
from .._lane_loop import Run
from .._lanes import lanes_first
from .._reductions import OneLane
from ._launch import launch, warps_of
from ._layout import Model, Outputs, Packed, without_diagonal
from ._numbers import Numbers, numbers_of, scalar
from ._schedule import Schedule
from ._written_out import call

#: Neurons of a lane whose numbers fit the registers of a thread, beside the weights.
MOST_IN_REGISTERS = 8


def run_in_registers(
    field: AbstractField, mask: PyTree, start: Float[Array, "lanes n"], run: Run
) -> tuple[PyTree, PyTree, Bool[Array, " lanes"]]:
    """Advance all lanes; return what is saved, the reductions, and which are finite.

    All lead with the lanes. `field` and `mask` are as users give them: arrays of lanes
    lead with those.

    **Raises:** `NotFused` for what cannot be written out number by number.
    """
    lanes = lanes_first(field, mask)
    arrays, static = eqx.partition(lanes.field, eqx.is_array)
    inputs, static_inputs = eqx.partition(run.inputs, eqx.is_array)
    one = _Lane(static, static_inputs, run)
    batch = start.shape[0]
    block = block_of(batch)
    shared = jax.tree.map(lambda _: False, inputs)
    rows = Model.of(
        ((arrays, inputs), run.origin, run.step),
        ((lanes.mask, shared), False, False),
        batch,
    )
    plan = run.plan
    schedule = Schedule(plan)
    saves, carries = one.outputs(rows.one_lane[0], start)

    def kernel(interpreted: bool, counts_ref: Any, *refs: Any) -> None:
        ((arrays, inputs), origin, step), (y_ref, *others) = rows.read(refs)
        count = len(saves.shapes)
        saved_refs, finite_ref, carry_refs = (
            others[:count],
            others[count],
            others[count + 1 :],
        )
        model = without_diagonal(arrays, lanes.field), inputs
        y = numbers_of([y_ref[i, :] for i in range(start.shape[1])], start.shape[1:])
        clock = _Clock(origin[()], step[()])
        state = y, *one.begin(model, clock, y)
        packed = Packed.of(state, start.dtype, block)

        def body(index: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
            return packed.flatten(one.step(model, clock, index, packed.restore(flat)))

        def save(slot: Array, index: Array, flat: tuple[Array, ...]) -> None:
            y, *_ = packed.restore(flat)
            values = one.save(model, clock, index, y)
            for ref, value in zip(saved_refs, jax.tree.leaves(values), strict=True):
                for i, number in enumerate(value.reshape(-1)):
                    ref[slot, i, :] = jnp.broadcast_to(jnp.asarray(number), block)

        flat = schedule.run(counts_ref, body, save, packed.flatten(state))
        y, _, watched = packed.restore(flat)
        finite_ref[0, :] = call(alive, y)[()].astype(jnp.int32)
        for ref, value in zip(carry_refs, jax.tree.leaves(watched), strict=True):
            for i, number in enumerate(value.reshape(-1)):
                ref[i, :] = number.astype(ref.dtype)

    outputs = launch(
        kernel,
        name="ctrnn_registers",
        everywhere=[schedule.counts, *rows.shared.pack()],
        lanes=[*rows.own.pack(), start.T],
        outputs=[
            *[((schedule.slots, size), dtype) for size, dtype in saves.sizes],
            ((1,), jnp.dtype(jnp.int32)),
            *[((size,), dtype) for size, dtype in carries.sizes],
        ],
        block=block,
        num_warps=warps_of(block),
    )
    saved = outputs[: len(saves.shapes)]
    finite = outputs[len(saves.shapes)]
    watched = outputs[len(saves.shapes) + 1 :]
    saved = saves.unpack([leaf[: plan.num_saves] for leaf in saved], lead=1)
    reduced = one.reductions.finish(
        carries.unpack(watched, lead=0), jnp.asarray(plan.num_steps), lanes=0
    )
    return saved, reduced, finite[0].astype(bool)


def block_of(batch: int) -> int:
    """Return how many lanes a group of threads takes; few where lanes are few."""
    return 32 if batch <= 1 << 15 else 128


class _Clock(NamedTuple):
    origin: Any
    step: Any

    def time(self, count: Any) -> Numbers:
        """Return the time after `count` steps, as a number."""
        origin, step = jnp.asarray(self.origin), jnp.asarray(self.step)
        return scalar(origin + count.astype(step.dtype) * step)

    @property
    def length(self) -> Numbers:
        return scalar(self.step)


class _Lane:
    """What is done to one lane, called on numbers.

    First come the arrays of the model, those of the field and of the inputs.
    """

    def __init__(self, static: PyTree, static_inputs: PyTree, run: Run):
        self._static, self._run = (static, static_inputs), run
        may_overflow = overflow_is_possible(static)
        self.reductions = OneLane.of(run.reductions, may_overflow)
        step = fixed_step(run.solver)
        self._step = guarded(step) if may_overflow else step

    def outputs(
        self, model: PyTree, start: Float[Array, "lanes n"]
    ) -> tuple["Outputs", "Outputs"]:
        """Return what is saved of a lane, and what its reductions hand on."""
        t = jax.ShapeDtypeStruct((), start.dtype)
        y = jax.ShapeDtypeStruct(start.shape[1:], start.dtype)
        saved = jax.eval_shape(self._save, model, t, y)
        watched = jax.eval_shape(self._init, model, y)
        return Outputs.of(saved), Outputs.of(watched)

    def begin(self, model: PyTree, clock: _Clock, y: Numbers) -> tuple[PyTree, PyTree]:
        """Return what steps hand on, and what reductions do."""
        solver = self._run.solver
        carry = None
        if isinstance(solver, AbstractFieldSolver):
            start = solver.start

            def first(model: PyTree, t: Array, h: Array, y: Array) -> PyTree:
                field, inputs = self._whole(model)
                return start(field, t, h, y, inputs)

            zero = jnp.zeros((), jnp.int32)
            carry = call(first, model, clock.time(zero), clock.length, y)
        return carry, call(self._init, model, y)

    def step(self, model: PyTree, clock: _Clock, index: Array, state: PyTree) -> PyTree:
        """Return the state after one more step than `index`."""
        y, carry, watched = state

        def advance(
            model: PyTree, t: Array, h: Array, y: Array, carry: PyTree
        ) -> tuple[Array, PyTree]:
            field, inputs = self._whole(model)
            y, carry, _ = self._step(field, t, h, y, inputs, carry)
            return y, carry

        t = clock.time(index)
        y, carry = call(advance, model, t, clock.length, y, carry)
        after = scalar(index + 1)
        return y, carry, call(self._update, model, y, after, watched)

    def save(self, model: PyTree, clock: _Clock, index: Array, y: Numbers) -> PyTree:
        """Return what is saved of a state."""
        if self._run.plan.fn is None:
            return y
        return call(self._save, model, clock.time(index), y)

    def _whole(self, model: PyTree) -> tuple[AbstractField, PyTree]:
        return eqx.combine(model, self._static)

    def _save(self, model: PyTree, t: Array, y: Array) -> PyTree:
        fn = self._run.plan.fn
        _, inputs = self._whole(model)
        return y if fn is None else fn(t, y, inputs)

    def _init(self, model: PyTree, y: Array) -> list[PyTree]:
        return self.reductions.init(self._whole(model)[0], y)

    def _update(
        self, model: PyTree, y: Array, index: Array, carries: list[PyTree]
    ) -> list[PyTree]:
        return self.reductions.update(self._whole(model)[0], y, index, carries)
