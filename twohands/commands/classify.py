"""Owns `twohands classify`: its options, where its output goes, and its exit code."""

import functools
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from twohands import __version__
from twohands.commands.classify_checks import (
    Engine,
    SummaryFile,
    check_answers,
    check_engine,
    check_files,
    choose_format,
    choose_inputs,
    choose_summary,
    list_inputs,
    parse_thresholds,
)
from twohands.commands.classify_summary import open_summaries, sum_up_answers, tell_summary, write_summary
from twohands.interrupts import INTERRUPTED
from twohands.printable import make_printable
from twohands.runtimes import DEFAULT_RUNTIME, Runtime
from twohands.standard_streams import PIPE_CLOSED, drop_stdout

if TYPE_CHECKING:
    from twohands.bulk import Answer, Tally
    from twohands.bulk_summary import Summaries
    from twohands.items import Item
    from twohands.journal import Journal
    from twohands.outputs import Column, Format

_MOST_FAULTS_SHOWN = 20


def _describe_run(inputs: list[Path] | None, **options: object) -> dict[str, object]:
    """What must be the same for a journal to be resumed."""
    from twohands.hashing import sha256_of_file
    from twohands.journal import STANDARD_INPUT

    if inputs is None:
        # It cannot be read again, so no other run is ever the same.
        described: list[list[str]] = [[STANDARD_INPUT, f"read by process {os.getpid()} at {time.time_ns()}"]]
    else:
        described = [[str(path), sha256_of_file(path)] for path in inputs]
    return {"release": __version__, "inputs": described, **options}


class _Report:
    """Tells of rows that cannot be read, and of parts of documents that are not, as they come; of all at the end."""

    def __init__(self, faults: list[str], notes: list[str]) -> None:
        self.n_unreadable = 0
        self._n_notes = 0
        self._faults = faults
        self._notes = notes

    def tell(self, say: Callable[[str], None]) -> None:
        for note in self._notes:
            self._n_notes += 1
            if self._n_notes <= _MOST_FAULTS_SHOWN:
                say(make_printable(note))
        self._notes.clear()
        for fault in self._faults:
            self.n_unreadable += 1
            if self.n_unreadable <= _MOST_FAULTS_SHOWN:
                say(make_printable(f"unreadable: {fault}"))
        self._faults.clear()

    def finish(
        self, tally: "Tally", output: Path | None, summary: SummaryFile | None, summaries: "Summaries | None"
    ) -> int:
        """Say what became of everything, and give the exit code."""
        lines = []
        if (hidden := self._n_notes - _MOST_FAULTS_SHOWN) > 0:
            lines.append(f"{self._n_notes} times a part of a document was not read, {hidden} of them not shown")
        if self.n_unreadable:
            hidden = max(0, self.n_unreadable - _MOST_FAULTS_SHOWN)
            lines.append(f"{self.n_unreadable} could not be read" + (f", {hidden} of them not shown" if hidden else ""))
        if tally.errors:
            counts = ", ".join(f"{code} {count}" for code, count in tally.errors.most_common())
            lines.append(f"{tally.errors.total()} of {tally.n_items} have an error in their place: {counts}")
        if output is not None:
            lines.append(f"classified {tally.n_classified} of {tally.n_items}; written to {output}")
        if summary is not None and summaries is not None:
            lines += tell_summary(summary, summaries)
        for line in lines:
            click.echo(line, err=True)
        return int(self.n_unreadable > 0 or (tally.n_items > 0 and tally.n_classified == 0))


def _write_to_stdout(output_format: "Format", columns: "list[Column]") -> "Callable[[list[Answer]], None]":
    from twohands.outputs import csv_lines, encode_line

    stream = sys.stdout.buffer
    if output_format == "csv":
        stream.write(csv_lines([], columns, has_header=True))

    def write(answers: "list[Answer]") -> None:
        if output_format == "csv":
            stream.write(csv_lines(answers, columns, has_header=False))
        else:
            stream.write(b"".join(map(encode_line, answers)))
        stream.flush()

    return write


def _count(inputs: list[Path] | None, text_column: str) -> int | None:
    """How many items there are; None where finding out costs about as much as the work."""
    from twohands.items import read_items

    if inputs is None or any(path.suffix.lower() == ".pdf" for path in inputs):
        return None
    return sum(1 for _ in read_items(inputs, [], text_column=text_column))


def _open_items(
    inputs: list[Path] | None, faults: list[str], notes: list[str], *, text_column: str, by: str | None
) -> "tuple[set[str], Iterator[Item]]":
    """The suffixes of documents that there are, and the items."""
    from twohands.inputs import is_document
    from twohands.items import read_items, read_stdin

    if inputs is None:
        kind, items = read_stdin(sys.stdin.buffer, faults, text_column=text_column, by=by, notes=notes)
        for note in notes:  # before any work, which may take long
            click.echo(make_printable(note), err=True)
        notes.clear()
        return {kind} - {""}, items
    kinds = {path.suffix.lower() for path in inputs if is_document(path)}
    return kinds, read_items(inputs, faults, text_column=text_column, by=by, notes=notes)


