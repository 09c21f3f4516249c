"""Owns the drawings of a model's report: curves -> SVG, the same bytes for the same points."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evaluation.drawing import BLUE, MUTED, ORANGE, new_figure, styled, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE_INCHES = 2.6
_TITLE_INCHES = 0.15
# A line to a bin of fewer rows would be a line to chance, and one across it would show scores that nothing was seen of.
_MIN_BIN_ROWS = 5
_MAX_COLUMNS = 4
_TICKS = (0, 0.25, 0.5, 0.75, 1)
_TICK_WORDS = ("0", ".25", ".5", ".75", "1")

Points = Sequence[Mapping[str, float]]


def _panels(titles: Sequence[str], *, height_inches: float = _SIZE_INCHES + _TITLE_INCHES) -> "tuple[Any, list[Axes]]":
    """One figure with a panel for each title, at most four in a row."""
    n_columns = min(len(titles), _MAX_COLUMNS)
    n_rows = -(-len(titles) // _MAX_COLUMNS)
    figure = new_figure(_SIZE_INCHES * n_columns, height_inches * n_rows)
    panels = []
    for place, title in enumerate(titles, start=1):
        axes = figure.add_subplot(n_rows, n_columns, place)
        axes.set_title(title)
        panels.append(axes)
    return figure, panels


def _unit_square(axes: "Axes", *, xlabel: str, ylabel: str) -> None:
    axes.set(xlim=(0, 1.02), ylim=(0, 1.03), xlabel=xlabel, ylabel=ylabel, aspect="equal")
    axes.set_xticks(_TICKS, _TICK_WORDS)
    axes.set_yticks(_TICKS, _TICK_WORDS)


def _legend_above(figure: "Figure", axes: "Axes") -> None:
    """One legend for all panels, above them: within one it hid dots and lines."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), fontsize=8)


def _join_neighbours(bins: Points) -> Points:
    """Firm bins in order, with a gap where one between them is empty or has too few rows."""
    joined: list[Mapping[str, float]] = []
    firm = [point for point in bins if point["n"] >= _MIN_BIN_ROWS]
    for point in firm:
        if joined and not math.isclose(joined[-1]["high"], point["low"]):
            joined.append({"score": math.nan, "hit_rate": math.nan})
        joined.append(point)
    return joined


def draw_reliability(after: Mapping[str, Points], before: Mapping[str, Points]) -> str:
    """Draw score against hit rate, one panel for each curve; a bigger dot holds more rows, a bar is its interval.

    Args:
        after: filled bins by title, with calibration.
        before: the same without it.

    Returns:
        An `<svg>` element.
    """
    with styled():
        figure, panels = _panels(list(after))
        for axes, (title, bins) in zip(panels, after.items(), strict=True):
            _unit_square(axes, xlabel="score", ylabel="share right")
            axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
            total = sum(point["n"] for point in bins)
            for kind, color, dash, points in (("before", ORANGE, "--", before[title]), ("after", BLUE, "-", bins)):
                joined = _join_neighbours(points)
                scores, rates = [point["score"] for point in joined], [point["hit_rate"] for point in joined]
                # Small dots, since a bin between gaps has no line.
                (line,) = axes.plot(scores, rates, color=color, linewidth=1.2, linestyle=dash, label=kind)
                line.set(marker=".", markersize=3)
            bounded = [point for point in bins if point["n"] >= _MIN_BIN_ROWS and point["hit_rate_low"] is not None]
            lows, highs = ([point[key] for point in bounded] for key in ("hit_rate_low", "hit_rate_high"))
            axes.vlines([point["score"] for point in bounded], lows, highs, color=BLUE, alpha=0.5, linewidth=1)
            sizes = [4 + 110 * math.sqrt(point["n"] / total) for point in bins]
            scores, rates = [point["score"] for point in bins], [point["hit_rate"] for point in bins]
            axes.scatter(scores, rates, s=sizes, color=BLUE, alpha=0.6, linewidths=0)
        _legend_above(figure, panels[0])
        return to_svg(figure, "Share of right answers against score, before and after calibration")


