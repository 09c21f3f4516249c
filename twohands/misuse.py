"""Owns what is refused to who calls the library from Python: a branch of the tree in `errors.py`, and shared checks."""

from collections.abc import AsyncIterable, Mapping
from typing import SupportsIndex

from twohands.errors import TwoHandsError

_OF_TABLES = ("iterrows", "iter_rows", "to_pylist", "collect")  # pandas, polars, Arrow, lazy ones of polars and Spark


class ArgumentError(TwoHandsError, TypeError, ValueError):
    """A call from Python is given what it cannot take; also what Python itself would raise for a type or a value."""

    code = "invalid_argument"


class ClosedError(TwoHandsError):
    """A classifier or a client is used after it was closed."""

    code = "classifier_closed"


class ForkError(TwoHandsError):
    """A classifier was loaded before this process was forked, and its runtime does not work here."""

    code = "forked"


def check_texts(texts: object, *, is_async: bool = False) -> None:
    """Refuse what would be gone through by its letters, its keys or the names of its columns, or not at all.

    Args:
        texts: what was given for several texts.
        is_async: whether an async iterator may give them.

    Raises:
        ArgumentError: it is one string, a mapping, a table, a column of Arrow, or nothing to go through.
    """
    if isinstance(texts, str | bytes):
        raise ArgumentError("classify takes several texts; wrap the one text in a list: classify([text])")
    if isinstance(texts, Mapping):
        raise ArgumentError("classify takes texts, found a mapping; pass list(texts.values())")
    # None of these need be here to be known. By their type: a lazy table would read its files to name its columns.
    kind = type(texts)
    if hasattr(kind, "columns") and any(hasattr(kind, method) for method in _OF_TABLES):
        raise ArgumentError("classify takes texts, found a table; pass the column that holds them: table['text']")
    if hasattr(kind, "to_pylist"):  # Arrow, whose cells are no strings of Python
        raise ArgumentError(f"classify takes texts, found {kind.__name__}; pass its strings: column.to_pylist()")
    if is_async and isinstance(texts, AsyncIterable):
        return
    try:
        iter(texts)  # type: ignore[call-overload]  # whether it can be gone through is the question
    except TypeError as error:
        found = type(texts).__name__
        raise ArgumentError(f"classify takes texts, found {found}; pass a list or any other iterable") from error


def check_whole(name: str, value: object, *, least: int) -> None:
    """Refuse an argument that is no whole number, or is too small.

    Args:
        name: of the argument, for the message.
        value: what was given.
        least: the smallest that is taken.

    Raises:
        ArgumentError: it is no whole number from `least` on.
    """
    is_whole = isinstance(value, SupportsIndex) and not isinstance(value, bool)
    if not is_whole or value < least:  # type: ignore[operator]  # a whole number can be compared
        raise ArgumentError(f"{name} is {value!r}; expected a whole number from {least} on")
