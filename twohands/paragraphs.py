"""Owns raw text -> normalised paragraphs with offsets into it. Knows nothing of tokens or models.

`text` is what came in; a `paragraph` is what the model reads.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from twohands.ends import SENTENCE_END as SENTENCE_END
from twohands.ends import ends_clause, ends_sentence, ends_with_comma, ends_with_stop, may_end_sentence
from twohands.errors import EmptyParagraphError, InputTypeError, ParagraphTooLongError
from twohands.exported import blank_exported
from twohands.invisible import BYTE_ORDER_MARK, SIGNS
from twohands.leads import LEAD_WORDS, ends_with_colon, heads_contents, holds_list, is_led, join_leads, opens_clauses
from twohands.lines import go_on
from twohands.markers import read_item
from twohands.marks import cut_heading
from twohands.notices import MAX_WORDS, closes_letter, ends_before_stage, heads_notes, is_notice, is_stage_direction
from twohands.overlong import Overlong
from twohands.pieces import Check, cut_pieces
from twohands.pipe_tables import is_table_of_figures
from twohands.plain_words import PlainWords
from twohands.running_lines import is_contents, is_no_text
from twohands.runs import FRONT_WORDS, LIST_WORDS, MIN_WORDS, Run, Span, end_run, list_rest
from twohands.sections import Sections
from twohands.speakers import Turns, find_turns
from twohands.titles import is_title

LIMIT_CHARS = 100_000
LIMIT_MARKS = 30
HEADLINE_WORDS = 20
CLAUSE_WORDS = 5  # fewer before a comma are a salutation
LEAST_LEAD_WORDS = 3

_TAIL = 1000  # characters in which a piece's last ones are looked for
# Who spoke, and below it where and when: "at the Annual Conference of the Bank".
_SPEECH = re.compile(
    r"(?:^|\n)[^\w\n]*(?:\w+ )?(?:address|lecture|remarks|speech|statement) (?:delivered |given )?by\b", re.IGNORECASE
)
_SPACE = re.compile(r"\s+")
_UNSEEN = dict.fromkeys(map(ord, SIGNS))
_LINE = re.compile(r"[\r\n]")
# Every combining mark is in this set; what else is in it goes through `_cut_run` unharmed. Runs are tried where they
# begin, else a run of almost so many is tried again from each of its characters.
_PERHAPS_MARKS = re.compile(rf"(?<![^\w\s\x00-\x7f])[^\w\s\x00-\x7f]{{{LIMIT_MARKS + 1},}}")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of a document: `text` is normalised and without marks, `raw[start:end]` is where it stood.

    `lines` are the words of `text` at their lines, by whose ends items of a list are told apart. `section` is the last
    marked heading above it, in one line and without its marks; `speaker` is who speaks in a transcript
    (`speakers.py`); both empty where there is none. `is_broken` says that more than marks stood between its words, such
    as times of subtitles or the edge of a page. `error` says why it is not read, and then it has no words.
    """

    text: str
    start: int
    end: int
    section: str = ""
    speaker: str = ""
    lines: str = ""
    is_broken: bool = False
    error: ParagraphTooLongError | None = None


def _cut_run(match: re.Match[str]) -> str:
    kept: list[str] = []
    n_marks = 0
    for character in match[0]:
        n_marks = n_marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if n_marks <= LIMIT_MARKS:
            kept.append(character)
    return "".join(kept)


def _cut_marks(text: str) -> str:
    return text if text.isascii() else _PERHAPS_MARKS.sub(_cut_run, text)


def _compose(text: str) -> str:
    """NFC in linear time: `unicodedata` sorts a run of marks by insertion, and lets no other thread run meanwhile.

    Source:
        Unicode Standard Annex 15, "Stream-Safe Text Format": no written language needs more than 30 marks in a row.
    """
    # Cut again, as one mark may be composed of several: what is normalised twice would else be cut twice.
    return _cut_marks(unicodedata.normalize("NFC", _cut_marks(text)))


