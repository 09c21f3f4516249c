"""Owns how agreement looks in a terminal: 80 columns, people and model on one scale."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from evaluation.swaps import BOLDEST_P, FEWEST_DIFFERING
from evaluation.tables import WIDTH, make_table, show_figure, show_number, show_p, show_text

Json = Mapping[str, Any]
TITLES = {
    "accuracy": "accuracy",
    "kappa": "kappa",
    "macro_f1": "macro-F1",
    "f1": "F1",
    "same_side": "same side",
}


def say_verdict(model: Json) -> str:
    """Say in one sentence whether the model is further from people than they are from one another.

    Args:
        model: the part of a report; its people could be set against the rest.

    Returns:
        A sentence, by the interval of the difference in kappa and p of the same by swaps of documents.
    """
    apart = model["model_minus_person"]
    if apart is None:
        return "No item has enough codes, or others who are not tied, to set one person against the rest."
    difference = apart["kappa"]
    if difference is None and apart["accuracy"]["value"] != 0:  # one side differs from the rest, who are all alike
        return (
            "All that is said by the rest, and by one of the two set beside them, is the same label: kappa is not "
            "defined and gives no verdict. See accuracy."
        )
    if difference is None:
        return "All codes that are compared are the same label, so kappa is not defined and nobody is further off."
    if difference["low"] is None:
        return "No interval tells whether the model is further from the people than they are from one another."
    if not difference["low"] <= 0 <= difference["high"]:
        swaps = model["swaps"]
        if swaps["n_differ"] < FEWEST_DIFFERING:
            return f"Model and people differ in {swaps['n_differ']} documents, too few to tell who is further off."
        if swaps["p"] <= BOLDEST_P:
            if difference["high"] < 0:
                return "The model is further from the people than they are from one another."
            return "The model is nearer to the people than they are to one another."
    return "That the model is further from the people than they are from one another is not shown."


def say_swaps(swaps: Json) -> str:
    """Say what the test by swaps of documents rests on, which the verdict asks beside the interval.

    Args:
        swaps: of the model's part of a report.

    Returns:
        A sentence.
    """
    n, plural = swaps["n_differ"], "" if swaps["n_differ"] == 1 else "s"
    told = f"Model and people differ in {n:,} document{plural}"
    if swaps["p"] is None:
        return f"{told}; kappa is not defined, and so no test of it."
    return f"{told}; p of kappa by swapping them {show_p(swaps['p'])}."


def _print_side_by_side(console: Console, part: Json) -> None:
    person, model = part["people"]["one_against_rest"], part["model"]
    if person is None:
        return
    table = make_table("against the rest", "one person", *(["model", "model - person"] if model else []))
    for key, title in TITLES.items():
        if key in person:
            cells = [show_figure(person[key])]
            if model:
                cells += [
                    show_figure(model["against_rest"][key]),
                    show_figure(model["model_minus_person"][key], is_signed=True),
                ]
            table.add_row(show_text(title), *cells)
    for label, figures in person.get("labels", {}).items():
        cells = [show_figure(figures["f1"])]
        if model:
            cells += [show_figure(model["against_rest"]["labels"][label]["f1"]), ""]
        table.add_row(show_text(f"F1 {label}"), *cells)
    console.print(table)
    console.print(show_text(f"{person['n']} codes, each beside what the other people say of the item."))
    if "same_side" in person:
        console.print(show_text("Same side: of those where both take one."))


def _print_pairs(console: Console, part: Json) -> None:
    pairs = part["people"]["pairs"]
    with_model = [{**pair, "b": "model"} for pair in (part["model"] or {}).get("pairs", [])]
    if not pairs and not with_model:
        return
    last = "F1" if pairs and "f1" in pairs[0] else "macro-F1"
    table = make_table("pair", "items", "accuracy", "kappa", last)
    for pair in [*pairs, *with_model]:
        f1 = pair.get("macro_f1", pair.get("f1"))
        figures = [show_figure(figure) for figure in (pair["accuracy"], pair["kappa"])]
        short = "-" if f1 is None else show_number(f1["value"])
        table.add_row(show_text(f"{pair['a']}, {pair['b']}"), str(pair["n"]), *figures, short)
    console.print(table)


def print_agreement(report: Json) -> None:
    """Print what `agreement` found.

    Args:
        report: the object that `--json` prints.
    """
    console = Console(width=WIDTH, highlight=False)
    model, people = report["model"], report["data"]
    if model is not None:
        console.print(show_text(f"{model['name']} {model['version']} (sha256 {model['sha256'][:12]})", "bold"))
    console.print(
        show_text(
            f"{people['n_items']} items of {people['n_groups']} groups, {people['n_annotators']} annotators, "
            f"{people['n_codes']} codes. In brackets: 95% intervals from {report['n_replicates']} bootstrap draws of "
            f"groups, seed {report['seed']}."
        )
    )
    for name, part in report["variables"].items():
        console.print()
        alphas = "   ".join(
            f"alpha ({level}) {show_figure(figure)}" for level, figure in part["people"]["alpha"].items()
        )
        console.print(show_text(name, "bold"))
        console.print(show_text(f"Krippendorff's {alphas}"))
        _print_pairs(console, part)
        _print_side_by_side(console, part)
        if part["model"] is not None:
            console.print(show_text(say_verdict(part["model"]), "bold"))
            if part["model"]["swaps"] is not None:
                console.print(show_text(say_swaps(part["model"]["swaps"])))
            found = part["model"]["stand_in"]
            if found is not None:
                test = f"alternative-annotator test, epsilon {found['epsilon']:g}, items taken as independent"
                console.print(
                    show_text(f"It can stand in for {found['n_won']} of {found['n_annotators']} annotators ({test}).")
                )
    if report["notes"]:
        console.print()
    for note in report["notes"]:
        console.print(show_text(f"note: {note}", "yellow"))
