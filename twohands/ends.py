"""Owns what ends a sentence or a clause: its mark, the quotes and brackets that close, the number of a note behind."""

import re

_CLOSERS = r"['\"\u2019\u201d)\]]"
_END_CLOSERS = r"['\"\u2019\u201d\u2018\u201c)\]]"  # German quotes, too; amid a text these begin an English quotation
_TAIL_CHARS = 80  # what stands further before an end says nothing of it

# Bare digits are a note's only behind a word or what closes: 3.5 is a number, and so is what follows "No." or "p.".
_ABBREVIATIONS = ("No", "Nos", "Art", "Arts", "Sec", "Fig", "Figs", "Vol", "Ch", "pp", "para", "paras")
_NO_NUMBER = "".join(rf"(?<!\b{word}\.)" for word in _ABBREVIATIONS)
_DIGITS = rf"(?:(?<=[^\W\d_]{{2}}[.!?\u2026])|(?<=[.!?\u2026]{_CLOSERS})){_NO_NUMBER}\d{{1,3}}(?!\d)"
_SUPERSCRIPTS = r"[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,4}"
_IN_BRACKETS = (
    r"\[(?:\d{1,4}|[a-z]{1,2}|note \d{1,3}|\^[^\s\]]{1,20}"
    r"|(?:(?:better source|citation|clarification|page) needed|according to whom\?|when\?|who\?))\]"  # of encyclopedias
    r"|\\\d{1,3}\\"  # of the Federal Register
)
NOTES = rf"(?:\s?(?:{_IN_BRACKETS}|{_SUPERSCRIPTS}|{_DIGITS}))*+"

# What else closes and stops in other scripts and in Markdown: asked for only where a wrong "no" would lose text.
_ALL_CLOSERS = r"['\"\u2019\u201d\u2018\u201c)\]*_\u00ab\u00bb\u2039\u203a\u300d\u300f]"
_STOPS = r".!?\u2026\u3002\u061f\u06d4\u0964\uff01\uff1f"
_MORE_NOTES = (
    r"\[(?:[Nn]otes? )?\d{1,4}[a-z]?(?:[,;\u2013-]\s?\d{1,4})*\]|[\u2020\u2021]{1,3}"
    r"|(?<=[^\W\d_]{2}[.!?\u2026])\(\d{1,3}\)|[(\[]\d{6,7}[)\]]|\[sic\]|[(\[]emphasis added[)\]]"
    r"|[\u2600-\u27bf\u2b50\U0001f000-\U0001faff\ufe0f\u200d]++"  # pictures in posts
)
_ALL_NOTES = rf"(?:\s?(?:{_IN_BRACKETS}|{_SUPERSCRIPTS}|{_DIGITS}|{_MORE_NOTES}))*+"
_ALL_CLOSED = rf"(?:[^\S\r\n]?{_ALL_CLOSERS})*+{_ALL_NOTES}{_ALL_CLOSERS}*+$"
_ANY_END = re.compile(rf"[{_STOPS}:;\uff1a]{_ALL_CLOSED}")
_ANY_STOP = re.compile(rf"[{_STOPS}]{_ALL_CLOSED}")
SENTENCE_END = re.compile(rf"[.!?:;\u2026\u3002]{_END_CLOSERS}*+{NOTES}{_END_CLOSERS}*+$")
_COMMA = re.compile(rf",{_END_CLOSERS}*+(?:\s++(?:and|or|and/or|but))?$")
_CLAUSE_END = re.compile(rf"[,;]{_END_CLOSERS}*+(?:\s++(?:and|or|and/or|but))?$")


def ends_sentence(text: str) -> bool:
    """Say whether a text ends a sentence, or what introduces another: a stop, a colon, a semicolon.

    Args:
        text: without space at its end.

    Returns:
        True, too, where a note's mark follows: `[1]`, superscripts, up to three digits, also between backslashes.
    """
    return bool(SENTENCE_END.search(text[-_TAIL_CHARS:]))


def may_end_sentence(text: str) -> bool:
    """Say whether a text may end a sentence in any script, behind quotes of any kind or Markdown's marks of emphasis.

    Args:
        text: without space at its end.

    Returns:
        True wherever `ends_sentence` says so, too.
    """
    return bool(_ANY_END.search(text[-_TAIL_CHARS:])) or ends_sentence(text)


def ends_with_stop(text: str) -> bool:
    """Say whether a text ends with a stop of any script, behind quotes of any kind or Markdown's marks of emphasis.

    Args:
        text: without space at its end.

    Returns:
        False behind a colon or a semicolon, as headings that are set bold end with a colon.
    """
    return bool(_ANY_STOP.search(text[-_TAIL_CHARS:]))


def ends_with_comma(text: str) -> bool:
    """Say whether a text ends as `ends_clause` has it, but with a comma, as salutations and verse do, too.

    Args:
        text: without space at its end.

    Returns:
        True behind `,`, with or without `and`, `or`, `but`.
    """
    return bool(_COMMA.search(text[-_TAIL_CHARS:]))


def ends_clause(text: str) -> bool:
    """Say whether a text ends as a clause of a law or a resolution does that goes on in the next one.

    Args:
        text: without space at its end.

    Returns:
        True behind `;` or `,`, with or without `and`, `or`, `but`.
    """
    return bool(_CLAUSE_END.search(text[-_TAIL_CHARS:]))
