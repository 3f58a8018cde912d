"""The figures of the claim on memory."""

import numpy as np

from ..plot.memory import plot_memory, plot_memory_error
from ..tasks.signal_school import NUM_SAMPLES, SAMPLE_TIME
from ._claim import Picture, Settings
from ._memory_signals import BEYOND, IN_HORIZON, PAST, Outcome, school
from ._memory_sunspots import Recording
from ._style import BLUE, VERMILION, panels, styled


def signals_picture(outcomes: list[Outcome], settings: Settings) -> Picture:
    """Draw signals in the horizon and at the end of ten."""
    descriptors = school(settings).descriptors
    rows = [i for i, d in enumerate(descriptors) if d.amplitude == "high"]
    tanh, rival = outcomes[1], outcomes[-1]
    late = slice((PAST - 1) * NUM_SAMPLES, PAST * NUM_SAMPLES)
    columns = (
        (tanh, slice(NUM_SAMPLES), "memorized"),
        (tanh, late, "in the tenth horizon"),
        (rival, slice(3 * NUM_SAMPLES), "the first three horizons"),
    )
    figure, axes = panels(len(rows), 3, height=1.25)
    ts = np.arange(PAST * NUM_SAMPLES) * SAMPLE_TIME
    with styled():
        for place, ax in enumerate(axes):
            row, (outcome, span, what) = rows[place // 3], columns[place % 3]
            plot_memory(
                ts[span],
                outcome.target[row, span],
                outcome.generated[0, row, span],
                horizon=NUM_SAMPLES * SAMPLE_TIME if outcome is rival else None,
                limits=(-1.4, 1.4),
                ax=ax,
                linestyle="-" if outcome is tanh else "--",
                color=BLUE if outcome is tanh else VERMILION,
            )
            ax.set_title(f"{outcome.kind.name}:\n{what}" if place < 3 else "")
            ax.set_ylabel(descriptors[row].name if place % 3 == 0 else "")
            if place < 3 * (len(rows) - 1):
                ax.set_xlabel("")
                ax.set_xticklabels([])
            if place % 3:
                ax.set_yticklabels([])
    return Picture.from_figure(
        figure,
        name="memory_signals",
        caption="Signals of high amplitude (grey) and what networks generate from "
        "their descriptors alone, first seed. Left: the horizon trained on. Middle: "
        "the tenth, reached without input or correction. Right: the first three of the "
        "unconstrained network, shaded past the one trained on. Output beyond ±1.4 is "
        "drawn at the edge.",
        alt="Three columns of four signals; the skew network's output lies on the "
        "signal in the horizon and nearly so in the tenth, the unconstrained one's "
        "departs from it after the first.",
    )


def growth_picture(outcomes: list[Outcome], settings: Settings) -> Picture:
    """Draw how the error grows from horizon to horizon."""
    descriptors = school(settings).descriptors
    figure, axes = panels(1, 2, height=2.9, sharey=True)
    with styled():
        for ax, shape in zip(axes, ("sines", "square"), strict=True):
            chosen = [d.shape == shape for d in descriptors]
            for outcome in outcomes:
                windows = np.stack(
                    [
                        outcome.error(k * NUM_SAMPLES, (k + 1) * NUM_SAMPLES)[:, chosen]
                        for k in range(PAST)
                    ],
                    axis=-1,
                ).reshape(-1, PAST)
                plot_memory_error(
                    np.arange(PAST) + 0.5,
                    np.clip(windows, 1e-9, 1e9),
                    label=outcome.kind.name,
                    ax=ax,
                )
            for height in (IN_HORIZON, BEYOND, 1.0):
                ax.axhline(height, color="0.55", lw=0.8, ls=":", label="_ref")
            legend = ax.get_legend()
            if legend is not None:
                legend.remove()
            ax.set_title("sines" if shape == "sines" else "squares")
        axes[1].set_ylabel("")
        handles, labels = axes[0].get_legend_handles_labels()
        keep = [i for i, name in enumerate(labels) if not name.startswith("_")]
        figure.legend(
            [handles[i] for i in keep],
            [labels[i] for i in keep],
            loc="outside upper center",
            ncols=3,
        )
    return Picture.from_figure(
        figure,
        name="memory_error_growth",
        caption="MSE/power in each of ten successive horizons, of which the first is "
        "trained on: median and range over seeds and signals. Dotted: 0.01 (asked for "
        "in the horizon), 0.1 (asked for over ten, of the sines), 1 (predicting zero).",
        alt="Median errors of the skew networks rise slowly and stay below those of "
        "the unconstrained network, which rise by many orders of magnitude.",
    )


def sunspots_picture(recordings: list[Recording]) -> Picture:
    """Draw the record, what follows it, and the forecast."""
    skew, free, part = recordings
    figure, axes = panels(3, 1, height=1.5)
    rows = (
        (skew, 4 * skew.fitted, "memorized, then alone"),
        (free, 4 * free.fitted, "memorized, then alone"),
        (part, len(part.numbers), "fitted to four fifths, then alone"),
    )
    with styled():
        for ax, (one, count, what) in zip(axes, rows, strict=True):
            record = np.full(max(count, len(one.numbers)), np.nan)
            record[: len(one.numbers)] = one.numbers
            free_running = one is free
            plot_memory(
                1700 + np.arange(count),
                record[:count],
                one.generated[0, :count],
                horizon=1699.0 + one.fitted,
                limits=(-150.0, 350.0),
                ax=ax,
                linestyle="--" if free_running else "-",
                color=VERMILION if free_running else BLUE,
            )
            ax.set_title(f"{one.kind.name}: {what}", loc="left")
            ax.set_ylabel("sunspot number")
            ax.set_xlabel("")
        axes[-1].set_xlabel("year")
    return Picture.from_figure(
        figure,
        name="memory_sunspots",
        caption="Yearly sunspot numbers (grey) and what networks generate from one "
        "initial state, first seed; shaded: past the years fitted. Top two: all 309 "
        "years memorized, and three times as many more. Bottom: the last fifth "
        "forecast.",
        alt="The skew network goes on swinging within the range of the record; the "
        "unconstrained one grows out of it; the forecast of the last fifth soon falls "
        "out of phase.",
    )
