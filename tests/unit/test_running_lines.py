"""Headers and footers of pages are left out whole, and no line of the text is taken for one."""

import pytest

from twohands.pdf_join import join_lines
from twohands.running_lines import strip_pages

TEXT = [
    ["The board took", "back both piers."],
    ["The pilots then", "set their fees."],
    ["Nobody spoke of", "the savers."],
]


def with_edges(above, below, text=TEXT):
    return [
        [*(line.format(n) for line in above), *lines, *(line.format(n) for line in below)]
        for n, lines in enumerate(text, start=1)
    ]


@pytest.mark.parametrize(
    ("above", "below"),
    [
        (["Board of the harbour", "Report of 2031"], []),
        (["3/12/31, 10:0{} AM", "", "The yards are sold - Lorn Times", ""], ["", "file:///yards.html {}/3"]),
        (["", "Board", "", "Report", ""], ["", "For the clerks", "", "Page {} of 3", "", "{}"]),
        (["Board", "A", "B", "C", "D"], ["{}"]),
    ],
)
def test_headers_and_footers_of_several_lines_are_dropped(above, below):
    assert strip_pages(with_edges(above, below)) == TEXT


def test_a_sentence_goes_on_over_headers_of_two_lines():
    text = [["The board took back", "both of"], ["its piers and", "sold the"], ["yards to the savers."]]
    pages = with_edges(["Board of the harbour", "", "Report of 2031"], ["", "Page", "{}"], text)
    assert join_lines(pages) == "The board took back both of its piers and sold the yards to the savers."


def test_headers_of_left_and_right_pages_differ():
    text = [[f"the {word} was sold and", f"no {word} was bought"] for word in ("pier", "yard", "mill", "port", "lock")]
    pages = [[("Board of the harbour", "J. Doe: Piers")[n % 2], *lines] for n, lines in enumerate(text)]
    assert strip_pages(pages) == text


def test_lines_that_differ_in_numbers_are_text_where_they_end_a_sentence():
    text = [["They met", "(case 1)."], ["Again they met", "(case 2)."], ["It is over", "(case 3)."]]
    assert strip_pages(with_edges(["Report"], ["Page {}"], text)) == text


def test_two_pages_have_no_running_lines():
    pages = [["Report", "One."], ["Report", "Two."]]
    assert strip_pages(pages) == pages
    assert strip_pages([["", "Report", "", "One.", ""], [], ["", "2"]]) == [["Report", "", "One."], [], []]


@pytest.mark.issue(4)
@pytest.mark.parametrize("edge", ["Board of the harbour", "Report 12/2031"])
def test_a_line_within_a_sentence_over_two_pages_is_a_header_or_a_footer(edge):
    first = ["The board took back both of its piers, as the plan has", "it, and sold all that was left of the"]
    second = ["yards to the savers of the town, which owned none.", "Nobody spoke of it."]
    whole = " ".join([*first, *second])
    assert join_lines([[*first, "", edge], second]) == whole
    assert join_lines([first, [edge, "", *second]]) == whole
    assert join_lines([["Piers", "", *first, "", edge], [], second]).count("\n\n") > 1  # a page stands between
    # Above what begins anew, or an item, it may be a heading, and so may what is below a heading.
    for below in (["The yards were sold to the savers."], ["a) the yards of the town", "and its piers."]):
        assert edge in join_lines([first, [edge, "", *below]])
    assert edge in join_lines([["Piers and yards of the"], [edge, "", *second]])
    assert edge in join_lines([[*first[:1], "it, and sold all of them."], [edge, "", *second]])
