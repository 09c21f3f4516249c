"""Owns the drawing of a learning curve: measured points, their intervals, and what is only extrapolated."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.drawing import GRID, MUTED, SERIES, new_figure, styled, to_svg


def _show_size(n_rows: int) -> str:
    return f"{n_rows:,}"


def draw_growth(points: Sequence[Mapping[str, Any]], heads: Mapping[str, Any]) -> str:
    """Draw score against the number of training rows, on a scale that doubles.

    Args:
        points: from `grow`, by size.
        heads: from `grow`, with the extrapolation of each.

    Returns:
        An `<svg>` element.
    """
    sizes = [point["n_rows"] for point in points]
    ticks = list(sizes)
    with styled():
        figure = new_figure(7.2, 3.9)
        axes = figure.add_subplot()
        axes.set_xscale("log", base=2)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        for place, (name, of_head) in enumerate(heads.items()):
            color, marker, _ = SERIES[place % len(SERIES)]
            figures = [point["heads"][name]["macro_f1"] for point in points]
            values = np.array([found["value"] for found in figures])
            lows, highs = (
                np.array([found["value"] if found[key] is None else found[key] for found in figures])
                for key in ("low", "high")
            )
            shifted = np.array(sizes) * 2 ** (0.05 * (place - (len(heads) - 1) / 2))
            axes.errorbar(
                shifted, values, yerr=[np.clip(values - lows, 0, None), np.clip(highs - values, 0, None)],
                color=color, marker=marker, markersize=5, linewidth=1.4, elinewidth=1, label=name,
            )  # fmt: skip
            beyond = of_head["extrapolation"]
            if beyond is None:
                continue
            law = beyond["law"]
            grid = np.geomspace(sizes[-1], beyond["points"][-1]["n_rows"], 30)
            guessed = 1 - (law["floor"] + law["scale"] * grid ** -law["exponent"])
            axes.plot(grid, guessed, color=color, linewidth=1.2, linestyle=":")
            far = [point["n_rows"] for point in beyond["points"]]
            ends = [point["macro_f1"] for point in beyond["points"]]
            axes.plot(far, [end["value"] for end in ends], marker, markerfacecolor="white", color=color, markersize=5)
            ticks = sorted({*ticks, *far})
        is_extrapolated = len(ticks) > len(sizes)
        if is_extrapolated:
            axes.plot([], [], color=MUTED, linewidth=1.2, linestyle=":", label="extrapolated, not measured")
            axes.axvspan(sizes[-1] * 1.12, ticks[-1] * 1.12, color=MUTED, alpha=0.08, linewidth=0)
        axes.set_xticks(ticks, [_show_size(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel="training rows (a scale that doubles)", ylabel="macro-F1")
        axes.legend(loc="lower right", fontsize=8)
        said = "measured and extrapolated" if is_extrapolated else "measured"
        return to_svg(figure, f"Macro-F1 against the number of training rows, {said}")
