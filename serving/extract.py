"""Owns the reading of foreign documents: HTML and PDF in a process of their own, with bounds on time and memory.

A file from anywhere may be made to cost hours or gigabytes; the process that reads it is the only one it can harm.
Run as `python -m serving.extract SUFFIX`, it reads the document from standard input.
"""

import contextlib
import json
import resource
import subprocess
import sys
from pathlib import Path

from twohands.documents import extract_text
from twohands.errors import DocumentError, FileReadError, MissingExtraError

_NAME = "the document"
_MAX_MEMORY_BYTES = 1_500_000_000
_FAILED = 3


def extract(content: bytes, *, suffix: str, timeout_s: float) -> str:
    """Read one document.

    Args:
        content: its bytes.
        suffix: `.txt`, `.html` or `.pdf`.
        timeout_s: longest time it may take.

    Returns:
        Its text, paragraphs parted by blank lines.

    Raises:
        DocumentError: it cannot be read, holds no text, or takes too long or too much memory.
        MissingExtraError: HTML or PDF without the extra `documents`.
    """
    if suffix == ".txt":
        try:
            return extract_text(content, suffix=suffix, name=_NAME)
        except FileReadError as error:
            raise DocumentError(str(error)) from error
    try:
        ended = subprocess.run(  # noqa: S603 - ourselves, with a suffix of our own choice
            [sys.executable, "-m", "serving.extract", suffix, str(max(1, round(timeout_s)))],
            input=content,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DocumentError(f"{_NAME} took longer than {timeout_s:g} s to read; send its text instead") from error
    if ended.returncode == 0:
        return ended.stdout.decode("utf-8", "replace")
    if ended.returncode != _FAILED:
        raise DocumentError(f"{_NAME} took too much time or memory to read; send its text instead")
    told = json.loads(ended.stdout)
    kind = MissingExtraError if told["code"] == MissingExtraError.code else DocumentError
    raise kind(told["message"])


def _bound_resources(timeout_s: int) -> None:
    # macOS on ARM maps some 400 GB into every process and refuses a bound below that: there time alone is bounded.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (timeout_s, timeout_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(suffix: str, timeout_s: int) -> int:
    """Read a document from standard input and write its text, or what is wrong with it, to standard output.

    Args:
        suffix: what the document is.
        timeout_s: CPU seconds.

    Returns:
        The exit code.
    """
    content = sys.stdin.buffer.read()
    _bound_resources(timeout_s)
    try:
        text = extract_text(content, suffix=suffix, name=_NAME)
    except (FileReadError, MissingExtraError) as error:
        sys.stdout.write(json.dumps({"code": error.code, "message": str(error)}))
        return _FAILED
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
