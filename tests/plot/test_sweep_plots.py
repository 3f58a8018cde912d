"""Figures of sweeps: what is drawn, and that failures are never silently blank."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection, QuadMesh

from ctrnn_jax.plot import (
    plot_sweep,
    plot_sweep_facets,
    plot_sweep_lines,
    plot_sweep_map,
)

xarray = pytest.importorskip("xarray")

SCALE, LEAK = np.geomspace(0.1, 10.0, 5), np.linspace(0.0, 0.3, 4)


def sweep_of(values, dims, coords, status=None, **attributes):
    status = np.zeros(values.shape, np.int8) if status is None else status
    return xarray.Dataset(
        {
            "period": (dims, values, {"help": "mean time (units of tau)"} | attributes),
            "status": (
                dims,
                status,
                {"flag_meanings": "done not_finite failed out_of_memory not_run"},
            ),
        },
        coords,
    )


def grid(status=None, **attributes):
    values = np.add.outer(SCALE, LEAK)
    help_ = {"help": "γ (per unit of tau)"}
    coords = {"scale": SCALE, "leak": ("leak", LEAK, help_)}
    return sweep_of(values, ("scale", "leak"), coords, status, **attributes)


def repeated(failed=()):
    rng = np.random.default_rng(0)
    status = np.zeros((5, 7), np.int8)
    for run in failed:
        status[run] = 1
    values = rng.normal(size=(5, 7))
    return sweep_of(values, ("scale", "repeat"), {"scale": SCALE}, status), values


def sampled(status=None):
    rng = np.random.default_rng(0)
    count = 40
    coords = {
        "scale": ("sample", np.exp(rng.uniform(-3, 3, count))),
        "leak": ("sample", rng.random(count)),
    }
    return sweep_of(rng.random(count), ("sample",), coords, status)


def mesh_of(ax):
    return next(item for item in ax.collections if isinstance(item, QuadMesh))


def labels_of(ax):
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_a_map_has_a_cell_a_run_and_the_axes_asked_for():
    ax = plot_sweep_map(grid(), "period", x="scale", y="leak")
    drawn = mesh_of(ax).get_array()
    np.testing.assert_allclose(drawn, np.add.outer(LEAK, SCALE))
    assert ax.get_xscale() == "log"
    assert ax.get_yscale() == "linear"
    assert ax.get_ylabel() == "leak (per unit of tau)"
    turned = plot_sweep_map(grid(), "period", x="leak", y="scale")
    np.testing.assert_allclose(mesh_of(turned).get_array(), np.add.outer(SCALE, LEAK))


def test_cells_surround_their_values_on_either_scale():
    ax = plot_sweep_map(grid(), "period", x="scale", y="leak")
    corners = mesh_of(ax).get_coordinates()
    np.testing.assert_allclose(
        np.sqrt(corners[0, 1:, 0] * corners[0, :-1, 0]), SCALE, rtol=1e-12
    )
    np.testing.assert_allclose(
        0.5 * (corners[1:, 0, 1] + corners[:-1, 0, 1]), LEAK, atol=1e-12
    )


def test_failed_and_missing_runs_are_filled_and_named():
    status = np.zeros((5, 4), np.int8)
    status[1, 2], status[4, :] = 1, 4
    ax = plot_sweep_map(grid(status), "period", x="scale", y="leak")
    assert labels_of(ax) == ["failed", "not run"]
    assert np.ma.getmaskarray(mesh_of(ax).get_array()).sum() == 5


def test_a_done_run_without_a_value_is_told_from_a_failed_one():
    dataset = grid()
    dataset["period"][0, 0] = np.nan
    ax = plot_sweep_map(dataset, "period", x="scale", y="leak")
    assert labels_of(ax) == ["no value"]


def test_a_map_over_repeats_shows_the_median_and_marks_cells_with_some_failures():
    values = np.random.default_rng(1).normal(size=(5, 4, 3))
    status = np.zeros(values.shape, np.int8)
    status[2, 1, 0] = 1
    dims, coords = ("scale", "leak", "repeat"), {"scale": SCALE, "leak": LEAK}
    dataset = sweep_of(values, dims, coords, status)
    ax = plot_sweep_map(dataset, "period", x="scale", y="leak")
    drawn = mesh_of(ax).get_array()
    np.testing.assert_allclose(drawn[0, 0], np.median(values[0, 0]))
    np.testing.assert_allclose(drawn[1, 2], np.median(values[2, 1, 1:]))
    assert labels_of(ax) == ["some failed"]


def test_codes_are_named_and_the_most_frequent_wins():
    codes = np.array([[[0, 1, 1], [2, 2, 0]], [[1, 1, 1], [0, 0, 2]]])
    dims = ("scale", "leak", "repeat")
    coords = {"scale": SCALE[:2], "leak": LEAK[:2]}
    meaning = {"help": "what it does: 0 = at rest, 1 = dying, 2 = growing"}
    dataset = sweep_of(codes, dims, coords, **meaning)
    ax = plot_sweep_map(dataset, "period", x="scale", y="leak")
    np.testing.assert_array_equal(mesh_of(ax).get_array(), [[1, 1], [2, 0]])
    assert labels_of(ax) == ["at rest", "dying", "growing"]


def test_status_is_drawn_by_its_own_names():
    status = np.zeros((5, 4), np.int8)
    status[0, 0], status[1, 1] = 1, 4
    ax = plot_sweep_map(grid(status), "status", x="scale", y="leak")
    assert labels_of(ax) == ["done", "not finite", "not run"]


def test_axes_of_one_dimension_give_a_point_a_sample():
    status = np.zeros(40, np.int8)
    status[3] = 2
    dataset = sampled(status)
    ax = plot_sweep_map(dataset, "period", x="scale", y="leak")
    points, crosses = (c for c in ax.collections if isinstance(c, PathCollection))
    assert len(points.get_offsets()) == 39
    np.testing.assert_allclose(
        crosses.get_offsets()[0], [dataset.scale[3], dataset.leak[3]]
    )
    assert ax.get_xscale() == "log"
    assert ax.get_yscale() == "linear"


def test_a_line_is_the_median_and_its_band_the_range_of_runs_that_are_done():
    dataset, values = repeated(failed=[(2, 3)])
    ax = plot_sweep_lines(dataset, "period", x="scale")
    kept = [np.delete(row, 3) if i == 2 else row for i, row in enumerate(values)]
    np.testing.assert_allclose(
        ax.lines[0].get_ydata(), [np.median(row) for row in kept]
    )
    top = ax.collections[0].get_paths()[0].vertices[:, 1].max()
    np.testing.assert_allclose(top, max(row.max() for row in kept))
    assert labels_of(ax) == ["failed (1 of 35 runs)"]


def test_a_line_for_each_value_of_another_axis_is_named_by_it():
    ax = plot_sweep_lines(grid(), "period", x="scale", lines="leak")
    assert labels_of(ax) == ["0", "0.1", "0.2", "0.3"]
    assert ax.get_legend().get_title().get_text() == "leak (per unit of tau)"
    np.testing.assert_allclose(ax.lines[2].get_ydata(), SCALE + LEAK[2])


def test_many_lines_get_a_colour_scale():
    many = np.linspace(0.0, 1.0, 12)
    values = np.add.outer(SCALE, many)
    coords = {"scale": SCALE, "leak": many}
    dataset = sweep_of(values, ("scale", "leak"), coords)
    ax = plot_sweep_lines(dataset, "period", x="scale", lines="leak")
    assert len(ax.lines) == 12
    assert labels_of(ax) == []
    assert len(ax.figure.axes) == 2


def test_samples_are_points_along_an_axis_too():
    ax = plot_sweep_lines(sampled(), "period", x="scale", lines="leak")
    assert len(ax.collections[0].get_offsets()) == 40


def test_a_course_of_a_run_is_drawn_along_its_own_axis():
    values = np.random.default_rng(0).random((3, 6))
    dataset = xarray.Dataset(
        {"loss": (("rate", "step"), values), "status": ("rate", [0, 1, 0])},
        {"rate": ["a", "b", "c"], "step": np.arange(6)},
    )
    ax = plot_sweep_lines(dataset, "loss", x="step", lines="rate")
    np.testing.assert_allclose(ax.lines[2].get_ydata(), values[2])
    assert np.all(np.isnan(ax.lines[1].get_ydata()))
    assert "failed (1 of 3 runs)" in labels_of(ax)


def test_texts_are_an_axis():
    values = np.random.default_rng(0).random((3, 4))
    coords = {"solver": ["rk4", "euler", "heun"], "leak": LEAK}
    dataset = sweep_of(values, ("solver", "leak"), coords)
    ax = plot_sweep_map(dataset, "period", x="solver", y="leak")
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == ["rk4", "euler", "heun"]


@pytest.mark.parametrize("kind", ["map", "lines"])
def test_facets_share_one_scale_and_are_titled(kind):
    gains = [0.0, 0.5]
    values = np.stack([np.add.outer(SCALE, LEAK), 10 + np.add.outer(SCALE, LEAK)])
    status = np.zeros(values.shape, np.int8)
    status[1, 0, 0] = 1
    coords = {"gain": gains, "scale": SCALE, "leak": LEAK}
    dataset = sweep_of(values, ("gain", "scale", "leak"), coords, status)
    other = {"y": "leak"} if kind == "map" else {"lines": "leak"}
    panels = plot_sweep_facets(dataset, "period", x="scale", facet="gain", **other)
    assert [ax.get_title() for ax in panels] == ["gain = 0", "gain = 0.5"]
    if kind == "map":
        first, second = (mesh_of(ax).norm for ax in panels)
        assert (first.vmin, first.vmax) == (second.vmin, second.vmax)
    else:
        assert panels[0].get_ylim() == panels[1].get_ylim()
    names = [text.get_text() for text in panels[0].figure.legends[0].get_texts()]
    assert names[-1] == "failed"


def test_facets_draw_into_axes_that_are_given():
    values = np.random.default_rng(0).random((2, 5))
    dataset = sweep_of(values, ("gain", "scale"), {"gain": [0, 1], "scale": SCALE})
    _, axes = plt.subplots(1, 2, layout="constrained")
    panels = plot_sweep_facets(dataset, "period", x="scale", facet="gain", axes=axes)
    assert list(panels) == list(axes)


def test_the_chooser_draws_a_map_lines_or_facets():
    assert mesh_of(plot_sweep(grid(), "period")) is not None
    assert len(plot_sweep(grid(), "period", x="scale", lines="leak").lines) == 4
    assert len(plot_sweep(repeated()[0], "period").lines) == 1
    assert plot_sweep(sampled(), "period").get_xlabel() == "scale"
    panels = plot_sweep(grid(), "period", x="scale", facet="leak")
    assert len(panels) == 4


@pytest.mark.parametrize(
    ("draw", "mend"),
    [
        (lambda d: plot_sweep(d, "perod"), "it has period, status"),
        (lambda d: plot_sweep(d.period, "period"), "xarray.Dataset of a sweep"),
        (lambda d: plot_sweep(d, "period", x="gain"), "it has scale, leak"),
        (lambda d: plot_sweep_map(d, "period", x="scale", y="scale"), "two axes"),
        (lambda d: plot_sweep_lines(d, "period", x="scale"), "dataset.sel"),
        (lambda d: plot_sweep_facets(d, "period", x="scale", facet="scale"), "another"),
        (
            lambda d: plot_sweep(d, "period", x="scale", y="leak", lines="leak"),
            "not both",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_mend(draw, mend):
    with pytest.raises(ValueError, match=mend):
        draw(grid())


def test_too_many_panels_are_refused_with_a_choice():
    dataset = sweep_of(
        np.zeros((40, 5)), ("gain", "scale"), {"gain": np.arange(40), "scale": SCALE}
    )
    with pytest.raises(ValueError, match=r"isel\(gain=slice"):
        plot_sweep_facets(dataset, "period", x="scale", facet="gain")


def test_a_sweep_of_which_all_runs_failed_is_still_drawn():
    dataset = grid(np.ones((5, 4), np.int8))
    assert labels_of(plot_sweep_map(dataset, "period", x="scale", y="leak")) == [
        "failed"
    ]
    ax = plot_sweep_lines(dataset, "period", x="scale", lines="leak")
    assert "failed (20 of 20 runs)" in labels_of(ax)
