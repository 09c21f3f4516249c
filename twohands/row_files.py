"""Owns which files hold rows, by how their names end, and how their bytes are opened: plain, or packed by gzip."""

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

PACKED = ".gz"
_PLAIN = (".jsonl", ".ndjson", ".csv", ".tsv")
ROW_SUFFIXES = (*_PLAIN, ".parquet", *(suffix + PACKED for suffix in _PLAIN))

# What reading a packed file raises where it is none, or was cut off.
PackedError = (gzip.BadGzipFile, EOFError, zlib.error)

# What is often offered, into what it can be saved, and how.
_REMEDIES = {
    ".docx": (".txt", "save it as .txt or .html"),
    ".doc": (".txt", "save it as .txt or .html"),
    ".odt": (".txt", "save it as .txt or .html"),
    ".rtf": (".txt", "save it as .txt or .html"),
    ".eml": (".txt", "save the message as .txt or .html"),
    ".msg": (".txt", "save the message as .txt or .html"),
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
