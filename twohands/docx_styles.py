"""Owns what a .docx says of its styles and of how its items are counted. Knows nothing of its text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

HEADING = re.compile(r"(?:heading ([1-9])|title|subtitle)$")
OFF = {"0", "false", "off"}  # values of a mark that takes back what a style says
_MAX_STYLES = 10  # that are based on each other
_NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_W = f"{_NAMESPACE} "
_STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main "
_LISTS = ("list bullet", "list number")  # names of styles begin so, of which Word knows itself that they are items'
_BULLET = "bullet"


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says of its paragraphs, or one that it is based on; `level` counts from 0, 9 is that of text.

    `rule` is by which numbering its items are counted; empty where none is named.
    """

    name: str = ""
    is_item: bool = False
    level: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """How an item is marked, by a bullet or a number, and how deep it stands, in twentieths of a point."""

    kind: str = ""
    indent: int = 0


def read_tag(name: str) -> str:
    """The name of an element of Word's, without its namespace; of others the whole."""
    return name.removeprefix(_W).removeprefix(_STRICT)


def read_value(attributes: Mapping[str, str], name: str) -> str:
    """What an attribute of Word's says; empty where there is none."""
    return attributes.get(_W + name) or attributes.get(_STRICT + name) or ""


class Styles:
    """Reads what styles say by their ids, which are of the language of Word; names are English in each."""

    def __init__(self) -> None:
        """Begin before the first style."""
        self._names: dict[str, str] = {}
        self._bases: dict[str, str] = {}
        self._hidden: dict[str, bool] = {}  # where a style says so or the contrary
        self._items: dict[str, bool] = {}  # likewise, or where its name says so
        self._rules: dict[str, str] = {}
        self._levels: dict[str, str] = {}
        self._id = ""

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take in the begin of an element, as expat names it."""
        tag, value = read_tag(name), read_value(attributes, "val")
        if tag == "vanish" and self._id:
            self._hidden[self._id] = value not in OFF
        elif tag == "style":
            self._id = read_value(attributes, "styleId")
        elif tag == "name":
            self._names[self._id] = value.lower()
            if value.lower().startswith(_LISTS):
                self._items.setdefault(self._id, True)
        elif tag == "basedOn":
            self._bases[self._id] = value
        elif tag == "numId" and self._id:
            self._items[self._id], self._rules[self._id] = value != "0", value
        elif tag == "outlineLvl" and value.isdigit() and self._id:
            self._levels[self._id] = value

    def _find_bases(self, style: str) -> list[str]:
        """A style and those that it is based on, the nearest first, which counts where several say something."""
        found = [style]
        while len(found) < _MAX_STYLES and (base := self._bases.get(found[-1], "")):
            found.append(base)
        return found

    def list_styles(self) -> dict[str, Style]:
        """What is known of each style by its id; its name is its own, or that of a heading that it is based on."""
        styles = {}
        for style, name in self._names.items():
            bases = self._find_bases(style)
            headings = (self._names[base] for base in bases if HEADING.match(self._names.get(base, "")))
            is_item = next((self._items[base] for base in bases if base in self._items), False)
            level = next((self._levels[base] for base in bases if base in self._levels), "")
            rule = next((self._rules[base] for base in bases if base in self._rules), "")
            styles[style] = Style(next(headings, name), is_item, level, rule)
        return styles

    def list_hidden(self) -> set[str]:
        """The styles whose words are hidden, by themselves or by what they are based on."""
        said = {style: [self._hidden.get(base) for base in self._find_bases(style)] for style in self._names}
        return {style for style, each in said.items() if next((value for value in each if value is not None), False)}


class Numbering:
    """Reads by which rule items are counted: one is of a kind, which says it level by level."""

    def __init__(self) -> None:
        """Begin before the first rule."""
        self._marks: dict[tuple[str, str], Mark] = {}  # by kind and level
        self._kinds: dict[str, str] = {}  # by rule
        self._kind = self._level = self._rule = ""

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take in the begin of an element, as expat names it."""
        tag, value = read_tag(name), read_value(attributes, "val")
        where = self._kind, self._level
        if tag == "abstractNum":
            self._kind, self._rule = read_value(attributes, "abstractNumId"), ""
        elif tag == "num":
            self._kind, self._rule = "", read_value(attributes, "numId")
        elif tag == "abstractNumId" and self._rule:
            self._kinds[self._rule] = value
        elif tag == "lvl":
            self._level = read_value(attributes, "ilvl")
        elif tag == "numFmt" and self._kind:
            self._marks[where] = Mark(_BULLET if value == _BULLET else "number")
        elif tag == "ind" and self._kind and where in self._marks:
            indent = read_value(attributes, "left") or read_value(attributes, "start")
            self._marks[where] = Mark(self._marks[where].kind, int(indent) if indent.isdigit() else 0)

    def find(self, rule: str, depth: str, style: Style) -> Mark:
        """Say how an item is marked.

        Args:
            rule: of the item; empty where nothing names one.
            depth: its level, from 0.
            style: of its paragraph, whose name tells it where no rule does.

        Returns:
            A mark of no kind where nothing is known of it.
        """
        known = self._marks.get((self._kinds.get(rule, ""), depth))
        return known or Mark(_BULLET if style.name.startswith(_LISTS[0]) else "number" if style.is_item else "")
