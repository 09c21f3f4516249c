"""Owns what the tags of a PDF change in its lines: their order, and which of them belong together.

Tags are evidence: where they are evidently wrong, or most of a page has none, its lines lose them and its layout alone
decides. Knows nothing of the file.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from twohands.ends import SENTENCE_END
from twohands.markers import read_marker
from twohands.pdf_lines import Block, Kind, Line, Page
from twohands.pdf_parts import SHORT, Tie, ends_in_print, find_short, spell_out

_COVERED = 0.6  # of the letters of a page, that have a tag
_MOST_OPEN = 0.25  # of the paragraphs that end within a sentence, which goes on in the next one
_MIN_OPEN = 3
_MOST_HEADINGS, _MOST_BESIDE = 0.3, 0.5  # of all letters
_INNER_ENDS = {Kind.TEXT: 2, Kind.ROW: 10}  # lines within a block that end as paragraphs do, and within cells
_HEADING_WORDS = 30
_LARGER = 1.15  # times the size of the letters beside it, which are no initial
_INITIAL_CHARS = 2


def _by_block(pages: Iterable[Page]) -> dict[Block, list[Line]]:
    found: dict[Block, list[Line]] = defaultdict(list)
    for page in pages:
        for line in page.lines:
            if line.block is not None and line.text:
                found[line.block].append(line)
    return found


def _is_wrong(block: Block, lines: list[Line], short: float) -> bool:
    """Whether a block holds what is evidently several, as a title and text, or more than a heading has."""
    if block.kind is Kind.HEADING:
        return sum(len(line.text.split()) for line in lines) > _HEADING_WORDS
    sizes = [line.size for line in lines if line.size and len(line.text) > _INITIAL_CHARS]
    if block.kind is Kind.TEXT and any(max(pair) > _LARGER * min(pair) for pair in pairwise(sizes)):
        return True
    least = min(short, SHORT * max(len(line.text) for line in lines))
    ends = (
        len(above.text) < least and SENTENCE_END.search(above.text) and not line.text[0].islower()
        for above, line in pairwise(lines)
    )
    return sum(map(bool, ends)) >= _INNER_ENDS.get(block.kind, len(lines))


def _are_wrong(pages: Sequence[Page]) -> bool:
    """Whether the tags of a whole file say little: a paragraph for each line, or mostly headings, or mostly notes."""
    n_chars: Counter[Kind | None] = Counter()
    n_open = n_pairs = 0
    for page in pages:
        for line in page.lines:
            n_chars[line.block.kind if line.block else None] += len(line.text)
        for above, line in pairwise(line for line in page.lines if line.text):
            if above.block != line.block and _are_text(above, line):
                n_pairs += 1
                n_open += _goes_on(above, line)
    n_tagged = n_chars.total() - n_chars[None]
    n_beside = n_chars[Kind.NOTE] + n_chars[Kind.CONTENTS] + n_chars[Kind.CAPTION]
    is_open = n_open >= _MIN_OPEN and n_open > _MOST_OPEN * n_pairs
    return is_open or n_chars[Kind.HEADING] > _MOST_HEADINGS * n_tagged or n_beside > _MOST_BESIDE * n_tagged


def _are_text(*lines: Line) -> bool:
    return all(line.block and line.block.kind is Kind.TEXT for line in lines)


def _goes_on(above: Line, line: Line, *, is_new_column: bool = False) -> bool:
    """Whether a sentence goes on from one line to another: tags that programs guess often end with a column."""
    words = spell_out(line.text)
    may_go_on = (is_new_column or words[0].islower()) and not read_marker(words)
    return may_go_on and not ends_in_print(above.text, words)


def _drop_wrong(pages: Sequence[Page]) -> list[Page]:
    """Take tags from lines where they are not to be believed."""
    short = find_short([[line.text for line in page.lines] for page in pages])
    wrong = {block for block, lines in _by_block(pages).items() if _is_wrong(block, lines, short)}
    believed = [
        replace(page, lines=[replace(line, block=None) if line.block in wrong else line for line in page.lines])
        for page in pages
    ]
    is_all = _are_wrong(believed)
    kept = []
    for page in believed:
        n_tagged = sum(len(line.text) for line in page.lines if line.block)
        is_bare = is_all or n_tagged < _COVERED * sum(len(line.text) for line in page.lines)
        kept.append(replace(page, lines=[replace(line, block=None) for line in page.lines]) if is_bare else page)
    return kept


def _count_climbs(lines: Iterable[Line]) -> int:
    """How often a line stands above the one before, and not in a column to the right of it."""
    texts = (line for line in lines if not (line.block and line.block.kind is Kind.NOTE))
    placed = [line for line in texts if line.height is not None and line.left is not None and line.size]
    return sum(
        (line.height or 0) > (above.height or 0) + (line.size or 0)
        and (line.left or 0) < (above.left or 0) + (line.size or 0)
        for above, line in pairwise(placed)
    )


def _sort(page: Page, before: Collection[Block], after: Collection[Block]) -> Page:
    """Put lines in the order of the tags, unless they go down the page worse then than those of the file.

    A paragraph that goes on from the page before stands first, and one that goes on behind it last: a figure between
    is no part of it. Lines without a tag stay behind the one above.
    """
    firsts: dict[Block | None, int] = {}
    owners: list[Block | None] = []
    for line in page.lines:
        owners.append(line.block or (owners[-1] if owners else None))
        firsts.setdefault(owners[-1], len(firsts))

    def order(ranks: dict[Block | None, int]) -> list[Line]:
        def rank(number: int) -> tuple[int, int]:
            owner = owners[number]
            return 0 if owner is None or owner in before else 2 if owner in after else 1, ranks[owner]

        return [page.lines[number] for number in sorted(range(len(owners)), key=rank)]

    told = order({owner: owner.number if owner else 0 for owner in firsts})
    drawn = order(firsts)
    return replace(page, lines=drawn if _count_climbs(drawn) < _count_climbs(told) else told)


def heed_tags(pages: Sequence[Page]) -> list[Page]:
    """Put lines in the order that their tags say, without tables of contents.

    Args:
        pages: of a document, without running lines.

    Returns:
        As many pages, on which lines have a block only where that is to be believed.
    """
    if not any(line.block for page in pages for line in page.lines):
        return list(pages)
    kept = [
        replace(page, lines=[line for line in page.lines if not (line.block and line.block.kind is Kind.CONTENTS)])
        for page in _drop_wrong(pages)
    ]
    held = [{line.block for line in page.lines if line.block and line.block.kind is Kind.TEXT} for page in kept]
    around = zip([set(), *held], held, [*held[1:], set()], strict=False)
    return [_sort(page, before & here, after & here) for page, (before, here, after) in zip(kept, around, strict=True)]


def find_ties(pages: Sequence[Page]) -> list[list[Tie]]:
    """Say of each line whether it belongs to the one before it, and whether the next one does to it.

    Args:
        pages: of a document, as `heed_tags` gives them or with less lines.

    Returns:
        For each line whether it is of one block with the line before, also on the page before, None where the tags do
        not say; and whether the next one is.
    """
    ties: list[list[Tie]] = [[(None, False)] * len(page.lines) for page in pages]
    above, place = Line(""), (0, 0)
    seen: set[Block | None] = set()
    for number, page in enumerate(pages):
        for n_line, line in enumerate(page.lines):
            if not line.text:
                continue
            if above.block and line.block:
                is_same = above.block == line.block
                is_new_column = number > place[0] or (line.height or 0) > (above.height or 0)
                is_open = _are_text(above, line) and _goes_on(above, line, is_new_column=is_new_column)
                is_open |= line.block in seen
                ties[number][n_line] = (is_same if is_same or not is_open else None, False)
                if is_same:
                    ties[place[0]][place[1]] = (ties[place[0]][place[1]][0], True)
            above, place = line, (number, n_line)
            seen.add(line.block)
    return ties


def settle_headings(pages: Sequence[Page], headings: Sequence[Collection[int]]) -> list[set[int]]:
    """Add the headings that tags name, and drop what their letters alone would make one within another block.

    Args:
        pages: of a document, as `heed_tags` gives them.
        headings: for each page the numbers of lines that are one by their letters or the outline.

    Returns:
        As `headings`.
    """
    return [set(_settle(page, found)) for page, found in zip(pages, headings, strict=True)]


def _settle(page: Page, headings: Collection[int]) -> Iterator[int]:
    whole = {line.block for line in page.lines}  # of which each line is one by its letters
    whole -= {line.block for number, line in enumerate(page.lines) if line.text and number not in headings}
    for number, line in enumerate(page.lines):
        kind = line.block.kind if line.block else None
        is_by_letters = number in headings and (kind is None or (kind is Kind.TEXT and line.block in whole))
        if kind is Kind.HEADING or is_by_letters:
            yield number
