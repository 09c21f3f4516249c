"""Owns what a labelled row is: rows of a file -> checked `Example`s, with every fault named by file and line.

Reads JSONL, CSV, TSV and Parquet, whole or nothing. Readers stream, so that bulk classification shares them.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from twohands.csv_cells import find_whole_columns, read_csv_cells
from twohands.errors import DataError, FileReadError, InputError
from twohands.extras import import_pyarrow
from twohands.hashing import sha256_of_list
from twohands.json_cells import read_json_cells
from twohands.open_cells import is_open, is_unlabelled
from twohands.paragraphs import normalise
from twohands.row_faults import (
    LabelWordsError,
    RowError,
    advise_taxonomy,
    advise_unlabelled,
    tell_case,
    tell_columns,
    tell_faults,
    tell_no_words,
    tell_once,
    tell_unknown,
    tell_unlabelled,
)
from twohands.row_files import (
    ROW_SUFFIXES,
    PackedError,
    find_files,
    plain_suffix,
    read_byte_pieces,
    read_parquet_cells,
    read_suffix,
    show_unread,
    tell_remedy,
    tell_unread,
    tell_unusable,
)
from twohands.sheets import unguard
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.values import NAMES, is_name, read_names, read_whole

NOT_LABELLED = -100.0
_TRUTHS = ("True", "False", "TRUE", "FALSE")  # as pandas and spreadsheets write them into CSV

Labels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """One raw row: its cells, where it stood, and the names of its columns where the cells do not show them all."""

    cells: Mapping[str, object]
    place: str
    columns: tuple[str, ...] = ()

    def list_columns(self) -> tuple[str, ...]:
        """Names of the columns, as the file has them."""
        return self.columns or tuple(map(str, self.cells))


@dataclass(frozen=True, slots=True)
class Example:
    """A paragraph and its labels.

    `labels` maps each head to label words: exactly one for a one-of head, any number for an any-of head, or None
    where the row is not labelled for it. `columns` keeps what else the row held, for slices. `place` is file and line,
    for messages.
    """

    id: str
    paragraph: str
    labels: Mapping[str, tuple[str, ...] | None]
    source: str
    group: str
    columns: Mapping[str, object] = field(default_factory=dict)
    place: str = field(default="", compare=False)


def read_jsonl_lines(pieces: Iterable[bytes], name: str, faults: list[str]) -> Iterator[Row]:
    """Stream the rows of JSONL.

    Args:
        pieces: as of `read_pieces`, in UTF-8, or in UTF-16 or UTF-32 with its byte order mark.
        name: how places are named.
        faults: lines that cannot be read, or are too long, are described here and passed over.

    Yields:
        Raw rows.
    """
    for place, cells in read_json_cells(pieces, name, faults):
        yield Row(read_names(cells), place)


def _read_jsonl(path: Path, faults: list[str]) -> Iterator[Row]:
    yield from read_jsonl_lines(read_byte_pieces(path), str(path), faults)


def _read_csv(path: Path, faults: list[str]) -> Iterator[Row]:
    whole = find_whole_columns(path, NAMES)
    try:
        for place, cells, header in read_csv_cells(path, faults):
            yield Row(read_names(unguard(cells, header), whole=whole), place, header)
    except UnicodeDecodeError as error:  # of UTF-16 or UTF-32; what is no UTF-8 is told of by row
        name = error.encoding[:6].upper()
        faults.append(f"{path}: not text in {name} ({error.reason}); save the file as UTF-8 (in Excel: CSV UTF-8)")


def _read_parquet(path: Path, faults: list[str], columns: Collection[str] | None) -> Iterator[Row]:
    for place, cells in read_parquet_cells(import_pyarrow(f"reading {path}"), path, faults, columns):
        yield Row(read_names(cells), place)


def expand_paths(paths: Iterable[Path], suffixes: tuple[str, ...] = ROW_SUFFIXES) -> list[Path]:
    """Replace each folder by the files in it that can be read and are not hidden, in order of name.

    Args:
        paths: files and folders.
        suffixes: which files of a folder count.

    Returns:
        Files.

    Raises:
        FileReadError: a path is no file or folder, a folder holds no such file, or a file is of another kind.
    """
    files: list[Path] = []
    for path in paths:
        if fault := tell_unusable(path):
            raise FileReadError(f"{path} {fault}")
        found = find_files(path, suffixes) if path.is_dir() else [path]
        if not found:
            raise FileReadError(f"{path} holds no file that ends in {', '.join(suffixes)} and is not hidden")
        if (suffix := read_suffix(found[0])) not in suffixes:
            remedy = tell_remedy(suffix, suffixes)
            raise FileReadError(f"{path} ends in {suffix!r}; expected one of {', '.join(suffixes)}{remedy}")
        files += found
    return files


def read_rows(path: Path, faults: list[str], *, columns: Collection[str] | None = None) -> Iterator[Row]:
    """Stream the rows of one file.

    Args:
        path: ends in one of `ROW_SUFFIXES`.
        faults: rows that cannot be read are described here and passed over.
        columns: those that are needed; others may be left out, which of Parquet cost nothing then.

    Yields:
        Raw rows.

    Raises:
        FileReadError: the file cannot be opened.
        MissingExtraError: Parquet without pyarrow.
    """
    read = _read_csv if plain_suffix(path) in {".csv", ".tsv"} else _read_jsonl
    try:
        yield from _read_parquet(path, faults, columns) if path.suffix.lower() == ".parquet" else read(path, faults)
    except PackedError as error:
        faults.append(f"{path}: not packed by gzip, or cut off ({error}); pack it again")
    except OSError as error:
        raise FileReadError(f"cannot read {path}: {error}") from error


def _spell(value: object, head: Head) -> object:
    """A label that is written as a value, as its word: a whole number, 1.0 as pandas has it, a truth value."""
    if isinstance(value, bool) or value in _TRUTHS:
        word = str(value).lower()  # of `true` and `false` alone: whether it means `1` or `yes`, only the user knows
        return word if word in head.label_names else value
    whole = value if value in head.label_names else read_whole(value)
    return str(whole) if isinstance(whole, int | str) and str(whole) in head.label_names else value


def as_words(value: object, head: Head) -> tuple[str, ...]:
    """Read the label words of one cell.

    Args:
        value: of a cell that is not open. One word for a one-of head; a list, or words joined by `|`, for an any-of
            head, `-` for none. A label that is a whole number, `true` or `false` may stand as one.
        head: which head.

    Returns:
        The words in the taxonomy's order.

    Raises:
        LabelWordsError: words are unknown, or the cell is of another type.
    """
    value = _spell(value, head)
    if head.problem_type is ProblemType.ONE_OF:
        words: list[object] = [value]
    elif isinstance(value, str):  # CSV: joined by a bar; an explicit dash is "labelled, none applies"
        words = [word.strip() for word in value.split("|")]
        if not all(words):
            what = "has a | without a word" if any(words) else "names no label; - says that none applies"
            raise LabelWordsError([f"{head.name} {value!r} {what}"])
        words = [] if value.strip() in {"-", "[]"} else words
    elif isinstance(value, list | tuple):
        words = [_spell(word, head) for word in value]
    else:
        raise LabelWordsError([tell_no_words(head.name, value)])
    unknown = [word for word in words if word not in head.label_names]
    if unknown:
        names, are_several = tuple(head.label_names), head.problem_type is ProblemType.ANY_OF
        raise LabelWordsError(tell_unknown(head.name, word, names, are_several=are_several) for word in unknown)
    return tuple(name for name in head.label_names if name in words)


def read_words(cells: Mapping[str, object], head: Head) -> tuple[str, ...] | None:
    """Read the label words of a row.

    Args:
        cells: of the row.
        head: which head.

    Returns:
        As `as_words`; None where nobody looked.

    Raises:
        LabelWordsError: as `as_words`.
    """
    if is_unlabelled(cells, head):
        return None
    value = cells.get(head.name)
    return () if is_open(value, head) else as_words(value, head)


def check_row(row: Row, taxonomy: Taxonomy, *, default_source: str) -> Example:
    """Check one row against the taxonomy.

    Args:
        row: raw cells; `text` is needed, and a label for at least one head.
        taxonomy: which heads and labels there are.
        default_source: the source of a row that names none.

    Returns:
        The example; a row without `id` is named by its place, one without `group` is its own group.

    Raises:
        RowError: all faults of the row.
    """
    names = [head.name for head in taxonomy.heads]
    wanted = ("text", *names, *NAMES)
    if unread := tell_unread(row.cells, wanted):
        raise RowError(row.place, unread, ())
    faults = []
    of_labels: list[str] = []
    paragraph = ""
    columns = row.list_columns()
    try:
        if "text" not in columns:
            faults.append(f"no column 'text', in which texts are expected {tell_columns(columns, wanted)}")
        else:
            paragraph = normalise(row.cells.get("text", ""))
    except InputError as error:
        faults.append(f"text: {error}")
    labels: dict[str, tuple[str, ...] | None] = {}
    for head in taxonomy.heads:
        try:
            labels[head.name] = read_words(row.cells, head)
        except LabelWordsError as error:
            of_labels += error.faults
    if not faults and any(words is not None for words in labels.values()):  # else all columns are told of
        of_labels += tell_case(columns, wanted)
    elif not faults and not of_labels:
        of_labels.append(tell_unlabelled(names, columns, wanted))
    faults += [
        f"{name} is {row.cells[name]!r}, expected a whole number, or a string, not empty, with no half of an emoji"
        for name in NAMES
        if row.cells.get(name) is not None and not is_name(row.cells[name])
    ]
    if faults or of_labels:
        raise RowError(row.place, faults, of_labels)

    def cell(name: str, default: str) -> str:
        value = row.cells.get(name)
        return default if value is None else str(value)

    identifier = cell("id", row.place)
    return Example(
        id=identifier,
        paragraph=paragraph,
        labels=labels,
        source=cell("source", default_source),
        group=cell("group", identifier),
        columns=show_unread({name: value for name, value in row.cells.items() if name not in wanted}),
        place=row.place,
    )


def check_rows(
    rows: Iterable[Row],
    taxonomy: Taxonomy,
    faults: list[str],
    *,
    default_source: str,
    taxonomy_option: str | None = None,
    skip_option: str | None = None,
) -> list[Example]:
    """Check rows; those with a fault are described in `faults` and left out.

    A whole file of other columns than the taxonomy's is told of once, and so is a word that is no label, and that rows
    have none where others of the file do. Where no row has a label, `taxonomy_option` is told: the words by which the
    command that reads the rows takes another taxonomy; where some have none, `skip_option`, by which it skips them.
    """
    examples: list[Example] = []
    found: list[RowError] = []
    bare: list[RowError] = []
    n_strange = 0
    for row in rows:
        try:
            examples.append(check_row(row, taxonomy, default_source=default_source))
        except RowError as error:
            found.append(error)
            is_bare = all(is_unlabelled(row.cells, head) for head in taxonomy.heads)
            has_text = "text" in row.list_columns()
            n_strange += is_bare or not has_text
            if is_bare and has_text:
                bare.append(error)
    if not examples and n_strange > 1 and len({str(error) for error in found}) == 1:
        after = "the row" if len(found) == 2 else f"all {len(found) - 1} rows"
        lines = [f"{found[0].place} and {after} after it: {found[0]}"]
    else:
        if examples:
            any_of = [head.name for head in taxonomy.heads if head.problem_type is ProblemType.ANY_OF]
            advise_unlabelled(bare, any_of, skip_option)
        lines = tell_faults(found)
    if taxonomy_option is not None and not examples and 0 < len(bare) == len(found):
        lines[0] += f"; {advise_taxonomy(taxonomy_option)}"
    faults += lines
    return examples


def finish_examples(examples: list[Example], faults: list[str], names: str) -> None:
    """Refuse repeated ids and emptiness, and report every fault.

    Args:
        examples: all that passed.
        faults: what was found so far.
        names: where the rows came from, for the message.

    Raises:
        DataError: there is any fault.
    """
    seen: dict[str, Example] = {}
    for example in examples:
        first = seen.setdefault(example.id, example)
        if first is not example:
            faults.append(
                f"{example.place}: id {example.id!r} stands at {first.place} too; ids name rows in reports and must be "
                "unique"
            )
    if not examples and not faults:
        faults.append(f"no row at all in {names}")
    if faults:
        raise DataError(f"{names} cannot be used; nothing was read", tell_once(faults))


def encode_labels(examples: Iterable[Example], taxonomy: Taxonomy) -> Labels:
    """Lay labels out as the logits are.

    Args:
        examples: checked rows.
        taxonomy: the order of the logits.

    Returns:
        Shape `(n_examples, n_labels)`: 1 and 0, or -100 throughout a head that is not labelled.
    """
    examples = list(examples)
    encoded = np.full((len(examples), taxonomy.n_labels), NOT_LABELLED, dtype=np.float32)
    for head in taxonomy.heads:
        columns = taxonomy.slices[head.name]
        for row, example in enumerate(examples):
            words = example.labels[head.name]
            if words is not None:
                encoded[row, columns] = [name in words for name in head.label_names]
    return encoded


def fingerprint(examples: Iterable[Example]) -> str:
    """Hash what was learnt from, whatever the order of rows and files.

    Args:
        examples: checked rows.

    Returns:
        64 hex digits.
    """
    rows = ([example.paragraph, {h: w and list(w) for h, w in example.labels.items()}] for example in examples)
    return sha256_of_list(sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows))
