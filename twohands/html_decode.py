"""Owns the bytes of a page -> its characters. Knows nothing of markup but where it declares an encoding."""

import re
from types import ModuleType

from twohands.charsets import decode, decode_faulty, find_codec, find_marked_codec, is_mostly_utf_8
from twohands.errors import FileReadError

# What browsers take for data and not text (WHATWG, MIME sniffing, section 3). Of data these are a tenth; a page that
# was copied badly may hold a few, however short it is, and one that was saved badly may be filled up with NUL.
_DATA = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_DATA_SHARE, _MIN_DATA = 0.02, 5


def _decode_faulty(content: bytes, bs4: ModuleType, known: str | None) -> str:
    """What is not all of its encoding, without a byte order mark; guessed only where nothing is known of it.

    A guess depends on which libraries are installed, and one bad byte spoilt all other letters by it (#4).
    """
    if known or is_mostly_utf_8(content):
        return decode_faulty(content, known or "utf-8")
    return bs4.dammit.UnicodeDammit(content, is_html=True).unicode_markup or ""


def _decode(content: bytes, bs4: ModuleType, codec: str | None) -> str:
    """As browsers do where an encoding is known; else it is guessed."""
    marked = find_marked_codec(content)
    if marked:
        return decode(content, marked, errors="replace").removeprefix("\ufeff")
    if not codec:
        declared = bs4.dammit.EncodingDetector.find_declared_encoding(content, is_html=True)
        codec = find_codec(declared) if declared else None
        if codec and codec.startswith("utf-16"):  # which was no UTF-16, or the word could not have been found
            codec = "utf-8"
    try:
        return decode(content, codec or "utf-8")
    except UnicodeDecodeError:
        return _decode_faulty(content, bs4, codec)


def decode_page(content: bytes, *, bs4: ModuleType, codec: str | None, name: str) -> str:
    """Decode a page by its mark, by what is known or declared of it, else by a guess.

    Args:
        content: of an HTML file.
        bs4: the library, which finds what is declared.
        codec: Python's name of the encoding, where it is known from elsewhere; what the page says is not heeded then.
        name: of the document, for the message.

    Returns:
        Its characters, without NULs at the end.

    Raises:
        FileReadError: it is data, such as a picture, and no text in any encoding.
    """
    page = _decode(content, bs4, codec).rstrip("\0")
    # As windows-1252 any bytes are text: a picture called .html was classified, as neutral (#2).
    if len(_DATA.findall(page)) >= max(_MIN_DATA, _DATA_SHARE * len(page)):
        raise FileReadError(
            f"{name} is not text: it holds control characters, as pictures, packed files and UTF-16 without its "
            "byte order mark do"
        )
    return page
