"""Owns what is told of paragraphs of a document that are longer than is read: which they are, by line and character."""

import re
from collections.abc import Sequence

from twohands.errors import InputError, ParagraphTooLongError

_LINE_ENDS = re.compile(r"\r\n?|\n")


class Overlong:
    """Tells of the overlong paragraphs of one text, which come in order; so its lines are counted once."""

    def __init__(self, text: str, limit_chars: int) -> None:
        """Begin at the first line.

        Args:
            text: the raw document.
            limit_chars: most characters of one paragraph.
        """
        self._text, self._limit_chars = text, limit_chars
        self._line, self._counted = 1, 0

    def find(self, start: int, end: int) -> ParagraphTooLongError | None:
        """Say why a paragraph is not read; without its words, as services log what they say.

        Args:
            start: of the paragraph; no less than that of the one before.
            end: of it.

        Returns:
            Nothing where it is short enough.
        """
        if end - start <= self._limit_chars:
            return None
        self._line += sum(1 for _ in _LINE_ENDS.finditer(self._text, self._counted, start))
        self._counted = start
        return ParagraphTooLongError(
            f"found {end - start} characters in the paragraph that begins in line {self._line}, at character {start}; "
            f"at most {self._limit_chars} are read as one paragraph; put blank lines between its paragraphs"
        )


def refuse_unread(errors: Sequence[InputError | None]) -> None:
    """Refuse a document of which nothing is read, as a request is refused whose only text is bad.

    Args:
        errors: why each of its paragraphs is not read; None for one that is.

    Raises:
        InputError: the first of them, where there are paragraphs and none is read.
    """
    if errors and (first := errors[0]) is not None and all(errors):
        raise first
