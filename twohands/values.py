"""Owns how a value is spelt that rows are told apart by: a year, a source, a document."""

import math
import re
from collections.abc import Collection, Mapping

from twohands.errors import EmptyParagraphError
from twohands.paragraphs import normalise

NAMES = ("id", "source", "group")  # the columns that say which row, whose and of which document it is
NO_VALUE = "(none)"
# How pandas spells an empty cell, once a column was made one of strings.
_EMPTY_CELLS = frozenset({"nan", "<na>", "none", "null"})
_SURROGATE = re.compile(r"[\ud800-\udfff]")
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


def spell_whole(name: str) -> str:
    """Have 7 for 7.0, by which names of two files are compared: one of them may have been through pandas.

    Args:
        name: of a row, a source or a document.

    Returns:
        Its digits, where it is a whole number with `.0`; all else as it is.
    """
    return str(read_whole(name))


def _read_name(cell: object, *, is_whole: bool) -> object:
    if isinstance(cell, str):
        return spell_whole(cell.strip()) if is_whole else cell.strip()
    # NaN stays, and is refused: it is not absent, as nobody knows which document it is of.
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def read_names(cells: Mapping[str, object], *, whole: Collection[str] | None = None) -> Mapping[str, object]:
    """Spell the columns of `NAMES` alike in all files: without blanks around them, and 7 for 7.0.

    pandas writes 7.0 where other cells of a column are empty. Else a document whose number one file has as 7 and
    another as 7.0 would be two, of which each split may have one.

    Args:
        cells: of a row.
        whole: of CSV, where a blank cell is an absent one, the columns of whole numbers with `.0` and of nothing
            else; in other strings `7.0` is left as it is: beside 7.1 it is a section, and no 7.

    Returns:
        The cells.
    """
    names = {name: _read_name(cells[name], is_whole=name in (whole or ())) for name in NAMES if name in cells}
    read = {**cells, **names}
    return read if whole is None else {name: cell for name, cell in read.items() if name not in names or cell != ""}


def is_name(cell: object) -> bool:
    """Whether a cell of `NAMES` can name a row, once `read_names` has read it.

    Args:
        cell: anything but None.

    Returns:
        False for a string that is empty, or that holds half of an emoji, as no file in UTF-8 can.
    """
    return isinstance(cell, int) or (isinstance(cell, str) and cell != "" and not _SURROGATE.search(cell))


def is_empty_cell(name: str) -> bool:
    """Whether the name of a document is what pandas may write for an empty cell.

    Args:
        name: as it stands in the file.

    Returns:
        True for `nan`, `<NA>`, `None` and `null`, in any letters: else all rows without a name would be one document.
    """
    return name.casefold() in _EMPTY_CELLS


def name_document(cell: object, default: str) -> str:
    """Name the document of a row, for what needs it and checks no rows.

    Args:
        cell: of the column `group`.
        default: what a row without a document goes by.

    Returns:
        The name; the default for an empty cell, and for what pandas may write for one.
    """
    name = "" if cell is None else str(cell)  # 0 is a name, too
    return default if not name or is_empty_cell(name) else name


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
