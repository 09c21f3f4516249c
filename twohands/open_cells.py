"""Owns what a blank cell of a row says of a head: nobody looked, or in a table of answers that no label applies."""

from collections.abc import Mapping

from twohands.taxonomy import Head, ProblemType


def is_open(value: object, head: Head) -> bool:
    """Whether a cell says that nobody looked: nothing, or for an any-of head a blank, as tables have it for nothing.

    Args:
        value: of the cell.
        head: which head.

    Returns:
        False for a blank of a one-of head, which is a fault.
    """
    is_any_of = head.problem_type is ProblemType.ANY_OF
    return value is None or (is_any_of and isinstance(value, str) and not value.strip())


def is_answer(cells: Mapping[str, object], head: Head) -> bool:
    """Whether an open cell of an any-of head is what `classify` writes into a table where no label of it applies.

    There it stands beside a score of each label, which an answer that failed has not. So answers that were mended in a
    table are rows to learn from as they are.

    Args:
        cells: of the row.
        head: whose cell is open.

    Returns:
        False for a one-of head.
    """
    if head.problem_type is not ProblemType.ANY_OF:
        return False
    scores = [cells.get(f"{head.name}_score_{name}") for name in head.label_names]
    return all(score is not None and str(score).strip() for score in scores)


def is_unlabelled(cells: Mapping[str, object], head: Head) -> bool:
    """Whether a row has no label of a head: its cell is open, and no answer that none applies.

    Args:
        cells: of the row.
        head: which head.

    Returns:
        True where nobody looked.
    """
    return is_open(cells.get(head.name), head) and not is_answer(cells, head)
