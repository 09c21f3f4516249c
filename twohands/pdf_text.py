"""Owns PDF -> text, its paragraphs rebuilt from lines and the gaps between them. Knows nothing of files."""

import io
import logging
import math
import re
import statistics
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from twohands.errors import FileReadError
from twohands.hyphens import find_words, join_word
from twohands.paragraphs import MIN_WORDS, SENTENCE_END
from twohands.running_lines import drop_running_lines

_NOTE = re.compile(r"(?<!\d)[.!?\u2026]['\"\u2019\u201d)\]]*\d{1,3}$")  # its number, behind the end of a sentence
_SHORT = 0.8  # of the usual width of a line, in characters
_WIDER = 1.3  # than the usual distance of lines, by which a gap parts paragraphs
# Drawing operators and characters of a whole file: some ten minutes. A page of a book has some thousands.
_MAX_WORK = 50_000_000
_MAX_CPU_S = 1800.0  # for what neither shows, as pages without text that all name fonts of a megabyte
_LEAST_DISTANCE = 0.8  # of the size of the letters; what is nearer stands on one line, or is no running text
# No tokenizer's vocabulary has them, and words that hold one are unknown to it.
_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
_Place = tuple[float, float]  # of a line: its height on the page and the size of its letters, in points


def _cut_blocks(page: list[str]) -> list[list[str]]:
    """Lines between the gaps of a page."""
    blocks: list[list[str]] = [[]]
    for line in page:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _is_heading(blocks: list[list[str]], number: int, short: float) -> bool:
    """Whether one of a page's blocks is a heading, rather than the begin or the end of a paragraph."""
    text = " ".join(blocks[number])
    if len(blocks) == 1 or len(text.split()) >= MIN_WORDS or text[0].islower() or SENTENCE_END.search(text):
        return False
    # At an edge of the page a full line may be one of a paragraph that stands on two.
    return 0 < number < len(blocks) - 1 or max(map(len, blocks[number])) < short


def _find_short(pages: list[list[str]]) -> float:
    """Characters below which a line is short; 0 where it cannot be said."""
    widths = [len(line) for page in pages for line in page if line]
    return _SHORT * statistics.quantiles(widths, n=10)[-1] if len(widths) > 1 else 0


def join_lines(pages: list[list[str]]) -> str:
    """Rebuild paragraphs from the lines of a laid-out document.

    A paragraph ends at a gap where a sentence does, too, or at a line that ends a sentence well short of the usual
    width; it may go on over the end of a page. A few words that end no sentence and have a gap beside them are a
    heading, parted from what is above and below. A word that is hyphenated at the end of a line is put together, and a
    compound keeps its hyphen.

    Args:
        pages: lines of each page, stripped; empty ones where the page had a gap.

    Returns:
        Text with blank lines between paragraphs.
    """
    pages = drop_running_lines(pages)
    short = _find_short(pages)
    words = find_words(line for page in pages for line in page)
    paragraphs = [""]
    for page in pages:
        blocks = _cut_blocks(page)
        for number, block in enumerate(blocks):
            is_heading = _is_heading(blocks, number, short)
            is_ended = SENTENCE_END.search(paragraphs[-1]) or _NOTE.search(paragraphs[-1])
            if paragraphs[-1] and (is_heading or (number > 0 and is_ended)):
                paragraphs.append("")
            for line in block:
                so_far = paragraphs[-1]
                joined = join_word(so_far, line, words)
                paragraphs[-1] = joined or (f"{so_far} {line}" if so_far else line)
                if len(line) < short and SENTENCE_END.search(line):
                    paragraphs.append("")
            if is_heading:
                paragraphs.append("")
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _place(cm: list[float], tm: list[float], size: float) -> _Place | None:
    """Where text stands, from its two matrices; None where it is turned or has no size."""
    turned, scale = tm[0] * cm[1] + tm[1] * cm[3], tm[2] * cm[1] + tm[3] * cm[3]
    height, points = tm[4] * cm[1] + tm[5] * cm[3] + cm[5], size * scale
    is_upright = math.isfinite(height) and points > 0 and abs(turned) < 0.1 * abs(scale)
    return (height, points) if is_upright and math.isfinite(points) else None


