"""Owns how figures look in a terminal: 80 columns, each figure with its interval."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.rows import TOO_FEW_GROUPS
from evaluation.slices import MIN_ROWS, SMALL
from evaluation.swaps import BOLDEST_P, FEWEST_DIFFERING
from twohands.printable import make_printable

WIDTH = 80
Json = Mapping[str, Any]


def show_number(value: float, *, digits: int = 3, is_signed: bool = False) -> str:
    """Write a figure as statisticians do, in one width: `.741`, `-.020`, `1.00`; with `is_signed` also `+.020`."""
    signed = "+" if is_signed else ""
    text = f"{value:{signed}.{digits}f}"
    if text.lstrip("+-").startswith("0."):
        return text.replace("0.", ".", 1)
    return f"{value:{signed}.{digits - 1}f}"  # rounded anew: 1.238 cut by a digit was 1.23


def show_figure(figure: Mapping[str, Any] | None, *, is_signed: bool = False) -> str:
    """Write a figure and its interval: `.741 [.702, .778]`; a dash for one that is not defined or was not drawn."""
    if figure is None:
        return "-"
    if figure["low"] is None:
        return f"{show_number(figure['value'], is_signed=is_signed)} [-]"
    value, low, high = (show_number(figure[key], is_signed=is_signed) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def show_range(figure: Mapping[str, Any] | None) -> str:
    """Write an interval in words: `.702 to .778`; a dash where there is none."""
    if figure is None or figure["low"] is None:
        return "-"
    return f"{show_number(figure['low'])} to {show_number(figure['high'])}"


def list_labels(head: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """List a head's figures by label for a reader: None for what is not defined, which JSON holds as 0.

    Args:
        head: of the object that `evaluate --json` prints.

    Returns:
        By label: recall and F1 are None where no row has it, precision where it was never given.
    """
    listed = {}
    for label, figures in head["labels"].items():
        shown = dict(figures)
        if not figures["support"]:
            shown |= {"recall": None, "f1": None}
        # Not by the confusion, whose keys are labels in a one-of head and may be called `true_positive` there (#6).
        if not figures["given"]:
            shown["precision"] = None
        listed[label] = shown
    return listed


def never_abstains(head: Mapping[str, Any]) -> bool:
    """Whether a one-of head answers every row: its highest score is never below one part in so many labels.

    Args:
        head: of the object that `evaluate --json` prints, with `abstention`.

    Returns:
        True for a level of 0, which the export writes where even the least certain answers were right often enough.
    """
    return bool(head["abstention"]["level"] <= 1 / len(head["labels"]))


def say_calibration(head: Mapping[str, Any]) -> str:
    """Say whether a head's calibration error is one that scores which are exactly right would show, too.

    Args:
        head: of the object that `evaluate --json` prints.

    Returns:
        Some words: of all scores, where that is no test of it, and of those that are not next to 0.
    """
    said = _say_chance(head["ece"]["value"], head["ece_by_chance"])
    if head.get("calibration_fitted_on"):
        said += f" on {' and '.join(head['calibration_fitted_on'])}, where it was fitted: no test of it"
    high = head.get("high_scores")
    if high is not None:
        said += (
            f" (over scores of at least {show_number(high['least_score'], digits=2)} alone "
            f"{show_number(high['ece']['value'])}, by chance {show_number(high['by_chance']['value'])}: "
            f"{_say_chance(high['ece']['value'], high['by_chance'])})"
        )
    return said


def say_checked(head: Mapping[str, Any]) -> str:
    """Say how far to trust that no file is named on which calibration was fitted.

    Args:
        head: of the object that `evaluate --json` prints.

    Returns:
        A sentence; nothing where a file is named.
    """
    if head.get("calibration_fitted_on"):
        return ""
    return (
        "Whether the model was fitted or calibrated on these rows is checked by the file's digest only: a slice or a "
        "converted copy of its train or dev file is not recognised."
    )


def _say_chance(ece: float, by_chance: Mapping[str, float]) -> str:
    return f"{'' if ece > by_chance['high'] else 'no '}more than chance would show"


def show_p(p: float | None) -> str:
    """Write a p-value; a dash where none was drawn."""
    if p is None:
        return "-"
    return "<.001" if p < 0.001 else show_number(p)


def make_table(*headings: str) -> Table:
    """A table whose first column is words and whose others are figures."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    for place, heading in enumerate(headings):
        # As Text: a column of the data may be called `[/b]`, which as markup ended the command after all its work.
        table.add_column(show_text(heading), justify="right" if place else "left", overflow="fold", no_wrap=False)
    return table


