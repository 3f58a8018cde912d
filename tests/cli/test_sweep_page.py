"""A sweep's page: self-contained, escaped, and complete."""

import re

import numpy as np
import pytest

from ctrnn_jax._run._sweep_page import write_summary

xarray = pytest.importorskip("xarray")

MANIFEST = {
    "experiment": "<b>mine</b>",
    "summary": "period & <script>alert(1)</script>",
    "spec": {"grid": {"scale": [0.1, "</pre><script>"]}},
    "help": {"scale": "W's <scale>", "leak": "γ (per unit of tau)"},
    "fixed": {"solver": "<rk4>", "dt0": 0.1},
    "versions": {"jax": "0.10"},
    "device": "cpu",
    "key": {"impl": "threefry2x32", "data": [0, 3]},
}


def dataset_of(shape=(4, 3), status=None):
    dims = ("scale", "leak", "gain", "bias")[: len(shape)]
    rng = np.random.default_rng(0)
    status = np.zeros(shape, np.int8) if status is None else status
    meanings = {"flag_meanings": "done not_finite failed out_of_memory not_run"}
    codes = {"help": "0 = at rest, 1 = dying"}
    return xarray.Dataset(
        {
            "period": (dims, rng.random(shape), {"help": "mean <time> (units of tau)"}),
            "motion": (dims, rng.integers(0, 2, shape), codes),
            "course": ((*dims, "step"), rng.random((*shape, 5))),
            "flat": (dims, np.full(shape, 2.5)),
            "lost": (dims, np.full(shape, np.nan)),
            "status": (dims, status, meanings),
            "num_steps": (dims, np.full(shape, 100)),
        },
        {d: np.linspace(0.5, 2.0, n) for d, n in zip(dims, shape, strict=True)},
    )


def page_of(dataset, tmp_path):
    write_summary(dataset, MANIFEST, tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def figures_of(page):
    return re.findall(r"<figcaption>(.*?)</figcaption>", page)


def test_it_holds_everything_in_one_file_and_escapes_what_it_shows(tmp_path):
    page = page_of(dataset_of(), tmp_path)
    assert "<script" not in page
    assert "<b>mine" not in page
    assert "&lt;b&gt;mine&lt;/b&gt;" in page
    assert "&lt;rk4&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "url(" not in page


def test_it_counts_runs_by_what_became_of_them(tmp_path):
    status = np.zeros((4, 3), np.int8)
    status[0, 0], status[1, :] = 1, 4
    page = page_of(dataset_of(status=status), tmp_path)
    assert "<strong>8</strong> of 12 runs are done" in page
    assert re.search(r"not finite</td><td class=number>1<", page)
    assert re.search(r"not run</td><td class=number>3<", page)
    assert figures_of(page)[0].startswith("status")


def test_it_gives_the_range_of_measures_and_the_counts_of_codes(tmp_path):
    dataset = dataset_of()
    page = page_of(dataset, tmp_path)
    values = np.asarray(dataset["period"])
    for value in (values.min(), np.median(values), values.max()):
        assert f"{value:.4g}" in page
    dying = int((dataset["motion"] == 1).sum())
    assert re.search(rf"dying</td><td class=number>{dying}<", page)
    assert re.search(r"lost</td>(<td class=number>–</td>){5}", page)


def test_it_draws_what_varies_with_the_axes_that_vary(tmp_path):
    page = page_of(dataset_of((4, 3, 2)), tmp_path)
    named = [re.match(r"\w+", text)[0] for text in figures_of(page)]
    assert named == ["period", "motion", "course"]


def test_a_fourth_axis_stands_at_its_middle_and_the_caption_says_so(tmp_path):
    page = page_of(dataset_of((3, 2, 2, 3)), tmp_path)
    assert any("at bias = 1.25" in text for text in figures_of(page))


def test_a_sweep_of_one_run_or_of_failures_alone_has_a_page(tmp_path):
    assert figures_of(page_of(dataset_of((1,)), tmp_path)) == ["course."]
    failed = dataset_of(status=np.ones((4, 3), np.int8))
    page = page_of(failed, tmp_path)
    assert "<strong>0</strong> of 12" in page
    assert [text[:6] for text in figures_of(page)] == ["status"]


def test_samples_and_repeats_are_drawn(tmp_path):
    rng = np.random.default_rng(0)
    shape = (30, 2)
    dataset = xarray.Dataset(
        {
            "loss": (("sample", "repeat"), rng.random(shape)),
            "status": (("sample", "repeat"), np.zeros(shape, np.int8)),
        },
        {"rate": ("sample", rng.random(30)), "size": ("sample", rng.random(30))},
    )
    page = page_of(dataset, tmp_path)
    assert figures_of(page) == ["loss; over repeats the median."]
    assert "rate (along sample)" in page


def test_what_is_no_sweep_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"xarray\.Dataset of a sweep"):
        write_summary(xarray.Dataset(), MANIFEST, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
