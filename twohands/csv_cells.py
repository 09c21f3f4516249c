"""Owns how CSV becomes cells by column: streamed, by the delimiter that its header shows, ragged rows told of."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path


def _find_delimiter(header: str) -> str:
    """A comma; or the semicolon or tab of a header without one, as Excel writes where a comma marks decimals."""
    others = [mark for mark in ";\t" if mark in header]
    return others[0] if len(others) == 1 and "," not in header else ","


def read_csv_cells(path: Path, faults: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Stream the rows of a CSV file.

    Args:
        path: the file, in UTF-8.
        faults: rows that cannot be read are described here and passed over.

    Yields:
        The place of a row, and its cells by column; an empty cell is an absent value, as CSV knows no null.
    """
    csv.field_size_limit(10_000_000)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = next(stream, "")
            delimiter = _find_delimiter(first)
            reader = csv.DictReader(itertools.chain([first], stream), delimiter=delimiter, strict=True)
            names = list(reader.fieldnames or [])
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:  # the last of them would win in silence
                faults.append(f"{path}:1: the header names {', '.join(map(repr, repeated))} twice")
                return
            for cells in reader:
                place = f"{path}:{reader.line_num}"
                if None in cells or None in cells.values():
                    n_cells = sum(cells[name] is not None for name in names) + len(cells.get(None, ()))
                    faults.append(
                        f"{place}: found {n_cells} cells, expected {len(names)} as in the header; a cell that holds "
                        f"{delimiter!r} must stand in double quotes"
                    )
                    continue
                yield place, {name: cell for name, cell in cells.items() if cell != ""}
    except UnicodeDecodeError as error:
        faults.append(f"{path}: not UTF-8 ({error})")
    except csv.Error as error:
        faults.append(f"{path}: not CSV ({error})")
