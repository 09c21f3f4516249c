"""Owns which of two forms of an answer a client would rather have, by its header `accept`."""

import re
from collections.abc import Iterable

_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)


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
    for entry in ",".join(accepted).split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        found = [match[1] for parameter in parameters if (match := _QUALITY.fullmatch(parameter))]
        qualities[media_type.lower()] = float(found[0]) if found else 1.0
    lines = qualities.get("application/x-ndjson", 0.0)
    # The most specific range that covers a type decides.
    ranges = ("application/json", "application/*", "*/*")
    return lines > 0 and lines >= next((qualities[each] for each in ranges if each in qualities), 0.0)
