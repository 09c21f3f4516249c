"""Owns which pieces are a publisher's notices around a text: sign-offs, rights, cookies, subscriptions, contacts.

They take no side and would be counted as neutral paragraphs. By their first words alone, so in doubt they are text.
"""

import re

from twohands.ends import ends_with_stop
from twohands.mail_header import is_mail_header
from twohands.plain_words import IMAGE

MAX_WORDS = 120  # of a notice; what is longer is text, however it begins
MAX_LEGAL_WORDS = 400  # of what stands below a mail, whose first words no text begins with

_BEGIN = r"[^\w\u00a9(]*"  # rules, marks of emphasis and of lists
_NETWORKS = r"(?:social media|twitter|facebook|linkedin|instagram|bluesky|threads|mastodon|youtube|telegram)"
_NAME_WORD = r"(?:(?:de|der|di|van|von) )?[A-Z][^\W\d_]+(?:['\u2019-][^\W\d_]+)*"
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
    # What was done to the text; "This article was amended on 3 May" may be one of an act.
    r"|this (?:conversation|interview|q ?& ?a|transcript) (?:has been|was) (?:\w+ly )?(?:condensed|edited)\b"
    r"|this (?:article|piece|post|report|story) (?:has been|was) (?:amended|corrected|updated)\b[^.:;]{0,40}"
    r"(?:\bto (?:clarify|correct|remove an error)\b|\.(?=.{0,100}\b(?:earlier|previous) version\b))"
    # Rights and imprints.
    rf"|\u00a9|copyright \(c\) \d{{4}}|copyright \u00a9|\(c\) \d{{4}}\b{_RESERVED}"
    rf"|copyright \d{{4}}(?:[-\u2013]\d{{4}})? (?:by )?(?-i:[A-Z]){_OWNER}|all rights reserved(?=\W*\Z|\s*[.|,;])"
    r"|(?:printed by (?-i:[A-Z])|promoted by|(?:printed|promoted) and (?:printed|published|promoted) by)"
    r".{1,80} on behalf of\b"
    r"|(?:the |any )?(?:views|opinions) (?:(?:and|or) (?:views|opinions) )?expressed (?:(?!\bthat\b)[^.;]){0,60}?"
    r"(?:are (?:solely |entirely )?(?:those (?!that\b)|my |our )"
    r"|(?:do|should) not (?:necessarily )?(?:reflect |represent |be attributed to ))"
    r"|notes? (?:to|for) (?:the )?editors?\b(?! (?:of|who|at|in|that)\b)"
    # Sites and letters.
    r"|(?:we|this (?:web ?)?site) uses? cookies(?= (?:and|for|in order|on|so|that|to|which)\b|[.,;:])"
    r"|advertisement(?: ?[^\w\s:.].{0,40})?\Z|story continues below\W*(?:advert|\Z)"
    rf"|(?:click here to )?view (?:this|the) {_LETTER} in (?:your|a) browser\b"
    r"|(?:to )?unsubscribe(?:\W*\Z|\s*[,|:.\u00b7]"
    r"|\s(?:at any time|by|click|from (?:all|future|our|the|these|this)|here)\b)"
    rf"|you(?:['\u2019]re| are) receiving this {_LETTER}\b|want to change how you receive these (?:e-?mails|messages)\?"
    rf"|our mailing address is:|(?:this {_LETTER} was )?sent from my (?-i:[a-z]*[A-Z])"
    rf"|follow (?:\w+ ){{1,3}}on {_NETWORKS}(?=\W*\Z|\s*[,.:@|&/]|\s(?:and|at|for|or|to)\b)"
    r"|sign up (?:here|(?:for|to) (?:our|the)\b[^.]{0,60}\b(?:newsletter|e-?mails?|bulletin))\b"
    # Links have no stop: what ends as a sentence does is one.
    r"|(?:read (?:more|next|also)|see also|related(?: (?:stories|articles|content|reading))?|more on this story)"
    r"[*_]*\s*[:\u00bb\u203a|](?!.*\.\W*\Z)"
    r"|(?:subscribe|register|(?:log|sign) ?in) (?:now )?to (?:continue(?= reading\b|\W*\Z)|keep reading"
    r"|unlock (?:all|full|more|the full|this|unlimited|your)|read (?:the full|this) (?:article|story))\b"
    r"|already (?:a (?:member|subscriber)|an? \w+ subscriber|have an account|registered|subscribed)"
    r"\?\W*(?:\Z|(?:access|activate|click|continue|enter|go|log|sign)\b)"
    r"|(?:we (?:and|&) our|our) (?:[\w,.-]+ ){0,2}partners (?:(?:can|may|will|would like to) )?"
    r"(?:access|ask|collect|do|need|place|process|set|share|store|use)\b"
    r"(?=.{0,200}\b(?:cookies|(?:on|from) (?:a|your) (?:browser|device)|unique identifiers)\b)"
    # Releases, and what data bases set around an article.
    r"|(?:this|the) (?:(?:news|press) )?(?:release|announcement) (?:may )?(?:contains?|includes?) (?:certain )?"
    r"\W?forward[- ]looking\W{1,2}(?:information|statements?)\b(?!\W{0,2}\s(?:for|from|on|to)\b)"
    r"|(?-i:SOURCE:? [A-Z])[^.]{1,60}\.?\Z"
    # Below a figure: names alone, or what was done with their figures; "Sources: State to buy the yards" is news.
    r"|sources?:[*_]*\s(?!.{0,300}\b(?-i:are|had|has|have|is|said|says|that|was|were|will|would)\b)(?-i:[A-Z])(?=\S*(?:\s(?-i:[A-Z]\S*|and|for|of|the)){0,9}\Z"
    r"|.{0,300}\b(?:calculations|computations|elaboration|estimates|projections)\W*\Z)"
    r"|\[FR Doc\. \d|billing code \d[\w-]+\W*\Z|document (?-i:[A-Z]{2}[A-Z\d]{2,}\d[\da-z]{9,})\Z"
    r"|load-date:\s*(?:\w{3,9} )?\d|publication-type:|length:\s+[\d,]{1,7} words\s*?(?:[\r\n]|\Z)"
    r"|end of document\Z|body:\s*\Z"
    r")",
    re.IGNORECASE | re.DOTALL,
)
# Of lawyers, below mails. Between the verb and these words is nothing else: "This Communication is about privileged
# access to ports" is text.
_MAIL = r"(?:e-?mail|message|communication|transmission)"
_THIS_MAIL = (
    r"(?:this|the (?:contents?|information) (?:contained )?(?:in|of|transmitted (?:by|in|with)) this) "
    rf"(?:electronic )?{_MAIL}(?: (?:message|transmission))?"
)
_FILES = r"(?:attach(?:ed|ments?)|files?|information)\b"
_WITH_FILES = rf"(?:,? \(?(?:and|including|together with|with) [^.]{{0,60}}\b{_FILES}[^.]{{0,60}}?)?"
_CONFIDENTIAL = re.compile(
    _BEGIN
    + (
        r"(?:(?:(?:legal |important )?(?:confidentiality|disclaimer|legal|privacy)(?: (?:note|notice|statement))?"
        r"|important|notice|note|warning)\W{1,3})?(?:"
        rf"{_THIS_MAIL}{_WITH_FILES} (?:is|are|may be|may contain|contains?) (?:"
        r"(?:(?:also|and|and/or|be|contain|information|is|legally|may|or|personal|private|proprietary|strictly|that|the"
        r"|which),? ){0,8}(?:confidential|privileged)\b"
        r"|(?:intended|meant) (?:only |solely |exclusively )?for (?:the )?(?:[\w-]+ ){0,3}"
        r"(?:use|person|addressees?|recipients?|individuals?)\b)"
        r"|if you (?:are not the (?:intended|named) (?:addressee|recipient)\b"
        rf"|have received this {_MAIL} (?:by mistake|in error)\b)"
        r"|(?:please |do )?(?:consider|think (?:about|of)) the environment before (?:you )?print"
        rf"|{_THIS_MAIL} (?:has been|was) (?:checked|scanned) (?:by|for|with)\b)"
    ).replace(" ", r"\s{1,3}"),  # lines may end anywhere
    re.IGNORECASE,
)
# Whom to ask is one where it says how.
_CONTACT = re.compile(
    _BEGIN + r"(?:for (?:more|further) information|(?:media|press) (?:contacts?|enquiries|inquiries|queries)|contacts?:"
    r"|(?:media|press) (?:desk|office|team)\s*[:(])",
    re.IGNORECASE,
)
# Above the mail that is answered: "On Tue, 3 May 2033 at 10:12, Jane Doe <jane@example.org> wrote:".
_WROTE = re.compile(
    r"[>\s]*(?:on|le|am)\s[^\r\n]{0,99}\d(?=.*(?:@|\d:\d\d(?P<sender>.*))).{4,240}\b(?:wrote|writes)\s?:\Z",
    re.IGNORECASE | re.DOTALL,
)
_MAX_SENDER_WORDS = 8  # behind the time: a name, and what zone it is in
_SMALL_WORD = re.compile(r"(?<!\S)(?!(?:al|bin|da|de|del|der|di|la|le|van|von|wrote|writes|[ap]\.?m\.?)\b)[a-z]")
_SIGNATURE = re.compile(r"[> ]*-- ?[\r\n]")
_STAGE = re.compile(r"[\[(](?P<words>[^\[\]()]{1,120})[\])]\.?")
# "We will not yield. [Applause]", but not "Lorn Corp. (Music Division)" or "Lind, A. (editor)".
_BEFORE_STAGE = re.compile(
    r"(?<!\b[A-Z])(?<!\b(?:Co|Dr|Jr|No|Sr|St))(?<!\b(?:Inc|Ltd|Vol))(?<!\bCorp)[.!?\u2026]['\"\u2019\u201d]?[*_]{0,3}"
    r"(?: [*_]{0,3}[\[(][^\[\]()\d]{1,60}[\])][*_]{0,3}){1,3}\Z"
)
_TAIL_CHARS = 200
_OF_TEXT = re.compile(
    r"(?:(?:the|this) (?:article|page|post|report|story|text|transcript|version)|adds|corrects|recasts|updated?s?)\b",
    re.IGNORECASE,
)
_SENTENCE_WORDS = 4  # fewer in brackets are no sentence, though a stop ends them
# Of a data base of the press: headline, byline, "412 words", date, source.
_CATALOGUE = re.compile(r"(?:[^\r\n]{1,120}(?>\r\n|\r|\n)){0,4}[\d,]{1,7} words[^\S\r\n]*[\r\n]")
_NOTES_TITLE = re.compile(_BEGIN + r"notes? (?:to|for) (?:the )?editors?\W*\Z", re.IGNORECASE)
_SHARES = {
    "bluesky", "copy link", "e-mail", "email", "facebook", "instagram", "linkedin", "mastodon", "pinterest", "print",
    "reddit", "share", "telegram", "threads", "twitter", "whatsapp", "x", "youtube",
}  # fmt: skip
_MIN_SHARES = 3
_SHARED = {"copy link", "e-mail", "email", "print", "share", "whatsapp"}  # beside networks: alone they may be an item's
_LINE_END = re.compile(r"[\r\n]+")
_ADDRESS = re.compile(
    r"@|\bwww\.|https?://|\b(?:tel|phone|mobile|e-?mail)\b"
    r"|(?:\+|\(?\b0)\d[\d ()./-]{6,}\d|\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b",  # and not the years 2024-2030
    re.IGNORECASE,
)
# Text says "Figure 1 shows"; a box holds text.
_CAPTION = re.compile(
    _BEGIN + r"(?:figure|fig\.|table|chart|graph|map) (?:\d{1,2}(?:[.-]\d{1,2})?|[A-Z]\.?\d{1,2})[a-z]?[*_]*"
    r"(?:\s?[:|\u2013\u2014]|\.)[*_]*\s",
    re.IGNORECASE,
)
_CAPTION_WORDS = 40  # in one line, and what says below where it is from: text may stand in the next
_BELOW_CAPTION = re.compile(r"[*_]{0,2}(?:notes?|sources?)\b[*_]{0,2}:", re.IGNORECASE)
_EMPHASISED = re.compile(r"([*_]{1,2})(?=[^\s*_])[^*_\r\n]{1,400}\1")  # below a picture a caption, too
# Below a letter: "Yours sincerely,".
_CLOSING = re.compile(
    r"(?:all the best|(?:many )?thanks(?: again)?|thank you|best|cheers),"
    r"|(?:(?:most|very|yours) ){0,2}(?:cordially|faithfully|respectfully|sincerely|truly)(?: submitted| yours)?[,.]?"
    r"|(?:with )?(?:(?:best|kind|kindest|warm|warmest) )?(?:regards|wishes),|with (?:best|kind) (?:regards|wishes)",
    re.IGNORECASE,
)
_POSTSCRIPT = re.compile(r"p\.? ?s\b", re.IGNORECASE)
# Of a list of them: "Lind, A., and Tarn, B. (2031). Who pays."; text says "Lind, A. (2031) holds that".
_REFERENCE = re.compile(
    rf"{_BEGIN}{_NAME_WORD}(?: {_NAME_WORD})?, (?:[A-Z]\.[ -]?){{1,3}}"
    r"(?:[^()\d]{0,200}\((?:1[89]|20)\d\d[a-z]?\)[.,:]|[^()\d]{0,200}, (?:1[89]|20)\d\d[a-z]?[.:])\s"
)
_SEEN_CHARS = 400
_PROSE_WORDS = 13  # of a line that is text


