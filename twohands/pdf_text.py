"""Owns PDF -> text, its paragraphs rebuilt from lines and the gaps between them. Knows nothing of files."""

import io
import logging
import time
from dataclasses import replace
from types import ModuleType
from typing import Any

from twohands.errors import FileReadError
from twohands.pdf_beside import drop_beside, drop_by_place, mark_note, take_endnotes, take_notes
from twohands.pdf_blocks import find_ties, heed_tags, settle_headings
from twohands.pdf_headings import find_headings, is_contents
from twohands.pdf_items import drop_figures, join_initials, join_markers
from twohands.pdf_join import BETWEEN, join_lines, join_pages
from twohands.pdf_lines import Page, find_usual_size, read_page
from twohands.pdf_outline import read_outline
from twohands.pdf_parts import mark_parts, mark_turns, spell_out
from twohands.pdf_tags import read_tags

# Drawing operators and characters of a whole file: some ten minutes. A page of a book has some thousands.
_MAX_WORK = 50_000_000
_MAX_CPU_S = 1800.0  # for what neither shows, as pages without text that all name fonts of a megabyte
_TITLE = 1.2  # times the usual size of letters


def _read_pages(reader: Any, name: str) -> list[Page]:  # noqa: ANN401 - an optional library
    """Lines of all pages.

    A small file may list one page, or draw one form, a hundred thousand times. A page that is listed again is read
    once, and blank then, so that pages are counted as viewers do; all else counts, also within forms, where pypdf
    swallows the error, which the next operator raises again.
    """
    left, ends_s = _MAX_WORK, time.thread_time() + _MAX_CPU_S

    def spend(n: int) -> None:
        nonlocal left
        left -= n
        if left < 0:
            raise FileReadError(
                f"{name} has more than {_MAX_WORK:,} drawing operators and characters; cut it into several PDFs, or "
                "save its text as .txt"
            )

    tags = read_tags(reader, spend)
    pages, read = [], set()
    for page in reader.pages:
        reference = page.indirect_reference  # None where a page stands in the list itself
        key = None if reference is None else (reference.idnum, reference.generation)
        if key is None or key not in read:
            read.add(key)
            pages.append(read_page(page, spend, tags.get(reference.idnum) if reference else None))
            spend(0)
        else:
            pages.append(Page([]))
        if time.thread_time() > ends_s:  # of this thread, or the load of the machine would decide what is read
            raise FileReadError(
                f"{name} took more than {_MAX_CPU_S / 60:g} minutes to read; cut it into several PDFs, or save its "
                "text as .txt"
            )
    return pages


def read_pdf(content: bytes, name: str, *, pypdf: ModuleType) -> tuple[str, list[int]]:
    """Extract the text of a PDF.

    Args:
        content: of the file.
        name: of the document, for messages.
        pypdf: the library.

    Returns:
        Paragraphs and headings, parted by blank lines, never empty, with the notes of all pages behind them as
        Markdown defines notes; and where each page begins in it, in characters.

    Raises:
        FileReadError: it is no PDF, locked, encrypted by AES where `cryptography` is not installed, without text, or
            too much to read.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells of each oddity that it mended
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        is_locked = reader.is_encrypted and not reader.decrypt("")
        pages = [] if is_locked else _read_pages(reader, name)
        outline = read_outline(reader)
    except FileReadError:
        raise
    except pypdf.errors.DependencyError as error:
        # Readers open these without a word, so that whoever sent it does not know that it is encrypted (#4).
        raise FileReadError(
            f"{name} is encrypted by AES, even if no password is asked for, and what decrypts it is not installed "
            "here: pip install cryptography; or save it without encryption"
        ) from error
    except Exception as error:  # a broken PDF raises almost anything
        raise FileReadError(
            f"{name} cannot be read as PDF: {type(error).__name__}: {error}; print it anew to PDF, or save it as "
            ".docx or .txt"
        ) from error
    if is_locked:
        raise FileReadError(f"{name} is locked by a password; unlock it first")
    usual_size = find_usual_size(pages)
    pages, notes = take_notes(heed_tags(drop_by_place(drop_beside(pages))), usual_size)
    pages, endnotes = take_endnotes([_clear(page, usual_size) for page in pages], usual_size)
    headings = settle_headings(pages, find_headings(pages, usual_size, outline))
    first = pages[0].lines if pages else []
    titles = {spell_out(line.text) for line in first if (line.size or 0) > _TITLE * usual_size > 0}
    marked = mark_turns(mark_parts(pages, usual_size, headings, find_ties(pages)))
    text, starts = join_pages(marked, titles=titles)
    if not text:
        raise FileReadError(f"{name} holds no text, perhaps only scanned pages; run it through OCR first")
    told = [mark_note(" ".join(join_lines([list(map(spell_out, note))]).split())) for note in [*notes, *endnotes]]
    return BETWEEN.join([text, *told]), starts


def _clear(page: Page, usual_size: float) -> Page:
    """Leave out what is laid out and no text: tables of contents and of figures; put markers and initials to theirs."""
    kept = replace(page, lines=[line for line in page.lines if not is_contents(line)])
    return drop_figures(join_markers(join_initials(kept, usual_size)))
