"""Owns the command `twohands corrections`: list, show, accept, reject, export, purge, and the migrations."""

import os
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from serving.corrections.address import Address, check_address, read_address
from serving.corrections.schemas import STATUSES, Correction, Status
from twohands.errors import ConfigError, CorrectionNotFoundError, CorrectionsUnavailableError, FileWriteError
from twohands.manifest import Manifest, load_manifest
from twohands.paragraphs import normalise
from twohands.prediction import OneOf, read_prediction

if TYPE_CHECKING:
    from serving.corrections.exports import ExportFormat
    from serving.corrections.store import Store

_Command = Callable[..., None]
_SECONDS_BY_UNIT = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_AT_ONCE = 200

_DATABASE = click.option(
    "--database",
    metavar="URL",
    envvar="TWOHANDS_SERVE_CORRECTIONS",
    show_envvar=True,
    help="Where they are kept, as for `twohands serve --corrections`; a SQLite file in the user's data folder if not "
    "given.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Everything that is kept, one JSON object a line.")


class _Age(click.ParamType[int]):
    """`90d`, `12h` or `2w` -> seconds."""

    name = "AGE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read one age."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([hdw])", str(value))
        if found is None:
            self.fail(f"{value!r} is no age; expected a number and h, d or w, such as 90d", param, ctx)
        return int(found[1]) * _SECONDS_BY_UNIT[found[2]]


def _find_database(database: str | None) -> Address | None:
    try:
        return read_address(check_address(database))
    except ValueError as error:
        raise ConfigError("--database is no database of corrections", [str(error)]) from error


def _read_database(database: str | None) -> Address:
    address = _find_database(database)
    if address is None:
        raise ConfigError("there is nothing to do", ["corrections are off; name their database with --database"])
    return address


@contextmanager
def _open_store(database: str | None, *, is_made: bool = False) -> "Iterator[Store]":
    """The store, whose failures are told here with their reason: who runs this command runs the database."""
    from serving.corrections.store import Store  # lazy: loads SQLAlchemy

    address = _read_database(database)
    if not is_made and not address.exists:  # of a name that is misspelt, or of another user, nothing would be listed
        raise CorrectionsUnavailableError(
            f"there is no database {address.describe()}; name the right one with --database. A service makes it when "
            "it keeps its first correction, `twohands corrections migrate` at once",
            reason="the file does not exist",
        )
    with closing(Store(address)) as store:
        try:
            yield store
        except CorrectionsUnavailableError as error:
            message = f"{address.describe()}: {error}; {error.reason}"
            raise CorrectionsUnavailableError(message, reason=error.reason) from error


def _describe_labels(labels: object) -> str:
    """`stance=neutral topics=sanctions,regulation`; a list without labels is `-`."""
    if not isinstance(labels, dict):
        return "-"
    given = {name: words if isinstance(words, list) else [words] for name, words in labels.items() if words is not None}
    return " ".join(f"{name}={','.join(map(str, words)) or '-'}" for name, words in given.items())


def _describe_answer(correction: Correction) -> str:
    if correction.prediction is None:
        return "not kept"
    heads = read_prediction(correction.prediction).heads
    return _describe_labels({n: a.label if isinstance(a, OneOf) else a.labels for n, a in heads.items()})


def _shorten(text: str) -> str:
    # Normalised: a stored text must not steer the terminal.
    return textwrap.shorten(normalise(text), width=shutil.get_terminal_size().columns - 4, placeholder=" …")


def _describe_line(correction: Correction) -> str:
    when = correction.created.strftime("%Y-%m-%d %H:%M")
    first = f"{correction.id}  {correction.status:<8}  {when}"
    return f"{first}\n    {_describe_labels(correction.labels)}\n    {_shorten(correction.text)}"


@click.group(name="corrections", context_settings={"help_option_names": ["-h", "--help"]})
def corrections() -> None:
    """Review, export and purge what readers corrected.

    A service keeps a correction only when a reader saves it. Accepted ones are exported as rows that
    `twohands train` reads as they stand, or as Label Studio tasks.

    \b
    twohands corrections list --status pending
    twohands corrections accept 01a21384-194b-77b3-b304-a2a03368d4cc
    twohands corrections export --output corrections.jsonl
    twohands corrections purge --status rejected --older-than 90d
    """  # noqa: D301 - click wants a real backspace


@corrections.command(name="list", short_help="List corrections, the latest first.")
@_DATABASE
@click.option("--status", type=click.Choice(STATUSES), help="Only these; all if not given.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Most that are shown.")
@_JSON
def list_command(database: str | None, status: Status | None, limit: int, *, as_json: bool) -> None:
    """List corrections, the latest first: id, status, time (UTC), labels, and the beginning of the text."""
    n_shown, after, total = 0, None, 0
    with _open_store(database) as store:
        while n_shown < limit:
            found, total, after = store.list_page(status=status, limit=min(_AT_ONCE, limit - n_shown), after=after)
            for correction in found:
                click.echo(correction.model_dump_json() if as_json else _describe_line(correction))
            n_shown += len(found)
            if after is None:
                break
    of_which = f" that are {status}" if status else ""
    more = "; --limit shows more" if n_shown < total else ""
    click.echo(f"{n_shown} of {total} corrections{of_which}{more}", err=True)


