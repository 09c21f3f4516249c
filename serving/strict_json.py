"""Owns bytes -> a JSON value, strictly, or words for why there is none."""

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic_core import from_json

from serving.failures import is_name

Place = tuple[str | int, ...]
"""Names and numbers that lead to a value, from the outermost on."""
Mend = Callable[[Place, str], object]
"""Gives what is to stand in the place of a text that has half a surrogate pair, or None to refuse all; is told why."""

_HALF = "half of a surrogate pair such as \\ud83d stands"
_HOW = "as where a text was cut amid an emoji"
# More are not read: 2 MB of them held the event loop for half a second before they were refused (#5). A request of a
# hundred texts, or a thousand tasks, has fewer.
_MOST_VALUES = 100_000
_BEFORE_VALUES = (b",", b"[", b"{")
_LOOKED_AT_ONCE = 65_536
_BACKSLASHES = re.compile(rb"\\*")
_MOST_HALVES = 5_000  # texts that have one, each of which costs ten times as much as another value
_MOST_LEVELS = 200  # as many as the parser reads where no text has a half


class TooManyValuesError(ValueError):
    """The JSON is refused before it is read: it has more values than any request."""


def read_json(content: bytes | bytearray, *, name: str, mend: Mend | None = None) -> Any:  # noqa: ANN401 - any value
    """Read JSON: no NaN, no lone surrogates, no invalid UTF-8, no nesting that would exhaust the stack.

    Args:
        content: as it came.
        name: of what it is, for the message.
        mend: lets texts that have lone surrogates alone be refused, where they stand.

    Returns:
        The value.

    Raises:
        TooManyValuesError: it has more than a hundred thousand.
        ValueError: it is none; the message says where, not what.
    """
    if _has_too_many_values(content):
        raise TooManyValuesError(f"{name} has more than {_MOST_VALUES} values; send less in one request")
    try:
        return from_json(content, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        fault = str(error)
        if "in hex escape" not in fault and "of hex escape" not in fault:
            raise ValueError(f"{name} is not valid JSON: {fault}") from error
    # The parser ends at what JavaScript sends of a text that was cut amid an emoji, and does not say of which (#4).
    try:
        value = json.loads(content.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not valid JSON: {fault}; {_HALF} there, {_HOW}") from error
    try:
        return _mend_halves(value, mend or _refuse)
    except ValueError as error:
        raise ValueError(f"{name} is not valid JSON: {error}") from error


def _has_too_many_values(content: bytes | bytearray) -> bool:
    """Whether JSON has too many values, found without reading it and no further than it takes to tell."""
    if len(content) < 2 * _MOST_VALUES:  # each has a byte of its own, and one before or behind it
        return False
    n_values, start, is_within = 0, 0, False
    while start < len(content):
        end = start + _LOOKED_AT_ONCE
        if content[end - 1 : end] == b"\\":  # what it escapes is not parted from it
            end = _BACKSLASHES.match(content, end).end() + 1  # type: ignore[union-attr]  # it matches anywhere
        piece = content[start:end]
        if b"\\" in piece:
            piece = piece.replace(rb"\\", b"").replace(rb"\"", b"")
        # What stands between each second pair of quotes is no text; prose may have as many commas.
        parts = piece.split(b'"')
        outside = b"".join(parts[is_within::2])
        n_values += sum(map(outside.count, _BEFORE_VALUES))
        if n_values > _MOST_VALUES:
            return True
        is_within ^= len(parts) % 2 == 0
        start = end
    return False


def _refuse(_place: Place, _fault: str) -> None:
    """Let nothing stand in the place of a text."""


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _find_half(text: str) -> int | None:
    """Where the first half of a pair stands; whole ones are one character by now."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A list or object that is still to be looked through. Its place is put together only where it is told."""

    holder: Any
    key: str | int = ""
    above: "_Waiting | None" = None
    n_levels: int = 1

    def find_place(self) -> Place:
        keys: list[str | int] = []
        here = self
        while here.above is not None:
            keys.append(here.key)
            here = here.above
        return tuple(reversed(keys))


def _mend_text(text: str, find_place: Callable[[], Place], mend: Mend) -> object:
    half = _find_half(text)
    if half is None:
        return text
    fault = f"{_HALF} at character {half}, {_HOW}"
    place = find_place()
    mended = mend(place, fault)
    if mended is None:
        raise ValueError(_name_place(place) + fault)
    return mended


def _name_place(place: Place) -> str:
    parts = [str(part) if isinstance(part, int) or is_name(part) else "(unprintable name)" for part in place]
    return f"{'.'.join(parts)}: " if parts else ""


def _mend_halves(value: object, mend: Mend) -> object:
    """Mend each text that has a half, the outer ones first, and those of a list in order."""
    if isinstance(value, str):
        return _mend_text(value, tuple, mend)
    waiting: deque[_Waiting] = deque([_Waiting(value)])
    n_halves = 0
    while waiting:
        here = waiting.popleft()
        holder = here.holder
        for key, child in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if n_halves > _MOST_HALVES:
                raise ValueError(f"{_HALF} in one of its texts, {_HOW}")
            if isinstance(key, str) and _find_half(key) is not None:
                raise ValueError(f"{_name_place(here.find_place())}{_HALF} in the name of a field")
            if isinstance(child, str):
                # Of a key that it has, so it may be gone through meanwhile.
                mended = _mend_text(child, lambda: (*here.find_place(), key), mend)  # noqa: B023 - called at once
                n_halves += mended is not child
                holder[key] = mended
            elif isinstance(child, dict | list):
                if here.n_levels == _MOST_LEVELS:
                    raise ValueError(f"it has more than {_MOST_LEVELS} levels")
                waiting.append(_Waiting(child, key, here, here.n_levels + 1))
    return value
