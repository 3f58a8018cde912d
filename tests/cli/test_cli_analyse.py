"""`ctrnn analyse`: the answer, its evidence, and how a run fails or goes on."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from small_run import read
from systems import elliptic_period

import ctrnn_jax as ct
from ctrnn_jax import analysis
from ctrnn_jax._run import _analyse, _analysis_parts
from ctrnn_jax._run._analysis_config import load_analysis_config, parts_of
from ctrnn_jax._run._analysis_keys import ANALYSIS_KEYS, PARTS
from ctrnn_jax._run._analysis_summary import rows, show, summarise_part
from ctrnn_jax._run._errors import UsageError
from ctrnn_jax._run._keys import by_path

#: Two neurons on a closed orbit, and its section: the first and a cheap other part.
ORBIT = [
    *("analyse", "--matrix", "[[0, 1], [-1, 0]]", "--y0", "[1.5, 0]", "--section"),
    *("--duration", "250", "--dt0", "0.1"),
]
ENERGY = np.log(np.cosh(1.5))


@pytest.fixture
def analyse(ctrnn, out):
    """Analyse the small orbit without a figure."""
    return lambda *extra: ctrnn(*ORBIT, "--no-figure", "--out", out, *extra)


def evidence(out):
    return json.loads(out.with_suffix(".json").read_text())["summary"]


def test_the_answer_is_the_library_s_and_right(ctrnn, analyse, out):
    assert analyse() == 0
    header, arrays = read(out)
    weight = ct.SkewSymmetric.from_matrix(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    direct = analysis.classify_orbit(
        ct.VoltageCTRNN(weight), jnp.array([1.5, 0.0]), dt0=0.1, duration=250.0
    )
    assert header["summary"]["orbit"]["kind"] == direct.kind == "periodic"
    np.testing.assert_array_equal(arrays["orbit.megno"], direct.megno)
    period = evidence(out)["orbit"]["evidence"]["period"]["value"]
    assert period == pytest.approx(elliptic_period(ENERGY), rel=1e-5)
    assert arrays["section.ts"].shape == (27,)
    returns = evidence(out)["section"]["evidence"]["return_time"]["value"]
    assert returns == pytest.approx(elliptic_period(ENERGY), rel=1e-5)
    np.testing.assert_array_equal(arrays["weight"], [[0, 1], [-1, 0]])
    assert "orbit    periodic" in ctrnn.stdout
    for part in ("largest exponent", " ± ", "closest return", f"results  {out}"):
        assert part in ctrnn.stdout
    assert ctrnn.stderr == ""


def test_json_on_stdout_is_the_file_and_holds_no_nan(ctrnn, analyse, out):
    assert analyse("--json") == 0

    def refuse(constant):
        raise AssertionError(constant)

    printed = json.loads(ctrnn.stdout, parse_constant=refuse)
    assert printed == json.loads(out.with_suffix(".json").read_text())
    assert printed["config"]["time.duration"] == 250.0
    assert printed["summary"]["orbit"]["status"] == "successful"


def test_quiet_prints_only_where_the_results_are(ctrnn, analyse, out):
    assert analyse("--quiet") == 0
    assert ctrnn.stdout.split() == [
        *("results", str(out), "evidence", str(out.with_suffix(".json"))),
    ]


def test_a_figure_is_drawn_and_drawn_again_from_a_finished_run(ctrnn, out):
    assert ctrnn(*ORBIT, "--out", out) == 0
    picture = out.with_suffix(".png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    picture.unlink()
    assert ctrnn(*ORBIT, "--out", out) == 0
    assert "finished already" in ctrnn.stderr
    assert picture.exists()
    assert f"figure   {picture}" in ctrnn.stdout


def test_an_interrupted_analysis_goes_on_with_what_is_missing(
    ctrnn, analyse, out, monkeypatch
):
    assert analyse() == 0
    whole, page = out.read_bytes(), out.with_suffix(".json").read_bytes()
    for path in (out, out.with_suffix(".json")):
        path.unlink()
    computed, compute = [], _analyse.compute_part

    def interrupt(name, *arguments):
        if name == "section":
            raise KeyboardInterrupt
        return compute(name, *arguments)

    def follow(name, *arguments):
        computed.append(name)
        return compute(name, *arguments)

    monkeypatch.setattr(_analyse, "compute_part", interrupt)
    assert analyse() == 130
    assert "the same command goes on" in ctrnn.stderr
    assert not out.exists()
    monkeypatch.setattr(_analyse, "compute_part", follow)
    assert analyse() == 0
    assert computed == ["section"]
    assert out.read_bytes() == whole
    assert out.with_suffix(".json").read_bytes() == page
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "run.json",
        "run.npz",
    ]


def test_a_damaged_part_is_reported_and_computed_again(
    ctrnn, analyse, out, monkeypatch
):
    def interrupt(name, *arguments):
        if name == "section":
            raise KeyboardInterrupt
        return compute(name, *arguments)

    compute = _analyse.compute_part
    with monkeypatch.context() as patch:
        patch.setattr(_analyse, "compute_part", interrupt)
        assert analyse() == 130
    (part,) = out.with_name("run.npz.partial").glob("segment-*.bin")
    part.write_bytes(part.read_bytes()[:-5])
    assert analyse() == 0
    assert "damaged" in ctrnn.stderr
    assert "computing orbit again" in ctrnn.stderr


def test_a_finished_analysis_is_kept_unless_told_otherwise(ctrnn, analyse, out):
    assert analyse() == 0
    before = out.read_bytes()
    assert analyse() == 0
    assert "finished already" in ctrnn.stderr
    assert analyse("--transient", "3") == 2
    assert "time.transient was 0.0, now 3.0" in ctrnn.stderr
    assert out.read_bytes() == before
    assert analyse("--fresh") == 0
    assert out.read_bytes() == before


def test_a_file_of_another_kind_is_never_overwritten(ctrnn, analyse, out):
    assert ctrnn.small(out) == 0
    before = out.read_bytes()
    assert analyse() == 2
    assert "not a sound result of ctrnn analyse" in ctrnn.stderr
    assert out.read_bytes() == before


def test_an_undecided_orbit_fails_only_where_an_answer_is_insisted_on(
    ctrnn, analyse, monkeypatch
):
    compute = _analyse.compute_part

    def doubt(name, *arguments):
        arrays = compute(name, *arguments)
        if name == "orbit":
            arrays["kind"], arrays["why"] = np.array("undecided"), np.array("no time")
            arrays["status"] = np.array("too_short")
        return arrays

    monkeypatch.setattr(_analyse, "compute_part", doubt)
    assert analyse("--strict") == 1
    assert "orbit    undecided (no time)" in ctrnn.stdout
    assert analyse() == 0


def test_a_part_without_an_answer_says_why_and_leaves_the_others(ctrnn, analyse, out):
    # The orbit does not reach so far.
    level = ("--section-level", "5")
    assert analyse(*level) == 0
    assert "no_crossing" in ctrnn.stdout
    assert "move the section" in " ".join(ctrnn.stdout.split())
    assert evidence(out)["section"]["status"] == "no_crossing"
    assert analyse(*level, "--strict") == 1


def test_a_list_is_a_row_an_item_and_an_empty_one_no_row():
    evidence = {
        "exponent": {"value": [1.0, 2.0], "error": [0.1, 0.2], "note": "descending"},
        "line": {"value": [3.0], "note": ["strong"]},
        "none": {"value": [], "note": "nothing"},
    }
    assert list(rows({"evidence": evidence})) == [
        ("exponent 1", "1.0 ± 0.1", "descending"),
        ("exponent 2", "2.0 ± 0.2", ""),
        ("line 1", "3", "strong"),
    ]


def test_what_left_the_radius_is_an_answer_and_what_is_no_number_a_failure():
    found = {"kind": "diverging", "why": "", "status": "successful"}
    found |= {"escape_time": 2.5}
    summary = summarise_part("orbit", {k: np.array(v) for k, v in found.items()})
    assert summary["kind"] == "diverging"
    assert summary["evidence"]["escape_time"]["value"] == 2.5
    assert _analyse._judge({"orbit": summary}, True) == 0
    assert _analyse._judge({"orbit": summary | {"status": "nonfinite"}}, False) == 1


@pytest.mark.slow
def test_every_part_measures_what_is_known_of_two_neurons(ctrnn, out):
    parts = [f"--{name.replace('_', '-')}" for name in PARTS[1:] if name != "section"]
    assert ctrnn(*ORBIT, *parts, "--max-delay", "20", "--out", out) == 0
    found = evidence(out)
    assert list(found) == list(PARTS)
    assert all(part["status"] == "successful" for part in found.values())
    evident = {name: part["evidence"] for name, part in found.items()}
    period = elliptic_period(ENERGY)
    closed = evident["periodic_orbit"]
    assert closed["period"]["value"] == pytest.approx(period, rel=1e-6)
    np.testing.assert_allclose(closed["multiplier_modulus"]["value"], 1, atol=1e-6)
    line = evident["frequencies"]["angular_frequency"]["value"][0]
    assert 2 * np.pi / line == pytest.approx(period, rel=1e-5)
    exponents = np.array(evident["lyapunov"]["exponent"]["value"])
    errors = np.array(evident["lyapunov"]["exponent"]["error"])
    assert np.all(np.abs(exponents) < 4 * errors)
    assert evident["fixed_points"]["points"]["value"] == 1
    assert evident["fixed_points"]["centre"]["value"] == 1
    assert evident["gradient_norms"]["trend"]["value"] == "neither"
    assert out.with_suffix(".png").exists()
    for row in ("multiplier modulus 2", "exponent 2", "centre", "growth rate"):
        assert row in ctrnn.stdout


def test_flags_and_parts_have_their_keys():
    assert len({key.flag for key in ANALYSIS_KEYS}) == len(ANALYSIS_KEYS)
    switches = [key.name for key in ANALYSIS_KEYS if key.kind == "switch"]
    assert ["orbit", *switches] == list(PARTS)
    assert set(_analysis_parts.COMPUTED) == set(PARTS)


def test_a_file_says_all_that_flags_say(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(
        "[weight]\nsize = 5\n[time]\nduration = 300\n[analysis]\nlyapunov = true\n"
    )
    by_file = load_analysis_config(path, {})
    flags = {
        "weight.size": "5", "time.duration": "300", "analysis.lyapunov": "true"
    }  # fmt: skip
    assert by_file.values == load_analysis_config(None, flags).values
    assert by_file.values["analysis.num_exponents"] == 5
    assert parts_of(by_file) == ("orbit", "lyapunov")
    # A structure that splitting keeps is followed to fourth order.
    assert by_file.values["solver.order"] == 4
    assert by_path(ANALYSIS_KEYS)["solver.order"].default == 4


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[analysis]\nlyapunow = true", ["analysis.lyapunow", '"lyapunov"']),
        ("[analysis]\nlyapunov = 1", ["analysis.lyapunov", "true or false", "1"]),
        ("[analysis]\nnum_exponents = 2", ["--lyapunov", "analysis.lyapunov = true"]),
        (
            "[analysis]\nlyapunov = true\nnum_exponents = 9",
            ["num_exponents", "at most the 8 neurons", "9"],
        ),
        (
            "[analysis]\nsection = true\nsection_neuron = 8",
            ["section_neuron", "0 to 7", "8"],
        ),
        (
            "[analysis]\ngradient_norms = true\nmax_delay = 1500",
            ["max_delay", "at most half", "2000"],
        ),
        ("[initial]\nbatch = 3", ["initial.batch", "allowed in [initial]"]),
        ("[time]\nduration = 10", ["time.duration", "1000 steps", "0.05"]),
        ("[time]\nt1 = 10", ["time.t1", "duration"]),
        ("[solver]\nrtol = 1e-6", ["solver.rtol", "name, order"]),
    ],
)
def test_a_bad_file_is_refused_with_key_value_and_mend(tmp_path, text, parts):
    path = tmp_path / "spec.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_analysis_config(path, {})
    for part in parts:
        assert part in str(caught.value)


def test_more_than_one_state_is_refused(ctrnn, out):
    assert ctrnn("analyse", "--size", 2, "--y0", "[[1, 0], [0, 1]]", "--out", out) == 2
    assert "--y0 must be one state of shape (2,)" in ctrnn.stderr
    assert ctrnn("analyse", "--out", out.with_suffix(".json")) == 2
    assert "must name a .npz file" in ctrnn.stderr


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.034567, 0.0021, "0.035 ± 0.002"),
        (-14.57231, 0.013, "-14.57 ± 0.01"),
        (123.4, 20.0, "123 ± 20"),
        (1.5, None, "1.5"),
        (1.23456e-9, 0.0, "1.2e-09"),
        (3, None, "3"),
        ("saddle", None, "saddle"),
        (None, None, "none"),
    ],
)
def test_values_are_shown_to_the_digits_that_their_error_leaves(value, error, shown):
    assert show(value, error) == shown
