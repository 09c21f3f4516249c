"""Owns HTML -> the text of its article, blocks parted by blank lines. Knows nothing of files."""

import logging
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from types import ModuleType
from typing import Any

from twohands.charsets import decode, find_codec, find_marked_codec
from twohands.html_markup import simplify_markup
from twohands.paragraphs import LIST_WORDS, MIN_WORDS

# What a reader of the page would not call its text. Not `head`: its end tag is optional, and without one the parser
# has the body in it.
_NOT_TEXT = [
    "title", "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video",
    "nav", "aside", "button", "select", "textarea", "datalist", "dialog", "search",
]  # fmt: skip
_FRAMES = {"header", "footer"}
# Elements of other names that stand for some of these, or for the header and footer of the page.
_FRAME_ROLES = {"navigation", "complementary", "banner", "contentinfo", "search", "menu", "menubar"}
_DIALOG_ROLES = {"dialog", "alertdialog"}
_HIDDEN_SHARE = 0.2  # of the page's text; what is hidden in one way, or framed, and is as much, is text
_UNSEEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_ATTRIBUTES = {"aria-hidden", "aria-modal", "class", "hidden", "id", "role", "style"}  # all that are read below
_COMMENTS = {"comments", "comments-area", "comments-section", "comment-section", "comment-list", "commentlist"}
_COMMENT = re.compile(r"comment(?:$|[-_])", re.IGNORECASE)
_BLOCKS = {
    "address", "article", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "hgroup", "hr", "html", "legend", "li", "main",
    "menu", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_MARKS = dict.fromkeys(_BLOCKS, "\n\n") | {"br": "\n", "td": " ", "th": " "}  # what an element begins with
_OPEN = dict.fromkeys(_HEADINGS, "heading") | {"pre": "pre"}  # what is counted while it lasts
_CELLS = {"td", "th"}
_FIGURES_SHARE = 1 / 3  # of the words in a table's cells, from which on these are figures and what they are of
_SPACE = re.compile(r"\s+")
_LINE_END = re.compile(r"\r\n?")


@dataclass(slots=True)
class _Size:
    """What stands in an element, everything below it included."""

    n_chars: int = 0
    n_words: int = 0
    n_line_words: int = 0  # of these, not in blocks within
    max_line_words: int = 0  # of itself or a block within
    has_main: bool = False
    has_comment: bool = False  # marked as one of a reader


def _descend(top: Any, bs4: ModuleType) -> list[Any]:  # noqa: ANN401 - a tag of an optional library
    """All within a tag, in the order of the page, by what each holds: `_drop` mends no other links."""
    found: list[Any] = []
    stack = [top]
    while stack:
        node = stack.pop()
        found.append(node)
        if isinstance(node, bs4.Tag):
            stack.extend(reversed(node.contents))
    return found[1:]


def _measure(soup: Any, bs4: ModuleType) -> dict[int, _Size]:  # noqa: ANN401 - a tag of an optional library
    """Sizes by `id` of element, all in one pass: to read the text of each is quadratic where they are nested."""
    sizes: dict[int, _Size] = defaultdict(_Size)
    for node in reversed(_descend(soup, bs4)):  # what is within comes first
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
            above.n_line_words += 0 if node.name in _BLOCKS else size.n_line_words
            above.max_line_words = max(above.max_line_words, size.max_line_words)
            above.has_main |= size.has_main or _is_main(node)
            above.has_comment |= size.has_comment or any(map(_COMMENT.search, _classes(node)))
    return sizes


def _find_outermost(top: Any, is_wanted: Callable[[Any], bool], bs4: ModuleType) -> list[Any]:  # noqa: ANN401 - as above
    found: list[Any] = []
    stack = [top]
    while stack:
        for child in stack.pop().contents:
            if isinstance(child, bs4.Tag):
                (found if is_wanted(child) else stack).append(child)
    return found


def _role(tag: Any) -> str:  # noqa: ANN401 - a tag of an optional library
    return (str(tag.get("role") or "").lower().split() or [""])[0]


def _classes(tag: Any) -> list[str]:  # noqa: ANN401 - a tag of an optional library
    return tag.get("class") or []


def _is_main(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return not {tag.name, _role(tag)}.isdisjoint({"main", "article"})


def _find_main(soup: Any, bs4: ModuleType) -> Any:  # noqa: ANN401 - a tag of an optional library
    """The one element that holds most of the page's text, or the whole page where there is none or are several."""
    sizes = _measure(soup, bs4)
    marked = [node for node in _descend(soup, bs4) if isinstance(node, bs4.Tag) and _is_main(node)]
    for name in ("main", "article"):
        found = [tag for tag in marked if name in {tag.name, _role(tag)}]
        if len(found) == 1 and sizes[id(found[0])].n_chars * 2 >= sizes[id(soup)].n_chars:
            return found[0]
    return soup


def _is_dialog(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return bool(tag.get("aria-modal") == "true") or _role(tag) in _DIALOG_ROLES


def _is_readers(tag: Any, size: _Size) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Whether it holds readers' comments; a section of that name may be the article's own, as of a ruling."""
    names = {str(tag.get("id") or "").lower(), *(name.lower() for name in _classes(tag))}
    return "disqus_thread" in names or (size.has_comment and bool(names & _COMMENTS))


def _is_unseen(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return _UNSEEN.search(str(tag.get("style") or "")) is not None


def _is_hidden(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return tag.has_attr("hidden") and str(tag["hidden"]).strip().lower() != "until-found"


def _is_aria_hidden(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return bool(tag.get("aria-hidden") == "true")


def _is_frame(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return _role(tag) in _FRAME_ROLES


def _drop(tags: list[Any]) -> None:
    """Take tags out of what holds them, once for each holder: one by one the rest moved up each time."""
    dropped = {id(tag) for tag in tags}
    for holder in {id(tag.parent): tag.parent for tag in tags}.values():
        holder.contents = [node for node in holder.contents if id(node) not in dropped]


def _drop_beside(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away what is not the article, but nothing that only an attribute speaks against if it may be text.

    Pages hide or frame their whole body until a script has run, set it aside while a dialog is open, and hide answers
    and the rest of an article until they are asked for.
    """
    # The page's header is its menu; an article's is its title and lead.
    frames = _find_outermost(soup, lambda tag: tag.name in _FRAMES or _is_main(tag), bs4)
    _drop([*soup.find_all(_NOT_TEXT), *(tag for tag in frames if tag.name in _FRAMES)])
    _drop_hidden(soup, bs4)
    sizes = _measure(soup, bs4)
    n_all = sizes[id(soup)].n_chars

    def is_apart(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        size = sizes[id(tag)]
        return size.n_chars * 2 < n_all and (_is_dialog(tag) or _is_readers(tag, size))

    beside = _find_outermost(soup, is_apart, bs4)
    for is_hidden in (_is_unseen, _is_aria_hidden, _is_frame):
        found = _find_outermost(soup, is_hidden, bs4)
        # Together: each of many answers is a small part of the page.
        if sum(sizes[id(tag)].n_chars for tag in found) < n_all * _HIDDEN_SHARE:
            beside += [tag for tag in found if is_hidden != _is_unseen or sizes[id(tag)].max_line_words < MIN_WORDS]
    _drop(beside)
    _drop_forms(soup, bs4)


def _drop_hidden(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away what has the attribute `hidden`, but paragraphs only where they are a small part of the page.

    Pages that are streamed send the article hidden, and a script puts it where it belongs.
    """
    sizes = _measure(soup, bs4)
    found = _find_outermost(soup, _is_hidden, bs4)
    has_prose = [sizes[id(tag)].max_line_words >= MIN_WORDS for tag in found]
    n_chars = sum(sizes[id(tag)].n_chars for tag, is_prose in zip(found, has_prose, strict=True) if is_prose)
    is_small = n_chars < sizes[id(soup)].n_chars * _HIDDEN_SHARE
    _drop([tag for tag, is_prose in zip(found, has_prose, strict=True) if is_small or not is_prose])


def _drop_forms(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away forms, and from one that holds the article only its labels."""
    sizes = _measure(soup, bs4)  # without what was dropped, which may have been most of the text outside a form
    n_all = sizes[id(soup)].n_chars

    def is_small(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        size = sizes[id(tag)]
        return tag.name == "form" and size.n_chars * 2 < n_all and not size.has_main

    _drop(_find_outermost(soup, is_small, bs4))
    for form in _find_outermost(soup, lambda tag: tag.name == "form", bs4):
        _drop(_find_outermost(form, lambda tag: tag.name == "label" and sizes[id(tag)].n_words < MIN_WORDS, bs4))


def _count_figures(words: list[str]) -> int:
    """How many words of a cell are figures, or their units: `EUR 3 bn`."""
    figures = [word for word in words if any(map(str.isdigit, word)) or not any(map(str.isalpha, word))]
    is_measure = bool(figures) and len(words) <= 3 and all(len(word) <= 3 for word in words if word not in figures)
    return len(words) if is_measure else len(figures)


def _holds_figures(table: Any, bs4: ModuleType) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Whether a table without another in it holds figures, and nothing with as many words as a paragraph has."""
    within: dict[int, list[str]] = defaultdict(list)  # words by `id` of the element, but for those of cells in it
    n_words = n_figures = 0
    for node in reversed(_descend(table, bs4)):  # what is within comes first
        if type(node) is bs4.NavigableString:
            within[id(node.parent)] += node.split()
        elif isinstance(node, bs4.Tag) and node.name != "caption":
            words = within.pop(id(node), [])
            if len(words) >= MIN_WORDS:
                return False
            if node.name not in _CELLS:
                within[id(node.parent)] += words
            elif node.name == "td":  # what heads the columns is as long however many rows there are
                n_words += len(words)
                n_figures += _count_figures(words)
    # A table without its end tag has the rest of the page in it.
    return len(within[id(table)]) < MIN_WORDS and 0 < n_words <= n_figures / _FIGURES_SHARE


def _drop_figures(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away the rows of tables of figures: short ones passed for headings, many together for a paragraph."""
    tables: list[Any] = []  # that have none within
    outer: set[int] = set()  # by `id` the elements that have one within
    for node in reversed(_descend(soup, bs4)):  # what is within comes first, so that each is looked at once
        if isinstance(node, bs4.Tag) and (node.name == "table" or id(node) in outer):
            outer.add(id(node.parent))
            tables += [node] if id(node) not in outer else []
    for table in tables:
        if _holds_figures(table, bs4):
            _drop(_find_outermost(table, lambda tag: tag.name != "caption", bs4))


def _read_heading(tag: Any, bs4: ModuleType) -> str | None:  # noqa: ANN401 - a tag of an optional library
    """A heading in one line, marked as Markdown does, so that it is one at any length; None if it is prose or none."""
    if tag.name not in _HEADINGS:
        return None
    words = "".join(
        str(node) if type(node) is bs4.NavigableString else " " if node.name in _MARKS else ""
        for node in _descend(tag, bs4)
    ).split()
    return f"{_HEADINGS[tag.name]} {' '.join(words)}" if 0 < len(words) < LIST_WORDS else None


def _walk(top: Any, bs4: ModuleType) -> Iterator[tuple[str, bool]]:  # noqa: ANN401 - a tag of an optional library
    """The text below a tag in pieces: blank lines around blocks, headings marked, and whether lines are its own."""
    # Own stack: pages nest deeper than Python recurses. A string on the stack is the end of a block, a tuple that of
    # what is counted.
    stack: list[Any] = [top]
    n_open = dict.fromkeys(_OPEN.values(), 0)
    while stack:
        node = stack.pop()
        if type(node) is tuple:
            n_open[node[0]] -= 1
        elif type(node) is str:
            yield node, False
        elif type(node) is bs4.NavigableString:  # its subclasses are comments, doctypes and the like
            yield (_LINE_END.sub("\n", node), True) if n_open["pre"] else (_SPACE.sub(" ", node), False)
        elif isinstance(node, bs4.Tag):
            # Not within another: a heading without an end tag holds the rest of the page, and each was read to its end.
            if not n_open["heading"] and (heading := _read_heading(node, bs4)):
                yield f"\n\n{heading}\n\n", False
                continue
            if mark := _MARKS.get(node.name):
                yield mark, n_open["pre"] > 0
            if node.name in _BLOCKS:
                stack.append("\n\n")
            if kind := _OPEN.get(node.name):
                n_open[kind] += 1
                stack.append((kind,))
            stack.extend(reversed(node.contents))


def _to_lines(pieces: Iterator[tuple[str, bool]]) -> Iterator[str]:
    """Lines without the space around them; those of preformatted text keep their indent, by which it is split."""
    for has_lines, group in groupby(pieces, key=lambda piece: piece[1]):
        lines = "".join(text for text, _ in group).split("\n")
        yield "\n".join(line.rstrip() if has_lines else line.strip() for line in lines)


def _decode(content: bytes, bs4: ModuleType, codec: str | None) -> str:
    """As browsers do where an encoding is known; else it is guessed."""
    marked = find_marked_codec(content)
    if not marked and not codec:
        declared = bs4.dammit.EncodingDetector.find_declared_encoding(content, is_html=True)
        codec = find_codec(declared) if declared else None
        if codec and codec.startswith("utf-16"):  # which was no UTF-16, or the word could not have been found
            codec = "utf-8"
    try:
        return decode(content, marked or codec or "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return bs4.dammit.UnicodeDammit(content, is_html=True).unicode_markup or ""


def html_to_text(content: bytes, *, bs4: ModuleType, codec: str | None = None) -> str:
    """Extract the text of a page's article.

    Args:
        content: of an HTML file.
        bs4: the library.
        codec: Python's name of the encoding, where it is known from elsewhere; what the page says is not heeded then.

    Returns:
        Blocks parted by blank lines, headings marked with `#`, the cells of a table's row joined by spaces and tables
        of figures left out; empty when there is no text.
    """
    # It tells of characters that cannot be decoded, on standard error, and of guesses what else the bytes might be.
    logging.getLogger("bs4").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        markup = simplify_markup(_decode(content, bs4, codec), attributes=_ATTRIBUTES)
        soup = bs4.BeautifulSoup(markup, "html.parser")
    _drop_beside(soup, bs4)
    _drop_figures(soup, bs4)
    text = "".join(_to_lines(_walk(_find_main(soup, bs4), bs4)))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
