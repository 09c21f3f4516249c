"""Owns where a PDF's lines are parted: gaps, headings, first lines that are set in, and what follows a list.

Knows nothing of how lines are put together.
"""

import re
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from twohands.ends import SENTENCE_END
from twohands.markers import read_marker
from twohands.pdf_lines import Kind, Line, Page, is_indented, is_set_apart
from twohands.speakers import find_turns

# Before a line's words, which hold neither: it is one of a heading's, or begins a paragraph whatever stands above.
HEADING = "\x1d"
BEGIN = "\x1c"
# What is below a figure or a table, as HTML has it; "Table 1 shows" is text.
CAPTION = re.compile(
    r"(?:table|figure|fig\.|chart|graph|map|exhibit|diagram)\s*[\dA-Z][\d.-]*\s*[.:|\u2013\u2014-]\s", re.IGNORECASE
)
_SOURCE = re.compile(r"(?:sources?|notes?)\s*:\s", re.IGNORECASE)  # where its letters are small
_SMALL = 0.95  # of the usual size
CAPTION_MARK = "[^figure]: "  # before its words
GOES_ON = "\x1e"  # behind a line's words: they are of one paragraph with the next line, whatever it looks like
MARKS = HEADING + BEGIN + GOES_ON
SHORT = 0.8  # of the usual width of a line, in characters
_WIDER = 1.3  # than the usual distance of lines, by which a gap parts paragraphs
_LEAST_DISTANCE = 0.8  # of the size of the letters; what is nearer stands on one line, or is no running text
_INDENT = 0.4  # of it, by which a line stands in or out
_ROWS = 2  # of a table
_OPENERS = "\"'\u2018\u201c(["
_MANY = 3  # lines of a page that begin at one place: the edge of a column
# No tokenizer's vocabulary has ligatures, and words that hold one are unknown to it. Codes that the standard encoding
# of Windows leaves open stand for a bullet in PDF (ISO 32000-1, annex D.2); pypdf gives the character of that code.
_SPELT_OUT = str.maketrans(
    dict.fromkeys("\x7f\uf0b7\uf0a7", "\u2022")  # the other two: bullets of the fonts Symbol and Wingdings
    | {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
    | dict.fromkeys(MARKS, " ")
)
# What else stands for a bullet at the begin of a line: signs of Wingdings without a name, shapes, an o of Courier.
_BULLET = re.compile(
    r"[\x80-\x9f\uf020-\uf0ff\u25cf\u25cb\u25a0\u25a1\u25aa\u25ba\u25b6\u2713\u2714]\s*(?=\S)|o (?=[A-Z])"
)
_CLOSE_BULLET = re.compile(r"\u2022(?=[^\s\u2022])")

# Whether a line is of one paragraph with the one before it, or None where the file does not say; and the next with it.
Tie = tuple[bool | None, bool]

_NOTE = re.compile(r"(?<!\d)[.!?\u2026]['\"\u2019\u201d)\]]*\d{1,3}$")  # its number, behind the end of a sentence
_YEAR_NOTE = re.compile(r"\b(?:19|20)\d\d\.\d{1,3}$")  # the same behind a year, or a long number with its fraction


def ends_in_print(text: str, following: str) -> bool:
    """Say whether a text ends as a sentence does, before a line that stands apart.

    Args:
        text: without space at its end.
        following: the line; not empty.

    Returns:
        True, too, where the number of a note stands behind the stop, and nothing shows that it is raised.
    """
    if SENTENCE_END.search(text) or _NOTE.search(text):
        return True
    return not following[0].islower() and _YEAR_NOTE.search(text) is not None


def spell_out(text: str) -> str:
    """Write a line of a PDF as text has it: its ligatures in letters, and what marks an item as a bullet.

    Args:
        text: without space before it.

    Returns:
        The same words.
    """
    spelt = _BULLET.sub("\u2022 ", text, count=1) if _BULLET.match(text) else text
    spelt = spelt.translate(_SPELT_OUT)
    return _CLOSE_BULLET.sub("\u2022 ", spelt, count=1) if spelt.startswith("\u2022") else spelt


def find_short(pages: Sequence[Sequence[str]]) -> float:
    """Find how many characters a line has that is full.

    Args:
        pages: lines of each page.

    Returns:
        Characters below which a line is short; 0 where it cannot be said.
    """
    widths = [len(line) for page in pages for line in page if line]
    return SHORT * statistics.quantiles(widths, n=10)[-1] if len(widths) > 1 else 0


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


def mark_parts(
    pages: list[Page],
    usual_size: float,
    headings: Sequence[Collection[int]],
    ties: Sequence[Sequence[Tie]],
) -> list[list[str]]:
    """Put an empty line wherever the distance of two lines is clearly larger than usual, or their letters differ.

    It is larger than that of the lines before or behind it, or, where a short line stands above it, than usual: so
    text that is set wide stays whole beside a table that is set close.

    Args:
        pages: of a document, without running lines and notes.
        usual_size: of letters of running text; 0 where sizes tell nothing.
        headings: the numbers of the lines of each page that are one.
        ties: of the lines of each page.

    Returns:
        Lines of each page, of which some begin with `HEADING` or `BEGIN`, or end with `GOES_ON`.
    """
    measured = [_measure(page) for page in pages]
    known = sorted(distance for distances in measured for distance in distances if distance)
    usual = known[len(known) // 4] if known else 0  # not the median: where paragraphs are brief most may be gaps
    short = find_short([[line.text for line in page.lines] for page in pages])
    marker = _Marker(usual, short, usual_size, has_indents=_has_indents(pages))
    places = (_find_places(*each) for each in zip(pages, measured, headings, ties, strict=True))
    return [list(marker.mark(each, _find_edges(page))) for page, each in zip(pages, places, strict=True)]


def _has_indents(pages: list[Page]) -> bool:
    """Whether first lines are set in, which alone tells of a paragraph at the top of a page."""
    triples = (triple for page in pages for triple in zip(page.lines, page.lines[1:], page.lines[2:], strict=False))
    found = (True for above, *rest in triples if ends_in_print(above.text, "A") and is_indented(above, *rest))
    return sum(islice(found, _MANY)) >= _MANY


@dataclass(slots=True)
class _Place:
    """A line, and what stands beside it on its page."""

    line: Line
    words: str  # of it, as text has them
    above: Line  # empty at the top
    below: Line | None
    distance: float | None  # to what is above
    others: list[float]  # known distances before and behind that one
    is_heading: bool
    is_tied: bool | None  # whether it is of one paragraph with the line above, as the file says
    goes_on: bool  # the same of the next line


def _find_places(
    page: Page, distances: list[float | None], headings: Collection[int], ties: Sequence[Tie]
) -> Iterator[_Place]:
    above = Line("")
    for number, (line, below) in enumerate(zip(page.lines, [*page.lines[1:], None], strict=False)):
        others = [each for each in (*distances[number - 1 : number], *distances[number + 1 : number + 2]) if each]
        is_heading, words = number in headings, spell_out(line.text)
        yield _Place(line, words, above, below, distances[number], others, is_heading, *ties[number])
        above = line


class _Marker:
    """Goes through the lines of all pages; it knows the line above, and of which list that is."""

    def __init__(self, usual: float, short: float, usual_size: float, *, has_indents: bool) -> None:
        self._usual = usual
        self._short = short
        self._usual_size = usual_size
        self._above = Line("")
        self._item: Line | None = None  # the last one that began, while it lasts
        self._inner: float | None = None  # where the words of its further lines begin
        self._is_caption = False  # the line above is one of a caption
        self._n_rows = 0  # lines above in a row that have cells
        self._has_indents = has_indents

    def mark(self, places: Iterable[_Place], edges: Collection[int]) -> Iterator[str]:
        was_heading = False
        for here in places:
            is_apart, begins = self._part(here, edges)
            begins = begins and not here.is_heading
            is_caption = not here.is_heading and self._is_caption_of(here, is_parted=is_apart or begins)
            is_cut = is_apart or is_caption or self._is_behind_caption(here)
            if is_cut or here.is_heading != was_heading:
                yield ""
            mark = HEADING if here.is_heading else CAPTION_MARK if is_caption else BEGIN if begins else ""
            yield mark + here.words + GOES_ON * here.goes_on
            was_heading = here.is_heading
            if any(map(str.isalpha, here.words)):  # and no page's number
                self._is_caption = is_caption or (self._is_caption and not (is_cut or here.is_heading))
                self._remember(here, is_apart=is_cut or begins)

    def _part(self, here: _Place, edges: Collection[int]) -> tuple[bool, bool]:
        """Whether a gap stands before a line, and whether it begins a paragraph: as the file says, or looks."""
        if here.is_tied is False:
            return bool(here.above.text), True
        is_apart = bool(here.above.text and here.line.text) and self._is_apart(here)
        if here.is_tied is None:
            return is_apart, self._begins(here, edges, is_apart=is_apart)
        # But for a paragraph that ends in a break of the line.
        is_apart = is_apart and self._is_short(here.above) and ends_in_print(here.above.text, here.line.text)
        return is_apart, is_apart

    def _is_short(self, line: Line) -> bool:
        return len(line.text) < self._short

    def _is_behind_caption(self, here: _Place) -> bool:
        """Whether a line goes on with the text below a caption that has no gap below it."""
        if not self._is_caption or not here.words or here.is_tied is not None or here.line.text[0].islower():
            return False
        return self._is_short(self._above) or here.line.left != self._above.left

    def _is_caption_of(self, here: _Place, *, is_parted: bool) -> bool:
        """Whether a line begins a caption: nothing goes on in it from above, neither a sentence nor what is tied."""
        above, line = here.above.text, here.line
        if above and (here.is_tied or not (is_parted or SENTENCE_END.search(above))):
            return False
        if line.block and line.block.kind is Kind.CAPTION:
            return True
        is_small = 0 < (line.size or 0) <= _SMALL * self._usual_size
        return CAPTION.match(line.text) is not None or (is_small and _SOURCE.match(line.text) is not None)

    def _is_apart(self, here: _Place) -> bool:
        is_short = self._is_short(here.above)
        is_ended = ends_in_print(here.above.text, here.line.text)
        if self._usual_size and is_set_apart(here.above, here.line, is_ended=is_short or is_ended):
            return True
        if is_ended and is_indented(here.above, here.line, here.below):
            return True
        known = [*here.others, self._usual] if self._usual and is_short else here.others
        return bool(here.distance and known and here.distance > _WIDER * min(known))

    def _begins(self, here: _Place, edges: Collection[int], *, is_apart: bool) -> bool:
        """Whether a line begins a paragraph, which no gap shows where a column ends, and no stop where an item does."""
        above, line = self._above, here.line
        if line.left is None or not line.size or self._is_caption or not _may_begin(here.words):
            return False
        if self._n_rows >= _ROWS and not line.has_cells:  # nothing else shows the end of a table
            return True
        indent = _INDENT * line.size
        if above.height is not None and line.height is not None and line.height > above.height:
            return ends_in_print(above.text, line.text) and self._begins_column(line.left, indent, here.below, edges)
        if self._item is None or self._item.left is None:
            return False
        is_inner = self._inner is not None and line.left > self._inner - indent
        return line.left < self._item.left - indent or (is_apart and not is_inner)

    def _begins_column(self, left: float, indent: float, below: Line | None, edges: Collection[int]) -> bool:
        if self._item is not None and self._item.left is not None:  # its further lines would be set in there, too
            return round(left) in edges
        if not self._has_indents or below is None or below.left is None:
            return False
        return left - below.left >= indent and round(below.left) in edges

    def _remember(self, here: _Place, *, is_apart: bool) -> None:
        line, marker = here.line, "" if here.is_heading or here.is_tied else read_marker(here.words)
        if marker:
            same = self._item is not None and read_marker(spell_out(self._item.text)) == marker
            self._item, self._inner = line, line.inner or (self._inner if same else None)
        elif here.is_heading or is_apart:
            self._item, self._inner = None, None
        elif self._item is not None and self._inner is None and line.left is not None:
            self._inner = line.left
        self._n_rows = self._n_rows + 1 if line.has_cells else 0
        self._above = line


def _may_begin(words: str) -> bool:
    """Whether a line may begin a paragraph that is no item, by how it begins itself."""
    first = words.lstrip(_OPENERS)[:1]
    return first.isalnum() and not first.islower() and not read_marker(words)


def _find_edges(page: Page) -> set[int]:
    """Where columns begin, in whole points."""
    counts = Counter(round(line.left) for line in page.lines if line.left is not None)
    return {left for left, n in counts.items() if n >= _MANY}


def mark_turns(pages: list[list[str]]) -> list[list[str]]:
    """Mark the lines of a transcript at which another begins to speak, which no gap may show.

    Args:
        pages: lines of each page, as `mark_parts` gives them.

    Returns:
        The same, of which more begin with `BEGIN`.
    """
    words = [[line.strip(MARKS) for line in page] for page in pages]
    text = "\n".join(line for page in words for line in page)
    starts = {start for start, _ in find_turns(text, lambda: None)}
    marked: list[list[str]] = []
    place = 0
    for page, bare in zip(pages, words, strict=True):
        marked.append([])
        for line, each in zip(page, bare, strict=True):
            marked[-1].append(BEGIN + line if place in starts and line.rstrip(GOES_ON) == each else line)
            place += len(each) + 1
    return marked
