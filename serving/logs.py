"""Owns how logs are written: one JSON object or one line of text each, and of an exception only where it happened.

What an exception says is left out of the log: libraries put what they were given into their messages, and that may
be a caller's text.
"""

import json
import logging
import sys
import time
import traceback
from types import TracebackType
from typing import Any, Literal

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


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, and the facts of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        entry: dict[str, Any] = {
            "time": _format_time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
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
        line = f"{_format_time(record.created)} {record.levelname} {record.name}: {record.getMessage()}{facts}"
        if record.exc_info and record.exc_info[1] is not None:
            told = describe_exception(record.exc_info[1])
            line += f" [{told['type']} at {'; '.join(map(str, told['frames'] or []))}]"  # type: ignore[call-overload]
        return line.replace("\r", "\\r").replace("\n", "\\n")


def _format_time(created_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created_s)) + f".{int(created_s % 1 * 1000):03d}Z"


def set_up_logs(*, level: str, log_format: Literal["json", "text"]) -> None:
    """Send all logs of this process to standard error.

    Args:
        level: least level that is written.
        log_format: how.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # They tell of every request to other hosts, with its address; nothing here makes any worth telling.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
