"""Owns the report folder: `metrics.json`, and one self-contained HTML page of tables and plots."""

from collections.abc import Mapping
from typing import Any

from evaluation.forest import MOST_DRAWN, choose_drawn, draw_forest
from evaluation.plots import draw_histograms, draw_precision_recall, draw_reliability, draw_risk
from evaluation.robustness.show import draw_robustness, say_draws
from evaluation.tables import (
    explain_gaps,
    list_labels,
    never_abstains,
    say_calibration,
    say_checked,
    show_figure,
    show_number,
    show_p,
    show_range,
)
from twohands.errors import MissingExtraError

METRICS_NAME = "metrics.json"
PAGE_NAME = "report.html"
_TEMPLATE = "report.html.j2"


def check_report_extra() -> None:
    """Check that the packages of the report are there, before minutes are spent.

    Raises:
        MissingExtraError: one is not installed.
    """
    try:
        import jinja2
        import matplotlib  # noqa: F401 - heavy and optional, like jinja2
    except ImportError as error:
        raise MissingExtraError(f"--report needs {error.name}: pip install 'twohands[eval]'") from error
    del jinja2


def _shade(n: int, total: int) -> str:
    """Background of a confusion cell: the deeper, the greater its share of the true label."""
    return f"rgba(0, 114, 178, {0.5 * n / total if total else 0:.3f})"


def _confusion_cells(confusion: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    rows = []
    for label, counts in confusion.items():
        total = sum(counts.values())
        cells = [
            {"n": n, "share": show_number(n / total, digits=2) if total else "-", "shade": _shade(n, total)}
            for n in counts.values()
        ]
        rows.append({"label": label, "cells": cells})
    return rows


def _let_wrap(name: object) -> Any:  # noqa: ANN401 - markupsafe's Markup, which comes with jinja2
    """A name that a narrow column parts after its underscores, not in the middle of a word."""
    from markupsafe import Markup, escape

    return Markup(str(escape(name)).replace("_", "_<wbr>"))  # noqa: S704 - escaped in this line


def make_environment() -> Any:  # noqa: ANN401 - jinja2's Environment, imported only when a page is written
    """Make the environment of all pages: everything is escaped, and an unknown name is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["figure"] = show_figure
    environment.filters["signed"] = lambda figure: show_figure(figure, is_signed=True)
    environment.filters["range"] = show_range
    environment.filters["labels"] = list_labels
    environment.filters["number"] = show_number
    environment.filters["p"] = show_p
    environment.filters["breakable"] = _let_wrap
    environment.globals["explain_gaps"] = explain_gaps
    environment.globals["most_drawn"] = MOST_DRAWN
    environment.globals["never_abstains"] = never_abstains
    environment.globals["say_calibration"] = say_calibration
    environment.globals["say_checked"] = say_checked
    return environment


def _draw_head(curves: Mapping[str, Any], head: Mapping[str, Any], thresholds: list[float] | None) -> dict[str, Any]:
    by_label: dict[str, float | None] = dict.fromkeys(head["labels"])
    if thresholds is not None:
        by_label |= dict(zip(head["labels"], thresholds, strict=True))
    ranked = curves["precision_recall"]
    abstention = None if "abstention" not in head or never_abstains(head) else head["abstention"]
    risk = draw_risk(curves["risk_coverage"], abstention) if "risk_coverage" in curves else None
    return {
        "reliability": draw_reliability(curves["reliability"], curves["reliability_before"]),
        "risk": risk,
        "precision_recall": draw_precision_recall(ranked, by_label) if ranked else None,
        "histogram": draw_histograms(curves["histogram"], by_label),
    }


def _draw_slices(slices: Mapping[str, Any], heads: Mapping[str, Any]) -> str:
    series = {
        name: {value: part["heads"].get(name, {}).get("macro_f1") for value, part in slices.items()} for name in heads
    }
    # As slices are: a label that no row has counts 0 in the head's own macro-F1, and all would stand above it (#6).
    found = {
        name: [figures["f1"]["value"] for figures in head["labels"].values() if figures["support"]]
        for name, head in heads.items()
    }
    whole = {name: sum(of_labels) / len(of_labels) for name, of_labels in found.items() if of_labels}
    return draw_forest(series, names=choose_drawn(slices), xlabel="macro-F1", reference=whole)


def render_page(report: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        report: the object of `evaluate --json`, with `curves`, `thresholds`, `mistakes` and `rows`.

    Returns:
        HTML that loads nothing from elsewhere.
    """
    heads = report["heads"]
    plots = {
        name: _draw_head(curves, heads[name], report["thresholds"][name]) for name, curves in report["curves"].items()
    }
    slice_plots = {column: _draw_slices(slices, heads) for column, slices in report["slices"].items()}
    confusion = {name: _confusion_cells(head["confusion"]) for name, head in heads.items()}
    parts = {"plots": plots, "slice_plots": slice_plots, "confusion": confusion}
    if "robustness" in report:
        parts["robustness_plots"] = draw_robustness(report["robustness"], heads)
        parts["damage_draws"] = say_draws(report["robustness"])
    return str(make_environment().get_template(_TEMPLATE).render(report=report, **parts)) + "\n"
