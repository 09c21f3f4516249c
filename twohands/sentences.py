"""Owns raw text -> sentences with offsets, well enough to show a reader which one matters. Knows nothing of models."""

import itertools
import re
from dataclasses import dataclass

# An end mark with its closing quotes, then space and something that can begin a sentence; Chinese needs no space.
# Possessive, and only from the first mark of a run: a hundred thousand dots must not be tried from each of them.
_END = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]++['\"\u2019\u201d)\]]*+(?=\s++[\"'\u2018\u201c(\[]*+[^\W_a-z])|"
    r"[\u3002\uff01\uff1f]['\"\u2019\u201d\u300d]*+|"
    r"(?>\r\n|\r|\n)[^\S\r\n]*+(?>\r\n|\r|\n)"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sen|Rep|Gov|Gen|Lt|Col|Sgt|St|Mt|Ft|Jr|Sr|Inc|Ltd|Co|Corp|vs|No|Nos|Art|Arts|Sec|Fig|"
    r"Figs|Vol|pp|para|paras|cf|ca|approx|e\.g|i\.e|al|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)|"
    r"\b[A-Z]|\b(?:[A-Z]\.)+[A-Z])\.$"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, or several that stand together: `text` is `raw[start:end]`, without space around it."""

    text: str
    start: int
    end: int


def _ends(text: str) -> list[int]:
    ends = []
    for found in _END.finditer(text):
        before = text[max(0, found.start() - 12) : found.start() + 1]
        is_dot = found.group() == "."
        if not (is_dot and _ABBREVIATION.search(before)):
            ends.append(found.end())
    return ends


def split_sentences(text: str) -> list[Sentence]:
    """Split a raw paragraph.

    Args:
        text: raw.

    Returns:
        Sentences in order, which hold all of the text but space; none when it holds nothing.
    """
    cuts = [0, *_ends(text), len(text)]
    sentences = []
    for start, end in itertools.pairwise(cuts):
        raw = text[start:end]
        stripped = raw.strip()
        if stripped:
            first = start + len(raw) - len(raw.lstrip())
            sentences.append(Sentence(stripped, first, first + len(stripped)))
    return sentences


def group_sentences(text: str, sentences: list[Sentence], *, most: int) -> list[Sentence]:
    """Put neighbours together until there are few enough, in groups of nearly equal number.

    Args:
        text: the raw paragraph.
        sentences: of it, in order.
        most: how many groups there may be; at least 1.

    Returns:
        The sentences themselves when there are few enough.
    """
    n = len(sentences)
    if n <= most:
        return sentences
    bounds = [n * group // most for group in range(most + 1)]
    groups = []
    for first, last in itertools.pairwise(bounds):
        start, end = sentences[first].start, sentences[last - 1].end
        groups.append(Sentence(text[start:end], start, end))
    return groups
