"""Owns how robustness looks: in a terminal of 80 columns, and as drawings of the report."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from evaluation.checklist.drawings import MOST_LABELS, draw_swap
from evaluation.forest import draw_forest
from evaluation.robustness.conditions import AS_IS
from evaluation.tables import WIDTH, make_table, show_figure, show_text

Json = Mapping[str, Any]


def print_robustness(robustness: Json, heads: Json) -> None:
    """Print the figures.

    Args:
        robustness: as `measure_robustness` gives them.
        heads: the figures of the rows as they are, by head.
    """
    console = Console(width=WIDTH, highlight=False)
    for head, figures in heads.items():
        console.print()
        console.print(show_text(f"{head} on damaged rows", "bold"))
        table = make_table("rows", "macro-F1", "difference", "answers changed")
        table.add_row(show_text(AS_IS), show_figure(figures["macro_f1"]), "", "")
        for name, part in robustness["conditions"].items():
            found = part["heads"][head]
            table.add_row(
                show_text(name),
                show_figure(found["macro_f1"]),
                show_figure(found["difference"], is_signed=True),
                show_figure(found["changed"]),
            )
        console.print(table)
    countries = robustness["countries"]
    if countries is None:
        console.print(show_text("No row names a country that can be swapped."))
        return
    console.print()
    console.print(show_text(f"Another country in {countries['n_rows']} rows, {countries['n_texts']} texts", "bold"))
    for head, found in countries["heads"].items():
        spread = ", ".join(f"{label} {value:.3f}" for label, value in found["spread"].items())
        console.print(show_text(f"{head}: {show_figure(found['flipped'])} of the answers flip; mean spread: {spread}"))


def draw_robustness(robustness: Json, heads: Json) -> dict[str, Any]:
    """Draw macro-F1 by condition, and by head which country draws which score.

    Args:
        robustness: as `measure_robustness` gives them.
        heads: the figures of the rows as they are, by head.

    Returns:
        `conditions` and, by head, `countries`, as `<svg>` elements.
    """
    series = {
        head: {AS_IS: heads[head]["macro_f1"]}
        | {name: part["heads"][head]["macro_f1"] for name, part in robustness["conditions"].items()}
        for head in heads
    }
    reference = {head: figures["macro_f1"]["value"] for head, figures in heads.items()}
    names = [AS_IS, *robustness["conditions"]]
    countries = robustness["countries"] or {"heads": {}}
    return {
        "conditions": draw_forest(series, names=names, xlabel="macro-F1", reference=reference),
        "countries": {
            head: draw_swap(found["names"], list(found["spread"])[:MOST_LABELS])
            for head, found in countries["heads"].items()
        },
    }