def show_text(value: object, style: str = "") -> Text:
    """Words as they are: values come from the user's data, and as Text they are never read as markup, nor obeyed."""
    return Text(make_printable(str(value)), style=style)


def _print_notes(console: Console, report: Json) -> None:
    for note in report["notes"]:
        console.print(show_text(f"note: {note}", "yellow"))


def _print_head(console: Console, name: str, head: Json) -> None:
    console.print()
    console.print(show_text(f"{name}   {head['n']} rows, {head['n_groups']} groups", "bold"))
    overall = "   ".join(
        f"{title} {show_figure(head[key])}" for key, title in (("macro_f1", "macro-F1"), ("mcc", "MCC"))
    )
    console.print(show_text(overall))
    overall = "   ".join(
        f"{title} {show_figure(head[key])}" for key, title in (("accuracy", "accuracy"), ("ece", "ECE"))
    )
    console.print(show_text(f"{overall}; by chance {show_number(head['ece_by_chance']['value'])}"))
    console.print(show_text(f"calibration error: {say_calibration(head)}"))
    if "abstention" in head:
        abstention = head["abstention"]
        answered, right = show_figure(abstention["coverage"]), show_figure(abstention["accuracy"])
        below = "never abstains" if never_abstains(head) else f"abstaining below {show_number(abstention['level'])}"
        console.print(show_text(f"{below}: answers {answered}, right {right}"))
    table = make_table("label", "precision", "recall", "F1", "rows")
    shown = [head[key] for key in ("macro_f1", "mcc", "accuracy", "ece")]
    for label, figures in list_labels(head).items():
        of_label = [figures[key] for key in ("precision", "recall", "f1")]
        table.add_row(show_text(label), *map(show_figure, of_label), str(figures["support"]))
        shown += of_label
    console.print(table)
    _explain_gaps(console, shown)


def explain_gaps(shown: Iterable[Json | None]) -> str:
    """What `[-]` means, where one of the figures that are shown has it; else nothing."""
    has_gap = any(figure is not None and figure["low"] is None for figure in shown)
    return TOO_FEW_GROUPS if has_gap else ""


def _explain_gaps(console: Console, shown: Sequence[Json | None]) -> None:
    if meaning := explain_gaps(shown):
        console.print(show_text(meaning))


def _name_slice(value: str, min_rows: int) -> str:
    return f"{SMALL[:-1]}, <{min_rows} rows)" if value == SMALL else value


def _print_slices(console: Console, column: str, slices: Json, min_rows: int) -> None:
    heads = list(dict.fromkeys(name for part in slices.values() for name in part["heads"]))
    for name in heads:
        console.print()
        console.print(show_text(f"{name} by {column}", "bold"))
        table = make_table(column, "rows", "docs", "macro-F1 (labels that occur)", "accuracy")
        shown = []
        for value, part in slices.items():
            if name in part["heads"]:
                head = part["heads"][name]
                figures = [head[key] for key in ("macro_f1", "accuracy")]
                counts = (str(head["n"]), str(head["n_groups"]))
                table.add_row(show_text(_name_slice(value, min_rows)), *counts, *map(show_figure, figures))
                shown += figures
        console.print(table)
        _explain_gaps(console, shown)


def print_evaluation(report: Json) -> None:
    """Print what `evaluate` found.

    Args:
        report: the object that `--json` prints.
    """
    console = Console(width=WIDTH, highlight=False)
    model = report["model"]
    console.print(show_text(f"{model['name']} {model['version']} (sha256 {model['sha256'][:12]})", "bold"))
    console.print(
        show_text(
            f"{report['n']} rows of {report['data']['n_groups']} groups. In brackets: 95% intervals from "
            f"{report['n_replicates']} bootstrap draws of groups, seed {report['seed']}."
        )
    )
    for name, head in report["heads"].items():
        _print_head(console, name, head)
    for column, slices in report["slices"].items():
        _print_slices(console, column, slices, report["min_slice_rows"])
    if report["notes"]:
        console.print()
    _print_notes(console, report)


