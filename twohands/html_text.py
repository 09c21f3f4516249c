"""Owns HTML -> the text of its article, blocks parted by blank lines. Knows nothing of files."""

import logging
import re
import warnings
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from types import ModuleType
from typing import Any

from twohands.html_beside import holds_linked_text, is_beside, is_list_of_links, is_quoted_mail, list_heading
from twohands.html_decode import decode_page
from twohands.html_markup import simplify_markup
from twohands.html_points import holds_points
from twohands.html_sizes import BLOCKS, Size, descend, find_role, is_heading, is_main, list_classes, measure
from twohands.html_walk import read_below
from twohands.html_word import make_lists
from twohands.mail_header import is_forwarded
from twohands.runs import MIN_WORDS

# What a reader of the page would not call its text. Not `head`: its end tag is optional, and without one the parser
# has the body in it.
_NOT_TEXT = [
    "title", "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video",
    "nav", "aside", "button", "select", "textarea", "datalist", "dialog", "search", "amp-ad", "amp-consent",
    "amp-sidebar", "amp-social-share", "amp-user-notification",
]  # fmt: skip
_FRAMES = {"header", "footer"}
# Of these what is seen stands between the words on either side, as a line or as a box within one; svg and math may be a
# part of a word.
_SEEN_BLOCKS = {*BLOCKS, *_FRAMES, "nav", "aside", "search", "amp-ad", "amp-consent", "amp-sidebar", "amp-social-share"}
_PART_OF_WORDS = {"title", "script", "style", "noscript", "template", "svg", "math", "datalist", "dialog"}
_STRUCK = {"del", "s", "strike"}
_HEADING_LEVELS = 3  # between a button and the heading around it
# Elements of other names that stand for some of these, or for the header and footer of the page.
_FRAME_ROLES = {"navigation", "complementary", "banner", "contentinfo", "search", "menu", "menubar"}
_DIALOG_ROLES = {"dialog", "alertdialog"}
_HIDDEN_SHARE = 0.2  # of the page's text; what is hidden in one way, or framed, and is as much, is text
_UNSEEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_NO_HEIGHT = re.compile(r"(?:^|;)\s*max-height\s*:\s*0(?![.\d]*[1-9])", re.IGNORECASE)
_OVERFLOW = re.compile(r"(?:^|;)\s*overflow\s*:\s*hidden\b", re.IGNORECASE)
_ATTRIBUTES = {
    "aria-hidden",
    "aria-modal",
    "class",
    "hidden",
    "id",
    "name",
    "role",
    "style",
    "type",
}  # all that are read below
_COMMENTS = {"comments", "comments-area", "comments-section", "comment-section", "comment-list", "commentlist"}
_CELLS = {"td", "th"}
_FIGURES_SHARE = 1 / 3  # of the words in a table's cells, from which on these are figures and what they are of
_FORWARD_CHARS = 2000  # of what a mail quotes, at whose begin it says that it is forwarded


def _find_outermost(top: Any, is_wanted: Callable[[Any], bool], bs4: ModuleType) -> list[Any]:  # noqa: ANN401 - as above
    found: list[Any] = []
    stack = [top]
    while stack:
        for child in stack.pop().contents:
            if isinstance(child, bs4.Tag):
                (found if is_wanted(child) else stack).append(child)
    return found


def _find_main(soup: Any, bs4: ModuleType) -> Any:  # noqa: ANN401 - a tag of an optional library
    """The one element that holds most of the page's text, or the whole page where there is none or are several."""
    sizes = measure(soup, bs4)
    marked = [node for node in descend(soup, bs4) if isinstance(node, bs4.Tag) and is_main(node)]
    for name in ("main", "article"):
        found = [tag for tag in marked if name in {tag.name, find_role(tag)}]
        if len(found) == 1 and sizes[id(found[0])].n_chars * 2 >= sizes[id(soup)].n_chars:
            return found[0]
    return soup


