"""Owns .docx, the format of Word -> HTML with its headings, lists, tables and notes. Knows nothing of which is text.

Page headers, comments and what was deleted or is hidden are no text; fields and drawings are left out, but not the
words of their boxes.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from html import escape
from xml.parsers import expat

from twohands.docx_styles import HEADING, OFF, Mark, Numbering, Style, Styles, read_tag, read_value
from twohands.ends import ends_clause, may_end_sentence
from twohands.errors import FileReadError

MAX_PART_BYTES = 100_000_000  # of one part unpacked: a packed file of some kilobytes may hold as many gigabytes
_MAX_ADDRESS_CHARS = 1000  # of a namespace, which stands before each name that is read; Word's have a hundred
MAX_BLOCKS = 500_000  # paragraphs and cells of a part, each of which is a kilobyte once it is read as HTML
LONGEST_ITEM = 30  # words; what is numbered and longer is a paragraph
_FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"  # the same once more, for old Word
_MAIN = re.compile(r"word/document\d*\.xml")  # Word in a browser counts them
# What was deleted or moved away, its notes included, and how words and paragraphs looked before they were changed.
_GONE = {"del", "moveFrom"}
_FORMER = _GONE | {"pPrChange", "rPrChange"}
_STYLED = {"p": "pStyle", "r": "rStyle", "": ""}  # what may be hidden, and what names its style
_HOLDERS = {"p", "r"}
_LINE_END = "\x1e"  # which no XML has, and is white space to Python; line ends within `w:t` are spaces
_STRIKE, _STRIKE_END = "\x02", "\x03"  # around what is struck out; likewise no signs of XML, but no space to Python
_LEAST_ITEMS = 2  # of bullets, where numbers begin another list; between them, one may be of an item
_BREAKS = {"tab": " ", "br": _LINE_END, "cr": _LINE_END, "noBreakHyphen": "-"}
# RuntimeError and NotImplementedError: of zip, what is locked or packed in a way that nobody uses. LookupError: of XML
# that says to be in an encoding that there is not.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, expat.ExpatError, EOFError, OSError, ValueError, LookupError,
    RuntimeError, NotImplementedError,
)  # fmt: skip
_NOTES = {"footnote": "word/footnotes.xml", "endnote": "word/endnotes.xml"}


@dataclass(slots=True)
class _Paragraph:
    words: list[str] = field(default_factory=list)
    style: Style = field(default_factory=Style)
    is_item: bool | None = None  # None: as its style says
    rule: str = ""  # by which it is counted, and how deep; likewise
    depth: str = "0"
    indent: str = ""
    level: str = ""
    is_struck: bool = False  # the run that began last in it
    goes_on: bool = False  # in the next one, as the sign of its end was deleted


class _Part:
    """Reads one part of the file: blocks of HTML in order, and the notes that it refers to."""

    def __init__(
        self, styles: Mapping[str, Style], hidden: Collection[str] = (), numbering: Numbering | None = None
    ) -> None:
        self.blocks: list[str] = []
        self.by_note: dict[str, list[str]] = {}  # by id, in a part that holds notes
        # By kind and id, its number: told once, or a small file refers a million times to one long note.
        self.referred: dict[tuple[str, str], int] = {}
        self._styles = styles
        self._hidden = hidden
        # Whether the paragraph or run is hidden that began last, and those around it, as of a box within a run.
        self._is_hidden: list[tuple[str, bool]] = [("", False)]
        self._paragraphs: list[_Paragraph] = []  # more than one where a box stands in a paragraph
        self._target = self.blocks
        self._carried: list[str] = []  # words of a paragraph that goes on in the next one
        self._is_text = False
        self._is_mark = False  # within what says how a paragraph looks, and whether the sign of its end was deleted
        self._n_skipped = 0
        self._n_blocks = 0
        self._is_list = False
        self._numbering = numbering or Numbering()
        self._kinds: dict[int, str] = {}  # by indent, of the items of the list that is open
        self._n_items = 0

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        tag = read_tag(name)
        if self._n_skipped or name == _FALLBACK or tag in _FORMER:
            self._skip(tag)
            return
        self._n_blocks += tag in {"p", "tbl", "tr", "tc"}
        if self._n_blocks > MAX_BLOCKS:
            raise ValueError(f"it has more than {MAX_BLOCKS:,} paragraphs and cells")
        if tag in _HOLDERS:
            self._is_hidden.append((tag, tag == "r" and self._is_hidden[-1][1]))
        if tag == "p":
            self._paragraphs.append(_Paragraph(self._carried))
            self._carried = []
        elif tag in {"tbl", "tr", "tc"}:
            self._close_block()
            self._target.append({"tbl": "<table>", "tr": "<tr>", "tc": "<td>"}[tag])
        elif tag in _NOTES and read_value(attributes, "type") in {"", "normal"}:
            self._target = self.by_note.setdefault(read_value(attributes, "id"), [])
        elif self._paragraphs:
            self._begin_within(self._paragraphs[-1], tag, attributes)

    def _skip(self, tag: str) -> None:
        if self._is_mark and not self._n_skipped and tag in _GONE:
            self._paragraphs[-1].goes_on = True
        self._n_skipped += 1

    def _begin_within(self, here: _Paragraph, tag: str, attributes: Mapping[str, str]) -> None:
        value = read_value(attributes, "val")
        holder = self._is_hidden[-1][0]
        if tag == _STYLED[holder] and value in self._hidden:
            self._is_hidden[-1] = holder, True
        elif tag == "vanish" and holder == "r":  # of a paragraph, it hides the sign of its end alone
            self._is_hidden[-1] = holder, value not in OFF
        self._is_mark |= tag == "pPr"
        here.is_struck &= tag != "r"
        if tag in {"strike", "dstrike"} and holder == "r":  # of a paragraph, the sign of its end alone
            here.is_struck |= value not in OFF
        elif tag == "pStyle":
            here.style = self._styles.get(value) or Style(value.lower())
        elif tag == "outlineLvl" and value.isdigit():
            here.level = value
        elif tag in {"numId", "ilvl", "ind"}:
            _read_mark(here, tag, attributes)
        elif not self._is_hidden[-1][1]:
            self._is_text = tag == "t"
            is_soft = read_value(attributes, "type") in {"", "textWrapping"}  # and not of a page or a column
            here.words.append(_BREAKS.get(tag, "") if is_soft or tag != "br" else " ")
            if tag in {"footnoteReference", "endnoteReference"}:
                note = tag.removesuffix("Reference"), read_value(attributes, "id")
                here.words.append(f"[^{self.referred.setdefault(note, len(self.referred) + 1)}]")

    def end(self, name: str) -> None:
        if self._n_skipped:
            self._n_skipped -= 1
            return
        tag = read_tag(name)
        self._is_text = False
        self._is_mark &= tag != "pPr"
        if tag in _HOLDERS and len(self._is_hidden) > 1:
            self._is_hidden.pop()
        if tag == "p" and self._paragraphs:
            self._close(self._paragraphs.pop())
        elif tag in {"tbl", "tr", "tc"}:
            self._close_block()
            self._target.append({"tbl": "</table>", "tr": "</tr>", "tc": "</td>"}[tag])
        elif tag in _NOTES:
            self._close_block()
            self._target = self.blocks
        elif tag in {"body", "txbxContent"}:
            self._close_block()

    def read(self, text: str) -> None:
        if self._is_text and not self._n_skipped:
            here = self._paragraphs[-1]
            struck = text.strip() if here.is_struck else ""  # the space around it parts what is on either side
            here.words.append(text.replace(struck, f"{_STRIKE}{struck}{_STRIKE_END}", 1) if struck else text)

    def _close_block(self) -> None:
        """Over the end of a cell, a box or the text no paragraph goes on."""
        if self._carried:
            self._close(_Paragraph(self._carried))
            self._carried = []
        self._close_list()

    def _open_list(self, mark: Mark, indent: str) -> None:
        """Go on with a list, or begin one: bullets and numbers that stand equally deep are of two."""
        where = int(indent) if indent.lstrip("-").isdigit() else mark.indent
        self._kinds = {each: kind for each, kind in self._kinds.items() if each <= where}
        is_other = mark.kind and self._kinds.get(where, mark.kind) != mark.kind
        if is_other and len(self._kinds) == 1 and self._n_items >= _LEAST_ITEMS:
            self._close_list()
        if not self._is_list:
            self._target.append("<ul>")
            self._is_list, self._n_items, self._kinds = True, 0, {}
        self._kinds[where] = mark.kind
        self._n_items += 1

    def _close_list(self) -> None:
        if self._is_list:
            self._target.append("</ul>")
        self._is_list = False

    def _close(self, paragraph: _Paragraph) -> None:
        if paragraph.goes_on:
            self._carried = paragraph.words
            return
        words = "".join(paragraph.words).strip()
        if not words or paragraph.style.name.startswith(("toc ", "table of ")):
            return
        level = _find_level(paragraph, words)
        is_item = (paragraph.style.is_item if paragraph.is_item is None else paragraph.is_item) and not level
        is_item &= len(words.split()) <= LONGEST_ITEM
        if is_item:
            self._open_list(
                self._numbering.find(paragraph.rule or paragraph.style.rule, paragraph.depth, paragraph.style),
                paragraph.indent,
            )
        else:
            self._close_list()
        is_caption = paragraph.style.name == "caption"
        kind = "li" if is_item else f"h{level}" if level else "figcaption" if is_caption else "p"
        between = "<br/>" if kind == "p" else " "
        told = escape(words, quote=False).replace(_LINE_END, between)
        told = told.replace(_STRIKE, "<s>").replace(_STRIKE_END, "</s>")
        self._target.append(f"<{kind}>{told}</{kind}>")


def _read_mark(here: _Paragraph, tag: str, attributes: Mapping[str, str]) -> None:
    """Take in how a paragraph is marked as an item."""
    value = read_value(attributes, "val")
    if tag == "numId":
        here.is_item, here.rule = value != "0", value
    elif tag == "ilvl":
        here.depth = value
    else:
        here.indent = read_value(attributes, "left") or read_value(attributes, "start")


def _find_level(paragraph: _Paragraph, words: str) -> int:
    words = words.rstrip(_STRIKE_END)
    found = HEADING.match(paragraph.style.name)
    if found:
        return min(int(found[1] or 1) + (found[1] is not None), 6)
    # Contracts have styles with levels for their clauses, too.
    is_clause = may_end_sentence(words) or ends_clause(words)
    level = paragraph.level or ("" if is_clause else paragraph.style.level)
    return min(int(level) + 2, 6) if level and int(level) < 9 else 0


def _parse(content: bytes, reader: _Part | Styles | Numbering) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("it declares entities")  # by which a few bytes become gigabytes

    def check_address(_: str | None, address: str | None) -> None:
        if len(address or "") > _MAX_ADDRESS_CHARS:
            raise ValueError(f"the address of a namespace in it has more than {_MAX_ADDRESS_CHARS:,} characters")

    # No names are kept for when they come again: of a file of 13 kB they were half a gigabyte (#5).
    parser = expat.ParserCreate(namespace_separator=" ", intern=None)
    parser.StartNamespaceDeclHandler = check_address
    parser.buffer_text = True
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = reader.begin
    if isinstance(reader, _Part):
        parser.EndElementHandler = reader.end
        parser.CharacterDataHandler = reader.read
    parser.Parse(content, True)


def _read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    if name not in archive.namelist():
        return b""
    if archive.getinfo(name).compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError(f"{name} in it is packed as no Word packs it")  # the others take memory as the file says
    with archive.open(name) as stream:
        content = stream.read(MAX_PART_BYTES + 1)
    if len(content) > MAX_PART_BYTES:
        raise ValueError(f"{name} in it has more than {MAX_PART_BYTES // 1_000_000} MB")
    return content


def docx_to_html(content: bytes, name: str) -> bytes:
    """Write a .docx document as a page.

    Args:
        content: of the file.
        name: of the document, for messages.

    Returns:
        HTML in UTF-8: headings, paragraphs with their line breaks, items of lists, tables, captions, and notes at the
        end. What is numbered loses its number, and an item of more than `LONGEST_ITEM` words is a paragraph.

    Raises:
        FileReadError: it is no such document, is locked, or holds too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            styles = Styles()
            if found := _read_part(archive, "word/styles.xml"):
                _parse(found, styles)
            numbering = Numbering()
            if found := _read_part(archive, "word/numbering.xml"):
                _parse(found, numbering)
            part = _Part(styles.list_styles(), styles.list_hidden(), numbering)
            main = next(filter(_MAIN.fullmatch, archive.namelist()), "")
            if not main:
                raise ValueError("there is no word/document.xml in it")
            _parse(_read_part(archive, main), part)
            notes = {kind: _Part({}, styles.list_hidden()) for kind in _NOTES}
            for kind, path in _NOTES.items():
                if found := _read_part(archive, path):
                    _parse(found, notes[kind])
    except _BROKEN as error:
        why = "it may be locked by a password, or of another kind" if not content.startswith(b"PK") else str(error)
        raise FileReadError(
            f"{name} cannot be read as .docx: {why}; save it anew in Word, or as .txt or .html"
        ) from error
    told = [re.sub(r"<[^>]+>", " ", " ".join(notes[kind].by_note.get(note, []))) for kind, note in part.referred]
    items = "".join(f"<li>{note}</li>" for note in told)
    footnotes = f'<section role="doc-endnotes"><ol>{items}</ol></section>' if items else ""
    return f"<main>{''.join(part.blocks)}{footnotes}</main>".encode("utf-8", "replace")
