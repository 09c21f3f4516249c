"""Owns line ends that few programs write -> the same text, as long as it was, with those that all do.

Word and InDesign write U+2028 and U+000B, mainframes U+0085, logs and exports of JSON a backslash and an n.
"""

import re

MIN_ESCAPED = 2  # of one nobody can say

_RARE = "\u2028\x85\x0b"
_IS_RARE = re.compile(f"[{_RARE}]")
_RARE_BLANK_LINE = re.compile(f"[{_RARE}](?:[^\\S\r\n{_RARE}]*+[{_RARE}])++")
_USUAL = re.compile(r"[\r\n]")
_OLD_MAC = re.compile(r"\r(?!\n)")
# Behind what ends a sentence, and before what begins one: C:\notes.\new is a path, \nu a letter of a formula.
_ESCAPED_END = re.compile(r"[.!?\"\u201d](?:\\r)?\\n(?=\\[nrt\"]|\s*(?:[-*#\u2022\u201c\d]|[^\Wa-z_]|\Z))")
_ESCAPED_IN_WORD = re.compile(r"\\n[a-z]")
_MAX_IN_WORD_SHARE = 1 / 3
_ESCAPED = re.compile(r"\\([nrt\"])")
_MEANT = {"n": " \n", "r": "  ", "t": "  ", '"': ' "'}


def _has_lines(text: str) -> bool:
    found = _USUAL.search(text, len(text) - len(text.lstrip()))
    return found is not None and not text[found.start() :].isspace()


def _has_escaped_ends(text: str) -> bool:
    n = text.count("\\n")
    if n < MIN_ESCAPED or not _ESCAPED_END.search(text):
        return False
    return len(_ESCAPED_IN_WORD.findall(text)) <= _MAX_IN_WORD_SHARE * n


def use_common_line_ends(text: str) -> str:
    r"""Put `\n` in the place of other line ends, so that each character stays where it was.

    Beside `\n` or `\r` a single one of the others is a break within a paragraph, as typesetters set it, and only two
    with nothing between are a blank line; where there are no others, they end lines. A text in a single line with
    `\n` spelt out is read as JSON would be. A second `\r` that a line end was given when it was copied is none.

    Args:
        text: the raw document.

    Returns:
        A text of the same length; the one that was given where there is nothing to change.
    """
    if "\r\r\n" in text:
        text = text.replace("\r\r\n", " \r\n")
    if "\r" in text:  # lists and tables are known by their `\n`
        text = _OLD_MAC.sub("\n", text)
    if _IS_RARE.search(text):
        if not _has_lines(text):
            text = _IS_RARE.sub("\n", text)
        else:
            text = _RARE_BLANK_LINE.sub(lambda match: _IS_RARE.sub("\n", match[0]), text)
    if "\\n" in text and not _has_lines(text) and _has_escaped_ends(text):
        text = _ESCAPED.sub(lambda match: _MEANT[match[1]], text)
    return text
