"""Owns which lines of a PDF are headings: those of its outline, and those whose letters say so.

In doubt a line is none: a wrong one would stand above all paragraphs that follow. Knows nothing of paragraphs.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from twohands.markers import read_marker
from twohands.pdf_lines import Line, Page
from twohands.pdf_parts import CAPTION, ends_in_print, find_short

_LARGER = 1.08  # times the usual size
_SAME = 0.02  # of their size, by which letters of one heading differ
_MAX_WORDS = 25
_MAX_BOLD_WORDS = 14  # of letters that are not larger
_MAX_LINES = 4
_MAX_HEADLINE = 8  # words of one that may hold the end of a sentence
_INNER_END = re.compile(r"[a-z]{2}[.!?]\s+[A-Z]")
_FAR = 2.2  # sizes of its letters, by which the next line of a heading is below at most
_MIN_LETTERS = 3  # a letter alone is an initial that is set large
_NUMBER = re.compile(
    r"\s*(?:(?:chapter|part|section|annex|appendix)\s+)?(?:\d{1,3}(?:\.\d{1,3})*|[ivxlc]{1,6}|[a-z])[.):]?\s+",
    re.IGNORECASE,
)
_NO_SIGN = re.compile(r"[\W_]+")
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*(?:\d{1,4}|[ivxlc]{1,6})\s*$|\u2026{2,}\s*\d{1,4}\s*$")
_TAIL_CHARS = 200  # of a line that may hold a million
_OPEN_ENDS = (",", ";", ".", "-", "\u2010", "\u00ad")
_QUOTES = ('"', "\u201c", "\u2018", "\u00ab")

Outline = Sequence[tuple[str, int | None]]


def _simplify(text: str) -> str:
    number = _NUMBER.match(text)
    return _NO_SIGN.sub("", text[number.end() if number else 0 :]).lower()


def is_contents(line: Line) -> bool:
    """Say whether a line is one of a table of contents, with leaders before its page."""
    return _LEADERS.search(line.text[-_TAIL_CHARS:]) is not None


def _find_of_outline(pages: Sequence[Page], outline: Outline) -> list[set[int]]:
    """Lines that say what a title of the outline says, on its page or, where that is not known, on any."""
    wanted: dict[int | None, set[str]] = defaultdict(set)
    for title, place in outline:
        wanted[place].add(_simplify(title))
    found: list[set[int]] = [set() for _ in pages]
    for number, page in enumerate(pages):
        titles = {title for title in wanted[number] | wanted[None] if len(title) >= _MIN_LETTERS}
        for begin in range(len(page.lines)) if titles else ():
            words = ""
            for end in range(begin, min(begin + _MAX_LINES, len(page.lines))):
                line = page.lines[end]
                if not line.text:
                    break
                words = f"{words} {line.text}"
                if _simplify(words) in titles:
                    found[number].update(range(begin, end + 1))
                    break
    return found


def _is_large(line: Line, usual: float) -> bool:
    return line.size is not None and line.size >= _LARGER * usual


def _may_be_one(line: Line, usual: float) -> bool:
    if not line.text or line.size is None:
        return False
    return _is_large(line, usual) or (line.is_bold and line.size >= (1 - _SAME) * usual)


def _cut_groups(page: Page, usual: float) -> Iterator[list[int]]:
    """Lines in a row that may be one heading: in the same letters, and close to each other."""
    group: list[int] = []
    for number, line in enumerate(page.lines):
        above = page.lines[group[-1]] if group else None
        is_one = _may_be_one(line, usual)
        if group and not (is_one and above is not None and _goes_on(above, line)):
            yield group
            group = []
        if is_one:
            group.append(number)
    if group:
        yield group


def _goes_on(above: Line, line: Line) -> bool:
    if above.is_bold != line.is_bold or above.size is None or line.size is None:
        return False
    if abs(above.size - line.size) > _SAME * above.size or above.height is None or line.height is None:
        return False
    return 0 <= above.height - line.height <= _FAR * line.size


def _is_parted(above: Line | None, line: Line, short: float) -> bool:
    """Whether nothing goes on in a line from above it."""
    if above is None or not above.text or len(above.text) < short or ends_in_print(above.text, line.text):
        return True
    return above.height is not None and line.height is not None and above.height < line.height


def _is_long(text: str, most_words: int) -> bool:
    n_words = len(text.split())
    return n_words > most_words or (n_words > _MAX_HEADLINE and _INNER_END.search(text) is not None)


def _is_no_title(lines: list[Line], text: str) -> bool:
    """Whether words are no heading in whatever letters they are set."""
    return (
        len(lines) > _MAX_LINES
        or any(line.has_cells for line in lines)  # a row of a table
        or sum(map(str.isalpha, text)) < _MIN_LETTERS
        or text[0].islower()  # a sentence goes on from above
        or text.endswith(_OPEN_ENDS)  # it ends here, or goes on below
        or text.startswith(_QUOTES)  # what somebody said is set large beside the text
        or CAPTION.match(text) is not None
        or is_contents(lines[-1])
    )


def _begins_text(line: Line | None, usual: float) -> bool:
    """Whether a line is one of running text: below a bold one that is no heading stand a table's cells, or nothing."""
    if line is None or not line.text or line.size is None or line.is_bold or line.begins_bold:
        return False
    return abs(line.size - usual) <= _SAME * usual and len(line.text.split()) > 3


def _is_heading(lines: list[Line], above: Line | None, below: Line | None, usual: float, short: float) -> bool:
    text = " ".join(line.text for line in lines)
    is_large = _is_large(lines[0], usual)
    if _is_no_title(lines, text) or _is_long(text, _MAX_WORDS if is_large else _MAX_BOLD_WORDS):
        return False
    if is_large:
        return True
    # Bold ones are in tables, too, and begin paragraphs; a marker other than a number is an item's.
    if text.endswith(":") or (read_marker(text) and not text[0].isdigit()):
        return False
    return _is_parted(above, lines[0], short) and _begins_text(below, usual)


def find_headings(pages: Sequence[Page], usual: float, outline: Outline) -> list[set[int]]:
    """Find the lines that are headings.

    Args:
        pages: of a document, without running lines and notes.
        usual: size of letters of running text; 0 where sizes tell nothing, so that the outline alone does.
        outline: titles and the numbers of their pages.

    Returns:
        For each page the numbers of its lines that are one, or part of one.
    """
    found = _find_of_outline(pages, outline)
    if not usual:
        return found
    short = find_short([[line.text for line in page.lines] for page in pages])
    for page, numbers in zip(pages, found, strict=True):
        for group in _cut_groups(page, usual):
            above = page.lines[group[0] - 1] if group[0] else None
            below = page.lines[group[-1] + 1] if group[-1] + 1 < len(page.lines) else None
            if _is_heading([page.lines[number] for number in group], above, below, usual, short):
                numbers.update(group)
    return found
