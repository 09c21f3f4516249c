"""Owns how CSV becomes cells by column: streamed, by the delimiter that its header shows, each fault told of by row."""

import csv
import io
import itertools
import re
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from twohands.charsets import LONGEST_MARK, find_marked_codec
from twohands.row_faults import FileFault
from twohands.row_files import MAX_LINE, PackedError, open_bytes, plain_suffix, skip_line
from twohands.values import spell_whole

_FIELD_CHARS = 10_000_000
_MOST_ALONE = 5  # rows of too many cells or too few; of more it was the file that was written without quotes
_NAME_WORDS = 3  # of a column, where it might be prose
_MIN_SPACED = 3  # names, where it might be prose: "Text, Ada Lind" is a byline
_MIN_EVEN = 3  # lines
_SAID = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)  # the first line, by which Excel is told
_BLANK = ' \t\r\n,;"'  # of which lines above a header consist, where a sheet does not begin in its first row
_QUOTED = re.compile(r'"[^"]*+"')
_NOT_UTF_8 = re.compile(r"[\udc80-\udcff]")  # as "surrogateescape" has the bytes that are none


class _Lines:
    """Lines of a file, counted; those of the record in hand can be read again."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self._again: deque[str] = deque()
        self.number = 0
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._stream.readline(MAX_LINE)
        if not line:
            raise StopIteration
        is_whole = len(line) < MAX_LINE or line[-1] in "\r\n"
        self.number += 1
        self.record.append(line if is_whole else "\n")
        if not is_whole:
            skip_line(self._stream)
            raise csv.Error(f"a line has more than {MAX_LINE:,} characters")
        return line

    def go_back(self, n_kept: int) -> None:
        """Read the record again but for its first lines."""
        self.number -= len(self.record) - n_kept
        self._again.extendleft(reversed(self.record[n_kept:]))
        self.record.clear()

    def check(self) -> None:
        """Raise csv.Error where the record holds bytes that are no UTF-8."""
        for line in self.record:
            if not line.isascii() and (found := _NOT_UTF_8.search(line)):
                byte = ord(found[0]) - 0xDC00
                raise csv.Error(f"byte 0x{byte:02x} is not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)")


def _find_delimiter(header: str) -> str:
    """A comma; or the semicolon or tab of a header without one, as Excel writes where a comma marks decimals.

    Commas in quoted names are none, nor are those with a space behind each where the other mark stands more often:
    `id;text;Place, date` was read as two columns (#4).
    """
    bare = _QUOTED.sub("", header)
    others = [mark for mark in ";\t" if mark in bare]
    if len(others) != 1:
        return ","
    n_commas = bare.count(",")
    is_in_names = bare.count(", ") == n_commas < bare.count(others[0])
    return others[0] if is_in_names else ","


def _explain(error: csv.Error) -> str:
    """What is wrong with a row; Python's words for a cell beyond its limit tell of no limit of ours (#4)."""
    if "field limit" in str(error):
        return (
            f"a cell has more than {_FIELD_CHARS:,} characters; cut it into several rows, or close the quotation mark "
            "before it"
        )
    return f"not CSV ({error}); a quote within a cell is doubled"


def _read_header(lines: _Lines, path: Path) -> tuple[list[str], Iterator[list[str]], str]:
    """The names, the reader of all that follows, and the delimiter."""
    csv.field_size_limit(_FIELD_CHARS)
    first = next(lines, "")
    while first and not first.strip(_BLANK):
        lines.record.clear()
        first = next(lines, "")
    if said := _SAID.fullmatch(first):
        delimiter = said[1]
        lines.record.clear()
    else:
        delimiter = "\t" if plain_suffix(path) == ".tsv" else _find_delimiter(first)
        lines.go_back(0)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    names = next(reader, [])
    lines.check()
    return names, reader, delimiter


def _split(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:  # a cell longer than any of a header
        return []


def _skip_said(lines: Sequence[str], marks: str) -> tuple[Sequence[str], str, bool]:
    """The lines behind `sep=;`, the delimiters that they may have, and whether one was said."""
    said = _SAID.fullmatch(lines[0]) if lines else None
    return (lines[1:], said[1], True) if said else (lines, marks, False)


def begins_as_table(lines: Sequence[str], column: str) -> bool:
    """Say whether a text is rather a table, as its first line names a column and others.

    Prose has its commas before a blank, as in "images, text, and more", and so have few tables: there all of at least
    three names must be short, and the line below must have as many commas.

    Args:
        lines: of the text, the first two or three at least, each whole and without its end.
        column: which it would have; case and blanks aside, as it was not read for the text.

    Returns:
        Whether it is; of a table of one column, only where the name is as it stands and a line follows at once, as
        "Text" may be a headline.
    """
    lines, marks, is_said = _skip_said(lines, "\t;,")
    first, below = [*lines, "", ""][:2]
    if first.strip(" \"'") == column:
        return bool(below.strip())
    for mark in marks:
        cells = _split(first, mark)
        names = [cell.strip(" \"'").casefold() for cell in cells]
        while names and not names[-1]:  # Excel leaves nameless columns behind a table
            names.pop()
        if len(names) < 2 or column.strip().casefold() not in names:
            continue
        is_spaced = any(cell.startswith(" ") for cell in cells[1:])
        is_even = len(names) >= _MIN_SPACED and len(_split(below, mark)) == len(cells)
        if is_said or not is_spaced or (is_even and all(len(name.split()) <= _NAME_WORDS for name in names)):
            return True
    return False


def has_even_lines(lines: Sequence[str], column: str) -> bool:
    """Say whether a text might be a table: its first three lines have as many cells each, of which none is indented.

    Args:
        lines: of the text, each whole and without its end; more than three where quoted cells have lines of their own.
        column: where the first line names it, case and blanks aside, cells may be indented.

    Returns:
        Whether it might. Of prose with a comma at the end of each line it does not, nor where all lines are indented.
    """
    lines, marks, _ = _skip_said(lines, "\t;,|")
    for mark in marks:
        with suppress(csv.Error):
            rows = list(itertools.islice(csv.reader(lines, delimiter=mark), _MIN_EVEN))
            is_even = len(rows) == _MIN_EVEN and len({len(cells) for cells in rows}) == 1
            is_spaced = any(cell.startswith(" ") for cells in rows for cell in cells[1:])
            is_named = column.strip().casefold() in (cell.strip().casefold() for cell in itertools.chain(*rows[:1]))
            if is_even and (is_named or not is_spaced) and any(rows[0][1:]) and any(cells[0] for cells in rows):
                return True
    return False


@contextmanager
def _open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a file in UTF-8, or in UTF-16 or UTF-32 where its mark says so, as in Excel's "Unicode Text"."""
    with open_bytes(path) as content:
        marked = find_marked_codec(content.peek(LONGEST_MARK))  # type: ignore[attr-defined]  # what is opened has it
        is_utf_8 = marked is None or marked == "utf-8"
        encoding, errors = ("utf-8-sig", "surrogateescape") if is_utf_8 else (marked, "strict")
        with io.TextIOWrapper(content, encoding=encoding, errors=errors, newline="") as stream:
            yield stream


def read_csv_header(path: Path) -> list[str]:
    """Read the names of the columns alone.

    Args:
        path: as in `read_csv_cells`.

    Returns:
        As the header has them; none where the file is empty.

    Raises:
        csv.Error: it is no CSV in UTF-8.
        UnicodeDecodeError: it begins as UTF-16 or UTF-32 and is none.
        PackedError: it is packed, and cannot be unpacked.
    """
    with _open_text(path) as stream:
        return _read_header(_Lines(stream), path)[0]


def _drop_blank_columns(names: list[str]) -> list[str]:
    """The header without the nameless columns that Excel leaves behind a table, where there are several."""
    n_named = max((place for place, name in enumerate(names, start=1) if name), default=0)
    return names[:n_named] if n_named and names.count("") > 1 else names


def read_csv_cells(path: Path, faults: list[str]) -> Iterator[tuple[str, dict[str, object], tuple[str, ...]]]:
    """Stream the rows of a CSV file; those that are wholly blank, as Excel leaves around a table, are passed over.

    Args:
        path: the file, in UTF-8, or in UTF-16 or UTF-32 with its byte order mark; tabs part the cells of `.tsv`, and
            of any file what a first line `sep=;` says; `.gz` is unpacked.
        faults: rows that cannot be read are described here and passed over.

    Yields:
        The place of a row, its cells by column, and the header; an empty cell is an absent value, as CSV knows no
        null.

    Raises:
        UnicodeDecodeError: it begins as UTF-16 or UTF-32 and is none.
        PackedError: it is packed, and cannot be unpacked.
    """
    with _open_text(path) as stream:
        lines = _Lines(stream)
        try:
            names, reader, delimiter = _read_header(lines, path)
        except csv.Error as error:
            faults.append(f"{path}:1: the header is not CSV ({error})")
            return
        n_cells = len(names)
        names = _drop_blank_columns(names)
        header = tuple(names)
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        if repeated:  # the last of them would win in silence
            faults.append(f"{path}:1: the header names {', '.join(map(repr, repeated))} twice")
            return
        while True:
            lines.record.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # A quote that nothing closes would take the rows below it along.
                lines.go_back(1)
                faults.append(f"{path}:{lines.number}: {_explain(error)}")
                continue
            place = f"{path}:{lines.number}"
            try:
                lines.check()
            except csv.Error as error:
                faults.append(FileFault(f"{path}: UTF-8", place, str(error)))
                continue
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != n_cells:
                what = (
                    f"found {len(cells)} cells, expected {n_cells} as in the header; a cell that holds {delimiter!r} "
                )
                what += "must stand in double quotes"
                faults.append(FileFault(f"{path}: cells", place, what, n_alone=_MOST_ALONE))
            elif any(cells[len(names) :]):
                faults.append(f"{place}: a cell behind column {names[-1]!r} has no name in the header; give it one")
            else:
                yield place, {name: cell for name, cell in zip(names, cells, strict=False) if cell != ""}, header


def find_whole_columns(path: Path, columns: Collection[str]) -> frozenset[str]:
    """Find the columns that pandas made floats of: it writes 7.0 for 7 in all cells of one where some are empty.

    It reads no further than to a cell of each that is otherwise, which is the first one of most files.

    Args:
        path: as in `read_csv_cells`.
        columns: names of those that are asked about.

    Returns:
        Those of whole numbers with `.0`, at least one, and of nothing else but empty cells.
    """
    asked, found = set(columns), set()
    with suppress(UnicodeDecodeError, *PackedError):  # whoever reads the rows is told of it
        for _, cells, header in read_csv_cells(path, []):
            asked.intersection_update(header)
            for name in tuple(asked):
                cell = str(cells.get(name, "")).strip()
                if cell and spell_whole(cell) == cell:
                    asked.remove(name)
                elif cell:
                    found.add(name)
            if not asked:
                break
    return frozenset(asked & found)
