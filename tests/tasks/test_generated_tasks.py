"""Tasks made from a key: protocols, trivial levels, fixed batches."""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from ctrnn_jax.tasks import Adding, CopyMemory, DelayedRecall, FlipFlop
from ctrnn_jax.tasks._task import split_key

TASKS = {
    "copy": CopyMemory(12, held_out_size=32),
    "copy-silent": CopyMemory(5, silent_blank=True, held_out_size=32),
    "adding": Adding(31),
    "flip-flop": FlipFlop(),
    "flip-flop-sparse": FlipFlop(640, 0.05),
    "delayed-recall": DelayedRecall(20),
}
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


# One size for most tests: each task compiles once.
SIZE = 4096


@eqx.filter_jit
def drawn(task, size, key):
    return task.sample(size, key=key)


@functools.cache
def held_out(task, split):
    return eqx.filter_jit(lambda: task.held_out(split))()


def log_odds(probabilities):
    """Return outputs of which softmax makes these probabilities."""
    return jnp.log(jnp.maximum(jnp.asarray(probabilities), 1e-300))


def trivial_outputs(task, batch):
    """Return what the best answer that knows the time alone puts out."""
    size, time = batch.targets.shape[0], task.num_samples
    if isinstance(task, CopyMemory):
        table = np.zeros((time, task.output_size))
        table[: -task.num_kept, 0] = 1
        table[-task.num_kept :, 1:] = 1 / task.num_symbols
    elif isinstance(task, DelayedRecall):
        table = np.full((time, task.output_size), 1 / task.num_symbols)
    elif isinstance(task, Adding):
        return jnp.ones((size, 1))
    else:
        return jnp.zeros(batch.targets.shape)
    return jnp.broadcast_to(log_odds(table), (size, *table.shape))


@each_task
def test_a_batch_has_the_shapes_that_the_task_states(task):
    batch = drawn(task, SIZE, jr.key(0))
    assert batch.inputs.shape == (SIZE, task.num_samples, task.input_size)
    where = (SIZE,) if task.reads == "last" else (SIZE, task.num_samples)
    if batch.targets.dtype == jnp.int32:
        assert batch.targets.shape == where
        assert int(batch.targets.max()) == task.output_size - 1
    else:
        assert batch.targets.shape == (*where, task.output_size)
    assert batch.inputs.dtype == jnp.float64


@each_task
def test_the_same_key_gives_the_same_batch_and_another_key_another(task):
    first, again = drawn(task, SIZE, jr.key(3)), drawn(task, SIZE, jr.key(3))
    assert eqx.tree_equal(first, again)
    assert not np.array_equal(first.inputs, drawn(task, SIZE, jr.key(4)).inputs)


@each_task
def test_eager_and_compiled_batches_are_equal(task):
    assert eqx.tree_equal(task.held_out("test"), held_out(task, "test"))


@each_task
def test_the_trivial_loss_is_what_the_trivial_answer_scores(task):
    batch = drawn(task, SIZE, jr.key(7))
    loss = task.loss(trivial_outputs(task, batch), batch)
    # Three standard errors of a mean of (u₁ + u₂ - 1)², whose fourth moment is 1/15;
    # the others are exact.
    error = 3 * math.sqrt((1 / 15 - 1 / 36) / SIZE)
    tolerance = error if isinstance(task, Adding) else 1e-12
    assert float(loss) == pytest.approx(task.trivial_loss, abs=tolerance)


@each_task
def test_held_out_batches_are_shared_with_nothing(task):
    validation, test = held_out(task, "validation"), held_out(task, "test")
    assert validation.inputs.shape[0] == task.held_out_size
    if isinstance(task, DelayedRecall):
        # Few sequences exist, some of them must return; the batches still differ.
        assert not np.array_equal(validation.inputs, test.inputs)
        return
    training = drawn(task, SIZE, jr.key(task.seed))
    rows = [
        {row.tobytes() for row in np.asarray(batch.inputs)}
        for batch in (training, validation, test)
    ]
    assert rows[0].isdisjoint(rows[1])
    assert rows[0].isdisjoint(rows[2])
    assert rows[1].isdisjoint(rows[2])


