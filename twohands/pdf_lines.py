"""Owns the page of a PDF -> its lines, and where and in which letters each stands. Knows nothing of paragraphs."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from twohands.markers import read_marker

_BOLD = ("bold", "black", "heavy", "demi")  # in the names of fonts
_UNUSUAL = 1.05  # times the usual size, or the usual one times it
_INDENT = (0.4, 4)  # of a first line, in sizes of its letters
_RAISED = re.compile(r"\d{1,3}|[*\u2020\u2021\u00a7]{1,3}")
# What has a note may stand before its mark: a word or a stop, and no unit (km) or figure (10) that has a power.
_REFERRING = re.compile(r"(?:[^\W\d_]{4}|[.,;:!?)\]\"'\u2019\u201d%])\Z")
_TAIL_CHARS = 8
_USUAL, _WIDE = 0.55, 0.75  # of its size, the width of a letter and of a capital, on average and at most
_CELL_GAP = 1.5  # sizes; spaces of justified lines are narrower
# What TeX's letters (T1, and OT1 from 11 to 15) are that were drawn as bitmaps, and do not say it themselves.
_TEX = str.maketrans(
    dict(zip("\x0b\x0c\r\x0e\x0f\x1b\x1c\x1d\x1e\x1f", ["ff", "fi", "fl", "ffi", "ffl"] * 2, strict=True))
    | {"\x15": "\u2013", "\x16": "\u2014", "\x88": "\u2022"}
)
_SHOWING = {b"Tj", b"TJ", b"'", b'"'}
_NEXT_LINE = {b"'", b'"'}
_BEGINNING = {b"BMC", b"BDC"}
_BESIDE, _LABEL = "/Artifact", "/Lbl"
_RAISED_SIZE = 0.9  # at most, of the size of the line
_SIZE_SHARE = 0.5  # of the letters, that the usual size has; scanned text has one size a line, which says nothing

Matrix = list[float]


class Kind(StrEnum):
    """What a tagged file may call a block of its text."""

    TEXT = "text"  # a paragraph or an item of a list
    HEADING = "heading"
    ROW = "row"  # of a table
    CAPTION = "caption"  # or what is drawn in a figure
    NOTE = "note"
    CONTENTS = "contents"


@dataclass(frozen=True, slots=True)
class Block:
    """What a tagged file says that lines are one of: its place in the order of all, and its kind."""

    number: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `height`, `left` and `size` of its letters are in points, and None where that cannot be said."""

    text: str
    height: float | None = None
    left: float | None = None
    size: float | None = None
    is_bold: bool = False  # as a whole
    begins_bold: bool = False
    raised: tuple[str, ...] = ()  # marks of notes: figures and signs in smaller letters than the line's
    is_beside: bool = False  # the file says that it is no text
    has_cells: bool = False  # its parts stand as far from each other as cells of a table
    inner: float | None = None  # of an item whose marker is drawn apart, where its words begin
    block: Block | None = None  # None where the file does not say, or cannot be believed


@dataclass(frozen=True, slots=True)
class Page:
    """Lines in the order of the file, and the heights in points between which the page lies; equal if unknown."""

    lines: list[Line]
    bottom: float = 0
    top: float = 0


def _place(cm: Matrix, tm: Matrix, size: float, rise: float) -> tuple[float, float, float] | None:
    """Height, left end and size of text, from its two matrices; None where it is turned or has no size."""
    turned, scale = tm[0] * cm[1] + tm[1] * cm[3], tm[2] * cm[1] + tm[3] * cm[3]
    height, points = tm[4] * cm[1] + tm[5] * cm[3] + cm[5] + rise * scale, size * scale
    left = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
    is_upright = math.isfinite(height + left) and points > 0 and abs(turned) < 0.1 * abs(scale)
    return (height, left, points) if is_upright and math.isfinite(points) else None


def _is_bold(font: object) -> bool:
    name = str(font.get("/BaseFont", "")).lower() if isinstance(font, dict) else ""
    return any(word in name for word in _BOLD)


def _read_letters(text: str, font: object) -> str:
    """Text as its font means it: of one without names for its signs pypdf gives characters of the same codes."""
    is_bitmap = isinstance(font, dict) and font.get("/Subtype") == "/Type3" and "/ToUnicode" not in font
    # Before letters OT1's 15 is ffl; by itself it is the bullet of TeX's signs, which are another font.
    return re.sub("\x0f(?![a-z])", "\u2022", text).translate(_TEX) if is_bitmap else text


@dataclass(frozen=True, slots=True)
class _Part:
    """Letters that are drawn in one go, where, and how."""

    text: str
    where: tuple[float, float, float] | None  # height, left end and size
    is_bold: bool
    is_beside: bool = False  # the file says that it is no text, as of a running line
    has_bullet: bool = False  # which is drawn before it, and is no letter
    block: Block | None = None


def _find_inner(inked: list[_Part]) -> float | None:
    """Where the words of an item begin, if its marker is a part by itself."""
    if len(inked) < 2 or not read_marker(f"{inked[0].text.strip()} "):
        return None
    return inked[1].where[1] if inked[1].where else None


