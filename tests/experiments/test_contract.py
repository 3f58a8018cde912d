"""What every experiment owes to a sweep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from settings import (
    EXPLODING,
    SMALL,
    VARIED,
    fixed_of,
    is_static,
    keys_of,
    run,
    settings_of,
    take,
)

from ctrnn_jax.experiments import EXPERIMENTS
from ctrnn_jax.sweep import SpecificationError, read_spec

BATCH = 5
NAMES = [*EXPERIMENTS]
#: NaN unless asked for.
NOT_ASKED = ("law", "megno", "exponent", "log_gali")


def assert_same_bits(found, wanted):
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name].dtype == wanted[name].dtype
        assert found[name].tobytes() == wanted[name].tobytes(), name


@pytest.mark.parametrize("name", NAMES)
def test_parameters_have_defaults_within_their_own_bounds_and_one_line_of_help(name):
    parameters = EXPERIMENTS[name].parameters
    assert len({p.name for p in parameters}) == len(parameters)
    for p in parameters:
        assert p.help
        assert "\n" not in p.help
        if isinstance(p.default, str):
            assert p.default in p.choices
            assert p.static
            continue
        assert not p.choices
        if p.low is not None:
            assert p.low < p.default or (p.low == p.default and "low" not in p.open)
        assert p.high is None or p.default <= p.high


@pytest.mark.parametrize("name", NAMES)
def test_it_is_known_by_its_name_and_says_what_it_does(name):
    experiment = EXPERIMENTS[name]
    assert experiment.name == name
    assert experiment.summary
    assert type(experiment).__doc__


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_declared_with_the_dimensions_and_coordinates_said(name):
    experiment, fixed = EXPERIMENTS[name], fixed_of(name)
    found = run(name, settings_of(name, BATCH), keys_of(BATCH))
    declared = {output.name: output for output in experiment.outputs}
    assert found["status"].dtype == np.int8
    np.testing.assert_array_equal(found["status"], 0)
    assert found.keys() - {"status", "num_steps"} == declared.keys()
    for key in declared:
        output = declared[key]
        shape = found[key].shape
        assert shape[0] == BATCH
        assert len(shape) == 1 + len(output.dims)
        coords = output.coords(fixed) if output.coords else {}
        for dim, length in zip(output.dims, shape[1:], strict=True):
            assert dim not in coords or len(coords[dim]) == length
        assert np.all(np.isfinite(found[key])) or key in NOT_ASKED


@pytest.mark.parametrize("name", NAMES)
def test_neither_the_batch_nor_its_padding_changes_a_bit(name):
    settings, keys = settings_of(name, BATCH), keys_of(BATCH)
    whole = run(name, settings, keys)
    pair = run(name, take(settings, [3, 1]), take(keys, [3, 1]))
    assert_same_bits(pair, take(whole, [3, 1]))
    order = [4, 2, 2, 2, 2]
    padded = run(name, take(settings, order), take(keys, order))
    assert_same_bits(padded, take(whole, order))


@pytest.mark.parametrize("name", NAMES)
def test_a_lane_that_is_nan_or_explodes_costs_that_lane_alone(name):
    settings, keys = settings_of(name, BATCH), keys_of(BATCH)
    whole = run(name, settings, keys)
    bad = dict(settings)
    axis = next(iter(VARIED[name]))
    bad[axis] = bad[axis].at[1].set(jnp.nan)
    lost = [1]
    for other, value in (EXPLODING[name] or {}).items():
        bad[other] = bad[other].at[3].set(value)
        lost = [1, 3]
    found = run(name, bad, keys)
    kept = [lane for lane in range(BATCH) if lane not in lost]
    assert_same_bits(take(found, kept), take(whole, kept))
    np.testing.assert_array_equal(found["status"][lost], 1)


@pytest.mark.parametrize(
    ("name", "chosen", "mend"),
    [
        ("oscillation", {"transient": 295}, "reduce it"),
        ("oscillation", {"classify": "chaos", "solver": "implicit midpoint"}, "choose"),
        ("euler-drift", {"num_samples": 7}, "divisor"),
        ("lyapunov", {"num_exponents": 4}, "at most"),
        ("memory-capacity", {"num_sequences": 5}, "at least"),
        ("training", {"num_points": 3}, "divisor"),
    ],
)
def test_static_parameters_that_do_not_fit_are_refused_with_the_mend(
    name, chosen, mend
):
    with pytest.raises(ValueError, match=mend):
        EXPERIMENTS[name].build(fixed_of(name, **chosen))


def test_small_settings_name_parameters():
    for name, chosen in SMALL.items():
        assert chosen.keys() <= {p.name for p in EXPERIMENTS[name].parameters}
        assert all(
            not is_static(p) or p.name in fixed_of(name)
            for p in EXPERIMENTS[name].parameters
        )


def test_dtype_is_that_of_the_settings():
    settings = {
        key: value.astype(jnp.float32)
        for key, value in settings_of("oscillation", 2).items()
    }
    shapes = jax.eval_shape(
        EXPERIMENTS["oscillation"].build(fixed_of("oscillation")), settings, keys_of(2)
    )
    assert shapes["period"].dtype == jnp.float32
    assert shapes["energy_drift"].dtype == jnp.float32


def _bounded():
    for name, experiment in EXPERIMENTS.items():
        for p in experiment.parameters:
            if p.low is not None:
                beyond = p.low if "low" in p.open else p.low - 1
                yield pytest.param(name, p.name, type(p.default)(beyond), id=p.name)
            if p.high is not None:
                yield pytest.param(name, p.name, p.high + 1, id=p.name)
            if p.choices:
                yield pytest.param(name, p.name, "none of them", id=p.name)


@pytest.mark.parametrize(("name", "parameter", "value"), [*_bounded()])
def test_a_value_out_of_bounds_is_refused_by_a_specification(name, parameter, value):
    specification = read_spec({"grid": {parameter: [value]}})
    with pytest.raises(SpecificationError, match=parameter):
        specification.design(EXPERIMENTS[name])