def _is_dialog(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return bool(tag.get("aria-modal") == "true") or find_role(tag) in _DIALOG_ROLES


def _is_readers(tag: Any, size: Size) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Whether it holds readers' comments; a section of that name may be the article's own, as of a ruling."""
    names = {str(tag.get("id") or "").lower(), *(name.lower() for name in list_classes(tag))}
    return "disqus_thread" in names or (size.has_comment and bool(names & _COMMENTS))


def _is_unseen(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return _UNSEEN.search(str(tag.get("style") or "")) is not None


def _is_collapsed(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    style = str(tag.get("style") or "")
    return _NO_HEIGHT.search(style) is not None and _OVERFLOW.search(style) is not None


def _is_hidden(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return tag.has_attr("hidden") and str(tag["hidden"]).strip().lower() != "until-found"


def _is_aria_hidden(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return bool(tag.get("aria-hidden") == "true")


def _is_frame(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    return find_role(tag) in _FRAME_ROLES


def _drop(tags: list[Any]) -> None:
    """Take tags out of what holds them, once for each holder: one by one the rest moved up each time."""
    dropped = {id(tag) for tag in tags}
    for holder in {id(tag.parent): tag.parent for tag in tags}.values():
        holder.contents = [node for node in holder.contents if id(node) not in dropped]


def _drop_seen(tags: list[Any], bs4: ModuleType) -> None:
    """Take away what readers see, and leave of it what parts the words on either side: an empty block, or a space.

    A sentence went on behind an advertisement with the next one, without a space (#4).
    """
    inline = {id(tag) for tag in tags if tag.name not in _SEEN_BLOCKS}
    for holder in {id(tag.parent): tag.parent for tag in tags if id(tag) in inline}.values():
        holder.contents = [_make_space(holder, bs4) if id(node) in inline else node for node in holder.contents]
    for tag in tags:
        if id(tag) not in inline:
            tag.name, tag.attrs, tag.contents = "div", {}, []


def _make_space(holder: Any, bs4: ModuleType) -> Any:  # noqa: ANN401 - a tag of an optional library
    space = bs4.NavigableString(" ")
    space.parent = holder  # all by which it is found
    return space


def _drop_not_text(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away what is never text, but not a button that is all of a heading, as those are which open what is below.

    The page's header is its menu; an article's is its title and lead.
    """
    frames = _find_outermost(soup, lambda tag: tag.name in _FRAMES or is_main(tag), bs4)
    found = _find_outermost(soup, lambda tag: tag.name in _NOT_TEXT, bs4)
    kept = _find_titles([tag for tag in found if tag.name == "button"], soup, bs4)
    found = [tag for tag in found if id(tag) not in kept]
    found += [each for tag in kept.values() for each in _find_outermost(tag, lambda tag: tag.name in _NOT_TEXT, bs4)]
    _drop([tag for tag in found if tag.name in _PART_OF_WORDS])
    seen = [tag for tag in found if tag.name not in _PART_OF_WORDS]
    _drop_seen([*seen, *(tag for tag in frames if tag.name in _FRAMES)], bs4)


def _find_titles(buttons: list[Any], soup: Any, bs4: ModuleType) -> dict[int, Any]:  # noqa: ANN401 - as above
    """By `id` the buttons that have all words of the heading around them."""
    by_heading: dict[int, list[Any]] = defaultdict(list)
    for button in buttons:
        above = islice(button.parents, _HEADING_LEVELS)
        if heading := next(filter(is_heading, above), None):
            by_heading[id(heading)].append(button)
    sizes = measure(soup, bs4) if by_heading else {}
    return {
        id(button): button
        for heading, held in by_heading.items()
        if sizes[heading].n_words == sum(sizes[id(each)].n_words for each in held)
        for button in held
    }


def _drop_struck(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away what is struck out, where it is no more than half of the page."""
    sizes = measure(soup, bs4)

    def is_struck(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        size = sizes[id(tag)]
        # Without its end tag it has the paragraphs behind it within, which only `del` may hold.
        return tag.name in _STRUCK and (tag.name == "del" or size.n_line_words == size.n_words)

    found = _find_outermost(soup, is_struck, bs4)
    if sum(sizes[id(tag)].n_chars for tag in found) * 2 > sizes[id(soup)].n_chars:
        return
    # With both spaces struck out (`shall<s> not </s>be`), nothing would part the words on either side.
    parting = {id(tag) for tag in found if re.fullmatch(r"\s(?s:.*)\s", tag.get_text())}
    _drop_seen([tag for tag in found if id(tag) in parting], bs4)
    _drop([tag for tag in found if id(tag) not in parting])


def _drop_beside(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away what is not the article, but nothing that only an attribute speaks against if it may be text.

    Pages hide or frame their whole body until a script has run, set it aside while a dialog is open, and hide answers
    and the rest of an article until they are asked for.
    """
    _drop_not_text(soup, bs4)
    _drop_struck(soup, bs4)
    _drop_hidden(soup, bs4)
    sizes = measure(soup, bs4)
    n_all = sizes[id(soup)].n_chars

    def is_apart(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        size = sizes[id(tag)]
        return size.n_chars * 2 < n_all and (_is_dialog(tag) or _is_readers(tag, size))

    seen = _find_outermost(soup, is_apart, bs4)
    unseen: list[Any] = []
    for is_hidden in (_is_unseen, _is_aria_hidden, _is_frame):
        found = _find_outermost(soup, is_hidden, bs4)
        # Together: each of many answers is a small part of the page.
        if sum(sizes[id(tag)].n_chars for tag in found) < n_all * _HIDDEN_SHARE:
            found = [tag for tag in found if is_hidden != _is_unseen or sizes[id(tag)].max_line_words < MIN_WORDS]
            (seen if is_hidden == _is_frame else unseen).extend(found)
    _drop(unseen)
    _drop_seen(seen, bs4)
    _drop_named(soup, bs4)
    _drop_forms(soup, bs4)


def _drop_hidden(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away what has the attribute `hidden`, but paragraphs only where they are a small part of the page.

    Pages that are streamed send the article hidden, and a script puts it where it belongs.
    """
    sizes = measure(soup, bs4)
    found = _find_outermost(soup, _is_hidden, bs4)
    has_prose = [sizes[id(tag)].max_line_words >= MIN_WORDS for tag in found]
    n_chars = sum(sizes[id(tag)].n_chars for tag, is_prose in zip(found, has_prose, strict=True) if is_prose)
    is_small = n_chars < sizes[id(soup)].n_chars * _HIDDEN_SHARE
    _drop([tag for tag, is_prose in zip(found, has_prose, strict=True) if is_small or not is_prose])


def _drop_named(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away lists of links, and what its class or id calls a menu, an advertisement, offers or notices on cookies.

    What holds the title or the article is none, nor is a large part of the page that has paragraphs.
    """
    sizes = measure(soup, bs4)
    n_all = sizes[id(soup)].n_chars

    def has_prose(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        return sizes[id(tag)].max_line_words >= MIN_WORDS

    def is_named(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        size = sizes[id(tag)]
        if size.has_main or size.has_title or is_main(tag) or tag.name in {"html", "body", "h1"}:
            return False
        is_small = size.n_chars < n_all * _HIDDEN_SHARE or not has_prose(tag)
        is_linked = not has_prose(tag) or size.n_link_words * 2 >= size.n_words
        return is_small and is_beside(list_classes(tag), str(tag.get("id") or ""), is_linked=is_linked)

    found = _find_outermost(soup, is_named, bs4)
    # Together: the paragraphs of a page may all be called so.
    if sum(sizes[id(tag)].n_chars for tag in found if has_prose(tag)) * 2 < n_all:
        _drop_seen(found, bs4)
    links = _find_outermost(soup, lambda tag: is_list_of_links(tag, sizes[id(tag)]), bs4)
    links = [tag for tag in links if not holds_linked_text(tag, sizes)]
    if sum(sizes[id(tag)].n_chars for tag in links) * 2 < n_all:
        _drop_seen([*(each for tag in links for each in list_heading(tag)), *links], bs4)


def _drop_unseen_in_mail(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away what styles hide, such as what lists of mails show beside a subject: no script ever shows it there."""
    sizes = measure(soup, bs4)
    found = _find_outermost(soup, lambda tag: _is_unseen(tag) or _is_collapsed(tag), bs4)
    if sum(sizes[id(tag)].n_chars for tag in found) * 2 < sizes[id(soup)].n_chars:
        _drop(found)


def _drop_quoted_mail(soup: Any, bs4: ModuleType) -> list[str]:  # noqa: ANN401 - a tag of an optional library
    """Take away what a mail quotes of those that it answers, but where it says nothing else; what it forwards stays.

    The lines of what is taken away are given.
    """

    def is_quoted(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        return tag.name == "blockquote" and is_quoted_mail(list_classes(tag), str(tag.get("type") or ""))

    found = _find_outermost(soup, is_quoted, bs4)
    found = [tag for tag in found if not is_forwarded(tag.get_text("\n")[:_FORWARD_CHARS].strip())]
    sizes = measure(soup, bs4)
    if sum(sizes[id(tag)].n_words for tag in found) >= sizes[id(soup)].n_words:
        return []
    lines = [line for tag in found for line in read_below(tag, bs4).split("\n") if line]
    _drop_seen(found, bs4)
    return lines


def _drop_forms(soup: Any, bs4: ModuleType) -> None:  # noqa: ANN401 - a tag of an optional library
    """Take away forms, and from one that holds the article only its labels."""
    sizes = measure(soup, bs4)  # without what was dropped, which may have been most of the text outside a form
    n_all = sizes[id(soup)].n_chars

    def is_small(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
        size = sizes[id(tag)]
        return tag.name == "form" and size.n_chars * 2 < n_all and not size.has_main

    _drop_seen(_find_outermost(soup, is_small, bs4), bs4)
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
    for node in reversed(descend(table, bs4)):  # what is within comes first
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
    for node in reversed(descend(soup, bs4)):  # what is within comes first, so that each is looked at once
        if isinstance(node, bs4.Tag) and (node.name == "table" or id(node) in outer):
            outer.add(id(node.parent))
            tables += [node] if id(node) not in outer else []
    for table in tables:
        if _holds_figures(table, bs4) and not holds_points(table, bs4):
            _drop(_find_outermost(table, lambda tag: tag.name != "caption", bs4))


def html_to_text(
    content: bytes,
    *,
    bs4: ModuleType,
    codec: str | None = None,
    name: str = "the document",
    quoted: list[str] | None = None,
) -> str:
    """Extract the text of a page's article.

    Args:
        content: of an HTML file.
        bs4: the library.
        codec: Python's name of the encoding, where it is known from elsewhere; what the page says is not heeded then.
        name: of the document, for the message.
        quoted: where it is the body of a mail, of which what it quotes is left out: takes the lines of that.

    Returns:
        Blocks parted by blank lines, headings marked with `#`, the cells of a table's row joined by spaces and tables
        of figures left out; empty when there is no text.

    Raises:
        FileReadError: it is data, such as a picture, and no text in any encoding.
    """
    # It tells of characters that cannot be decoded, on standard error, and of guesses what else the bytes might be.
    logging.getLogger("bs4").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page = decode_page(content, bs4=bs4, codec=codec, name=name)
        soup = bs4.BeautifulSoup(simplify_markup(page, attributes=_ATTRIBUTES), "html.parser")
    make_lists(soup, bs4)
    if quoted is not None:
        _drop_unseen_in_mail(soup, bs4)
        quoted += _drop_quoted_mail(soup, bs4)
    _drop_beside(soup, bs4)
    _drop_figures(soup, bs4)
    return read_below(_find_main(soup, bs4), bs4)
