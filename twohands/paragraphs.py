"""Owns raw text -> normalised paragraphs with offsets. Knows nothing of tokens or models.

`text` is what came in; a `paragraph` is what the model reads. Offsets are characters of the raw text.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from twohands.errors import EmptyParagraphError, InputTypeError, ParagraphTooLongError
from twohands.indents import cut_at_indents

LIMIT_CHARS = 100_000
LIMIT_MARKS = 30
MIN_WORDS = 13
HEADLINE_WORDS = 20
LIST_WORDS = 30  # the fewest that the codebook has in mind for a paragraph

Check = Callable[[], None]
_CUTS_BETWEEN_CHECKS = 1000
_SPACE = re.compile(r"\s+")
# Atomic, else the regex takes one \r\n apart and finds a blank line at every Windows line end.
_BLANK_LINE = re.compile(r"(?>\r\n|\r|\n)[^\S\r\n]*(?:(?>\r\n|\r|\n)[^\S\r\n]*)+|\u2029|\f")
_LINE = re.compile(r"\r\n|\r|\n")
_END = r"[.!?:;\u2026\u3002]['\"\u2019\u201d)\]]*"
SENTENCE_END = re.compile(rf"{_END}$")
_SENTENCE_END_OF_LINE = re.compile(rf"{_END}[^\S\r\n]*(?=[\r\n]|\Z)")
# A heading of Markdown. It begins with what is rare in text, which is searched for fastest.
_MARKED = re.compile(r"#(?<![^\r\n\f\u2029\ufeff]#)#{0,5}[^\S\r\n][^\r\n]*")
# Every combining mark is in this set; what else is in it goes through `_cut_run` unharmed. Runs are tried where they
# begin, else a run of almost so many is tried again from each of its characters.
_PERHAPS_MARKS = re.compile(rf"(?<![^\w\s\x00-\x7f])[^\w\s\x00-\x7f]{{{LIMIT_MARKS + 1},}}")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of a document: `text` is normalised, `raw[start:end]` is where it stood."""

    text: str
    start: int
    end: int


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
            f"found {len(text)} characters, at most {limit_chars} are read as one paragraph; split the document first"
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


def _go_on() -> None:
    """Never give up."""


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


def _spans(text: str, check: Check) -> Iterator[tuple[int, int]]:
    """Cut at blank lines; without any, at line ends if the lines look like paragraphs rather than wrapped text."""
    bounds = len(text) - len(text.lstrip()), len(text.rstrip())
    if bounds[0] >= bounds[1]:
        return
    if _BLANK_LINE.search(text, *bounds):
        yield from _cut(text, bounds, _BLANK_LINE, check)
        return
    # Counted where they stand, not line by line: a document of millions of lines would hold a core for a minute.
    n_lines = 1 + sum(text.count(end, *bounds) for end in "\r\n") - text.count("\r\n", *bounds)
    n_ended = 0
    for _ in _SENTENCE_END_OF_LINE.finditer(text, *bounds):
        n_ended += 1
        if n_ended % _CUTS_BETWEEN_CHECKS == 0:
            check()
    if n_lines > 1 and n_ended < 0.6 * n_lines:  # most lines stop mid-sentence: one paragraph wrapped at a column
        yield bounds
        return
    yield from _cut(text, bounds, _LINE, check)


def _pieces(text: str, check: Check) -> Iterator[tuple[int, int, bool]]:
    """Cut further, at headings that are marked as such and at indents; the last of three tells which are headings."""
    for start, end in _spans(text, check):
        begin = start
        for number, match in enumerate(_MARKED.finditer(text, start, end)):
            if number % _CUTS_BETWEEN_CHECKS == 0:
                check()
            if len(match[0].split()) >= LIST_WORDS:  # too long for one
                continue
            if text[begin : match.start()].strip():
                yield from ((*bounds, False) for bounds in cut_at_indents(text, (begin, match.start()), check))
            begin = match.end()
            yield *match.span(), True
        if text[begin:end].strip():
            yield from ((*bounds, False) for bounds in cut_at_indents(text, (begin, end), check))


