"""Owns tables, whose cells are parted by `|`, tabs or wide gaps -> the words of rows, and which hold figures alone."""

import re
from collections.abc import Iterable

from twohands.ends import ends_sentence

_RULE = re.compile(  # below the head of a table
    r"(?:^|(?<=\r)(?!\n))[^\S\r\n]*+\|?[ :]*+-[ :-]*+\|[ :|-]*+(?=[\r\n]|\Z)", re.MULTILINE
)
_CELL_END = re.compile(r"(?<!\\)\|")
_PROSE_WORDS = 13  # of a cell that holds a text
_GAP = re.compile(r"\t|   ++")
_LINE_END = re.compile(r"[\r\n]+")
_MIN_ROWS, _ROWS_SHARE = 3, 2 / 3  # of lines with gaps and figures, beside which a title or a source may stand
_SEEN_CHARS = 20_000  # at either end of a table in plain text: 5 MB took five seconds, in which nobody could give up
_FIGURES_SHARE = 1 / 3  # of the words below the head, from which on these are figures and what they are of


def read_table(raw: str) -> str:
    """Read the rows of a table.

    Args:
        raw: a paragraph.

    Returns:
        Its words without what parts the cells; what was given where there is no rule below a head, as it is no table.
    """
    return _CELL_END.sub(" ", _RULE.sub("", raw)) if "|" in raw and _RULE.search(raw) else raw


def is_table_of_figures(piece: str) -> bool:
    """Say whether a piece of a document is a table of figures, whose rows are none of its text.

    Args:
        piece: what stands between blank lines.

    Returns:
        False where a cell holds as many words as a paragraph does, and where lines stand above the table's head. The
        cells of plain text are parted by tabs or wide gaps.
    """
    rule = _RULE.search(piece) if "|" in piece else None
    if rule is None:
        return _is_spaced_table(piece)
    if piece.count("\n", 0, rule.start()) > 1:
        return False
    return _hold_figures(cell.split() for cell in _CELL_END.split(piece[rule.end() :].replace("\n", "|")))


def _is_spaced_table(piece: str) -> bool:
    """Whether cells are parted by tabs or wide gaps in most lines, and hold figures."""
    if not _GAP.search(piece):
        return False
    if len(piece) > 2 * _SEEN_CHARS:
        piece = f"{piece[:_SEEN_CHARS]}\n{piece[-_SEEN_CHARS:]}"
    lines = [line.strip() for line in _LINE_END.split(piece)]
    rows = [line for line in lines if _GAP.search(line) and not ends_sentence(line)]
    n_with_figures = sum(any(map(str.isdigit, row)) for row in rows)
    if len(rows) < _MIN_ROWS or n_with_figures < _ROWS_SHARE * len(lines):
        return False
    return _hold_figures(cell.split() for line in lines for cell in _GAP.split(line))


def _hold_figures(read_cells: Iterable[list[str]]) -> bool:
    cells = list(read_cells)
    words = [word for cell in cells for word in cell]
    n_figures = sum(any(map(str.isdigit, word)) or not any(map(str.isalpha, word)) for word in words)
    is_prose = any(len(cell) >= _PROSE_WORDS for cell in cells)
    return bool(words) and not is_prose and n_figures >= _FIGURES_SHARE * len(words)
