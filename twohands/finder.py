"""Owns which pieces of a text are its paragraphs: the first rule that knows a piece decides, in order of `take`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from twohands.ends import ends_clause, ends_sentence, ends_with_comma, ends_with_stop, may_end_sentence
from twohands.invisible import BYTE_ORDER_MARK
from twohands.leads import LEAD_WORDS, ends_with_colon, heads_contents, holds_list, is_led, opens_clauses
from twohands.markers import read_item
from twohands.marks import cut_heading
from twohands.notices import MAX_WORDS, closes_letter, ends_before_stage, heads_notes, is_notice, is_stage_direction
from twohands.pieces import Check, cut_pieces
from twohands.pipe_tables import is_table_of_figures
from twohands.plain_words import PlainWords, is_struck_out, is_tags_alone
from twohands.running_lines import is_contents, is_no_text
from twohands.runs import FRONT_WORDS, LIST_WORDS, MIN_WORDS, Run, Span, end_run
from twohands.sections import Sections
from twohands.speakers import Turns
from twohands.titles import is_title

HEADLINE_WORDS = 20
CLAUSE_WORDS = 5  # fewer before a comma are a salutation
LEAST_LEAD_WORDS = 3

_TAIL = 1000  # characters in which a piece's last ones are looked for
# Who spoke, and below it where and when: "at the Annual Conference of the Bank".
_SPEECH = re.compile(
    r"(?:^|\n)[^\w\n]*(?:\w+ )?(?:address|lecture|remarks|speech|statement) (?:delivered |given )?by\b", re.IGNORECASE
)
_PLACE = re.compile(r", (?:[A-Z]\.){2,}$")  # Washington, D.C.
_LINE = re.compile(r"[\r\n]")


@dataclass(slots=True)
class _Piece:
    """What is known of a piece that is text, by itself and by what stands above it."""

    span: tuple[int, int]
    words: str
    n_words: int
    marker: str  # of the item that it is; empty where it is none
    is_behind_lead: bool  # the piece above ends with a colon
    is_next: bool  # the second or a further item behind a lead: it is no heading, nor is the one above
    is_titled: bool
    is_open: bool  # it ends neither a sentence nor a clause


def _look_ahead(text: str, pieces: Iterator[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool, bool]]:
    """The pieces, and of each whether it stands beside one that ends with a comma, as clauses of a preamble do."""
    is_comma = False  # the piece before
    held: tuple[int, int, bool, bool] | None = None
    for start, end, is_marked in pieces:
        was_comma, is_comma = is_comma, not is_marked and ends_with_comma(text[max(start, end - _TAIL) : end].rstrip())
        if held:
            yield *held[:3], held[3] or is_comma
        held = start, end, is_marked, was_comma
    if held:
        yield held


def _ends_with_place(raw: str) -> bool:
    """Whether the last of several lines that each begin anew ends with a place, as those above a hearing do."""
    if raw[-1:] != "." or not _PLACE.search(raw):
        return False
    lines = raw.splitlines()
    return len(lines) > 1 and not any(line.lstrip()[:1].islower() for line in lines)


def _is_headline(raw: str, n_words: int, *, is_open: bool) -> bool:
    """Whether a piece may be a headline: one line, or a few that each begin anew, such as a title and what is below."""
    # "The Council, having regard to the treaty," goes on below.
    if not is_open or n_words > LIST_WORDS or (n_words >= CLAUSE_WORDS and ends_with_comma(raw)):
        return False
    if may_end_sentence(raw) and not _ends_with_place(raw):
        return False
    lines = [line.strip() for line in raw.splitlines()]
    if len(lines) == 1:
        return n_words <= HEADLINE_WORDS
    if is_led(raw.strip(), needs_colon=False) and not heads_contents(lines[0]):
        return False
    is_speech = _SPEECH.search(raw) is not None
    return all(line and (is_speech or not line[0].islower()) and len(line.split()) < MIN_WORDS for line in lines)


def _is_ended(raw: str, n_words: int, plain: PlainWords, *, is_item: bool, is_beside_comma: bool) -> bool:
    """Whether a piece ends as a sentence or a clause does; a comma alone may be a salutation's or that of verse."""
    if _ends_with_place(raw):
        return False
    if ends_sentence(raw) or ends_with_stop(raw) or ends_before_stage(raw):
        return True
    if n_words >= LEAST_LEAD_WORDS and opens_clauses(raw):
        return True
    if ends_clause(raw) and (is_item or (n_words >= CLAUSE_WORDS and (is_beside_comma or not ends_with_comma(raw)))):
        return True
    # A link may hold the stop, and a tag or Markdown's break of a line follow it.
    return n_words <= LIST_WORDS and ends_with_stop(plain.read(raw).rstrip("\\ "))


