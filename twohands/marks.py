"""Owns the marks that Markdown sets in plain text -> which lines are headings, and which are no text at all.

Knows nothing of words or sentences but where a heading may stand.
"""

import re
from collections.abc import Callable, Iterator
from enum import Enum
from heapq import merge
from operator import itemgetter

from twohands.ends import ends_sentence, may_end_sentence
from twohands.lines import breaks_off, go_on

MAX_HEADING_WORDS = 30  # as many are a paragraph
MAX_TITLE_CHARS = 400
MAX_UNDERLINED_WORDS = {"=": 20, "-": 12}  # more are a paragraph above a break

_CUTS_BETWEEN_CHECKS = 1000
_MAX_LINE_CHARS = 1000  # of what a mail quotes
_BEFORE_CHARS = 80  # that show whether a sentence ended
_MIN_WIDTH = 45  # of a column of prose
_BULLETS = ("- ", "+ ", "\u2022 ")  # and not "** Prices", as newsletters have it above a rule
_LINE_END = re.compile(r"\r\n|\r|\n")
_REST = r"[^\S\r\n]*+(?=[\r\n]|\Z)"
# A heading of Markdown. It begins with what is rare in text, which is searched for fastest.
_NUMBER_SIGNS = re.compile(r"#(?<![^\r\n\f\u2029\ufeff]#)#{0,5}[^\S\r\n][^\r\n]*")
_SIGNS = re.compile(r"#{1,6}(?:\s+|\Z)|={2,6}(?!=)\s*(?=[^\W_])")
# Of encyclopedias and AsciiDoc: "== Prices ==" and "== Prices". Marks of emphasis and of code are the same.
_EQUALS_SIGNS = re.compile(r"(?:\A|(?<=[\r\n\f]))(?P<signs>={2,6}+)(?P<words>[^\S\r\n]*+[^\W_][^\r\n]*+)")
_SENTENCE_WORDS = 5  # between equals signs, from which on what ends with a stop is no heading
_PERHAPS = re.compile(r"[#>=\[]|---|___")  # without one of these there is no mark
_LINE = (
    rf"(?P<gap>(?:>[^\S\r\n]*+)++(?=[\r\n]|\Z))"
    r"|(?P<note>\[\^[^\]\r\n]{1,60}\]:)"
    # Above what a mail quotes; without a time or an address it may be a minister's letter.
    r"|(?P<wrote>[Oo]n\s(?=[^\r\n]*?(?:@|\d:\d\d))[^\r\n]{4,200}\bwrote:(?=[^\S\r\n]*+(?>\r\n|\r|\n)[^\S\r\n]*+>))"
    r"|(?P<link>\[[^\]\r\n]{1,200}\]:[^\S\r\n]*+<?(?:https?://|www\.|mailto:|ftp://|[./#])[^\r\n]*+)"
    rf"|(?P<rule>={{3,}}+|-{{3,}}+|_{{3,}}+){_REST}"
)
_FIRST_LINE = re.compile(rf"\ufeff?[^\S\r\n]*+(?:{_LINE})")
_LATER_LINE = re.compile(rf"[\r\n][^\S\r\n]*+(?:{_LINE})")
_NOTE_GOES_ON = re.compile(r"(?>\r\n|\r|\n)(?: {0,3}\t| {4})[^\S\r\n]*+\S[^\r\n]*+")
_REST_OF_LINE = re.compile(r"[^\r\n]*+")
# Where a mail answers below what it quotes, or quotes again below an answer, without a blank line.
_BEGIN_OF_QUOTED = r"(?=[^\S\r\n]*+>[>\s]*+[^\Wa-z])"
_QUOTE_ENDS = re.compile(r"(?:\A|[\r\n])[^\S\r\n]*+>[^\r\n]*+(?<=[.!?\"\u201d)])[^\S\r\n]*+(?>\r\n|\r|\n)(?=[^\Wa-z])")
_QUOTE_BEGINS = re.compile(rf"(?<=[.!?\"\u201d)])[^\S\r\n]*+(?>\r\n|\r|\n){_BEGIN_OF_QUOTED}")
_COMMENT_BEGINS = re.compile(r"(?:\A|[\r\n\f\ufeff])[ \t]{0,3}\Z")
_COMMENT_ENDS = re.compile(_REST)