def _go_on(
    items: "Iterator[Item]", *, n_done: int, journal: "Journal | None", summaries: "Summaries | None"
) -> "Iterator[Item]":
    """Pass over what an earlier run classified; for summaries its answers are read once more."""
    lines = journal.lines() if journal is not None else iter(())
    for _, line in zip(itertools.islice(items, n_done), lines, strict=False):  # behind them stand those of this run
        if summaries is not None:
            summaries.add_all([json.loads(line)])
    yield from items


def _run(
    *,
    inputs: list[Path] | None,
    model: str | None,
    output_format: "Format",
    output: Path | None,
    engine: Engine,
    num_actors: int | None,
    threads: int | None,
    runtime: Runtime,
    text_column: str,
    thresholds: dict[str, object],
    with_text: bool,
    explain: bool,
    summary: SummaryFile | None,
    overwrite: bool,
) -> int:
    from twohands.bulk import Tally, classify_chunk, cut_chunks
    from twohands.classifier import Classifier
    from twohands.journal import LATER, hold_output, open_journal
    from twohands.outputs import flat_columns, write_file
    from twohands.progress import show_progress
    from twohands.scores import with_thresholds
    from twohands.taxonomy import check_documents

    faults: list[str] = []
    notes: list[str] = []
    report = _Report(faults, notes)
    with ExitStack() as stack, hold_output(summary.path) if summary else nullcontext():
        classifier = stack.enter_context(closing(Classifier.load(model, num_threads=threads, runtime=runtime)))
        with_thresholds(classifier.taxonomy.heads, classifier.manifest.rules, thresholds)  # fails before any work
        by = summary.by if summary else None
        kinds, items = _open_items(inputs, faults, notes, text_column=text_column, by=by)
        check_documents(classifier.taxonomy, kinds)
        summaries, summary_columns = open_summaries(summary, classifier.taxonomy)  # fails before any work
        if summaries is not None:
            items = summaries.watch(items)
        columns: list[Column] = []
        if output_format != "jsonl":
            columns = flat_columns(
                classifier.taxonomy,
                has_documents=bool(kinds),
                with_text=with_text,
                with_evidence=explain,
                has_pages=".pdf" in kinds,
            )
        journal: Journal | None = None
        if output is not None:
            run = _describe_run(
                inputs,
                model=classifier.identity,
                runtime=classifier.session.runtime,
                text_column=text_column,
                thresholds=thresholds,
                with_text=with_text,
                explain=explain,
            )
            journal = stack.enter_context(closing(open_journal(output, run, overwrite=overwrite)))
        tally = journal.done if journal else Tally()
        if n_done := tally.n_items:
            click.echo(f"going on after {n_done} that an earlier run classified", err=True)
        is_shown = sys.stderr.isatty() and (output is not None or not sys.stdout.isatty())
        total = _count(inputs, text_column) if is_shown else None
        chunks = cut_chunks(_go_on(items, n_done=n_done, journal=journal, summaries=summaries))
        classify = functools.partial(classify_chunk, thresholds=thresholds, with_text=with_text, explain=explain)
        if engine == "ray":
            from twohands.bulk_ray import open_pool

            pool = stack.enter_context(open_pool(classifier, model, num_actors=num_actors))
            answered = pool.classify(chunks, classify)
        else:
            answered = (classify(classifier, chunk) for chunk in chunks)
        with show_progress(is_shown=is_shown, total=total, n_done=n_done) as progress:
            write = journal.append if journal else _write_to_stdout(output_format, columns)
            for answers in answered:
                write(answers)
                if journal is None:
                    tally.add_all(answers)
                if summaries is not None:
                    summaries.add_all(answers)
                progress.advance(len(answers))
                report.tell(progress.say)
            report.tell(progress.say)
        remedy = LATER if journal else ""
        with write_summary(summary, summaries, summary_columns, remedy=remedy):
            if journal is not None and output is not None:
                lines = journal.lines()
                journal.finish(output, lambda path: write_file(path, output_format, lines, columns))
    return report.finish(tally, output, summary, summaries)


@click.command(name="classify", epilog="Answers keep the order of the input. Bad rows never stop a run.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", metavar="DIR", help="A model folder, or the name of one; the released model by default.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["jsonl", "csv", "parquet", "xlsx"]),
    help="By default what --output ends in, else jsonl.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write a file, resumably, instead of standard output.")
