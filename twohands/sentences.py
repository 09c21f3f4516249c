"""Owns raw text -> sentences with offsets, well enough to show a reader which one matters. Knows nothing of models."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from twohands.ends import NOTES
from twohands.markers import MARKER, read_marker

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
# What `_ABBREVIATION` lacks and may not have, as sentences are counted by it.
_FURTHER_ABBREVIATION = re.compile(r"\b(?:v|Sens|Reps|Fed|Reg|Pub|Adm|Maj|Capt|Rev|Messrs|[ap]\.m)\.$")
_PAGE = re.compile(r"\bp\.$")
_NUMBER = re.compile(r"\s++\d")
# German quotes and guillemets, too, in either direction: only space tells which side of a sentence they stand on.
_EITHER = r"\"'\u2018\u201c\u00ab\u00bb\u2039\u203a"
_CLOSERS = rf"[{_EITHER}\u2019\u201d)\]]"
_OPENERS = rf"[{_EITHER}\u201a\u201e(\[]"
# As `_END`, with the marks of notes behind the closing quotes, and names such as iPhone that begin a sentence.
_NOTED_END = re.compile(
    rf"(?<![.!?\u2026])[.!?\u2026]++{_CLOSERS}*+{NOTES}{_CLOSERS}*+"
    rf"(?=\s++{_OPENERS}*+(?:[^\W_a-z]|[a-z]{{1,2}}[A-Z]))|"
    rf"[\u3002\uff01\uff1f]['\"\u2019\u201d\u300d]*+{NOTES}|"
    r"(?>\r\n|\r|\n)[^\S\r\n]*+(?>\r\n|\r|\n)"
)
# Some abbreviations end a sentence, too: where a word follows that has no capital within one.
_LAST_WORD = re.compile(
    r"\b(?:[A-Z]|(?:[A-Z]\.)+[A-Z]|[ap]\.m|Fed|Inc|Ltd|Co|Corp|Jr|Sr|al|No|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|"
    r"Dec)\.$"
)
_FIRST_WORD = re.compile(
    rf"\s*+{_OPENERS}*+(?:The|This|That|These|Those|It|Its|He|She|They|We|You|His|Her|Their|Our|There|Here|And|"
    r"But|Yet|So|If|When|While|Where|As|At|By|For|From|In|On|To|With|After|Before|Since|Although|Though|However|An|"
    r"Some|Many|Most|Not|Both|Each|What|Who|Why|How|[AI](?!\.))(?![\w'\u2019-])"
)
_ITEM = re.compile(rf"(?:(?<=[\r\n])|\A)[^\S\r\n]*+(?P<marker>{MARKER})[^\S\r\n]")
_BARE_MARKER = re.compile(rf"\s*+{MARKER}\s*+")
_BEFORE_CHARS = 12  # that hold an abbreviation
# Wherever `_NOTED_END` or `_ITEM` finds an end, and at abbreviations and the like too, but without a way back.
_PERHAPS_END = re.compile(
    r"[.!?\u2026\u3002\uff01\uff1f\r\n](?:"  # one set of characters, which is sought fast
    rf"(?<=[.!?\u2026])(?:(?=\s++{_OPENERS}*+(?:[^\W_a-z]|[a-z]{{1,2}}[A-Z])|\s\[)|"
    rf"(?=[{_EITHER}\u2019\u201d)\]\[\u00b9\u00b2\u00b3\u2070\u2074-\u2079])|(?<!\d.)(?=\d))|"
    rf"(?<=[\u3002\uff01\uff1f])|(?<=[\r\n])(?!(?<=\r)\n)(?=[^\S\r\n]*+(?:[\r\n]|{MARKER})))"
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
        before = text[max(0, found.start() - _BEFORE_CHARS) : found.start() + 1]
        is_dot = found.group() == "."
        if not (is_dot and _ABBREVIATION.search(before)):
            ends.append(found.end())
    return ends


def _make_sentences(text: str, ends: Iterable[int]) -> list[Sentence]:
    sentences = []
    for start, end in itertools.pairwise([0, *ends, len(text)]):
        raw = text[start:end]
        stripped = raw.strip()
        if stripped:
            first = start + len(raw) - len(raw.lstrip())
            sentences.append(Sentence(stripped, first, first + len(stripped)))
    return sentences


def split_sentences(text: str) -> list[Sentence]:
    """Split a paragraph as it is split for training.

    Labels files count sentences by it (`excerpt_of`): another cut would give their labels to other words. What is
    shown to readers is cut by `find_sentences`.

    Args:
        text: raw or normalised.

    Returns:
        Sentences in order, which hold all of the text but space; none when it holds nothing.
    """
    return _make_sentences(text, _ends(text))


def _find_items(text: str) -> list[int]:
    """Where lines begin that are items of a list: two of them at least are marked alike."""
    by_marker: dict[str, list[int]] = {}
    for match in _ITEM.finditer(text):
        by_marker.setdefault(read_marker(match["marker"] + " "), []).append(match.start())
    return [start for starts in by_marker.values() if len(starts) > 1 for start in starts]


def _is_abbreviated(before: str, text: str, end: int) -> bool:
    """Whether a dot behind `before`, which ends at `end` of the text, stands for an abbreviation."""
    if _ABBREVIATION.search(before) or _FURTHER_ABBREVIATION.search(before):
        return True
    return bool(_PAGE.search(before) and _NUMBER.match(text, end))


def _find_ends(text: str) -> Iterator[int]:
    begin = 0
    for match in _NOTED_END.finditer(text):
        start, end = match.span()
        before = text[max(0, start - _BEFORE_CHARS) : start + 1]
        if match[0] == "." and _is_abbreviated(before, text, end):
            if not (_LAST_WORD.search(before) and _FIRST_WORD.match(text, end)):
                continue
        elif _BARE_MARKER.fullmatch(text, begin, end):  # it counts the sentence behind it
            continue
        yield end
        begin = end


def find_sentences(text: str) -> list[Sentence]:
    """Split a paragraph for a reader, also behind the marks of notes (`Tuesday.[1]`) and at the items of a list.

    Args:
        text: raw, with its line ends.

    Returns:
        Sentences in order, which hold all of the text but space; none when it holds nothing.
    """
    return _make_sentences(text, sorted({*_find_ends(text), *_find_items(text)}))


def count_sentences(text: str, *, most: int) -> int:
    """Say how many sentences a text may have, where to find them would take too long.

    Args:
        text: raw, with its line ends.
        most: what is counted no further than; at least 1.

    Returns:
        As many as `find_sentences` gives at the least, up to `most`; a few more where words are abbreviated.
    """
    ends = _PERHAPS_END.finditer(text, 0, len(text.rstrip()))
    return 1 + sum(1 for _ in itertools.islice(ends, most - 1))


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
