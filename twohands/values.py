"""Owns how a value is spelt that rows are told apart by: a year, a source, a document."""

from twohands.errors import EmptyParagraphError
from twohands.paragraphs import normalise

NO_VALUE = "(none)"


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
