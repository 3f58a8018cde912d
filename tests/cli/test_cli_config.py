"""Specifications: what is read, what is refused, and what the refusal says."""

import json
from pathlib import Path

import numpy as np
import pytest

from ctrnn_jax._nearest import nearest
from ctrnn_jax._run._build import ACTIVATIONS as BUILT_ACTIVATIONS
from ctrnn_jax._run._build import FORMS, build_problem
from ctrnn_jax._run._build import SOLVERS as BUILT_SOLVERS
from ctrnn_jax._run._build import WEIGHTS as BUILT_WEIGHTS
from ctrnn_jax._run._config import load_config
from ctrnn_jax._run._errors import UsageError
from ctrnn_jax._run._keys import ACTIVATIONS, KEYS, SOLVERS, WEIGHTS, by_path


@pytest.fixture
def spec(tmp_path):
    """Return a function that writes TOML to a file and returns its path."""

    def write(text):
        path = tmp_path / "spec.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_choice_can_be_built():
    assert set(WEIGHTS) == set(BUILT_WEIGHTS)
    assert set(ACTIVATIONS) == set(BUILT_ACTIVATIONS)
    assert set(SOLVERS) == set(BUILT_SOLVERS)
    assert set(by_path(KEYS)["model.form"].choices) == set(FORMS)


def test_flags_and_paths_are_unique():
    assert len({key.flag for key in KEYS}) == len(KEYS)
    assert len(by_path(KEYS)) == len(KEYS)


def test_defaults_are_complete_and_checked_by_the_same_rules(spec):
    values = load_config(None, {}).values
    assert values["weight.size"] == 8
    assert values["solver.name"] == "coordinate_splitting"
    assert values["run.segment"] == 20
    written = {}
    for path, value in values.items():
        section, name = path.split(".")
        written.setdefault(section, []).append(f"{name} = {json.dumps(value)}")
    lines = [f"[{name}]\n" + "\n".join(keys) for name, keys in written.items()]
    assert load_config(spec("\n".join(lines)), {}).values == values


def test_flags_override_the_file_and_the_file_the_defaults(spec):
    path = spec("[time]\nt1 = 7\ndt0 = 0.5\n")
    values = load_config(path, {"time.dt0": "0.25"}).values
    assert values["time.t1"] == 7.0
    assert isinstance(values["time.t1"], float)
    assert values["time.dt0"] == 0.25


def test_a_weight_that_may_have_a_diagonal_gets_a_solver_that_allows_it():
    values = load_config(None, {"weight.kind": "unconstrained"}).values
    assert values["solver.name"] == "tsit5"


def test_the_fingerprint_follows_the_numbers_and_not_how_they_were_given(
    spec, tmp_path
):
    matrix = [[0.0, 1.0], [-1.0, 0.0]]
    np.save(tmp_path / "w.npy", np.array(matrix))
    by_flag = load_config(None, {"weight.matrix": json.dumps(matrix)})
    by_file = load_config(spec(f"[weight]\nmatrix = {matrix}\n"), {})
    by_npy = load_config(None, {"weight.matrix": str(tmp_path / "w.npy")})
    assert by_flag.fingerprint == by_file.fingerprint == by_npy.fingerprint
    other = load_config(None, {"weight.matrix": "[[0, 2], [-2, 0]]"})
    assert other.fingerprint != by_flag.fingerprint


@pytest.mark.parametrize("kind", WEIGHTS)
def test_every_weight_is_built_from_a_seed_and_the_same_seed_gives_the_same(kind):
    config = load_config(None, {"weight.kind": kind, "weight.size": "6"})
    first, second = build_problem(config), build_problem(config)
    weight = first.model.weight.as_matrix()
    assert weight.shape == (6, 6)
    np.testing.assert_array_equal(weight, second.model.weight.as_matrix())
    assert first.y0.shape == (1, 6)


@pytest.mark.parametrize(
    ("kind", "matrix"),
    [
        ("skew_symmetric", [[0, 1], [-1, 0]]),
        ("bipartite_skew", [[0, 2], [-2, 0]]),
        ("block_rotation", [[0, 2], [-2, 0]]),
        ("low_rank_skew", [[0, 2], [-2, 0]]),
        ("sparse_skew", [[0, 2], [-2, 0]]),
        ("gain_plus_skew", [[0.5, 1], [-1, 0.5]]),
        ("unconstrained", [[0.5, 1], [2, 0.5]]),
    ],
)
def test_every_weight_can_be_given_outright(kind, matrix):
    flags = {"weight.kind": kind, "weight.matrix": json.dumps(matrix)}
    weight = build_problem(load_config(None, flags)).model.weight
    np.testing.assert_allclose(weight.as_matrix(), matrix, atol=1e-15)


