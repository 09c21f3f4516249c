"""Owns the reading of foreign documents: HTML and PDF in a process of their own, with bounds on time and memory.

A file from anywhere may be made to cost hours or gigabytes; the process that reads it is the only one it can harm.
Run as `python -m serving.extract SUFFIX`, it reads the document from standard input.
"""

import asyncio
import contextlib
import json
import resource
import sys
from pathlib import Path

from twohands.documents import extract_text
from twohands.errors import DocumentError, FileReadError, MissingExtraError

_NAME = "the document"
_MAX_MEMORY_BYTES = 1_500_000_000
_FAILED = 3


async def extract(content: bytes, *, suffix: str, timeout_s: float) -> str:
    """Read one document; once this has ended, however it did, no process goes on with it.

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
            return await asyncio.to_thread(extract_text, content, suffix=suffix, name=_NAME)
        except FileReadError as error:
            raise DocumentError(str(error)) from error
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "serving.extract", suffix, str(max(1, round(timeout_s)))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate(content)
    except TimeoutError as error:
        raise DocumentError(f"{_NAME} took longer than {timeout_s:g} s to read; send its text instead") from error
    finally:
        # Also where the client left: readers of those who did would add up to more than may read at once.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()  # not `wait`, which some Pythons end only when the pipes are read out
    if process.returncode == 0:
        return await asyncio.to_thread(output.decode, "utf-8", "replace")
    if process.returncode != _FAILED:
        raise DocumentError(f"{_NAME} took too much time or memory to read; send its text instead")
    told = json.loads(output)
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
