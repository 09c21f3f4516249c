"""Owns document file -> raw text with its paragraphs parted by blank lines. Knows nothing of labels or models.

Plain text needs nothing; HTML and PDF need the extra `documents`.
"""

from pathlib import Path
from types import ModuleType

from twohands.charsets import decode, find_codec, find_marked_codec
from twohands.errors import FileReadError
from twohands.extras import import_extra
from twohands.html_text import html_to_text
from twohands.pdf_text import pdf_to_text

TEXT_SUFFIXES = (".txt", ".md")
MARKUP_SUFFIXES = (".html", ".htm", ".pdf")
DOCUMENT_SUFFIXES = TEXT_SUFFIXES + MARKUP_SUFFIXES


def import_reader(suffix: str) -> ModuleType:
    """Import the library that reads one kind of document.

    Args:
        suffix: one of `MARKUP_SUFFIXES`.

    Returns:
        The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    name = "pypdf" if suffix == ".pdf" else "bs4"
    return import_extra(name, use=f"reading {suffix} documents", extra="documents")


def decode_text(content: bytes, name: str, *, charset: str | None = None) -> str:
    """Decode plain text.

    Args:
        content: UTF-8, or UTF-16 or UTF-32 that begins with its byte order mark.
        name: of the document, for the message.
        charset: what else it is where it has no such mark, by a name that `find_codec` knows.

    Returns:
        The text; a byte order mark of UTF-8 stays its first character, so that offsets count in what was sent.

    Raises:
        FileReadError: it is not.
    """
    marked = find_marked_codec(content)
    found = marked or find_codec(charset or "") or "utf-8"
    try:
        return decode(content, found)
    except UnicodeDecodeError as error:
        said = charset[:40] if charset and not marked else found.upper()
        raise FileReadError(
            f"{name} is not text in {said} ({error.reason} at byte {error.start}); "
            "convert it first, for example with iconv"
        ) from error


def extract_text(content: bytes, *, suffix: str, name: str, charset: str | None = None) -> str:
    """Read one document that is already in memory.

    Args:
        content: its bytes.
        suffix: what it is, one of `DOCUMENT_SUFFIXES`.
        name: of the document, for messages.
        charset: the encoding of text or HTML where it is known from elsewhere, by a name that `find_codec` knows.

    Returns:
        As `read_document`.

    Raises:
        FileReadError: it is not what its suffix or `charset` says, or a PDF without text.
        MissingExtraError: HTML or PDF without the extra `documents`.
    """
    codec = find_codec(charset) if charset else None
    if charset and codec is None:
        raise FileReadError(f"{name} is declared as {charset[:40]!r}, which is not read here; convert it to utf-8")
    kind = suffix.lower()
    if kind == ".pdf":
        return pdf_to_text(content, name, pypdf=import_reader(kind))
    if kind in TEXT_SUFFIXES:
        return decode_text(content, name, charset=charset)
    return html_to_text(content, bs4=import_reader(kind), codec=codec)


def read_document(path: Path) -> str:
    """Read one document.

    Args:
        path: ends in one of `DOCUMENT_SUFFIXES`.

    Returns:
        Raw text. For plain text it is the file's own, so that offsets point into the file; for HTML and PDF it is
        what was extracted.

    Raises:
        FileReadError: the document cannot be read, or is not what its name says.
        MissingExtraError: HTML or PDF without the extra `documents`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileReadError(f"cannot read {path}: {error}") from error
    return extract_text(content, suffix=path.suffix, name=str(path))
