"""Owns the report folder of `agreement`: `agreement.json`, and one self-contained page."""

from collections.abc import Mapping
from typing import Any

from evaluation.agreement.tables import TITLES, say_swaps, say_verdict
from evaluation.forest import draw_forest
from evaluation.report import make_environment

REPORT_NAME = "agreement.json"
PAGE_NAME = "agreement.html"
_TEMPLATE = "agreement.html.j2"


def _flatten(part: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of one comparison by the name that a reader knows."""
    named = {title: part[key] for key, title in TITLES.items() if key in part}
    return named | {f"F1 {label}": figures["f1"] for label, figures in part.get("labels", {}).items()}


def _draw_sides(part: Mapping[str, Any]) -> str | None:
    person = part["people"]["one_against_rest"]
    if person is None:
        return None
    series = {"one person": _flatten(person)}
    if part["model"] is not None:
        series["model"] = _flatten(part["model"]["against_rest"])
    return draw_forest(series, names=list(series["one person"]), xlabel="agreement with the other people")


def _draw_difference(part: Mapping[str, Any]) -> str | None:
    apart = (part["model"] or {}).get("model_minus_person")
    if apart is None:
        return None
    named = {title: apart[key] for key, title in TITLES.items() if key in apart}
    return draw_forest(
        {"difference": named},
        names=list(named),
        xlabel="model minus person: left of 0, the model is further",
        zero=True,
    )


def render_page(report: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        report: the object of `agreement --json`.

    Returns:
        HTML that loads nothing from elsewhere.
    """
    plots = {
        name: {"sides": _draw_sides(part), "difference": _draw_difference(part)}
        for name, part in report["variables"].items()
    }
    environment = make_environment()
    environment.globals |= {"say_swaps": say_swaps, "say_verdict": say_verdict, "titles": TITLES}
    return str(environment.get_template(_TEMPLATE).render(report=report, plots=plots)) + "\n"
