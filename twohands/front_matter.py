"""Owns the front matter of a Markdown file, a block of YAML above its text -> where the text begins behind it."""

import re

MAX_LINES = 1000

_FENCE = re.compile(r"---[^\S\r\n]*+(?>\r\n|\r|\n)")
_END = re.compile(r"(?:---|\.\.\.)[^\S\r\n]*+(?>\r\n|\r|\n|\Z)")
# A key, an item of a list, a comment, or what goes on with a value.
_LINE = re.compile(
    r"(?:(?P<key>[^\W\d][\w. -]{0,40}|\"[^\"\r\n]{1,40}\"):(?=\s)|-(?=\s)|#|[ \t]+(?=\S))[^\r\n]*+(?>\r\n|\r|\n)"
)
_BLANK_LINES = re.compile(r"(?:[^\S\r\n]*+[\r\n])*+")
# One of these must be among the keys: what speakers say between two rules looks the same.
_KEYS = {
    "title", "subtitle", "date", "author", "authors", "tags", "tag", "categories", "category", "layout",
    "source", "url", "link", "permalink", "slug", "aliases", "description", "summary", "abstract", "created",
    "updated", "published", "modified", "lastmod", "draft", "lang", "language", "keywords", "id", "type",
    "status", "publish", "image", "weight", "bibliography", "output",
}  # fmt: skip

Span = tuple[int, int]


def skip_front_matter(text: str, bounds: Span) -> Span:
    """Leave out front matter: lines of YAML between `---` in the very first line and the next `---` or `...`.

    Blank lines may stand in it, where one of the keys that such a block commonly has follows: what two rules part from
    the rest of a text has blank lines, too.

    Args:
        text: the raw document.
        bounds: of what is not blank in it.

    Returns:
        The bounds of what is behind; as they were where a line is no YAML, where the first one is blank, where no key
        is one that such a block commonly has, and where nothing is behind.
    """
    begin, last = bounds
    begin += text.startswith("\ufeff", begin)
    fence = _FENCE.match(text, begin, last)
    if not fence or begin != text.startswith("\ufeff"):
        return bounds
    position = fence.end()
    is_known = False
    for number in range(MAX_LINES):
        gap = _BLANK_LINES.match(text, position, last) if number else None
        is_apart = gap is not None and gap.end() > position
        position = gap.end() if gap else position
        if end := _END.match(text, position, last):
            break
        line = _LINE.match(text, position, last)
        is_common = line is not None and str(line["key"]).strip('"').lower() in _KEYS
        if not line or (is_apart and not is_common):
            return bounds
        is_known |= is_common
        position = line.end()
    else:
        return bounds
    # An indent stays; blank lines would be taken for such of the text.
    behind = _BLANK_LINES.match(text, end.end(), last)
    begin = behind.end() if behind else end.end()
    return (begin, last) if is_known and begin < last else bounds
