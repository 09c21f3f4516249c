"""Owns which pieces are titles by how they begin, however long they are or end: of boxes, and of sections of acts."""

import re

_MAX_WORDS = 20
_MAX_CHARS = 300
_BOX = re.compile(
    r"[^\w(]*(?:box|panel) (?:\d{1,2}(?:[.-]\d{1,2})?|[A-Z])[*_]*\s?[:.|\u2013\u2014][*_]*\s", re.IGNORECASE
)
# "SEC. 2. FINDINGS.", which stands in capitals in an act whose text does not.
_SECTION = re.compile(r"(?:SEC\.|SECTION|\u00a7) ?\d{1,5}[A-Z]?(?:[.-]\d{1,4})*\.\s{1,3}(?P<words>[^a-z]{3,})")
_VERB = re.compile(r"\b(?:ARE|BE|CAN|DO|DOES|HAS|HAVE|IS|MAY|MUST|SHALL|WAS|WERE|WILL)\b")


def is_title(piece: str, n_words: int, *, is_ended: bool) -> bool:
    """Say whether a piece of a document is the title of a box or of a section of an act.

    Args:
        piece: what stands between blank lines, without space around it.
        n_words: how many words it has.
        is_ended: whether it ends as a sentence does; what is said in a box may begin with its name.

    Returns:
        False for more words than titles have, and for a section's words that have a verb in them.
    """
    if n_words > _MAX_WORDS or len(piece) > _MAX_CHARS:
        return False
    if not is_ended and "\n" not in piece and _BOX.match(piece):
        return True
    section = _SECTION.fullmatch(piece)
    return section is not None and section["words"].isupper() and not _VERB.search(section["words"])
