"""Owns the command `bench runtimes`, and how its figures look in a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from evaluation.bench.machine import add_load_after, describe_machine
from evaluation.bench.options import (
    DATA,
    JSON,
    MODEL,
    N_TEXTS_HELP,
    REPORT,
    SEED,
    check_report,
    check_threads,
    choose_texts,
    print_subject,
    write_report,
)
from evaluation.bench.runtimes import RUNTIMES, choose, compare_answers, measure_memory, race_runtimes
from evaluation.options import VariadicCommand, describe_command, list_versions, tell_figures
from evaluation.progress import show_progress
from evaluation.tables import WIDTH
from twohands.encoding import ParagraphEncoder
from twohands.extras import import_extra
from twohands.locate import find_model
from twohands.manifest import TOKENIZER_NAME, load_manifest
from twohands.openvino_session import import_openvino
from twohands.threads import count_threads

Json = dict[str, Any]


def _ratio(value: float | None) -> str:
    return "too few" if value is None else f"{value:.2f}x"


def _print_runtimes(report: Mapping[str, Any]) -> None:
    """Print the tables of a report in 80 columns.

    Args:
        report: of `bench runtimes`.
    """
    console = Console(width=WIDTH, highlight=False)
    texts = report["texts"]
    print_subject(console, report)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for place, heading in enumerate(
        ("runtime", "threads", "paragraphs/s", "CPU ms", "alone: p50 ms", "CPU ms", "PSS MB")
    ):
        table.add_column(heading, justify="right" if place else "left")
    for threads, race in report["threads"].items():
        for runtime in RUNTIMES:
            row, memory = race[runtime], report["memory"][runtime]
            middle = row["latency"]["p50_ms"]
            table.add_row(
                report["runtimes"][runtime], threads, f"{row['paragraphs_per_s']:,.1f}", f"{row['bulk_cpu_ms']:.1f}",
                "too few" if middle is None else f"{middle:.1f}", f"{row['alone_cpu_ms']:.1f}",
                f"{memory['pss_after_mb']:.0f}" if str(memory["threads"]) == threads else "",
            )  # fmt: skip
        table.add_row(
            "ratio", threads, _ratio(race["bulk_ratio"]), _ratio(race["bulk_cpu_ratio"]), _ratio(race["alone_ratio"])
        )
    console.print(table)
    console.print()
    for head, row in report["answers"].items():
        console.print(
            f"{head}: {row['n_differ']} of {texts['n_texts']} answers differ ({row['share_differ']:.1%}), largest "
            f"change of a score {row['max_score_change']:.3f}"
        )
    verdict = report["verdict"]
    click.echo(f"take --runtime {verdict['take']} here: {verdict['why']}")


@click.command(
    cls=VariadicCommand,
    short_help="Say which runtime to take: ONNX Runtime or OpenVINO.",
    epilog="Example: twohands bench runtimes --model twohands --data my_texts.jsonl",
)
@MODEL
@DATA
@click.option("--threads", type=click.IntRange(1), multiple=True, help="May be repeated; default: 1 and all.")
@click.option("--n-texts", type=click.IntRange(1), default=256, show_default=True, help=N_TEXTS_HELP)
@click.option("--seconds", type=click.FloatRange(0.05), default=10.0, show_default=True, help="For each figure.")
@SEED
@JSON
@REPORT
@click.pass_context
def runtimes(
    ctx: click.Context,
    *,
    model: str | None,
    data: tuple[Path, ...],
    threads: tuple[int, ...],
    n_texts: int,
    seconds: float,
    seed: int,
    as_json: bool,
    report: Path | None,
) -> None:
    """Say which runtime to take on this machine: ONNX Runtime or OpenVINO.

    Both run the same model on the same texts in turn, text to prediction: paragraphs a second in bulk, and one at a
    time. Ratios are of medians, above 1 where OpenVINO is the faster one. Then how often their answers differ, and
    the memory of a fresh process of each. Measure on your own texts: lengths decide what can be run together.
    """
    import_openvino()
    import_extra("onnx", use="bench runtimes", extra="openvino")
    check_report(report)
    machine = describe_machine()
    folder = find_model(model)
    counts = check_threads(threads, default=(1, count_threads()))
    manifest, sha256 = load_manifest(folder)
    encoder = ParagraphEncoder.from_file(folder / TOKENIZER_NAME, manifest.window)
    texts, described = choose_texts(encoder, data, n_texts=n_texts, seed=seed)
    races: dict[str, Json] = {}
    names: dict[str, str] = {}
    with show_progress("measuring", len(counts) + 2) as advance:
        for count in sorted(set(counts)):
            races[str(count)], names = race_runtimes(folder, texts, threads=count, seconds=seconds)
            advance(1)
        answers = compare_answers(folder, texts)
        advance(1)
        memory = measure_memory(folder, texts, threads=max(counts))
        advance(1)
    figures: Json = {
        "model": {"name": manifest.name, "version": manifest.version, "sha256": sha256},
        "machine": add_load_after(machine),
        "texts": described,
        "runtimes": names,
        "threads": races,
        "answers": answers,
        "memory": memory,
        "verdict": choose(races, answers, memory),
        "versions": list_versions("openvino"),
        "command": describe_command(ctx),
    }
    tell_figures(figures, _print_runtimes, as_json=as_json)
    write_report(report, "runtimes.json", figures)
