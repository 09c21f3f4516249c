"""Owns plain text with tags of HTML in it, as feeds and data bases hold it -> the same, as long as it was, without."""

import re
from collections.abc import Callable

MIN_ENDS = 2  # of paragraphs, from which on the tags are no slip

_SEEN_CHARS = 100_000  # by which it is seen what a text is
_TAGS_BETWEEN_CHECKS = 1000
# What is said of a tag goes on behind it: "</p> ends a paragraph".
_ENDS = re.compile(r"</(?:p|div)\s?>(?=[^\S\r\n]{0,9}(?:[<\r\n]|\Z))|<br\s?/?>\s{0,9}<br\s?/?>", re.IGNORECASE)
_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>p|div|br|hr|li|ul|ol|h[1-6]|blockquote|section|article|table|tbody|thead|tr|td|th|figure|"
    r"figcaption|img)(?=[\s/>])[^<>]{0,500}>",
    re.IGNORECASE,
)
_WITHIN = {"td", "th", "img"}


def _read_tag(match: re.Match[str]) -> str:
    name = match["name"].lower()
    if name in _WITHIN or (match["end"] and name == "li"):
        shown = ""
    elif name == "br":  # beside a line end that is one already
        shown = "" if match.string[match.end() : match.end() + 1] in {"\r", "\n"} else "\n"
    elif name == "li":
        shown = "\n- "
    else:
        shown = "\n\n# " if name[0] == "h" and name != "hr" and not match["end"] else "\n\n"
    return shown.rjust(len(match[0]))


def blank_tags(text: str, check: Callable[[], None]) -> str:
    """Put spaces and line ends in the place of tags, where a text holds some that end paragraphs.

    Args:
        text: the raw document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        A text of the same length; the one that was given where it has no such tags, and where it has tables of
        Markdown, in whose cells tags end lines.
    """
    if "<" not in text or "\n|" in text or len(_ENDS.findall(text, 0, _SEEN_CHARS)) < MIN_ENDS:
        return text
    pieces, begin = [], 0
    for number, match in enumerate(_TAG.finditer(text)):
        if number % _TAGS_BETWEEN_CHECKS == 0:
            check()
        pieces += [text[begin : match.start()], _read_tag(match)]
        begin = match.end()
    return "".join([*pieces, text[begin:]])
