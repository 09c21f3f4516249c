"""What tests of the splitting into paragraphs share."""

import pytest

from twohands.paragraphs import LIMIT_CHARS, MIN_WORDS, Paragraph, iter_paragraphs, normalise
from twohands.plain_words import PlainWords

LINE_ENDS = pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])


def split_paragraphs(text: str, *, min_words: int = MIN_WORDS, limit_chars: int = LIMIT_CHARS) -> list[Paragraph]:
    """All paragraphs of a document; the first that is too long is raised."""
    paragraphs = []
    for paragraph in iter_paragraphs(text, min_words=min_words, limit_chars=limit_chars):
        if paragraph.error:
            raise paragraph.error
        paragraphs.append(paragraph)
    return paragraphs


def split(raw: str) -> list[str]:
    """What stands where a document's paragraphs do, marks and all; the text of each must be its plain words."""
    paragraphs, plain = split_paragraphs(raw), PlainWords(raw)
    pieces = [raw[p.start : p.end] for p in paragraphs]
    assert [normalise(plain.read(piece)) for piece in pieces] == [p.text for p in paragraphs]
    return [normalise(piece) for piece in pieces]
