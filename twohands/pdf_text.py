"""Owns PDF -> text, its paragraphs rebuilt from lines and the gaps between them. Knows nothing of files."""

import io
import logging
import re
import statistics
import time
from collections.abc import Collection, Iterator
from types import ModuleType
from typing import Any

from twohands.errors import FileReadError
from twohands.hyphens import find_words, join_word
from twohands.paragraphs import MIN_WORDS, SENTENCE_END
from twohands.pdf_beside import drop_by_place, mark_note, take_notes
from twohands.pdf_lines import Line, Page, find_usual_size, is_indented, is_set_apart, read_page
from twohands.running_lines import strip_pages

_NOTE = re.compile(r"(?<!\d)[.!?\u2026]['\"\u2019\u201d)\]]*\d{1,3}$")  # its number, behind the end of a sentence
_SHORT = 0.8  # of the usual width of a line, in characters
_WIDER = 1.3  # than the usual distance of lines, by which a gap parts paragraphs
# Drawing operators and characters of a whole file: some ten minutes. A page of a book has some thousands.
_MAX_WORK = 50_000_000
_MAX_CPU_S = 1800.0  # for what neither shows, as pages without text that all name fonts of a megabyte
_LEAST_DISTANCE = 0.8  # of the size of the letters; what is nearer stands on one line, or is no running text
_TITLE = 1.2  # times the usual size of letters
_BETWEEN = "\n\n"
_TAIL_CHARS = 200  # that show whether a sentence ended, or a word goes on
_BULLETS = ("\u2022 ", "\u2023 ", "\u25e6 ", "\u25aa ")
# No tokenizer's vocabulary has ligatures, and words that hold one are unknown to it. Codes that the standard encoding
# of Windows leaves open stand for a bullet in PDF (ISO 32000-1, annex D.2); pypdf gives the character of that code.
_SPELT_OUT = str.maketrans(
    dict.fromkeys("\x7f\uf0b7\uf0a7", "\u2022")  # the other two: bullets of the fonts Symbol and Wingdings
    | {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)


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


class _Joined:
    """Paragraphs, and the one that lines are added to.

    It is held in pieces: put together, and looked through for its end, with each line, one of a million took hours.
    """

    def __init__(self, words: frozenset[str]) -> None:
        self.paragraphs: list[str] = []
        self.n_chars = 0
        self._words = words
        self._pieces: list[str] = []
        self._tail = ""  # the last characters

    def is_ended(self) -> bool:
        """Whether it ends as a sentence does."""
        return bool(SENTENCE_END.search(self._tail) or _NOTE.search(self._tail))

    def add(self, line: str) -> int:
        """Add a line; the number of characters before it."""
        word = join_word(self._tail, line, self._words)
        if word:
            piece = word[len(self._tail) - 1 :]  # behind the hyphen, which it may have again
            self._pieces[-1], self._tail = self._pieces[-1][:-1], self._tail[:-1]
            self.n_chars -= 1
        else:
            piece = ("\n" if line.startswith(_BULLETS) else " ") + line if self._pieces else line
        self._pieces.append(piece)
        self._tail = (self._tail + piece)[-_TAIL_CHARS:]
        self.n_chars += len(piece)
        return self.n_chars - len(line)

    def end(self) -> None:
        """End it, where there is one."""
        if self._pieces:
            self.paragraphs.append("".join(self._pieces))
        self._pieces, self._tail, self.n_chars = [], "", 0


def join_pages(pages: list[list[str]], *, titles: Collection[str] = ()) -> tuple[str, list[int]]:
    """Rebuild paragraphs from the lines of a laid-out document.

    A paragraph ends at a gap where a sentence does, too, or at a line that ends a sentence well short of the usual
    width; it may go on over the end of a page. A few words that end no sentence and have a gap beside them are a
    heading, parted from what is above and below. A word that is hyphenated at the end of a line is put together, and a
    compound keeps its hyphen.

    Args:
        pages: lines of each page, stripped; empty ones where the page had a gap.
        titles: lines of the first page that are no headers of it, though they are of others.

    Returns:
        Text with blank lines between paragraphs, and where each page begins in it, in characters.
    """
    pages = strip_pages(pages, titles=titles)
    short = _find_short(pages)
    words = find_words(line for page in pages for line in page)
    joined = _Joined(words)
    begins: list[tuple[int, int]] = []  # of each page: its first paragraph, and how much of it stands on pages before
    for page in pages:
        is_first = True
        blocks = _cut_blocks(page)
        for number, block in enumerate(blocks):
            is_heading = _is_heading(blocks, number, short)
            if is_heading or (number > 0 and joined.is_ended()):
                joined.end()
            for line in block:
                n_before = joined.add(line)
                if is_first:
                    begins.append((len(joined.paragraphs), n_before))
                    is_first = False
                if len(line) < short and SENTENCE_END.search(line):
                    joined.end()
            if is_heading:
                joined.end()
        if is_first:  # there is nothing on it
            begins.append((len(joined.paragraphs), joined.n_chars))
    joined.end()
    paragraphs = [*joined.paragraphs, ""]
    starts = [0]
    for paragraph in paragraphs:
        starts.append(starts[-1] + (len(paragraph) + len(_BETWEEN) if paragraph else 0))
    text = _BETWEEN.join(paragraph for paragraph in paragraphs if paragraph)
    return text, [min(starts[number] + n_before, len(text)) for number, n_before in begins]


def join_lines(pages: list[list[str]]) -> str:
    """Rebuild paragraphs as `join_pages` does.

    Args:
        pages: lines of each page, stripped; empty ones where the page had a gap.

    Returns:
        Text with blank lines between paragraphs.
    """
    return join_pages(pages)[0]


def _read_pages(reader: Any, name: str) -> list[Page]:  # noqa: ANN401 - an optional library
    """Lines of all pages.

    A small file may list one page, or draw one form, a hundred thousand times. A page that is listed again is read
    once, and blank then, so that pages are counted as viewers do; all else counts, also within forms, where pypdf
    swallows the error, which the next operator raises again.
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
            pages.append(read_page(page, spend))
            spend(0)
        else:
            pages.append(Page([]))
        if time.thread_time() > ends_s:  # of this thread, or the load of the machine would decide what is read
            raise FileReadError(
                f"{name} took more than {_MAX_CPU_S / 60:g} minutes to read; cut it into several PDFs, or save its "
                "text as .txt"
            )
    return pages


def _measure(page: Page) -> list[float | None]:
    """How far below the last line each stands, in sizes of the smaller letters; None where that cannot be said.

    In sizes of the larger ones the text below a title would be near to it.
    """
    distances: list[float | None] = []
    above = Line("")
    for line in page.lines:
        distance = None
        if line.text and above.height is not None and above.size and line.height is not None and line.size:
            fall = above.height - line.height
            distance = fall / min(above.size, line.size) if fall >= _LEAST_DISTANCE * line.size else None
        distances.append(distance)
        above = line if line.text else above
    return distances


def _mark_gaps(pages: list[Page], usual_size: float) -> list[list[str]]:
    """Put an empty line wherever the distance of two lines is clearly larger than usual, or their letters differ.

    It is larger than that of the lines before or behind it, or, where a short line stands above it, than usual: so
    text that is set wide stays whole beside a table that is set close.
    """
    measured = [_measure(page) for page in pages]
    known = sorted(distance for distances in measured for distance in distances if distance)
    usual = known[len(known) // 4] if known else 0  # not the median: where paragraphs are brief most may be gaps
    short = _find_short([[line.text for line in page.lines] for page in pages])
    return [
        list(_mark(page.lines, distances, usual, short, has_sizes=usual_size > 0))
        for page, distances in zip(pages, measured, strict=True)
    ]


def _mark(
    lines: list[Line], distances: list[float | None], usual: float, short: float, *, has_sizes: bool
) -> Iterator[str]:
    above = Line("")
    for number, (line, distance) in enumerate(zip(lines, distances, strict=True)):
        others = [each for each in (*distances[number - 1 : number], *distances[number + 1 : number + 2]) if each]
        is_short = len(above.text) < short
        if usual and is_short:
            others.append(usual)
        is_ended = is_short or SENTENCE_END.search(above.text) is not None
        has_both = bool(above.text and line.text)
        is_apart = has_both and has_sizes and is_set_apart(above, line, is_ended=is_ended)
        if has_both and SENTENCE_END.search(above.text):
            is_apart |= is_indented(above, line, next(iter(lines[number + 1 : number + 2]), None))
        if is_apart or (distance and others and distance > _WIDER * min(others)):
            yield ""
        yield line.text.translate(_SPELT_OUT)
        above = line


def read_pdf(content: bytes, name: str, *, pypdf: ModuleType) -> tuple[str, list[int]]:
    """Extract the text of a PDF.

    Args:
        content: of the file.
        name: of the document, for messages.
        pypdf: the library.

    Returns:
        Paragraphs and headings, parted by blank lines, never empty, with the notes of all pages behind them as
        Markdown defines notes; and where each page begins in it, in characters.

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
    usual_size = find_usual_size(pages)
    pages, notes = take_notes(drop_by_place(pages), usual_size)
    first = pages[0].lines if pages else []
    titles = {line.text.translate(_SPELT_OUT) for line in first if (line.size or 0) > _TITLE * usual_size > 0}
    text, starts = join_pages(_mark_gaps(pages, usual_size), titles=titles)
    if not text:
        raise FileReadError(f"{name} holds no text, perhaps only scanned pages; run it through OCR first")
    told = [mark_note(join_lines([[line.translate(_SPELT_OUT) for line in note]])) for note in notes]
    return _BETWEEN.join([text, *told]), starts


def pdf_to_text(content: bytes, name: str, *, pypdf: ModuleType) -> str:
    """Extract the text of a PDF as `read_pdf` does, without its pages.

    Args:
        content: of the file.
        name: of the document, for messages.
        pypdf: the library.

    Returns:
        The text, never empty.

    Raises:
        FileReadError: it is no PDF, locked, or without text.
    """
    return read_pdf(content, name, pypdf=pypdf)[0]
