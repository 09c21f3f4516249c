"""Owns the elements of an article -> its text in pieces, with headings, items and notes marked as in Markdown."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from types import ModuleType
from typing import Any

from twohands.ends import ends_with_stop
from twohands.html_beside import holds_notes, is_caption, is_note_anchor
from twohands.html_points import read_number
from twohands.html_sizes import BLOCKS, HEADINGS, Size, descend, find_role, is_heading, list_classes, measure
from twohands.runs import LIST_WORDS, MIN_WORDS

# As they come from `walk`: however many, they end one line. A run of spaces is tried where it begins, else that of
# preformatted text is tried again from each of its spaces.
_ITEM_ENDS = re.compile(r"(?<! ) *+\x1e[\x1e ]*+")

_ITEM_END = "\x1e"  # a control character, which no text has
_BLANK_LINE = "\n\n"
_CAPTION = "[^figure]: "
_OTHER_NOTE = "[^*]: "  # whose number is a word of it
_MARKS = dict.fromkeys(BLOCKS, "\n\n") | {"br": "\n", "td": " ", "th": " "}  # what an element begins with
_CAPTIONS = {"p", "div", "dd"}  # blocks that pages have in the place of `figcaption`
_MAX_CAPTION_WORDS = 120
_PICTURES = {"img", "picture", "amp-img"}
_FRAME_LEVELS = 3  # around a picture and its caption
_LISTS = {"ul", "ol"}
# `[1]`, and `[footnote 1]` and `[nb 1]` of sites that say so.
_NOTE_MARK = re.compile(r"\[?(?:(?:(?:foot|end)?note|nb)\s)?(\d{1,3}|[a-z]|[ivxlc]{1,6}|[*\u2020\u2021\u00a7]{1,3})\]?")
# By Word, which raises marks by a style sheet. From the note back it leads by `_ftn1`.
_NOTE_REFERENCE = re.compile(r"_(?:ftn|edn)ref\d{1,4}")  # codespell:ignore
_POWER = re.compile(r"\d\^[+\u2212-]?(?!0\d)\d{1,3}")
# 5^99 of a price, whose sign stands on either side: no power, other than one of ten, $10^12.
_SIGN = r"[$\u20ac\u00a3\u00a5]"
_CENTS = re.compile(rf"(?:(?P<sign>{_SIGN})\s?)?(?<!\d)(?!10\^1)\d{{1,3}}(?:,\d{{3}})?\^\d\d(?(sign)\Z|\s?{_SIGN})")
_BEFORE_CHARS = 12  # in which the number and its sign stand
_INLINE = {"b", "em", "i", "span", "strong"}
_MOST_NODES = 10  # within it; a broken page has the rest of its text in one
_SPACE = re.compile(r"\s+")
_LINE_END = re.compile(r"\r\n?")
_GAP = re.compile(r"\n{3,}")


def _read_heading(tag: Any, bs4: ModuleType) -> str | None:  # noqa: ANN401 - a tag of an optional library
    """A heading in a line for itself, marked as Markdown does, so that it is one at any length; None for prose."""
    if not is_heading(tag):
        return None
    words = "".join(
        str(node) if type(node) is bs4.NavigableString else " " if node.name in _MARKS else ""
        for node in descend(tag, bs4)
    ).split()
    return f"\n\n{HEADINGS.get(tag.name, '##')} {' '.join(words)}\n\n" if 0 < len(words) < LIST_WORDS else None


def _last_words(node: Any, bs4: ModuleType) -> str:  # noqa: ANN401 - as above
    """The last string within a node of the tree, or the string that it is; empty where none is found soon."""
    for _ in range(_MOST_NODES):
        if type(node) is bs4.NavigableString:
            return str(node)
        if not getattr(node, "contents", None):
            return ""
        node = node.contents[-1]
    return ""


def _read_power(tag: Any, words: str, bs4: ModuleType) -> str:  # noqa: ANN401 - as above
    """Raised words as a power of the number before them; empty where they are none: cents, and minutes such as 00."""
    number = tag.previous_sibling
    if isinstance(number, bs4.Tag) and number.name not in _INLINE:
        return ""
    before = _last_words(number, bs4)[-_BEFORE_CHARS:]
    if not _POWER.fullmatch(f"{before[-1:]}^{words}"):
        return ""
    sign = _last_words(number.previous_sibling, bs4)[-_BEFORE_CHARS:]
    after = _last_words(tag.next_sibling, bs4)[:2]
    return "" if _CENTS.search(f"{sign}{before}^{words}") or _CENTS.search(f"{before}^{words}{after}") else f"^{words}"


def _read_raised(tag: Any, bs4: ModuleType) -> str:  # noqa: ANN401 - a tag of an optional library
    """The mark of a note that leads to it, as Markdown has it, or a power; empty for what else is raised."""
    is_of_word = tag.name == "a" and _NOTE_REFERENCE.fullmatch(str(tag.get("name") or "")) is not None
    if tag.name != "sup" and not is_of_word:
        return ""
    words, names, stack = "", {getattr(tag.parent, "name", "")}, [tag]
    for _ in range(_MOST_NODES):
        node = stack.pop() if stack else ""
        if isinstance(node, bs4.Tag):
            names.add(node.name)
            stack += reversed(node.contents[:_MOST_NODES])
        words += node if type(node) is bs4.NavigableString else ""
    mark = None if stack else _NOTE_MARK.fullmatch(words.strip())
    if is_of_word or "a" in names:
        return f"[^{mark[1]}]" if mark else ""
    return "" if stack else _read_power(tag, words.strip(), bs4)


def _is_inked(node: Any) -> bool:  # noqa: ANN401 - as above
    """Whether a string holds words, or a tag anything: of what was dropped one without stays."""
    return bool(node.contents if hasattr(node, "contents") else node.strip())


def _ends_with_stop(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Whether the last words within an element end a sentence."""
    node = tag
    for _ in range(_MOST_NODES):
        if not hasattr(node, "contents"):
            return ends_with_stop(node.strip())
        # Of a tag only what it holds is asked: as a string it would be written out each time.
        last = (each for each in reversed(node.contents[-_MOST_NODES:]) if _is_inked(each))
        node = next(last, "")
    return False


