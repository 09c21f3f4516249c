"""Owns where the marked headings of a text stand -> the heading of the section in which a paragraph does.

Knows nothing of what a heading or a paragraph is.
"""

import re
from collections import deque

from twohands.plain_words import leave_out_emphasis

_MAX_CHARS = 400
_CLOSING_SIGNS = re.compile(r"\s#+\s*\Z|\s?={2,6}\s*\Z")  # of `## Money ##` and `==Money==`
_ANCHOR = re.compile(r"\s*\{[#.][^{}]*\}\s*\Z")  # `{#money .wide}`
# Of newsletters in plain text: `** Money (https://example.org/m)` above a rule.
_STARS = re.compile(r"\A\*{1,3}\s+")
_TARGET = re.compile(r"(?<=\S)\s?(?<!\])\(https?://[^()\s]*\)\s*\Z")


def _leave_out_marks(heading: str) -> str:
    words = _ANCHOR.sub("", _CLOSING_SIGNS.sub("", heading))
    return leave_out_emphasis(_STARS.sub("", _TARGET.sub("", words)))


class Sections:
    """Headings of one text, which come in order and before what stands below them."""

    def __init__(self, text: str) -> None:
        """Begin with none.

        Args:
            text: the raw document.
        """
        self._text = text
        self._ahead: deque[tuple[int, int]] = deque()
        self._heading = ""

    def add(self, span: tuple[int, int]) -> None:
        """Add a heading, by where its words stand."""
        self._ahead.append(span)

    def find(self, start: int) -> str:
        """Find the section of a paragraph.

        Args:
            start: of the paragraph; no less than that of the one before.

        Returns:
            The last heading above it that has a letter or a digit, without the marks of Markdown; empty where there is
            none.
        """
        while self._ahead and self._ahead[0][0] < start:
            begin, end = self._ahead.popleft()
            heading = _leave_out_marks(self._text[begin : min(end, begin + _MAX_CHARS)])
            if any(map(str.isalnum, heading)):
                self._heading = heading
        return self._heading
