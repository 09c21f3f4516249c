"""Owns the command `bench frontier`, and how its figures look in a terminal."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from evaluation.bench.frontier import Entrant, mark_frontier, measure_accuracy
from evaluation.bench.frontier_plot import draw_frontier
from evaluation.bench.machine import add_load_after, describe_machine
from evaluation.bench.options import JSON, REPORT, check_report, choose_texts, write_report
from evaluation.bench.plot import check_plot_extra
from evaluation.bench.speed import Case, measure_case
from evaluation.dataset import load_labelled
from evaluation.measure import note_data, note_fitted
from evaluation.options import (
    DATA,
    REPLICATES,
    SKIP,
    VariadicCommand,
    describe_command,
    list_versions,
    seed_option,
    tell_figures,
)
from evaluation.progress import show_progress
from evaluation.tables import WIDTH
from twohands.classifier import Classifier
from twohands.errors import ConfigError
from twohands.inspection import folder_size_bytes, second_size_bytes
from twohands.locate import find_model
from twohands.manifest import Manifest

Json = dict[str, Any]
_COSTS = ("p50_ms", "size_mb")
_MEGABYTE = 1e6


def _load_all(models: Sequence[str], stack: ExitStack) -> list[Entrant]:
    entrants = []
    for name in models:
        classifier = Classifier.load(name, num_threads=1)
        stack.callback(classifier.close)
        entrants.append(Entrant(name.rstrip("/").rpartition("/")[2], classifier))
    names = [entrant.name for entrant in entrants]
    faults = [
        f"two models would stand as {name!r} in one table; give one folder another name"
        for name in sorted({*names})
        if names.count(name) > 1
    ]
    first = entrants[0].classifier.taxonomy
    faults += [
        f"{entrant.name} has other heads or labels than {names[0]}"
        for entrant in entrants[1:]
        if entrant.classifier.taxonomy != first
    ]
    if faults:
        raise ConfigError("these models cannot stand on one frontier", faults)
    return entrants


def _weigh(folder: Path, manifest: Manifest) -> float:
    # To a tenth: a few bytes more of card or manifest are no cost.
    return round((folder_size_bytes(folder) + second_size_bytes(folder, manifest)) / _MEGABYTE, 1)


def _mark_models(models: list[Json]) -> None:
    """Write into each model for which heads it stands on the frontier, by either cost.

    Args:
        models: with `name`, `heads`, `p50_ms` and `size_mb`; gain `on_frontier`.
    """
    for model in models:
        model["on_frontier"] = {cost: [] for cost in _COSTS}
    for cost in _COSTS:
        for head in models[0]["heads"]:
            points = {model["name"]: (float(model[cost]), float(model["heads"][head]["value"])) for model in models}
            on_it = mark_frontier(points)
            for model in models:
                if model["name"] in on_it:
                    model["on_frontier"][cost].append(head)


def _print_frontier(report: Mapping[str, Any]) -> None:
    """Print the table of a report in 80 columns.

    Args:
        report: of `bench frontier`.
    """
    console = Console(width=WIDTH, highlight=False)
    machine, data = report["machine"], report["data"]
    console.print(f"commit {machine['commit'] or 'unknown'}; {machine['cpu_model']}, one thread")
    console.print(
        f"{data['n_rows']} rows of {data['n_groups']} documents; texts to time: {report['texts']['source']}\n"
    )
    heads = list(report["models"][0]["heads"])
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for place, heading in enumerate(("model", *heads, "p50 ms", "MB", "best for")):
        table.add_column(heading, justify="left" if place in {0, len(heads) + 3} else "right")
    for model in report["models"]:
        cells = []
        for head in heads:
            figure = model["heads"][head]
            bounds = "[-]" if figure["low"] is None else f"[{figure['low']:.3f}, {figure['high']:.3f}]"
            cells.append(f"{figure['value']:.3f} {bounds}".replace("0.", "."))
        best = model["on_frontier"]["p50_ms"]
        table.add_row(
            model["name"], *cells, f"{model['p50_ms']:.1f}",
            f"{model['size_mb']:.0f}", ", ".join(best) or "-",
        )  # fmt: skip
    console.print(table)
    console.print(
        "\nMacro-F1 with its 95% interval. `best for`: the heads for which no other model here is as quick and as "
        "good, as measured; whether a difference is more than chance says `twohands compare A B`."
    )
    for note in report["notes"]:
        console.print(note)


@click.command(
    cls=VariadicCommand,
    short_help="Say what accuracy costs: models on the same rows, timed.",
    epilog="""\b
