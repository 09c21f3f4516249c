"""Owns lists and the words that introduce them ("We will:"): which belong together. Knows nothing of headings."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from twohands.ends import ends_with_stop
from twohands.invisible import BYTE_ORDER_MARK
from twohands.lines import BEFORE_LINE, Check, Span, measure_indent, read_spans
from twohands.markers import read_marker

LEAD_WORDS = 60  # the most that introduce a list and belong to it
LEAD_CHARS = 600  # by which a list begins in a piece that is one
ITEM_WORDS = 13  # an item of as many that ends with a stop is a paragraph by itself, as are those of HTML
HEADING_WORDS = 2  # before a colon: of three "He said this:" may be a sentence
LONG_ITEM_WORDS = 20  # and one of so many however it ends
MOST_WORDS = 220  # of single items put together: the longest paragraphs of the labelled sets have as many

_COLONS = (":", "\uff1a")
_OPENING = re.compile(r"\S(?:\u2014|:-|:\u2013)\Z")  # before clauses of acts: "A person may\u2014"
_EMPHASIS = "*_ \t"
_WHO = frozenset({"He", "I", "It", "She", "They", "We", "You"})  # "We demand:" is a sentence
_DASHES = frozenset("\u2013\u2014")  # before single items they may be turns of a dialogue
_CONTENTS = re.compile(
    r"[\W_]*(?:(?:table of )?contents|(?:in|on) this (?:article|briefing|document|edition|issue|newsletter|page|report)"
    r"|index|outline)\W*\Z",
    re.IGNORECASE,
)


def ends_with_colon(text: str) -> bool:
    """Say whether a text ends with a colon, before or behind Markdown's marks of emphasis."""
    return text.rstrip().rstrip(_EMPHASIS)[-1:] in _COLONS


def heads_contents(text: str) -> bool:
    """Say whether a text, such as "Contents:", heads what tells of a document and is none of its text."""
    return bool(_CONTENTS.match(text))


def opens_clauses(text: str) -> bool:
    """Say whether a text ends as what stands before the clauses of an act does: with a dash, or a colon and one."""
    return bool(_OPENING.search(text))


def holds_list(piece: str, *, n_least: int = 2, is_lettered: bool = True) -> bool:
    """Say whether a piece is a list.

    Args:
        piece: its lines, the first one an item.
        n_least: so many items at least; one or two.
        is_lettered: whether letters mark items, too, as they may be initials of a name.

    Returns:
        True where a second item has the mark of the first.
    """
    first, _, rest = piece.partition("\n")
    marker = read_marker(first)
    if not marker or (not is_lettered and "a" in marker.lower()):
        return False
    return n_least < 2 or any(read_marker(line.strip()) == marker for line in rest.split("\n"))


def is_led(piece: str, *, needs_colon: bool = True) -> bool:
    """Say whether a piece is a line, and a list that it introduces.

    Args:
        piece: its lines.
        needs_colon: without one, letters mark no items, as they may be initials of names below a title.

    Returns:
        True where the line ends with a colon, or need not, and two items follow.
    """
    first, _, rest = piece.partition("\n")
    has_colon = ends_with_colon(first)
    return (has_colon or not needs_colon) and holds_list(rest.strip(), is_lettered=has_colon)


def _heads(lead: str) -> bool:
    """Whether words before a colon are a heading, as "Background:" is, or address somebody, and are no sentence."""
    words = lead.strip(_EMPHASIS).split()
    # Not in scripts without capitals, of which some have no blanks: a sentence would be one word.
    if not words or not words[0][0].isupper() or not ends_with_colon(lead) or "\n" in lead or read_marker(lead):
        return False
    if words[0] in _WHO:
        return False
    n_most = ITEM_WORDS - 1 if lead.isupper() or words[0] == "Dear" else HEADING_WORDS
    return len(words) <= n_most


def _is_long(item: str) -> bool:
    n_words = len(item.split())
    return n_words >= LONG_ITEM_WORDS or (n_words >= ITEM_WORDS and ends_with_stop(item.rstrip()))


