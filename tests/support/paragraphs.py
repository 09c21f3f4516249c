"""What tests of the splitting into paragraphs share."""

import pytest

from twohands.paragraphs import normalise, split_paragraphs

LINE_ENDS = pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])


def split(raw: str) -> list[str]:
    """The texts of a document's paragraphs, each checked to stand where its offsets say."""
    paragraphs = split_paragraphs(raw)
    assert [normalise(raw[p.start : p.end]) for p in paragraphs] == [p.text for p in paragraphs]
    return [p.text for p in paragraphs]
