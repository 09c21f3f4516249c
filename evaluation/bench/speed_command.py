"""Owns the command `bench speed`, and how its figures look in a terminal."""

import random
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
from evaluation.bench.plot import check_plot_extra, draw_speed
from evaluation.bench.speed import (
    Case,
    check_ceiling,
    measure_case,
    measure_ceiling,
    measure_cold_start,
    measure_padding,
    measure_shares,
)
from evaluation.bench.texts import make_paragraph
from evaluation.options import RUNTIME, VariadicCommand, describe_command, list_versions, tell_figures
from evaluation.progress import show_progress
from evaluation.tables import WIDTH
from twohands.classifier import Classifier
from twohands.locate import find_model
from twohands.runtimes import Runtime
from twohands.session import OnnxSession

LENGTHS = (32, 64, 128, 256, 512)
_N_SPECIAL = 2
_N_PER_LENGTH = 16
_CEILING_TOKENS = 128
Json = dict[str, Any]


def _number(value: float | None, digits: int = 1) -> str:
    return "too few" if value is None else f"{value:,.{digits}f}"


def _print_speed(report: Mapping[str, Any]) -> None:
    """Print the tables of a report in 80 columns.

    Args:
        report: of `bench speed`.
    """
    console = Console(width=WIDTH, highlight=False)
    print_subject(console, report)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for place, heading in enumerate(
        ("tokens", "threads", "paragraphs/s", "CPU ms", "alone: CPU ms", "p50 ms", "p90", "p99")
    ):
        table.add_column(heading, justify="right" if place else "left")
    for case in report["cases"]:
        for threads, row in case["threads"].items():
            late = row["latency"]
            table.add_row(
                str(case["tokens"]), threads, _number(row["paragraphs_per_s"]),
                _number(row["bulk_cpu_ms"]), _number(row["alone_cpu_ms"]),
                _number(late["p50_ms"]), _number(late["p90_ms"]), _number(late["p99_ms"]),
            )  # fmt: skip
    console.print(table)
    shares, padding, ceiling = report["shares"], report["padding"], report["ceiling"]
    parts = ", ".join(f"{name} {part['share']:.1%} ({part['ms']:.2f} ms)" for name, part in shares.items())
    console.print(f"\nwhere the time goes (mix, bulk, 1 thread): {parts}")
    console.print(
        f"padding: {padding['padding_share']:.1%} of {padding['n_tokens_computed']:,} computed tokens of the mix"
    )
    for threads, row in (ceiling["threads"] if ceiling else {}).items():
        console.print(
            f"ceiling at {ceiling['tokens']} tokens, {threads} thread{'s'[: threads != '1']}: "
            f"{row['products_ms']:.2f} ms of matrix products ({row['giga_operations_per_s']:.0f} G/s); "
            f"the model reaches {row['model_share_of_ceiling']:.0%} of it, "
            f"text to answer {row['bulk_share_of_ceiling']:.0%} "
            f"({row['bulk_share_of_ceiling_by_cpu']:.0%} by CPU time)"
        )
    cold = report["cold_start"]
    console.print(
        f"a fresh process: first answer after {cold['to_first_answer_ms']:,.0f} ms (import twohands "
        f"{cold['import_package_ms']:.0f}, load {cold['import_and_load_ms']:.0f}); "
        f"memory {cold['rss_after_mb']:.0f} MB with {cold['threads']} thread{'s'[: cold['threads'] != 1]}"
    )


def _make_cases(
    classifier: Classifier, mix: list[str], *, lengths: tuple[int, ...], seed: int
) -> list[tuple[int | str, Case]]:
    """Write the texts of each length; the mix comes last.

    Args:
        classifier: whose tokenizer counts.
        mix: the texts of the mix.
        lengths: tokens with the two special ones.
        seed: of the words.

    Returns:
        Cases with their length.
    """
    generator = random.Random(seed)  # noqa: S311 - sample text, no secret
    cases: list[tuple[int | str, Case]] = []
    for length in lengths:
        texts = [
            make_paragraph(classifier.encoder, length - _N_SPECIAL, generator=generator) for _ in range(_N_PER_LENGTH)
        ]
        cases.append((length, Case(str(length), texts)))
    return [*cases, ("mix", Case("mix", mix))]