Check = Callable[[], None]
Span = tuple[int, int]


class Kind(Enum):
    """What a part of a text is."""

    PROSE = "prose"
    HEADING = "heading"
    NOTHING = "nothing"  # not read and not shown as a heading: definitions, rules, empty lines of a quotation


def cut_comments(text: str, bounds: Span, check: Check) -> Iterator[Span]:
    """Leave out comments `<!-- -->` that have their lines for themselves; they may hold blank lines.

    Args:
        text: the raw document.
        bounds: of what is looked at.
        check: called every few milliseconds of work; raises to give up.

    Yields:
        Bounds of what is between them; those that were given where there are none.
    """
    begin, last = bounds
    position = begin
    while (start := text.find("<!--", position, last)) >= 0:
        check()
        # What has no end is no comment, nor is anything behind it: each of many would be looked through to the end.
        if (end := text.find("-->", start + 4, last)) < 0:
            break
        position = end + 3
        if _COMMENT_BEGINS.search(text[max(start - 4, 0) : start]) and _COMMENT_ENDS.match(text, position, last):
            yield begin, start
            begin = position
    yield begin, last


def _is_heading(match: re.Match[str]) -> bool:
    """Whether a line that begins with signs is a heading: one of equals signs ends with as many, or is only a title."""
    if len(match[0].split()) > MAX_HEADING_WORDS:  # the mark is one of these
        return False
    if match[0][0] == "#":
        return True
    words = match["words"].rstrip()
    title = words.removesuffix(match["signs"])
    if "==" in title or (title.rstrip().endswith((".", "!")) and len(title.split()) >= _SENTENCE_WORDS):
        return False
    return title != words or (
        title[0].isspace() and not (title := title.strip())[0].islower() and not title[0].isdigit()
    )


def _find_signs(text: str, bounds: Span, sign: str, check: Check) -> Iterator[tuple[int, int, Kind]]:
    pattern = _NUMBER_SIGNS if sign == "#" else _EQUALS_SIGNS
    for number, match in enumerate(pattern.finditer(text, *bounds) if text.find(sign, *bounds) >= 0 else ()):
        if number % _CUTS_BETWEEN_CHECKS == 0:
            check()
        if _is_heading(match):
            yield *match.span(), Kind.HEADING


def _find_line(text: str, begin: int, match: re.Match[str]) -> Span | None:
    """Where the line above a rule stands; None where it is too long for a heading."""
    end = match.start() - text.startswith("\r\n", match.start() - 1)
    first = max(begin, end - MAX_TITLE_CHARS)
    last_end = max(text.rfind(line_end, first, end) for line_end in "\r\n")
    if last_end < 0 and first > begin:
        return None
    return first if last_end < 0 else last_end + 1, end


def _is_within_sentence(text: str, line: Span | None, match: re.Match[str]) -> bool:
    """Whether the line above a rule goes on below it: as at a blank that is to be filled in, or a page's edge."""
    below = text[match.end() : match.end() + _BEFORE_CHARS].lstrip()
    if line is None or not below[:1].islower():
        return False
    above = text[slice(*line)].rstrip()
    return not may_end_sentence(above) and (len(above) >= _MIN_WIDTH or above.endswith(",") or breaks_off(above))


def _find_title(text: str, begin: int, line: Span | None, mark: str) -> int | None:
    """Where the heading begins that a rule underlines; None where the rule is a break below prose or an item."""
    if line is None:
        return None
    start = line[0]
    title = text[slice(*line)].rstrip()
    if not any(map(str.isalnum, title)) or len(title.split()) > MAX_UNDERLINED_WORDS.get(mark, 0):
        return None
    if title.lstrip().startswith(_BULLETS):
        return None
    if mark == "-" and may_end_sentence(title):
        return None
    above = text[max(begin, start - _BEFORE_CHARS) : start].rstrip()
    return None if above and not ends_sentence(above) else start


