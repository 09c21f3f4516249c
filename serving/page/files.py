"""Owns the page's files: read once from the package, each with its media type, digest and compressed form.

Only what was found at the first reading is served, by its exact name: no path of a request ever reaches the disk.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_IS_COMPRESSED = frozenset({".woff2"})
INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class WebFile:
    """One file of the page; `zipped` is None where gzip would gain nothing."""

    content: bytes
    zipped: bytes | None
    media_type: str
    etag: str


def _read(entry: Traversable, suffix: str) -> WebFile:
    content = entry.read_bytes()
    zipped = None if suffix in _IS_COMPRESSED else gzip.compress(content, mtime=0)
    digest = hashlib.sha256(content).hexdigest()[:32]
    return WebFile(content, zipped, _MEDIA_TYPES[suffix], f'"{digest}"')


def _walk(folder: Traversable, prefix: str) -> Mapping[str, WebFile]:
    found: dict[str, WebFile] = {}
    for entry in folder.iterdir():
        suffix = "." + entry.name.rpartition(".")[2]
        if entry.is_dir():
            found |= _walk(entry, f"{prefix}{entry.name}/")
        elif suffix in _MEDIA_TYPES:
            found[prefix + entry.name] = _read(entry, suffix)
    return found


@lru_cache(maxsize=1)
def load_files() -> Mapping[str, WebFile]:
    """Read the page.

    Returns:
        Files by their path under `serving/web`, with `/` between folders.
    """
    return _walk(files("serving") / "web", "")
