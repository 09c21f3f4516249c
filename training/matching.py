"""Owns which row the id in another file is of, where one of the two files has 7 and the other 7.0."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from twohands.csv_cells import find_whole_columns
from twohands.row_files import plain_suffix
from twohands.values import spell_whole


def is_written_as_float(path: Path) -> bool:
    """Whether the ids of a file are written 7.0 and read as 7.

    Args:
        path: of a CSV file, or of another kind, in which a string stays as it is.

    Returns:
        True for a CSV of such ids alone.

    Raises:
        OSError: it cannot be read.
    """
    return plain_suffix(path) in {".csv", ".tsv"} and bool(find_whole_columns(path, ["id"]))


def match_ids(ids: Collection[str], rows: Mapping[str, bool], *, are_floats: bool) -> dict[str, str]:
    """Find the rows that ids of another file are of, though they are spelt otherwise.

    An id is of the row that has it as it stands. Only where there is none, 7.0 and 7 are one, and only where the one
    or the other file shows no other numbers: a line of section 1.0 is not laid over chapter 1.

    Args:
        ids: all ids of a file.
        rows: by id of a row, whether its file has it as 7.0, as `is_written_as_float` says.
        are_floats: whether `ids` are written so.

    Returns:
        By id the other spelling, which is that of a row.
    """
    are_whole = all(spell_whole(each) != each for each in ids)  # as pandas has them, but in strings of JSON
    found: dict[str, str] = {}
    for each in ids:
        digits = spell_whole(each)
        if digits != each:
            other, may_be = digits, are_whole or rows.get(digits, False)
        else:
            other, may_be = f"{each}.0", are_floats and spell_whole(f"{each}.0") == each
        if may_be and each not in rows and other in rows and other not in ids:
            found[each] = other
    return found


def index_names(names: Iterable[str]) -> dict[str, str]:
    """Prepare names of rows or documents, as a checkpoint lists them, for `find_name`.

    Args:
        names: as an older release, or another file, may have spelt them.

    Returns:
        Them by themselves, and by the digits of those that are 7.0.
    """
    names = set(names)
    return {spell_whole(each): each for each in names} | {each: each for each in names}


def find_name(name: str, index: Mapping[str, str]) -> str | None:
    """Look a name up as it stands, and only then whether it is written as 7 or as 7.0.

    Args:
        name: of a row or document.
        index: of `index_names`.

    Returns:
        The name in the index; None where there is none.
    """
    return index.get(name, index.get(spell_whole(name)))
