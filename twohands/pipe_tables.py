"""Owns tables of Markdown, whose cells are parted by `|` -> the words of their rows, and which hold figures alone."""

import re

_RULE = re.compile(r"^[^\S\r\n]*+\|?[ :]*+-[ :-]*+\|[ :|-]*+(?=\r?$)", re.MULTILINE)  # below the head of a table
_CELL_END = re.compile(r"(?<!\\)\|")
_PROSE_WORDS = 13  # of a cell that holds a text
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
        False where a cell holds as many words as a paragraph does, and where lines stand above the table's head.
    """
    rule = _RULE.search(piece) if "|" in piece else None
    if rule is None or piece.count("\n", 0, rule.start()) > 1:
        return False
    cells = [cell.split() for cell in _CELL_END.split(piece[rule.end() :].replace("\n", "|"))]
    words = [word for cell in cells for word in cell]
    n_figures = sum(any(map(str.isdigit, word)) or not any(map(str.isalpha, word)) for word in words)
    is_prose = any(len(cell) >= _PROSE_WORDS for cell in cells)
    return bool(words) and not is_prose and n_figures >= _FIGURES_SHARE * len(words)