def _has_cells(inked: list[_Part]) -> bool:
    """Whether a part begins well behind where the one before may end, which is no marker and no number."""
    for before, part in itertools.pairwise(inked):
        text = before.text.strip()
        if before.where and part.where and before.where[2] == part.where[2] and sum(map(str.isalpha, text)) > 1:
            width = len(before.text) * before.where[2] * (_WIDE if text.isupper() else _USUAL)
            if part.where[1] - before.where[1] - width > _CELL_GAP * before.where[2] and not read_marker(f"{text} "):
                return True
    return False


def _find_block(inked: list[_Part]) -> Block | None:
    """The block that most letters of a line belong to: cells that stand side by side are drawn in one.

    A line that begins as a heading and ends as text is text: the paragraph would lack its first words.
    """
    first, last = inked[0].block, inked[-1].block
    if first and last and (first.kind, last.kind) == (Kind.HEADING, Kind.TEXT):
        return last
    n_chars: Counter[Block | None] = Counter()
    for part in inked:
        n_chars[part.block] += len(part.text)
    return n_chars.most_common(1)[0][0]


def _make_line(parts: list[_Part]) -> Line:
    """One line of its parts; the longest says where it stands, as raised figures have a height of their own."""
    inked = [part for part in parts if part.text.strip()]
    if not inked:
        return Line("")
    height, _, size = max(inked, key=lambda part: len(part.text.strip())).where or (None, None, None)
    left = inked[0].where[1] if inked[0].where else None
    text, raised = [""], []
    for part in parts:
        mark, where = part.text.strip(), part.where
        is_raised = bool(size and where and where[2] <= _RAISED_SIZE * size and _RAISED.fullmatch(mark))
        raised += [mark] * is_raised
        refers = is_raised and height is not None and where is not None and where[0] > height
        refers = refers and _REFERRING.search(text[-1][-_TAIL_CHARS:]) is not None
        text.append(part.text.lstrip().replace(mark, f"[^{mark}]", 1) if refers else part.text)
    words = "".join(text).strip()
    return Line(
        f"\u2022 {words}" if inked[0].has_bullet else words,
        height,
        left,
        size,
        is_bold=all(part.is_bold for part in inked),
        begins_bold=inked[0].is_bold,
        raised=tuple(raised),
        is_beside=all(part.is_beside for part in inked),
        has_cells=_has_cells(inked),
        inner=_find_inner(inked),
        block=_find_block(inked),
    )


def _read_heights(page: Any) -> tuple[float, float]:  # noqa: ANN401 - a page of an optional library
    """Between which heights a page lies; the same twice where the file does not say, as some do not."""
    try:
        ends = float(page.mediabox.bottom), float(page.mediabox.top)
    except Exception:  # noqa: BLE001 - a broken PDF raises almost anything, and its text may be sound
        return 0, 0
    return min(ends), max(ends)  # its corners stand in any order


def read_page(
    page: Any,  # noqa: ANN401 - a page of an optional library
    spend: Callable[[int], None],
    blocks: Mapping[int, Block] | None = None,
) -> Page:
    """Read the lines of a page.

    Args:
        page: of pypdf.
        spend: called with how much work was done, in drawing operators and characters; raises to give up.
        blocks: that its content is part of, by the numbers that it bears.

    Returns:
        Lines, stripped; without places where nobody knows which line a place is of.
    """
    pieces: list[_Part] = []
    drawn: list[str] = []
    marked = _Marked(page, blocks or {})

    def visit(text: str, cm: Matrix, tm: Matrix, font: object, size: float) -> None:
        spend(len(text))
        drawn.append(text)
        text = _read_letters(text, font)
        rise, is_beside, has_bullet, block = marked.take(has_ink=bool(text.strip()))
        pieces.append(_Part(text, _place(cm, tm, size, rise), _is_bold(font), is_beside, has_bullet, block))

    def read_operator(operator: bytes, operands: list[Any], *_: object) -> None:
        spend(1)
        marked.read(operator, operands)

    def leave_operator(operator: bytes, *_: object) -> None:
        marked.leave(operator)

    visitors = {"visitor_operand_before": read_operator, "visitor_text": visit}
    text = page.extract_text(**visitors, **({"visitor_operand_after": leave_operator} if blocks else {}))
    bottom, top = _read_heights(page)
    if "".join(drawn) != text:
        return Page([Line(line.strip()) for line in text.splitlines()], bottom, top)
    lines: list[Line] = []
    parts: list[_Part] = []
    for piece in pieces:
        for number, part in enumerate(piece.text.splitlines(keepends=True)):
            parts.append(replace(piece, text=part, has_bullet=piece.has_bullet and not number))
            if part.splitlines() != [part]:
                lines.append(_make_line(parts))
                parts = []
    return Page([*lines, _make_line(parts)] if parts else lines, bottom, top)