def is_notice(piece: str, n_words: int) -> bool:
    """Say whether a piece of a document is a notice around its text.

    Args:
        piece: what stands between blank lines, without space around it.
        n_words: how many words it has.

    Returns:
        False for all that is longer than `MAX_WORDS`, but what lawyers put below a mail.
    """
    seen = piece[:_SEEN_CHARS]
    if n_words <= MAX_LEGAL_WORDS and _CONFIDENTIAL.match(seen):
        return True
    if n_words > MAX_WORDS:
        return piece.startswith("^ ") and all(line.startswith("^ ") for line in _LINE_END.split(piece))
    if _NOTICE.match(seen) or (_CONTACT.match(seen) and _ADDRESS.search(piece)):
        return True
    if _REFERENCE.match(seen) or _is_caption(piece, n_words) or closes_letter(piece):
        return True
    return piece.startswith("^ ") or _is_of_mail(piece) or _is_of_data_base(piece) or _is_of_site(piece)


def _is_caption(piece: str, n_words: int) -> bool:
    """Whether it is a caption, in one line, or a picture of Markdown with its own above or below."""
    if n_words > _CAPTION_WORDS:
        return False
    words = IMAGE.sub("", piece).strip() if "![" in piece else piece
    line, *below = _LINE_END.split(words, maxsplit=1)
    if below:
        return _CAPTION.match(line) is not None and _BELOW_CAPTION.match(below[0].lstrip()) is not None
    return bool(_CAPTION.match(words)) or (words != piece and _EMPHASISED.fullmatch(words) is not None)


