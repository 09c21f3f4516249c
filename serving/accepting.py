"""Owns which of two forms of an answer a client would rather have, by its headers `accept` and `accept-encoding`."""

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


def _read_qualities(accepted: Iterable[str]) -> dict[str, float]:
    """The quality of each entry of a header, by what it names in lower case; an entry without one has the most."""
    qualities: dict[str, float] = {}
    for entry in (match[0] for header in accepted for match in _ENTRY.finditer(header)):
        named, *parameters = _PART.findall(entry) or [""]
        given = [(name.strip().lower(), value.strip()) for name, _, value in (p.partition("=") for p in parameters)]
        qualities[named.strip().lower()] = next((_read_quality(v) for name, v in given if name == "q"), 1.0)
    return qualities


def takes_gzip(accepted: Iterable[str]) -> bool:
    """Whether an answer may be sent in gzip: it is named, not only covered by a wildcard, and not refused.

    Args:
        accepted: each `accept-encoding` header; none takes the answer as it is.

    Returns:
        Whether it may.

    Source:
        RFC 9110, section 12.5.3.
    """
    return _read_qualities(accepted).get("gzip", 0.0) > 0


def prefers_lines(accepted: Iterable[str]) -> bool:
    """Whether NDJSON is wanted rather than JSON: it is named, not only covered by a wildcard, and no less than JSON.

    Args:
        accepted: each `accept` header; none takes anything.

    Returns:
        Whether it is.

    Source:
        RFC 9110, section 12.5.1.
    """
    qualities = _read_qualities(accepted)
    lines = qualities.get("application/x-ndjson", 0.0)
    # The most specific range that covers a type decides.
    ranges = ("application/json", "application/*", "*/*")
    return lines > 0 and lines >= next((qualities[each] for each in ranges if each in qualities), 0.0)
