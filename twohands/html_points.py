"""Owns points of legal acts that a page lays out in cells, as EUR-Lex does -> which cell is another's number.

Knows nothing of what a page is read as otherwise.
"""

import re
from collections import defaultdict
from itertools import islice
from types import ModuleType
from typing import Any

from twohands.ends import ends_clause, ends_sentence
from twohands.html_sizes import Size, descend, is_heading, measure
from twohands.markers import BULLETS

_CELLS = {"td", "th"}
_HOLDERS = {*_CELLS, "div", "dt", "p"}
_MOST_CHARS = 10
_MOST_SIBLINGS = 20  # among which what stands beside a number is looked for
_MOST_NODES = 20
_COUNTED = r"['\"\u2018\u201c]?\(?(?:\d{1,3}[a-z]?|[a-zA-Z]|([a-z])\1|[ivxlcIVXLC]{1,6})[.)]"
_NUMBER = re.compile(_COUNTED)
_NUMBER_OR_DASH = re.compile(rf"{_COUNTED}|[*\u2010-\u2015{BULLETS}-]")  # outside a row they may part two texts


def _read_short(tag: Any, bs4: ModuleType) -> str:  # noqa: ANN401 - a tag of an optional library
    """All words of an element; empty where it holds more than a few elements."""
    words, stack = "", [tag]
    for _ in range(_MOST_NODES):
        if not stack:
            break
        node = stack.pop()
        if isinstance(node, bs4.Tag):
            stack += reversed(node.contents[:_MOST_NODES])
        words += node if type(node) is bs4.NavigableString else ""
    return "" if stack else " ".join(words.split())


def _find_beside(tag: Any, sizes: dict[int, Size], bs4: ModuleType) -> Any:  # noqa: ANN401 - as above
    """What stands behind an element in the one that holds both: an element with words, or a string; else None."""
    for node in islice(tag.next_siblings, _MOST_SIBLINGS):
        if isinstance(node, bs4.Tag):
            if sizes[id(node)].n_chars:
                return node
        elif type(node) is bs4.NavigableString and node.strip():
            return node
    return None


def read_number(tag: Any, sizes: dict[int, Size], bs4: ModuleType) -> str:  # noqa: ANN401 - a tag of an optional library
    """Say of which number, letter or dash an element holds nothing else, where it marks the text that stands beside it.

    Args:
        tag: an element of a page.
        sizes: of all elements.
        bs4: the library.

    Returns:
        Empty where it holds more, and where nothing, a heading or the next number stands beside it.
    """
    size = sizes[id(tag)]
    if tag.name not in _HOLDERS or size.n_words != 1 or size.n_chars > _MOST_CHARS:
        return ""
    number = _read_short(tag, bs4)
    if not (_NUMBER_OR_DASH if tag.name in _CELLS else _NUMBER).fullmatch(number):
        return ""
    beside = _find_beside(tag, sizes, bs4)
    if not isinstance(beside, bs4.Tag):
        return number if beside else ""
    if is_heading(beside) or (tag.name in _CELLS) != (beside.name in _CELLS):
        return ""
    is_number = sizes[id(beside)].n_words == 1 and _NUMBER_OR_DASH.fullmatch(_read_short(beside, bs4))
    return "" if is_number else number


def holds_points(table: Any, bs4: ModuleType) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Say whether each row of a table is a number and the text of a point, and one of these ends as a clause does.

    Args:
        table: without another in it.
        bs4: the library.

    Returns:
        False where a row has no number, or more cells than two with words.
    """
    sizes = measure(table, bs4)
    rows: dict[int, list[Any]] = defaultdict(list)
    for node in descend(table, bs4):
        if isinstance(node, bs4.Tag) and node.name in _CELLS and sizes[id(node)].n_chars:
            rows[id(node.parent)].append(node)
    if not rows or any(len(cells) != 2 or not read_number(cells[0], sizes, bs4) for cells in rows.values()):
        return False
    strings = ([node for node in descend(cell, bs4) if type(node) is bs4.NavigableString] for _, cell in rows.values())
    texts = ["".join(each).rstrip() for each in strings]
    return any(ends_clause(text) or ends_sentence(text) for text in texts)
