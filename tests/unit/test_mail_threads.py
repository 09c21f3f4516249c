"""Mails below mails are read without what programs set between them, and an answer apart from what it quotes."""

import pytest

from tests.support.paragraphs import split_paragraphs

pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will lend to the makers of chips for as long as they build at home, said the minister."
LAST = "Prices, and not plans, should say what is built, his critics answered, and who is to pay for it."
WROTE = "On Tue, 3 May 2031 at 10:12, Ada Lind <ada@tide.example> wrote:"
HEADER = "From: Ada Lind\nSent: 3 May 2031 10:12\nTo: Bo Tarn\nSubject: RE: loans"


def texts_of(text):
    return [paragraph.text for paragraph in split_paragraphs(text)]


@pytest.mark.parametrize(
    "between",
    [
        WROTE,
        WROTE.replace(", Ada", ",\nAda"),
        f"-----Original Message-----\n{HEADER}",
        f"________________________________\n{HEADER}",
        f"---------- Forwarded message ---------\n{HEADER}",
        "> " + HEADER.replace("\n", "\n> "),
        "From: Lind, Ada (Ports); Tarn, Bo\nSent: 3 May 2031 10:12\nTo: Dell, Cy (Board of Trade); Orme, Di "
        "(Treasury and Ports); Fen, Ed (Board of Quays)\nSubject: Loans",
        "-- \nAda Lind\nHead of Policy, Tide Institute\n+55 20 5555 0142 | www.tide.example",
    ],
)
def test_what_stands_between_mails_is_not_read(between):
    assert texts_of(f"{FIRST}\n\n{between}\n\n{LAST}") == [FIRST, LAST]


@pytest.mark.parametrize(
    "text",
    [
        "On Tuesday the minister of ports wrote:",
        "On 3 May 2031 the minister of ports and the clerk wrote:",
        "--\nA board of the state will set the price of each berth, and firms are to pay it.",
        "To: all who work for the makers of chips, and those who lend to them.",
        "From: the minister\nSubject: the state will lend to the yards that build at home; it asks no more.",
    ],
)
def test_what_begins_alike_and_is_text_is_read(text):
    assert texts_of(f"{FIRST}\n\n{text}\n\n{LAST}") == [FIRST, " ".join(text.split()), LAST]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_answer_is_parted_from_what_it_quotes(line_end):
    raw = f"{WROTE}\n> {FIRST[:39]}\n> {FIRST[40:]}\n{LAST}\n> {LAST}\n\n{FIRST}".replace("\n", line_end)
    assert texts_of(raw) == [FIRST, LAST, LAST, FIRST]
    assert texts_of(f"On Monday the minister wrote:\n> {FIRST}") == ["On Monday the minister wrote:", FIRST]
    # Within a sentence a quotation goes on without its mark, as Markdown has it.
    assert texts_of(f"> {FIRST[:39]}\n{FIRST[40:]}\n\n{LAST}") == [FIRST, LAST]
