"""Owns HTML -> the text of its article, blocks parted by blank lines. Knows nothing of files."""

import logging
import re
import warnings
from collections.abc import Iterator
from itertools import groupby
from types import ModuleType
from typing import Any

from twohands.charsets import decode, find_codec, find_marked_codec
from twohands.paragraphs import LIST_WORDS, MIN_WORDS

# What a reader of the page would not call its text.
_NOT_TEXT = [
    "head", "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video",
    "nav", "aside", "button", "select", "textarea", "datalist", "dialog", "search",
]  # fmt: skip
# Elements of other names that stand for some of these, or for the header and footer of the page.
_NOT_TEXT_ROLES = {
    "navigation", "complementary", "dialog", "alertdialog", "banner", "contentinfo", "search", "menu", "menubar",
}  # fmt: skip
_UNSEEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_COMMENTS = {"comments", "comments-area", "comments-section", "comment-section", "comment-list", "commentlist"}
_COMMENT = re.compile(r"comment(?:$|[-_])", re.IGNORECASE)
_BLOCKS = {
    "address", "article", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "hgroup", "hr", "html", "legend", "li", "main",
    "menu", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_MARKS = dict.fromkeys(_BLOCKS, "\n\n") | {"br": "\n", "td": " ", "th": " "}  # what an element begins with
_SPACE = re.compile(r"\s+")
_LINE_END = re.compile(r"\r\n?")


def _count_chars(tag: Any) -> int:  # noqa: ANN401 - a tag of an optional library
    return len(tag.get_text(strip=True))


def _role(tag: Any) -> str:  # noqa: ANN401 - a tag of an optional library
    return (str(tag.get("role") or "").lower().split() or [""])[0]


def _is_main(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return not {tag.name, _role(tag)}.isdisjoint({"main", "article"})


def _find_main(soup: Any) -> Any:  # noqa: ANN401 - a tag of an optional library
    """The one element that holds most of the page's text, or the whole page where there is none or are several."""
    n_all = _count_chars(soup)
    marked = soup.find_all(_is_main)
    for name in ("main", "article"):
        found = [tag for tag in marked if name in {tag.name, _role(tag)}]
        if len(found) == 1 and _count_chars(found[0]) * 2 >= n_all:
            return found[0]
    return soup


def _names(tag: Any) -> set[str]:  # noqa: ANN401 - a tag of an optional library
    classes = tag.get("class") or []
    return {str(tag.get("id") or "").lower(), *(name.lower() for name in classes)}


def _is_beside(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Whether its attributes say that an element is not shown, or beside the article."""
    if tag.get("aria-hidden") == "true" or tag.get("aria-modal") == "true" or _role(tag) in _NOT_TEXT_ROLES:
        return True
    if _UNSEEN.search(str(tag.get("style") or "")):
        return True
    names = _names(tag)
    if "disqus_thread" in names:
        return True
    # A section of that name may be the article's own, as of a ruling; readers' comments are each marked as one.
    return bool(names & _COMMENTS) and tag.find(class_=_COMMENT) is not None


def _drop_beside(soup: Any) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away what is not the article, but nothing that only an attribute speaks against if it is most of the page.

    Pages hide or frame their whole body until a script has run, and set it aside while a dialog is open.
    """
    # The page's header is its menu; an article's is its title and lead.
    frames = [tag for tag in soup.find_all(["header", "footer"]) if not tag.find_parent(_is_main)]
    for tag in [*soup.find_all(_NOT_TEXT), *frames, *soup.find_all(hidden=True)]:
        if not tag.decomposed:
            tag.decompose()
    n_all = _count_chars(soup)
    for tag in soup.find_all(_is_beside):
        if not tag.decomposed and _count_chars(tag) * 2 < n_all:
            tag.decompose()
    n_all = _count_chars(soup)  # without what was dropped, which may have been most of the text outside a form
    for form in soup.find_all("form"):
        if form.decomposed:
            continue
        if _count_chars(form) * 2 < n_all and form.find(_is_main) is None:
            form.decompose()
            continue
        for label in form.find_all("label"):
            if len(label.get_text().split()) < MIN_WORDS:
                label.decompose()


def _read_heading(tag: Any) -> str | None:  # noqa: ANN401 - a tag of an optional library
    """A heading in one line, marked as Markdown does, so that it is one at any length; None if it is prose or none."""
    if tag.name not in _HEADINGS:
        return None
    for each in tag.find_all("br"):
        each.replace_with(" ")
    words = tag.get_text().split()
    return f"{_HEADINGS[tag.name]} {' '.join(words)}" if 0 < len(words) < LIST_WORDS else None


def _walk(top: Any, bs4: ModuleType) -> Iterator[tuple[str, bool]]:  # noqa: ANN401 - a tag of an optional library
    """The text below a tag in pieces: blank lines around blocks, headings marked, and whether lines are its own."""
    # Own stack: pages nest deeper than Python recurses. A string on the stack is the end of a block, None that of
    # preformatted text.
    stack: list[Any] = [top]
    n_pre = 0
    while stack:
        node = stack.pop()
        if node is None:
            n_pre -= 1
        elif type(node) is str:
            yield node, False
        elif type(node) is bs4.NavigableString:  # its subclasses are comments, doctypes and the like
            yield (_LINE_END.sub("\n", node), True) if n_pre else (_SPACE.sub(" ", node), False)
        elif isinstance(node, bs4.Tag):
            if heading := _read_heading(node):
                yield f"\n\n{heading}\n\n", False
                continue
            if mark := _MARKS.get(node.name):
                yield mark, n_pre > 0
            if node.name in _BLOCKS:
                stack.append("\n\n")
            if node.name == "pre":
                n_pre += 1
                stack.append(None)
            stack.extend(reversed(node.contents))


def _to_lines(pieces: Iterator[tuple[str, bool]]) -> Iterator[str]:
    """Lines without the space around them; those of preformatted text keep their indent, by which it is split."""
    for has_lines, group in groupby(pieces, key=lambda piece: piece[1]):
        lines = "".join(text for text, _ in group).split("\n")
        yield "\n".join(line.rstrip() if has_lines else line.strip() for line in lines)


def _decode(content: bytes, bs4: ModuleType, codec: str | None) -> bytes | str:
    """As browsers do where an encoding is known; bytes where it must be guessed."""
    marked = find_marked_codec(content)
    if not marked and not codec:
        declared = bs4.dammit.EncodingDetector.find_declared_encoding(content, is_html=True)
        codec = find_codec(declared) if declared else None
        if codec and codec.startswith("utf-16"):  # which was no UTF-16, or the word could not have been found
            codec = "utf-8"
    try:
        return decode(content, marked or codec or "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return content


def html_to_text(content: bytes, *, bs4: ModuleType, codec: str | None = None) -> str:
    """Extract the text of a page's article.

    Args:
        content: of an HTML file.
        bs4: the library.
        codec: Python's name of the encoding, where it is known from elsewhere; what the page says is not heeded then.

    Returns:
        Blocks parted by blank lines, headings marked with `#`; empty when there is no text.
    """
    # It tells of characters that cannot be decoded, on standard error, and of guesses what else the bytes might be.
    logging.getLogger("bs4").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        soup = bs4.BeautifulSoup(_decode(content, bs4, codec), "html.parser")
    _drop_beside(soup)
    text = "".join(_to_lines(_walk(_find_main(soup), bs4)))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