def closes_letter(piece: str) -> bool:
    """Say whether a piece of a document closes a letter, as "Yours sincerely," does, with or without names below.

    Args:
        piece: what stands between blank lines, without space around it.

    Returns:
        False where a sentence or a postscript stands in a line below.
    """
    if not _CLOSING.match(piece):
        return False
    first, *below = _LINE_END.split(piece)
    if not _CLOSING.fullmatch(first.strip()):
        return False
    lines = [line.strip() for line in below]
    # "Best,\nthe minister said, is a bank" in narrow lines; names may be in small letters, too.
    if lines and lines[0][:1].islower() and any(map(ends_with_stop, lines)):
        return False
    return not any(_POSTSCRIPT.match(line) or (_is_long(line) and ends_with_stop(line)) for line in lines)


def _is_long(line: str) -> bool:
    return len(line.split()) >= _PROSE_WORDS


def is_stage_direction(piece: str, n_words: int) -> bool:
    """Say whether a piece of a document is a few words in brackets, as "[Laughter]" and "(This story was updated)".

    Args:
        piece: what stands between blank lines, without space around it.
        n_words: how many words it has.

    Returns:
        False for what is as long as a paragraph, and for a sentence that is not about the text.
    """
    stage = _STAGE.fullmatch(piece) if piece[0] in "[(" and n_words < _PROSE_WORDS else None
    if stage is None:
        return False
    is_sentence = n_words >= _SENTENCE_WORDS and (
        piece[-1] == "." or stage["words"].rstrip()[-1:] in {".", ";", "!", "?"}
    )
    return not is_sentence or _OF_TEXT.match(stage["words"]) is not None