def make_ceiling_case(classifier: Classifier, *, seed: int) -> tuple[int, Case]:
    """Write the texts of the ceiling, and see that they fit it before minutes are spent on other figures.

    Args:
        classifier: whose tokenizer counts.
        seed: of the words.

    Returns:
        The tokens of each, 128 or the whole window where that is shorter, and the texts.

    Raises:
        BenchError: this tokenizer cannot make texts of this length.
    """
    length = min(_CEILING_TOKENS, classifier.encoder.rule.max_tokens)
    ((_, case), _) = _make_cases(classifier, [], lengths=(length,), seed=seed)
    check_ceiling(classifier, case, length=length)
    return length, case


@click.command(
    cls=VariadicCommand,
    epilog="""\b
Example:
  twohands bench speed --model twohands --report out/

--report writes speed.json and speed.png.""",
)
@MODEL
@DATA
@click.option("--threads", type=click.IntRange(1), multiple=True, help="May be repeated; default: 1 and 2.")
@click.option(
    "--length", "lengths", type=click.IntRange(4, 4096), multiple=True, help="Tokens; default: 32 to 512, doubling."
)
@click.option("--n-texts", type=click.IntRange(8), default=96, show_default=True, help=f"Of the mix. {N_TEXTS_HELP}")
@click.option("--seconds", type=click.FloatRange(0.05), default=3.0, show_default=True, help="For each figure.")
@RUNTIME
@SEED
@JSON
@REPORT
@click.pass_context
def speed(
    ctx: click.Context,
    *,
    model: str | None,
    data: tuple[Path, ...],
    threads: tuple[int, ...],
    lengths: tuple[int, ...],
    n_texts: int,
    seconds: float,
    runtime: Runtime,
    seed: int,
    as_json: bool,
    report: Path | None,
) -> None:
    """Measure a model in this process, text to prediction.

    For each length and for a fixed mix (some 130 tokens on average): paragraphs a second in bulk, and the latency of
    one paragraph at a time. Then where the time goes, how much of what is computed is padding, how long a fresh
    process takes to its first answer, and its memory.

    The ceiling is this machine's own: the model's very matrix products, alone, in the precision served, through the
    same runtime. What is missing to 100% is all that is no matrix product; with --runtime openvino it is not measured.
    A percentile that the number of measurements cannot carry is not printed (p99 needs 662).
    """
    if report is not None:
        check_plot_extra()
    check_report(report)
    machine = describe_machine()
    folder = find_model(model)
    counts = check_threads(threads, default=(1, 2))
    classifiers = {count: Classifier.load(folder, num_threads=count, runtime=runtime) for count in counts}
    first = classifiers[counts[0]]
    mix, described = choose_texts(first.encoder, data, n_texts=n_texts, seed=seed)
    cases = _make_cases(first, mix, lengths=lengths or LENGTHS, seed=seed)
    ceiling_tokens, at_ceiling = make_ceiling_case(first, seed=seed)
    measured: list[Json] = []
    try:
        with show_progress("measuring", len(cases) + 3) as advance:
            for tokens, case in cases:
                rows = measure_case(classifiers, case, seconds=seconds)
                measured.append({"tokens": tokens, "threads": {str(count): row for count, row in rows.items()}})
                advance(1)
            alone = Classifier.load(folder, num_threads=1, runtime=runtime)
            shares = measure_shares(alone, mix, seconds=seconds)
            padding = measure_padding(alone, mix)
            alone.close()
            advance(1)
            ceiling: Json | None = None
            if isinstance(first.session, OnnxSession):  # the products are taken through that runtime
                ceiling = measure_ceiling(folder, classifiers, at_ceiling, length=ceiling_tokens, seconds=seconds)
                ceiling["threads"] = {str(count): row for count, row in ceiling["threads"].items()}
            advance(1)
            cold_start = measure_cold_start(folder, mix, threads=counts[-1], runtime=runtime)
            advance(1)
    finally:
        for classifier in classifiers.values():
            classifier.close()
    figures: Json = {
        "model": first.identity,
        "runtime": first.session.runtime,
        "graph": first.manifest.graph.model_dump(mode="json"),
        "machine": add_load_after(machine),
        "threads": counts,
        "texts": described,
        "cases": measured,
        "shares": shares,
        "padding": padding,
        "ceiling": ceiling,
        "cold_start": cold_start,
        "versions": list_versions("onnx", first.session.runtime.split()[0]),
        "command": describe_command(ctx),
    }
    tell_figures(figures, _print_speed, as_json=as_json)
    write_report(report, "speed.json", figures)
    if report is not None:
        draw_speed(figures, report / "speed.png")