def normalise(text: object, *, limit_chars: int = LIMIT_CHARS) -> str:
    """Make one paragraph out of raw text, the same way for training and serving.

    Unicode is composed (NFC), control, format and lone surrogate characters go, and so do combining marks beyond 30
    in a row; each run of white space becomes one space. Case, punctuation and digits stay.

    Args:
        text: raw text; anything but a string is refused.
        limit_chars: most characters of raw text.

    Returns:
        The paragraph, never empty.

    Raises:
        InputTypeError: `text` is not a string.
        ParagraphTooLongError: `text` has more than `limit_chars` characters.
        EmptyParagraphError: nothing is left.
    """
    if not isinstance(text, str):
        raise InputTypeError(f"found {type(text).__name__}, expected a string of text")
    if len(text) > limit_chars:
        raise ParagraphTooLongError(
            f"found {len(text)} characters, at most {limit_chars} are read as one paragraph; make several rows or "
            "texts of it, or give it as a document, which is split: as a .txt file, or to /v1/documents"
        )
    # Most paragraphs are such already: in printable ASCII the space is the only white space.
    if text.isascii() and text.isprintable() and "  " not in text and (paragraph := text.strip()):
        return paragraph
    spaced = _SPACE.sub(" ", text)
    # Cc control, Cf format (zero-width, bidi), Cs lone surrogates, Co private use, Cn unassigned.
    kept = (
        spaced
        if spaced.isascii() and spaced.isprintable()
        else "".join(
            character for character in spaced if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
        )
    )
    # Composed last: what was dropped may have stood between a letter and its accent, and training normalises twice
    # where serving does it once.
    paragraph = _SPACE.sub(" ", _compose(kept)).strip()
    if not paragraph:
        raise EmptyParagraphError("the text is empty or holds only white space and control characters")
    return paragraph


def _list_words(text: str) -> list[str]:
    return text.translate(_UNSEEN).split()


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


def _is_headline(raw: str, n_words: int, *, is_open: bool) -> bool:
    """Whether a piece may be a headline: one line, or a few that each begin anew, such as a title and what is below."""
    if not is_open or n_words > LIST_WORDS or may_end_sentence(raw):
        return False
    lines = [line.strip() for line in raw.splitlines()]
    if len(lines) == 1:
        return n_words <= HEADLINE_WORDS
    if is_led(raw.strip(), needs_colon=False) and not heads_contents(lines[0]):
        return False
    is_speech = _SPEECH.search(raw) is not None
    return all(line and (is_speech or not line[0].islower()) and len(line.split()) < MIN_WORDS for line in lines)


def _is_ended(raw: str, n_words: int, *, is_item: bool, is_beside_comma: bool) -> bool:
    """Whether a piece ends as a sentence or a clause does; a comma alone may be a salutation's or that of verse."""
    if ends_sentence(raw) or ends_with_stop(raw) or ends_before_stage(raw):
        return True
    if n_words >= LEAST_LEAD_WORDS and opens_clauses(raw):
        return True
    if not ends_clause(raw) or (n_words < CLAUSE_WORDS and not is_item):
        return False
    return is_item or is_beside_comma or not ends_with_comma(raw)


def _is_stopped_within_marks(raw: str, n_words: int, plain: PlainWords) -> bool:
    """Whether what is read of a piece that may be a heading has a stop: a link may hold it, and a tag follow it."""
    return n_words <= LIST_WORDS and ends_with_stop(plain.read(raw).rstrip("\\ "))  # or a break of Markdown


def _is_nothing(piece: str, n_words: int, *, with_notices: bool) -> bool:
    """Whether a piece is no text, and what stands on either side of it is one list all the same."""
    if is_no_text(piece) or is_table_of_figures(piece) or is_contents(piece):
        return True
    return not with_notices and is_stage_direction(piece, n_words)


