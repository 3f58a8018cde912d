"""Between two looks of the host, a training is one launch that moves no data."""

import contextlib

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from small import KEY, OPTIM, TASK, MeanTask, Net, same

from ctrnn_jax.networks import make_network
from ctrnn_jax.tasks import Adding, Batch, CopyMemory, FlipFlop, SignalSchoolTask
from ctrnn_jax.train import _session, fit

# optax's Adam divides a float by an int32.
pytestmark = pytest.mark.standard_promotion


class NumpyTask(MeanTask):
    """Draws from data that its user left on the host."""

    data: np.ndarray = None

    name = "data"

    def sample(self, batch_size, *, key):
        picked = jr.choice(key, jnp.asarray(self.data), (batch_size,))
        return Batch(picked, jnp.mean(picked, axis=1))


def _watch(monkeypatch, guard):
    """Record the dispatches of `fit`, each made under `guard`: state in, state out."""
    calls, advance = [], _session.advance

    def watched(kept, state):
        with guard():
            new, losses = advance(kept, state)
        calls.append((state, new))
        return new, losses

    monkeypatch.setattr(_session, "advance", watched)
    return calls


def _disallow():
    return jax.transfer_guard("disallow")


def _train(model, task, **options):
    given = {"optim": OPTIM, "num_steps": 12, "batch_size": 4, "key": KEY}
    return fit(model, task, **given | {"steps_per_dispatch": 4} | options)


CASES = {
    "own network": (Net, TASK),
    "data on the host": (
        Net,
        NumpyTask(data=np.linspace(-1.0, 1.0, 100).reshape(20, 5, 1)),
    ),
    **{
        f"{task.name}, {name}": (
            lambda task=task, name=name: make_network(
                name, task, size=4, key=jr.key(0)
            ),
            task,
        )
        for name, task in [
            ("tanh-skew", CopyMemory(4, num_kept=3)),
            ("linear-rotation", Adding(12)),
            ("lstm", FlipFlop(12)),
            ("linear-skew", SignalSchoolTask()),
        ]
    },
}


@pytest.mark.parametrize("case", list(CASES))
def test_batches_steps_and_losses_stay_on_the_device(case, monkeypatch):
    build, task = CASES[case]
    model = build()
    # Constants are sent when a program is made, which is not what is asked here.
    before, history = _train(model, task)
    calls = _watch(monkeypatch, _disallow)
    after, again = _train(model, task)
    assert len(calls) == 3
    assert same(before, after)
    np.testing.assert_array_equal(history.losses, again.losses)


def test_the_guard_would_notice_data_from_the_host():
    doubled = jax.jit(lambda x: 2 * x)
    data = np.ones(3)
    doubled(data)
    with jax.transfer_guard("disallow"), pytest.raises(Exception, match="host-to-dev"):
        doubled(data)


@pytest.mark.parametrize(
    ("options", "launches"),
    [
        ({"num_steps": 20, "steps_per_dispatch": 20}, 1),
        ({"num_steps": 20, "steps_per_dispatch": 5}, 4),
        ({"num_steps": 20, "steps_per_dispatch": 20, "validate_every": 10}, 2),
    ],
)
def test_steps_between_two_looks_are_one_launch(options, launches, monkeypatch):
    calls = _watch(monkeypatch, contextlib.nullcontext)
    _train(Net(), TASK, **options)
    assert len(calls) == launches


def test_a_dispatch_writes_the_new_state_where_the_old_one_was(monkeypatch):
    calls = _watch(monkeypatch, contextlib.nullcontext)
    model = Net()
    _train(model, TASK)
    for old, _ in calls:
        kept = [
            jax.tree_util.keystr(path)
            for path, leaf in jax.tree_util.tree_leaves_with_path(
                (old.params, old.optimiser)
            )
            if not leaf.is_deleted()
        ]
        assert kept == []
    # What the user gave, and what is handed back, is not given away.
    assert not any(leaf.is_deleted() for leaf in (model.weight, model.read))
