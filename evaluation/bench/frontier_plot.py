"""Owns the picture of `bench frontier`: accuracy against time and against size, one row of panels a head."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.bench.plot import INK, MUTED, STYLE, check_plot_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ON, _OFF = "#1f6f8b", "#8a97a5"
_LABEL = (0.22, 0.06)  # width and height of a label, as shares of the panel's
_AXES = (("p50_ms", "milliseconds of one paragraph (median, one thread)"), ("size_mb", "megabytes of the model folder"))


def place_labels(points: Sequence[tuple[float, float]], *, width: float, height: float) -> list[bool]:
    """Say which labels stand above their point; of two that would cover one another the lower point's stands below.

    Args:
        points: cost and macro-F1 of each model.
        width: of the panel, as its costs are.
        height: of the panel, as its macro-F1 are.

    Returns:
        For each point whether its label stands above.
    """
    is_above = [True] * len(points)
    above: list[tuple[float, float]] = []
    # From the top: by cost, the label of a point that is higher and dearer stood under that of its neighbour (#5).
    for place in sorted(range(len(points)), key=lambda place: (-points[place][1], points[place][0])):
        cost, value = points[place]
        is_above[place] = not any(
            abs(cost - beside) < _LABEL[0] * width and higher - value < _LABEL[1] * height for beside, higher in above
        )
        if is_above[place]:
            above.append(points[place])
    return is_above


def _draw_panel(axes: "Axes", models: list[Mapping[str, Any]], *, head: str, cost: str) -> None:
    on_line = sorted(
        (model for model in models if head in model["on_frontier"][cost]), key=lambda model: float(model[cost])
    )
    axes.plot(
        [model[cost] for model in on_line],
        [model["heads"][head]["value"] for model in on_line],
        "-", color=_ON, lw=1, drawstyle="steps-post", zorder=1,
    )  # fmt: skip
    width = 1.25 * max(float(model[cost]) for model in models)
    values = [model["heads"][head] for model in models]
    ends = [end for each in values for end in (each["low"], each["value"], each["high"]) if end is not None]
    points = [(float(model[cost]), float(each["value"])) for model, each in zip(models, values, strict=True)]
    above = place_labels(points, width=width, height=max(ends) - min(ends))
    for model, is_above in zip(models, above, strict=True):
        figure = model["heads"][head]
        is_on = head in model["on_frontier"][cost]
        colour = _ON if is_on else _OFF
        if figure["low"] is not None:
            axes.plot([model[cost]] * 2, [figure["low"], figure["high"]], "-", color=colour, alpha=0.45, lw=1.2)
        axes.plot(
            [model[cost]], [figure["value"]], "o" if is_on else "s", color=colour, ms=6, mfc=colour if is_on else "w"
        )
        axes.annotate(
            model["name"],
            (model[cost], figure["value"]),
            xytext=(6, 5 if is_above else -12),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
    axes.grid(axis="y", color=MUTED, alpha=0.25, lw=0.6)
    axes.set_xlim(0, width)


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
        for row, head in enumerate(heads):
            for column, (cost, title) in enumerate(_AXES):
                axes = grid[row][column]
                _draw_panel(axes, models, head=head, cost=cost)
                if row == len(heads) - 1:
                    axes.set_xlabel(title)
                if column == 0:
                    axes.set_ylabel(f"macro-F1, {head}")
        figure.suptitle(
            f"Macro-F1 with its 95% interval on {report['data']['n_rows']} rows; filled and joined: no other model is "
            f"as cheap and as good. {report['machine']['cpu_model']}",
            fontsize=9, x=0.01, ha="left",
        )  # fmt: skip
        figure.savefig(path)