def _find(
    text: str, sections: Sections, turns: Turns, plain: PlainWords, *, min_words: int, check: Check, with_notices: bool
) -> Iterator[Span]:
    """Where paragraphs stand: pieces that are no headings and no notices, and runs of headings that are lists."""
    run: Run | None = None
    headlines: list[tuple[int, int]] = []
    is_front = True  # no paragraph and no long headline came yet
    is_of_notice = False  # the piece before is a notice and ends with a colon, as "Notes to editors:"
    is_of_notes = False  # so does each item behind it
    is_signed = False  # a letter is closed, and names and titles follow
    is_lead = False  # the piece before ends with a colon
    led_marker = ""  # of the piece before, if that is an item behind a lead
    n_words_before = 0
    marker_read = ""  # of the piece before, if that was read: an item behind an item is one, however it ends
    pieces = _look_ahead(text, cut_pieces(text, turns, check))
    for number, (start, end, is_marked, is_beside_comma) in enumerate(pieces):
        raw = text[start:end]
        span = (start + len(raw) - len(raw.lstrip()), end - len(raw) + len(raw.rstrip()))
        if is_marked:
            yield from end_run(run, is_front=is_front)
            words = cut_heading(text, span)
            sections.add(words)
            run, marker_read = None if is_no_text(text[slice(*words)]) else Run(*words), ""
            is_lead, led_marker, is_signed = False, "", False
            continue
        stripped = raw.strip().removeprefix(BYTE_ORDER_MARK)  # before which no item is known by its mark
        n_words = len(raw.split())
        if _is_nothing(stripped, n_words, with_notices=with_notices):  # at the end it would be read: nothing follows
            continue
        n_least = 1 if is_of_notes else 2
        is_led_by_notice = is_of_notice and n_words <= MAX_WORDS and holds_list(stripped, n_least=n_least)
        is_of_notice = False
        if not with_notices and (is_led_by_notice or is_notice(stripped, n_words)):
            is_of_notes = heads_notes(stripped) or (is_of_notes and is_led_by_notice)
            is_signed = is_signed or closes_letter(stripped)
            is_of_notice = is_of_notes or ends_with_colon(stripped)
            yield from end_run(run, is_front=is_front)
            run, marker_read, led_marker = None, "", ""
            continue
        is_behind_lead, is_lead = is_lead, ends_with_colon(stripped) and not (is_front and heads_contents(stripped))
        is_sure = is_behind_lead or bool(led_marker) or ends_sentence(stripped) or ends_clause(stripped)
        marker = read_item(stripped, n_words, number, is_sure=is_sure)
        is_next = bool(marker) and marker == led_marker  # then neither is a heading, however it ends
        led_marker = marker if is_next or (is_behind_lead and n_words_before <= LEAD_WORDS) else ""
        n_words_before = n_words
        is_item = bool(marker) and not stripped[0].isupper()
        is_ended = _is_ended(
            stripped, n_words, is_item=is_item, is_beside_comma=is_beside_comma
        ) or _is_stopped_within_marks(stripped, n_words, plain)
        is_titled = is_title(stripped, n_words, is_ended=is_ended)
        is_open = is_titled or not is_ended
        is_short = n_words < min_words or is_titled or (is_signed and n_words < LIST_WORDS)
        is_list_led = is_behind_lead and holds_list(stripped)
        is_wanted = (bool(marker) and marker == marker_read) or is_next or is_list_led or is_led(stripped)
        is_wanted = is_wanted or turns.is_cut_short(span[0], stripped)
        if is_short and is_open and not is_wanted:
            run, marker_read = run or Run(*span), ""
            # Figures are no words: rows of a table would together pass for a list.
            n_words = sum(any(map(str.isalpha, word)) for word in raw.split())
            n_items = 1 + holds_list(stripped)
            run.add(span, n_words, marker, is_behind_lead=is_behind_lead, n_items=n_items)
            continue
        # What "7." counts may be chapters, and "7. Termination" a heading; in a list of clauses it is none.
        marker_read = marker if marker != "1." or ends_clause(raw.rstrip()) else ""
        ended = end_run(run, marker_read, is_front=is_front, is_next=is_next, is_led=is_behind_lead and bool(marker))
        is_front = is_front and not ended
        is_signed, run = False, None
        # Below a letterhead; two lines without a stop may be paragraphs as well.
        is_below = len(headlines) == 1 and not ended and _LINE.search(text, *headlines[0]) is not None
        may_be_headline = is_front or is_below
        if may_be_headline and not marker and _is_headline(text[span[0] : span[1]], n_words, is_open=is_open):
            headlines.append(span)
            is_front = False
            continue
        if is_open and not is_next:  # the text's own paragraphs end so, too
            yield from ((*each, False) for each in headlines)
        yield from ended
        headlines = []
        is_front = False
        yield *span, False
    is_signature = is_signed and run is not None and run.n_words < FRONT_WORDS
    for rest in list_rest(headlines, None if is_signature else run):
        yield *rest, False


