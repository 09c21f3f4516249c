"""Owns signs that nobody sees at the edges of lines -> the same text, as long as it was, with spaces in their place.

Web pages, chats and editors leave them: behind a sentence's stop it passed for a heading, and one alone in a line
joined the paragraphs on either side.
"""

import re

# Of no width, of the direction of writing, and byte order marks amid a text.
SIGNS = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
BYTE_ORDER_MARK = "\ufeff"

_SIGN = re.compile(f"[{SIGNS}]")
_LINE = re.compile(r"[^\r\n\f]+")
_EDGE = SIGNS + " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
# Where a file was put behind another its mark begins a line, which then may begin with a mark of Markdown.
_FRONT_EDGE = _EDGE.replace("\ufeff", "")
_SPACES = dict.fromkeys(map(ord, SIGNS), " ")


def _blank_edges(match: re.Match[str]) -> str:
    line = match[0]
    words = line.rstrip(_EDGE)
    if not words.strip(_EDGE):
        return line.translate(_SPACES)
    front = len(words) - len(words.lstrip(_FRONT_EDGE))
    return line[:front].translate(_SPACES) + words[front:] + line[len(words) :].translate(_SPACES)


def blank_invisible(text: str) -> str:
    """Put spaces in the place of invisible signs at the edges of lines.

    Args:
        text: the raw document.

    Returns:
        A text of the same length. Its first character stays where it is a byte order mark.
    """
    if text.isascii() or not _SIGN.search(text, 1):
        return text
    first = text[:1] if text.startswith("\ufeff") else ""
    return first + _LINE.sub(_blank_edges, text[len(first) :])
