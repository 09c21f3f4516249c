"""Owns which pieces are a publisher's notices around a text: sign-offs, rights, cookies, subscriptions, contacts.

They take no side and would be counted as neutral paragraphs. By their first words alone, so in doubt they are text.
"""

import re

MAX_WORDS = 120  # of a notice; what is longer is text, however it begins

_BEGIN = r"[^\w\u00a9(]*"  # rules, marks of emphasis and of lists
_NETWORKS = r"(?:social media|twitter|facebook|linkedin|instagram|bluesky|threads|mastodon|youtube|telegram)"
_LETTER = r"(?:e-?mail|newsletter|message|letter|bulletin)"
_NOTICE = re.compile(
    _BEGIN + r"(?:"
    # Wires: "(Reporting by A in B; Editing by C)"; rules for firms may begin with "Reporting by Banks".
    r"\(reporting by (?-i:[A-Z])|reporting by (?-i:[A-Z]).{0,300}\b(?:reporting|editing|writing) by (?-i:[A-Z])"
    r"|(?:additional reporting|editing|writing) by (?-i:[A-Z])|our standards: [^.]{0,40}principles\b"
    # Rights and imprints.
    r"|\u00a9|(?:copyright )?\(c\) \d{4}|copyright (?:\u00a9|\d{4}(?:[-\u2013]\d{4})? (?:by )?(?-i:[A-Z]))"
    r"|all rights reserved\b|(?:printed|promoted)(?: and (?:printed|published|promoted))? by .{1,80} on behalf of\b"
    r"|(?:the )?(?:views|opinions) (?:and (?:views|opinions) )?expressed .{0,60}?"
    r"(?:are (?:solely |entirely )?(?:those|my|our) "
    r"|(?:do|should) not (?:necessarily )?(?:reflect|represent|be attributed))"
    r"|notes? (?:to|for) (?:the )?editors?\b(?! (?:of|who|at|in|that)\b)"
    # Sites and letters.
    r"|(?:we|this (?:web ?)?site) uses? cookies\b|advertisement(?: ?[^\w\s:.].{0,40})?\Z|story continues below\b"
    rf"|(?:click here to )?view (?:this|the) {_LETTER} in (?:your|a) browser\b|(?:to )?unsubscribe\b"
    rf"|you(?:['\u2019]re| are) receiving this {_LETTER}\b|(?:this {_LETTER} was )?sent from my (?-i:[a-z]*[A-Z])"
    rf"|follow (?:\w+ ){{1,3}}on {_NETWORKS}\b|sign up (?:here|(?:for|to) (?:our|the)\b[^.]{{0,60}}{_LETTER})\b"
    r"|(?:read (?:more|next|also)|see also|related(?: (?:stories|articles|content|reading))?|more on this story)"
    r"[*_]*\s*[:\u00bb\u203a|]"
    r")",
    re.IGNORECASE | re.DOTALL,
)
# Whom to ask is one where it says how.
_CONTACT = re.compile(
    _BEGIN + r"(?:for (?:more|further) information|(?:media|press) (?:contacts?|enquiries|inquiries)|contacts?:)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"@|\bwww\.|https?://|\b(?:tel|phone|mobile|e-?mail)\b|\+?\d[\d ()./-]{6,}\d", re.IGNORECASE)
_SEEN_CHARS = 400


def is_notice(piece: str, n_words: int) -> bool:
    """Say whether a piece of a document is a notice around its text.

    Args:
        piece: what stands between blank lines, without space around it.
        n_words: how many words it has.

    Returns:
        False for all that is longer than `MAX_WORDS`.
    """
    if n_words > MAX_WORDS:
        return False
    seen = piece[:_SEEN_CHARS]
    return bool(_NOTICE.match(seen) or (_CONTACT.match(seen) and _ADDRESS.search(piece)))
