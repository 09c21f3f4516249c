"""Owns which lines are page numbers, rules, headers or footers, and no text. Knows nothing of sentences."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable

MIN_PAGES = 3  # of fewer nobody can say what runs through them
MAX_ROUNDS = 8  # of dropping what stands outermost

_Bounds = tuple[int, int]
_Key = Callable[[str], str]  # of a line: those that have the same are one

_SEPARATORS = "\x1c\x1d\x1e"  # around a line whose part in the text is known: a title is the same line without
_DIGITS = re.compile(r"\d+")
_LETTERED = re.compile(r"[A-Z]-\d{1,3}")  # the number of a page in an annex
# Behind an entry of a table of contents: dots, and a page's number. A run is tried where it begins, and not again.
_LEADER = re.compile(
    r"(?<!\.)(?<!\.[^\S\r\n])(?:\.[^\S\r\n]?){4,}+[^\S\r\n]*(?:[A-Z]-)?(?:\d{1,4}|[ivxlc]{1,6})\b[^\S\r\n]*"
)
_MAX_ENTRY_WORDS = 30
_MARK_CHARS = 40
# "Page 3 of 9", "p. 3", "The End", "ENDS", with whatever is set around it.
_MARK = re.compile(
    r"[\W_]*(?:(?:page|pg\.?|p\.)\s*\d{1,4}(?:\s*(?:of|/)\s*\d{1,4})?|(?:the\s)?ends?)[\W_]*", re.IGNORECASE
)


def is_no_text(piece: str) -> bool:
    """Say whether a piece of a document is a rule, a page number, bare figures or what marks the end.

    Args:
        piece: what stands between blank lines.

    Returns:
        True where it has no letter, as `***`, `- 3 -` and `12.5 | 13.1`, or no words but "Page 3 of 9" or "The End".
    """
    return not any(map(str.isalpha, piece)) or (len(piece) <= _MARK_CHARS and _MARK.fullmatch(piece) is not None)


def is_contents(piece: str) -> bool:
    """Say whether a piece of a document is a part of its table of contents, whose entries dots lead to their pages.

    Args:
        piece: what stands between blank lines, without space around it.

    Returns:
        False where words stand behind the last page's number, and where most lines have no dots.
    """
    if "..." not in piece and ". . ." not in piece:
        return False
    *entries, rest = _LEADER.split(piece)
    n_lines = len(piece.splitlines())
    return not rest and 2 * len(entries) >= n_lines and all(len(each.split()) < _MAX_ENTRY_WORDS for each in entries)


def _key(line: str) -> str:
    return _DIGITS.sub("0", line.strip(_SEPARATORS))


def _strict_key(line: str) -> str:
    """As `_key`, but what ends as a sentence does is text wherever its numbers differ."""
    words = line.strip(_SEPARATORS)
    return words if words.endswith((".", "!", "?")) else _key(line)


def _count(pages: Iterable[list[str]], key: _Key) -> Counter[str]:
    """On how many pages each line stands first or last."""
    return Counter(line for page in pages if page for line in {key(page[0]), key(page[-1])})


def _find_repeated(pages: list[list[str]], key: _Key) -> set[str]:
    """Keys of lines at an edge of at least half of the pages, or of those left or right in an opened book."""
    repeated = {line for line, n in _count(pages, key).items() if n * 2 >= len(pages)}
    for side in (pages[::2], pages[1::2]):
        repeated |= {line for line, n in _count(side, _strict_key).items() if n > 1 and n * 2 >= len(side)}
    return repeated


def _strip(page: list[str], bounds: _Bounds, repeated: set[str], key: _Key, titles: Collection[str]) -> _Bounds:
    def is_running(line: str) -> bool:
        is_title = line.strip(_SEPARATORS) in titles
        return not is_title and (
            not line or line.isdigit() or _LETTERED.fullmatch(line) is not None or key(line) in repeated
        )

    first, last = bounds
    while first < last and is_running(page[first]):
        first += 1
    while first < last and is_running(page[last - 1]):
        last -= 1
    return first, last


def find_page_bounds(pages: list[list[str]], *, titles: Collection[str] = ()) -> list[tuple[int, int]]:
    """Find page numbers, and headers and footers that stand on at least half of the pages or of every second one.

    They may have several lines with gaps between: what is dropped uncovers the next.

    Args:
        pages: lines of each page, stripped; empty ones where the page had a gap.
        titles: lines that stay on the first page, though they run through the others.

    Returns:
        Of each page the number of the first line of its text, and of the one behind the last.
    """
    kept = {number: (0, len(page)) for number, page in enumerate(pages) if page}
    has_many = len(kept) >= MIN_PAGES
    for number in range(MAX_ROUNDS):
        key = _strict_key if number else _key  # what is dropped last is nearest to the text
        edges = [[pages[n][first], pages[n][last - 1]] if first < last else [] for n, (first, last) in kept.items()]
        repeated = _find_repeated(edges, key) if has_many else set()
        before, kept = (
            kept,
            {n: _strip(pages[n], bounds, repeated, key, () if n else titles) for n, bounds in kept.items()},
        )
        if kept == before and number:
            break
    return [kept.get(number, (0, 0)) for number in range(len(pages))]


def strip_pages(pages: list[list[str]], *, titles: Collection[str] = ()) -> list[list[str]]:
    """Leave out what `find_page_bounds` finds around the text of pages.

    Args:
        pages: lines of each page, stripped; empty ones where the page had a gap.
        titles: lines that stay on the first page, though they run through the others.

    Returns:
        What is left of each page, without gaps at its edges; empty where it holds nothing else.
    """
    bounds = find_page_bounds(pages, titles=titles)
    return [page[first:last] for page, (first, last) in zip(pages, bounds, strict=True)]
