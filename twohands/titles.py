"""Owns which pieces are titles by how they begin, however long they are or end: of boxes, and of sections of acts."""

import re

_MAX_WORDS = 20
_BOX = re.compile(
    r"[^\w(]*(?:box|panel) (?:\d{1,2}(?:[.-]\d{1,2})?|[A-Z])[*_]*\s?[:.|\u2013\u2014][*_]*\s", re.IGNORECASE
)
# "SEC. 2. FINDINGS.", which stands in capitals in an act whose text does not.
_SECTION = re.compile(r"(?:SEC\.|SECTION|\u00a7) ?\d{1,5}[A-Z]?(?:[.-]\d{1,4})*\.\s{1,3}(?P<words>[^a-z]{3,})")
# "Sec. 3. Definitions.", by words that name sections: "Art. 4. Land belongs to all." lays something down.
_NAMED = re.compile(
    r"(?:Sec(?:tion|\.)|Art(?:icle|\.)|\u00a7) ?\d{1,5}[A-Za-z]?(?:[.-]\d{1,4})*\.\s{1,3}(?P<words>[A-Z][^.]{3,80})\."
)
_NAMES = frozenset({
    "amendment", "amendments", "and", "application", "appropriations", "authorization", "commencement", "contents",
    "date", "definition", "definitions", "effective", "entry", "extent", "final", "findings", "force", "general",
    "interpretation", "into", "matter", "miscellaneous", "objectives", "of", "offences", "penalties", "provisions",
    "purpose", "purposes", "repeal", "repeals", "savings", "scope", "severability", "short", "subject", "table",
    "title", "transitional",
})  # fmt: skip
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
    if n_words > _MAX_WORDS:
        return False
    if not is_ended and "\n" not in piece and _BOX.match(piece):
        return True
    section = _SECTION.fullmatch(piece)
    if section is None and (named := _NAMED.fullmatch(piece)):
        return _NAMES.issuperset(re.split(r"[,\s]+", named["words"].lower()))
    return section is not None and section["words"].isupper() and not _VERB.search(section["words"])