class _Marker:
    """What elements begin and end with, by what they stand in.

    The items of a list stand line by line and are marked, as in plain text: parted by blank lines, short ones passed
    for headings. A note in a list of notes, and the caption of a figure, are marked as Markdown defines notes.
    """

    def __init__(self, sizes: dict[int, Size]) -> None:
        self._sizes = sizes
        self._numbers: dict[int, int] = {}  # of the last item, by `id` of its list
        self.n_open: Counter[str] = Counter()
        self.is_begun = False  # a mark stands there, and its words are to follow on the same line

    def find_kinds(self, tag: Any) -> tuple[str, ...]:  # noqa: ANN401 - a tag of an optional library
        """What is counted while an element lasts."""
        kinds = ["heading"] if is_heading(tag) else ["pre"] if tag.name == "pre" else []
        if tag.name in _LISTS:
            size = self._sizes[id(tag)]
            # Menus are lists of links, and what is laid out by lists holds more than points that are made.
            kinds += ["list"] if not size.has_no_item and size.n_link_words * 2 < size.n_words else []
            items = [node for node in tag.contents if getattr(node, "name", None) == "li"]
            kinds += ["short"] if any(map(self._is_part, items)) else []
        kinds += ["notes"] if holds_notes(list_classes(tag), find_role(tag)) else []
        return tuple(kinds)

    def _is_part(self, item: Any) -> bool:  # noqa: ANN401 - as above
        """Whether an item says too little by itself to be a paragraph, or is a clause of what introduces the list."""
        n_words = self._sizes[id(item)].n_words
        return n_words < MIN_WORDS or (n_words < LIST_WORDS and not _ends_with_stop(item))

    def _number(self, item: Any) -> int:  # noqa: ANN401 - a tag of an optional library
        holder = id(item.parent)
        self._numbers[holder] = self._numbers.get(holder, 0) + 1
        return self._numbers[holder]

    def is_passed_over(self, tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        """Whether it is an empty block that would end an item before its words."""
        return self.is_begun and tag.name in BLOCKS and not tag.contents

    def begin(self, tag: Any) -> str:  # noqa: ANN401 - a tag of an optional library
        """The mark of an element; empty where it has none, or an item or a caption has only just begun."""
        is_within = self.n_open["list"] > 0
        if is_within and tag.name == "li":
            self.is_begun = True
            number = self._number(tag)
            if self.n_open["notes"]:
                return f"{_ITEM_END}[^{number}]: "
            return f"{self._part(tag)}{number}. " if tag.parent.name == "ol" else f"{self._part(tag)}- "
        mark = _MARKS.get(tag.name, "")
        if self.is_begun:
            return ""
        if tag.name == "p" and not is_within and self._is_note(tag):
            self.is_begun = True
            return mark + _OTHER_NOTE
        if self._is_caption(tag):
            self.is_begun = True
            return mark + _CAPTION
        return self._part(tag) if is_within and mark == "\n\n" else mark

    def read_whole(self, tag: Any, bs4: ModuleType) -> str:  # noqa: ANN401 - a tag of an optional library
        """What stands in the place of an element and all that it holds; empty where it is to be walked."""
        # Not within another: a heading without an end tag holds the rest of the page, and each was read to its end.
        told = _read_raised(tag, bs4) or (_read_heading(tag, bs4) if not self.n_open["heading"] else None)
        if told:
            self.is_begun = False
            return told
        number = "" if self.is_begun else read_number(tag, self._sizes, bs4)
        self.is_begun |= bool(number)
        return f"{self._part(tag) if self.n_open['list'] else _BLANK_LINE}{number} " if number else ""

    def _is_caption(self, tag: Any) -> bool:  # noqa: ANN401 - as above
        """Whether a block is the caption of a picture, by its element or its class."""
        size = self._sizes[id(tag)]
        if tag.name == "figcaption":
            return size.n_chars > 0
        if tag.name not in _CAPTIONS or not 0 < size.n_words <= _MAX_CAPTION_WORDS:
            return False
        classes = list_classes(tag)
        return is_caption(classes, has_picture=True) and is_caption(classes, has_picture=self._has_picture(tag))

    def _has_picture(self, tag: Any) -> bool:  # noqa: ANN401 - as above
        """Whether what holds a block and no other words holds a picture."""
        n_words = self._sizes[id(tag)].n_words
        for _ in range(_FRAME_LEVELS):
            if any(getattr(node, "name", None) in _PICTURES for node in tag.contents):
                return True
            tag = tag.parent
            if tag is None or id(tag) not in self._sizes or self._sizes[id(tag)].n_words > n_words:
                return False
        return any(getattr(node, "name", None) in _PICTURES for node in tag.contents)

    def _is_note(self, tag: Any) -> bool:  # noqa: ANN401 - as above
        """Whether a block is a note that stands in no list, by its class or the anchor that it begins with."""
        if self.n_open["notes"] or holds_notes(list_classes(tag), find_role(tag)):
            return self._sizes[id(tag)].n_chars > 0
        inked = (each for each in tag.contents[:_MOST_NODES] if hasattr(each, "contents") or each.strip())
        return is_note_anchor(next(inked, ""))

    def _part(self, tag: Any) -> str:  # noqa: ANN401 - as above
        """What stands at either end of a block in a list: items that are sentences of some length are paragraphs.

        But not beside items that cannot stand for themselves.
        """
        is_long = self._sizes[id(tag)].max_line_words >= MIN_WORDS
        return "\n\n" if is_long and not self.n_open["notes"] and not self.n_open["short"] else _ITEM_END

    def end(self, tag: Any) -> str:  # noqa: ANN401 - a tag of an optional library
        """What a block ends with."""
        return self._part(tag) if self.n_open["list"] else "\n\n"


def walk(top: Any, bs4: ModuleType) -> Iterator[tuple[str, bool]]:  # noqa: ANN401 - a tag of an optional library
    """Read the text below an element.

    Args:
        top: a tag of bs4.
        bs4: the library.

    Yields:
        The text in pieces, with blank lines around blocks, and whether the lines of a piece are its own.
    """
    # Own stack: pages nest deeper than Python recurses. A string on the stack is the end of a block, a tuple that of
    # what is counted.
    stack: list[Any] = [top]
    marker = _Marker(measure(top, bs4))
    n_open = marker.n_open
    while stack:
        node = stack.pop()
        if type(node) is tuple:
            n_open.subtract(node)
        elif type(node) is str:
            marker.is_begun = False
            yield node, False
        elif type(node) is bs4.NavigableString:  # its subclasses are comments, doctypes and the like
            if marker.is_begun and not node.strip():
                continue
            words = node.lstrip() if marker.is_begun else node
            marker.is_begun = False
            yield (_LINE_END.sub("\n", words), True) if n_open["pre"] else (_SPACE.sub(" ", words), False)
        elif isinstance(node, bs4.Tag) and not marker.is_passed_over(node):
            if told := marker.read_whole(node, bs4):
                yield told, False
                continue
            if mark := marker.begin(node):
                yield mark, n_open["pre"] > 0
            if node.name in BLOCKS:
                stack.append(marker.end(node))
            kinds = marker.find_kinds(node)
            n_open.update(kinds)
            stack.append(kinds)
            stack.extend(reversed(node.contents))


def _to_lines(pieces: Iterator[tuple[str, bool]]) -> Iterator[str]:
    """Lines without the space around them; those of preformatted text keep their indent, by which it is split."""
    for has_lines, group in groupby(pieces, key=lambda piece: piece[1]):
        lines = "".join(text for text, _ in group).split("\n")
        yield "\n".join(line.rstrip() if has_lines else line.strip() for line in lines)


def read_below(top: Any, bs4: ModuleType) -> str:  # noqa: ANN401 - a tag of an optional library
    """Read the text below an element.

    Args:
        top: a tag of bs4.
        bs4: the library.

    Returns:
        Blocks parted by one blank line.
    """
    text = "".join(_to_lines(walk(top, bs4)))
    return _GAP.sub("\n\n", _ITEM_ENDS.sub("\n", text)).strip()
