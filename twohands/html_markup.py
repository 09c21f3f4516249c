"""Owns HTML -> the same in few forms, which all parsers read alike and in linear time. Knows nothing of its text.

Python's parser takes what has no end for text, up to the next tag, and looks for the end again from there: 80 kB of
`<!--` took 5 seconds, and four times that for twice as much. It gives up at `<![1]>` and at numbers of 5,000 digits,
and from a second `&#;` on it takes markup for text. Its versions differ there.
"""

import re
from collections.abc import Iterator, Set

_TAG = re.compile(r"<(/\s*+)?+([a-zA-Z][^\t\n\r\f />]*+)")
_ATTRIBUTE = re.compile(
    r"""[\t\n\r\f /]*+([^\t\n\r\f />][^\t\n\r\f />=]*+)"""
    r"""(?:[\t\n\r\f ]*+=[\t\n\r\f ]*+("[^"]*"|'[^']*'|[^\t\n\r\f >]*+))?+"""
)
_TAG_END = re.compile(r"[\t\n\r\f /]*+>")
_COMMENT_END = re.compile(r"(?<=<!--)-?>|--(?:!|\s*+)>")
_RAW_END = {name: re.compile(rf"(?=</\s*+{name}[\s/>])", re.IGNORECASE) for name in ("script", "style")}
# Without an end tag: written `<br/>`. BeautifulSoup goes through all `<br>` so far at each end tag.
_VOID = {
    "area", "base", "basefont", "bgsound", "br", "col", "command", "embed", "frame", "hr", "image", "img", "input",
    "isindex", "keygen", "link", "menuitem", "meta", "nextid", "param", "source", "spacer", "track", "wbr",
}  # fmt: skip
_NUMBER = re.compile(r"&#(?![xX][0-9a-fA-F])([0-9]*+);?")  # of a character
_MAX_DIGITS = 7


def _mend_number(match: re.Match[str]) -> str:
    if not match[1]:
        return f"&amp;{match[0][1:]}"
    digits = match[1].lstrip("0") or "0"
    return f"&#{digits};" if len(digits) <= _MAX_DIGITS else "\ufffd"


def _mend_text(text: str) -> str:
    return _NUMBER.sub(_mend_number, text)


def _read_attributes(markup: str, at: int, wanted: Set[str]) -> tuple[str, re.Match[str] | None]:
    """The attributes of a tag that are wanted, and its end, if it has one."""
    kept: dict[str, str] = {}
    while not (end := _TAG_END.match(markup, at)) and (attribute := _ATTRIBUTE.match(markup, at)):
        name, value = attribute[1].lower(), attribute[2] or ""
        if name in wanted:
            is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            kept[name] = _mend_text(value[1:-1] if is_quoted else value).replace('"', "&quot;")
        at = attribute.end()
    return "".join(f' {name}="{value}"' for name, value in kept.items()), end


def _find_end(pattern: re.Pattern[str], markup: str, at: int) -> int:
    found = pattern.search(markup, at)
    return found.end() if found else len(markup)


def _read_pieces(markup: str, wanted: Set[str]) -> Iterator[str]:
    at = 0
    while (start := markup.find("<", at)) >= 0:  # each from where the last one ended, so that nothing is read again
        yield _mend_text(markup[at:start])
        if markup.startswith("<!--", start):
            at = _find_end(_COMMENT_END, markup, start + 4)
        elif tag := _TAG.match(markup, start):
            name = tag[2].lower().replace("\0", "")
            kept, end = _read_attributes(markup, tag.end(), wanted)
            if not end:
                return
            at = end.end()
            if tag[1]:
                yield f"</{name}>"
            elif name in _VOID or end[0].endswith("/>"):
                yield f"<{name}{kept}/>"
            elif name in _RAW_END:
                at = _find_end(_RAW_END[name], markup, at)
            else:
                yield f"<{name}{kept}>"
        elif markup.startswith(("<!", "<?", "</"), start):
            at = markup.find(">", start) + 1 or len(markup)
        else:
            yield "&lt;"
            at = start + 1
    yield _mend_text(markup[at:])


def simplify_markup(markup: str, *, attributes: Set[str]) -> str:
    """Leave of a page what its text and its order are read from.

    Args:
        markup: HTML of any kind, however broken.
        attributes: names, in small letters, of those that are kept.

    Returns:
        Start tags with these attributes, end tags and text. Comments, declarations, scripts and styles are left out,
        and, as browsers have it, what is begun and not ended. An attribute without its closing quotation mark ends
        at a space.

    Source:
        WHATWG HTML Standard, "Tokenization".
    """
    return "".join(_read_pieces(markup, attributes))