def say_better(head: Mapping[str, Any]) -> str:
    """Say which side is better by macro-F1: where both the interval of A minus B and the test by swaps show it.

    Args:
        head: of the object that `compare --json` prints: `low` and `high` of the difference are None where it has no
            interval.

    Returns:
        Some words. They name the figure: by accuracy the other side may be better on the same rows.
    """
    difference, swaps = head["macro_f1"]["difference"], head["swaps"]
    if difference["low"] is None:
        return "no interval of macro-F1 to tell by"
    if not difference["low"] <= 0 <= difference["high"]:
        if swaps["n_differ"] < FEWEST_DIFFERING:
            return f"too few documents differ ({swaps['n_differ']}) to tell by macro-F1"
        if swaps["p"] <= BOLDEST_P:
            return f"{'A' if difference['low'] > 0 else 'B'} is better by macro-F1"
    return "no difference in macro-F1 shown"


def say_swaps(swaps: Mapping[str, Any]) -> str:
    """Say how many documents tell the two apart, which alone a swap changes.

    Args:
        swaps: of a head of the object that `compare --json` prints.

    Returns:
        A sentence without its stop.
    """
    n, plural = swaps["n_differ"], "" if swaps["n_differ"] == 1 else "s"
    return f"A and B differ in {n:,} document{plural}"


def _print_compared_slices(console: Console, column: str, slices: Json) -> None:
    for name in dict.fromkeys(name for part in slices.values() for name in part["heads"]):
        console.print()
        console.print(show_text(f"{name} by {column}: macro-F1 over the labels that occur", "bold"))
        table = make_table(column, "rows", "docs", "A", "B", "A - B", "p")
        shown = []
        for value, part in slices.items():
            head = part["heads"].get(name)
            if head is not None and head["macro_f1"] is not None:
                figures = head["macro_f1"]
                a, b = show_number(figures["a"]["value"]), show_number(figures["b"]["value"])
                apart = figures["difference"]
                counts = (str(head["n"]), str(head["n_groups"]))
                cells = (a, b, show_figure(apart, is_signed=True), show_p(apart["p_by_swaps"]))
                table.add_row(show_text(_name_slice(value, MIN_ROWS)), *counts, *cells)
                shown.append(apart)
        console.print(table)
        _explain_gaps(console, shown)


def _show_apart(part: Json, *, is_defined: bool) -> list[str]:
    """A, B, A minus B and p; dashes for F1 of a label that no row has."""
    if not is_defined:
        return ["-"] * 4
    values = [show_number(part[side]["value"]) for side in ("a", "b")]
    return [*values, show_figure(part["difference"], is_signed=True), show_p(part["difference"]["p_by_swaps"])]


def print_comparison(report: Json) -> None:
    """Print what `compare` found.

    Args:
        report: the object that `--json` prints.
    """
    console = Console(width=WIDTH, highlight=False)
    for letter in ("a", "b"):
        name = " ".join(str(report[letter][key]) for key in ("name", "version") if key in report[letter])
        console.print(show_text(f"{letter.upper()}: {name}", "bold"))
    console.print(
        show_text(
            f"{report['n']} rows of {report['data']['n_groups']} groups. In brackets: 95% intervals from "
            f"{report['n_replicates']} bootstrap draws of groups, the same for both, seed {report['seed']}."
        )
    )
    for name, head in report["heads"].items():
        console.print()
        console.print(show_text(f"{name}   {head['n']} rows   {say_better(head)}", "bold"))
        table = make_table("", "A", "B", "A - B", "p", "rows")
        parts = {"macro-F1": head["macro_f1"], "accuracy": head["accuracy"]}
        parts |= {f"F1 {label}": figures["f1"] for label, figures in head["labels"].items()}
        supports = ["", "", *(str(figures["support"]) for figures in head["labels"].values())]
        for (title, part), support in zip(parts.items(), supports, strict=True):
            table.add_row(show_text(title), *_show_apart(part, is_defined=support != "0"), support)
        console.print(table)
        _explain_gaps(
            console, [part["difference"] for part, each in zip(parts.values(), supports, strict=True) if each != "0"]
        )
        mcnemar = head["mcnemar"]
        console.print(
            show_text(
                f"right in A only: {mcnemar['only_a_right']} rows, in B only: {mcnemar['only_b_right']}; "
                f"McNemar's exact p {show_p(mcnemar['p'])}"
            )
        )
        console.print(show_text(say_swaps(head["swaps"])))
    for column, slices in report["slices"].items():
        _print_compared_slices(console, column, slices)
    console.print()
    console.print(
        show_text(
            "p in the tables: how often a figure differs as much where A and B trade their answers in whole groups. "
            "The verdict of a head asks both its interval and its p; where an interval lies beyond 0 and p is above "
            ".05, few groups differ. McNemar takes rows as independent. No p is adjusted for the number of lines."
        )
    )
    _print_notes(console, report)
