"""Owns raw text -> normalised paragraphs with offsets into it. Knows nothing of tokens or models.

`text` is what came in; a `paragraph` is what the model reads.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from twohands.errors import EmptyParagraphError, InputTypeError, ParagraphTooLongError
from twohands.exported import blank_exported
from twohands.finder import find_spans
from twohands.invisible import SIGNS
from twohands.leads import join_leads
from twohands.lines import go_on
from twohands.overlong import Overlong
from twohands.pieces import Check
from twohands.plain_words import PlainWords
from twohands.runs import MIN_WORDS
from twohands.sections import Sections
from twohands.speakers import Turns, find_turns

LIMIT_CHARS = 100_000
LIMIT_MARKS = 30

_SPACE = re.compile(r"\s+")
_UNSEEN = dict.fromkeys(map(ord, SIGNS))
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
    raw, (text, spoken) = text, blank_exported(text, check)
    found_turns = find_turns(text, check)
    is_blank = True
    for with_notices in (False, True):  # where there is nothing else, a notice is what is to be read
        if not is_blank:
            break
        sections, turns, plain = Sections(text), Turns(found_turns, spoken), PlainWords(text)
        overlong = Overlong(raw, limit_chars)
        found = find_spans(text, sections, turns, plain, min_words=min_words, check=check, with_notices=with_notices)
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
