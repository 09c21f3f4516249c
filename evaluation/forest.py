"""Owns the drawing of figures with their intervals side by side: slices of a data set, labels, differences."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from evaluation.drawing import GRID, MUTED, SERIES, fit_name, new_figure, styled, to_svg

Figures = Mapping[str, Mapping[str, Any] | None]
_ROW_INCHES, _MARGIN_INCHES, _WIDTH_INCHES = 0.34, 0.75, 7.2
MOST_DRAWN = 40  # of hundreds of slices a drawing is taller than any screen, and no line is found in it


def choose_drawn(slices: Mapping[str, Mapping[str, Any]], *, kept: Collection[str] = ()) -> list[str]:
    """Choose the slices of a drawing.

    Args:
        slices: each with its rows, `n`.
        kept: names of those that are drawn before larger ones.

    Returns:
        At most `MOST_DRAWN` names, the largest (of equals the first), in the order of `slices`.
    """
    ranked = sorted(slices, key=lambda name: (name not in kept, -slices[name]["n"]))
    chosen = set(ranked[:MOST_DRAWN])
    return [name for name in slices if name in chosen]


def draw_forest(
    series: Mapping[str, Figures],
    *,
    names: Sequence[str],
    xlabel: str,
    zero: bool = False,
    reference: Mapping[str, float] | None = None,
) -> str:
    """Draw one line for each name, with a dot and an interval of each series.

    Args:
        series: by its title (at most four) the figures by name; a missing figure leaves a gap, one without an interval
            is a dot.
        names: the lines from top to bottom.
        xlabel: what is drawn.
        zero: the figures are differences: a line marks 0, and the axis is not held to [0, 1], as else it is but for
            figures below 0.
        reference: by series title a value of the whole, drawn as a thin line.

    Returns:
        An `<svg>` element.
    """
    with styled():
        figure = new_figure(_WIDTH_INCHES, _MARGIN_INCHES + _ROW_INCHES * len(names))
        axes = figure.add_subplot()
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        step = 0.5 / max(1, len(series))
        for place, (title, figures) in enumerate(series.items()):
            color, marker, dash = SERIES[place % len(SERIES)]
            shift = (place - (len(series) - 1) / 2) * step
            if reference is not None and title in reference:
                axes.axvline(reference[title], color=color, linewidth=0.8, linestyle=":")
            lines = [(row, found) for row, name in enumerate(names) if (found := figures.get(name)) is not None]
            heights = [row + shift for row, _ in lines]
            drawn = [(height, f) for height, (_, f) in zip(heights, lines, strict=True) if f["low"] is not None]
            axes.hlines(
                [height for height, _ in drawn], [f["low"] for _, f in drawn], [f["high"] for _, f in drawn],
                color=color, linewidth=1.4, linestyle=dash,
            )  # fmt: skip
            axes.plot([f["value"] for _, f in lines], heights, marker, color=color, markersize=5, label=title)
        if zero:
            axes.axvline(0, color=MUTED, linewidth=1)
        else:
            # Shares have no place below 0, but kappa has: held to [0, 1], a model worse than chance was not drawn (#6).
            least = min((f[key] for each in series.values() for f in each.values() if f is not None
                         for key in ("value", "low") if f[key] is not None), default=0)  # fmt: skip
            axes.set_xlim(min(0, least * 1.05), 1.01)
            if least < 0:
                axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(range(len(names)), [fit_name(name) for name in names])
        axes.set(ylim=(max(1, len(names)) - 0.5, -0.5), xlabel=xlabel)
        axes.tick_params(axis="y", length=0)
        if len(series) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series), fontsize=8, borderaxespad=0.2)
        return to_svg(figure, f"{xlabel}, with 95% intervals, of: {', '.join(names)}")
