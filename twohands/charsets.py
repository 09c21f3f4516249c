"""Owns encodings of documents: names, as pages and services declare them -> codecs, and bytes -> text, as browsers do.

Knows nothing of what documents are.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from itertools import chain

from twohands.row_files import MAX_LINE

# What is declared as the key is read as the value, which holds more: pages that say iso-8859-1 have curly quotes.
_READ_AS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "big5": "big5hkscs", "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
    "utf-8-sig": "utf-8",
}  # fmt: skip
# The others that a document may name. Python knows more, among them such as unpack archives or take hours.
_READ = {
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "big5hkscs", "cp866", "cp874", "cp932", "cp949", "euc_jp", "gb18030",
    "iso2022_jp", "koi8-r", "koi8-u", "mac-roman", *(f"cp125{n}" for n in range(9)),
    *(f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
}  # fmt: skip
# UTF-32 before UTF-16, as whose mark one of its marks begins.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
LONGEST_MARK = max(map(len, _BYTE_ORDER_MARKS))  # bytes


def find_codec(label: str) -> str | None:
    """Find what an encoding is read with.

    Args:
        label: as it stands behind `charset=`.

    Returns:
        Python's name of a codec; None for what is no encoding of documents.

    Source:
        WHATWG Encoding Standard, "Names and labels".
    """
    if not label.isascii():  # Python passes over other letters
        return None
    try:
        name = codecs.lookup(label.strip()).name
    except (LookupError, ValueError):
        return None
    return _READ_AS.get(name, name if name in _READ else None)


def find_marked_codec(content: bytes) -> str | None:
    """Find what a byte order mark says, which is more to be believed than what is said about the bytes elsewhere.

    Args:
        content: of a document.

    Returns:
        Python's name of a codec, under which a mark of UTF-8 stays the first character; None without a mark.
    """
    return next((codec for mark, codec in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)


@cache
def _make_table(codec: str) -> str:
    """What each byte of a Windows code page is; U+FFFE stands for none."""
    characters = [bytes([byte]).decode(codec, "replace") for byte in range(256)]
    return "".join(
        each if each != "\ufffd" else chr(byte) if 0x80 <= byte < 0xA0 else "\ufffe"
        for byte, each in enumerate(characters)
    )


def is_mostly_utf_8(content: bytes) -> bool:
    """Say whether bytes that are not all UTF-8 are so but for some, as where a page was put together of two sources.

    Args:
        content: of a document.

    Returns:
        Whether at least as many of its characters beyond ASCII are UTF-8 as are none: of other encodings few are by
        chance. True where all is ASCII.
    """
    text = content.decode("utf-8", "replace")
    n_bad = text.count("\ufffd") - content.count("\ufffd".encode())  # the text may have some of its own
    return n_bad * 2 <= len(_BEYOND_ASCII.findall(text))


def decode(content: bytes, codec: str, *, errors: str = "strict") -> str:
    """Decode a document.

    In Windows code pages a byte from 80 to 9F (hexadecimal) without a character of its own is the control character of
    that number: windows-1252 has five of these, and with them no bytes that it does not take. What is said to be that,
    or Latin-1 or ASCII, but is valid UTF-8 is read as such, other than by browsers: clients name one of them by
    default, and hardly any other text is valid by chance.

    Args:
        content: of the document.
        codec: from `find_codec` or `find_marked_codec`.
        errors: what becomes of bytes that are none of it, by Python's name: "strict" or "replace".

    Returns:
        Its text.

    Raises:
        UnicodeDecodeError: it is in another encoding, and `errors` is "strict".

    Source:
        WHATWG Encoding Standard, "Indexes".
    """
    if codec == "cp1252":
        with suppress(UnicodeDecodeError):
            return content.decode("utf-8")
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        if codec != "cp874" and not codec.startswith("cp125"):
            return content.decode(codec, errors)
        return codecs.charmap_decode(content, errors, _make_table(codec))[0]


def decode_faulty(content: bytes, known: str) -> str:
    """Decode what is not all of the encoding that it is said to be, and has no byte order mark.

    Args:
        content: of a document.
        known: what it is said to be, from `find_codec`; "utf-8" where nothing is said and nothing shall be guessed.

    Returns:
        Its text: of UTF-8 if it is valid as such, or if most of it is and nothing else is said; else of what is said,
        where windows-1252 stands for a UTF-8 that it is not. What is none of it becomes U+FFFD.
    """
    if known != "utf-8":
        with suppress(UnicodeDecodeError):  # hardly any other text is valid by chance
            return content.decode("utf-8")
        return decode(content, known, errors="replace")
    if is_mostly_utf_8(content):
        return content.decode("utf-8", "replace")
    return decode(content, "cp1252")  # said by mistake, as of pages that were made on Windows


def read_utf_8_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Turn lines of UTF-16 or UTF-32 that begin with a byte order mark, as PowerShell writes them, into UTF-8.

    Args:
        lines: as they come of a file, each up to a byte 0A; not all of them need be held.

    Yields:
        Other lines as they are; half a surrogate pair as `json` reads it. What breaks off amid a letter is left out,
        and so is the end of a line of more than `MAX_LINE` characters, which is too long all the same.
        What is no UTF-32 is spelt with a backslash and x, so that its line is no JSON.
    """
    remaining = iter(lines)
    first = next(remaining, b"")
    codec = find_marked_codec(first)
    if codec is None or codec == "utf-8":
        yield first
        yield from remaining
        return
    decoder = codecs.getincrementaldecoder(codec)("surrogatepass" if codec == "utf-16" else "backslashreplace")
    held: list[str] = []  # joined once: each letter of Gujarati and Gurmukhi has that byte, and ends a piece
    n_held = 0
    for piece in chain([first], remaining):  # of which each begins with the rest of the line feed before it
        *whole, rest = decoder.decode(piece).split("\n")
        for end in whole:
            kept = end if n_held < MAX_LINE else ""  # behind a gap it could make another line of JSON
            yield f"{''.join(held)}{kept}\n".encode("utf-8", "surrogatepass")
            held.clear()
            n_held = 0
        if n_held < MAX_LINE:
            held.append(rest)
            n_held += len(rest)
    yield "".join(held).encode("utf-8", "surrogatepass")
