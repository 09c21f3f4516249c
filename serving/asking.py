"""Owns who asks: the API key of the request that is being answered, for those deeper down who give everybody a share.

A context variable, and no argument of every call: it follows a request into the tasks that it starts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

NOBODY = ""
"""Who asks without a key; all who do are one caller, among whose requests turns are taken as among those of a key."""

_CALLER: ContextVar[str] = ContextVar("twohands_caller", default=NOBODY)


def name_caller() -> str:
    """The id of the key that the request in hand came with, or `NOBODY`."""
    return _CALLER.get()


@contextmanager
def asking(caller: str) -> Iterator[None]:
    """Say who asks, for as long as a request is answered.

    Args:
        caller: the id of a key, never the key itself.

    Yields:
        Nothing.
    """
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)
