"""Owns how items of a list are marked: (a), 2., iii) or a bullet. Knows nothing of where lists stand."""

import re

# Beyond those of Markdown: the bullets of Word, which its fonts have in the private use area, of print and of letters.
BULLETS = (
    "\u00b7\u2022\u2023\u2043\u2219\u25a0\u25a1\u25aa\u25ab\u25b6\u25b8\u25ba\u25c6\u25c7\u25cb\u25cf\u25e6\u2610\u2611"
    "\u2705\u2713\u2714\u2756\u2794\u27a2\u27a4\uf076\uf0a7\uf0a8\uf0b7\uf0d8\uf0fc\U0001f538\U0001f539"
)
MARKER = rf"(?:[-*+{BULLETS}\u2013\u2014]|\(?(?:\d{{1,3}}|[a-zA-Z]|[ivxlc]{{1,6}})[.)])"
_MARKER_CHARS = 10
# A number or a small letter in brackets to which the next word is glued, as dropped tags leave it: "(a)a person".
GLUED = r"(?!\(s\)he\b)\((?:\d{1,3}|[a-z]|[ivxlc]{1,6})\)(?=[^\W\d_])"
_BEGIN = re.compile(rf"{MARKER}(?=\s)|{GLUED}")
_CAPITAL = re.compile(r"[A-Z]\.")
_DASHES = frozenset("-\u2013\u2014")
_DASH_WORDS = 5  # fewer behind a dash are who said it, or a page's number
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")


def read_marker(text: str) -> str:
    """Say how a text is marked as an item, whatever its number.

    Args:
        text: without space before it.

    Returns:
        The same for (a), (b) and (ii); empty where it is no item.
    """
    match = _BEGIN.match(text[:_MARKER_CHARS])
    return _DIGITS.sub("1", _LETTERS.sub("a", match[0])) if match else ""


def read_item(text: str, n_words: int, number: int, *, is_sure: bool) -> str:
    """Say how a piece of a document is marked as an item, whatever its number.

    "J. Smith" and "Q. Thanks" are none, nor is a dash before a name or a page's number: capitals with a dot go on from
    each other in a list.

    Args:
        text: without space before it.
        n_words: how many words it has.
        number: how many pieces came before it.
        is_sure: whether a dash marks an item in any case: it ends as a sentence or clause does, or has a lead.

    Returns:
        As `read_marker` has it, but for B. behind A. the same, for J. behind A. another; empty where it is no item.
    """
    marker = read_marker(text)
    if marker in _DASHES:
        return marker if is_sure or n_words > _DASH_WORDS else ""
    return f"A.{ord(text[0]) - number}" if marker and _CAPITAL.match(text) else marker
