"""Owns by which classes and ids the makers of pages call what stands beside an article, and notes in it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from twohands.html_sizes import Size, is_heading

# The first or the last word of a class. Not of an id: headings have ids made of their words.
_WORDS = {
    "advert", "adverts", "advertisement", "breadcrumb", "breadcrumbs", "cookie", "cookies", "nav", "navbar",
    "newsletter", "promo", "recirculation", "sidebar", "signup", "skip", "subscribe", "topbar",
}  # fmt: skip
# Sections of papers are called so, too: "recommendations", "section-social", "tax-related", "chart-market-share".
_WORDS_OF_PAPERS = {
    "advertising", "navigation", "recommendations", "recommended", "related", "share", "sharing", "social",
}  # fmt: skip
_FIRST_WORDS = {"related"}  # which papers have last
_CLASSES = {
    "ad", "ads", "ad-slot", "ad-container", "ad-wrapper", "page-footer", "site-footer", "footer-wrap", "gdpr",
    "about-author", "about-the-author", "author-bio", "author-box", "author-info", "most-read", "most-popular",
    "trending", "pullquote", "pull-quote", "mw-editsection", "navbox", "catlinks", "sharedaddy", "jp-relatedposts",
}  # fmt: skip
_IDS = re.compile(
    r"(?:onetrust|cookiebot|usercentrics|didomi|sp_message|truste)\b.*|(?:cookie|consent|gdpr)[-_]?(?:banner|notice|bar|popup|modal|consent)"
)
# What a page is filed under ("category-social") and how it is laid out ("has-sidebar") say nothing of an element.
_NO_NAME = re.compile(r"(?:category|tag|topic|term|has|no|with|without|is)[-_]")
_PARTS = re.compile(r"[-_]+")
_CAPTION = re.compile(r"(?:[\w-]+[-_])?caption(?:[-_]+(?:text|body|content))?")
# Of pictures by their names; others may be of a film that is written down, or set over a slide with the text.
_OF_PICTURES = {"figure", "gallery", "image", "img", "media", "photo", "picture", "thumb", "wp"}
_FRAME_LEVELS = 3  # around a list of links
_SAID = re.compile(r"(?<!\.)[.;](?:\s(?:and|or))?['\"\u2019\u201d)]*\Z")  # "Read more ..." is nothing said
_SAID_WORDS = 4
_HOLDERS = {"div", "nav", "ol", "section", "table", "ul"}
_OF_TEXT = {"banner", "carousel", "closed", "hero", "slide", "slider"}
# Of blockquotes in mails, beside `type=cite`: one alone may be of what the writer quotes of a law.
_OF_MAILS = {"gmail_quote", "protonmail_quote", "yahoo_quoted", "moz-cite", "tutanota_quote"}
_NOTES = {"footnote", "footnotes", "endnote", "endnotes", "doc-footnote", "doc-endnote", "doc-endnotes", "references"}
_NOTES |= {"msofootnotetext", "msoendnotetext", "oj-note"}  # of Word, and of the Official Journal
# Of Word, too; pages keep it where they lose its classes.
_NOTE_ANCHOR = re.compile(r"_?(?:ftn|edn)\d{1,4}")  # codespell:ignore


def is_quoted_mail(classes: Iterable[str], kind: str) -> bool:
    """Say whether a blockquote of a mail is what programs quote of the one that it answers.

    Args:
        classes: its own.
        kind: its attribute `type`.

    Returns:
        False for a quotation that the writer makes.
    """
    return kind.lower() == "cite" or not _OF_MAILS.isdisjoint(map(str.lower, classes))


def is_beside(classes: Iterable[str], name: str, *, is_linked: bool) -> bool:
    """Say whether an element is called as menus, advertisements, offers and notices on cookies are.

    Args:
        classes: its own.
        name: its id; empty where it has none.
        is_linked: whether it holds links or a few words rather than paragraphs.

    Returns:
        False in doubt: who calls it must see to it that it is a small part of the page all the same.
    """
    if _IDS.fullmatch(name.lower()):
        return True
    words = _WORDS | _WORDS_OF_PAPERS if is_linked else _WORDS
    for each in map(str.lower, classes):
        parts = [part for part in _PARTS.split(each) if part]
        if not parts or _NO_NAME.match(each):
            continue
        if each in _CLASSES or parts[0] in _FIRST_WORDS or not words.isdisjoint({parts[0], parts[-1]}):
            return True
    return False


def list_heading(tag: Any) -> list[Any]:  # noqa: ANN401 - a tag of an optional library
    """The heading of an element that is the last of its holder, which would head nothing without it; empty else."""
    before = tag.find_previous_sibling()
    is_last = before is not None and tag.find_next_sibling() is None
    return [before] if is_last and before.name != "h1" and is_heading(before) else []


def is_list_of_links(tag: Any, size: Size) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Say whether an element holds nothing but links, several of them: to other pages, or to parts of this one.

    Args:
        tag: of an optional library.
        size: its own.

    Returns:
        False where what stands before it ends with a colon, as before points that are told of elsewhere, too.
    """
    if tag.name not in _HOLDERS or size.has_title or size.n_links < 2 or not 0 < size.n_words == size.n_link_words:
        return False
    for _ in range(_FRAME_LEVELS):  # what it is framed by is no list then, and it is asked of itself, too
        if before := tag.find_previous_sibling():
            return not before.get_text().rstrip().endswith(":")
        if tag.parent is None:
            break
        tag = tag.parent
    return True


