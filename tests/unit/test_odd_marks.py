"""Bullets, headings, tables and dashes that other programs and other lawyers set are read as what they are."""

import time

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.pipe_tables import is_table_of_figures

pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will lend to the makers of chips for as long as they build at home, said the minister."
LAST = "Prices, and not plans, should say what is built, his critics answered, and who is to pay for it."


def texts_of(text):
    return [paragraph.text for paragraph in split_paragraphs(text)]


@pytest.mark.parametrize("bullet", ["\u25aa", "\u25cf", "\u25ba", "\u2713", "\u27a2", "\u2043", "\u2022", "\U0001f539"])
def test_a_list_by_any_bullet_is_read_however_its_items_are_parted(bullet):
    items = [
        f"{bullet} {words}" for words in ("lend to each yard", "set the price of berths", "sell the mills of the north")
    ]
    listed = " ".join(items)
    for gap in "\n", "\n\n":
        assert texts_of(f"{FIRST}\n\n{gap.join(items)}\n\n{LAST}") == [FIRST, listed, LAST]
        assert texts_of(f"{FIRST}\n\nWe will:\n\n{gap.join(items)}\n\nFares\n\n{LAST}")[1:] == [
            f"We will: {listed}",
            LAST,
        ]
    assert texts_of(f"{FIRST}\n\n{bullet} Home\n\n{bullet} World\n\n{LAST}") == [FIRST, LAST]


def test_a_list_that_begins_a_file_is_read_behind_a_byte_order_mark():
    text = f"\ufeff- tax mills\n- own quays\n\n**We want:**\n\n- no docks\n- tea\n\n{LAST}"
    assert texts_of(text) == texts_of(text[1:]) == ["- tax mills - own quays", "We want: - no docks - tea", LAST]
    text = f"\ufeffIn this Act\u2014\n\n(a) dock means a quay\n\n(b) tea means tea, and\n\n{LAST}"
    assert texts_of(text) == texts_of(text[1:])


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_lists_and_tables_are_known_whatever_the_line_end(line_end):
    for text, first in (
        (
            "In this Act:\n\n(a) dock means quay\n(b) tea means tea",
            "In this Act: (a) dock means quay (b) tea means tea",
        ),
        ("| Port | Why |\n|------|-----|\n| Lorn | It asked for a loan. |", "Port Why Lorn It asked for a loan."),
        ("Notes to editors:\n\n1. The board was set up in 2029.\n2. Pictures are with the clerk.", ""),
        ("| Port | Tons |\n|---|---|\n| Lorn | 12 |", ""),
    ):
        assert texts_of(f"{FIRST}\n\n{text}\n\n{LAST}".replace("\n", line_end)) == [FIRST, *filter(None, [first]), LAST]


def test_clauses_behind_a_dash_keep_what_they_hang_on():
    law = ["(3) A person who sells grain\u2014", "(a) commits an offence, and", "(b) is to pay a fine."]
    assert texts_of("\n\n".join([FIRST, *law, LAST])) == [FIRST, " ".join(law), LAST]
    assert texts_of("\n\n".join([FIRST, *law[:2], LAST])) == [FIRST, *law[:2], LAST]
    assert texts_of(f"{FIRST}\n\nThe law \u2014\n\n{LAST}") == [FIRST, LAST]


@pytest.mark.parametrize(
    "table",
    [
        "Year\tLoans\tBerths\n2030\t12.1\t44\n2031\t13.8\t47\n2032\t15.0\t51",
        "                2030     2031\nLoans to yards  12.1     13.8\nBerths sold     44       47\nSource: Ministry.",
        "Table 3\nLoans\t12.1\t44\nBerths\t13.8\t47\nMills\t15.0\t51",
    ],
)
def test_a_table_of_figures_in_plain_text_is_not_read(table):
    assert texts_of(f"{FIRST}\n\n{table}\n\n{LAST}") == [FIRST, LAST]


def test_a_table_of_words_is_read():
    table = "Measure\tWho\nLoans to all the yards of the north\tTreasury\nPrices of berths by bids in 2031\tPort board"
    assert texts_of(f"{FIRST}\n\n{table}\n\n{LAST}") == [FIRST, " ".join(table.split()), LAST]


@pytest.mark.parametrize("heading", ["== Prices ==", "==Prices==", "=== Prices ===", "== Prices"])
@pytest.mark.parametrize("gap", ["\n\n", "\n", "\r\n"])
def test_headings_between_equals_signs_are_headings(heading, gap):
    first, last = split_paragraphs(gap.join([FIRST, heading, LAST]))
    assert (first.text, first.section, last.text, last.section) == (FIRST, "", LAST, "Prices")
    assert texts_of(f"{FIRST}\n\n==> it <== is no heading, {LAST}")[1] == f"==> it <== is no heading, {LAST}"


@pytest.mark.parametrize(
    "line",
    [
        "==The state must not own the yards for ten years==, the critics said, and sold them.",
        "==Marked:== the state must not own the yards for longer than ten years, the critics said.",
        "==The state must not own the yards of the north for longer than ten years.==",
        "== is what one writes for what is alike, and the state writes it on each of its forms.",
        "== operators are for what is alike, and the state has them on each of its forms",
        "== Prices are what should say what is built, and who is to pay for it.",
    ],
)
def test_equals_signs_of_emphasis_and_code_make_no_headings(line):
    assert [(p.text, p.section) for p in split_paragraphs(f"{FIRST}\n\n{line}\n\n{LAST}")] == [
        (FIRST, ""),
        (line, ""),
        (LAST, ""),
    ]


def test_a_note_in_words_does_not_make_a_heading_of_a_sentence():
    short = "Bids set the price of berths until 2004.[citation needed]"
    assert texts_of(f"{FIRST}\n\n{short}\n\n{LAST}") == [FIRST, short, LAST]


def test_a_table_of_megabytes_is_judged_by_its_ends():
    began = time.process_time()
    assert is_table_of_figures("a\t1\n" * 500_000)
    assert not is_table_of_figures("a\t1\n" * 500_000 + f"{FIRST}\n")
    assert time.process_time() - began < 0.5
