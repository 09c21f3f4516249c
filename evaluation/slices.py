"""Owns figures by slice: how a model does on the rows that share a value of some column."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.rows import HeadRows, Sample
from twohands.errors import EmptyParagraphError, UnknownColumnError
from twohands.examples import Example
from twohands.metrics import Counts, Floats, accuracy, f1
from twohands.paragraphs import normalise

Json = dict[str, object]

MIN_ROWS = 20
NO_VALUE = "(none)"
SMALL = "(small)"
_MAX_CHARS = 200


def _cell(example: Example, column: str) -> object:
    if column in {"source", "group"}:
        return getattr(example, column)
    value = example.columns.get(column)
    if value is None and column == "decade":
        # Few data sets hold a decade, many a year.
        try:
            return f"{int(float(str(example.columns.get('year')))) // 10 * 10}s"
        except (ValueError, OverflowError):
            return None
    return value


def slice_values(examples: Sequence[Example], column: str) -> list[str]:
    """Read the value of a column in every row.

    Args:
        examples: checked rows.
        column: `source`, `group`, any further column of the data, or `decade`, which a column `year` gives.

    Returns:
        One printable value for each example, `(none)` where there is none.

    Raises:
        UnknownColumnError: no row has the column.
    """
    cells = [_cell(example, column) for example in examples]
    if all(cell is None for cell in cells):
        known = sorted({"source", "group"}.union(*(example.columns for example in examples)))
        raise UnknownColumnError(f"no row has a column {column!r} to slice by; columns: {', '.join(known)}")
    values = []
    for cell in cells:
        try:
            values.append(NO_VALUE if cell is None else normalise(str(cell)[:_MAX_CHARS]))
        except EmptyParagraphError:
            values.append(NO_VALUE)
    return values


def _fold(values: Sequence[str]) -> list[str]:
    sizes = Counter(values)
    return [value if sizes[value] >= MIN_ROWS else SMALL for value in values]


def _measure_slice(rows: HeadRows, *, n_replicates: int, seed: int) -> Json:
    sample = Sample.of(rows, rows.draw(n_replicates=n_replicates, seed=seed))
    occurs = np.flatnonzero((rows.truth == 1).any(axis=0))

    def macro_over_occurring(counts: Counts) -> Floats:
        return np.asarray(f1(counts)[:, occurs].mean(axis=1))

    return {
        "n": len(rows.groups),
        "n_groups": rows.n_groups,
        # A slice often lacks a label altogether; counting its F1 as 0 would make slices incomparable.
        "macro_f1": sample.figure(macro_over_occurring) if len(occurs) else None,
        "accuracy": sample.figure(accuracy),
        "labels": [rows.head.label_names[number] for number in occurs],
    }


def measure_slices(
    examples: Sequence[Example], selected: Mapping[str, HeadRows], column: str, *, n_replicates: int, seed: int
) -> Json:
    """Measure each slice of one column; slices of fewer than 20 rows are folded into `(small)`.

    Args:
        examples: all rows.
        selected: rows by head.
        column: what to slice by.
        n_replicates: bootstrap draws.
        seed: of the draws.

    Returns:
        By value, the largest slice first: `n` and by head `macro_f1` (over the labels that occur in the slice, None
        where none does), `accuracy`, `n`, `n_groups` and those `labels`.

    Raises:
        UnknownColumnError: no row has the column.
    """
    values = np.array(_fold(slice_values(examples, column)), dtype=object)
    sizes = Counter(values.tolist())
    order = sorted(sizes, key=lambda value: (value == SMALL, -sizes[value], value))
    slices: Json = {}
    for value in order:
        heads = {}
        for name, rows in selected.items():
            chosen = values[rows.places] == value
            if chosen.any():
                heads[name] = _measure_slice(rows.take(chosen), n_replicates=n_replicates, seed=seed)
        slices[value] = {"n": sizes[value], "heads": heads}
    return slices
