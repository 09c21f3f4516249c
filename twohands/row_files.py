"""Owns which files hold rows, by how their names end, how their bytes are opened, and how Parquet becomes cells."""

import gzip
import stat
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, TextIO, cast

PACKED = ".gz"
MAX_LINE = 40_000_000  # bytes or characters: a packed file of some megabytes may have a line of as many gigabytes
# Of Parquet at once: as fast as 1,000, of which a file of 400 bytes made 5 GB, by one long text that all rows refer to.
_ROWS_AT_ONCE = 32
_PLAIN = (".jsonl", ".ndjson", ".csv", ".tsv")
ROW_SUFFIXES = (*_PLAIN, ".parquet", *(suffix + PACKED for suffix in _PLAIN))

# What reading a packed file raises where it is none, or was cut off.
PackedError = (gzip.BadGzipFile, EOFError, zlib.error)

# What is often offered, into what it can be saved, and how.
_REMEDIES = {
    ".doc": (".docx", "save it as .docx, .txt or .html"),
    ".odt": (".docx", "save it as .docx, .txt or .html"),
    ".rtf": (".docx", "save it as .docx, .txt or .html"),
    ".msg": (".eml", "save the message as .eml, .txt or .html"),
    ".mbox": (".eml", "save each message as .eml"),
    ".json": (".jsonl", "write one object a line and name it .jsonl, for an array by: jq -c '.[]' FILE"),
    ".xlsx": (".csv", "save the sheet as CSV UTF-8"),
    ".xls": (".csv", "save the sheet as CSV UTF-8"),
    ".ods": (".csv", "save the sheet as CSV UTF-8"),
}


def read_suffix(path: Path) -> str:
    """Say how a name ends, in small letters; of a packed file with what it ends in otherwise: `.csv.gz`."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() + suffix if suffix == PACKED else suffix


def plain_suffix(path: Path) -> str:
    """Say which kind of file this is, packed or not."""
    return read_suffix(path).removesuffix(PACKED)


def open_bytes(path: Path) -> BinaryIO:
    """Open a file, unpacked if its name ends in `.gz`.

    Args:
        path: the file.

    Returns:
        Its bytes; reading them may raise `PackedError`.

    Raises:
        OSError: it cannot be opened.
    """
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix.lower() == PACKED else path.open("rb")


def skip_line(stream: TextIO) -> None:
    """Read on to the end of a line, and hold nothing of it."""
    while (rest := stream.readline(MAX_LINE)) and rest[-1] not in "\n\r":
        pass


def read_pieces(stream: BinaryIO) -> Iterator[bytes]:
    """Stream the lines of a stream, those of more than `MAX_LINE` bytes in pieces of that size."""
    while piece := stream.readline(MAX_LINE):
        yield piece


def read_byte_pieces(path: Path) -> Iterator[bytes]:
    """Stream the lines of a file as by `read_pieces`, unpacked as by `open_bytes`, and with its errors."""
    with open_bytes(path) as stream:
        yield from read_pieces(stream)


def bound_lines(pieces: Iterable[bytes], name: str, faults: list[str]) -> Iterator[bytes]:
    """Leave out lines that are too long.

    Not before they are decoded: a line of UTF-16 that is left out takes half a letter along, and all lines behind it.

    Args:
        pieces: lines in UTF-8; of a long one only the last piece has its end.
        name: of the file or stream, for messages.
        faults: a line of more than `MAX_LINE` bytes is described here.

    Yields:
        Lines with their ends; a blank one in the place of one that is too long.
    """
    number, is_open = 0, False
    for piece in pieces:
        is_begin, is_open = not is_open, not piece.endswith(b"\n")
        if not is_begin:
            continue
        number += 1
        is_long = len(piece) + is_open > MAX_LINE
        if is_long:
            faults.append(f"{name}:{number}: a line has more than {MAX_LINE:,} bytes; one object a line is expected")
        yield b"\n" if is_long else piece


def _is_shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)


def _is_seen_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may be listed and not entered; what is not read anyway must not stop a run
        return False


def find_others(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Find what `find_files` passes over as of another kind: neither hidden nor in a hidden folder.

    Args:
        folder: as there.
        suffixes: by which the names of those end that are read.

    Returns:
        Files in order of name, but for those that cannot be looked at.
    """
    found = (path for path in folder.rglob("*") if read_suffix(path) not in suffixes and _is_seen_file(path))
    return sorted(path for path in found if _is_shown(path, folder))


