"""Owns the checklist's report folder: `checklist.json`, and one self-contained page."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.drawing import BLUE, GRID, MUTED, ORANGE, new_figure, styled, to_svg
from evaluation.forest import draw_forest
from evaluation.output import write_whole
from evaluation.report import make_environment

REPORT_NAME = "checklist.json"
PAGE_NAME = "checklist.html"
_TEMPLATE = "checklist.html.j2"
_ROW_INCHES, _MARGIN_INCHES, _WIDTH_INCHES = 0.2, 0.75, 7.2
_COLORS = ((BLUE, "o"), (ORANGE, "s"), (MUTED, "^"))


def mark_changes(before: str, after: str) -> list[tuple[str, str]]:
    """Show what a change did to a text.

    Args:
        before: the text before the change.
        after: the changed text.

    Returns:
        Pieces in order, each `same`, `new` or `gone`; all but the last kind, joined by spaces, are `after`. What
        was replaced is shown by what is new; only words that went without replacement are `gone`.
    """
    old, new = before.split(), after.split()
    pieces = []
    for kind, start, end, first, last in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "delete":
            pieces.append((" ".join(old[start:end]), "gone"))
        else:
            pieces.append((" ".join(new[first:last]), "same" if kind == "equal" else "new"))
    return pieces


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
        axes.set_yticks(range(len(names)), names)
        axes.set(xlim=(-reach, reach), ylim=(-0.7, len(names) - 0.3), xlabel="mean shift of the score")
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(labels), fontsize=8, borderaxespad=0.2)
        return to_svg(figure, f"mean shift of {', '.join(labels)} by name: {', '.join(names)}")


def render_page(report: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        report: the object of `checklist --json`.

    Returns:
        HTML that loads nothing from elsewhere.
    """
    swaps = []
    for on, key in (("the suites' texts", "swaps"), ("your rows", "row_swaps")):
        for lexicon, heads in report[key].items():
            for head, entries in heads.items():
                labels = list(next(iter(entries.values()))["mean_shift"])[: len(_COLORS)]
                totals = {part: sum(entry[part] for entry in entries.values()) for part in ("n_put", "n_flipped")}
                swaps.append({"on": on, "lexicon": lexicon, "head": head, "plot": draw_swap(entries, labels), **totals})
    parts = [("suite", "The suites", report["capabilities"], report["failures"])]
    if report["rows"]:
        parts.append(("rows", "Your rows", report["rows"], report["row_failures"]))
    gates = {(gate["on"], gate["capability"], gate["head"]): gate for gate in report["gates"]}
    environment = make_environment()
    environment.globals["mark_changes"] = mark_changes
    plots = {on: draw_rates(capabilities) for on, _, capabilities, _ in parts}
    template = environment.get_template(_TEMPLATE)
    return str(template.render(report=report, parts=parts, gates=gates, plots=plots, swaps=swaps)) + "\n"


def write_page(folder: Path, report: Mapping[str, Any]) -> None:
    """Write `checklist.json` and `checklist.html`; other files of the folder are left alone.

    Args:
        folder: made if it is missing.
        report: the object of `checklist --json`.

    Raises:
        FileWriteError: a file cannot be written.
    """
    write_whole(folder / REPORT_NAME, json.dumps(report, indent=2) + "\n")
    write_whole(folder / PAGE_NAME, render_page(report))
