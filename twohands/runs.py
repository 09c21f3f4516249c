"""Owns short pieces in a row: they are headings, unless they are a list. Knows nothing of what a piece is."""

from collections.abc import Iterator
from dataclasses import dataclass

from twohands.markers import BULLETS

MIN_WORDS = 13
LIST_WORDS = 30  # the fewest that the codebook has in mind for a paragraph
FRONT_WORDS = 80  # as many before all text are a list, and not its title and who is concerned

Span = tuple[int, int, bool]  # where it begins and ends, and whether it is a lead that is read only with its items


@dataclass(slots=True)
class Run:
    """Pieces in a row that are headings, unless they are so many, or counted items, that they are a list."""

    start: int
    end: int
    n_words: int = 0
    marker: str = ""  # of the items at the end, which begin at `items_start`
    items_start: int = 0
    items_words: int = 0
    n_items: int = 0
    bulleted: tuple[int, int] | None = None  # the last items with bullets that hold as many words as a paragraph
    above: tuple[int, int] | None = None  # the last items that are several and are not at the end
    last: tuple[int, int] | None = None  # the last piece
    before: tuple[int, int] = (0, 0)  # where those before it end, and their words
    lead: tuple[int, int] | None = None  # of the item at the end
    before_lead: tuple[int, int] = (0, 0)
    is_led: bool = False  # the item at the end stands behind a lead, here or before

    def add(self, span: tuple[int, int], n_words: int, marker: str, *, is_behind_lead: bool, n_items: int) -> None:
        """Take in the next piece.

        Args:
            span: where it stands.
            n_words: those of it that have a letter.
            marker: of the item that it is, as `read_item` gives it; empty where it is none.
            is_behind_lead: whether the piece before ends with a colon.
            n_items: how many items it holds; 1 for what is none.
        """
        self.start = span[0] if self.n_words == 0 else self.start
        if marker != self.marker:
            self.is_led = bool(marker) and is_behind_lead
            # A lead that is an item of the list above is read with its own.
            end, n_above = (self.before[0], self.n_items - 1) if self.is_led else (self.end, self.n_items)
            self.above = (self.items_start, end) if self.marker and n_above > 1 else self.above
            self.marker, self.items_start, self.items_words, self.n_items = marker, span[0], 0, 0
            self.lead, self.before_lead = self.last if self.is_led else None, self.before
        self.before = self.end, self.n_words
        self.items_words += n_words
        self.n_words += n_words
        self.n_items += n_items
        self.end, self.last = span[1], span
        if marker in BULLETS and marker and self.items_start < span[0] and self.items_words >= MIN_WORDS:
            self.bulleted = self.items_start, span[1]

    def part_lead(self, *, is_front: bool) -> Iterator[Span]:
        """Part the lead at the end from what stands above it.

        Args:
            is_front: whether all of it stands before the text.

        Yields:
            What above it is a list; the lead; the item behind it, if that is in the run, too.
        """
        lead, (end, n_words) = (self.lead, self.before_lead) if self.is_led else (self.last, self.before)
        if lead:
            if n_words >= (FRONT_WORDS if is_front and not self.above else LIST_WORDS):
                yield self.start, end, False
            elif self.above:
                yield *self.above, False
            yield *lead, True
        if self.is_led and self.last:
            yield *self.last, False

    def find_list(self, next_marker: str = "", *, is_front: bool = False) -> tuple[int, int] | None:
        """Find the list that it is, or that it ends with where an item follows that ends as a sentence or clause does.

        Args:
            next_marker: of that item.
            is_front: whether all of it stands before the text, where a title, a date, names and the like are none,
                though they are many.

        Returns:
            Where it stands; None where there is none.
        """
        if self.n_words >= (FRONT_WORDS if is_front and not self.marker else LIST_WORDS):
            return self.start, self.end
        if next_marker and next_marker == self.marker:
            return self.items_start, self.end
        return self.bulleted


def end_run(
    run: Run | None, next_marker: str = "", *, is_front: bool, is_next: bool = False, is_led: bool = False
) -> list[Span]:
    """Say what of a run is read where a heading, a notice or a piece that is read ends it.

    Args:
        run: None where there is none.
        next_marker: of the piece, where it is an item.
        is_front: whether no text came yet.
        is_next: whether it is the second or a further item behind a lead; the first may have been held for a heading.
        is_led: whether it is an item behind a lead, which may have been held for one, too, as if it is set bold.

    Returns:
        Spans in order.
    """
    if not run:
        return []
    if is_next and run.is_led:
        return list(run.part_lead(is_front=is_front))
    if found := run.find_list(next_marker, is_front=is_front):
        return [(*found, False)]
    return list(run.part_lead(is_front=is_front)) if is_led else []
