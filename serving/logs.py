"""Owns how logs are written: one JSON object or one line of text each, and of an exception only where it happened.

What an exception says is left out of the log: libraries put what they were given into their messages, and that may
be a caller's text. Nobody waits for the log: whoever reads it may have stalled, or its disk be full.
"""

import io
import json
import logging
import os
import queue
import sys
import threading
import time
import traceback
from types import TracebackType
from typing import Any, Literal, TextIO

from twohands.printable import make_printable

_MOST_LINES_WAITING = 10_000
_FLUSH_S = 1.0
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def describe_exception(error: BaseException) -> dict[str, object]:
    """Say what kind of exception it was and where it came from, without its words.

    Args:
        error: any.

    Returns:
        Its type, the frames that led to it, and the same of what caused it.
    """
    frames = [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__)]
    told: dict[str, object] = {"type": type(error).__qualname__, "frames": frames}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["cause"] = type(cause).__qualname__
    return told


def _read_message(record: logging.LogRecord) -> str:
    """What a record says; asyncio's of an exception only as far as it repeats nothing that was raised or passed on."""
    message = record.getMessage()
    if record.name == "asyncio" and record.exc_info:
        # `Exception in callback f('…')`, or below the first line the task, and with it what the exception says.
        return message.partition("\n")[0].partition("(")[0]
    return message


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, and the facts of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        entry: dict[str, Any] = {
            "time": _format_time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _read_message(record),
        }
        entry |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1] is not None:
            entry["exception"] = describe_exception(record.exc_info[1])
        return json.dumps(entry, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()


class TextFormatter(logging.Formatter):
    """One line of text, and the frames of an exception behind it."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        facts = "".join(f" {name}={fact}" for name, fact in getattr(record, "facts", {}).items())
        line = f"{_format_time(record.created)} {record.levelname} {record.name}: {_read_message(record)}{facts}"
        if record.exc_info and record.exc_info[1] is not None:
            told = describe_exception(record.exc_info[1])
            line += f" [{told['type']} at {'; '.join(map(str, told['frames'] or []))}]"  # type: ignore[call-overload]
        return make_printable(line).replace("\n", "\\n")  # a model is called whatever its maker wrote (#5)


def _format_time(created_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created_s)) + f".{int(created_s % 1 * 1000):03d}Z"


class PatientHandler(logging.Handler):
    """Writes lines on a thread of its own, so that a reader who stalls holds up the log and not the service.

    A bounded number of lines waits; those beyond it are lost, and how many is told as soon as lines are read again.
    """

    def __init__(self, stream: TextIO, *, most_waiting: int = _MOST_LINES_WAITING) -> None:
        """Start the thread.

        Args:
            stream: where to; stays the caller's.
            most_waiting: lines that wait to be written.
        """
        super().__init__()
        self._stream = stream
        try:
            self._number: int | None = stream.fileno()
        except (OSError, io.UnsupportedOperation):  # no file of the system's
            self._number = None
        self._lines: queue.Queue[str | None] = queue.Queue(most_waiting)
        self._n_lost, self._counting = 0, threading.Lock()
        self._writer = threading.Thread(target=self._write_all, name="twohands-log", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            with self._counting:
                self._n_lost += 1

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            self._write(line)
            self._lines.task_done()
            with self._counting:
                n_lost, self._n_lost = self._n_lost, 0
            if n_lost:
                told = {"msg": "the log was read too slowly: %d records are lost", "args": (n_lost,)}
                place = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"}
                self._write(self.format(logging.makeLogRecord(told | place)))

    def _write(self, line: str) -> None:
        try:
            if self._number is None:
                self._stream.write(line + "\n")
                self._stream.flush()
                return
            # Past the stream's own lock: held at the end by a thread that cannot write, it would abort the process.
            left = memoryview(f"{line}\n".encode("utf-8", "backslashreplace"))
            while left:
                left = left[os.write(self._number, left) :]
        except (OSError, ValueError):  # the disk is full, the reader is gone, the stream was closed
            return

    def flush(self) -> None:
        """Let what waits be written, for a moment."""
        end_s = time.monotonic() + _FLUSH_S
        while self._lines.unfinished_tasks and self._writer.is_alive() and time.monotonic() < end_s:
            time.sleep(0.005)

    def close(self) -> None:
        """Write what waits, for a moment, and end the thread."""
        self.flush()
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            pass
        else:
            self._writer.join(_FLUSH_S)
        super().close()


def _is_told_nowhere_else(record: logging.LogRecord) -> bool:
    return record.msg != "Invalid HTTP request received."


def set_up_logs(*, level: str, log_format: Literal["json", "text"]) -> None:
    """Send all logs of this process to standard error.

    Args:
        level: least level that is written.
        log_format: how.
    """
    handler = PatientHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Told by `connections.py`, with the request's id.
    logging.getLogger("uvicorn.error").addFilter(_is_told_nowhere_else)
    # They tell of every request to other hosts, with its address; nothing here makes any worth telling.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
