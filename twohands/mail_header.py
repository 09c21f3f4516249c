"""Owns the header of an e-mail or a memorandum -> where the text begins behind it."""

import re

from twohands.ends import ends_sentence

MAX_HEADER_LINES = 1000
PROSE_WORDS = 13  # of a field or of what it goes on with; so many are text
_NAME_WORDS = 8  # of one of several, with what it is of

_BLANK = re.compile(r"[^\S\r\n]*+(?:[\r\n]|\Z)")
_BLANK_LINES = re.compile(r"(?:[^\S\r\n]*+[\r\n])*+")
# Names that a text gives its paragraphs ("Self-reliance: ...") are none.
_FIELD = re.compile(
    r"(?:(?P<known>from|to|subject|date|sent)|b?cc|reply-to|sender|organi[sz]ation|newsgroups|importance|priority|"
    r"attachments?|(?P<technical>received|references|precedence|message-id|in-reply-to|return-path|delivered-to|"
    r"user-agent|received-spf|authentication-results|auto-submitted|dkim-signature|domainkey-signature|"
    r"disposition-notification-to|(?:x|list|mime|content|arc|resent|thread)(?:-[a-z0-9]{1,40}){1,8})):(?=\s)"
    r"(?P<value>[^\r\n]*+)(?P<fold>(?:(?>\r\n|\r|\n)[ \t]++[^\s][^\r\n]*+)*+)(?>\r\n|\r|\n|\Z)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"^[> \t]*>[ \t]?", re.MULTILINE)
_FORWARDED = re.compile(
    r"[-_* \t]{5,}[\r\n]+|[-_* \t]*(?:original message|forwarded (?:message|by[^\r\n]{0,80})|begin forwarded message:?)"
    r"[-_* \t]*[\r\n]+",
    re.IGNORECASE,
)
_PIECE_END = re.compile(r"(?:\r\n|\r|\n)[^\S\r\n]*[\r\n]")

Span = tuple[int, int]


def _is_prose(match: re.Match[str], part: str) -> bool:
    """Whether a field's value, or what it goes on with, is text rather than names and addresses."""
    words = match[part].split()
    names = match[part].split(";")
    if len(names) > 1 and max(len(name.split()) for name in names) < _NAME_WORDS:  # as in "Lind, Ada (Ports); Tarn, Bo"
        return False
    is_ended = part == "fold" and bool(words) and words[-1][-1] != ";" and ends_sentence(words[-1])
    return not match["technical"] and "@" not in match[part] and (is_ended or len(words) >= PROSE_WORDS)


def _read_fields(text: str, bounds: Span) -> tuple[int, set[str]]:
    """Where the text behind a header begins, and which of From, To, Subject, Date and Sent it has."""
    begin, last = bounds
    known = set()
    match = _FIELD.match(text, begin, last)
    for _ in range(MAX_HEADER_LINES):
        if not match or _is_prose(match, "value"):
            break
        known.add(str(match["known"]).lower())
        begin, following = match.end(), _FIELD.match(text, match.end(), last)
        if match["fold"] and (_is_prose(match, "fold") or not (following or _BLANK.match(text, begin, last))):
            begin = match.start("fold")
            break
        match = following
    return begin, known - {"none"}


def is_mail_header(piece: str) -> bool:
    """Say whether a piece of a document is the header of a mail that is forwarded or answered below, and no more.

    Args:
        piece: what stands between blank lines.

    Returns:
        True, too, with "-----Original Message-----" or a rule above it, and where each line is quoted by `>`. False
        where it says not who wrote: a timetable may have From and To.
    """
    header = _QUOTED.sub("", piece)
    above = _FORWARDED.match(header)
    begin = above.end() if above else 0
    end, known = _read_fields(header, (begin, len(header)))
    is_of_mail = ("from" in known and not known.isdisjoint({"sent", "subject"})) or (len(known) > 1 and "@" in header)
    return is_of_mail and end == len(header)


def is_forwarded(quoted: str) -> bool:
    """Say whether what a mail quotes is what it forwards, which is its text; an answer quotes what others know.

    Args:
        quoted: without blank lines above it, in lines by `>` or without.

    Returns:
        Whether it begins with "Begin forwarded message:" or the like, or with a header; "Original Message" is of an
        answer.
    """
    words = _QUOTED.sub("", quoted).lstrip()
    if above := _FORWARDED.match(words):
        return "forwarded" in above[0].lower()
    return is_mail_header(_PIECE_END.split(words, maxsplit=1)[0])


def skip_mail_header(text: str, bounds: Span) -> Span:
    """Leave out the header of an e-mail or a memorandum: lines with `From:`, `To:` and the like at the beginning.

    Indented lines go on with a field where another field or a blank line follows them. What is as long as a sentence
    is text, but in fields that only machines write.

    Args:
        text: the raw document.
        bounds: of what is not blank in it.

    Returns:
        The bounds of what is behind; as they were where there are not two of From, To, Subject, Date and Sent, and
        where nothing is behind.
    """
    begin, last = bounds
    begin, known = _read_fields(text, (begin + text.startswith("\ufeff", begin), last))
    if len(known) < 2 or not text[begin:last].strip():
        return bounds
    # An indent stays; blank lines would be taken for such of the text.
    behind = _BLANK_LINES.match(text, begin, last)
    return (behind.end() if behind else begin), last
