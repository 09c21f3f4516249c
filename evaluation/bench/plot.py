"""Owns the picture of `bench speed`: throughput, latency and shares, as one PNG."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.drawing import NAMES_AS_THEY_ARE
from twohands.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED = "#1c2733", "#8a97a5"
_COLOURS, _MARKERS = ("#c8553d", "#1f6f8b", "#5b8c5a", "#8f6bb3"), "os^D"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    **NAMES_AS_THEY_ARE,
}


def check_plot_extra() -> None:
    """Refuse early when nothing can be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415, RUF100 - half a second that only drawing needs
    except ModuleNotFoundError as error:
        raise MissingExtraError("the plot needs the package 'matplotlib': pip install 'twohands[bench]'") from error
    del mpl


def _show_lengths(axes: "Axes", lengths: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.minorticks_off()
    axes.set_xlabel("tokens of the paragraph")


def _style(place: int) -> tuple[str, str]:
    """Colour and marker of a line: another marker where the colours begin anew."""
    turn, number = divmod(place, len(_COLOURS))
    return _COLOURS[number], _MARKERS[turn % len(_MARKERS)]


def _draw_lines(throughput: "Axes", latency: "Axes", report: Mapping[str, Any]) -> None:
    cases = [case for case in report["cases"] if isinstance(case["tokens"], int)]
    lengths = [case["tokens"] for case in cases]
    for place, threads in enumerate(report["threads"]):
        colour, marker = _style(place)
        name = f"{threads} thread{'s'[: threads != 1]}"
        rows = [case["threads"][str(threads)] for case in cases]
        rates = [row["paragraphs_per_s"] for row in rows]
        throughput.plot(lengths, rates, f"{marker}-", color=colour, label=name, ms=4)
        middles = [row["latency"]["p50_ms"] for row in rows]
        latency.plot(lengths, middles, f"{marker}-", color=colour, label=name, ms=4)
        late = [(n, row["latency"]["p90_ms"]) for n, row in zip(lengths, rows, strict=True)]
        known = [(n, value) for n, value in late if value is not None]
        if known:
            latency.plot(*zip(*known, strict=True), "--", color=colour, lw=0.9, label=f"{name}, 90th percentile")
    ceiling = report["ceiling"]
    if ceiling is not None:
        for place, threads in enumerate(report["threads"]):
            colour, _ = _style(place)
            rate = 1e3 / ceiling["threads"][str(threads)]["products_ms"]
            throughput.plot([ceiling["tokens"]], [rate], marker="_", ms=16, mew=2, color=colour, ls="none")
        throughput.plot([], [], marker="_", ms=10, mew=2, color=MUTED, ls="none", label="matrix products alone")
    for axes, title in ((throughput, "In bulk, paragraphs a second"), (latency, "One at a time, milliseconds")):
        _show_lengths(axes, lengths)
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title(title)
        axes.grid(axis="y", color=MUTED, alpha=0.25, lw=0.6)
        axes.legend(frameon=False, fontsize=8)


def _draw_shares(axes: "Axes", shares: Mapping[str, Any]) -> None:
    left = 0.0
    labels = {"tokenize": "reading and tokenizing", "model": "model", "rest": "decisions"}
    for colour, (name, label) in zip(("#c8553d", "#1f6f8b", "#8a97a5"), labels.items(), strict=True):
        share = shares[name]["share"]
        axes.barh([0], [share], left=left, color=colour, height=0.5, label=f"{label} {share:.1%}")
        left += share
    axes.set(xlim=(0, 1), ylim=(-0.6, 0.5), yticks=[], xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.spines["left"].set_visible(False)
    axes.set_title("Where the time goes: the mix in bulk, one thread")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.3))


def draw_speed(report: Mapping[str, Any], path: Path) -> None:
    """Draw a report of `bench speed`.

    Args:
        report: as it is written to speed.json.
        path: the PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    check_plot_extra()
    import matplotlib as mpl  # noqa: PLC0415, RUF100
    from matplotlib.figure import Figure  # noqa: PLC0415, RUF100

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 5.2), layout="constrained", dpi=150)
        layout = [["throughput", "latency"], ["shares", "shares"]]
        parts: dict[str, Axes] = figure.subplot_mosaic(layout, height_ratios=[4, 1])
        _draw_lines(parts["throughput"], parts["latency"], report)
        _draw_shares(parts["shares"], report["shares"])
        model, machine = report["model"], report["machine"]
        figure.suptitle(
            f"{model['name']} {model['version']} ({model['sha256'][:12]}) on {machine['cpu_model']}",
            fontsize=9,
            x=0.01,
            ha="left",
        )
        figure.savefig(path)
