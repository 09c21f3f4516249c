"""Owns which lines of a PDF's pages stand beside the text: running lines by their place, and notes at the foot.

Programs write them before, behind or between the columns of a page, so that a sentence that goes on over the end of
a page had its notes within. Knows nothing of paragraphs.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from twohands.pdf_lines import Block, Kind, Line, Page

_MIN_PAGES = 2
_MIN_NAMED = 3  # on which a section's name runs
_EDGE = 0.12  # of a page's height, in which running lines stand
_WORDED_FOOT = 0.2  # of it, in which those with words do at the foot: wide margins have them above their own edge
_FOOT = 0.6  # of it, in which notes do
_SMALL = 0.93  # of the usual size of letters
_MOST_BESIDE = 0.25  # of all letters
_COLUMN = 0.25  # of a page's height: what begins further away stands in another column
_MOST_WORDS = 20  # of a running line
_MOST_LOOKS = 200  # for a note on one page, each of which looks through its lines: a hostile page has a million
_TITLES = {"notes", "endnotes", "footnotes", "references", "notes and references", "references and notes"}
_DIGITS = re.compile(r"\d+")
# The number of a note, and not 3.2 or 12 %; or one of the signs that stand for it.
_NOTE = re.compile(
    r"(?:\[?(?P<number>\d{1,3})[.)\]]?|(?P<sign>[*\u2020\u2021\u00a7]{1,3}))\s*(?=[^\W\d_]|[\"'\u2018\u201c(])"
)

# What refers to it, where nothing tells that it is raised: behind a word or its stop, and not within 3.2 or CO2.
_MARK = re.compile(
    r"(?:(?<=[^\W\d_]{2})|(?<=[^\W\d_][.,;:!?])|(?<=\b[12]\d{3}[.,;])|(?<=[)\]\"'\u2019\u201d%][.,;:!?])|(?<=[)\]\"'\u2019\u201d%]))"
    r"\[?(\d{1,3})(?!\d)|([*\u2020\u2021\u00a7]{1,3})"
)

_Key = tuple[str, int]


def _list_edges(page: Page, *, worded_foot: float = _EDGE) -> Iterator[tuple[int, _Key]]:
    """The numbers of lines at the upper and lower edge of a page, and by what they are known on another one."""
    depth = _EDGE * (page.top - page.bottom)
    if depth <= 0:
        return
    for number, line in enumerate(page.lines):
        foot = page.bottom + (worded_foot / _EDGE if any(map(str.isalpha, line.text)) else 1) * depth
        is_edge = line.height is not None and not foot < line.height < page.top - depth
        if is_edge and line.height is not None and 0 < len(line.text.split()) <= _MOST_WORDS:
            # What ends as a sentence does is text wherever its numbers differ.
            is_text = line.text.endswith((".", "!", "?"))
            yield number, (line.text if is_text else _DIGITS.sub("0", line.text), round(line.height))


def drop_beside(pages: list[Page]) -> list[Page]:
    """Leave out what the file itself says is no text: running lines, mostly.

    Args:
        pages: of a document.

    Returns:
        As many pages; those that were given where it is so much that it must be the text.
    """
    lines = [line for page in pages for line in page.lines]
    n_beside = sum(len(line.text) for line in lines if line.is_beside)
    if not n_beside or n_beside > _MOST_BESIDE * sum(len(line.text) for line in lines):
        return pages
    return [replace(page, lines=[line for line in page.lines if not line.is_beside]) for page in pages]


def _find_section_names(pages: list[Page], edges: list[list[tuple[int, _Key]]]) -> set[Line]:
    """Lines at one height of the edge of most pages that say what one further in does: the heading of the section."""
    heights = Counter(height for found in edges for height in {height for _, (_, height) in found})
    often = {height for height, n in heights.items() if n >= _MIN_NAMED and n * 2 >= len(pages)}
    if not often:
        return set()
    middle = [(page.top + page.bottom) / 2 for page in pages]
    nearest: dict[str, float] = {}  # to the middle of a page, where lines stand that say the same
    for page, at in zip(pages, middle, strict=True):
        for line in page.lines:
            if line.height is not None:
                words, away = _strip_numbers(line.text), abs(line.height - at)
                nearest[words] = min(away, nearest.get(words, away))
    return {
        page.lines[number]
        for page, at, found in zip(pages, middle, edges, strict=True)
        for number, (_, height) in found
        if height in often and 1 + nearest[_strip_numbers(page.lines[number].text)] < abs(height - at)
    }


def _strip_numbers(text: str) -> str:
    """The words of a line without the page's number at one of its ends."""
    return text.strip("0123456789 |\u2013\u2022-").lower()


def drop_by_place(pages: list[Page]) -> list[Page]:
    """Leave out lines at the edge of a page that stand at the same height of another page, too.

    Args:
        pages: of a document.

    Returns:
        As many pages; those lines stand on half of them or of those left or right in an opened book.
    """
    edges = [list(_list_edges(page, worded_foot=_WORDED_FOOT)) for page in pages]
    repeated: set[_Key] = set()
    for side in (edges, edges[::2], edges[1::2]):
        counts = Counter(key for found in side for key in {key for _, key in found})
        repeated |= {key for key, n in counts.items() if n >= _MIN_PAGES and n * 2 >= len(side)}
    names = _find_section_names(pages, [list(_list_edges(page)) for page in pages])
    kept = []
    for page, found in zip(pages, edges, strict=True):
        dropped = {number for number, key in found if key in repeated}
        dropped |= {number for number, _ in found if page.lines[number] in names}
        kept.append(replace(page, lines=[line for n, line in enumerate(page.lines) if n not in dropped]))
    return kept


def _is_small(line: Line, usual: float) -> bool:
    return line.size is not None and line.size <= _SMALL * usual