@click.option("--threads", type=click.IntRange(min=1), help="Most threads; by default all that this process may use.")
@click.option(
    "--engine",
    type=click.Choice(get_args(Engine)),
    default="local",
    show_default=True,
    help="Where it runs: here, or by Ray on many machines (extra `ray`; RAY_ADDRESS names the cluster).",
)
@click.option(
    "--num-actors", type=click.IntRange(min=1), help="Of --engine ray: processes of one thread; one a CPU by default."
)
@click.option(
    "--runtime",
    type=click.Choice(get_args(Runtime)),
    default=DEFAULT_RUNTIME,
    show_default=True,
    help="What runs the model; openvino is faster on CPUs with AMX, auto takes it there.",
)
@click.option("--text-column", default="text", show_default=True, help="Which column of rows is the text.")
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="LABEL=VALUE",
    callback=parse_thresholds,
    help="Give a topic from this score on, or abstain from a head (stance=0.6) below it. Repeatable.",
)
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write one row a document: balance, shares, counts (.csv, .xlsx, .parquet or .jsonl).",
)
@click.option(
    "--by",
    metavar="COLUMN",
    help="Of --summary: rows that share it (year, source) are one document, or paragraphs of a speaker or section.",
)
@click.option(
    "--answers",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Write the --summary of these answers, and classify nothing. Repeatable.",
)
@click.option("--with-text", is_flag=True, help="Put the text into each answer.")
@click.option("--explain", is_flag=True, help="Say which sentence carries each answer; several times the work.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist, and what another run left of them.")
def command(
    files: tuple[Path, ...],
    model: str | None,
    output_format: "Format | None",
    output: Path | None,
    engine: Engine,
    num_actors: int | None,
    threads: int | None,
    runtime: Runtime,
    text_column: str,
    thresholds: dict[str, object],
    summary: Path | None,
    by: str | None,
    answers: tuple[Path, ...],
    with_text: bool,
    explain: bool,
    overwrite: bool,
) -> None:
    """Classify paragraphs of FILES, of folders (but what is hidden in them), or of standard input.

    Rows come from .jsonl, .ndjson, .csv, .tsv (each also .gz) and .parquet, in the column `text`, and are named by
    their `id`, else FILE:LINE. Documents (.txt, .md, .srt, .vtt, and with the extra `documents` .html, .pdf, .docx and
    .eml) are split into paragraphs, named FILE#NUMBER. Standard input is JSONL if its first line begins with {, else
    one document.

    \b
      twohands classify speeches.csv --output speeches.classified.csv
      twohands classify reports/ --with-text --output reports.jsonl
      twohands classify news.csv --output out.csv --summary years.csv --by year
      echo "The ministry will steer credit to chip makers." | twohands classify

    With --output, work is kept in OUTPUT.partial: the same command goes on where a killed one stopped. A text that
    cannot be classified gets {"id", "error"} in its place. In tables, labels of a head of which any number applies are
    joined by |; a blank beside their scores says that none does.

    --summary has one row a document, with the figures that the service gives of it. Rows are put together by their
    `group`, else by their file; with --by by the column that it names, in the order of its values. --answers sums up
    what an earlier run wrote, beside FILES, which it classified, or alone.

    Exit code: 0 when all was read; 1 when a row or document could not be read (named on standard error, all others
    are written), when nothing at all could be classified, or on an error; 2 for wrong usage; 130 when interrupted.
    """  # noqa: D301 - click wants the character, it keeps the lines that follow as they are
    if output == Path("-"):
        output = None
    try:
        wanted = choose_summary(summary, by)
        if answers:
            wanted = check_answers(click.get_current_context(), wanted)
            found = list_inputs(files) if files else None
            check_files(None, wanted, inputs=[*answers, *(found or [])], overwrite=overwrite)
            inputs = choose_inputs(files, found, text_column=text_column, by=by)
            sys.exit(sum_up_answers(answers, model=model, inputs=inputs, text_column=text_column, summary=wanted))
        check_engine(engine, threads=threads, num_actors=num_actors)
        found = list_inputs(files)
        chosen = choose_format(output_format, output)
        check_files(output, wanted, inputs=found, overwrite=overwrite)
        inputs = choose_inputs(files, found, text_column=text_column, by=by)  # an output among them may lack a text
        code = _run(
            inputs=inputs,
            model=model,
            output_format=chosen,
            output=output,
            engine=engine,
            num_actors=num_actors,
            threads=threads,
            runtime=runtime,
            text_column=text_column,
            thresholds=thresholds,
            with_text=with_text,
            explain=explain,
            summary=wanted,
            overwrite=overwrite,
        )
    except KeyboardInterrupt:
        is_resumable = output is not None and files not in {(), (Path("-"),)}
        hint = "; the same command goes on from here" if is_resumable else ""
        click.echo(f"\ninterrupted{hint}", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        drop_stdout()
        code = PIPE_CLOSED
    sys.exit(code)