def holds_linked_text(tag: Any, sizes: Mapping[int, Size]) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Say whether what is linked are sentences or clauses of the text, as measures may be that pages of theirs tell of.

    Args:
        tag: an element that holds nothing but links.
        sizes: of all elements, by their `id`.

    Returns:
        False where fewer than half of the links end as such; what is set as a card, in blocks within a link, is none.
    """
    n_links = n_said = 0
    for link in tag.find_all("a"):
        size = sizes[id(link)]
        if size.n_links or not size.n_words:  # of a link within a link the text is read once
            continue
        n_links += 1
        is_line = size.n_line_words == size.n_words >= _SAID_WORDS
        n_said += is_line and _SAID.search(link.get_text().rstrip()) is not None
    return n_said * 2 >= n_links > 0


def holds_notes(classes: Iterable[str], role: str) -> bool:
    """Say whether an element is called as footnotes are.

    Args:
        classes: its own.
        role: its ARIA role; empty where it has none.

    Returns:
        True for one note and for all of them.
    """
    return not _NOTES.isdisjoint({role, *map(str.lower, classes)})


def is_caption(classes: Iterable[str], *, has_picture: bool) -> bool:
    """Say whether an element is called as captions of pictures are.

    Args:
        classes: its own.
        has_picture: whether a picture stands beside it; without, a lead may be called `caption`, too.

    Returns:
        True for `wp-caption-text`, `image__caption` and the like, and with a picture for `caption`; False for
        `no-caption`.
    """
    for each in map(str.lower, classes):
        if _CAPTION.fullmatch(each) and not _NO_NAME.match(each):
            parts = set(_PARTS.split(each))
            return parts.isdisjoint(_OF_TEXT) and (has_picture or not parts.isdisjoint(_OF_PICTURES))
    return False


def is_note_anchor(tag: Any) -> bool:  # noqa: ANN401 - a tag of an optional library
    """Say whether an element is what leads from a note back to its mark, by the name that Word gives it.

    Args:
        tag: what a paragraph begins with, an element or a string.

    Returns:
        False for the mark of the note in the text.
    """
    if getattr(tag, "name", None) != "a":
        return False
    return any(_NOTE_ANCHOR.fullmatch(str(tag.get(key) or "").lower()) for key in ("name", "id"))
