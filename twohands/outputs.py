"""Owns how answers are written: JSON lines as they are, CSV, Parquet and Excel with one flat column for each figure."""

import csv
import importlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from twohands.bulk import Answer
from twohands.errors import ConfigError
from twohands.extras import import_pyarrow
from twohands.row_files import PACKED
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.xlsx import write_xlsx

Format = Literal["jsonl", "csv", "parquet", "xlsx"]
FORMAT_BY_SUFFIX: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}
# JSON lines under such a name would be read as a broken table, or as one JSON value that ends after its first line.
NOT_WRITTEN = frozenset({".tsv", ".xls", ".ods", ".json"})
NOT_JSON_LINES = NOT_WRITTEN | {suffix for suffix, held in FORMAT_BY_SUFFIX.items() if held != "jsonl"} | {PACKED}
_ROWS_PER_GROUP = 10_000
_ROW_END = "\r\n"


@dataclass(frozen=True, slots=True)
class Column:
    """One flat column: its name, its type in Arrow's words, and the keys that lead to its value in an answer."""

    name: str
    type: Literal["string", "int64", "float64", "bool"]
    path: tuple[str, ...]


def encode_line(value: object) -> bytes:
    """Write one JSON line in UTF-8; a lone surrogate, which UTF-8 cannot hold, becomes its JSON escape."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _evidence_columns(head: Head) -> list[Column]:
    """The sentence that carries an answer, and how far the score falls without it."""
    places: dict[str, tuple[str, ...]] = {f"{head.name}_evidence": ("evidence", head.name)}
    if head.problem_type is ProblemType.ANY_OF:
        places = {f"{head.name}_evidence_{label}": ("evidence", head.name, label) for label in head.label_names}
    columns = []
    for name, path in places.items():
        columns.append(Column(name, "string", (*path, "sentence")))
        columns.append(Column(f"{name}_drop", "float64", (*path, "drop")))
    return columns


def check_columns(columns: Iterable[Column], *, remedy: str) -> None:
    """Refuse columns of which two have one name.

    Args:
        columns: of a table.
        remedy: what to do instead.

    Raises:
        ConfigError: the names of heads and labels make two columns of one name.
    """
    names = [column.name for column in columns]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"these columns would stand twice; {remedy}", repeated)


def flat_columns(
    taxonomy: Taxonomy, *, has_documents: bool, with_text: bool, with_evidence: bool = False, has_pages: bool = False
) -> list[Column]:
    """Lay out the columns of CSV and Parquet.

    Args:
        taxonomy: the model's heads.
        has_documents: whether any input is a document.
        with_text: whether answers carry their text.
        with_evidence: whether they carry the sentences that speak for them.
        has_pages: whether any input is a PDF.

    Returns:
        Columns in order: where, labels and scores per head, evidence, what was read, warnings, error.

    Raises:
        ConfigError: the names of heads and labels make two columns of one name.
    """
    columns = [Column("id", "string", ("id",))]
    if has_documents:
        columns.append(Column("document", "string", ("document",)))
        columns += [Column(name, "int64", (name,)) for name in ("paragraph", "start", "end")]
    if has_pages:
        columns.append(Column("page", "int64", ("page",)))
    if has_documents:
        columns += [Column(name, "string", (name,)) for name in ("section", "speaker")]
    if with_text:
        columns.append(Column("text", "string", ("text",)))
    for head in taxonomy.heads:
        if head.problem_type is ProblemType.ONE_OF:
            columns += [
                Column(head.name, "string", (head.name, "label")),
                Column(f"{head.name}_score", "float64", (head.name, "score")),
                Column(f"{head.name}_abstained", "bool", (head.name, "abstained")),
            ]
        else:
            columns.append(Column(head.name, "string", (head.name, "labels")))
        columns += [
            Column(f"{head.name}_score_{label}", "float64", (head.name, "scores", label)) for label in head.label_names
        ]
    if with_evidence:
        columns += [column for head in taxonomy.heads for column in _evidence_columns(head)]
    columns += [Column(name, "int64", (name,)) for name in ("n_tokens", "n_windows", "n_tokens_cut")]
    columns.append(Column("truncated", "bool", ("truncated",)))
    columns.append(Column("warnings", "string", ("warnings",)))
    columns += [Column(f"error_{part}", "string", ("error", part)) for part in ("code", "message")]
    check_columns(columns, remedy="choose --format jsonl")
    return columns


def flatten(answer: Answer, columns: Iterable[Column]) -> list[object]:
    """Give the cells of one answer.

    Args:
        answer: as `twohands.bulk.classify_chunk` gives it.
        columns: as `flat_columns` gives them.

    Returns:
        One value a column; labels of an any-of head, and warnings, joined by `|`; None where the answer has nothing.
    """
    cells: list[object] = []
    for column in columns:
        value: Any = answer
        for key in column.path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, list):
            value = "|".join(value)
        # Lone surrogates come from broken JSON escapes or file names; no table can hold them.
        cells.append(value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value)
    return cells


class _Rows:
    """Gathers what `csv.writer` writes, a row at a time, each ended by a line feed alone.

    The writer is told that rows end in both marks: before 3.13 Python quotes a lone carriage return only if its rows
    end in one, and readers take one that is not quoted for the end of the row.
    """

    def __init__(self) -> None:
        self._written: list[str] = []
        self.writer = csv.writer(self, lineterminator=_ROW_END)

    def write(self, row: str) -> None:
        self._written.append(row.removesuffix(_ROW_END) + "\n")

    def encode(self) -> bytes:
        return "".join(self._written).encode("utf-8")


def csv_lines(answers: Iterable[Answer], columns: list[Column], *, has_header: bool) -> bytes:
    """Write rows of CSV; True and False as JSON spells them, None as an empty cell."""
    rows = _Rows()
    if has_header:
        rows.writer.writerow(column.name for column in columns)
    for answer in answers:
        cells = flatten(answer, columns)
        rows.writer.writerow(str(cell).lower() if isinstance(cell, bool) else cell for cell in cells)
    return rows.encode()


def _write_parquet(path: Path, answers: Iterator[Answer], columns: list[Column]) -> None:
    parquet = import_pyarrow("writing Parquet")
    arrow = importlib.import_module("pyarrow")
    schema = arrow.schema([(column.name, getattr(arrow, column.type.replace("bool", "bool_"))()) for column in columns])
    with parquet.ParquetWriter(path, schema) as writer:
        while held := list(itertools.islice(answers, _ROWS_PER_GROUP)):
            rows = [flatten(answer, columns) for answer in held]
            by_column = zip(zip(*rows, strict=True), schema, strict=True)
            arrays = [arrow.array(cells, type=kind.type) for cells, kind in by_column]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def write_file(path: Path, output_format: Format, lines: Iterator[bytes], columns: list[Column]) -> None:
    """Write a whole file.

    Args:
        path: replaced if it exists.
        output_format: how.
        lines: answers in order, as `encode_line` writes them.
        columns: for all but JSON lines.

    Raises:
        OSError: the file cannot be written.
        FileWriteError: there are more rows than a sheet of Excel holds.
        MissingExtraError: Parquet without pyarrow.
    """
    answers = (json.loads(line) for line in lines)
    if output_format == "parquet":
        _write_parquet(path, answers, columns)
        return
    if output_format == "xlsx":
        write_xlsx(path, [column.name for column in columns], (flatten(answer, columns) for answer in answers))
        return
    with path.open("wb") as stream:
        if output_format == "jsonl":
            stream.writelines(lines)
            return
        stream.write(csv_lines([], columns, has_header=True))
        while held := list(itertools.islice(answers, _ROWS_PER_GROUP)):
            stream.write(csv_lines(held, columns, has_header=False))