def find_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Find files in a folder and below it, but hidden ones and those in hidden folders.

    These are of programs, not of people: `.git`, `.venv`, the copies in `.ipynb_checkpoints`, the `._NAME` that macOS
    puts beside each file on other disks. So are the `~$NAME` by which Office marks a file that is open. A link to
    another of the files, such as `latest.txt`, is that file, which is read once.

    Args:
        folder: may be hidden itself.
        suffixes: by which names end.

    Returns:
        Files in order of name, each once.
    """
    found = (path for path in folder.rglob("*") if read_suffix(path) in suffixes and path.is_file())
    shown = (path for path in found if _is_shown(path, folder))
    by_file: dict[Path, Path] = {}
    for path in sorted(shown, key=lambda path: (path.is_symlink(), path)):  # by its own name, not by a link's
        by_file.setdefault(path.resolve(), path)
    return sorted(by_file.values())


def tell_unusable(path: Path) -> str | None:
    """Say what is wrong with a path that is to be read.

    Args:
        path: of a file or folder.

    Returns:
        What follows its name in a message; None where there is such a file or folder.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist" if path.is_absolute() else f"does not exist in {Path.cwd()}"
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return "is no plain file, and files are read more than once; write what it gives to one first"


def tell_remedy(suffix: str, suffixes: tuple[str, ...]) -> str:
    """Say what to do with a file of another kind.

    Args:
        suffix: of the file.
        suffixes: what is read.

    Returns:
        What to do, after a semicolon; else nothing.
    """
    wanted, remedy = _REMEDIES.get(suffix, ("", ""))
    return f"; {remedy}" if wanted in suffixes else ""


# What Arrow raises where Python has no such value: dates beyond the year 9999, unknown time zones, bytes that are no
# UTF-8, nanoseconds without pandas.
_UNREADABLE = (ArithmeticError, ValueError, LookupError, NotImplementedError, ImportError)


@dataclass(frozen=True, slots=True, repr=False)
class UnreadableCell:
    """A cell that is there, and of which Python can or should make no value; no string: none takes it for a text.

    `shown` is how Arrow spells the value, or its type in angle brackets; `reason` says what is wrong.
    """

    shown: str
    reason: str

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"cannot be read ({self.reason})"


def _count_bytes(scalar: Any) -> int:  # noqa: ANN401 - of pyarrow, which the bare install lacks
    """Of a string, an entry of a dictionary or a list; 0 of all that is small."""
    if hasattr(scalar, "dictionary"):
        scalar = scalar.value
    content = scalar.as_buffer() if hasattr(scalar, "as_buffer") else getattr(scalar, "values", None)
    n_bytes: int = getattr(content, "nbytes", 0) or getattr(content, "size", 0)
    return n_bytes


def _read_cell(scalar: Any) -> object:  # noqa: ANN401 - of pyarrow, too
    if _count_bytes(scalar) > MAX_LINE:
        return UnreadableCell(f"<{scalar.type}>", f"it has more than {MAX_LINE:,} bytes")
    try:
        return scalar.as_py()
    except _UNREADABLE as error:
        try:
            shown = str(scalar.cast("string").as_py())
        except _UNREADABLE:
            shown = f"<{scalar.type}>"
        return UnreadableCell(shown, str(error))


def _read_batch(batch: Any) -> Iterator[dict[str, object]]:  # noqa: ANN401 - of pyarrow, too
    columns: list[Iterator[object]] = []
    for column in batch.columns:
        one_by_one = map(_read_cell, column)
        try:  # cells that may be long one by one, so that no more than one of them is held
            columns.append(iter(column.to_pylist()) if column.nbytes <= MAX_LINE else one_by_one)
        except _UNREADABLE:
            columns.append(one_by_one)
    names = batch.schema.names
    for _ in range(batch.num_rows):
        yield {name: next(cells) for name, cells in zip(names, columns, strict=True)}


def read_parquet_cells(
    parquet: ModuleType, path: Path, faults: list[str], columns: Collection[str] | None = None
) -> Iterator[tuple[str, dict[str, object]]]:
    """Stream the rows of a Parquet file.

    Args:
        parquet: the module `pyarrow.parquet`.
        path: the file.
        faults: that it is none, or where it breaks off, is described here.
        columns: those that are read; all if None.

    Yields:
        The place of a row, and its cells by column; an `UnreadableCell` stands where Python has no such value or it has
        more than `MAX_LINE` bytes, so that one which nobody asked for costs nothing.
    """
    try:
        table = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        faults.append(f"{path}: not Parquet ({error})")
        return
    number = 0
    try:
        chosen = None if columns is None else [name for name in table.schema_arrow.names if name in columns]
        for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE, columns=chosen):
            for cells in _read_batch(batch):
                number += 1
                yield f"{path}:row {number}", cells
    except (OSError, ValueError, NotImplementedError, MemoryError) as error:
        faults.append(f"{path}: row {number + 1} and all after it cannot be read ({error})")


def tell_unread(cells: Mapping[str, object], names: Iterable[str]) -> list[str]:
    """Describe those of the cells that are needed and cannot be read.

    Args:
        cells: of a row.
        names: of the columns that are needed.

    Returns:
        A fault for each.
    """
    return [f"{name} {cells[name]!r}" for name in names if isinstance(cells.get(name), UnreadableCell)]


def show_unread(cells: Mapping[str, object]) -> dict[str, object]:
    """Put the words of Arrow in the place of cells that cannot be read."""
    return {name: str(cell) if isinstance(cell, UnreadableCell) else cell for name, cell in cells.items()}
