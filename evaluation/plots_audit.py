"""Owns the drawings of an audit: labels by file, likely errors by label, drift by slice."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.audit_balance import FALSE_SHARE
from evaluation.drawing import BLUE, GRID, SERIES, new_figure, styled, to_svg
from evaluation.forest import choose_drawn, draw_forest

_HATCHES = ("", "////", "....", "xxxx")


def draw_balance(balance: Mapping[str, Any], head: str) -> str:
    """Draw the share of each label of one head, a bar for each file.

    Args:
        balance: by file, from `measure_balance`.
        head: its name.

    Returns:
        An `<svg>` element.
    """
    files = [file for file in balance if balance[file][head]["n"]]
    labels = list(balance[files[0]][head]["labels"]) if files else []
    width = 0.8 / max(1, len(files))
    with styled():
        figure = new_figure(7.2, 2.4)
        axes = figure.add_subplot()
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        for place, file in enumerate(files):
            shares = [balance[file][head]["labels"][label]["share"] for label in labels]
            lefts = [number - 0.4 + width * place for number in range(len(labels))]
            color = SERIES[place % len(SERIES)][0]
            hatch = _HATCHES[place % len(_HATCHES)]
            name = f"{file.rsplit('/', 1)[-1]} ({balance[file][head]['n']:,} rows)"
            axes.bar(
                lefts, shares, width=width * 0.92, align="edge", color=color, hatch=hatch, edgecolor="white", label=name
            )
        axes.set_xticks(range(len(labels)), labels)
        axes.set_ylabel("share of rows")
        axes.tick_params(axis="x", length=0)
        if files:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8, borderaxespad=0.2)
        return to_svg(figure, f"Share of each label of {head}, by file")


def draw_suspects(counts: Sequence[tuple[str, int, int]]) -> str:
    """Draw the share of labels that are likely wrong, a bar for each label.

    Args:
        counts: label, likely errors, rows with the label.

    Returns:
        An `<svg>` element.
    """
    with styled():
        figure = new_figure(7.2, 0.8 + 0.3 * len(counts))
        axes = figure.add_subplot()
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        shares = [n / total if total else 0 for _, n, total in counts]
        axes.barh(range(len(counts)), shares, color=BLUE, height=0.6)
        for row, (_, n, total) in enumerate(counts):
            axes.annotate(
                f"{n} of {total:,}", (shares[row], row), (4, 0), textcoords="offset points", va="center", fontsize=8
            )
        axes.set_yticks(range(len(counts)), [label for label, _, _ in counts])
        axes.set(ylim=(len(counts) - 0.5, -0.5), xlim=(0, max([0.05, *shares]) * 1.25), xlabel="share in doubt")
        axes.tick_params(axis="y", length=0)
        return to_svg(figure, "Share of labels that are in doubt, by label")


def draw_drift(values: Mapping[str, Any], label: str) -> str:
    """Draw how much more often each slice gives a label than its texts would make one expect.

    Args:
        values: by slice, from `measure_drift`.
        label: which.

    Returns:
        An `<svg>` element.
    """
    figures = {value: part["excess"] for value, part in values.items()}
    apart = {value for value, part in values.items() if part["q"] is not None and part["q"] <= FALSE_SHARE}
    names = choose_drawn(values, kept=apart)
    return draw_forest({label: figures}, names=names, xlabel=f"{label}: share beyond what texts suggest", zero=True)