def _is_at_foot(page: Page, line: Line, usual: float) -> bool:
    """Whether nothing in letters of the usual size stands below a line in its column."""
    if page.top <= page.bottom or line.height is None or line.left is None:
        return False
    if line.height > page.bottom + _FOOT * (page.top - page.bottom):
        return False
    near = _COLUMN * (page.top - page.bottom)
    texts = [other for other in page.lines if other.text and not _is_small(other, usual)]
    above = [other for other in texts if other.height is not None and other.height > line.height]
    below = [
        other
        for other in texts
        if other.height is not None and other.height < line.height
        if other.left is not None and abs(other.left - line.left) < near and not other.text.isdigit()
    ]
    return bool(above) and not below


def _find_marks(page: Page, usual: float) -> set[str]:
    """What refers to notes in the text of a page: without it, small numbered lines are points that are made."""
    marks: set[str] = set()
    for line in page.lines:
        marks.update(line.raised)
        if not _is_small(line, usual):
            marks.update(mark[1] or mark[2] for mark in _MARK.finditer(line.text))
        elif line.text.isdigit():  # raised so far that it stands for itself
            marks.add(line.text)
    return marks


def _read_number(text: str, marks: set[str], last: int | None) -> int | None:
    """Which note a line begins, to which the text refers; 0 behind a sign, and the next one behind the last."""
    found = _NOTE.match(text)
    if not found or (found["number"] or found["sign"]) not in marks:
        return None
    number = int(found["number"] or 0)
    return number if last is None or number in {0, last + 1} else None


def _number_notes(page: Page, usual: float) -> Iterator[int]:
    """For each line of a page the note that it belongs to, counted from 1; 0 for none."""
    marks = _find_marks(page, usual)
    note, n_looks = 0, 0
    last: int | None = None  # the number of the note in which the line above is
    above = Line("")
    for line in page.lines:
        is_small = _is_small(line, usual)
        number = _read_number(line.text, marks, last) if is_small and n_looks < _MOST_LOOKS else None
        n_looks += number is not None
        if number is not None and _is_at_foot(page, line, usual):
            note, last = note + 1, number
        elif line.text and not (is_small and above.height is not None and (line.height or 0) <= above.height):
            last = None
        above = line if line.text else above
        yield note if last is not None and line.text else 0


def take_notes(pages: list[Page], usual: float) -> tuple[list[Page], list[list[str]]]:
    """Take notes from the foot of pages: numbered lines in small letters with no text below, and their mark above.

    What a tagged file calls notes is taken wherever it stands.

    Args:
        pages: of a document, without running lines.
        usual: the size of letters that running text has; 0 where it is not known, and only tags tell then.

    Returns:
        As many pages without their notes, and the lines of each note.
    """
    kept: list[Page] = []
    notes: list[list[str]] = []
    last: Block | None = None  # the note of a tagged file, which may go on over the end of a page
    for page in pages:
        numbers = _number_notes(page, usual) if usual else iter([0] * len(page.lines))
        found = [(_find_tagged(line) or note, line) for note, line in zip(numbers, page.lines, strict=True)]
        kept.append(replace(page, lines=[line for note, line in found if not note]))
        for note, group in groupby(found, key=lambda pair: pair[0]):
            lines = [line.text for _, line in group]
            if note and note == last:
                notes[-1] += lines
            elif note:
                notes.append(lines)
                last = note if isinstance(note, Block) else None
    return kept, notes


def _find_tagged(line: Line) -> Block | None:
    return line.block if line.block and line.block.kind is Kind.NOTE else None


def _find_small_end(lines: list[Line], usual: float) -> int:
    """Where the small letters begin in which the lines of a document end, with numbers of pages between."""
    begin = len(lines)
    while usual and begin and (_is_small(lines[begin - 1], usual) or lines[begin - 1].text.isdigit()):
        begin -= 1
    return begin


def _cut_counted(lines: list[Line], begin: int) -> tuple[int, list[list[str]]]:
    """Where the first of the notes stands that are counted from 1, and the lines of each."""
    notes: list[list[str]] = []
    first = len(lines)
    for place in range(begin, len(lines)):
        text = lines[place].text
        found = _NOTE.match(text)
        if found and int(found["number"] or 0) == len(notes) + 1:
            notes.append([text])
            first = min(first, place)
        elif notes and not text.isdigit():
            notes[-1].append(text)
    return first, notes


def take_endnotes(pages: list[Page], usual: float) -> tuple[list[Page], list[list[str]]]:
    """Take notes from the end of a document: counted lines in small letters, to half of which the text refers.

    Args:
        pages: of a document, without running lines and the notes at their feet; markers stand in their lines.
        usual: the size of letters that running text has; 0 where it is not known, and no note is then.

    Returns:
        As many pages without these notes, and the lines of each.
    """
    flat = [line for page in pages for line in page.lines if line.text]
    first, notes = _cut_counted(flat, _find_small_end(flat, usual))
    marks = {mark for line in flat[:first] for mark in line.raised}
    n_marked = sum(str(number) in marks for number in range(1, len(notes) + 1))
    if not notes or n_marked * 2 < len(notes):
        return pages, []
    if first and flat[first - 1].text.strip(":").lower() in _TITLES:
        first -= 1
    taken = {id(line) for line in flat[first:]}
    return [replace(page, lines=[line for line in page.lines if id(line) not in taken]) for page in pages], notes


def mark_note(text: str) -> str:
    """Write a note as Markdown defines one, which belongs to no paragraph and is shown as a note."""
    found = _NOTE.match(text)
    number = found["number"] if found else None
    return f"[^{number}]: {text[found.end() :] if found else text}" if number else f"[^*]: {text.lstrip('*')}"
