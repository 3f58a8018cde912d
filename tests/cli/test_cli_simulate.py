"""`ctrnn simulate`: what a finished run leaves, and how it fails."""

import errno

import jax.numpy as jnp
import numpy as np
import pytest
from small_run import SMALL, read

import ctrnn_jax as ct
from ctrnn_jax._run import _files, _limits


def test_the_result_is_what_the_library_computes(ctrnn, out):
    assert ctrnn.small(out) == 0
    header, arrays = read(out)
    model = ct.VoltageCTRNN(ct.SkewSymmetric.from_matrix(np.array([[0, 1.0], [-1, 0]])))
    y0 = jnp.array([[1.5, 0.0], [0.5, 0.5]])
    ts = jnp.linspace(0.0, 4.0, 9)
    direct = ct.simulate_ensemble(model, y0, ts, dt0=0.25, solver=ct.RK4())
    np.testing.assert_array_equal(arrays["ts"], ts)
    np.testing.assert_allclose(arrays["ys"], direct.ys, rtol=1e-13)
    np.testing.assert_allclose(
        arrays["energy"], ct.energy(model, direct.ys), rtol=1e-13
    )
    assert list(arrays["status"]) == ["successful", "successful"]
    assert header["config"]["time.dt0"] == 0.25
    assert header["made_with"]["ctrnn_jax"] == ct.__version__
    assert header["summary"]["energy_error"] == pytest.approx(
        np.max(np.abs(arrays["energy"] - arrays["energy"][:, :1]))
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_states_have_the_dtype_asked_for(ctrnn, out, dtype):
    assert ctrnn.small(out, "--dtype", dtype) == 0
    _, arrays = read(out)
    assert arrays["ys"].dtype == arrays["energy"].dtype == dtype


def test_saves_that_segments_do_not_divide_are_all_there(ctrnn, out, tmp_path):
    other = tmp_path / "other.npz"
    assert ctrnn.small(out, "--segment", "3") == 0
    assert ctrnn.small(other, "--segment", "100") == 0
    _, cut = read(out)
    _, whole = read(other)
    np.testing.assert_allclose(cut["ys"], whole["ys"], rtol=1e-13)


def test_random_states_follow_seed_and_scale(ctrnn, tmp_path):
    def run(name, *extra):
        path = tmp_path / name
        assert ctrnn(
            *("simulate", "--size", 3, "--batch", 4, "--t1", 1, "--saves", 2),
            *("--solver", "rk4", "--no-figure", "--out", path, *extra),
        ) == 0  # fmt: skip
        return read(path)[1]["ys"][:, 0]

    first = run("a.npz")
    np.testing.assert_array_equal(first, run("b.npz"))
    np.testing.assert_allclose(run("c.npz", "--y0-scale", 0.5), 0.5 * first)
    assert np.all(run("d.npz", "--y0-seed", 1) != first)


def test_figure_and_summary_are_left_where_they_are_said_to_be(ctrnn, out):
    assert ctrnn(*SMALL, "--out", out) == 0
    picture = out.with_suffix(".png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"results  {out}" in ctrnn.stdout
    assert f"figure   {picture}" in ctrnn.stdout
    assert "lanes    2 okay, 0 failed" in ctrnn.stdout
    assert "energy   largest error" in ctrnn.stdout
    assert ctrnn.stderr == ""  # no progress where nobody looks
    assert sorted(path.name for path in out.parent.iterdir()) == ["run.npz", "run.png"]


def test_a_missing_figure_is_drawn_from_a_finished_run(ctrnn, out):
    assert ctrnn.small(out) == 0
    assert ctrnn(*SMALL, "--out", out) == 0
    assert "finished already" in ctrnn.stderr
    assert out.with_suffix(".png").exists()


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (["--leak", "0.1"], "the leak dissipates it"),
        (["--weight", "unconstrained"], "Unconstrained is not skew-symmetric"),
    ],
)
def test_without_a_conserved_energy_the_summary_says_why(ctrnn, out, extra, reason):
    assert ctrnn(*SMALL, "--out", out, *extra) == 0
    assert reason in ctrnn.stdout
    assert "energy" not in read(out)[1]
    assert out.with_suffix(".png").exists()


