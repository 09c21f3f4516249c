"""Owns how words from elsewhere, as names of files and models, are shown to people: so that they steer no terminal.

Data that is written for programs stays as it is.
"""

import re

# Control characters but tab and line feed, lone surrogates, and those by which text is shown in another order.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def make_printable(text: str) -> str:
    """Write control characters, which a terminal would obey, as Python writes them in source code.

    Args:
        text: one line or several.

    Returns:
        The same text where it holds none.
    """
    return _STEERING.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
