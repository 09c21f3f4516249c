"""Owns document file -> raw text with its paragraphs parted by blank lines. Knows nothing of labels or models.

Plain text needs nothing; HTML, PDF, .docx and .eml need the extra `documents`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from twohands.charsets import decode, find_codec, find_marked_codec
from twohands.docx_text import docx_to_html
from twohands.errors import FileReadError
from twohands.extras import import_extra
from twohands.html_text import html_to_text
from twohands.mail_text import is_encoded_mail, read_mail
from twohands.pdf_text import read_pdf

TEXT_SUFFIXES = (".txt", ".md", ".srt", ".vtt")
MARKUP_SUFFIXES = (".html", ".htm", ".pdf", ".docx", ".eml")
DOCUMENT_SUFFIXES = TEXT_SUFFIXES + MARKUP_SUFFIXES


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The raw text of a document, and of a PDF where each of its pages begins in it, in characters.

    `notes` say what of a mail is not read, such as what is attached to it.
    """

    text: str
    page_starts: Sequence[int] = ()
    notes: Sequence[str] = ()

    def find_page(self, start: int) -> int | None:
        """The page on which a character stands, counted from 1 as viewers do; None where there are no pages."""
        return max(1, bisect_right(self.page_starts, start)) if self.page_starts else None


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


def _decode_text(content: bytes, name: str, *, charset: str | None = None) -> str:
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


def extract_document(content: bytes, *, suffix: str, name: str, charset: str | None = None) -> DocumentText:
    """Read one document that is already in memory, with its pages.

    Args:
        content: its bytes.
        suffix: what it is, one of `DOCUMENT_SUFFIXES`.
        name: of the document, for messages.
        charset: the encoding of text or HTML where it is known from elsewhere, by a name that `find_codec` knows.

    Returns:
        Its text as `read_document` has it, and where pages begin.

    Raises:
        FileReadError: it is not what its suffix or `charset` says, or a PDF or a mail without text.
        MissingExtraError: HTML, PDF, .docx or .eml without the extra `documents`.
    """
    codec = find_codec(charset) if charset else None
    if charset and codec is None:
        raise FileReadError(f"{name} is declared as {charset[:40]!r}, which is not read here; convert it to utf-8")
    kind = suffix.lower()
    if kind == ".pdf":
        return DocumentText(*read_pdf(content, name, pypdf=import_reader(kind)))
    if kind in TEXT_SUFFIXES:
        text = _decode_text(content, name, charset=charset)
        if is_encoded_mail(text):
            raise FileReadError(
                f"{name} is an e-mail as it is sent, with its codes; name it .eml, or send it as message/rfc822, and "
                "its text alone is read"
            )
        return DocumentText(text)
    if kind == ".docx":
        bs4 = import_reader(kind)
        return DocumentText(html_to_text(docx_to_html(content, name), bs4=bs4, codec="utf-8"))
    if kind == ".eml":
        text, notes = read_mail(content, name, bs4=import_reader(kind))
        return DocumentText(text, notes=notes)
    return DocumentText(html_to_text(content, bs4=import_reader(kind), codec=codec, name=name))


def extract_text(content: bytes, *, suffix: str, name: str, charset: str | None = None) -> str:
    """Read one document as `extract_document` does, without its pages.

    Args:
        content: its bytes.
        suffix: what it is, one of `DOCUMENT_SUFFIXES`.
        name: of the document, for messages.
        charset: the encoding of text or HTML where it is known from elsewhere, by a name that `find_codec` knows.

    Returns:
        As `read_document`.

    Raises:
        FileReadError: it is not what its suffix or `charset` says, or a PDF or a mail without text.
        MissingExtraError: HTML, PDF, .docx or .eml without the extra `documents`.
    """
    return extract_document(content, suffix=suffix, name=name, charset=charset).text


def open_document(path: Path) -> DocumentText:
    """Read one document, with its pages.

    Args:
        path: ends in one of `DOCUMENT_SUFFIXES`.

    Returns:
        Its text as `read_document` has it, and where pages begin.

    Raises:
        FileReadError: the document cannot be read, or is not what its name says.
        MissingExtraError: HTML, PDF, .docx or .eml without the extra `documents`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileReadError(f"cannot read {path}: {error}") from error
    return extract_document(content, suffix=path.suffix, name=str(path))


def read_document(path: Path) -> str:
    """Read one document.

    Args:
        path: ends in one of `DOCUMENT_SUFFIXES`.

    Returns:
        Raw text. For plain text it is the file's own, so that offsets point into the file; for other kinds it is
        what was extracted.

    Raises:
        FileReadError: the document cannot be read, or is not what its name says.
        MissingExtraError: HTML, PDF, .docx or .eml without the extra `documents`.
    """
    return open_document(path).text
