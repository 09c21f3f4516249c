"""Owns notes that stand below a page or a text and have its marks -> the same text, as long as it was, without them.

A text that was copied from a PDF has them between its paragraphs, or in the middle of a sentence.
"""

import re
from collections.abc import Callable
from itertools import pairwise

from twohands.ends import ends_sentence, ends_with_stop
from twohands.lines import MAX_WIDTH, goes_on_as

SEEN_CHARS = 20_000  # before a note, among which its mark is looked for
MAX_FAILED = 50  # searches for marks in vain, behind which a text has no notes
MAX_PLACES = 50  # of a number, among which is its mark
MIN_WORDS = 4  # of a note whose number nothing encloses: fewer are a heading
MAX_CHARS = 2000  # of a note
FULL_SHARE = 0.75  # of the widest line, below which a line is a paragraph's last

_NL = r"(?>\r\n|\r|\n)"
_SUPERSCRIPTS = str.maketrans("\u00b9\u00b2\u00b3\u2070\u2074\u2075\u2076\u2077\u2078\u2079", "1230456789")
_MARK = (
    r"[^\S\r\n\f]*+(?P<mark>\[(?P<enclosed>\d{1,3})\](?=[^\S\r\n])|\\(?P<slashed>\d{1,3})\\(?=[^\S\r\n])"
    r"|(?P<bare>\d{1,3})(?=[^\S\r\n]+[\"'\u201c\u2018(]?[^\W\d_a-z])"
    r"|(?P<raised>[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,3})(?=[^\S\r\n]?[\"'\u201c\u2018(]?[^\W\d_]))"
)
# As print has it above notes.
_RULE = rf"(?P<rule>(?:[^\S\r\n\f]*+[_*\u2500\u2013\u2014-]{{3,80}}+[^\S\r\n\f]*+{_NL})?+)"
# Looked for behind a word: from each of many blank lines the others would be read again.
_FIRST = re.compile(
    rf"[\r\n\f](?:(?<=\f)|(?:(?<=\S[\r\n])|(?<=\S [\r\n]))(?:(?<=\r)\n)?+(?:[^\S\r\n\f]*+{_NL})++){_RULE}{_MARK}"
)
_NEXT = re.compile(rf"{_NL}(?:[^\S\r\n\f]*+{_NL})*+{_MARK}")
_END = re.compile(rf"{_NL}[^\S\r\n\f]*+{_NL}|\f|\Z")
_LINE_END = re.compile(r"[\r\n]")
_INK = re.compile(r"\S")
_ENCLOSED = re.compile(r"(?<=[^\s\[])\[\d{1,3}\]|(?<=[^\s\\])\\\d{1,3}\\")
_RAISED = re.compile(r"(?<=[^\s\d])[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,3}")
_BARE = re.compile(
    r"(?:(?<=[^\W\d_]{3})|(?<=[^\W\d_][.,;:!?])|(?<=[.,;:!?%)][\"'\u201d\u2019)]))\d{1,3}(?![\w%]|[.,:/-]\d)"
)
# What is counted by a number behind it: "schedule1", "fig.1"; and the signs of currencies, "EUR1 billion".
_COUNTED = re.compile(
    r"\b(?:(?:annex|appendix|article|box|category|chapter|chart|class|clause|equation|exhibit|figure|form|formula|goal|"
    r"group|item|level|objective|option|page|paragraph|part|phase|pillar|question|regulation|rule|schedule|scope|section|"
    r"stage|step|table|target|tier|title|type|unit|version|volume|web|zone)s?"
    r"|(?:app|arts?|cl|ch|eqs?|figs?|nos?|paras?|pp|regs?|secs?|tab|vols?)\.?"
    r"|(?-i:AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|INR|JPY|KRW|MXN|MYR|NGN|NOK|NZD|PHP|PLN|RMB|RON|RUB|SAR|"
    r"SDR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND))\Z",
    re.IGNORECASE,
)
_MONTH = re.compile(r"(?:January|February|March|April|May|June|July|August|September|October|November|December)\b(?!,)")

_CHARS_BETWEEN_CHECKS = 100_000
_NOTES_BETWEEN_CHECKS = 1000

Check = Callable[[], None]


def _read_number(match: re.Match[str]) -> int:
    return int((match["enclosed"] or match["slashed"] or match["bare"] or match["raised"]).translate(_SUPERSCRIPTS))


