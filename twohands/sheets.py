"""Owns how cells of a sheet that people fill in are kept from being formulas, and how they are read again.

A spreadsheet computes what begins as a formula: a text of a stranger could call a program, and one that begins with a
dash is an error there, which is saved in its place.
"""

import re
from collections.abc import Collection, Mapping

CHOSEN = "chosen"  # a column of sheets to fill in, as `twohands select` writes them
_MARK = "'"
# Full-width signs too; neither numbers nor a lone dash, which says that no label applies.
_FORMULA = re.compile(
    r"(?!-\Z|[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\Z)'*+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
)  # behind apostrophes, too: so that one is always to be taken off


def guard(cell: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would take for a formula.

    Args:
        cell: of a sheet.

    Returns:
        The same, or the text behind an apostrophe.
    """
    return _MARK + cell if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unguard(cells: Mapping[str, object], header: Collection[str]) -> Mapping[str, object]:
    """Take the apostrophes off that `guard` put into a sheet.

    Args:
        cells: of a row of any table.
        header: of the table; it is a sheet if it has the column `chosen`.

    Returns:
        The cells as they were; of another table as they are.
    """
    if CHOSEN not in header:
        return cells
    return {
        name: cell[1:] if isinstance(cell, str) and cell[:1] == _MARK and _FORMULA.match(cell, 1) else cell
        for name, cell in cells.items()
    }
