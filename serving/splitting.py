"""Owns the text of a document -> its paragraphs, off the event loop and for so long only."""

import asyncio
import threading
import time
from itertools import islice

from twohands.errors import DocumentError
from twohands.overlong import refuse_unread
from twohands.paragraphs import Paragraph, iter_paragraphs


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
    """
    ends_s = time.monotonic() + timeout_s
    # A thread cannot be cancelled: one that goes on for a client who left would hold up the end of the service too.
    is_over = threading.Event()

    def check() -> None:
        if is_over.is_set() or time.monotonic() > ends_s:
            raise TimeoutError

    def split() -> list[Paragraph]:
        return list(islice(iter_paragraphs(text, limit_chars=limit_chars, check=check), max_paragraphs + 1))

    try:
        paragraphs = await asyncio.to_thread(split)
    except TimeoutError:
        raise DocumentError("the document took too long to be split into paragraphs; send it in parts") from None
    finally:
        is_over.set()
    if not paragraphs:
        raise DocumentError("the document holds no text")
    if len(paragraphs) > max_paragraphs:
        raise DocumentError(
            f"the document has more than {max_paragraphs} paragraphs, the most that are read; send it in parts"
        )
    refuse_unread([paragraph.error for paragraph in paragraphs])
    return paragraphs
