"""Owns what `twohands classify` refuses before anything is read: options that do not fit, files that may not be."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from twohands.printable import make_printable

if TYPE_CHECKING:
    from twohands.outputs import Format

Engine = Literal["local", "ray"]

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class SummaryFile:
    """Where a summary of each document is to be written, how, and which column rows are put together by."""

    path: Path
    format: "Format"
    by: str | None


def parse_thresholds(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, object]:
    """Read LABEL=VALUE, each label once."""
    thresholds: dict[str, object] = {}
    for value in values:
        label, _, number = value.rpartition("=")
        is_twice = label in thresholds
        try:
            thresholds[label] = float(number)
        except ValueError:
            label = ""
        if not label:
            raise click.BadParameter(f"{value!r} is not LABEL=VALUE, for example regulation=0.6", ctx, param)
        if is_twice:  # only the last would count
            raise click.BadParameter(f"{label!r} is given twice; give it once", ctx, param)
    return dict(sorted(thresholds.items()))  # the order does not make another run


def list_inputs(files: tuple[Path, ...]) -> list[Path] | None:
    """Files to read, those of folders too; None for standard input."""
    from twohands.inputs import expand_inputs

    if Path("-") in files and len(files) > 1:
        raise click.UsageError("'-' is standard input and stands alone")
    if files and files != (Path("-"),):
        return expand_inputs(files)
    if not files and sys.stdin.isatty():
        raise click.UsageError("nothing to classify: name a FILE, or pipe text or JSONL into this command")
    return None


def _tell_files(what: str, paths: list[Path]) -> None:
    names = ", ".join(str(path) for path in paths[:_MOST_NAMES]) + ", …" * (len(paths) > _MOST_NAMES)
    click.echo(make_printable(f"{what}: {names}"), err=True)


def choose_inputs(
    files: tuple[Path, ...], found: list[Path] | None, *, text_column: str, by: str | None
) -> list[Path] | None:
    """Those of the files that were found that are read, with a line on those of folders that are not, and why."""
    from twohands.inputs import check_inputs, find_unread
    from twohands.journal import is_journal

    if found is None:
        return None
    inputs = check_inputs(found, text_column=text_column, by=by, named=files)
    if unread := [path for path in find_unread(files) if not is_journal(path)]:
        what = "1 file of another kind is" if len(unread) == 1 else f"{len(unread)} files of other kinds are"
        _tell_files(f"{what} not read", unread)
    read = set(inputs)
    if left_out := [path for path in found if path not in read]:
        what, whose = ("1 file is", "it") if len(left_out) == 1 else (f"{len(left_out)} files are", "them")
        _tell_files(f"{what} left out, as no row of {whose} has {text_column!r} (--text-column)", left_out)
    return inputs


def choose_format(output_format: "Format | None", output: Path | None, *, option: str = "--output") -> "Format":
    """How a file is written, by what was asked for, else by its name; `option` is that which named it."""
    from twohands.extras import import_pyarrow
    from twohands.outputs import FORMAT_BY_SUFFIX, NOT_WRITTEN

    if output is not None and output.suffix.lower() == ".gz":  # with --format, too: nothing would unpack it
        raise click.UsageError(
            f"{option} {output} ends in .gz, but output is not packed; pack it afterwards: gzip FILE"
        )
    if output is not None and output_format is None and output.suffix.lower() in NOT_WRITTEN:
        remedy = ", or say by --format what it is to hold" if option == "--output" else ""
        raise click.UsageError(
            f"{option} {output} ends in {output.suffix}, which is not written; end it in .csv, .xlsx, .parquet or "
            f".jsonl{remedy}"
        )
    chosen = output_format or (FORMAT_BY_SUFFIX.get(output.suffix.lower(), "jsonl") if output else "jsonl")
    if chosen in {"parquet", "xlsx"} and output is None:
        raise click.UsageError(f"{chosen.title()} cannot be written to standard output; pass --output FILE")
    if chosen == "parquet":
        import_pyarrow("writing Parquet")
    return chosen


def check_engine(engine: Engine, *, threads: int | None, num_actors: int | None) -> None:
    """Refuse options of the other engine, and Ray where it is not installed, before anything is read."""
    if engine == "local":
        if num_actors is not None:
            raise click.UsageError("--num-actors is of --engine ray; --threads bounds the local engine")
        return
    from twohands.bulk_ray import import_ray

    if threads is not None:
        raise click.UsageError("--threads is of --engine local; with ray each actor has one: pass --num-actors")
    import_ray()


def choose_summary(path: Path | None, by: str | None) -> SummaryFile | None:
    """How summaries are written; None where none are wanted."""
    if path is None:
        if by is not None:
            raise click.UsageError("--by is of --summary; pass --summary FILE")
        return None
    if path == Path("-"):
        raise click.UsageError("--summary is a file; standard output is for answers")
    return SummaryFile(path, choose_format(None, path, option="--summary"), by)


def check_answers(ctx: click.Context, summary: SummaryFile | None) -> SummaryFile:
    """Refuse options that say how to classify, where nothing is, and files of answers that would be counted wrong."""
    from twohands.examples import expand_paths
    from twohands.inputs import check_once

    allowed = {"files", "model", "text_column", "summary", "by", "answers", "overwrite"}
    for param in ctx.command.params:
        if param.name not in allowed and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[0]} says how to classify, and --answers classifies nothing")
    if Path("-") in ctx.params["files"]:
        raise click.UsageError("standard input is read once; name the files that were classified, or none")
    if summary is None:
        raise click.UsageError("--answers is of --summary; pass --summary FILE")
    check_once(expand_paths(ctx.params["answers"]), why="so that no answer counts twice")
    return summary


def check_files(
    output: Path | None, summary: SummaryFile | None, *, inputs: list[Path] | None, overwrite: bool
) -> None:
    """Refuse files to be that would destroy something, or each other."""
    from twohands.errors import RunConflictError
    from twohands.journal import check_output, journal_path

    if output is not None:
        check_output(output, inputs or [], overwrite=overwrite)
    if summary is None:
        return
    check_output(summary.path, inputs or [], overwrite=overwrite, option="--summary")
    if output is not None and summary.path.resolve() in {output.resolve(), journal_path(output).resolve()}:
        raise RunConflictError(f"{summary.path} is for the answers; choose another --summary")
