"""Owns the reading of documents: all but short text in a process of its own, bounded in time and memory.

A file from anywhere may be made to cost hours or gigabytes; the process that reads it is the only one it can harm.
And some pieces of the reading of a long text take a second, in which no other thread of Python's runs.
Run as a program with SUFFIX, SECONDS and perhaps CHARSET, it reads the document from standard input.
"""

import asyncio
import contextlib
import json
import logging
import os
import resource
import sys

from serving.programs import make_command
from twohands.documents import DocumentText, extract_document
from twohands.errors import DocumentError, DocumentReaderError, FileReadError, MissingExtraError

_LOGGER = logging.getLogger(__name__)

_NAME = "the document"
# More bytes of a text are for another process, which takes half a second to start: of 10 MB the pieces that let no
# other thread run held the event loop for up to four seconds (#5). Those of this much are decoded in milliseconds; what
# costs is that they are split (`splitting.py`).
MOST_HERE = 1_000_000
_MAX_MEMORY_BYTES = 1_500_000_000
_FAILED = 3
# What the program writes first: one that ends without it never came to the document, whose fault it is not then.
STARTED = b"+"
_MAX_TOLD_CHARS = 2000
_NOT_STARTED = "the reader of documents did not start; send the document again in a while, or its text alone"


async def extract(content: bytes, *, suffix: str, timeout_s: float, charset: str | None = None) -> DocumentText:
    """Read one document; once this has ended, however it did, no process goes on with it.

    Args:
        content: its bytes.
        suffix: `.txt`, `.html`, `.pdf`, `.docx` or `.eml`.
        timeout_s: longest time it may take.
        charset: the encoding of text or HTML where it was declared, by a name that `find_codec` knows.

    Returns:
        Its text, paragraphs parted by blank lines, where pages begin in it, and what of it is not read.

    Raises:
        DocumentError: it cannot be read, holds no text, or takes too long or too much memory.
        MissingExtraError: HTML, PDF, .docx or .eml without the extra `documents`.
        DocumentReaderError: the process that would read it did not start; the log says why.
    """
    if suffix == ".txt" and len(content) <= MOST_HERE:
        try:
            return await asyncio.to_thread(extract_document, content, suffix=suffix, name=_NAME, charset=charset)
        except FileReadError as error:
            raise DocumentError(str(error)) from error
    instead = "send it in parts" if suffix == ".txt" else "send its text instead"
    arguments = suffix, str(whole_seconds(timeout_s)), *([charset] if charset else [])
    try:
        code, output = await ask_program("serving.extract", *arguments, content=content, timeout_s=timeout_s)
    except TimeoutError as error:
        raise DocumentError(f"{_NAME} took longer than {timeout_s:g} s to read; {instead}") from error
    if code == 0:
        return await asyncio.to_thread(_read_output, output)
    if code != _FAILED:
        raise DocumentError(f"{_NAME} took too much time or memory to read; {instead}")
    fault = json.loads(_decode(output))
    kind = MissingExtraError if fault["code"] == MissingExtraError.code else DocumentError
    raise kind(fault["message"])


async def ask_program(module: str, *arguments: str, content: bytes, timeout_s: float) -> tuple[int | None, bytes]:
    """Run a module that calls `tell_start` once it is loaded; once this has ended, no process goes on with it.

    Args:
        module: by its full name.
        *arguments: of the program.
        content: for its standard input.
        timeout_s: longest time it may take.

    Returns:
        Its exit code and what it wrote, `STARTED` and all.

    Raises:
        TimeoutError: it took too long.
        DocumentReaderError: it did not start; the log says why.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *make_command(module, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:  # too many processes or open files, or no memory, for a moment
        _LOGGER.error("the reader of documents could not be started: %s", error.strerror)  # noqa: TRY400 - all there is
        raise DocumentReaderError(_NOT_STARTED) from error
    try:
        async with asyncio.timeout(timeout_s):
            output, told = await process.communicate(content)
    finally:
        # Also where the client left: readers of those who did would add up to more than may read at once.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()  # not `wait`, which some Pythons end only when the pipes are read out
    if not output.startswith(STARTED):
        why = told.decode("utf-8", "replace")[-_MAX_TOLD_CHARS:].strip()  # from before it was given anything to read
        _LOGGER.error("the reader of documents ended with %s before it began: %s", process.returncode, why)
        raise DocumentReaderError(_NOT_STARTED)
    return process.returncode, output


def whole_seconds(timeout_s: float) -> int:
    """For a bound on CPU time, which is in whole seconds."""
    return max(1, round(timeout_s))


def _decode(output: bytes) -> str:
    return str(memoryview(output)[len(STARTED) :], "utf-8", "replace")  # no copy of what may be large


def _read_output(output: bytes) -> DocumentText:
    told, _, text = _decode(output).partition("\n")
    return DocumentText(text, *json.loads(told))


def tell_start() -> None:
    """Say that all is loaded, and from here on nothing more on standard error: libraries may quote the document."""
    sys.stdout.buffer.write(STARTED)
    sys.stdout.buffer.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def bound_resources(timeout_s: int) -> None:
    """Bound what this process may take, in CPU seconds and bytes."""
    # macOS on ARM maps some 400 GB into every process and refuses a bound below that: there time alone is bounded.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (timeout_s, timeout_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(suffix: str, timeout_s: int, charset: str | None = None) -> int:
    """Read a document from standard input and write to standard output what it holds, or what is wrong with it.

    That is a line with the list of where pages begin and that of notes, and the text.

    Args:
        suffix: what the document is.
        timeout_s: CPU seconds.
        charset: as in `extract`.

    Returns:
        The exit code.
    """
    content = sys.stdin.buffer.read()
    bound_resources(timeout_s)
    try:
        document = extract_document(content, suffix=suffix, name=_NAME, charset=charset)
    except (FileReadError, MissingExtraError) as error:
        sys.stdout.write(json.dumps({"code": error.code, "message": str(error)}))
        return _FAILED
    sys.stdout.buffer.write(json.dumps([list(document.page_starts), list(document.notes)]).encode() + b"\n")
    sys.stdout.buffer.write(document.text.encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    tell_start()
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