def draw_precision_recall(curves: Mapping[str, Mapping[str, Any]], thresholds: Mapping[str, float | None]) -> str:
    """Draw precision against recall, one panel for each label, with a dot where the model stands.

    Args:
        curves: by label, as `trace_precision_recall`.
        thresholds: by label; None where the highest score decides.

    Returns:
        An `<svg>` element.
    """
    with styled():
        figure, panels = _panels(list(curves))
        for axes, (label, curve) in zip(panels, curves.items(), strict=True):
            _unit_square(axes, xlabel="recall", ylabel="precision")
            axes.axhline(curve["share_true"], color=MUTED, linewidth=0.8, linestyle=":")
            recalls = [point["recall"] for point in curve["points"]]
            axes.step(recalls, [point["precision"] for point in curve["points"]], where="pre", color=BLUE)
            chosen, threshold = curve["chosen"], thresholds.get(label)
            if chosen["precision"] is not None:
                axes.plot([chosen["recall"]], [chosen["precision"]], "s", color=ORANGE)
            word = "highest score" if threshold is None else f"threshold {threshold:.2f}"
            backing = {
                "facecolor": "white",
                "edgecolor": "none",
                "pad": 1,
            }  # the dotted line of a rare label runs there
            axes.text(0.03, 0.04, word, color=ORANGE, transform=axes.transAxes, bbox=backing)
        return to_svg(figure, "Precision against recall by label, with the point at which labels are given")


def draw_histograms(counts: Mapping[str, Mapping[str, Sequence[int]]], thresholds: Mapping[str, float | None]) -> str:
    """Draw how scores are spread, for the rows that have the label and for the others.

    Args:
        counts: by label `true` and `false`, counts in bins of equal width.
        thresholds: by label, drawn as a line; None where the highest score decides.

    Returns:
        An `<svg>` element.
    """
    # One height for all panels, so that they compare; not 1, where most bars would be too low to be seen.
    shares = {
        label: {kind: [n / max(1, sum(of_kind)) for n in of_kind] for kind, of_kind in of_label.items()}
        for label, of_label in counts.items()
    }
    top = 1.05 * max(max(of_kind) for of_label in shares.values() for of_kind in of_label.values())
    with styled():
        figure, panels = _panels(list(counts), height_inches=2.1)
        for place, (axes, (label, of_label)) in enumerate(zip(panels, shares.items(), strict=True)):
            n_bins = len(of_label["true"])
            lefts = [number / n_bins for number in range(n_bins)]
            for kind, style in (
                ("true", {"color": BLUE, "alpha": 0.75, "label": "has the label"}),
                ("false", {"facecolor": "none", "edgecolor": ORANGE, "hatch": "////", "label": "has not"}),
            ):
                axes.bar(lefts, of_label[kind], width=1 / n_bins, align="edge", **style)
            threshold = thresholds.get(label)
            if threshold is not None:
                axes.axvline(threshold, color="black", linewidth=1, linestyle="--")
            axes.set(xlim=(0, 1), ylim=(0, top), xlabel="score", ylabel="" if place % _MAX_COLUMNS else "share of rows")
            axes.set_xticks(_TICKS, _TICK_WORDS)
        _legend_above(figure, panels[0])
        return to_svg(figure, "Histograms of scores, for the rows that have each label and for the others")


def draw_risk(points: Points, abstention: Mapping[str, Any] | None) -> str:
    """Draw the error share against the share of rows answered.

    Args:
        points: from the surest row on.
        abstention: where the model stands by its own level, marked by a dot; None when it never abstains.

    Returns:
        An `<svg>` element.
    """
    coverage, risk = [point["coverage"] for point in points], [point["risk"] for point in points]
    top = max(0.05, *risk) * 1.15
    with styled():
        figure = new_figure(_SIZE_INCHES * 1.5, _SIZE_INCHES)
        axes = figure.add_subplot()
        axes.plot(coverage, risk, color=BLUE, linewidth=1.4)
        if abstention is not None and abstention["risk"] is not None:
            answered, wrong = abstention["coverage"]["value"], abstention["risk"]["value"]
            axes.plot([answered], [wrong], "s", color=ORANGE)
            label = f"abstains below {abstention['level']:.2f}"
            axes.annotate(label, (answered, wrong), (-8, 6), textcoords="offset points", ha="right", color=ORANGE)
        axes.set(xlim=(0, 1.02), ylim=(0, top), xlabel="share answered", ylabel="share wrong")
        return to_svg(figure, "Share of wrong answers against the share of rows answered")
