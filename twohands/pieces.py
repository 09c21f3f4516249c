"""Owns raw text -> the pieces that it is parted into, before anybody says which are paragraphs."""

import re
from collections.abc import Callable, Iterator

from twohands.columns import find_spaced_width, is_wrapped, join_spaced
from twohands.front_matter import skip_front_matter
from twohands.indents import cut_at_indents
from twohands.leads import cut_at_long_items
from twohands.lines import are_paragraphs, cut_at_line_ends, is_as_if_alone
from twohands.mail_header import skip_mail_header
from twohands.marks import Kind, cut_at_marks, cut_comments
from twohands.speakers import Turns

Check = Callable[[], None]
_CUTS_BETWEEN_CHECKS = 1000
# Atomic, else the regex takes one \r\n apart and finds a blank line at every Windows line end.
_BLANK_LINE = re.compile(r"(?>\r\n|\r|\n)[^\S\r\n]*(?:(?>\r\n|\r|\n)[^\S\r\n]*)+|\u2029|\f")


def _cut(text: str, bounds: tuple[int, int], separator: re.Pattern[str], check: Check) -> Iterator[tuple[int, int]]:
    """The pieces between separators that are not blank."""
    begin, last = bounds
    for number, match in enumerate(separator.finditer(text, begin, last)):
        if number % _CUTS_BETWEEN_CHECKS == 0:
            check()
        start, (end, begin) = begin, match.span()
        if text[start:end].strip():
            yield start, end
    if text[begin:last].strip():
        yield begin, last


def cut_pieces(text: str, turns: Turns, check: Check) -> Iterator[tuple[int, int, bool]]:
    """Cut a text at blank lines, marks, line ends, indents, and where another begins to speak.

    Args:
        text: the raw document.
        turns: of its speakers.
        check: called every few milliseconds of work; raises to give up.

    Yields:
        Bounds of the pieces in order, and whether each is a marked heading.
    """
    bounds = skip_front_matter(text, (len(text) - len(text.lstrip()), len(text.rstrip())))
    bounds = skip_mail_header(text, bounds)
    is_one = not _BLANK_LINE.search(text, *bounds)
    width = 0 if is_one else find_spaced_width(text, _cut(text, bounds, _BLANK_LINE, check))
    for region in cut_comments(text, bounds, check):
        check()
        spans = [region] if is_one else _cut(text, region, _BLANK_LINE, check)
        for span in join_spaced(text, spans, width) if width else spans:
            for start, end, kind in cut_at_marks(text, span, check):
                if kind is Kind.HEADING:
                    yield start, end, True
                elif kind is Kind.PROSE and text[start:end].strip():
                    whole = None if is_one else bounds
                    for piece in _cut_prose(text, (start, end), whole, check):
                        yield from ((*part, False) for part in turns.cut(*piece))


def _cut_prose(
    text: str, bounds: tuple[int, int], whole: tuple[int, int] | None, check: Check
) -> Iterator[tuple[int, int]]:
    """Cut at items if each is a paragraph, at line ends if the lines are one each; else, as wrapped text, at indents.

    Where a document has blank lines (then `whole` is given), they are most likely what parts it.
    """
    if items := cut_at_long_items(text, bounds, check):
        return iter(items)
    is_parted = whole is not None and are_paragraphs(text, bounds, check)
    if not is_parted and (whole is None or is_as_if_alone(text, bounds, whole, check)):
        is_parted = not is_wrapped(text, bounds, check)
    return cut_at_line_ends(text, bounds, check) if is_parted else cut_at_indents(text, bounds, check)
