"""Owns the picture of `bench frontier`: accuracy against time and against size, one row of panels a head."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import hypot
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.bench.plot import INK, MUTED, STYLE, check_plot_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

Box = tuple[float, float, float, float]
_ON, _OFF = "#1f6f8b", "#8a97a5"
_SIZE, _RIGHT, _UP = 8.0, 6.0, 5.0  # of a name, and where it stands from its point; all in typographic points
_NEAR, _FAR = 24.0, 8.0  # markers that a name keeps clear of; how far it goes without a line to its point
_TURNS, _TOUCH = 1000, 0.01
_AXES = (("p50_ms", "milliseconds of one paragraph (median, one thread)"), ("size_mb", "megabytes of the model folder"))


def spread_labels(boxes: Sequence[Box]) -> list[float]:
    """Move labels up or down until none covers another, the higher of two staying the higher.

    Args:
        boxes: where each label would stand: left, bottom, right and top, in one unit; may lie on one another.

    Returns:
        The bottom of each, moved as little as their neighbours let it.
    """
    bottoms = [box[1] for box in boxes]
    # Of two names on one point the first goes up; of others the one whose point is the higher (#5).
    order = sorted(range(len(boxes)), key=lambda place: (-boxes[place][1], boxes[place][0]))
    pairs = [
        (upper, lower, boxes[lower][3] - boxes[lower][1])
        for upper, lower in combinations(order, 2)
        if boxes[upper][0] < boxes[lower][2] and boxes[lower][0] < boxes[upper][2]
    ]
    # Each pair that overlaps is pushed apart by halves, which may press either on a third; so until all are at rest.
    for _ in range(_TURNS):
        most = 0.0
        for upper, lower, height in pairs:
            overlap = bottoms[lower] + height - bottoms[upper]
            if overlap > 0:
                bottoms[upper] += overlap / 2
                bottoms[lower] -= overlap / 2
                most = max(most, overlap)
        if most < _TOUCH:
            break
    return bottoms


def _part_labels(labels: Sequence["Annotation"], axes: "Axes") -> None:
    """Spread the names of one panel, whose layout is settled; from one that went far a line leads to its point."""
    pixels = axes.figure.dpi / 72  # in a typographic point
    points = [tuple(axes.transData.transform(label.xy)) for label in labels]
    boxes, rights = [], []
    for label, (x, y) in zip(labels, points, strict=True):
        near = [other for other, up in points if max(abs(other - x), abs(up - y)) < _NEAR * pixels]
        extent, right = label.get_window_extent(), max(near) - x  # a name that begins beside its own point hides these
        boxes.append((extent.x0 + right, extent.y0, extent.x1 + right, extent.y1))
        rights.append(right / pixels)
    for label, box, right, bottom in zip(labels, boxes, rights, spread_labels(boxes), strict=True):
        up = (bottom - box[1]) / pixels
        label.xyann = (_RIGHT + right, _UP + up)
        if hypot(right, up) > _FAR:
            line = {"arrowstyle": "-", "color": MUTED, "lw": 0.6, "shrinkA": 0, "shrinkB": 2}
            start = (_RIGHT + right, _UP + up + _SIZE / 3)
            axes.annotate("", label.xy, xytext=start, textcoords="offset points", arrowprops=line)


def _draw_panel(axes: "Axes", models: list[Mapping[str, Any]], *, head: str, cost: str) -> "list[Annotation]":
    from matplotlib.patheffects import withStroke  # noqa: PLC0415, RUF100

    on_line = sorted(
        (model for model in models if head in model["on_frontier"][cost]), key=lambda model: float(model[cost])
    )
    axes.plot(
        [model[cost] for model in on_line],
        [model["heads"][head]["value"] for model in on_line],
        "-", color=_ON, lw=1, drawstyle="steps-post", zorder=1,
    )  # fmt: skip
    width = 1.25 * max(float(model[cost]) for model in models)
    labels = []
    for model in models:
        figure = model["heads"][head]
        is_on = head in model["on_frontier"][cost]
        colour = _ON if is_on else _OFF
        if figure["low"] is not None:
            axes.plot([model[cost]] * 2, [figure["low"], figure["high"]], "-", color=colour, alpha=0.45, lw=1.2)
        axes.plot(
            [model[cost]], [figure["value"]], "o" if is_on else "s", color=colour, ms=6, mfc=colour if is_on else "w"
        )
        label = axes.annotate(
            model["name"],
            (model[cost], figure["value"]),
            xytext=(_RIGHT, _UP),
            textcoords="offset points",
            fontsize=_SIZE,
            color=INK,
            path_effects=[withStroke(linewidth=2, foreground="white")],  # the frontier's line runs through names
        )
        labels.append(label)
    axes.grid(axis="y", color=MUTED, alpha=0.25, lw=0.6)
    axes.set_xlim(0, width)
    return labels


def draw_frontier(report: Mapping[str, Any], path: Path) -> None:
    """Draw a report of `bench frontier`.

    Args:
        report: as it is written to frontier.json.
        path: the PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    check_plot_extra()
    import matplotlib as mpl  # noqa: PLC0415, RUF100 - half a second that only drawing needs
    from matplotlib.figure import Figure  # noqa: PLC0415, RUF100

    models = report["models"]
    heads = list(models[0]["heads"])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.8 + 2.9 * len(heads)), layout="constrained", dpi=150)
        grid = figure.subplots(len(heads), len(_AXES), squeeze=False, sharey="row", sharex="col")
        panels = []
        for row, head in enumerate(heads):
            for column, (cost, title) in enumerate(_AXES):
                axes = grid[row][column]
                panels.append((_draw_panel(axes, models, head=head, cost=cost), axes))
                if row == len(heads) - 1:
                    axes.set_xlabel(title)
                if column == 0:
                    axes.set_ylabel(f"macro-F1, {head}")
        figure.suptitle(
            f"Macro-F1 with its 95% interval on {report['data']['n_rows']} rows; filled and joined: no other model is "
            f"as cheap and as good. {report['machine']['cpu_model']}",
            fontsize=9, x=0.01, ha="left",
        )  # fmt: skip
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # names are measured in this layout; moved ones would change it again
        for labels, axes in panels:
            _part_labels(labels, axes)
        figure.savefig(path)