@corrections.command(name="show")
@click.argument("correction_id", metavar="ID")
@_DATABASE
@_JSON
def show_command(correction_id: str, database: str | None, *, as_json: bool) -> None:
    """Show one correction in full, beside what the model answered."""
    with _open_store(database) as store:
        kept = store.get(correction_id)
    if as_json:
        click.echo(kept.model_dump_json())
        return
    model = f"{kept.model.name} {kept.model.version} (sha256 {kept.model.sha256[:12]})" if kept.model else "not kept"
    told = {
        "id": kept.id,
        "status": kept.status,
        "saved": f"{kept.created:%Y-%m-%d %H:%M:%S} UTC" + (f" with key {kept.created_by}" if kept.created_by else ""),
        "changed": f"{kept.updated:%Y-%m-%d %H:%M:%S} UTC"
        + (f" with key {kept.updated_by}" if kept.updated_by else ""),
        "right": _describe_labels(kept.labels) + (f"; set with key {kept.annotator}" if kept.annotator else ""),
        "answered": _describe_answer(kept),
        "model": model,
        "confidence": f"{kept.confidence} of 3" if kept.confidence else None,
        "source": kept.source,
        "group": kept.group,
        "note": kept.note,
        "text": kept.text,
    }
    width = max(40, shutil.get_terminal_size().columns)
    for name, value in told.items():
        if value is not None and value.strip():
            lines = textwrap.wrap(normalise(value), width=width - 12) or [""]
            click.echo("\n".join(f"{name if not i else '':<12}{line}" for i, line in enumerate(lines)))


def _decide(ids: tuple[str, ...], database: str | None, status: Status, *, is_all: bool) -> None:
    if bool(ids) == is_all:
        raise click.UsageError("give the IDs of corrections, or --all-pending")
    with _open_store(database) as store:
        if is_all:
            n_decided = store.decide_pending(status)
        else:
            if unknown := store.set_status(ids, status):
                raise CorrectionNotFoundError(
                    f"nothing was changed: no correction has the id {', '.join(map(repr, unknown[:5]))}; "
                    "`twohands corrections list` shows them"
                )
            n_decided = len(set(ids))
    click.echo(f"{status} {n_decided} correction{'s'[: n_decided != 1]}", err=True)


_IDS = click.argument("ids", metavar="[ID]...", nargs=-1)
_ALL_PENDING = click.option("--all-pending", "is_all", is_flag=True, help="All that nobody has reviewed.")


@corrections.command(name="accept")
@_IDS
@_ALL_PENDING
@_DATABASE
def accept_command(ids: tuple[str, ...], database: str | None, *, is_all: bool) -> None:
    """Accept corrections, so that they are exported."""
    _decide(ids, database, "accepted", is_all=is_all)


@corrections.command(name="reject")
@_IDS
@_ALL_PENDING
@_DATABASE
def reject_command(ids: tuple[str, ...], database: str | None, *, is_all: bool) -> None:
    """Reject corrections; they stay until they are purged."""
    _decide(ids, database, "rejected", is_all=is_all)


@contextmanager
def _open_output(output: Path) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all, readable by its owner alone; standard output for `-`."""
    if str(output) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    temporary = None
    try:
        number, temporary = tempfile.mkstemp(prefix=f".{output.name}-", dir=output.parent)
        with os.fdopen(number, "wb") as stream:
            yield stream
        Path(temporary).replace(output)
        temporary = None
    except OSError as error:
        raise FileWriteError(f"cannot write {output}: {error.strerror}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _list_unfit(database: str | None, manifest: Manifest) -> list[str]:
    """What in the corrections is none of a model's; of any status: who sets a project up has reviewed none yet."""
    from serving.corrections.exports import list_unfit

    address = _find_database(database)
    if address is None:
        return []
    if not address.exists:  # a project is set up before anything is corrected
        click.echo(f"there is no database {address.describe()} yet that the config could fit", err=True)
        return []
    with _open_store(database) as store:
        return list_unfit(store.list_labels(), manifest.taxonomy)


def _export_config(database: str | None, output: Path, model: str | None) -> None:
    """Corrections of other labels do not fit the config: refused, or told of behind it where somebody chose a model."""
    from serving.corrections.exports import make_label_config
    from twohands.locate import find_model

    _find_database(database)  # a wrong address is refused before anything is written
    manifest, _ = load_manifest(find_model(model))
    what = f"some corrections have other labels than the model {manifest.name!r}"
    if model is None and (unfit := _list_unfit(database, manifest)):
        raise ConfigError(f"{what}; say with --model whose labels the config is to offer", unfit)
    with _open_output(output) as stream:
        stream.write(make_label_config(manifest.taxonomy).encode())
    if model is None:
        return
    try:
        unfit = _list_unfit(database, manifest)
    except CorrectionsUnavailableError as error:  # a config of a chosen model needs no corrections
        click.echo(f"whether the corrections fit the config is not known: {error}", err=True)
        return
    if unfit:
        click.echo(f"{what}, so that their tasks do not fit the config: {'; '.join(unfit)}", err=True)


