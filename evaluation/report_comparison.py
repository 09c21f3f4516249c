"""Owns the report of a comparison: `comparison.json`, and one self-contained page of differences."""

from collections.abc import Mapping
from typing import Any

from evaluation.forest import choose_drawn, draw_forest
from evaluation.report import make_environment
from evaluation.tables import say_better, say_swaps

COMPARISON_NAME = "comparison.json"
COMPARISON_PAGE_NAME = "comparison.html"
_TEMPLATE = "comparison.html.j2"
_XLABEL = "A minus B: right of 0, A is better"


def _draw_head(head: Mapping[str, Any]) -> str:
    parts = {"macro-F1": head["macro_f1"], "accuracy": head["accuracy"]}
    parts |= {f"F1 {label}": figures["f1"] for label, figures in head["labels"].items()}
    # F1 of a label that no row has is not defined: a dot at 0 would say that the two are alike.
    absent = {f"F1 {label}" for label, figures in head["labels"].items() if not figures["support"]}
    differences = {name: None if name in absent else part["difference"] for name, part in parts.items()}
    return draw_forest({"difference": differences}, names=list(differences), xlabel=_XLABEL, zero=True)


def _draw_slices(slices: Mapping[str, Any], heads: Mapping[str, Any]) -> str:
    series = {}
    for name in heads:
        found = {value: part["heads"].get(name, {}).get("macro_f1") for value, part in slices.items()}
        series[name] = {value: None if figure is None else figure["difference"] for value, figure in found.items()}
    return draw_forest(series, names=choose_drawn(slices), xlabel=f"macro-F1, {_XLABEL}", zero=True)


def render_comparison(report: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        report: the object of `compare --json`.

    Returns:
        HTML that loads nothing from elsewhere.
    """
    plots = {name: _draw_head(head) for name, head in report["heads"].items()}
    slice_plots = {column: _draw_slices(slices, report["heads"]) for column, slices in report["slices"].items()}
    environment = make_environment()
    environment.globals |= {"say_better": say_better, "say_swaps": say_swaps}
    template = environment.get_template(_TEMPLATE)
    return str(template.render(report=report, plots=plots, slice_plots=slice_plots)) + "\n"