def test_float32_makes_a_float32_problem():
    problem = build_problem(load_config(None, {"run.dtype": "float32"}))
    assert problem.y0.dtype == problem.model.weight.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[weight]\nsise = 3", ["weight.sise", "allowed in [weight]", '"size"']),
        ("[wieght]\nsize = 3", ['"wieght"', "model, weight", '"weight"']),
        ("size = 3", ['"size"', "weight.size"]),
        ("weight = 3", ["weight must be a table"]),
        ("[weight]\nsize = 2.0", ["weight.size", "whole number", "2.0"]),
        ("[weight]\nsize = true", ["weight.size", "true (a boolean)"]),
        ("[weight]\nsize = 0", ["weight.size", "at least 1"]),
        ('[weight]\nseed = "abc"', ["weight.seed", '"abc" (a string)']),
        ('[weight]\nkind = "skew"', ["skew_symmetric", "sparse_skew", "got"]),
        ("[weight]\nkind = 1", ["weight.kind", "one of"]),
        ('[time]\nt1 = "long"', ["time.t1", "finite number", '"long"']),
        ("[time]\nt1 = nan", ["time.t1", "finite number"]),
        ("[time]\nt1 = inf", ["time.t1", "finite number"]),
        ("[time]\nt0 = 5\nt1 = 5", ["time.t1", "after time.t0 = 5"]),
        ("[time]\ndt0 = 0", ["time.dt0", "above 0"]),
        ("[time]\ndt0 = -0.1", ["time.dt0", "above 0", "-0.1"]),
        ("[time]\nsaves = 1", ["time.saves", "at least 2"]),
        ("[model]\nleak = -1", ["model.leak", "at least 0"]),
        ("[model]\nbias = [1, 2]", ["model.bias", "8 numbers", "(2,)"]),
        ("[initial]\ny0 = [1, 2]", ["initial.y0", "(8,)", "(2,)"]),
        ("[initial]\ny0 = []", ["initial.y0", "empty"]),
        ("[initial]\ny0 = 3", ["initial.y0", "list of numbers"]),
        ("[initial]\ny0 = [1, [2]]", ["initial.y0", "different lengths"]),
        ("[initial]\ny0 = [1, true]", ["initial.y0", "true (a boolean)"]),
        ("[initial]\ny0 = [nan, 0, 0, 0, 0, 0, 0, 0]", ["initial.y0", "nan", "[0]"]),
        ('[initial]\ny0 = "none.npy"', ["none.npy", "No such file"]),
        ("[initial]\ny0 = [0]\nseed = 1", ["initial.seed", "initial.y0", "drop"]),
        ("[weight]\nmatrix = [[0, 1]]", ["weight.matrix", "square", "(1, 2)"]),
        ("[weight]\nmatrix = [[0]]\nsize = 2", ["weight.size", "1 rows"]),
        ("[weight]\nmatrix = [[0]]\nscale = 2", ["weight.scale", "weight.matrix"]),
        ("[weight]\nrank = 2", ["weight.rank", "low_rank_skew", "skew_symmetric"]),
        ("[solver]\nrtol = 1e-3", ["solver.rtol", "coordinate_splitting"]),
        ("[solver]\norder = 3", ["solver.order", "2, 4 or 6"]),
        ('[solver]\nname = "tsit5"\natol = 1e-3', ["solver.atol", "solver.rtol"]),
        ("[weight\n", ["not valid TOML", "line 1"]),
    ],
)
def test_a_bad_file_is_refused_with_key_value_and_mend(spec, text, parts):
    with pytest.raises(UsageError) as caught:
        load_config(spec(text), {})
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ({"time.dt0": "abc"}, '--dt0 must be a finite number, got "abc"'),
        ({"weight.size": "2.5"}, "--size must be a whole number, got 2.5"),
        ({"initial.y0": "[1, oops]"}, "--y0: '[1, oops]' is not a list"),
        ({"weight.angular_frequency_range": "[1, 2]"}, "--angular-frequency-range"),
    ],
)
def test_a_bad_flag_is_called_by_its_name(flags, part):
    with pytest.raises(UsageError) as caught:
        load_config(None, flags)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ({"weight.matrix": "[[0, 1], [1, 0]]"}, "not skew-symmetric"),
        ({"weight.kind": "low_rank_skew", "weight.rank": "5"}, "rank must be in 1..4"),
        ({"solver.name": "leapfrog"}, "solver.name = leapfrog"),
        ({"solver.name": "cayley_step"}, "activation=Linear()"),
        (
            {"weight.kind": "unconstrained", "solver.name": "coordinate_splitting"},
            "zero by construction",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(flags, part):
    with pytest.raises(UsageError) as caught:
        build_problem(load_config(None, flags))
    assert part in str(caught.value)


def test_an_array_file_with_objects_is_refused_unread(tmp_path):
    path = tmp_path / "objects.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UsageError, match="not a .npy file of numbers"):
        load_config(None, {"initial.y0": str(path)})


def test_a_missing_file_is_named():
    with pytest.raises(UsageError, match="Cannot read nowhere.toml: No such file"):
        load_config(Path("nowhere.toml"), {})


def test_the_nearest_name_is_the_one_begun_or_the_most_similar():
    assert nearest("skew", WEIGHTS) == ' Did you mean "skew_symmetric"?'
    assert nearest("tan", ACTIVATIONS) == ' Did you mean "tanh"?'
    assert nearest("xyzzy", ACTIVATIONS) == ""
