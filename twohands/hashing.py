"""Owns SHA-256 of files and of structured values."""

import hashlib
import json
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
