"""Owns lines of a laid-out document, with marks where they are parted -> its text, and where its pages begin in it."""

import itertools
import re
from collections.abc import Collection, Sequence

from twohands.ends import SENTENCE_END, ends_with_stop
from twohands.hyphens import find_words, join_word
from twohands.lines import breaks_off
from twohands.markers import read_marker
from twohands.pdf_parts import BEGIN, CAPTION_MARK, GOES_ON, HEADING, MARKS, SHORT, ends_in_print, find_short
from twohands.running_lines import strip_pages
from twohands.runs import LIST_WORDS, MIN_WORDS

BETWEEN = "\n\n"
_TAIL_CHARS = 200  # that show whether a sentence ended, or a word goes on
_BULLETS = ("\u2022 ", "\u2023 ", "\u25e6 ", "\u25aa ")
_MIN_NARROW = 3  # lines, by which the width of a block is known
_SIGN = "# "  # of a heading in Markdown
_COUNTED = re.compile(r"(\(?)(\d{1,3}|[a-z])([.)]) ")


def _cut_blocks(page: list[str]) -> list[list[str]]:
    """Lines between the gaps of a page."""
    blocks: list[list[str]] = [[]]
    for line in page:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _is_heading(blocks: list[list[str]], number: int, short: float) -> bool:
    """Whether one of a page's blocks is a heading, rather than the begin or the end of a paragraph."""
    text = " ".join(blocks[number])
    if len(blocks) == 1 or len(text.split()) >= MIN_WORDS or text[0].islower() or SENTENCE_END.search(text):
        return False
    # At an edge of the page a full line may be one of a paragraph that stands on two.
    return 0 < number < len(blocks) - 1 or max(map(len, blocks[number])) < short


def _find_width(block: list[str], short: float) -> float:
    """Characters below which a line of a block is short; of prose that is set narrow, as quotations are, by its own."""
    longest = max(map(len, block))
    n_open = sum(SENTENCE_END.search(line) is None for line in block[:-1])
    is_prose = n_open * 2 >= len(block) >= _MIN_NARROW
    return min(short, SHORT * longest) if is_prose else short


class _Joined:
    """Paragraphs, and the one that lines are added to.

    It is held in pieces: put together, and looked through for its end, with each line, one of a million took hours.
    """

    def __init__(self, words: frozenset[str]) -> None:
        self.paragraphs: list[str] = []
        self.n_chars = 0
        self._words = words
        self._pieces: list[str] = []
        self._tail = ""  # the last characters
        self._item: tuple[str, int] | None = None  # how it is counted as an item of a list
        self._captions: list[str] = []  # that stand within it
        self.goes_on = False  # in the next line, as the file says

    def is_ended(self, following: str) -> bool:
        """Whether it ends as a sentence does, before a line that stands behind a gap."""
        return ends_in_print(self._tail, following)

    def add_caption(self, lines: list[str]) -> tuple[int, int]:
        """Put a caption behind the paragraph, which may go on below it; where that goes on, as `begin` says it."""
        if self._pieces and self.is_ended(lines[0]):
            self.end()
        caption = _Joined(self._words)
        for line in lines:
            caption.add(line.rstrip(GOES_ON))
        caption.end()
        self._captions.append(" ".join(" ".join(caption.paragraphs).split()))
        if self._pieces:
            return len(self.paragraphs), self.n_chars
        self.end()
        return len(self.paragraphs) - 1, 0

    def begin(self, line: str, short: float) -> tuple[int, int]:
        """Add a line with its marks; of which paragraph it is, and the number of characters before it."""
        words = line.strip(MARKS)
        if line[0] == HEADING and not self._pieces:
            words = _SIGN + words
        elif line[0] == BEGIN or (not self.goes_on and self._is_next(words)):
            self.end()
        n_before = self.add(words)
        if not self._item and self._pieces[0] == words:
            self._item = _read_count(words)
        place = len(self.paragraphs), n_before
        self.goes_on = line[-1] == GOES_ON
        if not self.goes_on and len(words) < short and SENTENCE_END.search(words):
            self.end()
        return place

    def _is_next(self, line: str) -> bool:
        """Whether a line is the next item of a list that is counted, or the first one below what introduces it."""
        counted = _read_count(line)
        if counted is None:
            return line.startswith(_BULLETS) and SENTENCE_END.search(self._tail) is not None
        if self._item is not None and self._item[0] == counted[0]:
            return counted[1] == self._item[1] + 1
        return counted[1] == 1 and self._tail.endswith(":")

    def add(self, line: str) -> int:
        """Add a line; the number of characters before it."""
        word = join_word(self._tail, line, self._words)
        if word:
            piece = word[len(self._tail) - 1 :]  # behind the hyphen, which it may have again
            self._pieces[-1], self._tail = self._pieces[-1][:-1], self._tail[:-1]
            self.n_chars -= 1
        else:
            piece = ("\n" if line.startswith(_BULLETS) else " ") + line if self._pieces else line
        self._pieces.append(piece)
        self._tail = (self._tail + piece)[-_TAIL_CHARS:]
        self.n_chars += len(piece)
        return self.n_chars - len(line)

    def end(self) -> None:
        """End it, where there is one."""
        if self._pieces:
            self.paragraphs.append("".join(self._pieces))
        self.paragraphs += self._captions
        self._captions = []
        self._pieces, self._tail, self.n_chars, self._item = [], "", 0, None
        self.goes_on = False


