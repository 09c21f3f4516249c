"""Owns raw text -> normalised paragraphs with offsets. Knows nothing of tokens or models.

`text` is what came in; a `paragraph` is what the model reads. Offsets are characters of the raw text.
"""

import re
import unicodedata
from dataclasses import dataclass

from twohands.errors import EmptyParagraphError, InputTypeError, ParagraphTooLongError

LIMIT_CHARS = 100_000
LIMIT_MARKS = 30
MIN_WORDS = 13
LIST_WORDS = 30  # the fewest that the codebook has in mind for a paragraph

_SPACE = re.compile(r"\s+")
# Atomic, else the regex takes one \r\n apart and finds a blank line at every Windows line end.
_BLANK_LINE = re.compile(r"(?>\r\n|\r|\n)[^\S\r\n]*(?:(?>\r\n|\r|\n)[^\S\r\n]*)+|\u2029|\f")
_LINE = re.compile(r"\r\n|\r|\n")
SENTENCE_END = re.compile(r"[.!?:;\u2026\u3002]['\"\u2019\u201d)\]]*$")
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


def _spans(text: str) -> list[tuple[int, int]]:
    """Cut at blank lines; without any, at line ends if the lines look like paragraphs rather than wrapped text."""
    separator = _BLANK_LINE if _BLANK_LINE.search(text.strip()) else _LINE
    cuts = [match.span() for match in separator.finditer(text)]
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(text)]
    spans = [(start, end) for start, end in zip(starts, ends, strict=True) if text[start:end].strip()]
    if separator is _LINE and len(spans) > 1:
        ended = sum(bool(SENTENCE_END.search(text[start:end].rstrip())) for start, end in spans)
        if ended < 0.6 * len(spans):  # most lines stop mid-sentence: one paragraph wrapped at a column
            return [(spans[0][0], spans[-1][1])]
    return spans


def split_paragraphs(text: str, *, min_words: int = MIN_WORDS, limit_chars: int = LIMIT_CHARS) -> list[Paragraph]:
    """Split a document into paragraphs.

    Blank lines divide; a document without any is divided at line ends, unless its lines are one wrapped
    paragraph. Pieces of fewer than `min_words` words that do not end a sentence are headings, bylines, page numbers:
    they belong to no paragraph, as the labels are those of a paragraph read without its title. But so many of them in
    a row that they hold `LIST_WORDS` words are a list, and one paragraph; and so are those that nothing follows.

    Args:
        text: the raw document.
        min_words: pieces with fewer words and no sentence end are headings.
        limit_chars: most characters of one paragraph.

    Returns:
        Paragraphs in order; empty when the document holds no text.

    Raises:
        ParagraphTooLongError: one paragraph has more than `limit_chars` characters.
    """
    found: list[tuple[int, int]] = []
    run: list[tuple[int, int]] = []
    n_words_of_run = 0
    for start, end in _spans(text):
        raw = text[start:end]
        span = (start + len(raw) - len(raw.lstrip()), end - len(raw) + len(raw.rstrip()))
        n_words = len(raw.split())
        if n_words < min_words and not SENTENCE_END.search(raw.rstrip()):
            run.append(span)
            n_words_of_run += n_words
            continue
        if n_words_of_run >= LIST_WORDS:
            found.append((run[0][0], run[-1][1]))
        found.append(span)
        run, n_words_of_run = [], 0
    if run:
        found.append((run[0][0], run[-1][1]))
    paragraphs: list[Paragraph] = []
    for start, end in found:
        try:
            paragraphs.append(Paragraph(normalise(text[start:end], limit_chars=limit_chars), start, end))
        except EmptyParagraphError:
            continue
    return paragraphs
