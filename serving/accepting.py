"""Owns which of two forms of an answer a client would rather have, by its header `accept`."""

import re
from collections.abc import Iterable

# One that is not closed goes to the end: else each of many would be looked for there.
_QUOTED = r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)'
_ENTRY = re.compile(rf'(?:{_QUOTED}|[^",])+', re.DOTALL)
_PART = re.compile(rf'(?:{_QUOTED}|[^";])+', re.DOTALL)
_QUALITY = re.compile(r"[01](?:\.[0-9]*)?|\.[0-9]+")


def _read_quality(written: str) -> float:
    """A quality from 0 to 1; what cannot be read is the least: that somebody gave one says that it is not the most."""
    quality = float(written) if _QUALITY.fullmatch(written) else 0.0
    return quality if quality <= 1 else 0.0


def prefers_lines(accepted: Iterable[str]) -> bool:
    """Whether NDJSON is wanted rather than JSON: it is named, not only covered by a wildcard, and no less than JSON.

    Args:
        accepted: each `accept` header; none takes anything.

    Returns:
        Whether it is.

    Source:
        RFC 9110, section 12.5.1.
    """
    qualities: dict[str, float] = {}
    for entry in (match[0] for header in accepted for match in _ENTRY.finditer(header)):
        media_type, *parameters = _PART.findall(entry) or [""]
        named = [(name.strip().lower(), value.strip()) for name, _, value in (p.partition("=") for p in parameters)]
        qualities[media_type.strip().lower()] = next((_read_quality(v) for name, v in named if name == "q"), 1.0)
    lines = qualities.get("application/x-ndjson", 0.0)
    # The most specific range that covers a type decides.
    ranges = ("application/json", "application/*", "*/*")
    return lines > 0 and lines >= next((qualities[each] for each in ranges if each in qualities), 0.0)
