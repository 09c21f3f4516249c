"""Lines are told to be wrapped text or a paragraph each, and offsets point at the raw text."""

import textwrap
import time

import pytest

from tests.support.paragraphs import LINE_ENDS, split, split_paragraphs
from twohands.paragraphs import normalise

LONG_A = (
    "The ministry will seize every mill and set its prices by decree, and no firm may refuse what it is told to make "
    "or to sell at home, said the minister."
)
LONG_B = (
    "Let fares be set by competition and sell the depots, as no official can know what each passenger would rather "
    "pay for the ride to work or to the sea."
)


@pytest.mark.issue(2)
@LINE_ENDS
def test_a_paragraph_a_line_with_headings_between_is_parted_at_line_ends(line_end):
    lines = ["Two views of the economy", "By Jane Doe", LONG_A, "The other side", LONG_B, "What comes next", LONG_A]
    assert split(line_end.join(lines)) == [LONG_A, LONG_B, LONG_A]
    assert split(line_end.join([*lines[:2], "", *lines[2:]])) == [LONG_A, LONG_B, LONG_A]


@pytest.mark.issue(2)
@LINE_ENDS
@pytest.mark.parametrize("width", [30, 60, 78, 110])
def test_wrapped_text_stays_one_even_with_a_heading_or_an_address_in_it(line_end, width):
    lines = textwrap.wrap(f"{LONG_A} {LONG_B} {LONG_A}", width)
    assert split(line_end.join(lines)) == [" ".join(lines)]
    lines.insert(3, "https://example.org/" + "a" * 150)
    assert split(line_end.join(lines)) == [" ".join(lines)]
    assert split(line_end.join(["A heading", "", *lines])) == [" ".join(lines)]


@pytest.mark.issue(2)
def test_lines_that_break_at_each_clause_and_rows_of_a_table_stay_together():
    clauses = [
        "The ministry said on Monday,",
        "after years of doubt,",
        "that it would seize",
        "every mill in the land.",
    ]
    assert split("\n".join(clauses)) == [" ".join(clauses)]
    rows = ["| mill | owner |", "|---|---|", f"| of the north | {LONG_A} |", "| of the south | none |"]
    code = ["```", "say Whatever", LONG_A + LONG_B, "```"]
    assert split("\n".join([*code, "", LONG_B])) == [" ".join(code), LONG_B]
    assert split("\n".join(rows)) == split("\n".join([*rows, "", LONG_B]))[:1] == [" ".join(rows)]


@pytest.mark.issue(2)
@LINE_ENDS
def test_blank_lines_between_the_lines_of_wrapped_text_part_nothing(line_end):
    first = textwrap.wrap(f"{LONG_A} {LONG_B}", 60)
    second = textwrap.wrap(f"{LONG_B} {LONG_A}", 60)
    gap = 2 * line_end
    assert split(gap.join(first)) == [" ".join(first)]
    assert split(gap.join(first) + line_end + gap + gap.join(second)) == [" ".join(first), " ".join(second)]
    assert len(first[-1]) < 45  # stops short of the column, so the next begins a paragraph
    assert split(gap.join([*first, *second])) == [" ".join(first), " ".join(second)]
    items = [
        f"- Sell the horse-drawn depots of the town of {name} to newcomers" for name in ("Ald", "Bey", "Cro", "Dun") * 2
    ]
    assert split(gap.join([*items, LONG_A])) == [" ".join(items), LONG_A]


VERSE = """\
O harbour of the frozen north, thy plan is done,
The cranes have stood in every wind,
The silver that we sought is won,
The quay is near, the savers kind
And all the pilots cheering
But O the price! the price! the price!
O the red ink dripping"""


@pytest.mark.issue(2)
@LINE_ENDS
def test_verse_stays_together(line_end):
    assert split(VERSE.replace("\n", line_end)) == [normalise(VERSE)]
    lines = ["Our plan", "Sell the depots to those who drive.", "And then", "Rail, ports and power,", "Or so"]
    assert split(line_end.join(lines)) == [" ".join(lines)]


