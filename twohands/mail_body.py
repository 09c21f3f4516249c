"""Owns the plain text of a mail's body -> the words of who wrote it. Knows nothing of parts, headers and encodings."""

import re

from twohands.columns import is_wrapped
from twohands.lines import cut_at_line_ends, go_on
from twohands.mail_header import is_forwarded, is_mail_header
from twohands.notices import is_notice

MAX_SIGNATURE_WORDS = 400  # with what a lawyer puts below; more is text below a rule

_LINE_END = re.compile(r"\r\n|\r|\n")
_SIGNATURE = "-- "
_MAX_ABOVE_LINES = 3  # of "On … wrote:", as programs wrap it
_ESCAPED = re.compile(r">+From ")  # a line of text that begins with "From ", in a mailbox of the Unix kind
_PIECES = re.compile(r"(\n(?:[^\S\n]*\n)+)")
# Of a subject, behind marks that gateways set: "[External] RE: Loans".
_ANSWER = re.compile(r"(?:\[[^\[\]]{1,40}\]\s*)*(?:antw|aw|odp|re|sv|vs)(?:\[\d{1,3}\])?\s?:", re.IGNORECASE)


def join_flowed(text: str, *, is_space_deleted: bool) -> str:
    """Put the lines of `format=flowed` together, which end with a space where the paragraph goes on.

    Args:
        text: of a body.
        is_space_deleted: whether that space is none of the text's, as `delsp=yes` says.

    Returns:
        A line for each paragraph, what is quoted behind as many `>` as before.

    Source:
        RFC 3676, section 4.
    """
    lines: list[str] = []
    joined: list[str] = []  # of the line that goes on; put together once, as it may be as long as the mail
    depth_before = -1
    for raw in _LINE_END.split(text):
        line = raw.lstrip(">")
        depth = len(raw) - len(line)
        line = line.removeprefix(" ")
        if joined and (depth != depth_before or line == _SIGNATURE):
            lines.append("".join(joined))
            joined = []
        goes_on = line.endswith(" ") and line != _SIGNATURE
        if not joined:
            # What was stuffed is no quotation, and would be one without its space.
            joined.append(">" * depth + " " if depth else " " if line.startswith(">") else "")
        joined.append(line[:-1] if goes_on and is_space_deleted else line)
        depth_before = depth
        if not goes_on:
            lines.append("".join(joined))
            joined = []
    if joined:
        lines.append("".join(joined))
    return "\n".join(lines)


def _find_quoted(lines: list[str]) -> list[tuple[int, int]]:
    """Where runs of quoted lines stand; blank lines within stay with them."""
    found: list[tuple[int, int]] = []
    begin = end = -1
    for number, line in enumerate(lines):
        if line.startswith(">"):
            begin, end = (number if begin < 0 else begin), number + 1
        elif line.strip() and begin >= 0:
            found.append((begin, end))
            begin = -1
    return [*found, (begin, end)] if begin >= 0 else found


def _find_above(lines: list[str]) -> int:
    """How many lines say above a quotation who wrote it, with the blank lines around them."""
    n_blank = next((n for n, line in enumerate(reversed(lines)) if line.strip()), len(lines))
    end = len(lines) - n_blank
    for n in range(1, min(_MAX_ABOVE_LINES, end) + 1):
        piece = "\n".join(lines[end - n : end]).strip()
        if piece.endswith(":") and is_notice(piece, len(piece.split())):
            return n + n_blank
    return 0


def leave_out_quoted(text: str) -> tuple[str, int]:
    """Leave out what a mail quotes of those that it answers, by `>` before each line, with what says who wrote it.

    Args:
        text: of a body, its lines ended by line feeds.

    Returns:
        The rest, and how many lines were left out; the text as it was where there is nothing else. What is forwarded
        stays.
    """
    if ">" not in text:
        return text, 0
    lines = text.split("\n")
    kept: list[str] = []
    n_quoted = begin = 0
    for start, end in _find_quoted(lines):
        kept += lines[begin:start]
        begin = end
        quoted = lines[start:end]
        if len(quoted) == 1 and _ESCAPED.match(quoted[0]):
            kept.append(quoted[0][1:])
        elif is_forwarded("\n".join(quoted)):
            kept += quoted
        else:
            if n_above := _find_above(kept):
                del kept[-n_above:]
            kept.append("")  # what stands on either side of a quotation is no one paragraph
            n_quoted += sum(bool(line.strip("> \t")) for line in quoted)
    kept += lines[begin:]
    rest = "\n".join(kept)
    return (rest, n_quoted) if any(map(str.isalnum, rest)) else (text, 0)


def leave_out_answered(text: str, subject: str) -> tuple[str, int]:
    """Leave out what Outlook sets below an answer: the whole mail that is answered, below lines of its header.

    Args:
        text: of a body, its lines ended by line feeds.
        subject: of the mail, which says whether it answers or forwards.

    Returns:
        The rest, and how many lines were left out; the text as it was where there is nothing else, or where the subject
        does not begin as that of an answer ("Re:").
    """
    if not _ANSWER.match(subject):
        return text, 0
    pieces = _PIECES.split(text)  # and what parts them
    for number, piece in enumerate(pieces):
        if not is_mail_header(piece.strip()):
            continue
        above = "".join(pieces[:number])
        if not any(map(str.isalnum, above)) or "forwarded" in piece.partition("\n")[0].lower():
            return text, 0
        return above, sum(bool(line.strip()) for line in "".join(pieces[number:]).split("\n"))
    return text, 0


def leave_out_signature(text: str) -> str:
    """Leave out what stands below a line `-- `, up to the mail below that is forwarded or answered.

    Args:
        text: of a body, its lines ended by line feeds.

    Returns:
        The rest; the text as it was where there is nothing else, or more than `MAX_SIGNATURE_WORDS` words are below.

    Source:
        RFC 3676, section 4.3.
    """
    above, mark, below = f"\n{text}".partition(f"\n{_SIGNATURE}\n")
    if not mark or not any(map(str.isalnum, above)):
        return text
    pieces = _PIECES.split(below)
    n_dropped = next((n for n, piece in enumerate(pieces) if is_mail_header(piece.strip())), len(pieces))
    if sum(len(piece.split()) for piece in pieces[:n_dropped]) > MAX_SIGNATURE_WORDS:
        return text
    return f"{above[1:]}\n\n{''.join(pieces[n_dropped:])}"


def part_lines(text: str) -> str:
    """Put blank lines between the paragraphs of a body that has none: behind its subject it would be one paragraph.

    Args:
        text: of a body, its lines ended by line feeds.

    Returns:
        The text as it was where it has blank lines, or its lines were wrapped.
    """
    bounds = (0, len(text))
    if len(_PIECES.split(text.strip(), maxsplit=1)) > 1 or is_wrapped(text, bounds, go_on):
        return text
    return "\n\n".join(text[start:end] for start, end in cut_at_line_ends(text, bounds, go_on))
