"""Owns a raw paragraph -> the words that are read of it: no marks of Markdown, no word parted at the end of a line.

Offsets count in the raw text all the same. Knows nothing of where paragraphs stand.
"""

import re
from functools import cached_property
from html import unescape

from twohands.hyphens import HYPHENS, find_words, join_word
from twohands.markers import GLUED, MARKER
from twohands.marks import leave_out_definitions
from twohands.pipe_tables import read_table

_MOST_CHARS = 5_000_000  # of a text, in which words and definitions are looked for: a second of work
_MOST_MARKS = 2000  # of emphasis in a paragraph: for each the next 300 characters are looked through
_LINE_END = re.compile(r"\r\n|\r|\n")
_PERHAPS = re.compile(r"[*_`~\[\\<|&]|\A\s*>")  # without one of these there is no mark
# As the page leaves them out of what it shows (paragraph.js), and what no page shows in their place.
_TITLE = r"""(?:\s+(?:"[^"\r\n]{0,200}"|'[^'\r\n]{0,200}'))?"""
_ADDRESSED = r"(?:[^()\s]|\([^()\s]{0,200}\))"  # as of Steel_(metal)
# A file beside the text; "[The board](sic)" is none.
_FILE = r"[\w%-][\w%./-]{0,200}\.(?:aspx?|csv|docx?|html?|jpe?g|md|odt|pdf|php|png|pptx?|qmd|txt|xlsx?)(?=[#?\s)])"
_LINK = re.compile(rf"!?\[([^\][\r\n]{{1,200}})\]\(<?(?:https?:|mailto:|/|#|\.|{_FILE}){_ADDRESSED}{{0,500}}{_TITLE}\)")
IMAGE = re.compile(rf"!\[[^\][\r\n]{{0,400}}\]\({_ADDRESSED}{{1,500}}{_TITLE}\)")
_EMPHASIS = re.compile(r"(?<![\w*_\\])(\*{1,3}|_{1,3})(?=\S)(.{1,300}?)(?<=[^\s\\])\1(?![\w*_])", re.DOTALL)
# What a text takes back is not read, as in HTML.
_STRUCK = re.compile(r"~~(?=\S)[^~]{1,4000}(?<=\S)~~|<(del|s|strike)>[^<>]{1,4000}</\1>", re.IGNORECASE)
_NO_WORD = re.compile(rf"[\W_]*(?:{MARKER}\s*)?")
# Of a page, in lines of their own; what is said within such a line is text.
_TAGS = re.compile(
    r"(?:</?(?:article|aside|br|center|details|div|figure|hr|main|p|section|span|summary)(?:\s[^<>]{0,300})?/?>\s*)+",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?<!`)`([^`\r\n]{1,200})`(?!`)")
_NOTE = re.compile(r"[^\S\r\n]?\[\^[^\]\s]{1,60}\](?!:)")
_ADDRESS = re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,500})>")
# Of newsletters, in brackets behind the words that it is a link of, or bare: a machine's, which nobody reads.
_LONG_ADDRESS = r"https?://[^\s<>()\[\]\"]{52,}(?<![.,;:!?])"
_LONG_ADDRESSES = re.compile(rf"\s?(?:[(<\[]\s?{_LONG_ADDRESS}\s?[)>\]]|{_LONG_ADDRESS})")
_TAG = re.compile(  # with attributes, or nothing: <A board of the state> is a quotation
    r"</?(?:a|b|br|del|em|i|ins|kbd|mark|small|span|strong|sub|sup|u)(?:\s{1,9}[\w:-]{1,40}\s?=[^<>\r\n]{0,200})?\s?/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(
    r"&(?:amp|apos|gt|hellip|[lr][ds]quo|lt|[mn]dash|nbsp|quot|#\d{2,5}|#[xX][0-9a-fA-F]{2,4});"  # what exports leave
)
_ESCAPED = re.compile(r"\\([*_`~\[\]#>|\\'\"$])")  # quotes and signs of dollars by pandoc
_LINE = r"(?:^|(?<=\r)(?!\n))"  # begins behind the line end of any system
_QUOTED = re.compile(rf"{_LINE}[^\S\r\n]*+(?:>[^\S\r\n]?)++", re.MULTILINE)
_BOX = re.compile(rf"{_LINE}([^\S\r\n]*+(?:[-*+]|\d{{1,3}}[.)])[^\S\r\n]++)\[[ xX]\](?=\s)", re.MULTILINE)
# At the begin of a line, or behind a clause; not of "f(a)b", "Art. 3(a)and" or "an (a)symmetric shock".
_GLUED = re.compile(
    rf"(?:{_LINE}[^\S\r\n]*+(?:>[^\S\r\n]?)*+|[:;,\u2014]\s(?:and\s|or\s)?)(?P<number>{GLUED})", re.MULTILINE
)
_PERHAPS_GLUED = re.compile(r"\)[^\W\d_]")
_WHOLE_WORD = re.compile(r"(?:an?|any|by|each|of|such|that|the|these|this|those|to|where|which)\s")
_REFERENCE = re.compile(r"\[([^\][\r\n]{1,200})\]\[([^\][\r\n]{0,200})\]")
_DEFINITION = re.compile(r"^ {0,3}\[([^\][\r\n^]{1,200})\]:[^\S\r\n]*+\S", re.MULTILINE)


def is_struck_out(piece: str) -> bool:
    """Say whether all of a piece of a document is struck out, as `~~so~~`, but for the marks of its items.

    Args:
        piece: what stands between blank lines, without space around it.

    Returns:
        False where a word is left.
    """
    if "~~" not in piece and "<" not in piece:
        return False
    left = _STRUCK.sub("", piece)
    return left != piece and all(map(_NO_WORD.fullmatch, _LINE_END.split(left)))


def is_tags_alone(piece: str) -> bool:
    """Say whether a piece of a document is nothing but tags of HTML, as `</details>`.

    Args:
        piece: what stands between blank lines, without space around it.

    Returns:
        False where a word stands between them.
    """
    return piece[:1] == "<" and _TAGS.fullmatch(piece) is not None


def leave_out_emphasis(words: str) -> str:
    """Leave out marks of emphasis and what links point to.

    Args:
        words: of a heading, or of a paragraph.

    Returns:
        The words between them; `snake_case` and `2*3*4` stay as they are.
    """
    shown = _LINK.sub(r"\1", words)
    if shown.count("*") + shown.count("_") > _MOST_MARKS:
        return shown
    shown = _EMPHASIS.sub(r"\2", shown)
    return _EMPHASIS.sub(r"\2", shown)  # one within another


class PlainWords:
    """Reads the paragraphs of one text."""

    def __init__(self, text: str) -> None:
        """Look at nothing yet: most texts have no marks.

        Args:
            text: the raw document.
        """
        self._text = text

    @cached_property
    def _names(self) -> frozenset[str]:
        """What the text defines links by; without it `[the] [board]` are words that somebody put in brackets."""
        return frozenset(match[1].lower() for match in _DEFINITION.finditer(self._text, 0, _MOST_CHARS))

    @cached_property
    def _words(self) -> frozenset[str]:
        return find_words(self._text[:_MOST_CHARS].splitlines())

    @cached_property
    def _has_glued_list(self) -> bool:
        """Whether the text has a number and the next one, each glued to a word: a single one may be a part of it."""
        numbers = {match["number"][1:-1] for match in _GLUED.finditer(self._text, 0, _MOST_CHARS)}
        following = (
            {str(int(each) + 1)} if each.isdecimal() else {f"{each}i", chr(ord(each[-1]) + 1)} for each in numbers
        )
        return any(not numbers.isdisjoint(each) for each in following)

    def _part_glued(self, match: re.Match[str]) -> str:
        is_whole = _WHOLE_WORD.match(match.string, match.end()) is not None
        return f"{match[0]} " if is_whole or self._has_glued_list else match[0]

    def _read_reference(self, match: re.Match[str]) -> str:
        return match[1] if (match[2] or match[1]).lower() in self._names else match[0]

    def _join(self, raw: str) -> str:
        """Put together words that were parted at the end of a line."""
        lines = [line.rstrip() for line in _LINE_END.split(raw)]
        if not any(line.endswith(HYPHENS) for line in lines[:-1]):
            return raw
        pieces: list[str] = [lines[0]]
        for line in lines[1:]:
            words = line.lstrip()
            # With the last line alone: put together with all before, one of 100,000 characters took seconds.
            joined = join_word(pieces[-1], words, self._words) if words else None
            if joined:
                pieces[-1] = joined[: -len(words)]
            pieces += [words] if joined else ["\n", line]
        return "".join(pieces)

    def read(self, raw: str) -> str:
        """Read what a paragraph says.

        Args:
            raw: as it stands in the text.

        Returns:
            The same without what is struck out, without addresses of 60 characters and more, without definitions of
            notes and links that stand between short pieces which are one paragraph together, and without marks: of
            quotations, emphasis, links, images, notes, code, tables, boxes to tick and those of HTML within a line; as
            it was where nothing else is left. What marks an item is parted from the word that is glued to it.
        """
        words = raw = leave_out_definitions(raw) if "]:" in raw else raw
        if _PERHAPS.search(raw):
            quoted = _QUOTED.sub("", raw) if raw.lstrip().startswith(">") else raw
            shown = _BOX.sub(r"\1", read_table(quoted))
            shown = leave_out_emphasis(_NOTE.sub("", IMAGE.sub("", shown)))
            shown = _REFERENCE.sub(self._read_reference, shown) if "][" in shown else shown
            shown = _CODE.sub(r"\1", shown if is_struck_out(shown) else _STRUCK.sub("", shown))
            shown = _ESCAPED.sub(r"\1", _TAG.sub(" ", _ADDRESS.sub(r"\1", shown)))
            shown = _ENTITY.sub(lambda match: unescape(match[0]), shown) if "&" in shown else shown
            words = shown if any(map(str.isalnum, shown)) else raw
        if "://" in words:
            shown = _LONG_ADDRESSES.sub("", words)
            words = shown if any(map(str.isalnum, shown)) else words
        if _PERHAPS_GLUED.search(words):
            words = _GLUED.sub(self._part_glued, words)
        return self._join(words)
