"""Owns how a checklist looks in a terminal: 80 columns, one line for each capability and head, one failure of each."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from evaluation.checklist.measure import count_held
from evaluation.checklist.suites import Suites
from evaluation.tables import WIDTH, make_table, show_figure, show_number, show_text

Json = Mapping[str, Any]


def _find_gate(report: Json, capability: str, head: str, on: str) -> Json | None:
    wanted = (capability, head, on)
    return next((gate for gate in report["gates"] if (gate["capability"], gate["head"], gate["on"]) == wanted), None)


def _print_capabilities(console: Console, report: Json, capabilities: Json, on: str) -> None:
    table = make_table("capability", "head", "fails", "of", "cases", "bar", "")
    for capability, measured in capabilities.items():
        for head, counted in measured["heads"].items():
            gate = _find_gate(report, capability, head, on)
            verdict = "" if gate is None else ("held" if gate["passed"] else "MISSED")
            verdict += "*" if gate is not None and gate["shown"] else ""
            table.add_row(
                show_text(capability),
                show_text(head),
                show_figure(counted["failure_rate"]),
                str(counted["n_checks"]),
                str(counted["n_cases"]),
                "" if gate is None else show_number(gate["bar"], digits=2),
                show_text(verdict, "red" if verdict == "MISSED" else ""),
            )
    console.print(table)


def _print_failure(console: Console, failure: Json) -> None:
    console.print()
    change = f" ({failure['change']})" if failure["change"] else ""
    before = f", before {failure['answer_before']}" if "answer_before" in failure else ""
    sure = "unsure" if failure["abstained"] else show_number(max(failure["scores"].values()), digits=2)
    console.print(show_text(f"{failure['capability']}: {failure['case']}{change}", "bold"))
    console.print(show_text(f"expected {failure['expected']}; answered {failure['answer']} ({sure}){before}"))
    if "text" in failure:
        console.print(show_text(f"  {failure['text']}", "dim"))


def _print_swaps(console: Console, swaps: Json) -> None:
    """The entries whose name moves the scores most, each way."""
    for lexicon, heads in swaps.items():
        for head, entries in heads.items():
            ranked = sorted(
                (
                    (abs(shift), label, name, shift, entry)
                    for name, entry in entries.items()
                    for label, shift in entry["mean_shift"].items()
                ),
                key=lambda found: (-found[0], found[1], found[2]),
            )[:5]
            console.print()
            console.print(show_text(f"{head} by {lexicon} name: which scores it draws up or down most", "bold"))
            for _, label, name, shift, entry in ranked:
                flips = f"{entry['n_flipped']} of {entry['n_put']} flipped"
                console.print(show_text(f"  {name}: {label} {show_number(shift, is_signed=True)}   ({flips})"))


def print_checklist(report: Json) -> None:
    """Print what the checklist found.

    Args:
        report: the object that `--json` prints.
    """
    console = Console(width=WIDTH, highlight=False)
    model = report["model"]
    console.print(show_text(f"{model['name']} {model['version']} (sha256 {model['sha256'][:12]})", "bold"))
    console.print(
        show_text(
            f"{report['n_checks']} checks on {report['n_texts']} texts, suites {report['suites']['fingerprint'][:12]}, "
            f"seed {report['seed']}. In brackets: 95% intervals; checks of one case count as one cluster."
        )
    )
    console.print()
    _print_capabilities(console, report, report["capabilities"], "suite")
    _print_swaps(console, report["swaps"])
    if report["rows"]:
        console.print()
        console.print(show_text(f"On your {report['data']['n_rows']} rows", "bold"))
        _print_capabilities(console, report, report["rows"], "rows")
        _print_swaps(console, report["row_swaps"])
    if report["gates"]:
        console.print(
            show_text(f"{count_held(report['gates'])}. held*: the whole interval lies at or under the bar.", "bold")
        )
    for failures in report["failures"].values():
        for failure in failures[:1]:
            _print_failure(console, failure)
    if report["notes"]:
        console.print()
    for note in report["notes"]:
        console.print(show_text(f"note: {note}", "yellow"))


def print_tests(suites: Suites) -> None:
    """Print which tests there are.

    Args:
        suites: read and checked.
    """
    console = Console(width=WIDTH, highlight=False)
    for file, test in suites.tests():
        if suites.is_chosen(test):
            console.print(show_text(f"{test.capability}: {test.name}", "bold"))
            of_what = f"{len(test.cases)} cases" if test.cases else "texts of other tests"
            rows = ", and of --rows" if test.rows else ""
            console.print(show_text(f"  {test.kind.value}, {of_what}{rows}; {file.path.name}"))
            console.print(show_text(f"  {test.description}", "dim"))