def _is_headline(raw: str, n_words: int, *, is_open: bool) -> bool:
    return is_open and n_words <= HEADLINE_WORDS and not _LINE.search(raw)


def _find(text: str, *, min_words: int, limit_chars: int, check: Check) -> Iterator[tuple[int, int]]:
    """Where paragraphs stand: pieces that are no headings, and runs of those that are lists."""
    run: tuple[int, int] | None = None
    headline: tuple[int, int] | None = None
    n_words_of_run = 0
    is_front = True  # no paragraph and no long headline came yet
    for start, end, is_marked in _pieces(text, check):
        raw = text[start:end]
        span = (start + len(raw) - len(raw.lstrip()), end - len(raw) + len(raw.rstrip()))
        if is_marked:
            if n_words_of_run >= LIST_WORDS and run is not None:
                yield run
            run, n_words_of_run = span, 0
            continue
        n_words = len(raw.split())
        is_open = not SENTENCE_END.search(raw.rstrip())
        if n_words < min_words and is_open:
            run = (span[0] if run is None or n_words_of_run == 0 else run[0], span[1])
            n_words_of_run += n_words
            if n_words_of_run >= LIST_WORDS and run[1] - run[0] > limit_chars:
                break  # a paragraph that is too long already, however long it gets
            continue
        if n_words_of_run >= LIST_WORDS and run is not None:
            yield run
            is_front = False
        run, n_words_of_run = None, 0
        if is_front and _is_headline(text[span[0] : span[1]], n_words, is_open=is_open):
            headline, is_front = span, False
            continue
        if headline is not None and is_open:  # the text's own paragraphs end so, too
            yield headline
        headline, is_front = None, False
        yield span
    yield from filter(None, (headline, run))


def iter_paragraphs(
    text: str, *, min_words: int = MIN_WORDS, limit_chars: int = LIMIT_CHARS, check: Check = _go_on
) -> Iterator[Paragraph]:
    """Split a document as `split_paragraphs` does, a paragraph at a time, so that who has enough can stop.

    Args:
        text: the raw document.
        min_words: pieces with fewer words and no sentence end are headings.
        limit_chars: most characters of one paragraph.
        check: called every few milliseconds of work, also where no paragraph comes of it; raises to give up.

    Yields:
        Paragraphs in order.

    Raises:
        ParagraphTooLongError: one paragraph has more than `limit_chars` characters.
    """
    for start, end in _find(text, min_words=min_words, limit_chars=limit_chars, check=check):
        check()
        with suppress(EmptyParagraphError):
            yield Paragraph(normalise(text[start:end], limit_chars=limit_chars), start, end)


def split_paragraphs(text: str, *, min_words: int = MIN_WORDS, limit_chars: int = LIMIT_CHARS) -> list[Paragraph]:
    """Split a document into paragraphs.

    Blank lines divide; a document without any is divided at line ends, unless its lines are one wrapped
    paragraph. Where prose was wrapped at a column, an indented line after a sentence's end begins a paragraph, too; a
    word that was parted at the end of a line stays so, as offsets and evidence speak of the raw text. Lines that begin
    with `#` are headings, however they end. Pieces of fewer than `min_words` words that do not end a sentence are
    headings, bylines, page numbers, too: they belong to no paragraph, as the labels are those of a paragraph read
    without its title. But so many of them in a row that they hold `LIST_WORDS` words are a list, and one paragraph;
    and so are those that nothing follows. One line of at most `HEADLINE_WORDS` words before all paragraphs is a
    heading, too, if it does not end a sentence and the paragraph behind it does.

    Args:
        text: the raw document.
        min_words: pieces with fewer words and no sentence end are headings.
        limit_chars: most characters of one paragraph.

    Returns:
        Paragraphs in order; empty when the document holds no text.

    Raises:
        ParagraphTooLongError: one paragraph has more than `limit_chars` characters.
    """
    return list(iter_paragraphs(text, min_words=min_words, limit_chars=limit_chars))
