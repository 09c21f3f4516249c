"""Owns how much stands in each element of a page, and of what kind. Knows nothing of which is the article."""

import re
from collections import defaultdict
from dataclasses import dataclass
from types import ModuleType
from typing import Any

_COMMENT = re.compile(r"comment(?:$|[-_])", re.IGNORECASE)
BLOCKS = {
    "address", "article", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "hgroup", "hr", "html", "legend", "li", "main",
    "menu", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
# What lists hold that are set for their looks: cards, results, galleries.
_NO_ITEM = {"article", "blockquote", "figure", "form", "pre", "section", "table", *HEADINGS}


@dataclass(slots=True)
class Size:
    """What stands in an element, everything below it included."""

    n_chars: int = 0
    n_words: int = 0
    n_line_words: int = 0  # of these, not in blocks within
    max_line_words: int = 0  # of itself or a block within
    has_main: bool = False
    has_comment: bool = False  # marked as one of a reader
    has_title: bool = False
    n_link_words: int = 0
    n_links: int = 0
    has_no_item: bool = False  # something within is one of `_NO_ITEM`


def find_role(tag: Any) -> str:  # noqa: ANN401 - a tag of an optional library
    """The ARIA role of an element, in small letters; empty where it has none."""
    return (str(tag.get("role") or "").lower().split() or [""])[0]


def list_classes(tag: Any) -> list[str]:  # noqa: ANN401 - a tag of an optional library
    """The classes of an element."""
    return tag.get("class") or []


def is_main(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Whether an element says that it holds the article."""
    return not {tag.name, find_role(tag)}.isdisjoint({"main", "article"})


def is_heading(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Whether an element is a heading, by its name or its role."""
    return tag.name in HEADINGS or find_role(tag) == "heading"


def descend(top: Any, bs4: ModuleType) -> list[Any]:  # noqa: ANN401 - a tag of an optional library
    """All within a tag, in the order of the page, by what each holds: `_drop` mends no other links."""
    found: list[Any] = []
    stack = [top]
    while stack:
        node = stack.pop()
        found.append(node)
        if isinstance(node, bs4.Tag):
            stack.extend(reversed(node.contents))
    return found[1:]


def measure(soup: Any, bs4: ModuleType) -> dict[int, Size]:  # noqa: ANN401 - a tag of an optional library
    """Sizes by `id` of element, all in one pass: to read the text of each is quadratic where they are nested."""
    sizes: dict[int, Size] = defaultdict(Size)
    for node in reversed(descend(soup, bs4)):  # what is within comes first
        above = sizes[id(node.parent)]
        if type(node) is bs4.NavigableString:  # its subclasses are comments, doctypes and the like
            n_words = len(node.split())
            above.n_chars += len(node.strip())
            above.n_words += n_words
            above.n_line_words += n_words
        elif isinstance(node, bs4.Tag):
            size = sizes[id(node)]
            size.max_line_words = max(size.max_line_words, size.n_line_words)
            above.n_chars += size.n_chars
            above.n_words += size.n_words
            above.n_line_words += 0 if node.name in BLOCKS else size.n_line_words
            above.max_line_words = max(above.max_line_words, size.max_line_words)
            above.has_main |= size.has_main or is_main(node)
            above.n_link_words += size.n_words if node.name == "a" else size.n_link_words
            above.n_links += size.n_links + (node.name == "a")
            above.has_no_item |= size.has_no_item or node.name in _NO_ITEM
            above.has_title |= size.has_title or node.name == "h1"
            above.has_comment |= size.has_comment or any(map(_COMMENT.search, list_classes(node)))
    return sizes
