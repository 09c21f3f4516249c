"""Owns the text of a document -> its paragraphs, off the event loop and for so long only; long text by a process.

Run as a program with LIMIT_CHARS, MAX_PARAGRAPHS and SECONDS, it splits the text on its standard input.
"""

import asyncio
import json
import sys
import threading
import time
from dataclasses import asdict
from itertools import islice

from serving.extract import STARTED, ask_program, bound_resources, tell_start, whole_seconds
from twohands.errors import DocumentError, ParagraphTooLongError
from twohands.overlong import refuse_unread
from twohands.paragraphs import Paragraph, iter_paragraphs

# More characters are for another process. Single searches go over all of a text, and no other thread runs meanwhile:
# those of 1 MB of marks held the health checks up for .12 s on two busy cores, those of this much for a quarter (#5).
MOST_HERE = 250_000


async def split_in_time(text: str, *, limit_chars: int, max_paragraphs: int, timeout_s: float) -> list[Paragraph]:
    """Split a document; soon after this has ended, however it did, no thread goes on with it.

    Args:
        text: of the document.
        limit_chars: most characters of one paragraph.
        max_paragraphs: most paragraphs; no more are looked for.
        timeout_s: longest time it may take.

    Returns:
        At least one paragraph that is read; one of more than `limit_chars` characters has its `error`.

    Raises:
        DocumentError: it holds no text, has too many paragraphs, or takes too long.
        ParagraphTooLongError: every paragraph has more than `limit_chars` characters.
        DocumentReaderError: the process that would split it did not start.
    """
    split = _split_here if len(text) <= MOST_HERE else _split_elsewhere
    try:
        paragraphs = await split(text, limit_chars=limit_chars, max_paragraphs=max_paragraphs, timeout_s=timeout_s)
    except TimeoutError:
        raise DocumentError("the document took too long to be split into paragraphs; send it in parts") from None
    if not paragraphs:
        raise DocumentError("the document holds no text")
    if len(paragraphs) > max_paragraphs:
        raise DocumentError(
            f"the document has more than {max_paragraphs} paragraphs, the most that are read; send it in parts"
        )
    refuse_unread([paragraph.error for paragraph in paragraphs])
    return paragraphs


async def _split_here(text: str, *, limit_chars: int, max_paragraphs: int, timeout_s: float) -> list[Paragraph]:
    ends_s = time.monotonic() + timeout_s
    # A thread cannot be cancelled: one that goes on for a client who left would hold up the end of the service too.
    is_over = threading.Event()

    def check() -> None:
        if is_over.is_set() or time.monotonic() > ends_s:
            raise TimeoutError

    def split() -> list[Paragraph]:
        return list(islice(iter_paragraphs(text, limit_chars=limit_chars, check=check), max_paragraphs + 1))

    try:
        return await asyncio.to_thread(split)
    finally:
        is_over.set()


async def _split_elsewhere(text: str, *, limit_chars: int, max_paragraphs: int, timeout_s: float) -> list[Paragraph]:
    content = text.encode("utf-8", "replace")
    arguments = str(limit_chars), str(max_paragraphs), str(whole_seconds(timeout_s))
    code, output = await ask_program("serving.splitting", *arguments, content=content, timeout_s=max(0.0, timeout_s))
    if code != 0:  # beyond its bounds
        raise TimeoutError
    return await asyncio.to_thread(_read_output, output)


def _read_output(output: bytes) -> list[Paragraph]:
    # Line by line, so that other threads get between.
    rows = (json.loads(line) for line in output.removeprefix(STARTED).split(b"\n") if line)
    return [
        Paragraph(**row | {"error": None if row["error"] is None else ParagraphTooLongError(row["error"])})
        for row in rows
    ]


def main(limit_chars: int, max_paragraphs: int, timeout_s: int) -> int:
    """Split the text on standard input, and write each paragraph to standard output: an object a line.

    Args:
        limit_chars: as in `split_in_time`.
        max_paragraphs: no more than one beyond these is looked for.
        timeout_s: CPU seconds.

    Returns:
        The exit code.
    """
    text = sys.stdin.buffer.read().decode()
    bound_resources(timeout_s)
    for paragraph in islice(iter_paragraphs(text, limit_chars=limit_chars), max_paragraphs + 1):
        row = asdict(paragraph) | {"error": None if paragraph.error is None else str(paragraph.error)}
        sys.stdout.buffer.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return 0


if __name__ == "__main__":
    tell_start()
    sys.exit(main(*map(int, sys.argv[1:])))