def test_a_bias_outside_the_range_of_w_has_no_energy_but_runs(ctrnn, out):
    code = ctrnn(
        *("simulate", "--size", 3, "--bias", "[1, 1, 1]", "--t1", 1, "--saves", 3),
        *("--solver", "rk4", "--no-figure", "--out", out),
    )
    assert code == 0
    assert "kernel of W" in ctrnn.stdout


def test_adaptive_steps_meet_their_tolerance(ctrnn, out):
    extra = ("--solver", "tsit5", "--rtol", "1e-10")
    assert ctrnn(*SMALL, *extra, "--no-figure", "--out", out) == 0
    assert read(out)[0]["summary"]["relative_energy_error"] < 1e-8


DIVERGING = [
    *("simulate", "--weight", "unconstrained", "--matrix", "[[50]]"),
    *("--activation", "linear", "--solver", "tsit5", "--rtol", "1e-3"),
    *("--t1", "40", "--saves", "5", "--segment", "1"),
]


def test_a_failed_lane_is_named_and_costs_the_others_nothing(ctrnn, out):
    assert ctrnn(*DIVERGING, "--y0", "[[0], [1]]", "--out", out) == 0
    header, arrays = read(out)
    assert list(arrays["status"] == "successful") == [True, False]
    assert np.all(arrays["ys"][0] == 0)
    assert np.isnan(arrays["ys"][1, -1])
    assert arrays["ys"][1, 0] == 1.0
    assert [failure["lane"] for failure in header["summary"]["failed"]] == [1]
    assert "1 okay, 1 failed" in ctrnn.stdout
    assert "lane 1: " in ctrnn.stdout


def test_strict_makes_any_failed_lane_a_failure_and_keeps_the_results(ctrnn, out):
    assert ctrnn(*DIVERGING, "--y0", "[[0], [1]]", "--strict", "--out", out) == 1
    assert out.exists()


def test_the_failure_of_every_lane_is_a_failure(ctrnn, out):
    assert ctrnn(*DIVERGING, "--y0", "[[1]]", "--out", out) == 1
    assert out.exists()
    assert "No figure: every lane failed" in ctrnn.stderr
    assert not out.with_suffix(".png").exists()


def test_a_run_too_large_for_memory_says_how_much_and_what_to_change(ctrnn, out):
    assert ctrnn("simulate", "--batch", 10**9, "--out", out) == 2
    for part in ("TB of memory", "--batch", "--saves", "--dtype float32"):
        assert part in ctrnn.stderr
    assert list(out.parent.iterdir()) == []


def test_a_run_too_large_for_the_disk_is_refused_before_it_starts(
    ctrnn, out, monkeypatch
):
    monkeypatch.setattr(_limits, "free_space", lambda folder: 10)
    assert ctrnn.small(out) == 3
    assert "10 B is free" in ctrnn.stderr
    assert list(out.parent.iterdir()) == []


def test_an_output_that_cannot_be_written_is_named(ctrnn, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert ctrnn.small(blocked / "run.npz") == 3
    assert f"Cannot write {blocked}" in ctrnn.stderr
    assert "--out" in ctrnn.stderr


def test_a_folder_without_permission_is_an_io_error(ctrnn, out, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(_files.Path, "mkdir", refuse)
    assert ctrnn.small(out) == 3
    assert "Permission denied" in ctrnn.stderr


@pytest.mark.parametrize("name", ["run.txt", "run"])
def test_an_output_that_is_no_npz_is_refused(ctrnn, tmp_path, name):
    assert ctrnn.small(tmp_path / name) == 2
    assert "must name a .npz file" in ctrnn.stderr
