"""Owns the structure tree of a tagged PDF -> of which block each piece of its pages is a part, and what that is.

A block is a paragraph, a heading, an item, a row of a table, a caption or a note. Knows nothing of lines.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from twohands.errors import FileReadError
from twohands.pdf_lines import Block, Kind
from twohands.pdf_outline import follow, look_up

MAX_NODES = 200_000  # elements and pieces of content, which a page has some hundred of; as many take 350 MB, and 20 s
_MAX_ROLES = 10  # names that stand for each other, which a file may make endless

_HEADING = re.compile(r"H\d{0,2}|Title")
_KINDS = {
    **dict.fromkeys(("P", "LI", "BibEntry", "BlockQuote"), Kind.TEXT),
    "TR": Kind.ROW,
    "Caption": Kind.CAPTION,
    **dict.fromkeys(("Note", "FENote"), Kind.NOTE),
    "TOCI": Kind.CONTENTS,
}
# What holds blocks. Text that stands in it itself has no tag: browsers say no more of text that is no paragraph, but in
# a part of its own, which may be a word in bold as well.
_GROUPS = {
    **dict.fromkeys(("Document", "DocumentFragment", "Part", "Art", "Sect", "Div", "Aside"), Kind.TEXT),
    **dict.fromkeys(("Index", "L", "Table", "THead", "TBody", "TFoot"), Kind.TEXT),
    "Figure": Kind.CAPTION,
    "TOC": Kind.CONTENTS,
}
_CELLS = {"TD", "TH"}
_INLINE = frozenset(
    {
        "Span", "Link", "Reference", "Quote", "Em", "Strong", "Lbl", "LBody", "NonStruct", "Annot", "Code", "Formula",
        "Form", "Sub", "Ruby", "RB", "RT", "RP", "Warichu", "WT", "WP", "Private",
    }
)  # fmt: skip
_KNOWN = _INLINE | _KINDS.keys() | _GROUPS.keys() | _CELLS
# Text and its first paragraph are one block: of an item the marker, of a row the cells before.
_FIRST = {"P", "Div", "Sect", "Part", "Art"}

Blocks = dict[int, Block]  # by the number (MCID) that a page's content bears


@dataclass(slots=True)
class _Holder:
    """An element that holds blocks, or is one, while the tree is gone through."""

    kind: Kind
    is_group: bool = False
    takes_first: bool = False
    block: Block | None = None
    has_words: bool = False  # other than a marker
    is_split: bool = False  # by a block within


_Kid = tuple[Any, int | None, _Holder, bool]  # what stands in an element, on which page, in what; whether in a marker


class _Walk:
    """Goes through the tree without recursion: a hostile one is as deep as it has elements."""

    def __init__(self, tree: Any, spend: Callable[[int], None]) -> None:  # noqa: ANN401 - of an optional library
        self._roles = look_up(tree, "/RoleMap")
        self._spend = spend
        self._n_blocks = 0
        self._seen: set[int] = set()
        self.pages: dict[int, Blocks] = defaultdict(dict)

    def walk(self, tree: Any) -> bool:  # noqa: ANN401 - as above
        """Whether it came to the end of the tree."""
        stack = [self._list_kids(tree, None, _Holder(Kind.TEXT, is_group=True), is_marker=False)]
        n_nodes = 0
        while stack:
            kid = next(stack[-1], None)
            if kid is None:
                stack.pop()
                continue
            n_nodes += 1
            self._spend(1)
            if n_nodes > MAX_NODES:
                return False
            *rest, is_marker = kid
            within = self._read(*rest, is_marker=is_marker)
            if within is not None:
                stack.append(within)
        return True

    def _list_kids(
        self,
        element: Any,  # noqa: ANN401 - as above
        page: int | None,
        holder: _Holder,
        *,
        is_marker: bool,
    ) -> Iterator[_Kid]:
        kids = look_up(element, "/K")
        for kid in kids if isinstance(kids, list) else [kids]:
            yield follow(kid), page, holder, is_marker

    def _read(
        self,
        kid: Any,  # noqa: ANN401 - as above
        page: int | None,
        holder: _Holder,
        *,
        is_marker: bool,
    ) -> Iterator[_Kid] | None:
        if isinstance(kid, int):
            self._add(kid, page, holder, is_marker=is_marker)
        elif hasattr(kid, "get"):
            page = getattr(kid.get("/Pg"), "idnum", page)
            number = kid.get("/MCID")
            if isinstance(number, int) and "/Stm" not in kid:  # content of a form counts for itself
                self._add(number, page, holder, is_marker=is_marker)
            elif "/S" in kid and id(kid) not in self._seen:
                self._seen.add(id(kid))
                role = self._find_role(str(follow(kid["/S"])), look_up(kid, "/NS"))
                within = self._enter(role, holder)
                return self._list_kids(kid, page, within, is_marker=is_marker or role == "Lbl")
        return None

    def _find_role(self, name: str, space: Any) -> str:  # noqa: ANN401 - as above
        """What a name stands for; a style may be called as what it is mapped from, as LibreOffice's Quote to P.

        Names of a namespace, as LaTeX's section, stand for names of the standard or of another namespace.
        """
        role = ""
        for _ in range(_MAX_ROLES):
            bare = name.removeprefix("/")
            if bare in _KNOWN or _HEADING.fullmatch(bare):
                role = bare
            if _HEADING.fullmatch(bare) or _KINDS.get(bare) in {Kind.CAPTION, Kind.NOTE}:  # which are mapped to P, too
                break
            following = look_up(look_up(space, "/RoleMapNS"), name) or look_up(self._roles, name)
            if following is None:
                break
            names = following if isinstance(following, list) else [following]
            name, space = str(names[0]), follow(names[1]) if len(names) > 1 else None
        return role

    def _enter(self, role: str, holder: _Holder) -> _Holder:
        """What holds the text in an element that stands in another."""
        if role in _CELLS and holder.takes_first:
            holder.has_words = False
            if holder.is_split:
                holder.block, holder.is_split = None, False
            return holder
        is_whole = not (holder.is_group or holder.takes_first or holder.kind is Kind.TEXT)
        if role in _INLINE or (is_whole and role not in {"Note", "FENote"}) or not (role or holder.is_group):
            return holder
        if role in _FIRST and holder.takes_first and not holder.has_words:
            return holder
        holder.is_split = True
        kind = Kind.HEADING if _HEADING.fullmatch(role) else _KINDS.get(role) or _GROUPS.get(role) or Kind.TEXT
        kind = Kind.CONTENTS if holder.kind is Kind.CONTENTS else kind
        return _Holder(kind, is_group=role in _GROUPS, takes_first=role in {"LI", "TR"})

    def _add(self, number: int, page: int | None, holder: _Holder, *, is_marker: bool) -> None:
        if page is None or (holder.is_group and holder.kind is Kind.TEXT):
            return
        if holder.block is None:
            self._n_blocks += 1
            holder.block = Block(self._n_blocks, holder.kind)
        holder.has_words |= not is_marker
        self.pages[page].setdefault(number, holder.block)


def read_tags(reader: Any, spend: Callable[[int], None]) -> dict[int, Blocks]:  # noqa: ANN401 - as above
    """Read of which block each piece of marked content is a part.

    Args:
        reader: of pypdf.
        spend: called with how much work was done, in elements and pieces; raises to give up.

    Returns:
        The blocks of each page, by the number of the page's object; none where the file has no tags, says that they
        are suspect, or has more of them than are read, or where they are broken, as a file can be read without.

    Raises:
        FileReadError: `spend` gave up.

    Source:
        ISO 32000-1, section 14.7.2: the tree; 14.8.4: what its elements are. ISO 32000-2, section 14.7.4: namespaces.
    """
    try:
        catalog = reader.trailer["/Root"].get_object()
        tree = look_up(catalog, "/StructTreeRoot")
        suspects = look_up(look_up(catalog, "/MarkInfo"), "/Suspects")
        if tree is None or getattr(suspects, "value", False):  # of pypdf's, which is true even where it is false
            return {}
        walk = _Walk(tree, spend)
        return walk.pages if walk.walk(tree) else {}
    except FileReadError:
        raise
    except Exception:  # noqa: BLE001 - a broken PDF raises almost anything, and its text may be sound
        return {}
