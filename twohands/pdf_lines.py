"""Owns the page of a PDF -> its lines, and where and in which letters each stands. Knows nothing of paragraphs."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

_BOLD = ("bold", "black", "heavy", "demi")  # in the names of fonts
_UNUSUAL = 1.05  # times the usual size, or the usual one times it
_INDENT = (0.4, 4)  # of a first line, in sizes of its letters
_RAISED = re.compile(r"\d{1,3}|[*\u2020\u2021\u00a7]{1,3}")
_RAISED_SIZE = 0.9  # at most, of the size of the line
_SIZE_SHARE = 0.5  # of the letters, that the usual size has; scanned text has one size a line, which says nothing

Matrix = list[float]


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


@dataclass(frozen=True, slots=True)
class Page:
    """Lines in the order of the file, and the heights in points between which the page lies; equal if unknown."""

    lines: list[Line]
    bottom: float = 0
    top: float = 0


def _place(cm: Matrix, tm: Matrix, size: float) -> tuple[float, float, float] | None:
    """Height, left end and size of text, from its two matrices; None where it is turned or has no size."""
    turned, scale = tm[0] * cm[1] + tm[1] * cm[3], tm[2] * cm[1] + tm[3] * cm[3]
    height, points = tm[4] * cm[1] + tm[5] * cm[3] + cm[5], size * scale
    left = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
    is_upright = math.isfinite(height + left) and points > 0 and abs(turned) < 0.1 * abs(scale)
    return (height, left, points) if is_upright and math.isfinite(points) else None


def _is_bold(font: object) -> bool:
    name = str(font.get("/BaseFont", "")).lower() if isinstance(font, dict) else ""
    return any(word in name for word in _BOLD)


def _make_line(parts: list[tuple[str, tuple[float, float, float] | None, bool]]) -> Line:
    """One line of its parts; the longest says where it stands, as raised figures have a height of their own."""
    inked = [part for part in parts if part[0].strip()]
    text = "".join(part for part, _, _ in parts).strip()
    if not inked:
        return Line(text)
    height, _, size = max(inked, key=lambda part: len(part[0].strip()))[1] or (None, None, None)
    left = inked[0][1][1] if inked[0][1] else None
    raised = tuple(
        part.strip()
        for part, where, _ in inked
        if size and where and where[2] <= _RAISED_SIZE * size and _RAISED.fullmatch(part.strip())
    )
    return Line(text, height, left, size, all(bold for _, _, bold in inked), inked[0][2], raised)


def _read_heights(page: Any) -> tuple[float, float]:  # noqa: ANN401 - a page of an optional library
    """Between which heights a page lies; the same twice where the file does not say, as some do not."""
    try:
        ends = float(page.mediabox.bottom), float(page.mediabox.top)
    except Exception:  # noqa: BLE001 - a broken PDF raises almost anything, and its text may be sound
        return 0, 0
    return min(ends), max(ends)  # its corners stand in any order


def read_page(page: Any, spend: Callable[[int], None]) -> Page:  # noqa: ANN401 - a page of an optional library
    """Read the lines of a page.

    Args:
        page: of pypdf.
        spend: called with how much work was done, in drawing operators and characters; raises to give up.

    Returns:
        Lines, stripped; without places where nobody knows which line a place is of.
    """
    pieces: list[tuple[str, tuple[float, float, float] | None, bool]] = []

    def visit(text: str, cm: Matrix, tm: Matrix, font: object, size: float) -> None:
        spend(len(text))
        pieces.append((text, _place(cm, tm, size), _is_bold(font)))

    def count(*_: object) -> None:
        spend(1)

    text = page.extract_text(visitor_operand_before=count, visitor_text=visit)
    bottom, top = _read_heights(page)
    if "".join(piece for piece, _, _ in pieces) != text:
        return Page([Line(line.strip()) for line in text.splitlines()], bottom, top)
    lines: list[Line] = []
    parts: list[tuple[str, tuple[float, float, float] | None, bool]] = []
    for piece, where, bold in pieces:
        for part in piece.splitlines(keepends=True):
            parts.append((part, where, bold))
            if part.splitlines() != [part]:
                lines.append(_make_line(parts))
                parts = []
    return Page([*lines, _make_line(parts)] if parts else lines, bottom, top)


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