def cut_heading(text: str, span: Span) -> Span:
    """Leave out the marks of a heading, where it stands for a paragraph.

    Args:
        text: the raw document.
        span: of a heading from `cut_at_marks`, without space around it.

    Returns:
        Where its words stand; what was given where it has none.
    """
    raw = text[slice(*span)]
    rule_begins = max(map(raw.rfind, "\r\n"))
    words = raw if rule_begins < 0 else raw[:rule_begins].rstrip()
    signs = _SIGNS.match(words)
    begin = signs.end() if signs else 0
    return (span[0] + begin, span[0] + len(words)) if begin < len(words) else span


def _find_of_lines(text: str, bounds: Span, check: Check) -> Iterator[tuple[int, int, Kind]]:
    begin, last = bounds
    read_to = begin  # what stands in a note is its text: each of many marks there would be read to the note's end
    first = _FIRST_LINE.match(text, begin, last)
    if first:
        start, read_to = _read_definition(text, first, last, check)
        yield start, read_to, Kind.NOTHING
    for number, match in enumerate(_LATER_LINE.finditer(text, begin, last)):
        if number % _CUTS_BETWEEN_CHECKS == 0:
            check()
        if match.start() < read_to:
            continue
        if match["rule"] is None:
            start, read_to = _read_definition(text, match, last, check)
            yield start, read_to, Kind.NOTHING
            continue
        line = _find_line(text, begin, match)
        if _is_within_sentence(text, line, match):
            continue
        if (title_start := _find_title(text, begin, line, match["rule"][0])) is not None:
            yield title_start, match.end(), Kind.HEADING
        else:
            yield *match.span("rule"), Kind.NOTHING  # what stands on either side is no one paragraph


def _read_definition(text: str, match: re.Match[str], last: int, check: Check) -> Span:
    end = match.end()
    if match["note"]:
        line = _REST_OF_LINE.match(text, end, last)
        n_lines = 0
        while line:
            if n_lines % _CUTS_BETWEEN_CHECKS == 0:
                check()
            n_lines += 1
            end = line.end()
            # What is indented below a sentence's end may be a paragraph of the text.
            is_ended = ends_sentence(line[0].rstrip())
            line = None if is_ended else _NOTE_GOES_ON.match(text, end, last)
    return match.start(str(match.lastgroup)), end


def _find_quotes(text: str, bounds: Span, check: Check) -> Iterator[tuple[int, int, Kind]]:
    """Where an answer follows what it quotes, or a quotation an answer; nothing stands there."""
    if text.find(">", *bounds) < 0:
        return
    ends = {match.end() for match in _QUOTE_ENDS.finditer(text, *bounds)}
    check()
    begins = set()
    for match in _QUOTE_BEGINS.finditer(text, *bounds):
        above = text[max(bounds[0], match.start() - _MAX_LINE_CHARS) : match.start()]
        if not above[max(map(above.rfind, "\r\n")) + 1 :].lstrip().startswith(">"):
            begins.add(match.end())
    for at in sorted(ends | begins):
        yield at, at, Kind.NOTHING


def cut_at_marks(text: str, bounds: Span, check: Check) -> Iterator[tuple[int, int, Kind]]:
    """Cut out headings marked by `#`, `==` or a line below, definitions of notes and links, and a quotation's gaps.

    Args:
        text: the raw document.
        bounds: of a piece of it without blank lines.
        check: called every few milliseconds of work; raises to give up.

    Yields:
        Bounds of its parts in order, and what they are; parts may be blank.
    """
    begin, last = bounds
    if not _PERHAPS.search(text, begin, last):
        yield begin, last, Kind.PROSE
        return
    signs = (_find_signs(text, bounds, sign, check) for sign in ("#", "=="))
    others = _find_of_lines(text, bounds, check), _find_quotes(text, bounds, check)
    marks = merge(*signs, *others, key=itemgetter(0))
    for start, end, kind in marks:
        if start < begin:
            continue
        yield begin, start, Kind.PROSE
        yield start, end, kind
        begin = end
    yield begin, last, Kind.PROSE


def leave_out_definitions(words: str) -> str:
    """Leave out definitions of notes and links that stand in a paragraph.

    Args:
        words: as they stand in the text.

    Returns:
        The rest; the words as they were where nothing else stands there.
    """
    parts = cut_at_marks(words, (0, len(words)), go_on)
    rest = "".join(words[start:end] for start, end, kind in parts if kind is not Kind.NOTHING)
    return rest if any(map(str.isalnum, rest)) else words
