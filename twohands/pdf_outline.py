"""Owns the outline of a PDF, which viewers show beside it -> its titles and their pages. Knows nothing of lines."""

from collections.abc import Iterator
from typing import Any

MAX_TITLES = 5000
_MAX_NODES = 20_000  # of the tree of names, which a file may make endless
_MAX_CHARS = 400


def look_up(holder: Any, key: str) -> Any:  # noqa: ANN401 - objects of an optional library
    """What a dictionary of the file has under a key, or None."""
    return follow(holder.get(key) if hasattr(holder, "get") else None)


def follow(found: Any) -> Any:  # noqa: ANN401 - as above
    """What a reference to another part of the file stands for; what is none is itself."""
    return found.get_object() if found is not None and hasattr(found, "get_object") else found


def _list_entries(outlines: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Entries in their order; one that is listed again ends its row."""
    seen: set[int] = set()
    stack = [look_up(outlines, "/First")]
    while stack and len(seen) < MAX_TITLES:
        entry = stack.pop()
        if not hasattr(entry, "get") or id(entry) in seen:
            continue
        seen.add(id(entry))
        yield entry
        stack += [look_up(entry, "/Next"), look_up(entry, "/First")]


def _read_names(catalog: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Places by their names, of both kinds that a file may have."""
    names: dict[str, Any] = {}
    old = look_up(catalog, "/Dests")
    if hasattr(old, "items"):
        names.update({str(name): place for name, place in list(old.items())[:_MAX_NODES]})
    stack = [look_up(look_up(catalog, "/Names"), "/Dests")]
    seen: set[int] = set()
    while stack and len(seen) < _MAX_NODES:
        node = stack.pop()
        if not hasattr(node, "get") or id(node) in seen:
            continue
        seen.add(id(node))
        leaves = list(look_up(node, "/Names") or [])[: 2 * _MAX_NODES]
        if len(names) < _MAX_NODES:
            names.update({str(name): place for name, place in zip(leaves[::2], leaves[1::2], strict=False)})
        stack += map(follow, list(look_up(node, "/Kids") or [])[:_MAX_NODES])
    return names


def _find_page(entry: Any, names: dict[str, Any], numbers: dict[int, int]) -> int | None:  # noqa: ANN401 - as above
    place = look_up(entry, "/Dest")
    if place is None:
        place = look_up(look_up(entry, "/A"), "/D")
    if isinstance(place, (str, bytes)):
        place = names.get(str(place))
    place = follow(place)
    if hasattr(place, "get"):
        place = look_up(place, "/D")
    first = place[0] if isinstance(place, list) and place else None
    return numbers.get(getattr(first, "idnum", -1))


def read_outline(reader: Any) -> list[tuple[str, int | None]]:  # noqa: ANN401 - as above
    """Read the titles of a PDF's outline.

    Args:
        reader: of pypdf, whose pages can be read.

    Returns:
        Titles in their order, each with the number of its page from 0, or None where the file does not say; none where
        there is no outline or it is broken, as a file can be read without.
    """
    try:
        catalog = reader.trailer["/Root"].get_object()
        outlines = look_up(catalog, "/Outlines")
        if outlines is None:
            return []
        references = [page.indirect_reference for page in reader.pages]
        numbers = {each.idnum: number for number, each in reversed(list(enumerate(references))) if each is not None}
        names = _read_names(catalog)
        return [
            (str(look_up(entry, "/Title") or "")[:_MAX_CHARS], _find_page(entry, names, numbers))
            for entry in _list_entries(outlines)
        ]
    except Exception:  # noqa: BLE001 - a broken PDF raises almost anything, and its text may be sound
        return []
