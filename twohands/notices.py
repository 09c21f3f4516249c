"""Owns which pieces are a publisher's notices around a text: sign-offs, rights, cookies, subscriptions, contacts.

They take no side and would be counted as neutral paragraphs. By their first words alone, so in doubt they are text.
"""

import re

MAX_WORDS = 120  # of a notice; what is longer is text, however it begins

_BEGIN = r"[^\w\u00a9(]*"  # rules, marks of emphasis and of lists
_NETWORKS = r"(?:social media|twitter|facebook|linkedin|instagram|bluesky|threads|mastodon|youtube|telegram)"
_LETTER = r"(?:e-?mail|newsletter|message|letter|bulletin)"
_NAME = r"(?-i:[A-Z]\S* (?:(?:al|bin|da|de|del|der|di|dos|el|la|le|van|von) )*(?:al-|d['\u2019])?[A-Z])"
# Of a firm, and not "Copyright 2019 Act amendments would let the state …".
_RESERVED = r"(?=.{0,200}\brights reserved\b|[^.;,]{0,60}\.?\Z)"
_OWNER = r"(?=.{0,200}\brights reserved\b|[^.;,:]{0,60}(?:,|\.\s|\.?\Z))"
_NOTICE = re.compile(
    _BEGIN + r"(?:"
    # Wires: "(Reporting by A in B; Editing by C)"; rules for firms may begin with "Reporting by Banks".
    rf"\(reporting by (?-i:[A-Z])|reporting by {_NAME}.{{0,300}}\b(?:reporting|editing|writing) by (?-i:[A-Z])"
    rf"|(?:additional reporting|editing|writing) by {_NAME}|our standards: [^.]{{0,40}}trust principles\b"
    # Rights and imprints.
    rf"|\u00a9|copyright \(c\) \d{{4}}|copyright \u00a9|\(c\) \d{{4}}\b{_RESERVED}"
    rf"|copyright \d{{4}}(?:[-\u2013]\d{{4}})? (?:by )?(?-i:[A-Z]){_OWNER}|all rights reserved(?=\W*\Z|\s*[.|,;])"
    r"|(?:printed by (?-i:[A-Z])|promoted by|(?:printed|promoted) and (?:printed|published|promoted) by)"
    r".{1,80} on behalf of\b"
    r"|(?:the )?(?:views|opinions) (?:and (?:views|opinions) )?expressed (?:(?!\bthat\b)[^.;]){0,60}?"
    r"(?:are (?:solely |entirely )?(?:those (?!that\b)|my |our )"
    r"|(?:do|should) not (?:necessarily )?(?:reflect |represent |be attributed to ))"
    r"|notes? (?:to|for) (?:the )?editors?\b(?! (?:of|who|at|in|that)\b)"
    # Sites and letters.
    r"|(?:we|this (?:web ?)?site) uses? cookies(?= (?:and|for|in order|on|so|that|to|which)\b|[.,;:])"
    r"|advertisement(?: ?[^\w\s:.].{0,40})?\Z|story continues below\W*(?:advert|\Z)"
    rf"|(?:click here to )?view (?:this|the) {_LETTER} in (?:your|a) browser\b"
    r"|(?:to )?unsubscribe(?:\W*\Z|\s*[,|:.\u00b7]"
    r"|\s(?:at any time|by|click|from (?:all|future|our|the|these|this)|here)\b)"
    rf"|you(?:['\u2019]re| are) receiving this {_LETTER}\b|(?:this {_LETTER} was )?sent from my (?-i:[a-z]*[A-Z])"
    rf"|follow (?:\w+ ){{1,3}}on {_NETWORKS}(?=\W*\Z|\s*[,.:@|&/]|\s(?:and|at|for|or|to)\b)"
    r"|sign up (?:here|(?:for|to) (?:our|the)\b[^.]{0,60}\b(?:newsletter|e-?mails?|bulletin))\b"
    # Links have no stop: what ends as a sentence does is one.
    r"|(?:read (?:more|next|also)|see also|related(?: (?:stories|articles|content|reading))?|more on this story)"
    r"[*_]*\s*[:\u00bb\u203a|](?!.*\.\W*\Z)"
    r")",
    re.IGNORECASE | re.DOTALL,
)
# Whom to ask is one where it says how.
_CONTACT = re.compile(
    _BEGIN + r"(?:for (?:more|further) information|(?:media|press) (?:contacts?|enquiries|inquiries)|contacts?:)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"@|\bwww\.|https?://|\b(?:tel|phone|mobile|e-?mail)\b"
    r"|(?:\+|\(?\b0)\d[\d ()./-]{6,}\d|\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b",  # and not the years 2024-2030
    re.IGNORECASE,
)
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
