"""Owns the report folder: `metrics.json`, and one self-contained HTML page of tables and plots."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.output import write_whole
from evaluation.plots import draw_reliability, draw_risk
from evaluation.tables import show_figure, show_number
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
    return f"rgba(31, 111, 139, {0.55 * n / total if total else 0:.3f})"


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


def render_page(report: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        report: the object of `evaluate --json`, with `curves`.

    Returns:
        HTML that loads nothing from elsewhere.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["figure"] = show_figure
    environment.filters["number"] = show_number
    plots = {}
    for name, curves in report["curves"].items():
        abstention = report["heads"][name].get("abstention")
        plots[name] = {
            "reliability": draw_reliability(curves["reliability"]),
            "risk": draw_risk(curves["risk_coverage"], abstention) if "risk_coverage" in curves else None,
        }
    confusion = {name: _confusion_cells(head["confusion"]) for name, head in report["heads"].items()}
    return environment.get_template(_TEMPLATE).render(report=report, plots=plots, confusion=confusion) + "\n"


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write `metrics.json` and `report.html`; other files of the folder are left alone.

    Args:
        folder: made if it is missing.
        report: the object of `evaluate --json`, with `curves`.

    Raises:
        FileWriteError: a file cannot be written.
    """
    write_whole(folder / METRICS_NAME, json.dumps(report, indent=2) + "\n")
    write_whole(folder / PAGE_NAME, render_page(report))