class _Marked:
    """What the file says of its own content: which is no text but beside it, where an item's marker is drawn, blocks.

    And how far it is raised, of which pypdf tells nothing.

    Source:
        ISO 32000-1, sections 14.6 and 14.8.2.2: artifacts; 14.8.4.3.3: labels; 14.7.4: numbers of marked content;
        9.3.7: text rise.
    """

    def __init__(self, page: Any, blocks: Mapping[int, Block]) -> None:  # noqa: ANN401 - as above
        self._page = page
        self._blocks = blocks
        self._open: list[tuple[str, Block | None]] = []
        self._n_beside = 0
        self._n_forms = 0  # that are being drawn; the numbers of their content are their own
        self._operator = b""
        self._is_beside: bool | None = None  # of what was shown and not taken; the first of it counts
        self._block: Block | None = None  # of the same
        self._rises = [0.0, 0.0]  # of the same, and of what comes next
        self._saved: list[float] = []  # where `q` has saved it
        self._has_text = False  # since the last mark
        self._bullets = [False, False]  # before what was shown and is not taken, and before what comes next

    def read(self, operator: bytes, operands: list[Any]) -> None:
        """Heed an operator."""
        self._operator = operator
        if operator in _SHOWING:
            self._has_text = True
            if self._is_beside is None:
                self._show()
        elif operator in _BEGINNING:
            self._open.append((str(operands[0]) if operands else "", self._find_block(operands)))
            self._n_beside += self._open[-1][0] == _BESIDE
            self._has_text = False
        elif operator == b"EMC" and self._open:
            name, _ = self._open.pop()
            self._n_beside -= name == _BESIDE
            self._bullets[1] |= name == _LABEL and not self._has_text
        else:
            self._heed_rise(operator, operands)
        self._n_forms += operator == b"Do"

    def _heed_rise(self, operator: bytes, operands: list[Any]) -> None:
        if operator == b"Ts" and operands and isinstance(operands[0], int | float):
            self._rises[1] = float(operands[0])
        elif operator == b"q":
            self._saved.append(self._rises[1])
        elif operator == b"Q" and self._saved:
            self._rises[1] = self._saved.pop()

    def leave(self, operator: bytes) -> None:
        """Heed that an operator is done, with all that it draws."""
        self._n_forms -= operator == b"Do"

    def _find_block(self, operands: list[Any]) -> Block | None:
        """Of which block the content is that begins; that which it stands in, where nothing else is said."""
        outer = self._open[-1][1] if self._open else None
        if not self._blocks or self._n_forms or len(operands) < 2:
            return outer
        said = operands[1]
        if isinstance(said, str):
            try:
                said = self._page["/Resources"]["/Properties"][said]
            except Exception:  # noqa: BLE001 - a broken PDF raises almost anything, and its text may be sound
                return outer
        number = said.get("/MCID") if hasattr(said, "get") else None
        return self._blocks.get(number) if isinstance(number, int) else outer

    def _show(self) -> None:
        self._is_beside = self._n_beside > 0
        self._block = self._open[-1][1] if self._open else None
        self._bullets = [self._bullets[1], False]
        self._rises[0] = self._rises[1]

    def take(self, *, has_ink: bool) -> tuple[float, bool, bool, Block | None]:
        """How far what is taken now is raised, whether it is beside the text and has a bullet, and its block."""
        taken = self._rises[0], bool(self._is_beside), self._bullets[0] and has_ink, self._block
        if has_ink:
            self._is_beside, self._block, self._bullets[0] = None, None, False
            if self._operator in _NEXT_LINE:  # which is what ends the line above, and shows its own text only then
                self._show()
        return taken


def find_usual_size(pages: Iterable[Page]) -> float:
    """Find the size of letters that running text has.

    Args:
        pages: of a document.

    Returns:
        In points; 0 where no size has half of the letters, so that sizes tell nothing.
    """
    n_chars: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            n_chars[round(line.size, 1) if line.size else 0] += len(line.text)
    if not n_chars:
        return 0
    size, n_most = n_chars.most_common(1)[0]
    return size if n_most >= _SIZE_SHARE * n_chars.total() else 0


def is_set_apart(above: Line, line: Line, *, is_ended: bool) -> bool:
    """Say whether letters of another size, or bold ones, set a line apart from the one above it.

    A bold phrase that fills a line within a paragraph is none: nothing ended before it.

    Args:
        above: the line before.
        line: what follows it.
        is_ended: whether the line before ends a sentence, or is short.

    Returns:
        True where one of the two is a title, a caption, a note or in a box, and the other is not.
    """
    if above.size and line.size and max(above.size, line.size) >= _UNUSUAL * min(above.size, line.size):
        return True
    if above.is_bold:
        return not line.begins_bold
    return line.is_bold and not above.begins_bold and is_ended


def is_indented(above: Line, line: Line, below: Line | None) -> bool:
    """Say whether a line is set in as the first one of a paragraph is, and the lines around it are not.

    Args:
        above: the line before.
        line: it.
        below: the line behind, or None.

    Returns:
        False beside lines in other letters, and within items and quotations, whose further lines are set in, too.
    """
    if line.left is None or above.left is None or not line.size or above.size != line.size:
        return False
    least, most = (share * line.size for share in _INDENT)
    if not least <= line.left - above.left <= most:
        return False
    return below is not None and below.left is not None and least <= line.left - below.left <= most