def _read_lines(page: Any, spend: Callable[[int], None]) -> list[tuple[str, _Place | None]]:  # noqa: ANN401 - as below
    """Lines of a page, stripped, and where they stand."""
    pieces: list[tuple[str, _Place | None]] = []

    def visit(text: str, cm: list[float], tm: list[float], _: object, size: float) -> None:
        spend(len(text))
        pieces.append((text, _place(cm, tm, size)))

    def count(*_: object) -> None:
        spend(1)

    text = page.extract_text(visitor_operand_before=count, visitor_text=visit)
    if "".join(piece for piece, _ in pieces) != text:  # then nobody knows which line is meant
        return [(line.strip(), None) for line in text.splitlines()]
    lines: list[tuple[str, _Place | None]] = []
    line, longest, place = "", 0, None
    for piece, where in pieces:
        for part in piece.splitlines(keepends=True):
            line += part
            if len(part.strip()) > longest:  # raised figures stand on a height of their own
                longest, place = len(part.strip()), where
            if part.splitlines() != [part]:
                lines.append((line.strip(), place))
                line, longest, place = "", 0, None
    return [*lines, (line.strip(), place)] if line else lines


def _read_pages(reader: Any, name: str) -> list[list[tuple[str, _Place | None]]]:  # noqa: ANN401 - an optional library
    """Lines of all pages.

    A small file may list one page, or draw one form, a hundred thousand times. A page that is listed again is read
    once; all else counts, also within forms, where pypdf swallows the error, which the next operator raises again.
    """
    left, ends_s = _MAX_WORK, time.thread_time() + _MAX_CPU_S

    def spend(n: int) -> None:
        nonlocal left
        left -= n
        if left < 0:
            raise FileReadError(
                f"{name} has more than {_MAX_WORK:,} drawing operators and characters; cut it into several PDFs, or "
                "save its text as .txt"
            )

    pages, read = [], set()
    for page in reader.pages:
        reference = page.indirect_reference  # None where a page stands in the list itself
        key = None if reference is None else (reference.idnum, reference.generation)
        if key is None or key not in read:
            read.add(key)
            pages.append(_read_lines(page, spend))
            spend(0)
        if time.thread_time() > ends_s:  # of this thread, or the load of the machine would decide what is read
            raise FileReadError(
                f"{name} took more than {_MAX_CPU_S / 60:g} minutes to read; cut it into several PDFs, or save its "
                "text as .txt"
            )
    return pages


def _measure(page: list[tuple[str, _Place | None]]) -> list[float | None]:
    """How far below the last line each stands, in sizes of the smaller letters; None where that cannot be said.

    In sizes of the larger ones the text below a title would be near to it.
    """
    distances: list[float | None] = []
    above: _Place | None = None
    for text, place in page:
        distance = above[0] - place[0] if text and above and place else 0
        is_below = above is not None and place is not None and distance >= _LEAST_DISTANCE * place[1]
        distances.append(distance / min(above[1], place[1]) if is_below and above and place else None)
        above = place if text else above
    return distances


def _mark_gaps(pages: list[list[tuple[str, _Place | None]]]) -> list[list[str]]:
    """Put an empty line wherever the distance of two lines is clearly larger than usual.

    It is larger than that of the lines before or behind it, or, where a short line stands above it, than usual: so
    text that is set wide stays whole beside a table that is set close.
    """
    measured = [_measure(page) for page in pages]
    known = sorted(distance for distances in measured for distance in distances if distance)
    usual = known[len(known) // 4] if known else 0  # not the median: where paragraphs are brief most may be gaps
    short = _find_short([[text for text, _ in page] for page in pages])
    return [list(_mark(page, distances, usual, short)) for page, distances in zip(pages, measured, strict=True)]


def _mark(
    page: list[tuple[str, _Place | None]], distances: list[float | None], usual: float, short: float
) -> Iterator[str]:
    above = ""
    for number, ((text, _), distance) in enumerate(zip(page, distances, strict=True)):
        others = [each for each in (*distances[number - 1 : number], *distances[number + 1 : number + 2]) if each]
        if usual and len(above) < short:
            others.append(usual)
        if distance and others and distance > _WIDER * min(others):
            yield ""
        yield text
        above = text


def pdf_to_text(content: bytes, name: str, *, pypdf: ModuleType) -> str:
    """Extract the text of a PDF.

    Args:
        content: of the file.
        name: of the document, for messages.
        pypdf: the library.

    Returns:
        Paragraphs and headings, parted by blank lines; never empty.

    Raises:
        FileReadError: it is no PDF, locked, without text, or too much to read.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells of each oddity that it mended
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        is_locked = reader.is_encrypted and not reader.decrypt("")
        pages = [] if is_locked else _read_pages(reader, name)
    except FileReadError:
        raise
    except Exception as error:  # a broken PDF raises almost anything
        raise FileReadError(f"{name} cannot be read as PDF: {type(error).__name__}: {error}") from error
    if is_locked:
        raise FileReadError(f"{name} is locked by a password; unlock it first")
    text = join_lines([[line.translate(_LIGATURES) for line in page] for page in _mark_gaps(pages)])
    if not text:
        raise FileReadError(f"{name} holds no text, perhaps only scanned pages; run it through OCR first")
    return text
