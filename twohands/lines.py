"""Owns lines that are a paragraph each -> where they are parted, and where one goes on in the next.

Where lines are no paragraphs, what is cut off is lost or torn; so in doubt they stay together.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice

from twohands.ends import ends_clause, ends_sentence
from twohands.markers import read_marker

MAX_WIDTH = 120  # of a column; beyond it lines are not wrapped, but paragraphs
MIN_SHARE = 0.6  # of lines that are wide, and that end sentences, where each is a paragraph
MIN_INNER = 0.5  # sentences that end within a line; paragraphs have more than one, lines broken at sentences have not
MAX_HEADING_WORDS = 20
MAX_LINES = 2000  # by which a piece is judged
MIN_ALONE_SHARE = 0.7  # of a document, which a piece has that is judged as if it were all of it
MIN_ALONE_LINES = 4
FENCES = ("```", "~~~")

_LINES_BETWEEN_CHECKS = 1000
BEFORE_LINE = "> \t\u00a0"  # in quotations
_TAB_COLUMNS = 4
_TAIL_CHARS = 20
_LINE_END = re.compile(r"\r\n|\r|\n")
_SPEECH = re.compile(r"[^\Wa-z\d_][^a-z\d:]{1,40}:\s+\S|\([^()]{1,60}\)$")
_INNER_END = re.compile(r"[.!?\u2026]['\"\u2019\u201d)\]]?\s+['\"\u2018\u201c(]?[A-Z]")
# Words that no heading ends with: a line that does was broken within a sentence, mostly at a link.
_OPEN_WORD = re.compile(
    r"(?:^|\s)(?:a|an|the|this|these|of|by|to|in|on|at|for|and|or|but|nor|with|from|as|than|that|is|are|was|were|be|been|"
    r"its|his|her|their|our|into|over|under|between|against|said|says|der|die|das|den|dem|des|und|oder|von|vom|zu|zur|"
    r"im|am|mit|f\u00fcr|le|la|les|du|de|et|ou|y|el|los|las|del|en|un|una|il|lo|gli|di|e|o|do|da|dos|das)$"
)

Check = Callable[[], None]
Span = tuple[int, int]


def go_on() -> None:
    """Never give up: a check for whoever bounds the time otherwise, or has no need to."""


def read_spans(text: str, bounds: Span, check: Check) -> Iterator[Span]:
    """Find the lines of a piece.

    Args:
        text: the raw document.
        bounds: of the piece.
        check: called every few milliseconds of work; raises to give up.

    Yields:
        Bounds of each, without its end, the blank ones too.
    """
    begin, last = bounds
    for number, match in enumerate(_LINE_END.finditer(text, begin, last)):
        if number % _LINES_BETWEEN_CHECKS == 0:
            check()
        yield begin, match.start()
        begin = match.end()
    yield begin, last


def measure_indent(line: str) -> int:
    """Say how deep a line stands.

    Args:
        line: as it came, and not blank.

    Returns:
        Columns of the space before it.
    """
    return len(line[: len(line) - len(line.lstrip())].expandtabs(_TAB_COLUMNS))


def read_lines(text: str, bounds: Span, check: Check) -> Iterator[str]:
    """Read the lines of a piece that are not blank.

    Args:
        text: the raw document.
        bounds: of the piece.
        check: called every few milliseconds of work; raises to give up.

    Yields:
        Lines without the space around them and without the marks of a quotation.
    """
    for begin, end in read_spans(text, bounds, check):
        if line := text[begin:end].rstrip().lstrip(BEFORE_LINE):
            yield line


def is_row(line: str) -> bool:
    """Say whether a line is a row of a table: of cells between bars, tabs or wide gaps.

    Args:
        line: as `read_lines` has it.

    Returns:
        False for one of gaps that ends a sentence, as speeches behind names do.
    """
    if line[0] == "|" or line.count("|") > 1:
        return True
    return ("\t" in line or "   " in line) and not ends_sentence(line)


def goes_on_as(line: str) -> bool:
    """Say whether a line begins as one does that goes on with a sentence: in lower case or with a mark behind a word.

    Args:
        line: as `read_lines` has it.

    Returns:
        False in scripts without lower case.
    """
    return line[0].islower() or line[0] in ",.;)"


def breaks_off(line: str) -> bool:
    """Say whether a line ends with a word that no heading or sentence ends with, such as `the`.

    Args:
        line: as `read_lines` has it.

    Returns:
        True in the languages that such words are listed of.
    """
    return bool(_OPEN_WORD.search(line[-_TAIL_CHARS:]))


def _is_open(line: str) -> bool:
    return not ends_sentence(line) and not ends_clause(line)


def _goes_on(line: str, following: str) -> bool:
    """Whether a sentence, a table or a list of short items or speeches goes on in the following line."""
    if is_row(line) and is_row(following):
        return True
    if read_marker(following):
        return _is_open(following) and (line[-1] == ":" or (bool(read_marker(line)) and _is_open(line)))
    if _SPEECH.match(following) and _is_open(following):  # no stop is heard: "THE CHAIR: Order", "(Applause)"
        return True
    return not ends_sentence(line) and (goes_on_as(following) or breaks_off(line))


def _is_heading(line: str) -> bool:
    return (
        len(line) <= MAX_WIDTH
        and _is_open(line)
        and not read_marker(line)
        and len(line.split()) <= MAX_HEADING_WORDS
        and not breaks_off(line)
    )


def _are_paragraphs(lines: list[str]) -> bool:
    n = len(lines)
    if n < 2 or lines[0].startswith(FENCES) or sum(map(is_row, lines)) * 2 > n:
        return False
    is_wide = [len(line) > MAX_WIDTH for line in lines]
    is_ended = [ends_sentence(line) for line in lines]
    n_headings = next((i for i, line in enumerate(lines) if not _is_heading(line)), n)
    if 0 < n_headings < n and all(is_wide[n_headings:]):
        return sum(is_ended) >= MIN_SHARE * (n - n_headings)
    if sum(is_wide) < MIN_SHARE * n or sum(is_ended) < MIN_SHARE * n:
        return False
    return any(map(_is_heading, lines)) or sum(len(_INNER_END.findall(line)) for line in lines) >= MIN_INNER * n


def are_paragraphs(text: str, bounds: Span, check: Check) -> bool:
    """Say whether lines without blank ones between them are paragraphs, in a document that has blank lines elsewhere.

    They are where most are wider than a column and end sentences, and headings stand between them or most hold more
    than one sentence; and where all are wide but for headings that come first.

    Args:
        text: the raw document.
        bounds: of the lines, of which the first `MAX_LINES` are looked at.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        False for a single line, rows of a table and code.
    """
    if bounds[1] - bounds[0] <= MAX_WIDTH:
        return False
    spans = list(islice(read_spans(text, bounds, check), MAX_LINES))
    if len(spans) < 2 or max(end - begin for begin, end in spans) <= MAX_WIDTH:
        return False
    return _are_paragraphs(list(islice(read_lines(text, bounds, check), MAX_LINES)))


def is_as_if_alone(text: str, bounds: Span, whole: Span, check: Check) -> bool:
    """Say whether a piece is so much of a document that the blank lines elsewhere say nothing of it.

    They part a title or a byline from the text then. Text that was broken at sentences has many pieces, and a list is
    one piece wherever it stands.

    Args:
        text: the raw document.
        bounds: of a piece without blank lines.
        whole: of the document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        False for few lines, where the first `MAX_LINES` are no wider than a column, and where most are items.
    """
    if bounds[1] - bounds[0] < MIN_ALONE_SHARE * (whole[1] - whole[0]):
        return False
    lines = list(islice(read_lines(text, bounds, check), MAX_LINES))
    if len(lines) < MIN_ALONE_LINES or max(map(len, lines)) <= MAX_WIDTH:
        return False
    return sum(bool(read_marker(line)) for line in lines) * 2 <= len(lines)


def cut_at_line_ends(text: str, bounds: Span, check: Check) -> Iterator[Span]:
    """Cut lines that are paragraphs each at their ends, but where a sentence, a table or an item goes on.

    Args:
        text: the raw document.
        bounds: of a piece of it without blank lines.
        check: called every few milliseconds of work; raises to give up.

    Yields:
        Bounds of its paragraphs in order, none of them blank.
    """
    start, end, line = 0, 0, ""
    item_indent: int | None = None  # of the last item that the paragraph holds
    for span in read_spans(text, bounds, check):
        raw = text[slice(*span)].rstrip()
        if not raw.strip():
            continue
        following = raw.lstrip(BEFORE_LINE) or raw.strip()
        indent = measure_indent(raw)
        is_deeper = item_indent is not None and indent > item_indent
        if line and not is_deeper and not _goes_on(line, following):
            yield start, end
            line = ""
        if not line:
            start, item_indent = span[0], None
        if read_marker(following) and not is_deeper:
            item_indent = indent
        end, line = span[1], following
    if line:
        yield start, end
