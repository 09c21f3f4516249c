"""Short sentences in emphasis are paragraphs, and a blank line behind the title does not make one of an article."""

import pytest

from tests.support.paragraphs import LINE_ENDS, split

LONG_A = "The ministry told the state banks to lend to the makers of chips before the winter."
LONG_B = "Shop owners answered that prices, not plans, should say what is built and by whom."
WIRE = [
    "The ministry will take a third of the shares in both of the yards that have not turned a profit in nine "
    "years, as it said on Monday.",
    "The fund that the house set up in the spring is to pay for it, officials added late on the evening "
    "of the same day.",
    '"We cannot let the yards close while there is nobody else who can build the ferries that we need," '
    "the minister said.",
    "Critics called the plan a gift to owners who had failed to find a buyer in three years of looking for "
    "one at home.",
]


@pytest.mark.parametrize(
    "sentence",
    [
        "*The state must own the ports.*",
        "**No firm may run a harbour!**",
        "_Who pays?_",
        "***Sell the yards.***[^1]",
        "\u00ab L'\u00c9tat paie. \u00bb",
        "\u8c01\u51fa\u94b1\uff1f",
        "\u56fd\u5bb6\u51fa\u94b1\uff01",
    ],
)
def test_a_short_sentence_behind_emphasis_or_in_another_script_is_a_paragraph(sentence):
    assert split(f"{LONG_A}\n\n{sentence}\n\n{LONG_B}") == [LONG_A, sentence, LONG_B]


@pytest.mark.parametrize("heading", ["**Who gains:**", "*The ports*", "**Of ports;**", "\u8c01\u51fa\u94b1\uff1a"])
def test_a_bold_line_that_ends_no_sentence_is_a_heading(heading):
    assert split(f"{LONG_A}\n\n{heading}\n\n{LONG_B}") == [LONG_A, LONG_B]


@LINE_ENDS
def test_an_article_of_lines_is_parted_where_blank_lines_part_its_title_alone(line_end):
    for raw in "\n".join(WIRE), "State takes yards\n\n" + "\n".join(WIRE), "\n".join(WIRE) + "\n\nBy J. Doe.\n":
        assert split(raw.replace("\n", line_end))[:4] == WIRE


def test_text_that_is_broken_at_sentences_stays_whole():
    sentences = "\n".join(WIRE)
    assert split(f"{sentences}\n\n{sentences}") == [" ".join(WIRE)] * 2
    short = [line[:100].rsplit(" ", 1)[0] + "." for line in WIRE]
    assert split("State takes yards\n\n" + "\n".join(short)) == [" ".join(short)]
    assert split("State takes yards\n\n" + "\n".join(WIRE[:3])) == [" ".join(WIRE[:3])]
    items = [f"- {line}" for line in short]
    items[1] = "- And the savers."
    assert split("State takes yards\n\n" + "\n".join(items)) == [" ".join(items)], "a list with a short item"


@LINE_ENDS
@pytest.mark.parametrize("lead", ["", "The council decrees:\n\n", "The council decrees:\n"])
@pytest.mark.parametrize("mark", ["- ", "{}. ", "({}) "])
def test_long_items_are_paragraphs_each_though_no_blank_line_parts_them(line_end, lead, mark):
    """Five provisions, of the state's hand and of the market's, had one answer, as their blank lines were missing."""
    items = [f"{mark.format(n)}{line}" for n, line in enumerate(WIRE, 1)]
    tight, loose = (split((lead + gap.join(items)).replace("\n", line_end)) for gap in ("\n", "\n\n"))
    assert tight[-len(WIRE) :] == items
    if not lead.endswith(":\n"):
        assert tight == loose
    wrapped = [item[:60] + item[60:].replace(" ", "\n   ", 1) for item in items]
    assert split((lead + "\n".join(wrapped)).replace("\n", line_end)) == tight
