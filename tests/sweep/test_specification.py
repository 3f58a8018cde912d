"""What a specification says, and what it is told where it is wrong."""

import numpy as np
import pytest
from small_sweep import Chain

from ctrnn_jax.sweep import SpecificationError, read_spec


def _design(tables, experiment=None):
    return read_spec(tables).design(experiment)


def test_axes_are_crossed_in_their_order_with_the_last_one_fastest():
    design = _design({"a": [1.0, 2.0], "b": [0.1, 0.2, 0.3]})
    assert design.dims == ("a", "b")
    found = design.settings(np.array([0, 1, 4, 5]))
    np.testing.assert_array_equal(found["a"], [1.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(found["b"], [0.1, 0.2, 0.2, 0.3])


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ({"start": 0.0, "stop": 1.0, "num": 3}, [0.0, 0.5, 1.0]),
        ({"start": 1.0, "stop": 100.0, "num": 3, "scale": "log"}, [1.0, 10.0, 100.0]),
        ({"values": [3, 1]}, [3, 1]),
        ([1, 2.5], [1.0, 2.5]),
        (np.linspace(0.0, 1.0, 3), [0.0, 0.5, 1.0]),
        (range(3), [0, 1, 2]),
        ([True, False], [True, False]),
        (["x", "y"], ["x", "y"]),
        ({"start": 2.0, "stop": 9.0, "num": 1}, [2.0]),
    ],
)
def test_every_way_to_give_an_axis(axis, expected):
    values = _design({"a": axis}).axes["a"]
    assert values.dtype == np.array(expected).dtype
    if values.dtype.kind == "f":
        np.testing.assert_allclose(values, expected, rtol=1e-14)
    else:
        np.testing.assert_array_equal(values, expected)


def test_zipped_axes_share_a_dimension():
    tables = {"zip": {"pair": {"a": [1.0, 2.0], "b": [3, 4]}}, "grid": {"c": [0.0]}}
    design = _design(tables)
    assert design.dims == ("c", "pair")
    found = design.settings(np.arange(2))
    np.testing.assert_array_equal(found["b"], [3, 4])


def test_repeats_add_a_dimension_that_changes_no_setting():
    design = _design({"sweep": {"repeats": 3}, "grid": {"a": [1.0, 2.0]}})
    assert design.shape == (2, 3)
    assert design.settings(np.arange(6))["a"].tolist() == [1.0] * 3 + [2.0] * 3


@pytest.mark.parametrize("kind", ["random", "sobol"])
def test_samples_keep_their_bounds_and_follow_from_the_seed(kind):
    axes = {
        "a": {"low": 0.1, "high": 10.0, "scale": "log"},
        "b": {"low": -1.0, "high": 1.0},
        "c": {"choices": ["x", "y"]},
    }

    def draw(seed):
        tables = {"sweep": {"seed": seed}, kind: {"num": 64, **axes}}
        return _design(tables).axes

    first = draw(1)
    assert first["a"].min() >= 0.1
    assert first["a"].max() <= 10.0
    assert np.median(first["a"]) == pytest.approx(1.0, rel=0.8)
    assert {*first["c"].tolist()} == {"x", "y"}
    for name, values in draw(1).items():
        np.testing.assert_array_equal(values, first[name])
    assert not np.array_equal(draw(2)["b"], first["b"])


def test_sobol_points_are_spread_more_evenly_than_random_ones():
    def gap(kind):
        axes = {"num": 64, "a": {"low": 0.0, "high": 1.0}}
        return np.diff(np.sort(_design({kind: axes}).axes["a"])).max()

    assert gap("sobol") < gap("random")


def test_a_random_axis_does_not_depend_on_the_others():
    one = _design({"random": {"num": 8, "a": {"low": 0.0, "high": 1.0}}})
    two = _design(
        {
            "random": {
                "num": 8,
                "b": {"low": 0.0, "high": 1.0},
                "a": {"low": 0.0, "high": 1.0},
            }
        }
    )
    np.testing.assert_array_equal(one.axes["a"], two.axes["a"])


def test_dotted_names_may_be_nested_tables():
    nested = {"grid": {"model": {"leak": {"start": 0.0, "stop": 1.0, "num": 2}}}}
    assert _design(nested).dims == ("model.leak",)
    assert _design({"grid": {"model": {"leak": [0.0, 1.0]}}}).dims == ("model.leak",)
    fixed = {"grid": {"a": [1.0]}, "fixed": {"model": {"leak": 0.5}}}
    assert _design(fixed).fixed == {"model.leak": 0.5}


def test_an_experiment_gives_types_and_defaults():
    design = _design(
        {"grid": {"stiffness": [1, 2], "length": {"start": 2, "stop": 6, "num": 3}}},
        Chain(),
    )
    assert design.axes["stiffness"].dtype == np.float64
    assert design.axes["length"].tolist() == [2, 4, 6]
    assert design.fixed == {"kind": "open", "steps": 3, "is_odd": False}


def test_whole_numbers_are_drawn_with_both_ends():
    table = {"num": 400, "length": {"low": 1, "high": 4}}
    values = _design({"random": table}, Chain()).axes["length"]
    assert values.dtype == np.int64
    assert {*values.tolist()} == {1, 2, 3, 4}


def test_a_hundred_million_runs_are_no_hundred_million_objects():
    axis = {"start": 0.0, "stop": 1.0, "num": 10_000}
    design = _design({"a": axis, "b": axis})
    assert design.num_runs == 10**8
    found = design.settings(np.array([10**8 - 1]))
    assert found["a"].tolist() == [1.0]


