"""The figure of a training."""

import io

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..plot import plot_learning_curve
from ..train import History


def draw_learning_curve(history: History, trivial_loss: float, title: str) -> bytes:
    """Return a PNG of the losses of training and validation."""
    with matplotlib.rc_context({"font.size": 8}):
        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        plot_learning_curve(history, trivial_loss=trivial_loss, ax=axes)
        figure.suptitle(title, fontsize=9)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=160, facecolor="white")
    return buffer.getvalue()
