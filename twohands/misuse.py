"""Owns the errors of who calls the library from Python as it cannot be called; a branch of the tree in `errors.py`."""

from twohands.errors import TwoHandsError


class ArgumentError(TwoHandsError, TypeError, ValueError):
    """A call from Python is given what it cannot take; also what Python itself would raise for a type or a value."""

    code = "invalid_argument"


class ClosedError(TwoHandsError):
    """A classifier is used after it was closed."""

    code = "classifier_closed"


class ForkError(TwoHandsError):
    """A classifier was loaded before this process was forked, and its runtime does not work here."""

    code = "forked"
