"""Owns bytes -> rows of NDJSON, in constant memory: a faulty line becomes an error in its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from serving.strict_json import Place, read_json
from twohands.errors import InvalidIdError, LineTooLongError, MissingTextError, RowError

# Some milliseconds of the event loop. A multiple of the rows of a group, so that none is cut short by it.
LINES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One line: `id` is the row's own, else the number of its line; `text` is a string, or why there is none."""

    id: str | int
    text: object


class RowReader:
    """Cuts pieces of a body into lines, and reads each."""

    def __init__(self, *, max_line_bytes: int) -> None:
        """Begin at line 1.

        Args:
            max_line_bytes: longer lines are skipped, and answered with an error.
        """
        self._max_line_bytes = max_line_bytes
        self._held = bytearray()
        self._is_too_long = False
        self._n_lines = 0

    @property
    def n_held_bytes(self) -> int:
        """How much of a line has come whose end has not."""
        return len(self._held)

    def feed(self, piece: bytes) -> Iterator[list[StreamRow]]:
        """Take the next bytes.

        Args:
            piece: of any length, cut anywhere.

        Yields:
            The rows that it completes, of some lines at a time: a piece may have a hundred thousand. Blank lines give
            none.
        """
        *ended, rest = piece.split(b"\n")
        for start in range(0, len(ended), LINES_AT_ONCE):
            rows = []
            for part in ended[start : start + LINES_AT_ONCE]:
                self._hold(part)
                rows += self._finish_line()
            yield rows
        self._hold(rest)

    def end(self) -> list[StreamRow]:
        """Take the end of the body.

        Returns:
            The last row, if its line did not end.
        """
        return self._finish_line()

    def _hold(self, part: bytes) -> None:
        if not self._is_too_long:
            self._held += part
            if len(self._held) > self._max_line_bytes:
                self._is_too_long = True
                self._held = bytearray()

    def _finish_line(self) -> list[StreamRow]:
        line, is_too_long = bytes(self._held), self._is_too_long
        self._held, self._is_too_long = bytearray(), False
        self._n_lines += 1
        if is_too_long:
            fault = LineTooLongError(f"the line has more than {self._max_line_bytes} bytes; split its text first")
            return [StreamRow(self._n_lines, fault)]
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        return [read_row(line, self._n_lines)] if line else []


def _mend_row(place: Place, fault: str) -> object:
    """Let a row whose text has half a surrogate pair keep its name; fields that are passed over may hold anything."""
    if place in {(), ("text",)}:
        return RowError(fault)
    return None if place == ("id",) else ""


def read_row(line: bytes, number: int) -> StreamRow:
    """Read one line.

    Args:
        line: a JSON string, or an object with `text` and perhaps `id`; other fields are passed over, so that files
            of labelled rows can be sent as they are.
        number: of the line, from 1.

    Returns:
        The row.
    """
    try:
        content = read_json(line, name="the line", mend=_mend_row)
    except ValueError as error:
        return StreamRow(number, RowError(str(error)))
    if isinstance(content, str | RowError):
        return StreamRow(number, content)
    if not isinstance(content, dict):
        return StreamRow(number, RowError('expected an object such as {"id": "a", "text": "..."}, or a string'))
    name = content.get("id")
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int)):
        return StreamRow(number, InvalidIdError("id: expected a string or a whole number"))
    if content.get("text") is None:
        told = "the row's field `text` is null" if "text" in content else "the row has no field `text`"
        return StreamRow(number if name is None else name, MissingTextError(told))
    return StreamRow(number if name is None else name, content["text"])
