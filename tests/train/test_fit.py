"""The loop does what optax by hand does, compiles once and says what went wrong."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from small import KEY, OPTIM, TASK, MeanTask, Net, same

from ctrnn_jax.fields import Tanh
from ctrnn_jax.tasks import Batch
from ctrnn_jax.train import NonfiniteError, evaluate, fit, trainable_parts
from ctrnn_jax.train._step import advance

# optax's Adam divides a float by an int32.
pytestmark = pytest.mark.standard_promotion


def _fit(model=None, task=TASK, **options):
    given = {"optim": OPTIM, "num_steps": 12, "batch_size": 8, "key": KEY} | options
    return fit(Net() if model is None else model, task, **given)


def _by_hand(optim, num_steps, batch_size=8):
    """Return the losses and the model of the textbook loop."""
    model = Net()
    params, rest = eqx.partition(model, trainable_parts(model))
    state, losses = optim.init(params), []

    @jax.jit
    def step(params, state, batch):
        def loss(params):
            outputs = jax.vmap(eqx.combine(params, rest))(batch.inputs)
            return jnp.mean((outputs - batch.targets) ** 2)

        value, gradient = jax.value_and_grad(loss)(params)
        if isinstance(optim, optax.GradientTransformationExtraArgs):
            extra = {"value": value, "grad": gradient, "value_fn": loss}
            updates, state = optim.update(gradient, state, params, **extra)
        else:
            updates, state = optim.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    for number in range(num_steps):
        batch = TASK.sample(batch_size, key=jr.split(jr.fold_in(KEY, number))[0])
        params, state, value = step(params, state, batch)
        losses.append(float(value))
    return eqx.combine(params, rest), np.array(losses)


SCHEDULE = optax.warmup_cosine_decay_schedule(1e-3, 3e-2, 3, 12)


@pytest.mark.parametrize(
    "optim",
    [
        OPTIM,
        optax.sgd(SCHEDULE, momentum=0.9),
        optax.adamw(SCHEDULE, weight_decay=0.1),  # needs the parameters
        optax.inject_hyperparams(optax.lion)(learning_rate=1e-2),
        # Evaluates the loss of the same batch at other points.
        optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(5)),
    ],
    ids=["adam", "momentum", "adamw", "lion", "linesearch"],
)
def test_training_is_the_textbook_loop_for_any_optimiser(optim):
    model, history = _fit(optim=optim)
    by_hand, losses = _by_hand(optim, 12)
    # A schedule is in float32, and rounds otherwise when compiled.
    np.testing.assert_allclose(history.losses, losses, rtol=1e-7)
    np.testing.assert_allclose(model.weight, by_hand.weight, rtol=1e-6)
    np.testing.assert_array_equal(history.steps, np.arange(12))
    assert history.stop == "finished"


def test_the_task_is_learnt():
    model, history = _fit(num_steps=400, batch_size=16)
    assert evaluate(model, TASK)["loss"] < 0.05 * TASK.trivial_loss
    assert np.all(np.diff(history.seconds) >= 0)


def test_the_given_model_is_left_alone():
    model, reference = Net(), Net()
    _fit(model)
    assert same(model, reference)


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_how_steps_are_dispatched_changes_no_bit(steps):
    model, history = _fit()
    other, others = _fit(steps_per_dispatch=steps)
    assert same(model, other)
    np.testing.assert_array_equal(history.losses, others.losses)


def test_a_training_compiles_once_whatever_its_dispatches():
    before = advance._cached._cache_size()
    options = {"validate_every": 5, "steps_per_dispatch": 4, "batch_size": 6}
    _fit(num_steps=23, **options)
    # Dispatches of 4, 1, 4, 1, ... and 3 steps, with other keys and models.
    _fit(Net(key=jr.key(1)), num_steps=3, key=jr.key(2), **options)
    assert advance._cached._cache_size() == before + 1


def test_batches_cut_into_parts_have_the_same_mean_gradient():
    whole, losses = _fit(batch_size=8)
    parts, in_parts = _fit(batch_size=8, microbatches=4)
    np.testing.assert_allclose(in_parts.losses, losses.losses, rtol=1e-12)
    np.testing.assert_allclose(parts.weight, whole.weight, rtol=1e-10)


def test_only_what_is_trainable_moves():
    model = Net(scale=jnp.array(2.0))
    spec = trainable_parts(model)
    assert spec.weight and spec.read and not spec.activation.scale
    trained, _ = _fit(model)
    assert trained.activation.scale == 2.0
    spec = eqx.tree_at(
        lambda net: (net.weight, net.activation.scale), spec, (False, True)
    )
    trained, _ = _fit(model, trainable=spec)
    assert jnp.all(trained.weight == model.weight)
    assert not jnp.any(trained.read == model.read)
    assert trained.activation.scale != 2.0


def test_a_complex_parameter_descends():
    class Phase(eqx.Module):
        z: jax.Array

        def __call__(self, inputs):
            return jnp.abs(self.z - (1.0 + 2.0j))[None]

    def loss(model, batch, key):
        return jnp.mean(jax.vmap(model)(batch.inputs) ** 2)

    start = Phase(jnp.array(0.0 + 0.0j))
    model, _ = _fit(start, loss_fn=loss, optim=optax.sgd(0.1), num_steps=60)
    np.testing.assert_allclose(model.z, 1 + 2j, atol=1e-4)


def test_a_loss_of_ones_own_gets_batch_and_a_new_key_each_step():
    def loss(model, batch, key):
        return jr.uniform(key) + 0.0 * jnp.sum(model.weight)

    _, history = _fit(loss_fn=loss, num_steps=5)
    keys = [jr.split(jr.fold_in(KEY, step))[1] for step in range(5)]
    np.testing.assert_array_equal(history.losses, [float(jr.uniform(k)) for k in keys])


class _Recorder:
    def __init__(self):
        self.seen = []

    def __call__(self, progress):
        self.seen.append(progress)
        progress.model()  # a copy, which the next step leaves alone


def test_callbacks_see_every_loss_once_and_every_validation():
    recorder = _Recorder()
    model, history = _fit(
        validate_every=5,
        steps_per_dispatch=3,
        num_steps=10,
        callbacks=[recorder],
        keep_best=False,
    )
    seen = recorder.seen
    assert [p.step for p in seen] == [3, 5, 8, 10]
    np.testing.assert_array_equal(
        np.concatenate([p.losses for p in seen]), history.losses
    )
    assert [p.scores is not None for p in seen] == [False, True, False, True]
    assert seen[1].scores["loss"] == history.validation_scores["loss"][0]
    assert same(seen[-1].model(), model)


def test_validation_in_parts_scores_the_same():
    _, whole = _fit(validate_every=6)
    _, parts = _fit(validate_every=6, validation_batch=5)
    np.testing.assert_allclose(
        parts.validation_scores["loss"], whole.validation_scores["loss"], rtol=1e-12
    )
    np.testing.assert_array_equal(whole.validation_steps, [6, 12])


def test_the_best_model_is_returned_and_patience_ends_the_wait():
    # A rate this high gets worse for good after a few steps.
    options = {"optim": optax.sgd(3.0), "num_steps": 200, "validate_every": 1}
    best, history = _fit(**options, patience=4)
    scores = history.validation_scores["loss"]
    at = int(np.argmin(scores))
    assert history.stop == "patience"
    assert len(history.losses) == history.validation_steps[-1] == at + 1 + 4
    assert history.best_step == history.validation_steps[at]
    np.testing.assert_allclose(
        evaluate(best, TASK, split="validation")["loss"], scores[at], rtol=1e-12
    )
    last, _ = _fit(**options, patience=4, keep_best=False)
    np.testing.assert_allclose(
        evaluate(last, TASK, split="validation")["loss"], scores[-1], rtol=1e-12
    )


def test_training_stops_when_told_to():
    _, history = _fit(
        num_steps=500, validate_every=10, stop_when=lambda scores: scores["loss"] < 0.1
    )
    scores = history.validation_scores["loss"]
    assert history.stop == "stop_when"
    assert scores[-1] < 0.1
    assert np.all(scores[:-1] >= 0.1)


def _turns_nan_at(step):
    """An optimiser whose update is NaN from this step on."""
    return optax.sgd(lambda count: jnp.where(count < step, 1e-2, jnp.nan))


@pytest.mark.parametrize("steps_per_dispatch", [1, 16])
def test_an_update_that_is_not_finite_stops_before_it(steps_per_dispatch):
    options = {"num_steps": 20, "steps_per_dispatch": steps_per_dispatch}
    with pytest.raises(NonfiniteError, match=r"not finite at step 7 .*fold_in") as info:
        _fit(optim=_turns_nan_at(7), **options)
    good, _ = _fit(optim=optax.sgd(1e-2), num_steps=7)
    assert same(info.value.model, good)
    assert info.value.step == 7
    assert len(info.value.history.losses) == 8
    model, history = _fit(optim=_turns_nan_at(7), throw=False, **options)
    assert history.stop == "nonfinite"
    assert same(model, good)


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_a_loss_that_is_not_finite_names_the_step(bad):
    def loss(model, batch, key):
        outputs = jax.vmap(model)(batch.inputs)
        late = jnp.sum(model.read) != jnp.sum(Net().read)  # after the first step
        return jnp.mean(outputs**2) + jnp.where(late, bad, 0.0)

    with pytest.raises(NonfiniteError, match=f"The loss is {bad} at step 1 "):
        _fit(loss_fn=loss)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps must be a positive integer, got 0"),
        ({"batch_size": True}, "batch_size must be a positive integer"),
        ({"batch_size": 8, "microbatches": 3}, "microbatches must divide"),
        ({"patience": 3}, "need validate_every"),
        (
            {"validate_every": 1, "monitor": "accuracy"},
            "none of the task's scores",
        ),
        ({"trainable": lambda leaf: False}, "Nothing of the model is trained"),
        ({"loss_fn": lambda m, b, k: m.weight}, r"must be one real number"),
    ],
)
def test_misuse_says_what_to_change(options, message):
    with pytest.raises(ValueError, match=message):
        _fit(**options)


def test_outputs_that_would_broadcast_against_targets_are_refused():
    class Scalar(Net):
        def __call__(self, inputs):
            return super().__call__(inputs)[0]

    with pytest.raises(ValueError, match=r"\(8,\) .* \(8, 1\).*reads='last'"):
        _fit(Scalar())


def test_a_legacy_key_gives_the_same_training():
    _, typed = _fit(key=jr.key(3), num_steps=3)
    _, legacy = _fit(key=jr.PRNGKey(3), num_steps=3)
    np.testing.assert_array_equal(typed.losses, legacy.losses)


def test_a_task_with_data_of_its_own_needs_no_compilation_for_new_data():
    class Data(MeanTask):
        inputs: jax.Array = None

        def sample(self, batch_size, *, key):
            picked = jr.choice(key, self.inputs, (batch_size,))
            return Batch(picked, jnp.mean(picked, axis=1))

    one, two = (Data(inputs=jr.normal(jr.key(s), (20, 5, 1))) for s in (1, 2))
    _fit(task=one)
    before = advance._cached._cache_size()
    _fit(task=two)
    assert advance._cached._cache_size() == before


def test_the_activation_is_told_by_its_class_wherever_it_is():
    spec = trainable_parts(
        {"a": [Tanh(jnp.array(1.0)), jnp.ones(2)], "b": jnp.arange(2)}
    )
    assert not spec["a"][0].scale
    assert spec["a"][1] is True
    assert spec["b"] is False
