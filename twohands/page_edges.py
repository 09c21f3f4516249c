"""Owns plain text that was made of pages -> the same, as long as it was, without their headers, footers and numbers.

`pdftotext` ends each page with a form feed, and who copies from a reader has a page's number between two lines: the
sentence there was torn in two. Knows nothing of paragraphs.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from twohands.ends import ends_sentence
from twohands.lines import goes_on_as
from twohands.running_lines import find_page_bounds, is_no_text

MAX_PAGES = 20_000
MAX_LINES = 500_000
MIN_WIDTH = 30  # of a line that a page ends in the middle of a sentence; narrower ones are cells and headings

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_DIGIT = re.compile(r"\d")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_CUTS_BETWEEN_CHECKS = 1000
_NL, _SPACE = r"(?>\r\n|\r|\n)", r"[^\S\r\n]*+"
# A line of its own with a digit, behind a word or a comma.
_EDGE = re.compile(
    rf"[\r\n](?:(?<=[^\W\dA-Z_][\r\n])|(?<=[,\u2010-][\r\n])|(?<=\S [\r\n]))(?:(?<=\r)\n)?+(?:{_SPACE}{_NL})*+"
    rf"{_SPACE}(?=[^\r\n]{{0,79}}\d)(?P<edge>[^\r\n]{{1,80}}+)"
    rf"{_NL}(?:{_SPACE}{_NL})*+{_SPACE}(?=\S)"
)

Check = Callable[[], None]
Span = tuple[int, int]


def _read_lines(text: str, page: Span) -> list[Span]:
    """Where the words of each line of a page stand; empty where it is blank."""
    found = []
    for match in _LINE.finditer(text, *page):
        words = match[0].strip()
        start = match.start() + len(match[0]) - len(match[0].lstrip()) if words else match.start()
        found.append((start, start + len(words)))
    return found


def _goes_on(text: str, before: Span, after: Span) -> bool:
    line, following = text[slice(*before)], text[slice(*after)]
    return not ends_sentence(line) and (goes_on_as(following) or line.endswith(","))


def _read_pages(text: str, check: Check) -> Iterator[tuple[Span, Span]]:
    """The first and the last line of the text of each page, without those that run through all."""
    starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\f")]
    pages = []
    for start, after in pairwise([*starts, len(text) + 1]):
        check()
        pages.append(_read_lines(text, (start, after - 1)))
    words = [[text[slice(*span)] for span in page] for page in pages]
    for page, (first, last) in zip(pages, find_page_bounds(words), strict=True):
        # What holds nothing else is most likely text that comes again.
        inked = [span for span in page[first:last] or page if not is_no_text(text[slice(*span)])]
        if inked:
            yield inked[0], inked[-1]


def _blank_pages(text: str, check: Check) -> str:
    """Leave out what runs through pages that form feeds part, and join sentences that go on over them."""
    kept: list[str] = []
    begin = 0
    before: Span | None = None
    for first, last in _read_pages(text, check):
        gap = text[before[1] if before else 0 : first[0]]
        if before and "\f" in gap:
            goes_on = _goes_on(text, before, first)
            blank = " " * (len(gap) - 1) + ("\n" if goes_on else "\f")
        else:
            blank = " " * len(gap)
        kept += [text[begin : before[1]] if before else "", blank]
        begin, before = first[0], last
    if before:
        kept += [text[begin : before[1]], " " * (len(text) - before[1])]
    return "".join(kept) or text


def _blank_edges(text: str, check: Check) -> str:
    """Leave out numbers and headers of pages between two lines of one sentence."""
    if not _DIGIT.search(text):
        return text
    found = []
    for number, match in enumerate(_EDGE.finditer(text)):
        if number % _CUTS_BETWEEN_CHECKS == 0:
            check()
        line_begins = max(text.rfind(end, max(0, match.start() - MIN_WIDTH), match.start()) for end in "\r\n")
        if text[match.end()].islower() and line_begins < 0 and match.start() >= MIN_WIDTH:
            found.append((match.start(), match.end(), match["edge"].strip()))
    counts = Counter(_NO_LETTERS.sub("", edge) for _, _, edge in found)  # a number may stand on either side
    pieces, begin = [], 0
    for start, end, edge in found:
        if is_no_text(edge) or counts[_NO_LETTERS.sub("", edge)] > 1:
            pieces += [text[begin:start], " " * (end - start - 1), "\n"]
            begin = end
    return "".join([*pieces, text[begin:]])


def blank_page_edges(text: str, check: Check) -> str:
    """Put spaces in the place of what stands at the edges of pages and is no text.

    Where form feeds part pages, that is what stands first or last on most of them (`running_lines.py`); elsewhere a
    line within a sentence that is a page's number, or that stands so in two places with another number. There the
    sentence goes on in one paragraph.

    Args:
        text: the raw document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        A text of the same length.
    """
    if 0 < text.count("\f") < MAX_PAGES and text.count("\n") < MAX_LINES:
        text = _blank_pages(text, check)
    return _blank_edges(text, check)