@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_training_step_is_given_a_held_out_key(split):
    # Training folds step numbers into its key, whose seed may be the task's.
    key = split_key(jr.key(0), split)
    steps = jnp.arange(100_000)
    folded = jr.key_data(jax.jit(jax.vmap(lambda k: jr.fold_in(jr.key(0), k)))(steps))
    assert not np.any(np.all(np.asarray(folded) == np.asarray(jr.key_data(key)), 1))


@each_task
def test_perfect_answers_score_perfectly(task):
    batch = held_out(task, "test")
    if batch.targets.dtype == jnp.int32:
        outputs = 100 * jax.nn.one_hot(batch.targets, task.output_size)
    else:
        outputs = batch.targets
    scores = task.scores(outputs, batch)
    assert float(scores["loss"]) == pytest.approx(0, abs=1e-12)
    for name in {"recall", "perfect", "recall_late", "bits", "solved"} & {*scores}:
        assert float(scores[name]) == 1
    assert all(value.shape == () for value in scores.values())


@pytest.mark.parametrize(
    ("delay", "level"), [(100, 0.1733), (200, 0.0945), (500, 0.0400), (1000, 0.0204)]
)
def test_copy_memory_has_the_published_trivial_levels(delay, level):
    assert CopyMemory(delay).trivial_loss == pytest.approx(level, abs=5e-5)
    assert CopyMemory(delay).num_samples == delay + 20


def test_copy_memory_asks_for_the_first_symbols_after_the_marker():
    task = CopyMemory(7, num_kept=3)
    batch = drawn(task, 64, jr.key(0))
    shown = np.argmax(batch.inputs, axis=-1)
    np.testing.assert_array_equal(batch.inputs.sum(axis=-1), 1)
    np.testing.assert_array_equal(shown[:, :3], batch.targets[:, -3:])
    assert set(np.unique(shown[:, :3])) == set(range(1, 9))
    np.testing.assert_array_equal(shown[:, 3:9], 0)
    np.testing.assert_array_equal(shown[:, 9], 9)
    np.testing.assert_array_equal(shown[:, 10:], 0)
    np.testing.assert_array_equal(batch.targets[:, :-3], 0)


def test_a_silent_blank_drives_nothing_and_changes_nothing_else():
    heard = drawn(CopyMemory(7), 4, jr.key(0))
    silent = drawn(CopyMemory(7, silent_blank=True), 4, jr.key(0))
    np.testing.assert_array_equal(silent.inputs[..., 0], 0)
    np.testing.assert_array_equal(silent.inputs[..., 1:], heard.inputs[..., 1:])
    np.testing.assert_array_equal(silent.targets, heard.targets)


def test_recall_counts_symbols_and_perfect_whole_sequences():
    task = CopyMemory(7, num_kept=3)
    batch = drawn(task, 64, jr.key(0))
    answers = batch.targets.at[:16, -1].set(0)
    scores = task.scores(jax.nn.one_hot(answers, task.output_size), batch)
    assert float(scores["recall"]) == pytest.approx(1 - 16 / 64 / 3)
    assert float(scores["perfect"]) == 3 / 4


