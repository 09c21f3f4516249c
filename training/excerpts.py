"""Owns excerpts: some sentences of a row as a row of their own, which a line of a labels file asks for.

Such a line has `excerpt_of`, the id of a row of `data.train`, and `sentences`, the number of the first one and of the
one behind the last: `{"id": "r1#0-2", "excerpt_of": "r1", "sentences": [0, 2], "scores": {...}}`. The excerpt is of the
row's document and source. So texts that nobody labelled come from rows that are there, and the file holds none of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twohands.errors import DataError, InputError
from twohands.examples import Row
from twohands.paragraphs import normalise
from twohands.sentences import split_sentences

_OF, _SENTENCES = "excerpt_of", "sentences"
_SIZES = (2, 3)
_FEWEST_WORDS, _MOST_WORDS = 15, 130
_MOST_OF_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Sentences `first` to `end` (exclusive) of the row `row_id`, counted from 0."""

    row_id: str
    first: int
    end: int

    @property
    def cells(self) -> dict[str, object]:
        """As a line of a labels file has them."""
        return {_OF: self.row_id, _SENTENCES: [self.first, self.end]}


def read_excerpt(row: Row) -> Excerpt | None:
    """Read what part of which row a line speaks of.

    Args:
        row: a line of a labels file.

    Returns:
        The excerpt; None where the line speaks of a whole row.

    Raises:
        ValueError: only one of the two columns is there, or the sentences are no range.
    """
    row_id, sentences = row.cells.get(_OF), row.cells.get(_SENTENCES)
    if row_id is None and sentences is None:
        return None
    if row_id is None or sentences is None:
        raise ValueError(f"{_OF} and {_SENTENCES} belong together; give both, or neither")
    if (
        not isinstance(sentences, list | tuple)
        or len(sentences) != 2
        or not all(isinstance(number, int) and not isinstance(number, bool) for number in sentences)
        or not 0 <= sentences[0] < sentences[1]
    ):
        raise ValueError(
            f"{_SENTENCES} is {sentences!r}, expected the first sentence from 0 and the one behind the last, as [0, 2]"
        )
    return Excerpt(str(row_id).strip(), sentences[0], sentences[1])


def cut_excerpts(
    rows: Iterable[Row], wanted: Mapping[str, Sequence[tuple[str, Excerpt]]], faults: list[str]
) -> Iterator[Row]:
    """Give each row, then its excerpts.

    Args:
        rows: raw rows.
        wanted: by row id, the ids of excerpts and what they are.
        faults: excerpts of sentences that the row has not are described here and passed over.

    Yields:
        Raw rows; an excerpt has the row's source and document and none of its labels.
    """
    for row in rows:
        yield row
        row_id = row.cells.get("id")
        excerpts = () if row_id is None else wanted.get(str(row_id), ())
        if not excerpts:
            continue
        try:
            text = normalise(row.cells.get("text"))
        except InputError:  # the row itself is refused for it
            continue
        sentences = split_sentences(text)
        inherited = {name: row.cells[name] for name in ("source", "group") if row.cells.get(name) is not None}
        for identifier, excerpt in excerpts:
            if excerpt.end > len(sentences):
                faults.append(
                    f"{row.place}: {identifier!r} asks for sentences {excerpt.first} to {excerpt.end} of "
                    f"{row_id!r}, which has {len(sentences)}"
                )
                continue
            cut = text[sentences[excerpt.first].start : sentences[excerpt.end - 1].end]
            yield Row({"group": row_id, **inherited, "id": identifier, "text": cut}, f"{row.place} ({identifier})")


def draw_excerpts(rows: Sequence[tuple[str, str]], *, n_excerpts: int, seed: int) -> list[tuple[str, Excerpt, str]]:
    """Draw two or three sentences that stand together, of 15 to 130 words, from rows that have more than these.

    Args:
        rows: ids and normalised paragraphs.
        n_excerpts: how many to draw; no row gives more than three, and no text comes twice.
        seed: the same seed gives the same excerpts, whatever the order of the rows.

    Returns:
        Ids, excerpts and their texts; fewer than asked for where the rows have no more.

    Raises:
        DataError: no row is long enough.
    """
    candidates: list[tuple[Excerpt, str]] = []
    for row_id, text in sorted(rows):
        sentences = split_sentences(text)
        for size in _SIZES:
            if size >= len(sentences):
                continue
            for first in range(len(sentences) - size + 1):
                cut = text[sentences[first].start : sentences[first + size - 1].end]
                if _FEWEST_WORDS <= len(cut.split()) <= _MOST_WORDS:
                    candidates.append((Excerpt(row_id, first, first + size), cut))
    drawn: list[tuple[str, Excerpt, str]] = []
    seen: set[str] = set()
    of_row: dict[str, int] = {}
    for number in np.random.default_rng(seed).permutation(len(candidates)):
        excerpt, cut = candidates[number]
        if len(drawn) == n_excerpts:
            break
        if cut in seen or of_row.get(excerpt.row_id, 0) == _MOST_OF_A_ROW:
            continue
        seen.add(cut)
        of_row[excerpt.row_id] = of_row.get(excerpt.row_id, 0) + 1
        drawn.append((f"{excerpt.row_id}#{excerpt.first}-{excerpt.end}", excerpt, cut))
    if not drawn:
        raise DataError(
            "no excerpt can be drawn",
            [f"none of {len(rows)} rows has more than two sentences, two of which have {_FEWEST_WORDS} words"],
        )
    return drawn
