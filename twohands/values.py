"""Owns how a value is spelt that rows are told apart by: a year, a source, a document."""

import math
import re

from twohands.errors import EmptyParagraphError
from twohands.paragraphs import normalise

NO_VALUE = "(none)"
_WHOLE = re.compile(r"-?\d+(?=\.0\Z)", re.ASCII)


def read_whole(cell: object) -> object:
    """Have 1987 for 1987.0, and nothing for NaN: pandas writes a column so where some of its cells are empty.

    Args:
        cell: anything; CSV has it as a string.

    Returns:
        A whole number, or its digits, for such a cell, None for NaN; all else as it is.
    """
    if isinstance(cell, str):
        whole = _WHOLE.match(cell)
        return whole[0] if whole else cell
    if isinstance(cell, float):
        return None if math.isnan(cell) else int(cell) if cell.is_integer() else cell
    return cell


def spell_value(cell: object, *, most_chars: int) -> str:
    """Spell a cell of a column that rows are parted by.

    Args:
        cell: anything.
        most_chars: how much of it counts.

    Returns:
        Its words; `NO_VALUE` where there are none.
    """
    try:
        return NO_VALUE if cell is None else normalise(str(cell)[:most_chars])
    except EmptyParagraphError:
        return NO_VALUE
