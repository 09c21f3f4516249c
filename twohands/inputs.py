"""Owns which files bulk classification reads, and that each has what it is asked for; knows nothing of their texts."""

import csv
from collections.abc import Collection, Iterable
from pathlib import Path

from twohands.csv_cells import read_csv_header
from twohands.documents import DOCUMENT_SUFFIXES, TEXT_SUFFIXES, import_reader
from twohands.errors import FileReadError
from twohands.examples import expand_paths, read_rows
from twohands.extras import import_pyarrow
from twohands.row_files import (
    ROW_SUFFIXES,
    PackedError,
    find_others,
    plain_suffix,
    read_suffix,
    tell_unusable,
)

PLACES = ("speaker", "section")  # of paragraphs, by which documents can be summed up, too
_REMEDY = "name the right one with --text-column"
_JSONL = {".jsonl", ".ndjson"}
_SHOWN_CHARS = 60
_MAX_NAMES = 20
# What tables of answers and of summaries have, whatever the model.
_ANSWERS, _SUMMARIES = {"id", "n_tokens", "n_windows", "truncated"}, {"document", "n_paragraphs", "n_errors"}


def is_document(path: Path) -> bool:
    """Whether a file is split into paragraphs, rather than read as rows."""
    return path.suffix.lower() in DOCUMENT_SUFFIXES


def _read_columns(path: Path) -> list[str] | None:
    """Names of the columns, where the kind of file has them once for all rows."""
    try:
        if plain_suffix(path) in {".csv", ".tsv"}:
            return read_csv_header(path)
        if path.suffix.lower() == ".parquet":
            return list(import_pyarrow(f"reading {path}").read_schema(path).names)
    except (OSError, ValueError, csv.Error, *PackedError) as error:
        raise FileReadError(f"cannot read {path}: {error}") from error
    return None


def _is_text(path: Path) -> bool:
    """Whether it is a text that was given in the place of a file."""
    has_words = len(str(path).split()) > 1 and read_suffix(path) not in ROW_SUFFIXES + DOCUMENT_SUFFIXES
    return has_words and tell_unusable(path) is not None


def _list_others(path: Path, name: str) -> str:
    """Columns of JSONL of which no row has this one; nothing where one has it, or where there is none to miss it in.

    Each row has its own columns; all are read only where a name is misspelt, which hours of work would go for.
    """
    known = ""
    for row in read_rows(path, []):
        if name in row.cells:
            return ""
        known = known or ", ".join(row.list_columns()[:_MAX_NAMES])
    return known


def _tell_absent(path: Path, name: str, remedy: str) -> str:
    """Say that a file of rows does not have a column, and which it has; nothing where it has, or holds no row."""
    if is_document(path):
        return ""
    columns = _read_columns(path)
    if columns is None:
        known = _list_others(path, name)
        return f"no row of {path} has {name!r}; {remedy}: {known}" if known else ""
    is_absent = bool(columns) and name not in columns
    return f"{path} has no column {name!r}; {remedy}: {', '.join(columns)}" if is_absent else ""


def _may_stand_by(path: Path) -> bool:
    """Whether a file of a folder that has no text may be left out: JSONL, or a table that an earlier run wrote.

    Of another table the text may have another name, by which it would be missed where only a README has its own.
    """
    columns = set(_read_columns(path) or ())
    return plain_suffix(path) in _JSONL or columns >= _ANSWERS or columns >= _SUMMARIES


def refuse_by(by: str) -> FileReadError:
    """Say that documents have no such column."""
    return FileReadError(
        f"--by {by} is a column of rows, and documents have none: leave it out, or name {' or '.join(PLACES)}"
    )


def check_once(files: Iterable[Path], *, why: str) -> None:
    """Refuse files of which two are one.

    Args:
        files: as they were named.
        why: each is read once.

    Raises:
        FileReadError: a file stands twice.
    """
    seen: dict[Path, Path] = {}
    for path in files:
        if earlier := seen.get(path.resolve()):
            what = "is given twice" if earlier == path else f"is the same file as {earlier}, which is given, too"
            raise FileReadError(f"{path} {what}; each input is read once, {why}")
        seen[path.resolve()] = path


def expand_inputs(paths: Iterable[Path]) -> list[Path]:
    """Expand folders, and refuse what can be seen to be no input without opening it.

    Args:
        paths: files and folders.

    Returns:
        Files in order, each once.

    Raises:
        FileReadError: a path is missing or of an unknown kind, or stands twice.
    """
    paths = list(paths)
    if text := next(filter(_is_text, paths), None):
        raise FileReadError(
            f"there is no file {str(text)[:_SHOWN_CHARS]!r}; to classify a text itself, pipe it in: "
            "echo TEXT | twohands classify"
        )
    files = expand_paths(paths, ROW_SUFFIXES + DOCUMENT_SUFFIXES)
    check_once(files, why="so that ids stay unique")
    return files


def check_inputs(
    files: Iterable[Path],
    *,
    text_column: str,
    by: str | None = None,
    remedy: str = _REMEDY,
    named: Collection[Path] | None = None,
) -> list[Path]:
    """Refuse what can be seen to fail before anything is classified.

    Args:
        files: as `expand_inputs` gives them.
        text_column: which column of rows is the text.
        by: which column they are summed up by, where one was named.
        remedy: what the message says to do where there is no such text.
        named: paths that were named themselves; None where all are as good as named. Of others, JSONL without a text,
            and earlier answers and summaries beside what they were given of, stop none that has one.

    Returns:
        The files, without those that are left out.

    Raises:
        FileReadError: a file has no such columns, or cannot be read; documents alone are to be summed up by one.
        MissingExtraError: a file needs a package that is not installed.
    """
    kept, left_out = [], []
    for path in files:
        if fault := _tell_absent(path, text_column, remedy):
            if named is None or path in named or not _may_stand_by(path):
                raise FileReadError(fault)
            left_out.append(fault)
            continue
        if by is not None and (fault := _tell_absent(path, by, "name the right one with --by")):
            raise FileReadError(fault)
        kept.append(path)
    if left_out and not kept:
        raise FileReadError(left_out[0])
    if by is not None and by not in PLACES and kept and all(map(is_document, kept)):
        raise refuse_by(by)
    for suffix in sorted({path.suffix.lower() for path in kept if is_document(path)} - set(TEXT_SUFFIXES)):
        import_reader(suffix)
    return kept


def find_inputs(paths: Iterable[Path], *, text_column: str, by: str | None = None, remedy: str = _REMEDY) -> list[Path]:
    """Expand folders, and refuse what can be seen to fail, without leaving anything out.

    Args:
        paths: as of `expand_inputs`.
        text_column: as of `check_inputs`.
        by: as there.
        remedy: as there.

    Returns:
        Files in order, each once.

    Raises:
        FileReadError: as by these two.
        MissingExtraError: a file needs a package that is not installed.
    """
    return check_inputs(expand_inputs(paths), text_column=text_column, by=by, remedy=remedy)


def find_unread(paths: Iterable[Path]) -> list[Path]:
    """Find the files of folders that `expand_inputs` passes over, as they are of another kind.

    Args:
        paths: as there.

    Returns:
        Files in order of name, folder by folder.
    """
    return [other for path in paths if path.is_dir() for other in find_others(path, ROW_SUFFIXES + DOCUMENT_SUFFIXES)]
