"""Owns how Ctrl-C ends a command: with one line and the code that shells know."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INTERRUPTED = 130  # 128 + SIGINT, as shells say it


@contextmanager
def ending_on_interrupt(hint: str = "") -> Iterator[None]:
    """End the process in place of a traceback, or of click's "Aborted!" and a code that is every error's.

    Args:
        hint: what becomes of what was done, if anything does.

    Yields:
        Nothing.

    Raises:
        SystemExit: Ctrl-C was pressed.
    """
    try:
        yield
    except KeyboardInterrupt:
        with suppress(OSError):  # where standard error is gone there is nobody to tell
            sys.stderr.write(f"\ninterrupted{hint and '; '}{hint}\n")
        raise SystemExit(INTERRUPTED) from None
