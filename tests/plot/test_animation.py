import re
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from ctrnn_jax.plot import (
    animate_phase_portrait,
    plot_phase_portrait,
    save_animation,
)


def frame(animation, number):
    """Draw one frame and return its line, its dot and its clock."""
    animation._draw_was_started = True
    return animation._func(number)


def test_frames_go_from_the_first_sample_to_the_last_at_an_even_pace(circle):
    animation = animate_phase_portrait(circle, num_frames=4)
    for number in range(4):
        line, dot, clock = frame(animation, number)
        np.testing.assert_array_equal(dot.get_xydata(), circle.ys[[100 * number]])
        np.testing.assert_array_equal(line.get_xydata(), circle.ys[: 100 * number + 1])
        assert f"{number * np.pi:.2f}" in clock.get_text()


def test_uneven_samples_do_not_change_the_pace():
    ts = np.array([0.0, 0.1, 0.2, 0.3, 4.0])
    solution = SimpleNamespace(ts=ts, ys=np.stack([ts, -ts], axis=-1))
    animation = animate_phase_portrait(solution, num_frames=5)
    seen = [frame(animation, k)[1].get_xdata()[0] for k in range(5)]
    np.testing.assert_array_equal(seen, [0.0, 0.3, 0.3, 0.3, 4.0])


def test_the_tail_reaches_as_far_back_as_asked(circle):
    animation = animate_phase_portrait(circle, num_frames=4, tail=np.pi / 2)
    line, _, _ = frame(animation, 3)
    np.testing.assert_allclose(line.get_xydata(), circle.ys[250:])


def test_it_draws_over_what_the_axes_hold_and_keeps_their_limits(circle):
    ax = plot_phase_portrait(2 * circle.ys)
    animation = animate_phase_portrait(circle, ax=ax, num_frames=3)
    limits = ax.get_xlim(), ax.get_ylim()
    line, *_ = frame(animation, 1)
    assert line.axes is ax
    assert line.get_color() != ax.lines[0].get_color()
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    assert len(plt.get_fignums()) == 1


def test_a_gif_has_as_many_frames_as_asked(circle, tmp_path):
    animation = animate_phase_portrait(circle, num_frames=5)
    path = save_animation(animation, tmp_path / "orbit.gif", fps=10, dpi=40)
    with Image.open(path) as image:
        assert image.n_frames == 5
        assert image.info["duration"] == 100
        assert image.size == (140, 140)


def test_a_page_holds_every_frame_and_refers_to_nothing_else(circle, tmp_path):
    animation = animate_phase_portrait(circle, num_frames=5)
    path = save_animation(animation, str(tmp_path / "orbit.html"), dpi=40)
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count('= "data:image/png;base64,') == 5
    assert list(tmp_path.iterdir()) == [path]
    # Nothing but images within the page is loaded.
    without_images = re.sub(r'"data:image/png;base64,[^"]*"', '""', page)
    assert "//" not in re.sub(r"//[^\n]*\n|/\*.*?\*/", "", without_images)
    assert not re.search(r"https?:|<link|<iframe|@import|url\(", without_images)
    assert not re.search(r"\bsrc\s*=\s*[\"'][^\"']", without_images)
    # Nor is an icon left whose font would have been.
    assert "fa-" not in without_images
    assert all(icon in page for icon in ("▶", "❚❚", "◀"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_frames": 1}, "at least 2"),
        ({"tail": 0.0}, "tail must be positive"),
        ({"neurons": (0, 5)}, "does not exist"),
    ],
)
def test_wrong_options_are_refused(circle, options, message):
    with pytest.raises(ValueError, match=message):
        animate_phase_portrait(circle, **options)


def test_a_solution_that_fails_on_the_way_is_refused(circle):
    circle.ys[200:] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        animate_phase_portrait(circle)


def test_wrong_files_are_refused_before_anything_is_drawn(circle, tmp_path):
    animation = animate_phase_portrait(circle, num_frames=2)
    animation._draw_was_started = True
    with pytest.raises(ValueError, match=r"\.gif or \.html"):
        save_animation(animation, tmp_path / "orbit.mp4")
    with pytest.raises(ValueError, match="fps"):
        save_animation(animation, tmp_path / "orbit.gif", fps=0)
    with pytest.raises(FileNotFoundError, match="No such folder"):
        save_animation(animation, tmp_path / "nowhere" / "orbit.gif")
