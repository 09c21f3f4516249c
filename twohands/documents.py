"""Owns document file -> raw text with its paragraphs parted by blank lines. Knows nothing of labels or models.

Plain text needs nothing; HTML and PDF need the extra `documents`.
"""

import io
import logging
import re
import statistics
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from twohands.errors import FileReadError
from twohands.extras import import_extra
from twohands.paragraphs import LIST_WORDS, SENTENCE_END

TEXT_SUFFIXES = (".txt", ".md")
MARKUP_SUFFIXES = (".html", ".htm", ".pdf")
DOCUMENT_SUFFIXES = TEXT_SUFFIXES + MARKUP_SUFFIXES

# What a reader of the page would not call its text.
_NOT_TEXT = [
    "head", "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video",
    "nav", "aside", "form", "button", "select", "dialog",
]  # fmt: skip
_BLOCKS = {
    "address", "article", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt", "figcaption",
    "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hgroup", "hr", "html", "li", "main", "menu", "ol", "p", "pre",
    "search", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_SPACE = re.compile(r"\s+")
_DIGITS = re.compile(r"\d+")


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


def decode_text(content: bytes, name: str) -> str:
    """Decode plain text.

    Args:
        content: UTF-8, or UTF-16 that begins with its byte order mark.
        name: of the document, for the message.

    Returns:
        The text; a byte order mark of UTF-8 stays its first character, so that offsets count in what was sent.

    Raises:
        FileReadError: it is neither.
    """
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileReadError(
            f"{name} is not text in {error.encoding.upper()} ({error.reason} at byte {error.start}); "
            "convert it first, for example with iconv"
        ) from error


def _find_main(soup: Any) -> Any:  # noqa: ANN401 - a tag of an optional library
    """The one element that holds most of the page's text, or the whole page where there is none or are several."""
    n_all = len(soup.get_text(strip=True))
    for name in ("main", "article"):
        found = soup.find_all(name)
        if len(found) == 1 and len(found[0].get_text(strip=True)) * 2 >= n_all:
            return found[0]
    return soup


def _read_heading(tag: Any) -> str | None:  # noqa: ANN401 - a tag of an optional library
    """A heading in one line, marked as Markdown does, so that it is one at any length; None if it is prose."""
    for each in tag.find_all("br"):
        each.replace_with(" ")
    words = tag.get_text().split()
    return f"{_HEADINGS[tag.name]} {' '.join(words)}" if 0 < len(words) < LIST_WORDS else None


def _html_to_text(content: bytes) -> str:
    bs4 = import_reader(".html")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # guesses about what else the bytes might be
        soup = bs4.BeautifulSoup(content, "html.parser")
    # The page's header is its menu; an article's is its title and lead.
    frames = [tag for tag in soup.find_all(["header", "footer"]) if not tag.find_parent(["article", "main"])]
    unseen = soup.find_all(hidden=True) + soup.find_all(attrs={"aria-hidden": "true"})
    for tag in [*soup.find_all(_NOT_TEXT), *frames, *unseen]:
        if not tag.decomposed:
            tag.decompose()
    lines = [line.strip() for line in "".join(_walk(_find_main(soup), bs4)).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _walk(top: Any, bs4: ModuleType) -> Iterator[str]:  # noqa: ANN401 - a tag of an optional library
    """The text below a tag in pieces: blank lines around blocks, headings marked."""
    # Own stack: pages nest deeper than Python recurses. A string on the stack is the end of a block.
    stack: list[Any] = [top]
    while stack:
        node = stack.pop()
        if isinstance(node, bs4.Tag):
            is_block = node.name in _BLOCKS
            if node.name in _HEADINGS and (heading := _read_heading(node)):
                yield f"\n\n{heading}\n\n"
                continue
            if is_block:
                yield "\n\n"
                stack.append("\n\n")
            elif node.name == "br":
                yield "\n"
            elif node.name in {"td", "th"}:
                yield " "
            stack.extend(reversed(node.contents))
        elif type(node) is bs4.NavigableString:  # its subclasses are comments, doctypes and the like
            yield _SPACE.sub(" ", node)
        elif type(node) is str:
            yield node


def _drop_running_lines(pages: list[list[str]]) -> list[list[str]]:
    """Leave out page numbers, and headers and footers that stand on at least half of three or more pages."""

    def key(line: str) -> str:
        return _DIGITS.sub("0", line)

    repeated: set[str] = set()
    if len(pages) >= 3:
        edges = [key(line) for page in pages for line in {page[0], page[-1]}]
        repeated = {line for line in edges if edges.count(line) * 2 >= len(pages)}
    kept = []
    for page in pages:
        first, last = 0, len(page)
        while first < last and (key(page[first]) in repeated or page[first].isdigit()):
            first += 1
        while first < last and (key(page[last - 1]) in repeated or page[last - 1].isdigit()):
            last -= 1
        kept.append(page[first:last])
    return kept


def join_lines(pages: list[list[str]]) -> str:
    """Rebuild paragraphs from the lines of a laid-out document.

    A paragraph ends at an empty line, or at a line that ends a sentence well short of the usual width; it may go on
    over the end of a page. A word that is hyphenated at the end of a line is put together.

    Args:
        pages: lines of each page, stripped; empty ones where the page had a gap.

    Returns:
        Text with blank lines between paragraphs.
    """
    pages = _drop_running_lines([page for page in pages if page])
    widths = [len(line) for page in pages for line in page if line]
    if not widths:
        return ""
    short = 0.8 * statistics.quantiles(widths, n=10)[-1] if len(widths) > 1 else 0
    paragraphs = [""]
    for page in pages:
        for line in page:
            so_far = paragraphs[-1]
            if not line:
                if so_far and SENTENCE_END.search(so_far):
                    paragraphs.append("")
                continue
            if so_far.endswith("-") and line[0].islower() and so_far[-2:-1].isalpha():
                paragraphs[-1] = so_far[:-1] + line
            else:
                paragraphs[-1] = f"{so_far} {line}" if so_far else line
            if len(line) < short and SENTENCE_END.search(line):
                paragraphs.append("")
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _pdf_to_text(content: bytes, name: str) -> str:
    pypdf = import_reader(".pdf")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells of each oddity that it mended
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        is_locked = reader.is_encrypted and not reader.decrypt("")
        pages = [[s.strip() for s in page.extract_text().splitlines()] for page in ([] if is_locked else reader.pages)]
    except Exception as error:  # a broken PDF raises almost anything
        raise FileReadError(f"{name} cannot be read as PDF: {type(error).__name__}: {error}") from error
    if is_locked:
        raise FileReadError(f"{name} is locked by a password; unlock it first")
    text = join_lines(pages)
    if not text:
        raise FileReadError(f"{name} holds no text, perhaps only scanned pages; run it through OCR first")
    return text


def extract_text(content: bytes, *, suffix: str, name: str) -> str:
    """Read one document that is already in memory.

    Args:
        content: its bytes.
        suffix: what it is, one of `DOCUMENT_SUFFIXES`.
        name: of the document, for messages.

    Returns:
        As `read_document`.

    Raises:
        FileReadError: it is not what its suffix says, or a PDF without text.
        MissingExtraError: HTML or PDF without the extra `documents`.
    """
    if suffix.lower() == ".pdf":
        return _pdf_to_text(content, name)
    return decode_text(content, name) if suffix.lower() in TEXT_SUFFIXES else _html_to_text(content)


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