def _leave_out_unknown(corrections: Iterable[Correction], left_out: list[str]) -> Iterator[Correction]:
    """Pass on what has an annotator: one that has none made `agreement` refuse the whole file."""
    for correction in corrections:
        if correction.annotator is None:
            left_out.append(correction.id)
        else:
            yield correction


@corrections.command(name="export", short_help="Export corrections, one for each text.")
@_DATABASE
@click.option(
    "--format",
    "export_format",
    type=click.Choice(["jsonl", "label-studio", "label-studio-config"]),
    default="jsonl",
    show_default=True,
    help="Rows for `twohands train`; tasks to import into Label Studio; or the labelling config that these fit.",
)
@click.option(
    "--status", type=click.Choice([*STATUSES, "all"]), default="accepted", show_default=True, help="Which of them."
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default="-", help="A file; - is standard output."
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@click.option("--model", metavar="NAME_OR_DIR", help="Whose labels the config offers; the released one if not given.")
@click.option("--by-reader", is_flag=True, help="One for each text and API key that set labels, to compare readers.")
def export_command(
    database: str | None,
    export_format: str,
    status: str,
    output: Path,
    model: str | None,
    *,
    overwrite: bool,
    by_reader: bool,
) -> None:
    """Export corrections, one for each text: that whose labels were set last.

    Rows have an `annotator`, the id of the API key that set their labels, where keys are asked for.

    \b
    twohands corrections export --output my_rows/corrections.jsonl
    twohands corrections export --status all --by-reader --output codes.jsonl
    twohands agreement --data codes.jsonl --item text --head stance
    twohands corrections export --format label-studio --output tasks.json
    twohands corrections export --format label-studio-config --output config.xml
    """  # noqa: D301 - click wants a real backspace
    from serving.corrections.exports import write_export
    from twohands.journal import check_output

    if str(output) != "-":
        check_output(output, [], overwrite=overwrite)
    if export_format == "label-studio-config":
        if by_reader:
            raise click.UsageError("--by-reader is of corrections, and the config has none")
        _export_config(database, output, model)
        return
    chosen = None if status == "all" else cast("Status", status)
    wanted = cast("ExportFormat", export_format)  # click let nothing else through
    left_out: list[str] = []
    with _open_store(database) as store, _open_output(output) as stream:
        found = store.iterate_latest(status=chosen, by_reader=by_reader)
        found = _leave_out_unknown(found, left_out) if by_reader else found
        n_written = write_export(found, stream, export_format=wanted)
    of_which = "" if status == "all" else f" that {'is' if n_written == 1 else 'are'} {status}"
    click.echo(f"exported {n_written} correction{'s'[: n_written != 1]}{of_which}", err=True)
    if left_out:
        click.echo(
            f"left out {len(left_out)}, of which nobody knows who set the labels: no API key was asked for, or they "
            "were set anew and the correction was changed again",
            err=True,
        )


@corrections.command(name="purge")
@_DATABASE
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@click.option("--older-than", "age_s", type=_Age(), help="Only those saved longer ago, such as 90d, 12h or 2w.")
@click.option("--all", "is_all", is_flag=True, help="Every one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge_command(database: str | None, status: Status | None, age_s: int | None, *, is_all: bool, yes: bool) -> None:
    """Delete corrections for good; asks first, with their number.

    A SQLite file is overwritten where they stood. Backups, exports and the logs of a PostgreSQL server are not
    reached from here.
    """
    if is_all == (status is not None or age_s is not None):
        raise click.UsageError("say which: --status, --older-than or both, or --all")
    before = None if age_s is None else datetime.now(UTC) - timedelta(seconds=age_s)
    with _open_store(database) as store:
        n_chosen = store.count(status=status, before=before)
        if n_chosen and not yes:
            where = store.address.describe()
            click.confirm(
                f"Delete {n_chosen} correction{'s'[: n_chosen != 1]} in {where} for good?", abort=True, err=True
            )
        n_deleted = store.purge(status=status, before=before)  # also of none: SQLite's log may hold some from before
    click.echo(f"deleted {n_deleted} correction{'s'[: n_deleted != 1]}", err=True)


@corrections.command(name="migrate")
@_DATABASE
def migrate_command(database: str | None) -> None:
    """Bring the database to this version, or make it.

    `twohands serve` does this too, when it starts; of several processes one does it and the others wait.
    """
    with _open_store(database, is_made=True) as store:
        before, after = store.prepare()
        where = store.address.describe()
    if before == after:
        click.echo(f"{where} is at {after} already")
    else:
        click.echo(f"brought {where} from {before or 'nothing'} to {after}")
