"""What tests of the splitting into paragraphs share."""

import pytest

from twohands.paragraphs import normalise, split_paragraphs
from twohands.plain_words import PlainWords

LINE_ENDS = pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])


def split(raw: str) -> list[str]:
    """What stands where a document's paragraphs do, marks and all; the text of each must be its plain words."""
    paragraphs, plain = split_paragraphs(raw), PlainWords(raw)
    pieces = [raw[p.start : p.end] for p in paragraphs]
    assert [normalise(plain.read(piece)) for piece in pieces] == [p.text for p in paragraphs]
    return [normalise(piece) for piece in pieces]
