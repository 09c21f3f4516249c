"""Owns the lists that Word writes as paragraphs in HTML -> lists as pages have them. Knows nothing of their text."""

import re
from collections import defaultdict
from itertools import pairwise
from types import ModuleType
from typing import Any

from twohands.html_sizes import Size, descend, list_classes, measure
from twohands.markers import MARKER
from twohands.runs import LIST_WORDS

_ITEM = "MsoListParagraph"
_IGNORED = re.compile(r"mso-list\s*:\s*ignore", re.IGNORECASE)
# Where pages are saved "filtered", only the gap behind it tells a mark; circles and squares are letters of fonts.
_MARK = re.compile(rf"\s*(?:{MARKER}|[o\u00a7])\s*")
_MOST_NODES = 10  # within which an item's mark is looked for


def _is_item(tag: Any, sizes: dict[int, Size]) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Whether it is an item; a long one that is numbered is a paragraph."""
    is_of_list = tag.name == "p" and any(name.startswith(_ITEM) for name in list_classes(tag))
    return is_of_list and sizes[id(tag)].n_words < LIST_WORDS


def _drop_mark(item: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - as above
    """Take away the bullet or number that stands before the words."""
    stack = [item]
    for _ in range(_MOST_NODES):
        if not stack:
            return
        node = stack.pop()
        if isinstance(node, bs4.Tag):
            stack += reversed(node.contents[:_MOST_NODES])
        elif type(node) is bs4.NavigableString and node.strip():
            if _MARK.fullmatch(node) and node.parent.contents[-1] is not node:
                node.parent.contents = [each for each in node.parent.contents if each is not node]
            return


def _make_list(items: list[Any], bs4: ModuleType) -> Any:  # noqa: ANN401 - as above
    made = bs4.Tag(name="ul")
    made.parent, made.contents = items[0].parent, items
    made.previous_sibling, made.next_sibling = items[0].previous_sibling, items[-1].next_sibling
    items[0].previous_sibling = items[-1].next_sibling = None
    for before, after in pairwise(items):
        before.next_sibling, after.previous_sibling = after, before
    for item in items:
        item.parent, item.name = made, "li"
        _drop_mark(item, bs4)
    for node, name in ((made.previous_sibling, "next_sibling"), (made.next_sibling, "previous_sibling")):
        if node is not None:
            setattr(node, name, made)
    return made


def make_lists(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - as above
    """Put items of Word that stand one behind the other into a list without their marks, in the tree itself.

    Args:
        soup: a page.
        bs4: the library.
    """
    sizes = measure(soup, bs4)
    held: dict[int, list[Any]] = defaultdict(list)
    for node in descend(soup, bs4):
        if not isinstance(node, bs4.Tag):
            continue
        if _IGNORED.search(str(node.get("style") or "")):
            node.contents = []
        elif _is_item(node, sizes):
            held[id(node.parent)].append(node)
    for found in held.values():
        holder, wanted = found[0].parent, set(map(id, found))
        contents: list[Any] = []
        run: list[Any] = []
        for node in holder.contents:
            if id(node) in wanted:
                run.append(node)
            elif not run or isinstance(node, bs4.Tag) or (type(node) is bs4.NavigableString and node.strip()):
                contents += [_make_list(run, bs4)] if run else []
                contents.append(node)
                run = []
        holder.contents = [*contents, _make_list(run, bs4)] if run else contents
