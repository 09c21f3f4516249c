"""Text that was made of pages is read without their headers, numbers and notes, and over the ends of pages."""

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.exported import blank_exported

pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will lend to the makers of chips for as long as they build at home, said the minister."
LAST = "Prices, and not plans, should say what is built, his critics answered, and who is to pay for it."
OTHER = "Who is to lend to them was not said by the minister, nor by the clerk who had asked for it."
HEAD, TAIL = FIRST[:49], FIRST[50:]


def texts_of(text):
    assert len(blank_exported(text, lambda: None).text) == len(text)
    return [paragraph.text for paragraph in split_paragraphs(text)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_pages_that_form_feeds_part_are_joined_within_a_sentence(line_end):
    pages = [f"{LAST}\n\n{HEAD}", f"{TAIL}\n\n{OTHER[:42]}", OTHER[43:], FIRST]
    raw = "\f".join(f"    Port Review\n\n{page}\n          {n}\n" for n, page in enumerate(pages, start=3))
    raw = raw.replace("\n", line_end)
    assert texts_of(raw) == [LAST, FIRST, OTHER, FIRST]
    assert raw[split_paragraphs(raw)[1].start :].startswith(HEAD)
    # Where they stand by themselves, they are text.
    assert texts_of("\f".join([FIRST] * 3)) == [FIRST] * 3


@pytest.mark.parametrize("gap", ["\n\n", "\n"])
@pytest.mark.parametrize("edge", ["14", "- 14 -", "Page 14 of 40", "[[Page 41235]]", "[[Page S2412]]"])
def test_a_sentence_goes_on_behind_a_page_number(gap, edge):
    assert texts_of(f"{HEAD}{gap}{edge}{gap}{TAIL}\n\n{LAST}") == [FIRST, LAST]
    assert texts_of(f"Loans to yards{gap}{edge}{gap}for berths\n\n{LAST}")[-1:] == [LAST]
    assert FIRST not in texts_of(f"{HEAD}{gap}{edge}{gap}{TAIL.capitalize()}\n\n{LAST}")


@pytest.mark.parametrize("gap", ["\n\n", "\n"])
@pytest.mark.parametrize(
    "edge", ["$14.20", "62%", "3 - 1", "(14)", "14.", "1,200", "2031", "[Page 41235]", "[[Annex 4]]"]
)
def test_figures_and_numbers_of_equations_are_no_edges_of_pages(gap, edge):
    text = f"{HEAD}{gap}{edge}{gap}{TAIL}\n\n{LAST}"
    assert FIRST not in texts_of(text)
    assert edge in blank_exported(text, lambda: None).text


def test_numbers_that_stand_near_to_each_other_are_those_of_lines():
    verse = f"{HEAD}\n5\n{TAIL[:-1]},\n10\n{TAIL}"
    assert texts_of(verse) == [" ".join(verse.split())]


@pytest.mark.parametrize("form", ["Table {n}", "section {n}", "{n}0 per cent", "Reform 203{n}", "S = 3p - 2w + {n}"])
def test_captions_and_measures_that_stand_twice_are_no_headers(form):
    first, second = (form.format(n=n) for n in (2, 4))
    blanked = blank_exported("\n\n".join([HEAD, first, TAIL, LAST, HEAD, second, TAIL]), lambda: None).text
    assert first in blanked
    assert second in blanked


def test_a_header_with_a_number_is_one_where_it_stands_twice():
    twice = "\n\n".join([HEAD, "Port Review 14", TAIL, LAST, HEAD, "15   Port Review", TAIL])
    assert texts_of(twice) == [FIRST, LAST, FIRST]
    assert FIRST not in texts_of("\n\n".join([HEAD, "Port Review 14", TAIL]))


@pytest.mark.parametrize(
    ("mark", "note"), [("1", "1 "), ("[1]", "[1] "), ("\\1\\", "\\1\\ "), ("\u00b9", "\u00b9 "), ("\u00b9", "\u00b9")]
)
def test_notes_whose_marks_stand_above_are_not_read(mark, note):
    first, second = (
        f"{words}{sign}" for words, sign in [(FIRST, mark), (LAST, mark.translate({49: "2", 185: "\u00b2"}))]
    )
    notes = [
        f"{note}Loans to Yards, a paper of the ministry, p. 4.",
        f"{note}See the act of 2031 and what it says.\nIts end.",
    ]
    notes[1] = notes[1].translate({49: "2", 185: "\u00b2"}).replace("203\u0032", "2031")
    assert len(texts_of(f"{first}\n\n{second}\n\n{notes[0]}\n{notes[1]}\n\n{LAST}")) == 3
    assert len(texts_of(f"{first}\n\n{notes[0]}\n\n{second}\n\n{notes[1]}\n\n{LAST}")) == 3
    # Under a rule, as print has them (#4).
    for rule in ("_" * 15, "\u2014\u2014\u2014", " -----"):
        assert len(texts_of(f"{first}\n\n{second}\n\n{rule}\n{notes[0]}\n{notes[1]}\n\n{LAST}")) == 3
    # Without a mark above, or not in a row, it is text.
    assert len(texts_of(f"{FIRST}\n\n{notes[0]}\n\n{LAST}")) == 3
    assert len(texts_of(f"{second}\n\n{notes[1]}\n\n{LAST}")) == 3


@pytest.mark.parametrize(
    ("above", "listed"),
    [
        (
            "This act has schedule1 and annex2 to it.",
            ["1 The minister may lend to a yard.", "2 The yard must build at home."],
        ),
        (
            "It recalls its act.1 It recalls its plan.2",
            ["1 Asks all to lend.", "2 Asks all to build.", "3 Rests for now."],
        ),
        ("As they say in fig.1 of the plan, it will be.", ["1 The minister may lend to a yard."]),
        *((f"It costs {sign}1 billion.", ["1 The minister may lend to a yard."]) for sign in ("EUR", "GBP", "USD")),
        ("The minister may lend to yards.1", ["1 May was the day on which the act came into force."]),
        ("The law of loans.[1]", [f"[1] {LAST * 25}"]),
    ],
)
def test_paragraphs_that_are_numbered_are_no_notes(above, listed):
    assert texts_of("\n\n".join([above, *listed, FIRST])) == [above, *listed, FIRST]


def test_a_mark_behind_other_capitals_is_one():
    assert texts_of(f"The case went to the WTO1 again.\n\n1 {LAST}\n\n{FIRST}") == [
        "The case went to the WTO1 again.",
        FIRST,
    ]


def test_a_note_ends_where_its_last_line_does():
    wrapped = "1 Loans to Yards, a paper of the ministry, in\nwhich all stands."
    for note in "1 See the act.", "1 See the act of 2031.", wrapped:
        assert texts_of(f"Yards fail.1\n\n{note}\n{FIRST}\n\n{LAST}") == ["Yards fail.1", FIRST, LAST]
    long = f"1 {FIRST} {LAST}"
    assert texts_of(f"Yards fail.1\n\n{long}\n{LAST} {FIRST}\n\n{LAST}")[1:] == [f"{LAST} {FIRST}", LAST]


def test_a_sentence_goes_on_behind_notes_and_the_number_of_the_page():
    note = "1 Loans to Yards, a paper of the ministry, p. 4."
    noted = HEAD.replace("chips", "chips1")
    assert texts_of(f"{noted}\n\n{note}\n\n{TAIL}\n\n{LAST}") == [FIRST.replace("chips", "chips1"), LAST]
    assert texts_of(f"{noted}\n\n{note}\n\n15\n\n{TAIL}\n\n{LAST}") == [FIRST.replace("chips", "chips1"), LAST]
    assert texts_of(f"{noted}\n\n_____\n{note}\n\n{TAIL}\n\n{LAST}") == [FIRST.replace("chips", "chips1"), LAST]


@pytest.mark.parametrize("text", ["1 Prices\n\n{}", "[2] {}", "[3] At [3] the board holds this: {}", "12 {}"])
def test_numbers_of_paragraphs_and_chapters_are_no_notes(text):
    piece = text.format(LAST)
    assert texts_of(f"{FIRST}\n\n{piece}")[-1].endswith(LAST)
    assert texts_of(f"[1] {FIRST}\n\n{piece}")[-1].endswith(LAST)


OPEN, REST = "The ministry will lend to all who build at home, for as long as the", "State is paid back what it lent."


@pytest.mark.parametrize(
    "edge",
    [
        "\n\f", "\n\n\f\n", "\n\n14\n\n\f", "\n\n14\n\n", "\n\n   F-14\n\n", "\n\nF-14\n\f", "\n\n   14\n<PAGE>\n\n",
        "\n<PAGE>    14\n\n",
    ],
)  # fmt: skip
def test_a_sentence_that_breaks_off_at_a_page_goes_on_with_a_capital(edge):
    raw = f"{LAST}\n\n{OPEN}{edge}{REST}\n\n{OTHER}"
    assert texts_of(raw) == [LAST, f"{OPEN} {REST}", OTHER]
    assert raw[split_paragraphs(raw)[1].start :].startswith(OPEN)


def test_a_page_goes_on_with_a_figure_but_not_with_a_heading():
    begun = "The ministry will lend to all who build ships here by the year"
    assert texts_of(f"{begun}\n\f\n2034, when the act ends.\n\n{LAST}") == [f"{begun} 2034, when the act ends.", LAST]
    for heading in ("2. Loans", "2 Loans", "Port Review"):
        assert texts_of(f"{FIRST}\n\n{OPEN}\n\f\n{heading}\n\n{LAST}") == [FIRST, OPEN, LAST]
    assert texts_of(f"{LAST}\n\nA tag is called <PAGE> by clerks who file.\n\n{FIRST}")[1].count("<PAGE>") == 1


@pytest.mark.parametrize("gap", ["\n", "\n\n", " "])
def test_a_table_of_contents_whose_dots_lead_to_pages_is_not_read(gap):
    entries = [
        "1. Who lent to the yards .......... 3",
        "2. What the ministry may do for the yards in a year without ships . . . . . 17",
        "Who pays, and what for......v", "Annex ..... A-2",
    ]  # fmt: skip
    contents = gap.join(entries)
    for above in ("", "Contents\n\n", "PORT REVIEW\n\nA Report\n\f"):
        assert texts_of(f"{above}{contents}\n\n{FIRST}\n\n{LAST}") == [FIRST, LAST]
    if gap == "\n":
        assert texts_of(f"{contents}\n{FIRST} {LAST}")[-1].endswith(LAST)
    said = "Well ... 3 yards, said the minister, are enough ..... 4 would be too many for us all."
    assert texts_of(f"{FIRST}\n\n{said}\n\n{LAST}") == [FIRST, said, LAST]