Example:
  twohands bench frontier twohands models/half models/early \\
    --data dev.jsonl --report out/

--report writes frontier.json and frontier.png.""",
)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@DATA
@SKIP
@click.option(
    "--timed",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE...",
    help="Time on these rows or documents instead of the built-in mix of lengths.",
)
@click.option("--n-texts", type=click.IntRange(8), default=48, show_default=True, help="Paragraphs to time.")
@click.option("--seconds", type=click.FloatRange(0.05), default=5.0, show_default=True, help="For each model's timing.")
@seed_option("the bootstrap draws and of the texts that are timed, built in or drawn")
@REPLICATES
@JSON
@REPORT
@click.pass_context
def frontier(
    ctx: click.Context,
    *,
    models: tuple[str, ...],
    data: tuple[Path, ...],
    skip_unlabelled: bool,
    timed: tuple[Path, ...],
    n_texts: int,
    seconds: float,
    seed: int,
    replicates: int,
    as_json: bool,
    report: Path | None,
) -> None:
    """What accuracy costs: models of one taxonomy on the same rows, timed in turn on one thread.

    MODEL... are folders or names. For each: macro-F1 of every head with a 95% interval from the same bootstrap over
    documents, the median time of one paragraph, and the megabytes of its folder; in JSON also paragraphs a second. A
    model is on the frontier where no other is as cheap and as good.

    A cascade takes longer the more doubtful the text is, so time it on text like yours, by --timed: the built-in mix is
    put together of parts that stand in no order, and is more doubtful than most.
    """
    if report is not None:
        check_plot_extra()
    check_report(report)
    machine = describe_machine()
    with ExitStack() as stack:
        entrants = _load_all(models, stack)
        first = entrants[0].classifier
        labelled = load_labelled(data, first.taxonomy, skip_unlabelled=skip_unlabelled)
        texts, described = choose_texts(first.encoder, timed, n_texts=n_texts, seed=seed, option="--timed")
        with show_progress("classifying", len(entrants) * len(labelled.examples)) as advance:
            heads, gaps = measure_accuracy(
                entrants, labelled.examples, n_replicates=replicates, seed=seed, advance=advance
            )
        # Half for one at a time, half in bulk.
        costs = measure_case(
            {entrant.name: entrant.classifier for entrant in entrants}, Case("mix", texts), seconds=seconds / 2
        )
        measured = [
            {
                "name": entrant.name,
                "model": entrant.classifier.identity,
                "heads": heads[entrant.name],
                "p50_ms": costs[entrant.name]["latency"]["p50_ms"],
                **costs[entrant.name],
                "size_mb": _weigh(find_model(name), entrant.classifier.manifest),
            }
            for name, entrant in zip(models, entrants, strict=True)
        ]
        notes = [*gaps, *(note for each in entrants for note in note_fitted(labelled, each.classifier.manifest))]
        notes += note_data(labelled)
    _mark_models(measured)
    figures: Json = {
        "models": measured,
        "machine": add_load_after(machine),
        "data": labelled.describe(),
        "texts": described,
        "n_replicates": replicates,
        "seed": seed,
        "notes": notes,
        "versions": list_versions(),
        "command": describe_command(ctx),
    }
    tell_figures(figures, _print_frontier, as_json=as_json)
    write_report(report, "frontier.json", figures)
    if report is not None:
        draw_frontier(figures, report / "frontier.png")