class _Finder:
    """Goes through the pieces of a text in order; it knows what stood above each."""

    def __init__(
        self, text: str, sections: Sections, turns: Turns, plain: PlainWords, *, min_words: int, with_notices: bool
    ) -> None:
        self._text, self._sections, self._turns, self._plain = text, sections, turns, plain
        self._min_words, self._with_notices = min_words, with_notices
        self._run: Run | None = None  # pieces that are held for headings, until what follows shows that they are a list
        self._headlines: list[tuple[int, int]] = []
        self._is_front = True  # no paragraph and no long headline came yet
        self._n_least_noted = 0  # items of a list that is a notice like what introduces it, such as "Notes to editors:"
        self._is_signed = False  # a letter is closed, and names and titles follow
        self._is_lead = False  # the piece above ends with a colon
        self._led_marker = ""  # of the piece above, if that is an item behind a lead
        self._n_words_above = 0
        self._marker_read = ""  # of the piece above, if that was read: an item behind an item is one, however it ends

    def take(self, number: int, start: int, end: int, *, is_marked: bool, is_beside_comma: bool) -> list[Span]:
        """Say what is read now that the next piece is known: held ones above it, and it itself."""
        raw = self._text[start:end]
        stripped = raw.strip()
        begin = start + len(raw) - len(raw.lstrip())
        span = begin, begin + len(stripped)
        # `# Prices.` is a heading however it ends.
        if is_marked:
            return self._begin_section(span)
        words = stripped.removeprefix(BYTE_ORDER_MARK)  # before which no item is known by its mark
        n_words = len(raw.split())
        # Before all that ends a list: what stands on either side of a rule or a page's number is one all the same.
        if self._is_nothing(words, n_words):
            return []
        # Before items and sentences are told, as notices may be both.
        if self._is_notice(words, n_words):
            return self._pass_over(words)
        piece = self._describe(number, span, words, n_words, is_beside_comma=is_beside_comma)
        # Bylines, titles, items: they are held, and all that follows ends what is held.
        if self._may_be_heading(piece):
            self._hold(piece)
            return []
        return self._read(piece)

    def _begin_section(self, span: tuple[int, int]) -> list[Span]:
        ended = end_run(self._run, is_front=self._is_front)
        words = cut_heading(self._text, span)
        self._sections.add(words)
        self._run, self._marker_read = None if is_no_text(self._text[slice(*words)]) else Run(*words), ""
        self._is_lead, self._led_marker, self._is_signed = False, "", False
        return ended

    def _is_nothing(self, words: str, n_words: int) -> bool:
        if is_no_text(words) or is_table_of_figures(words) or is_contents(words) or is_tags_alone(words):
            return True
        return not self._with_notices and (is_stage_direction(words, n_words) or is_struck_out(words))

    def _is_notice(self, words: str, n_words: int) -> bool:
        """Whether a piece is a notice, or a list that one introduces; it may introduce the next."""
        n_least, self._n_least_noted = self._n_least_noted, 0
        if self._with_notices:
            return False
        is_of_notice = n_least > 0 and n_words <= MAX_WORDS and holds_list(words, n_least=n_least)
        if not is_of_notice and not is_notice(words, n_words):
            return False
        # Notes to editors go on in pieces of one item each.
        is_of_notes = heads_notes(words) or (is_of_notice and n_least == 1)
        self._n_least_noted = 1 if is_of_notes else 2 * ends_with_colon(words)
        return True

    def _pass_over(self, words: str) -> list[Span]:
        ended = end_run(self._run, is_front=self._is_front)
        self._is_signed = self._is_signed or closes_letter(words)
        self._run, self._marker_read, self._led_marker = None, "", ""
        return ended

    def _describe(
        self, number: int, span: tuple[int, int], words: str, n_words: int, *, is_beside_comma: bool
    ) -> _Piece:
        is_behind_lead = self._is_lead
        self._is_lead = ends_with_colon(words) and not (self._is_front and heads_contents(words))
        is_sure = is_behind_lead or bool(self._led_marker) or ends_sentence(words) or ends_clause(words)
        marker = read_item(words, n_words, number, is_sure=is_sure)
        is_next = bool(marker) and marker == self._led_marker
        self._led_marker = marker if is_next or (is_behind_lead and self._n_words_above <= LEAD_WORDS) else ""
        self._n_words_above = n_words
        is_item = bool(marker) and not words[0].isupper()
        is_ended = _is_ended(words, n_words, self._plain, is_item=is_item, is_beside_comma=is_beside_comma)
        is_titled = is_title(words, n_words, is_ended=is_ended)
        return _Piece(span, words, n_words, marker, is_behind_lead, is_next, is_titled, is_titled or not is_ended)

    def _may_be_heading(self, piece: _Piece) -> bool:
        """Whether a piece is short, ends no sentence, and nothing tells that it is read all the same."""
        n_words = piece.n_words
        is_short = n_words < self._min_words or piece.is_titled or (self._is_signed and n_words < LIST_WORDS)
        if not (is_short and piece.is_open) or piece.is_next or (piece.marker and piece.marker == self._marker_read):
            return False
        if is_led(piece.words) or (piece.is_behind_lead and holds_list(piece.words)):
            return False
        return not self._turns.is_turn(piece.span[0], piece.words, is_front=self._is_front)

    def _hold(self, piece: _Piece) -> None:
        self._run, self._marker_read = self._run or Run(*piece.span), ""
        # Figures are no words: rows of a table would together pass for a list.
        n_words = sum(any(map(str.isalpha, word)) for word in piece.words.split())
        n_items = 1 + holds_list(piece.words)
        self._run.add(piece.span, n_words, piece.marker, is_behind_lead=piece.is_behind_lead, n_items=n_items)

    def _read(self, piece: _Piece) -> list[Span]:
        """Read a piece and what it shows to be a list above it; or keep it for the headline of what follows."""
        # What "7." counts may be chapters, and "7. Termination" a heading; in a list of clauses it is none.
        self._marker_read = piece.marker if piece.marker != "1." or ends_clause(piece.words) else ""
        is_led_item = piece.is_behind_lead and bool(piece.marker)
        ended = end_run(
            self._run, self._marker_read, is_front=self._is_front, is_next=piece.is_next, is_led=is_led_item
        )
        self._is_signed, self._run = False, None
        if self._is_headline(piece, is_front=self._is_front and not ended, is_behind_list=bool(ended)):
            self._headlines.append(piece.span)
            self._is_front = False
            return []
        # The text's own paragraphs end as headlines do, too.
        headlines = [(*each, False) for each in self._headlines] if piece.is_open and not piece.is_next else []
        self._headlines, self._is_front = [], False
        return [*headlines, *ended, (*piece.span, False)]

    def _is_headline(self, piece: _Piece, *, is_front: bool, is_behind_list: bool) -> bool:
        # Below a letterhead; two lines without a stop may be paragraphs as well.
        is_below = len(self._headlines) == 1 and not is_behind_list and _LINE.search(self._text, *self._headlines[0])
        if piece.marker or not (is_front or is_below):
            return False
        return _is_headline(piece.words, piece.n_words, is_open=piece.is_open)

    def take_end(self) -> list[Span]:
        """Say what is read where nothing follows: headlines without a text, and what is held below no closing."""
        is_signature = self._is_signed and self._run is not None and self._run.n_words < FRONT_WORDS
        run = None if is_signature else self._run
        return [(*each, False) for each in [*self._headlines, *([(run.start, run.end)] if run else [])]]


def find_spans(
    text: str, sections: Sections, turns: Turns, plain: PlainWords, *, min_words: int, check: Check, with_notices: bool
) -> Iterator[Span]:
    """Find where paragraphs stand: pieces that are no headings and no notices, and runs of headings that are lists."""
    finder = _Finder(text, sections, turns, plain, min_words=min_words, with_notices=with_notices)
    pieces = _look_ahead(text, cut_pieces(text, turns, check))
    for number, (start, end, is_marked, is_beside_comma) in enumerate(pieces):
        yield from finder.take(number, start, end, is_marked=is_marked, is_beside_comma=is_beside_comma)
    yield from finder.take_end()
