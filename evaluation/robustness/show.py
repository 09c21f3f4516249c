"""Owns how robustness looks: in a terminal of 80 columns, and as drawings of the report."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from evaluation.checklist.drawings import MOST_LABELS, draw_swap
from evaluation.forest import draw_forest
from evaluation.robustness.conditions import AS_IS
from evaluation.tables import WIDTH, make_table, show_figure, show_number, show_text

Json = Mapping[str, Any]


def show_sd(part: Json) -> str:
    """Write how far draws of the damage lie apart: `.012`; a dash where there was one draw."""
    sd = part["draws"]["sd"]
    return "-" if sd is None else show_number(sd)


def say_draws(robustness: Json) -> str:
    """Say how often damage was drawn, and what its spread is."""
    n_draws = max(part["n_draws"] for part in robustness["conditions"].values())
    if n_draws == 1:
        return "Damage by chance was drawn once: another draw would differ."
    return f"Damage by chance: means of {n_draws} draws; sd: standard deviation of macro-F1 over them."


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
        table = make_table("rows", "macro-F1", "difference", "sd", "changed")
        table.add_row(show_text(AS_IS), show_number(figures["macro_f1"]["value"]), "", "", "")
        for name, part in robustness["conditions"].items():
            found = part["heads"][head]
            table.add_row(
                show_text(name),
                show_number(found["macro_f1"]["value"]),  # with its interval a line would be wider than 80
                show_figure(found["difference"], is_signed=True),
                show_sd(found),
                show_figure(found["changed"]),
            )
        console.print(table)
    console.print(show_text(f"changed: share of answers. {say_draws(robustness)}"))
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
