"""Owns notes that stand below a page or a text and have its marks -> the same text, as long as it was, without them.

A text that was copied from a PDF has them between its paragraphs, or in the middle of a sentence.
"""

import re
from collections.abc import Callable

from twohands.ends import ends_sentence
from twohands.lines import goes_on_as

SEEN_CHARS = 20_000  # before a note, among which its mark is looked for
MAX_FAILED = 50  # searches for marks in vain, behind which a text has no notes
MIN_WORDS = 4  # of a note whose number nothing encloses: fewer are a heading

_NL = r"(?>\r\n|\r|\n)"
_SUPERSCRIPTS = str.maketrans("\u00b9\u00b2\u00b3\u2070\u2074\u2075\u2076\u2077\u2078\u2079", "1230456789")
_MARK = (
    r"[^\S\r\n\f]*+(?P<mark>\[(?P<enclosed>\d{1,3})\](?=[^\S\r\n])|(?P<bare>\d{1,3})(?=[^\S\r\n]+[\"'\u201c\u2018(]?[^\W\d_a-z])"
    r"|(?P<raised>[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,3})(?=[^\S\r\n]?[\"'\u201c\u2018(]?[^\W\d_]))"
)
# Looked for behind a word: from each of many blank lines the others would be read again.
_FIRST = re.compile(
    rf"[\r\n\f](?:(?<=\f)|(?:(?<=\S[\r\n])|(?<=\S [\r\n]))(?:(?<=\r)\n)?+(?:[^\S\r\n\f]*+{_NL})++){_MARK}"
)
_NEXT = re.compile(rf"{_NL}(?:[^\S\r\n\f]*+{_NL})*+{_MARK}")
_END = re.compile(rf"{_NL}[^\S\r\n\f]*+{_NL}|\f|\Z")
_LINE_END = re.compile(r"[\r\n]")

Check = Callable[[], None]


def _read_number(match: re.Match[str]) -> int:
    return int((match["enclosed"] or match["bare"] or match["raised"]).translate(_SUPERSCRIPTS))


def _has_mark(text: str, match: re.Match[str], begin: int) -> bool:
    """Whether the mark of a note stands behind a word, or what closes one, before the note."""
    number = str(_read_number(match))
    if match["enclosed"]:
        mark = rf"(?<=[^\s\[])\[{number}\]"
    elif match["raised"]:
        mark = rf"(?<=[^\s\d]){match['raised']}"
    else:
        mark = (
            rf"(?:(?<=[^\W\d_]{{3}})|(?<=[^\W\d_][.,;:!?])|(?<=[.,;:!?%)][\"'\u201d\u2019)]))"
            rf"{number}(?![\w%]|[.,:/-]\d)"
        )
    return re.search(mark, text[max(begin, match.start() - SEEN_CHARS) : match.start() + 1]) is not None


def _is_note(text: str, match: re.Match[str], begin: int) -> bool:
    if match["bare"]:
        line = _LINE_END.split(text[match.end() : match.end() + 400].lstrip(), maxsplit=1)[0]
        if len(line.split()) < MIN_WORDS and not ends_sentence(line.rstrip()):
            return False
    return _has_mark(text, match, begin)


def _find_notes(text: str, check: Check) -> list[tuple[int, int]]:
    """Where notes in a row stand, without what parts them from the text."""
    found: list[tuple[int, int]] = []
    last, n_failed, position, page = 0, 0, 0, 0
    while n_failed < MAX_FAILED and (match := _FIRST.search(text, position)):
        check()
        position = match.end()
        number = _read_number(match)
        if number != last + 1 and number != 1:
            continue
        # Notes that begin again at 1 have their marks behind those before.
        if not _is_note(text, match, page if number == 1 else 0):
            n_failed += 1
            continue
        start, note, position = match.start("mark"), match, 0
        while True:
            last = _read_number(note)
            if note.end() > position:
                end = _END.search(text, note.end())
                position = end.start() if end else len(text)
            # One may follow in the next line, or behind a blank one.
            following = _NEXT.search(text, note.end(), position) or _NEXT.match(text, position)
            if not following or _read_number(following) != last + 1 or not _has_mark(text, following, 0):
                break
            note = following
        found.append((start, position))
        page = position
    return found


def blank_footnotes(text: str, check: Check) -> str:
    """Put spaces in the place of notes, and join sentences that go on behind them.

    A note begins with its number, alone, in brackets or raised; it counts on from the one before, or begins again at
    1; and a word before it has that number behind it, without a space.

    Args:
        text: the raw document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        A text of the same length.
    """
    if "1" not in text and "\u00b9" not in text:  # with which notes begin
        return text
    pieces, begin = [], 0
    for start, end in _find_notes(text, check):
        before, behind = text[begin:start], text[end : end + 400].lstrip()
        words = before.rstrip()
        if behind and words and not ends_sentence(words) and goes_on_as(behind):
            start, end = begin + len(words), len(text) - len(text[end:].lstrip())
            pieces += [words, " " * (end - start - 1), "\n"]
        else:
            pieces += [before, "".join(each if each in "\r\n" else " " for each in text[start:end])]
        begin = end
    return "".join([*pieces, text[begin:]])
