"""Owns how items of a list are marked: (a), 2., iii) or a bullet. Knows nothing of where lists stand."""

import re

MARKER = r"(?:[-*+\u2022\u2023\u25e6\u2013\u2014]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxlc]{1,6})[.)])"
_MARKER_CHARS = 10
_BEGIN = re.compile(rf"{MARKER}(?=\s)")
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
