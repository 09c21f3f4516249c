"""Owns plain text that was made of pages -> the same, as long as it was, without their headers, footers and numbers.

`pdftotext` ends each page with a form feed, and who copies from a reader has a page's number between two lines: the
sentence there was torn in two. Knows nothing of paragraphs.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from twohands.ends import ends_sentence
from twohands.lines import breaks_off, goes_on_as
from twohands.running_lines import find_page_bounds, is_no_text

MAX_PAGES = 20_000
MAX_LINES = 500_000
MIN_WIDTH = 30  # of a line that a page ends in the middle of a sentence; narrower ones are cells and headings

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_DIGIT = re.compile(r"\d")
_NL, _SPACE = r"(?>\r\n|\r|\n)", r"[^\S\r\n]*+"
# A line of its own with a digit, behind a word or a comma.
_EDGE = re.compile(
    rf"[\r\n](?:(?<=[^\W\dA-Z_][\r\n])|(?<=[,\u2010-][\r\n])|(?<=\S [\r\n]))(?:(?<=\r)\n)?+(?:{_SPACE}{_NL})*+"
    rf"{_SPACE}(?=[^\r\n]{{0,79}}\d)(?P<edge>[^\r\n]{{1,80}}+)"
    rf"{_NL}(?:{_SPACE}{_NL})*+{_SPACE}(?=\S)"
)

_CHARS_BETWEEN_CHECKS = 100_000
_LINES_BETWEEN_CHECKS = 1000
_GAP_CHARS = 2000  # at most, of an edge with what is blank around it
# "14", "- 14 -", "F-14", "Page 14 of 40", and "[[Page S2412]]" of gazettes; what else is bracketed or has a stop counts
# an equation or an item, and "$14" is a price.
_PAGE = re.compile(
    r"\[\[page (?:[A-Z]{1,2})?\d{1,6}\]\]\s*|[-\u2013\u2014~|*\s]{0,9}(?:(?:page|pg\.?|p\.)\s*|(?-i:[A-Z])-)?"
    r"\d{1,3}(?:\s*(?:of|/)\s*\d{1,4})?[-\u2013\u2014~|*\s]{0,9}",
    re.I,
)
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*,?\s[a-z]")  # with which a page may go on: "2031, when", and not "2. Prices"
# What filings from before 2001 have between their pages, in a line of its own.
_PAGE_TAG = re.compile(r"^(?P<indent>[ \t]{0,99})<PAGE>(?=[^\S\r\n]{0,99}(?:\d{1,4}[^\S\r\n]{0,99})?$)", re.MULTILINE)
_MIN_PAGE_CHARS = 300  # between two numbers, as verse and questions have them nearer
_MAX_DIGITS = 4

Check = Callable[[], None]
Span = tuple[int, int]


def _read_lines(text: str, page: Span, check: Check) -> list[Span]:
    """Where the words of each line of a page stand; empty where it is blank."""
    found = []
    for number, match in enumerate(_LINE.finditer(text, *page)):
        if number % _LINES_BETWEEN_CHECKS == 0:
            check()
        words = match[0].strip()
        start = match.start() + len(match[0]) - len(match[0].lstrip()) if words else match.start()
        found.append((start, start + len(words)))
    return found


def _goes_on(text: str, before: Span, after: Span) -> bool:
    line, following = text[slice(*before)], text[slice(*after)]
    if ends_sentence(line):
        return False
    if goes_on_as(following) or line.endswith(",") or _FIGURE.match(following):
        return True
    return breaks_off(line) and len(following) >= MIN_WIDTH  # what is narrower may be a header


def _read_pages(text: str, check: Check) -> Iterator[tuple[Span, Span]]:
    """The first and the last line of the text of each page, without those that run through all."""
    starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\f")]
    pages = []
    for start, after in pairwise([*starts, len(text) + 1]):
        pages.append(_read_lines(text, (start, after - 1), check))
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


def _find_edges(text: str, check: Check) -> Iterator[re.Match[str]]:
    position = 0
    for begin in range(0, len(text), _CHARS_BETWEEN_CHECKS):
        check()
        end = begin + _CHARS_BETWEEN_CHECKS
        for match in _EDGE.finditer(text, max(begin, position), end + _GAP_CHARS):
            if match.start() < end:
                yield match
                position = match.end()


def _is_within_sentence(text: str, match: re.Match[str]) -> bool:
    """Whether the line above is no cell or heading, and the one below goes on; "iPhone" may begin a sentence."""
    line = text[max(0, match.start() - MIN_WIDTH) : match.start()].rstrip()
    line_begins = max(text.rfind(end, max(0, match.start() - MIN_WIDTH), match.start()) for end in "\r\n")
    goes_on = text[match.end()].islower() and not text[match.end() + 1 : match.end() + 2].isupper()
    goes_on = goes_on or (text[match.end()].isupper() and breaks_off(line))
    return goes_on and line_begins < 0 and match.start() >= MIN_WIDTH


def _read_header(edge: str) -> tuple[str, int] | None:
    """The words and the number of "Port Review 14" or "15 | Port Review", but not of "Table 2" or "40 per cent"."""
    tokens = [token for each in edge.split() if (token := each.strip("|-\u2013\u2014\u2022\u00b7"))]
    first, last = (token.isdecimal() and len(token) <= _MAX_DIGITS for token in (tokens[0], tokens[-1]))
    words = tokens[1:] if first else tokens[:-1]
    if first == last or not words[0][0].isupper() or sum(len(word) > 1 and word.isalpha() for word in words) < 2:
        return None
    return " ".join(words), int(tokens[0] if first else tokens[-1])


def _find_headers(edges: Iterable[str]) -> set[str]:
    """Those that are the same words of a title but for a number that grows."""
    found: dict[str, list[tuple[int, str]]] = {}
    for edge in edges:
        if any(map(str.isalpha, edge)) and (header := _read_header(edge)):
            found.setdefault(header[0], []).append((header[1], edge))
    growing = (each for each in found.values() if len(each) > 1 and all(a < b for (a, _), (b, _) in pairwise(each)))
    return {edge for each in growing for _, edge in each}


def _blank_edges(text: str, check: Check) -> str:
    """Leave out numbers and headers of pages between two lines of one sentence."""
    if not _DIGIT.search(text):
        return text
    found = [
        (match.start(), match.end(), match["edge"].strip())
        for match in _find_edges(text, check)
        if _is_within_sentence(text, match)
    ]
    headers = _find_headers(edge for _, _, edge in found)
    numbers = [
        -_MIN_PAGE_CHARS,
        *(start for start, _, edge in found if _PAGE.fullmatch(edge)),
        len(text) + _MIN_PAGE_CHARS,
    ]
    near = {at for each in pairwise(numbers) if each[1] - each[0] < _MIN_PAGE_CHARS for at in each}
    pieces, begin = [], 0
    for start, end, edge in found:
        if (_PAGE.fullmatch(edge) and start not in near) or edge in headers:
            pieces += [text[begin:start], " " * (end - start - 1), "\n"]
            begin = end
    return "".join([*pieces, text[begin:]])


def blank_page_edges(text: str, check: Check) -> str:
    """Put spaces in the place of what stands at the edges of pages and is no text.

    Where form feeds or lines `<PAGE>` part pages, that is what stands first or last on most of them
    (`running_lines.py`); elsewhere a line within a sentence that is a page's number, or that stands so in two places
    with another number. There the sentence goes on in one paragraph.

    Args:
        text: the raw document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        A text of the same length.
    """
    if "<PAGE>" in text:
        text = _PAGE_TAG.sub(lambda match: f"{match['indent']}\f     ", text)
    if 0 < text.count("\f") < MAX_PAGES and text.count("\n") < MAX_LINES:
        text = _blank_pages(text, check)
    return _blank_edges(text, check)
