"""Owns SHA-256 of files and of structured values."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def sha256_of_file(path: Path) -> str:
    """Hash a file in pieces.

    Args:
        path: the file.

    Returns:
        64 hex digits.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_value(value: object) -> str:
    """Hash a JSON value by its canonical text, so that the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def sha256_of_list(values: Iterable[object]) -> str:
    """Hash a list of JSON values as `sha256_of_value` does, of which no more than one is written out at a time.

    The texts of 200,000 rows took 300 MB to be written out at once (#3).
    """
    digest = hashlib.sha256(b"[")
    for number, value in enumerate(values):
        digest.update((", " * (number > 0) + json.dumps(value, sort_keys=True, ensure_ascii=False)).encode())
    digest.update(b"]")
    return digest.hexdigest()


def find_altered(folder: Path, listed: Mapping[str, str]) -> list[str]:
    """Compare the files of a folder with the digests that they are to have.

    Args:
        folder: holds the files.
        listed: digest by name.

    Returns:
        One line a fault, in order of names; empty when every file has its digest.
    """
    faults = []
    for name, expected in sorted(listed.items()):
        path = folder / name
        if not path.is_file():
            faults.append(f"{name}: missing")
        elif (found := sha256_of_file(path)) != expected:
            faults.append(f"{name}: sha256 is {found[:12]}…, expected {expected[:12]}…; the file was altered")
    return faults