def ends_before_stage(piece: str) -> bool:
    """Say whether a piece of a document ends a sentence before words in brackets, as "We will not yield. [Applause]".

    Args:
        piece: without space at its end.

    Returns:
        False where the brackets hold a digit, as a year does behind a name, and behind what is short for a word.
    """
    if piece.rstrip("*_")[-1:] not in {"]", ")"}:
        return False
    # Where times of subtitles or an indent stood there is much space.
    return _BEFORE_STAGE.search(" ".join(piece[-_TAIL_CHARS:].split())) is not None


def _has_prose(piece: str) -> bool:
    return any(map(_is_long, _LINE_END.split(piece)))


def _is_of_mail(piece: str) -> bool:
    """Whether it is what programs for mail set around it: who wrote what is quoted, a signature, another's header."""
    if ":" in piece and ((found := _WROTE.fullmatch(piece)) or is_mail_header(piece)):
        return found is None or _is_sender(found["sender"])
    return "--" in piece and _SIGNATURE.match(piece) is not None and not _has_prose(piece)


def _is_sender(words: str | None) -> bool:
    """Whether what stands behind a time is a name; a minister may write at a time, too."""
    return words is None or "@" in words or (len(words.split()) <= _MAX_SENDER_WORDS and not _SMALL_WORD.search(words))


def _is_of_site(piece: str) -> bool:
    """Whether lines are what a page has to share it."""
    if piece.count("\n") + piece.count("\r") < _MIN_SHARES - 1:
        return False
    lines = [line.strip(" \t*-\u2022\u00b7").lower() for line in _LINE_END.split(piece)]
    if _has_prose(piece) or not any(line in _SHARED or line.startswith("share ") for line in lines):
        return False
    return sum(line in _SHARES for line in lines) >= _MIN_SHARES


def _is_of_data_base(piece: str) -> bool:
    return " words" in piece and _CATALOGUE.match(piece) is not None and not _has_prose(piece)


def heads_notes(piece: str) -> bool:
    """Say whether a piece of a document heads notes to editors that follow in pieces of their own.

    Args:
        piece: what stands between blank lines, without space around it.

    Returns:
        False where such a note follows within the piece.
    """
    return _NOTES_TITLE.match(piece) is not None
