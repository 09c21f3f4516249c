"""Owns the drawings of the report: curves -> SVG, the same bytes for the same points."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _MUTED, _LINE, _MARK = "#1c2733", "#8a97a5", "#1f6f8b", "#c8553d"
_SIZE_INCHES = 2.6
_MAX_COLUMNS = 4
_TICKS = (0, 0.25, 0.5, 0.75, 1)
# Text stays text (small, selectable, in the page's font); a fixed salt keeps ids, and so the file, the same.
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "twohands",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}

Points = Sequence[Mapping[str, float]]


def _to_svg(figure: "Figure") -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]  # without the XML prologue, to stand in HTML


def _draw_reliability(axes: "Axes", title: str, bins: Points) -> None:
    total = sum(point["n"] for point in bins)
    axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=0.8, linestyle="--")
    scores, rates = [point["score"] for point in bins], [point["hit_rate"] for point in bins]
    axes.plot(scores, rates, color=_LINE, linewidth=1)
    sizes = [12 + 120 * math.sqrt(point["n"] / total) for point in bins]
    axes.scatter(scores, rates, s=sizes, color=_LINE, alpha=0.75, linewidths=0)
    axes.set(
        xticks=_TICKS,
        yticks=_TICKS,
        xlim=(0, 1),
        ylim=(0, 1.03),
        title=title,
        xlabel="score",
        ylabel="share right",
        aspect="equal",
    )


def draw_reliability(curves: Mapping[str, Points]) -> str:
    """Draw score against hit rate, one panel for each curve; a bigger dot holds more rows.

    Args:
        curves: filled bins by title.

    Returns:
        An `<svg>` element.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    n_columns = min(len(curves), _MAX_COLUMNS)
    n_rows = -(-len(curves) // _MAX_COLUMNS)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_SIZE_INCHES * n_columns, _SIZE_INCHES * n_rows), layout="constrained")
        for place, (title, bins) in enumerate(curves.items(), start=1):
            _draw_reliability(figure.add_subplot(n_rows, n_columns, place), title, bins)
        return _to_svg(figure)


def draw_risk(points: Points, abstention: Mapping[str, Any] | None) -> str:
    """Draw the error share against the share of rows answered.

    Args:
        points: from the surest row on.
        abstention: where the model stands by its own level, marked by a dot; None when it never abstains.

    Returns:
        An `<svg>` element.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    coverage, risk = [point["coverage"] for point in points], [point["risk"] for point in points]
    top = max(0.05, *risk) * 1.15
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_SIZE_INCHES * 1.5, _SIZE_INCHES), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(coverage, risk, color=_LINE, linewidth=1.4)
        if abstention is not None and abstention["risk"] is not None:
            answered, wrong = abstention["coverage"]["value"], abstention["risk"]["value"]
            axes.plot([answered], [wrong], "o", color=_MARK)
            label = f"level {abstention['level']:.2f}"
            axes.annotate(label, (answered, wrong), (-6, -12), textcoords="offset points", ha="right", color=_MARK)
        axes.set(xlim=(0, 1.02), ylim=(0, top), xlabel="share answered", ylabel="share wrong")
        return _to_svg(figure)
