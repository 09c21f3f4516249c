"""Owns the drawings of the checklist: failure rates by capability, and which way a name draws the scores."""

from collections.abc import Mapping
from typing import Any

from evaluation.drawing import BLUE, GRID, MUTED, ORANGE, fit_name, new_figure, styled, to_svg
from evaluation.forest import draw_forest

_ROW_INCHES, _MARGIN_INCHES, _WIDTH_INCHES = 0.2, 0.75, 7.2
_COLORS = ((BLUE, "o"), (ORANGE, "s"), (MUTED, "^"))
MOST_LABELS = len(_COLORS)


def draw_rates(capabilities: Mapping[str, Any]) -> str:
    """Draw the failure rate of every capability, by head.

    Args:
        capabilities: as `measure_outcomes` gives them.

    Returns:
        An `<svg>` element.
    """
    heads = list(dict.fromkeys(head for measured in capabilities.values() for head in measured["heads"]))
    series = {
        head: {name: measured["heads"].get(head, {}).get("failure_rate") for name, measured in capabilities.items()}
        for head in heads
    }
    return draw_forest(series, names=list(capabilities), xlabel="share of checks that fail")


def draw_swap(entries: Mapping[str, Any], labels: list[str]) -> str:
    """Draw how far a name moves the scores, on average, against all names in the same texts.

    Args:
        entries: by name, `mean_shift` by label.
        labels: which to draw.

    Returns:
        An `<svg>` element.
    """
    names = sorted(entries, key=lambda name: (entries[name]["mean_shift"][labels[0]], name))
    with styled():
        figure = new_figure(_WIDTH_INCHES, _MARGIN_INCHES + _ROW_INCHES * len(names))
        axes = figure.add_subplot()
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        axes.axvline(0, color=MUTED, linewidth=1)
        for label, (color, marker) in zip(labels, _COLORS, strict=False):
            shifts = [entries[name]["mean_shift"][label] for name in names]
            axes.plot(shifts, range(len(names)), marker, color=color, markersize=4.5, label=label)
        reach = max(0.05, *(abs(entries[name]["mean_shift"][label]) for name in names for label in labels)) * 1.15
        axes.set_yticks(range(len(names)), [fit_name(name) for name in names])
        axes.set(xlim=(-reach, reach), ylim=(-0.7, len(names) - 0.3), xlabel="mean shift of the score")
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(labels), fontsize=8, borderaxespad=0.2)
        return to_svg(figure, f"mean shift of {', '.join(labels)} by name: {', '.join(names)}")
