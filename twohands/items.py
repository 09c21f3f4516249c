"""Owns what bulk classification classifies: files or standard input -> a stream of `Item`s in the order of the input.

Rows are streamed; a document is held one at a time. Reading twice gives the same items, which resuming relies on.
"""

import functools
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from twohands.charsets import find_marked_codec, read_utf_8_lines
from twohands.csv_cells import begins_as_table, has_even_lines
from twohands.documents import (
    TEXT_SUFFIXES,
    DocumentText,
    extract_document,
    import_reader,
    open_document,
)
from twohands.errors import (
    EmptyParagraphError,
    FileReadError,
    InputTypeError,
    InvalidIdError,
    MissingTextError,
    ParagraphTooLongError,
    TwoHandsError,
)
from twohands.examples import Row, read_jsonl_lines, read_rows
from twohands.inputs import PLACES, is_document, refuse_by
from twohands.mail_text import HEAD_CHARS, is_encoded_mail
from twohands.overlong import refuse_unread
from twohands.paragraphs import iter_paragraphs
from twohands.row_files import read_pieces, tell_unread
from twohands.values import NO_VALUE, read_whole, spell_value

STDIN_NAME = "stdin"
GROUP = "group"  # the column that says of which document a row is
_HEAD_LINES = 20  # of standard input, by which a table is known
_MAX_NAME_CHARS = 2000  # of a group, such as a long address
_BLANK_IN_ANY_UTF = b"\xff\xfe\0 \t\n\r\x0b\x0c"
# Atomic, else a comment is tried as the begin of all behind it, and time doubles with each of them.
_HTML = re.compile(r"(?><\?xml[^>]*>\s*|<!--.*?-->\s*)*+<(!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """One text to classify, or the fault that stands in its place.

    `where` holds `document`, `paragraph` (from 0), `start` and `end` (characters of the raw text; None where the
    text was extracted from the file) for a document, of a PDF also `page` (from 1), below a heading also `section`, in
    a transcript also `speaker`, and nothing for a row. `raw` is a document's paragraph with its line ends and
    without marks, as it is read: by these evidence is cut; None for a row.
    `document` is under what the text is summed up: the file, or what its row shares with others (`is_shared`).
    """

    id: str
    text: object
    error: TwoHandsError | None = None
    where: Mapping[str, object] = field(default_factory=dict)
    raw: str | None = None
    document: str = ""
    is_shared: bool = False

    @property
    def n_words(self) -> int:
        """Words of the text; none where there is no text."""
        return len(self.text.split()) if isinstance(self.text, str) else 0


def name_document(row: Row, by: str | None, file: str) -> tuple[str, bool]:
    """Say what a row is summed up under.

    Args:
        row: any.
        by: the column that was named; None where none was.
        file: in which it stands.

    Returns:
        Its value of the column, or its group, else its file; and whether rows share it, as they do all but a file.
    """
    name = spell_value(read_whole(row.cells.get(by or GROUP)), most_chars=_MAX_NAME_CHARS)
    return (file, False) if by is None and name == NO_VALUE else (name, True)


def _item_from_row(row: Row, text_column: str, document: tuple[str, bool]) -> Item:
    make = functools.partial(Item, document=document[0], is_shared=document[1])
    if unread := tell_unread(row.cells, ["id"]):
        return make(row.place, None, InvalidIdError(unread[0]))
    identifier = row.cells.get("id")
    if identifier is not None and (isinstance(identifier, bool) or not isinstance(identifier, str | int)):
        found = type(identifier).__name__
        return make(row.place, None, InvalidIdError(f"id is {found}, expected a string or a whole number"))
    name = row.place if identifier is None or identifier == "" else str(identifier)
    if unread := tell_unread(row.cells, [text_column]):
        return make(name, None, InputTypeError(f"{row.place}: column {unread[0]}"))
    if row.cells.get(text_column) is None:
        return make(name, None, MissingTextError(f"{row.place} has nothing in column {text_column!r}"))
    return make(name, row.cells[text_column])


def _items_from_document(
    name: str,
    read: Callable[[], DocumentText],
    faults: list[str],
    *,
    has_offsets: bool,
    by: str | None,
    notes: list[str] | None,
) -> Iterator[Item]:
    where: dict[str, object] = {"document": name, "paragraph": None, "start": None, "end": None}
    try:
        document = read()
        if notes is not None:
            notes += [f"{name}: {note}" for note in document.notes]
        paragraphs = list(iter_paragraphs(document.text))
        refuse_unread([paragraph.error for paragraph in paragraphs])
    except (FileReadError, ParagraphTooLongError) as error:
        if isinstance(error, FileReadError):
            faults.append(str(error))
        yield Item(name, None, error, where, document=name)
        return
    if not paragraphs:
        yield Item(name, None, EmptyParagraphError("the document holds no text"), where, document=name)
    for number, paragraph in enumerate(paragraphs):
        offsets = {"start": paragraph.start, "end": paragraph.end} if has_offsets else {}
        if page := document.find_page(paragraph.start):
            offsets["page"] = page
        named = {place: found for place in ("section", "speaker") if (found := getattr(paragraph, place))}
        under = (spell_value(named.get(by), most_chars=_MAX_NAME_CHARS), True) if by in PLACES else (name, False)
        place = where | {"paragraph": number} | offsets | named
        text, raw = (None, None) if paragraph.error else (paragraph.text, paragraph.lines)
        yield Item(f"{name}#{number}", text, paragraph.error, place, raw, *under)


def read_items(
    files: Iterable[Path],
    faults: list[str],
    *,
    text_column: str,
    by: str | None = None,
    notes: list[str] | None = None,
) -> Iterator[Item]:
    """Stream the items of files.

    Args:
        files: as `check_inputs` gives them.
        faults: rows and documents that cannot be read are described here; a document gives an item with its error
            as well, a row that cannot be read gives none.
        text_column: which column of rows is the text.
        by: which column rows are summed up by; None for their `group`, or their file where that is empty. Paragraphs
            of documents are by one of `PLACES`, else by their file.
        notes: what of a document is not read, such as the attachments of a mail, is described here.

    Yields:
        Items, named by a row's `id`, or `FILE:line` when it has none, and by `FILE#number` for a paragraph.

    Raises:
        FileReadError: a file vanished meanwhile.
    """
    for path in files:
        if is_document(path):
            has_offsets = path.suffix.lower() in TEXT_SUFFIXES
            read = functools.partial(open_document, path)
            yield from _items_from_document(str(path), read, faults, has_offsets=has_offsets, by=by, notes=notes)
        else:
            for row in read_rows(path, faults, columns={"id", text_column, by or GROUP}):
                yield _item_from_row(row, text_column, name_document(row, by, str(path)))


def _read_pieces(stream: BinaryIO) -> Iterator[bytes]:
    try:
        yield from read_pieces(stream)
    except OSError as error:
        raise FileReadError(f"cannot read standard input: {error.strerror or error}") from error


def _read_head(content: bytes) -> list[str]:
    """The first lines from one on that is not blank, each whole and without its end, of whichever system."""
    codec = find_marked_codec(content) or "utf-8"
    codec = "utf-8-sig" if codec == "utf-8" else codec
    stream = io.TextIOWrapper(io.BytesIO(content), encoding=codec, errors="ignore")
    lines = itertools.dropwhile(lambda line: not line.strip(), stream)
    return [line.rstrip("\n") for line in itertools.islice(lines, _HEAD_LINES)]


def _find_kind(content: bytes, text_column: str, notes: list[str]) -> str:
    """The suffix of the document that standard input is; a table and an array of JSON are refused: they were prose."""
    if content.startswith(b"%PDF-"):
        return ".pdf"
    if content.startswith(b"PK\x03\x04"):
        return ".docx"
    head = content[:HEAD_CHARS].decode(find_marked_codec(content) or "utf-8", errors="ignore").lstrip("\ufeff")
    if is_encoded_mail(head):
        return ".eml"
    start = head[:4000].lstrip()
    if re.match(r"\[\s*[{\"\]]", start):
        try:
            is_array = start[1:].lstrip().startswith("{") or isinstance(json.loads(content), list)
        except (ValueError, RecursionError):
            is_array = False  # prose may begin with ["
        if is_array:
            raise FileReadError(
                "standard input is a JSON array; one object a line is expected: jq -c '.[]' FILE | twohands classify -"
            )
    if _HTML.match(start):
        return ".html"
    if begins_as_table(lines := _read_head(content), text_column):
        raise FileReadError(
            f"standard input begins as a table does, with a column {text_column!r}, and is read as JSONL or as one "
            "document only; name the file instead: twohands classify FILE.csv; if it is prose, save it as FILE.txt "
            "and name that"
        )
    if has_even_lines(lines, text_column):
        notes.append(
            "standard input is read as prose, though it may be a table; a table is read by its name and its column: "
            f"twohands classify FILE.csv --text-column NAME (now {text_column!r})"
        )
    return ".txt"


def read_stdin(
    stream: BinaryIO, faults: list[str], *, text_column: str, by: str | None = None, notes: list[str] | None = None
) -> tuple[str, Iterator[Item]]:
    """Stream the items of standard input: JSONL if its first line that is not blank begins with `{`, else a document.

    A document is HTML if it begins with `<!DOCTYPE html` or `<html`, PDF, .docx or an e-mail as it is sent if it begins
    as one, else plain text.

    Args:
        stream: bytes.
        faults: as in `read_items`.
        text_column: which column of rows is the text.
        by: as in `read_items`.
        notes: what may be read otherwise than it was meant is described here; with the items, what of the document is
            not read.

    Returns:
        The suffix of the document that it is, or nothing for rows; and its items.

    Raises:
        FileReadError: it cannot be read, is an array of JSON, a table, or a document that is to be summed up by a
            column.
        MissingExtraError: HTML, PDF, .docx or .eml without the extra `documents`.
    """
    pieces = _read_pieces(stream)
    head: list[bytes] = []
    for piece in pieces:
        head.append(piece)
        if piece.removeprefix(b"\xef\xbb\xbf").strip(_BLANK_IN_ANY_UTF):
            break
    first = b"".join(read_utf_8_lines(head))
    if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        rows = read_jsonl_lines(itertools.chain(head, pieces), STDIN_NAME, faults)
        return "", (_item_from_row(row, text_column, name_document(row, by, STDIN_NAME)) for row in rows)

    content = b"".join([*head, *pieces])
    suffix = _find_kind(content, text_column, [] if notes is None else notes)
    if by is not None and by not in PLACES:
        raise refuse_by(by)
    if suffix not in TEXT_SUFFIXES:
        import_reader(suffix)
    read = functools.partial(extract_document, content, suffix=suffix, name=STDIN_NAME)
    has_offsets = suffix in TEXT_SUFFIXES
    return suffix, _items_from_document(STDIN_NAME, read, faults, has_offsets=has_offsets, by=by, notes=notes)
