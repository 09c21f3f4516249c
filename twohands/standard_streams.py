"""Owns what becomes of a command whose standard streams are closed, full or cut off: one line, never a traceback."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO, cast

from twohands.errors import FileWriteError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIPE_CLOSED = 141  # 128 + SIGPIPE: what `yes | head` leaves too


def open_closed_streams() -> None:
    """Give a program that was started with closed standard streams ones that fail when they are used.

    Python has None in their place, at which every `sys.stderr.isatty()` failed; and the next file that is opened
    takes the number of the closed one, so that what a library prints goes into it. Standard output and input are
    opened the wrong way round, so that using them is an error; what is told on a closed standard error is dropped.

    Source:
        GNU coreutils, `stdopen.c`.
    """
    # In order: each takes the lowest number that is free.
    if sys.stdin is None:
        sys.stdin = _open_null("r", os.O_WRONLY)
    if sys.stdout is None:
        sys.stdout = _open_null("w", os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = _open_null("w", os.O_WRONLY)


def _open_null(mode: str, flags: int) -> TextIO:
    number = os.open(os.devnull, flags)
    # Inherited, as standard streams are: workers of `serve --workers` found no standard error, and ended at once (#7).
    os.set_inheritable(number, True)
    return cast("TextIO", open(number, mode, encoding="utf-8", closefd=False))


class _Output(io.FileIO):
    """Standard output that remembers why it could not be written; the error alone does not say of which file it is."""

    failed: OSError | None = None

    def write(self, content: "ReadableBuffer", /) -> int | None:  # type: ignore[override]  # as `io.FileIO`
        """Write as a file does."""
        try:
            return super().write(content)
        except OSError as error:
            self.failed = error
            raise


def _watch() -> _Output | None:
    """Put one that remembers in the place of Python's own standard output, buffered as that is; of another's, none."""
    own = sys.stdout
    if sys.__stdout__ not in {None, own} or not isinstance(own, io.TextIOWrapper):
        return None
    own.flush()
    output = _Output(own.fileno(), "w", closefd=False)
    # With PYTHONUNBUFFERED there is no buffer between.
    below = output if isinstance(own.buffer, io.RawIOBase) else io.BufferedWriter(output)
    sys.stdout = io.TextIOWrapper(
        below,
        encoding=own.encoding,
        errors=own.errors,
        line_buffering=own.line_buffering,
        write_through=own.write_through,
    )
    return output


def drop_stdout() -> None:
    """Have what is left of standard output go nowhere, and all that follows: Python would try once more when it ends.

    For a command that goes on without it; none of it counts as a fault afterwards.
    """
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stdout.flush()
        raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        if isinstance(raw, _Output):
            raw.failed = None


@contextlib.contextmanager
def watch_stdout() -> Iterator[None]:
    """Tell errors of standard output from those of other files, and have what is left written before the end.

    Raises:
        FileWriteError: standard output cannot be written.
        SystemExit: with 141, who reads it has gone; that is no fault.
    """
    output = _watch()
    try:
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):  # it was closed on purpose
                sys.stdout.flush()
    except (OSError, SystemExit) as error:
        failed = output.failed if output is not None else None
        if failed is None or (isinstance(error, SystemExit) and error.code == PIPE_CLOSED):
            raise
        drop_stdout()
        if isinstance(failed, BrokenPipeError):
            sys.exit(PIPE_CLOSED)
        raise FileWriteError(f"cannot write standard output: {failed.strerror or failed}") from failed