@pytest.mark.issue(2)
@LINE_ENDS
@pytest.mark.parametrize(
    "block",
    [
        [LONG_A, LONG_B, LONG_A],  # a line for each sentence
        ["The mills stay with the state.", LONG_A, "This is just."],
        [f"- {LONG_A}", "  It holds for all.", "- Sell the depots", f"- {LONG_B}", "    and of the carts."],
        [f"The plan of the\nBoard of Mills\nand the\nHarbour Council\n, {LONG_A[4:-1]}, said\nThe Clerk\n."],
        [f"The plan drafted by the\nBoard {LONG_A}"],
        ["Mill".ljust(60) + "Owner", "North".ljust(60) + LONG_A[:70], "South".ljust(60) + "none"],
        ["Mill | Owner | Price", "---|---|---", f"North | {LONG_A} | 3", "South | none | 4"],
    ],
)
def test_a_wide_line_does_not_tear_its_block(line_end, block):
    raw = "\n".join(block).replace("\n", line_end)
    assert split((2 * line_end).join([raw, "So it is."])) == [normalise(raw), "So it is."]


@pytest.mark.issue(2)
def test_a_paragraph_a_line_below_a_heading_is_read_without_it():
    first, second = f"{LONG_A} {LONG_B}", f"{LONG_B} {LONG_A}"
    assert split(f"MILLS TO BE SEIZED\n{first}\n\nDEPOTS TO BE SOLD\n{second}") == [first, second]
    assert split(f"{first}\n{second}\n\n{first}") == [first, second, first]


@pytest.mark.issue(2)
@LINE_ENDS
def test_lines_are_not_parted_within_a_sentence_an_item_or_a_table(line_end):
    broken = ["The mills are for", "Newcomers who can pay for them in silver", "and in nothing else."]
    items = ["The board shall:", "- seize the mills", "- sell no depot", "and no cart"]
    item = ["- Mills are seized.", "  They are not sold.", "  - nor let."]
    rows = ["Mill   Owner   Price of the last year", "North   none   4 in silver", "South   all   3 in silver"]
    speeches = [f"MR. DOE: {LONG_A}", "THE CHAIR: Order", "(Applause)", f"MR. DOE: {LONG_B}"]
    assert split(line_end.join(speeches)) == [speeches[0], speeches[3]]  # what the chair calls out is not his
    clauses = ["(a) keep books; and", "(b) sell no mill."]
    lines = [LONG_A, *broken, LONG_B, *items, LONG_A, *item, LONG_A, *clauses, LONG_B, *rows, LONG_A, LONG_B, LONG_A]
    parts = [[LONG_A], broken, [LONG_B], items, [LONG_A], item, [LONG_A], [clauses[0]], [clauses[1]], [LONG_B], rows]
    texts = split(line_end.join(lines))
    assert texts == [*(normalise(" ".join(part)) for part in parts), LONG_A, LONG_B, LONG_A]


def test_hostile_lines_take_linear_time():
    began = time.process_time()
    for raw in (
        "a b\n" * 50_000,
        "a\n\n" * 50_000,
        f"{'b' * 50}\n\n" * 4000,
        f"{'c' * 200}\n" * 1000,
        "|\n" * 50_000,
        "- a\n" * 50_000,
    ):
        split_paragraphs(raw + "x", limit_chars=300_000)
    for raw in ("a   \t" * 30_000 + "\n") * 2 + "b", (" " * 300 + "- a b\n") * 1000, ("c" * 130 + ".\n") * 2000 + "\nb":
        split_paragraphs(raw, limit_chars=500_000)
    for raw in ("a" + " " * 90_000 + "\n") * 2 + "b", ("a" * 121 + "\nb\n\n") * 800, "x.\n" + "[1] " * 25_000:
        split_paragraphs(raw, limit_chars=300_000)
    assert time.process_time() - began < 12  # a second and a half on a busy Xeon; minutes were it quadratic
