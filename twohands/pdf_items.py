"""Owns how a PDF draws the items of lists and its tables -> items with their marker, and no rows of figures.

Programs draw a marker by itself, before its item or behind all items. Knows nothing of paragraphs.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from twohands.pdf_lines import Line, Page

_MARKER = re.compile(
    r"[\u2022\u2023\u25e6\u25aa\u25cf\u25cb\u25a0\u25a1\uf020-\uf0ff\x7f\u2013-]|o|\(?(?:\d{1,3}|[a-zA-Z]|[ivxlc]{1,6})[.)]"
)
_FAR = 6  # sizes of the letters: what begins further away is no item of a marker
_BESIDE = 0.4  # of the size, by which a marker may stand higher or lower than its item
_MOST_LOOKS = 1_000_000  # beside markers for their item; a hostile page has as many of both at one height
_INITIAL = re.compile(r"[\"'\u2018\u201c]?[A-Z]")
_MOST_INITIALS = 20  # of a page
_INITIAL_SIZE = 1.6  # times the usual size, at least
_WORD = re.compile(r"[^\W\d_]+")
_FIRST_WORDS = frozenset(
    {
        "according", "across", "after", "again", "against", "all", "almost", "along", "already", "also", "although",
        "always", "amid", "among", "an", "and", "another", "any", "are", "around", "as", "at", "if", "in", "indeed",
        "inflation", "instead", "into", "is", "it", "its",
    }
)  # fmt: skip
_MIN_ROWS = 3  # of a table; a line or two of a text may hold as many figures
_FIGURES_SHARE = 1 / 3  # of the words of a row
_NARROW_WORDS = 4  # of a row that has one figure
_HEAD_WORDS = 15
_HEAD_END = re.compile(r"[.,;:!?][\"'\u2019\u201d)]*\Z")
_SENTENCE = re.compile(r"[.!?][\"'\u2019\u201d)]?\s+[A-Z]|[a-z]{2}[.;:]\Z")
_FIGURE = re.compile(
    r"[^\w\s]{0,3}\d[\d.,:/\u2013-]*[%\u2030]?[^\w\s]{0,2}[a-z]?|n/?a|[\u2013\u2014-]|\.\.+", re.IGNORECASE
)


def _is_marker(line: Line) -> bool:
    return line.left is not None and line.height is not None and _MARKER.fullmatch(line.text) is not None


def join_markers(page: Page) -> Page:
    """Put markers that are drawn by themselves before the item that stands beside them.

    Args:
        page: without running lines.

    Returns:
        The page; a marker that has nothing beside it stays where it is.
    """
    markers = [number for number, line in enumerate(page.lines) if _is_marker(line)]
    if not markers:
        return page
    by_height: dict[int, list[int]] = defaultdict(list)
    for number, line in enumerate(page.lines):
        if line.text and line.height is not None and line.left is not None and line.size and not _is_marker(line):
            by_height[round(line.height)].append(number)
    if len(markers) * max(map(len, by_height.values()), default=0) > _MOST_LOOKS:
        return page
    lines, joined = list(page.lines), set()
    for number in markers:
        found = _find_item(lines, lines[number], by_height)
        if found is not None:
            marker, item = lines[number], lines[found]
            words = f"{marker.text} {item.text}"
            lines[found] = replace(item, text=words, left=marker.left, inner=item.left, is_bold=False)
            by_height[round(item.height or 0)].remove(found)
            joined.add(number)
    return replace(page, lines=[line for number, line in enumerate(lines) if number not in joined])


def _find_item(lines: list[Line], marker: Line, by_height: dict[int, list[int]]) -> int | None:
    """The number of the nearest line to the right of a marker."""
    height, left = marker.height or 0, marker.left or 0
    near = [number for shift in (-4, -3, -2, -1, 0, 1, 2, 3, 4) for number in by_height[round(height) + shift]]
    beside = [
        ((lines[number].left or 0) - left, number)
        for number in near
        if abs((lines[number].height or 0) - height) <= _BESIDE * (lines[number].size or 0)
        and 0 < (lines[number].left or 0) - left <= _FAR * (lines[number].size or 0)
    ]
    return min(beside)[1] if beside else None


def join_initials(page: Page, usual: float) -> Page:
    """Put letters that are set large at the begin of a text before the rest of their word.

    Args:
        page: without running lines.
        usual: the size of letters that running text has; 0 where it is not known, and none is put anywhere then.

    Returns:
        The page; "A" and "I" are words by themselves but for what begins many texts or stands elsewhere on the page.
    """
    large = _INITIAL_SIZE * usual
    initials = [line for line in page.lines if usual and (line.size or 0) >= large and _INITIAL.fullmatch(line.text)]
    if not initials:
        return page
    words = frozenset(word.lower() for line in page.lines for word in _WORD.findall(line.text))
    lines = list(page.lines)
    for initial in initials[:_MOST_INITIALS]:
        beside = [n for n, line in enumerate(lines) if (line.size or 0) < large and _stands_beside(initial, line)]
        if beside:
            first = max(beside, key=lambda n: lines[n].height or 0)
            lines[first] = replace(lines[first], text=_join_initial(initial.text, lines[first].text, words))
            lines.remove(initial)
    return replace(page, lines=lines)


def _stands_beside(initial: Line, line: Line) -> bool:
    if None in {initial.height, initial.left, line.height, line.left} or not line.text[:1].isalpha():
        return False
    size = initial.size or 0
    is_beside = 0 <= (line.height or 0) - (initial.height or 0) <= size
    return is_beside and abs((line.left or 0) - (initial.left or 0)) <= _INITIAL_SIZE * size


def _join_initial(initial: str, text: str, words: frozenset[str]) -> str:
    found = _WORD.match(text)
    first = found[0].lower() if found else ""
    is_word = initial in {"A", "I"} and f"{initial.lower()}{first}" not in _FIRST_WORDS | words
    return f"{initial}{' ' * is_word}{text}"


def _is_row(line: Line) -> bool:
    """Whether a line may be a row of figures: several, or one behind a name where a narrow column has no room."""
    words = line.text.split()
    kinds = [_FIGURE.fullmatch(word) is not None for word in words]
    n_figures = sum(kind and any(map(str.isdigit, word)) for kind, word in zip(kinds, words, strict=True))
    if _SENTENCE.search(line.text):
        return False
    if n_figures == 1:
        return 1 < len(words) <= _NARROW_WORDS and kinds[-1] and not kinds[0]
    return n_figures > 1 and sum(kinds) >= _FIGURES_SHARE * len(words)


def _is_head(line: Line, row: Line) -> bool:
    """Whether a line heads the columns of the table whose first row follows."""
    n_words = len(line.text.split())
    if not 1 < n_words <= _HEAD_WORDS or line.text[0].islower() or _HEAD_END.search(line.text):
        return False
    return line.size == row.size and line.height is not None and row.height is not None and line.height > row.height


def _number_tables(page: Page) -> Iterator[int]:
    """For each line of a page the table that it belongs to, from 1; 0 for none."""
    found: list[int] = []
    for number, (is_row, group) in enumerate(groupby(page.lines, key=_is_row), start=1):
        rows = list(group)
        n_within = sum(row.text[0].islower() for row in rows) if is_row else 0  # as lines of a sentence begin
        is_table = is_row and len(rows) >= _MIN_ROWS and n_within * 2 < len(rows)
        if is_table and found and _is_head(page.lines[len(found) - 1], rows[0]):
            found[-1] = number
        found += [number if is_table else 0] * len(rows)
    return iter(found)


def drop_figures(page: Page) -> Page:
    """Leave out rows of tables of figures, which stood within the sentence that goes on behind a table.

    Args:
        page: without running lines.

    Returns:
        The page, with an empty line in the place of each table of three such rows or more.
    """
    kept: list[Line] = []
    for number, group in groupby(zip(_number_tables(page), page.lines, strict=True), key=lambda pair: pair[0]):
        kept += [Line("")] if number else [line for _, line in group]
    return replace(page, lines=kept)
