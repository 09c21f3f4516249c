"""Owns the checklist's report folder: `checklist.json`, and one self-contained page."""

import difflib
from collections.abc import Mapping
from typing import Any

from evaluation.checklist.drawings import MOST_LABELS, draw_rates, draw_swap
from evaluation.report import make_environment

REPORT_NAME = "checklist.json"
PAGE_NAME = "checklist.html"
_TEMPLATE = "checklist.html.j2"


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
                labels = list(next(iter(entries.values()))["mean_shift"])[:MOST_LABELS]
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