def test_a_file_is_read_and_its_mistakes_named(tmp_path):
    file = tmp_path / "spec.toml"
    file.write_text("[sweep]\nseed = 3\n[grid]\nmodel.leak = [0.0, 0.1]\n")
    spec = read_spec(file)
    assert spec.options["seed"] == 3
    assert spec.design().dims == ("model.leak",)
    file.write_text("[grid\n")
    with pytest.raises(SpecificationError, match="no TOML file"):
        read_spec(file)
    with pytest.raises(SpecificationError, match="cannot read"):
        read_spec(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "nothing to sweep"),
        ({"grid": {}}, "nothing to sweep"),
        ({"sweep": {"sead": 1}, "grid": {"a": [1]}}, 'sead.*Did you mean "seed"'),
        ({"sweep": {"seed": "1"}, "grid": {"a": [1]}}, "seed.*whole number"),
        ({"sweep": {"seed": -1}, "grid": {"a": [1]}}, "seed.*at least 0"),
        ({"sweep": {"repeats": 0}, "grid": {"a": [1]}}, "repeats.*at least 1"),
        ({"sweep": {"batch_size": 1}, "grid": {"a": [1]}}, "batch_size.*at least 2"),
        ({"sweep": {"dtype": "float46"}, "grid": {"a": [1]}}, "Did you mean"),
        ({"sweep": {"static": "a"}, "grid": {"a": [1]}}, "static.*list of names"),
        ({"grid": {"a": []}}, r"a in \[grid\] is empty"),
        ({"grid": {"a": 3}}, r"a in \[grid\].*put it in \[fixed\]"),
        ({"grid": {"a": "x"}}, r"a in \[grid\] must be a list"),
        ({"grid": {"a": {"start": 0, "stop": 1}}}, "num must be a whole number"),
        ({"grid": {"a": {"start": 0, "num": 3}}}, "stop.*is missing"),
        ({"grid": {"a": {"start": 0, "stop": 1, "number": 3}}}, "Did you mean"),
        ({"grid": {"a": {"values": [1], "num": 3}}}, "unknown key 'num'"),
        (
            {"grid": {"a": {"start": 0, "stop": 1, "num": 3, "scale": "log"}}},
            "above 0",
        ),
        (
            {"grid": {"a": {"start": 1, "stop": 2, "num": 3, "scale": "lgo"}}},
            "Did you mean",
        ),
        ({"grid": {"a": [1.0, float("nan")]}}, "must be finite"),
        ({"grid": {"a": [1.0, "x"]}}, "all of one type"),
        ({"grid": {"a": [[1.0], [2.0]]}}, "all of one type"),
        ({"grid": {"a": np.zeros((2, 2))}}, "all of one type"),
        ({"grid": {"a": [2**70]}}, "beyond 64 bits"),
        ({"grid": {"a": [1], "status": [1]}}, "cannot have this name"),
        ({"grid": {"a": [1], "b/c": [1]}}, "cannot have this name"),
        ({"grid": {"a": [1]}, "fixed": {"a": 1}}, r"again in \[fixed\]"),
        ({"grid": {"a": [1]}, "fixed": {"b": [1, 2]}}, r"b in \[fixed\].*\[grid\]"),
        ({"grid": {"a": [1]}, "zip": {"z": {}}}, "axes that go together"),
        (
            {"zip": {"z": {"a": [1], "b": [1, 2]}}},
            r"\[zip.z\].*a 1, b 2",
        ),
        (
            {"grid": {"z": [1]}, "zip": {"z": {"a": [1]}}},
            "name of another axis",
        ),
        ({"zip": {"status": {"a": [1]}}}, "the store uses this name"),
        ({"random": {"a": {"low": 0, "high": 1}}}, "needs num"),
        ({"random": {"num": 4}}, "has no axis"),
        ({"random": {"num": 4, "a": {"low": 1, "high": 0}}}, "low must be below"),
        ({"random": {"num": 4, "a": [1]}}, "low, high"),
        (
            {"random": {"num": 4, "a": {"low": 0, "high": 1}},
             "sobol": {"num": 4, "b": {"low": 0, "high": 1}}},
            "use one of them",
        ),
        (
            {"grid": {name: list(range(100)) for name in "abcde"}},
            "more than 2\\^32",
        ),
        ({"grid": {"a": [1]}, "gird": {"b": [1]}}, 'gird.*Did you mean "grid"'),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_mend(tables, message):
    with pytest.raises(SpecificationError, match=message):
        _design(tables)


def test_an_unknown_section_of_a_file_is_named(tmp_path):
    file = tmp_path / "spec.toml"
    file.write_text("[grid]\na = [1]\n[fxed]\nb = 1\n")
    with pytest.raises(SpecificationError, match=r'\[fxed\].*Did you mean "fixed"'):
        read_spec(file).design()


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"stifness": [1.0]}, 'no such parameter.*Did you mean "stiffness"'),
        ({"stiffness": [0.0]}, "above 0"),
        ({"length": [100]}, "at most 64"),
        ({"length": [2.5]}, "whole number"),
        ({"length": {"start": 1, "stop": 4, "num": 3}}, "gives 2.5"),
        ({"kind": ["opne"]}, 'Did you mean "open"'),
        ({"is_odd": [1]}, "true or false"),
        ({"is_odd": {"start": 0, "stop": 1, "num": 2}}, "as a list"),
        ({"stiffness": ["a"]}, "must be a number"),
    ],
)
def test_values_are_checked_against_what_an_experiment_declares(grid, message):
    with pytest.raises(SpecificationError, match=message):
        _design({"grid": grid}, Chain())