def _goes_on(above: list[str], below: list[str], short: float) -> bool:
    """Whether a sentence of a paragraph of several lines goes on in a block, which is no item of a list.

    A line that stops short, at no word such as "the", ends a list or what stands in a figure, and "e-commerce" or
    "iPhone" may begin a sentence.
    """
    last, first = above[-1].strip(MARKS), below[0].strip(MARKS)
    is_open = len(above) > 1 and (last[-1:].islower() or last.endswith((",", "-")))
    is_word = first[:1].islower() and first[1:2] != "-" and not first[1:2].isupper()
    is_full = len(last) >= short or breaks_off(last)
    return is_open and is_full and is_word and not read_marker(first)


def _drop_single_edges(pages: list[list[list[str]]], short: float) -> list[list[list[str]]]:
    """Leave out headers and footers within a sentence: of two pages none is known by coming again."""

    def is_edge(blocks: list[list[str]], number: int) -> bool:
        return len(blocks) > 1 and len(blocks[number]) == 1 and _is_heading(blocks, number % len(blocks), short)

    kept = [*pages]
    for number in range(1, len(kept)):
        before, after = kept[number - 1], kept[number]
        if before and is_edge(after, 0) and _goes_on(before[-1], after[1], short):
            kept[number] = after[1:]
        elif after and is_edge(before, -1) and _goes_on(before[-2], after[0], short):
            kept[number - 1] = before[:-1]
    return kept


def _read_count(line: str) -> tuple[str, int] | None:
    """How a line is marked as a counted item, and which: (c) is the third of its kind."""
    found = _COUNTED.match(line)
    if not found:
        return None
    kind = "1" if found[2].isdigit() else "a"
    return f"{found[1]}{kind}{found[3]}", int(found[2]) if kind == "1" else ord(found[2]) - ord("a") + 1


def _may_join(above: str, below: str) -> bool:
    """Whether two pieces are items of one list that stand line by line: such as say too little, or clauses."""
    if not read_marker(above) or not read_marker(below):
        return False
    lengths = [len(item.split()) for item in (above, below)]
    return min(lengths) < MIN_WORDS or (max(lengths) < LIST_WORDS and not ends_with_stop(above))


def _read_run(paragraph: str) -> str:
    """By what items are told that go on from each other; a long one is a paragraph, whatever stands beside it."""
    return read_marker(paragraph) if len(paragraph.split()) < LIST_WORDS else ""


def _list_gaps(paragraphs: Sequence[str]) -> list[str]:
    """What parts each paragraph from the next one: where two items of a list are joined, all of them are."""
    joins = [_may_join(above, below) for above, below in itertools.pairwise(paragraphs)]
    for marker, run in itertools.groupby(range(len(paragraphs)), key=lambda number: _read_run(paragraphs[number])):
        first, *others = run
        if marker and others and any(joins[first : others[-1]]):
            joins[first : others[-1]] = [True] * len(others)
    return ["\n" if is_joined else BETWEEN for is_joined in joins]


def join_pages(pages: list[list[str]], *, titles: Collection[str] = ()) -> tuple[str, list[int]]:
    """Rebuild paragraphs from the lines of a laid-out document.

    A paragraph ends at a gap where a sentence does, too, or at a line that ends a sentence well short of the usual
    width; it may go on over the end of a page. A few words that end no sentence and have a gap beside them are a
    heading, parted from what is above and below. A word that is hyphenated at the end of a line is put together, and a
    compound keeps its hyphen. Headings that are marked are marked as in Markdown, and short items of a list stand line
    by line.

    Args:
        pages: lines of each page, stripped; empty ones where the page had a gap. Some begin with `HEADING` or `BEGIN`,
            or end with `GOES_ON`.
        titles: lines of the first page that are no headers of it, though they are of others.

    Returns:
        Text with blank lines between paragraphs, and where each page begins in it, in characters.
    """
    pages = strip_pages(pages, titles=titles)
    short = find_short(pages)
    joined = _Joined(find_words(line.strip(MARKS) for page in pages for line in page))
    begins: list[tuple[int, int]] = []  # of each page: its first paragraph, and how much of it stands on pages before
    for blocks in _drop_single_edges([_cut_blocks(page) for page in pages], short):
        n_before = len(begins)
        for number, block in enumerate(blocks):
            if block[0].startswith(CAPTION_MARK):
                place = joined.add_caption(block)
                begins += [place] * (len(begins) == n_before)
                continue
            is_whole = not (joined.goes_on or block[-1].endswith(GOES_ON))  # within a page, and may be a heading
            is_heading = block[0].startswith(HEADING) or (is_whole and _is_heading(blocks, number, short))
            if is_heading or (number > 0 and not joined.goes_on and joined.is_ended(block[0])):
                joined.end()
            width = _find_width(block, short)
            for line in block:
                place = joined.begin(line, width)
                if len(begins) == n_before:
                    begins.append(place)
            if is_heading:
                joined.end()
        if len(begins) == n_before:  # there is nothing on it
            begins.append((len(joined.paragraphs), joined.n_chars))
    joined.end()
    pieces = [gap + each for gap, each in zip(["", *_list_gaps(joined.paragraphs)], joined.paragraphs, strict=False)]
    ends = list(itertools.accumulate(map(len, pieces), initial=0))
    starts = [end - len(each) for end, each in zip(ends[1:], joined.paragraphs, strict=True)] + [ends[-1]]
    text = "".join(pieces)
    return text, [min(starts[number] + n_before, len(text)) for number, n_before in begins]


def join_lines(pages: list[list[str]]) -> str:
    """Rebuild paragraphs as `join_pages` does.

    Args:
        pages: lines of each page, stripped; empty ones where the page had a gap.

    Returns:
        Text with blank lines between paragraphs.
    """
    return join_pages(pages)[0]