@pytest.mark.parametrize("length", [2, 31])
def test_adding_marks_one_number_in_each_half(length):
    batch = drawn(Adding(length), SIZE, jr.key(0))
    numbers, marks = np.moveaxis(np.asarray(batch.inputs), -1, 0)
    assert np.all(np.isin(marks, (0, 1)))
    np.testing.assert_array_equal(marks[:, : length // 2].sum(axis=1), 1)
    np.testing.assert_array_equal(marks[:, length // 2 :].sum(axis=1), 1)
    # Each place of each half is marked at some time.
    assert np.all(marks[:, :31].sum(axis=0) > 0)
    assert 0 <= numbers.min() < numbers.max() < 1
    np.testing.assert_allclose((numbers * marks).sum(axis=1), batch.targets[:, 0])


def test_adding_is_solved_at_a_twentieth():
    task = TASKS["adding"]
    batch = held_out(task, "test")
    assert task.solved_at == 0.05
    for error, solved in ((0.22, 1.0), (0.23, 0.0)):
        assert float(task.scores(batch.targets + error, batch)["solved"]) == solved


@pytest.mark.parametrize(
    ("name", "length", "rate"),
    [("flip-flop", 64, 0.5), ("flip-flop-sparse", 640, 0.05)],
)
def test_flip_flop_holds_the_latest_pulse(name, length, rate):
    batch = held_out(TASKS[name], "test")
    pulses, bits = np.asarray(batch.inputs), np.asarray(batch.targets)
    assert pulses.shape == bits.shape == (128, length, 3)
    assert np.all(np.isin(pulses, (-1, 0, 1)))
    assert np.all(pulses[:, 0] != 0)
    assert np.mean(pulses[:, 1:] != 0) == pytest.approx(rate, abs=0.005)
    assert np.mean(pulses) == pytest.approx(0, abs=0.02)
    held = np.zeros((128, 3))
    for time in range(length):
        held = np.where(pulses[:, time] != 0, pulses[:, time], held)
        np.testing.assert_array_equal(bits[:, time], held)


def test_flip_flop_trains_on_512_trials_and_no_others():
    batches = [drawn(TASKS["flip-flop"], SIZE, jr.key(seed)) for seed in (0, 1)]
    rows = {row.tobytes() for batch in batches for row in np.asarray(batch.inputs)}
    assert len(rows) == 512


def test_flip_flop_zero_has_no_sign():
    task = TASKS["flip-flop"]
    batch = held_out(task, "test")
    scores = task.scores(jnp.zeros(batch.targets.shape), batch)
    assert float(scores["bits"]) == 0


def test_delayed_recall_asks_once_for_the_first_cue_after_the_second():
    task = DelayedRecall(6, num_symbols=3)
    batch = drawn(task, SIZE, jr.key(0))
    inputs = np.asarray(batch.inputs)
    kept, ignored, asked = inputs[..., :3], inputs[..., 3:6], inputs[..., 6]
    for channels in (kept.sum(-1), ignored.sum(-1), asked):
        np.testing.assert_array_equal(channels.sum(axis=1), 1)
    np.testing.assert_array_equal(kept[:, 0].argmax(axis=-1), batch.targets[:, 0])
    np.testing.assert_array_equal(batch.mask, asked)
    question, distraction = asked.argmax(axis=1), ignored.sum(-1).argmax(axis=1)
    assert set(question) == {2, 3, 4, 5, 6}
    assert np.all((distraction >= 1) & (distraction < question))
    # Each pair of cues is as likely: the second tells nothing about the first.
    pairs = np.histogram2d(
        np.asarray(batch.targets[:, 0]), ignored.sum(axis=1).argmax(axis=-1), bins=3
    )[0]
    assert pairs.min() > SIZE / 9 - 4 * math.sqrt(SIZE / 9)


def test_delayed_recall_counts_the_asked_answer_alone():
    task = TASKS["delayed-recall"]
    batch = held_out(task, "test")
    right = jax.nn.one_hot(batch.targets, 2)
    answers = jnp.where(batch.mask[..., None] > 0, right, 1 - right)
    scores = task.scores(answers, batch)
    assert float(scores["recall"]) == float(scores["recall_late"]) == 1


@each_task
def test_the_dtype_asked_for_is_the_dtype_of_all(task):
    narrow = type(task)(**{**vars(task), "dtype": "float32"})
    batch = eqx.filter_eval_shape(narrow.sample, 2, key=jr.key(0))
    floating = [x for x in jax.tree.leaves(batch) if x.dtype != jnp.int32]
    assert {x.dtype for x in floating} == {jnp.dtype("float32")}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CopyMemory(0), "delay must be a whole number, at least 1"),
        (lambda: CopyMemory(3, num_symbols=1), "num_symbols .* at least 2"),
        (lambda: CopyMemory(3, num_kept=0), "num_kept .* at least 1"),
        (lambda: CopyMemory(3, held_out_size=0), "held_out_size .* at least 1"),
        (lambda: CopyMemory(3, seed=-1), "seed .* at least 0"),
        (lambda: CopyMemory(3, dtype="int32"), "dtype must be floating"),
        (lambda: Adding(1), "length .* at least 2"),
        (lambda: FlipFlop(pulse_rate=0.0), "pulse_rate must be above 0"),
        (lambda: FlipFlop(pulse_rate=1.5), "pulse_rate must be above 0"),
        (lambda: FlipFlop(num_bits=0), "num_bits .* at least 1"),
        (lambda: DelayedRecall(1), "delay .* at least 2"),
        (lambda: Adding(4).held_out("train"), "'validation' or 'test'"),
    ],
)
def test_bad_options_are_refused_with_the_mend(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_dtype_that_jax_would_narrow_is_refused():
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        Adding(4, dtype="float64")
