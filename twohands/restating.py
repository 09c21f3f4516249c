"""Owns which rows say what another row says, in other words: the column `restates`."""

from collections.abc import Iterator, Mapping, Sequence

from twohands.examples import Example
from twohands.values import read_whole

RESTATES = "restates"  # a column of rows and of labels files: the id of the row whose statement this one repeats


def read_restated(cells: Mapping[str, object]) -> str | None:
    """Read which row a row restates.

    Args:
        cells: of a row, or of a line of a labels file.

    Returns:
        Its id; None where the cell is empty.
    """
    value = cells.get(RESTATES)
    value = value.strip() if isinstance(value, str) else read_whole(value)
    return None if value is None or value == "" else str(value)


def list_pairs(examples: Sequence[Example]) -> Iterator[tuple[Example, Example]]:
    """Find what rows restate, whatever their labels.

    Args:
        examples: rows of one set.

    Yields:
        A row that names another by its id, and that one, where it is in the set.
    """
    by_id = {example.id: example for example in examples}
    for example in by_id.values():
        identifier = read_restated(example.columns)
        if identifier is None:
            continue
        other = by_id.get(identifier) or by_id.get(str(read_whole(identifier)))
        if other is not None:
            yield example, other
