"""Owns figures by slice: how a model does on the rows that share a value of some column."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.progress import show_each
from evaluation.rows import HeadRows, Sample
from twohands.errors import UnknownColumnError
from twohands.examples import Example
from twohands.metrics import accuracy
from twohands.row_faults import suggest
from twohands.taxonomy import ProblemType, Taxonomy
from twohands.values import NO_VALUE, read_whole, spell_value

Json = dict[str, object]

MIN_ROWS = 20
SMALL = "(small)"
DECADE, LENGTH, COUNT = "decade", "length", "n_"
# What a report slices by when nothing else is asked, as far as the rows hold it; counts of any-of heads follow.
USUAL = ("source", "genre", "country", DECADE, LENGTH)
_MAX_CHARS = 200
_YEAR = re.compile(r"\d{4}(?=[-/])|\d{1,4}(?=(?:\.\d*)?$)")  # of 1987, 1987.0, 1987-05-03, 1986/87
_WORD_BOUNDS = (25, 50, 100, 200)


def _name_length(n_words: int) -> str:
    bounds = ("1", *(str(bound + 1) for bound in _WORD_BOUNDS))
    place = bisect_left(_WORD_BOUNDS, n_words)
    return f"{bounds[place]} to {_WORD_BOUNDS[place]} words" if place < len(_WORD_BOUNDS) else f"{bounds[-1]}+ words"


def _derive(example: Example, column: str) -> object:
    """A value that few data sets hold but all imply: the decade, the length, the number of labels of an any-of head."""
    if column == DECADE:
        year = _YEAR.match(str(example.columns.get("year")).strip())
        return None if year is None else f"{int(year[0]) // 10 * 10}s"
    if column == LENGTH:
        return _name_length(len(example.paragraph.split()))
    words = example.labels.get(column.removeprefix(COUNT)) if column.startswith(COUNT) else None
    return None if words is None else str(len(words))


def _cell(example: Example, column: str) -> object:
    if column in {"source", "group"}:
        return getattr(example, column)
    value = example.columns.get(column)
    if isinstance(value, list | tuple):  # several countries of one row: a value of its own, named as CSV joins them
        return "|".join(map(str, value)) or None
    return _derive(example, column) if value is None else value


def usual_columns(examples: Sequence[Example], taxonomy: Taxonomy, *, min_rows: int = MIN_ROWS) -> list[str]:
    """Choose what a report slices by when nothing else is asked.

    Args:
        examples: checked rows.
        taxonomy: the heads.
        min_rows: of a slice of its own.

    Returns:
        Those of source, genre, country, decade, length and the number of labels of each any-of head by which the
        rows fall into more than one slice.
    """
    counts = [COUNT + head.name for head in taxonomy.heads if head.problem_type is ProblemType.ANY_OF]
    chosen = []
    for column in (*USUAL, *counts):
        is_held = any(_cell(example, column) is not None for example in examples)
        if is_held and len(set(_fold(slice_values(examples, column), min_rows))) > 1:
            chosen.append(column)
    return chosen


def _refuse(examples: Sequence[Example], column: str) -> UnknownColumnError:
    """Say why nothing is parted by a column, and by which rows can be."""
    held = {"source", "group", LENGTH}.union(*(example.columns for example in examples))
    # A one-of head has one label in each row, whose number parts nothing.
    held |= {
        COUNT + name
        for example in examples
        for name, words in example.labels.items()
        if words is not None and len(words) != 1
    }
    if any(_derive(example, DECADE) is not None for example in examples):
        held.add(DECADE)
    known = tuple(sorted(held))
    reason = f"no row has a column {column!r} to slice by"
    if column in {"id", "text"}:
        reason = f"each row has its own {column}, which makes no slices"
    elif any(column in example.labels for example in examples):
        reason = f"{column!r} is what is measured, and makes no slices"
    return UnknownColumnError(f"{reason}; columns: {', '.join(known)}{suggest(column, known)}")


def slice_values(examples: Sequence[Example], column: str) -> list[str]:
    """Read the value of a column in every row.

    Args:
        examples: checked rows.
        column: `source`, `group`, any further column of the data; or `decade`, which a column `year` gives, `length`
            in words, or `n_topics` (`n_` and the name of any any-of head), its number of labels.

    Returns:
        One printable value for each example, `(none)` where there is none; the entries of a list joined by `|`.

    Raises:
        UnknownColumnError: no row has the column, or it is the id, the text or a label.
    """
    cells = [_cell(example, column) for example in examples]
    if all(cell is None for cell in cells):
        raise _refuse(examples, column)
    return [spell_value(read_whole(cell), most_chars=_MAX_CHARS) for cell in cells]  # as `classify --by` has them


def _fold(values: Sequence[str], min_rows: int) -> list[str]:
    sizes = Counter(values)
    return [value if sizes[value] >= min_rows else SMALL for value in values]


def _measure_slice(rows: HeadRows, *, n_replicates: int, seed: int) -> Json:
    sample = Sample.of(rows, rows.draw(n_replicates=n_replicates, seed=seed))
    occurs = np.flatnonzero((rows.truth == 1).any(axis=0))
    return {
        "n": len(rows.groups),
        "n_groups": rows.n_groups,
        # A slice often lacks a label altogether; counting its F1 as 0 would make slices incomparable.
        "macro_f1": sample.macro(occurs) if len(occurs) else None,
        "accuracy": sample.rate(accuracy),
        "labels": [rows.head.label_names[number] for number in occurs],
    }


def split_rows(
    examples: Sequence[Example], column: str, *, min_rows: int = MIN_ROWS
) -> dict[str, npt.NDArray[np.bool_]]:
    """Part rows by the values of one column; slices of fewer than `min_rows` rows are folded into `(small)`.

    Args:
        examples: all rows.
        column: what to slice by.
        min_rows: of a slice of its own.

    Returns:
        By value which examples have it, shape `(n,)`: the largest slice first; decades, lengths and counts in their
        own order.

    Raises:
        UnknownColumnError: no row has the column.
    """
    values = _fold(slice_values(examples, column), min_rows)
    sizes = Counter(values)
    is_ordered = column in {DECADE, LENGTH} or column.startswith(COUNT)

    def place(value: str) -> tuple[bool, bool, int, str]:
        number = re.match(r"\d+", value)
        by = int(number.group()) if is_ordered and number else -sizes[value]
        return value == SMALL, value == NO_VALUE and is_ordered, by, value

    numbers = {value: number for number, value in enumerate(sorted(sizes, key=place))}
    numbered = np.array([numbers[value] for value in values])  # words are compared a hundred times as slowly
    return {value: numbered == number for value, number in numbers.items()}


def note_folded(slices: Mapping[str, Any], *, min_rows: int = MIN_ROWS) -> list[str]:
    """Say by which columns nothing is told apart, as by numbers and dates, of which nearly every row has its own.

    Args:
        slices: by column, then by value.
        min_rows: of a slice of its own.

    Returns:
        One sentence for each column whose rows are all in `(small)`.
    """
    return [
        f"{column}: no value has {min_rows} rows, so that {SMALL} is all of them; slice numbers and dates by a column "
        "that holds ranges."
        for column, found in slices.items()
        if list(found) == [SMALL]
    ]


def count_slice(examples: Sequence[Example], has_value: npt.NDArray[np.bool_]) -> dict[str, object]:
    """Count rows and documents of a slice.

    Args:
        examples: all rows.
        has_value: which are in it, shape `(n,)`.

    Returns:
        `n` and `n_groups`.
    """
    places = np.flatnonzero(has_value).tolist()
    return {"n": len(places), "n_groups": len({examples[place].group for place in places})}


def measure_slices(
    examples: Sequence[Example],
    selected: Mapping[str, HeadRows],
    column: str,
    *,
    n_replicates: int,
    seed: int,
    min_rows: int = MIN_ROWS,
) -> Json:
    """Measure each slice of one column; slices of fewer than `min_rows` rows are folded into `(small)`.

    Args:
        examples: all rows.
        selected: rows by head.
        column: what to slice by.
        n_replicates: bootstrap draws.
        seed: of the draws.
        min_rows: of a slice of its own.

    Returns:
        By value, the largest slice first (decades, lengths and counts in their own order): `n`, `n_groups` and by head
        `macro_f1` (over the labels that occur in the slice, None where none does), `accuracy`, `n`, `n_groups`, those
        `labels`; from fewer than 5 documents without intervals, `macro_f1` where fewer have one of its labels.

    Raises:
        UnknownColumnError: no row has the column.
    """
    slices: Json = {}
    parts = split_rows(examples, column, min_rows=min_rows)
    for value in show_each("measuring slices", parts):
        has_value, heads = parts[value], {}
        for name, rows in selected.items():
            chosen = has_value[rows.places]
            if chosen.any():
                heads[name] = _measure_slice(rows.take(chosen), n_replicates=n_replicates, seed=seed)
        slices[value] = {**count_slice(examples, has_value), "heads": heads}
    return slices
