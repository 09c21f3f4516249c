"""Owns lines -> whether they are prose that was wrapped at a column, or a paragraph each.

Knows nothing of what else parts a document.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

from twohands.ends import ends_sentence
from twohands.lines import FENCES, MAX_WIDTH, Check, Span, goes_on_as, is_row, read_lines

MIN_WIDTH = 45  # of a column of prose; lists of headings are narrower
NEAR = 0.8  # of the usual width, from which on a line counts as filled
MIN_FILLED_SHARE = 0.8
MIN_LOWER_SHARE = 0.5  # of lines that go on in lower case
MIN_ENDED_SHARE = 0.6  # of lines that end sentences, from which on each is a paragraph
MIN_NARROW_SHARE = 0.8  # of lines in verse
MIN_PIECES = 6  # of text with blank lines between its lines
MIN_SINGLE_SHARE = 0.9
MAX_LINES = 2000  # by which a text is judged: some 10 ms of work
MAX_PIECES = 1000  # by which a text is judged that has blank lines

_LONG_WORD = 25
_LINE_END = re.compile(r"\r\n|\r|\n")


def _find_width(lines: list[str]) -> int:
    """The widest line, but for the tenth that holds an address or the like."""
    return sorted(map(len, lines))[-1 - len(lines) // 10]


def _is_filled(line: str, following: str, width: int) -> bool:
    """Whether a line goes up to the column: it is nearly as wide, or the next word had no room."""
    next_word = following.split(None, 1)[0]
    return len(line) >= NEAR * width or len(line) + 1 + min(len(next_word), _LONG_WORD) > width


def _share_filled_and_lower(joints: list[tuple[str, str]], width: int) -> tuple[float, float]:
    n = max(len(joints), 1)
    n_filled = sum(_is_filled(line, following, width) for line, following in joints)
    return n_filled / n, sum(goes_on_as(following) for _, following in joints) / n


def is_wrapped(text: str, bounds: Span, check: Check) -> bool:
    """Say whether lines without blank ones between them are one text that was wrapped, rather than a paragraph each.

    They are a paragraph each where most of them end a sentence, where they are wider than a column, and where those
    that end none stop well before it and the next begins with a capital: headings, bylines, lists. Rows of a table,
    lines of fenced code and, as verse, lines that are narrower than a column of prose stay together.

    Args:
        text: the raw document.
        bounds: of the lines, of which the first `MAX_LINES` are looked at.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        True for a single line, too.
    """
    lines = list(islice(read_lines(text, bounds, check), MAX_LINES))
    is_code = bool(lines) and lines[0].startswith(FENCES)
    if len(lines) < 2 or is_code or sum(map(is_row, lines)) * 2 > len(lines):
        return True
    is_ended = [ends_sentence(line) for line in lines]
    if sum(is_ended) >= MIN_ENDED_SHARE * len(lines):
        return False
    n_narrow = sum(len(line) < MIN_WIDTH for line in lines)
    if n_narrow >= MIN_NARROW_SHARE * len(lines) and max(map(len, lines)) <= MAX_WIDTH:
        return True
    width = _find_width(lines)
    joints = [joint for joint, is_end in zip(pairwise(lines), is_ended, strict=False) if not is_end]
    share_filled, share_lower = _share_filled_and_lower(joints, width)
    return share_lower >= MIN_LOWER_SHARE or (width <= MAX_WIDTH and share_filled >= MIN_FILLED_SHARE)


def find_spaced_width(text: str, spans: Iterable[Span]) -> int:
    """Find how wide the lines are of a text that has a blank line behind each of its wrapped lines.

    Args:
        text: the raw document.
        spans: what stands between its blank lines.

    Returns:
        0 where the text is no such: nearly all spans must be single lines, most must end no sentence, go up to the
        same column and go on in lower case.
    """
    pieces = [text[start:end].strip() for start, end in islice(spans, MAX_PIECES)]
    lines = [piece for piece in pieces if not _LINE_END.search(piece)]
    if len(lines) < MIN_PIECES or len(lines) < MIN_SINGLE_SHARE * len(pieces):
        return 0
    width = _find_width(lines)
    joints = [joint for joint in pairwise(lines) if not ends_sentence(joint[0])]
    if not MIN_WIDTH <= width <= MAX_WIDTH or len(joints) * 2 < len(lines):
        return 0
    share_filled, share_lower = _share_filled_and_lower(joints, width)
    return width if share_filled >= MIN_FILLED_SHARE and share_lower >= MIN_LOWER_SHARE else 0


def join_spaced(text: str, spans: Iterable[Span], width: int) -> Iterator[Span]:
    """Put the lines of a text together that has a blank line behind each of its wrapped lines.

    Args:
        text: the raw document.
        spans: what stands between its blank lines.
        width: as `find_spaced_width` has it.

    Yields:
        Bounds of paragraphs: they end at more than one blank line, and at a line that stops short of the column and
        ends a sentence or is followed by a capital.
    """
    first, end, line = 0, 0, ""
    for span in spans:
        following = text[slice(*span)].strip()
        if not line:
            first = span[0]
        else:
            gap = text[end : span[0]]
            is_last = not _is_filled(line, following, width) and (ends_sentence(line) or not following[0].islower())
            if is_last or max(map(gap.count, "\r\n")) > 2:
                yield first, end
                first = span[0]
        end, line = span[1], _LINE_END.split(following)[-1]
    if line:
        yield first, end
