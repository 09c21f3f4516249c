"""Owns lines that were wrapped at a column -> where an indented first line begins a paragraph, as print has it.

Text copied from a PDF often has blank lines at its sections only. Knows nothing of what else parts a document.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from twohands.markers import BULLETS

MIN_INDENT = 2  # columns beyond the other lines
MIN_WIDTH = 45  # of a column of prose; verse and tables are narrower
NEAR = (0.8, 1.15)  # of the usual width, between which a line counts as filled
MIN_FILLED_SHARE = 0.8
MIN_LINES = 3  # of a paragraph on average
MAX_LINES = 100_000  # a tenth of a second of work, for which nobody can give up

_CUTS_BETWEEN_CHECKS = 1000
_LINE_END = re.compile(r"\r\n|\r|\n")
_INDENT = re.compile(r"[\r\n](?:\t|  )")
_TAB_COLUMNS = 4
# A note's number may follow the stop. Colons are none: what is indented behind one is a quotation or a list.
_SENTENCE_END = re.compile(r"[.!?\u2026]['\"\u2019\u201d)\]]*\d{0,3}$")
_ITEM = re.compile(rf"[-*+{BULLETS}\u2013\u2014|>]|\(?[0-9A-Za-z]{{1,3}}[.)]\s")


def _find_items(lines: list[str], indents: list[int], least: int) -> list[bool]:
    """Of each line, whether it is one of an indented list: such as stand within prose say nothing of its indents."""
    found, of_item = [], -1
    for line, indent in zip(lines, indents, strict=True):
        if indent >= least and _ITEM.match(line.lstrip()):
            of_item = indent
        elif indent <= of_item:
            of_item = -1
        found.append(of_item >= 0)
    return found


def _find_first(lines: list[str], is_indented: list[bool]) -> list[int]:
    """Numbers of the lines that are indented by themselves behind a sentence's end, or end one, too."""
    is_ended = [bool(_SENTENCE_END.search(line)) for line in lines]
    below = [*is_indented[1:], False]
    return [
        number
        for number in range(1, len(lines))
        if is_indented[number] and is_ended[number - 1] and (not below[number] or is_ended[number])
    ]


def _is_prose(lines: list[str], begins: list[int], is_listed: list[bool]) -> bool:
    """Whether lines are nearly as long as each other, but for those that end paragraphs or are beside items."""
    width = sorted(map(len, lines))[9 * (len(lines) - 1) // 10]
    is_last = [*is_listed[1:], True]
    for begin in begins:
        is_last[begin - 1] = True
    sizes = zip(map(len, lines), is_listed, is_last, strict=True)
    kept = [n_columns for n_columns, listed, last in sizes if not (listed or last)]
    n_filled = sum(NEAR[0] * width <= n_columns <= NEAR[1] * width for n_columns in kept)
    return width >= MIN_WIDTH and n_filled >= MIN_FILLED_SHARE * len(kept)


def _find_begins(lines: list[str]) -> list[int]:
    """Numbers of the lines that begin a paragraph by their indent; none where the lines are no such prose."""
    indents = [len(line) - len(line.lstrip()) for line in lines]
    least = min(indents[1:]) + MIN_INDENT  # the first line may have lost its own
    is_listed = _find_items(lines, indents, least)
    is_indented = [indent >= least and not listed for indent, listed in zip(indents, is_listed, strict=True)]
    begins = _find_first(lines, is_indented)
    if not begins or len(lines) < MIN_LINES * (len(begins) + 1) or sum(is_indented[1:]) > 2 * len(begins):
        return []
    return begins if _is_prose(lines, begins, is_listed) else []


def cut_at_indents(text: str, bounds: tuple[int, int], check: Callable[[], None]) -> Iterator[tuple[int, int]]:
    """Cut prose that was wrapped at a column where an indented line follows a sentence's end.

    Only where lines are of nearly equal length but for those that end a paragraph, few are indented, and paragraphs
    have three lines or more on average: lists, verse, tables and quotations stay as they are.

    Args:
        text: the raw document.
        bounds: of a piece of it without blank lines.
        check: called every few milliseconds of work; raises to give up.

    Yields:
        Bounds of its paragraphs in order; those that were given where there is nothing to cut.
    """
    start, end = bounds
    if not _INDENT.search(text, start, end):
        yield bounds
        return
    begins, lines = [start], []
    for number, match in enumerate(_LINE_END.finditer(text, start, end)):
        if number % _CUTS_BETWEEN_CHECKS == 0:
            check()
        lines.append(text[begins[-1] : match.start()].rstrip().expandtabs(_TAB_COLUMNS))
        begins.append(match.end())
    lines.append(text[begins[-1] : end].rstrip().expandtabs(_TAB_COLUMNS))
    check()
    yield from pairwise([start, *(begins[i] for i in (_find_begins(lines) if len(lines) <= MAX_LINES else ())), end])