def cut_at_long_items(text: str, bounds: Span, check: Check) -> list[Span]:
    """Cut a list without blank lines at its items, where each of them is a paragraph by itself.

    Args:
        text: the raw document.
        bounds: of a piece of it without blank lines.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        Bounds of what stands before the list, if anything does, and of its items, each with what stands deeper or goes
        on below it; empty where the piece is no list, or one of its items is short, or prose goes on behind it.
    """
    starts: list[int] = []
    marker, indent, end = "", 0, bounds[0]
    for begin, last in read_spans(text, bounds, check):
        raw = text[begin:last]
        line = raw.strip(BEFORE_LINE)
        if not line:
            continue
        found, column = read_marker(line), measure_indent(raw)
        if found and (not marker or (found == marker and column == indent)):
            if marker and not _is_long(text[starts[-1] : end]):
                return []
            if not marker and (lead := text[bounds[0] : end]).strip() and not _is_lead(lead):
                return []
            marker, indent = found, column
            starts.append(begin)
        elif column < indent if marker else last - bounds[0] > LEAD_CHARS:
            return []  # the list stands within prose, or a piece that begins with so much of it is none
        end = last
    if len(starts) < 2 or not _is_long(text[starts[-1] : end]):
        return []
    cuts = [bounds[0], *starts] if text[bounds[0] : starts[0]].strip() else starts
    return [*pairwise(cuts), (cuts[-1], bounds[1])]


def _is_lead(lead: str) -> bool:
    """Whether lines before a first item end there: else a sentence of prose that goes on behind a dash is cut."""
    return len(lead.strip().splitlines()) < 2 or ends_with_colon(lead) or ends_with_stop(lead.rstrip())


@dataclass(slots=True)
class _Held:
    """A span that may introduce a list, and the single items that came behind it; or such items alone."""

    span: tuple[int, int] | None
    lead: str = ""
    is_optional: bool = False  # the span is read only with its items
    items: list[tuple[int, int]] = field(default_factory=list)
    marker: str = ""
    n_words: int = 0
    is_list: bool = False  # one of the items is several
    ends_clause: bool = False  # the last item does, so that the next one may be its last

    def takes(self, piece: str) -> bool:
        """Whether a piece is the list, or the first or next item and no paragraph by itself."""
        marker, n_words = read_marker(piece), len(piece.split())
        if not self.items and ends_with_colon(self.lead) and not read_marker(self.lead) and holds_list(piece):
            self.marker, self.is_list, self.ends_clause = marker, True, not ends_with_stop(piece)
            return True
        is_stopped = ends_with_stop(piece)
        if not marker or n_words >= LONG_ITEM_WORDS or (marker in _DASHES and is_stopped):
            return False
        if not (self.lead or self.marker) or marker != (self.marker or marker) or marker == read_marker(self.lead):
            return False
        if is_stopped and n_words >= ITEM_WORDS and not self.ends_clause:
            return False
        self.marker, self.ends_clause = marker, not is_stopped
        self.n_words += n_words
        return True

    def list_spans(self) -> list[tuple[int, int]]:
        """All spans in order."""
        return [*filter(None, (self.span,)), *self.items]

    def release(self, *, is_last: bool = False) -> list[tuple[int, int]]:
        """The spans that are paragraphs: one where a lead introduces items, or these are a list.

        A heading that ends with a colon is none where text follows it.
        """
        spans = self.list_spans()
        if not self.items and not is_last and _heads(self.lead):
            return []
        if self.is_list or len(self.items) > 1:
            return [(spans[0][0], spans[-1][1])]
        return self.items if self.is_optional else spans


def join_leads(text: str, spans: Iterable[tuple[int, int, bool]], limit_chars: int) -> Iterator[tuple[int, int]]:
    """Put a list to the words that introduce it, without which nobody can say what is wanted of its items.

    Args:
        text: the document.
        spans: of its paragraphs, in order; a list may be one of them, or each of its items. Of each also whether it is
            a lead that is read only with its items.
        limit_chars: most characters of what is put together.

    Yields:
        Spans in order.
    """
    held: _Held | None = None
    for start, end, is_optional in spans:
        piece = text[start:end].strip().removeprefix(BYTE_ORDER_MARK)
        if held:
            first, last = held.list_spans()[0][0], held.list_spans()[-1][1]
            if not text[last:start].strip() and held.takes(piece):
                if end - first <= limit_chars and held.n_words <= MOST_WORDS:
                    held.items.append((start, end))
                    continue
                yield from held.release()  # what follows is a list of its own
                held = _Held(None, items=[(start, end)], marker=held.marker, ends_clause=held.ends_clause)
                continue
            yield from held.release()
        is_lead = (ends_with_colon(piece) or opens_clauses(piece)) and len(piece.split()) <= LEAD_WORDS
        held = _Held((start, end), piece if is_lead else "", is_optional)
    if held:
        yield from held.release(is_last=True)