def _cut_spans(text: str, spans: Iterable[tuple[int, int]], turns: Turns) -> Iterator[tuple[int, int]]:
    """Cut what was put together, as short pieces in a row are, where another begins to speak."""
    for span in spans:
        for start, end in turns.cut(*span):
            yield start, end if end == span[1] else start + len(text[start:end].rstrip())


def iter_paragraphs(
    text: str, *, min_words: int = MIN_WORDS, limit_chars: int = LIMIT_CHARS, check: Check = go_on
) -> Iterator[Paragraph]:
    """Split a document into paragraphs, one at a time, so that who has enough can stop.

    Blank lines divide, unless each line of wrapped text has one behind it. A document without any is divided at line
    ends, unless its lines were wrapped at a column (`columns.py`) or are verse, and so are lines in a row that are
    mostly wider than a column and end sentences, and those that are most of the document (`lines.py`). Where prose was
    wrapped, an indented line after a sentence's end begins a paragraph, too. Quotations are divided at empty lines, and
    transcripts where another begins to speak (`speakers.py`). Marks of Markdown are no words, and words parted at the
    end of a line are put together (`plain_words.py`).

    Lines that begin with `#` or are underlined by `===` or `---` are headings, however they end; front matter, the
    header of a mail, comments and definitions of notes and links are nothing (`front_matter.py`, `mail_header.py`,
    `marks.py`). Pieces of fewer than `min_words` words that do not end a sentence, or as a clause does (`; and`; a
    comma in an item or beside another), are headings, bylines, page numbers, too: they belong to no paragraph, as the
    labels are those of a paragraph read without its title. But so many of them in a row that they hold `LIST_WORDS`
    words are a list, and one paragraph; so are those that nothing follows, and items such as `(b) …` beside one that
    does end so. One line of at most `HEADLINE_WORDS` words before all paragraphs is a heading, too, if it does not end
    a sentence and the paragraph behind it does; so are the lines of a letterhead, and both. Rules, page numbers and
    tables of figures are never read, nor are sign-offs, rights, contacts and the like (`notices.py`), unless there is
    nothing else.

    Args:
        text: the raw document.
        min_words: pieces with fewer words and no sentence end are headings.
        limit_chars: most characters of one paragraph.
        check: called every few milliseconds of work, also where no paragraph comes of it; raises to give up.

    Yields:
        Paragraphs in order, none when the document holds no text; one of more than `limit_chars` characters with its
        `error`.
    """
    raw, text = text, blank_exported(text, check)
    found_turns = find_turns(text, check)
    is_blank = True
    for with_notices in (False, True):  # where there is nothing else, a notice is what is to be read
        if not is_blank:
            break
        sections, turns, plain = Sections(text), Turns(found_turns), PlainWords(text)
        overlong = Overlong(raw, limit_chars)
        found = _find(text, sections, turns, plain, min_words=min_words, check=check, with_notices=with_notices)
        for start, end in _cut_spans(text, join_leads(text, found, limit_chars), turns):
            check()
            with suppress(EmptyParagraphError):
                section = normalise(heading) if (heading := sections.find(start)) else ""
                if error := overlong.find(start, end):
                    is_blank = False
                    yield Paragraph("", start, end, section, turns.find(start, section), error=error)
                    continue
                lines = plain.read(text[start:end])
                paragraph = normalise(lines, limit_chars=limit_chars)
                is_blank = False
                is_broken = text[start:end] != raw[start:end] and _list_words(text[start:end]) != _list_words(
                    raw[start:end]
                )
                speaker = turns.find(start, section, paragraph)
                yield Paragraph(paragraph, start, end, section, speaker, lines, is_broken)