def _has_mark(text: str, match: re.Match[str], begin: int) -> bool:
    """Whether the mark of a note stands behind a word, or what closes one, before the note."""
    mark = str(_read_number(match)) if match["bare"] else match["mark"]
    pattern = _BARE if match["bare"] else _RAISED if match["raised"] else _ENCLOSED
    first, position = max(begin, match.start() - SEEN_CHARS), match.start() + 1
    # Found by the number: a pattern would be tried at each of so many characters.
    for _ in range(MAX_PLACES):
        position = text.rfind(mark, first, position)
        if position < 0:
            return False
        found = pattern.match(text, position)
        if (
            found
            and found[0] == mark
            and not (match["bare"] and _COUNTED.search(text[max(0, position - 20) : position]))
        ):
            return True
        position += len(mark) - 1
    return False


def _is_worded(text: str, match: re.Match[str]) -> bool:
    """Whether what follows a number is no heading and no date."""
    if not match["bare"]:
        return True
    line = _LINE_END.split(text[match.end() : match.end() + 400].lstrip(), maxsplit=1)[0]
    return not _MONTH.match(line) and (len(line.split()) >= MIN_WORDS or ends_sentence(line.rstrip()))


def _find_end(text: str, note: re.Match[str]) -> int | None:
    """Where a note ends; None where it is too long to be one.

    That is at a blank line, or at the end of a sentence where lines are not wrapped or the line is a paragraph's last.
    """
    limit = note.end() + MAX_CHARS
    end = _END.search(text, note.end(), limit)
    last = end.start() if end else limit
    lines = text[note.start("mark") : last].splitlines(keepends=True)
    width = max(map(len, lines), default=0)
    position = note.start("mark")
    for line, following in pairwise(lines):
        position += len(line)
        words = line.rstrip()
        is_last = len(line) > MAX_WIDTH or len(line) < FULL_SHARE * width
        if is_last and ends_with_stop(words) and not goes_on_as(following.lstrip() or "."):
            return position - len(line) + len(words)
    return last if last < limit or last == len(text) else None


def _find_first(text: str, position: int, check: Check) -> re.Match[str] | None:
    for begin in range(position, len(text), _CHARS_BETWEEN_CHECKS):
        check()
        if match := _FIRST.search(text, begin, begin + _CHARS_BETWEEN_CHECKS + MAX_CHARS):
            return match
    return None


def _find_notes(text: str, check: Check) -> list[tuple[int, int]]:
    """Where notes in a row stand, without what parts them from the text."""
    found: list[tuple[int, int]] = []
    last, n_failed, position, page = 0, 0, 0, 0
    while n_failed < MAX_FAILED and (match := _find_first(text, position, check)):
        check()
        position = match.end()
        number = _read_number(match)
        if number != last + 1 and number != 1:
            continue
        # Notes that begin again at 1 have their marks behind those before.
        if not _is_worded(text, match) or not _has_mark(text, match, page if number == 1 else 0):
            n_failed += 1
            continue
        start, note, end = match.start("rule"), match, _find_end(text, match)
        following = None
        while end is not None:
            check()
            # One may follow in the next line, or behind a blank one.
            following = _NEXT.search(text, note.end(), end) or _NEXT.match(text, end)
            if not following or _read_number(following) != _read_number(note) + 1 or not _has_mark(text, following, 0):
                break
            note, end = following, _find_end(text, following)
        # Where paragraphs are numbered, the next one has a number, too, and no mark has it.
        is_numbering = following and _read_number(following) == _read_number(note) + 1 and _is_worded(text, following)
        position = end or note.end()
        if end is None or is_numbering:
            n_failed += 1
            continue
        last = _read_number(note)
        found.append((start, end))
        page = end
    return found


def blank_footnotes(text: str, check: Check) -> str:
    """Put spaces in the place of notes, and join sentences that go on behind them.

    A note begins with its number, alone, in brackets, raised, or between backslashes, as gazettes of the United States
    have it; it counts on from the one before, or begins again at 1; and a word before it has that number behind it,
    without a space.

    Args:
        text: the raw document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        A text of the same length.
    """
    if "1" not in text and "\u00b9" not in text:  # with which notes begin
        return text
    pieces, begin = [], 0
    for number, (start, end) in enumerate(_find_notes(text, check)):
        if number % _NOTES_BETWEEN_CHECKS == 0:
            check()
        behind_from = next((match.start() for match in _INK.finditer(text, end)), len(text))
        before, behind = text[begin:start], text[behind_from : behind_from + 1]
        words = before.rstrip()
        if behind and words and not ends_sentence(words) and goes_on_as(behind):
            start, end = begin + len(words), behind_from
            pieces += [words, " " * (end - start - 1), "\n"]
        else:
            pieces += [before, "".join(each if each in "\r\n" else " " for each in text[start:end])]
        begin = end
    return "".join([*pieces, text[begin:]])
