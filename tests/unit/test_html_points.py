"""Points of legal acts that a page lays out in cells are read with their numbers, each in one paragraph."""

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.documents import extract_text

pytestmark = pytest.mark.issue(4)
FIRST = "The Board shall keep a register of all who store gas in the valley and shall print it once in each year."
SECOND = "Stores stood empty in four of the valley's towns last winter, which drove up the price in all of the others."
ROW = "<table><tbody><tr><td><p>{}</p></td><td><p>{}</p></td></tr></tbody></table>"
ROWS = "<table>{}</table>".format("<tr><td>{}</td><td>{}</td></tr>")
SPACER = "<table><tr><td> </td><td>\n<p>{}</p>\n</td><td>\n<p>{}</p>\n</td></tr></table>"
GRID = "<div><div><span>{} </span></div><div><p>{}</p></div></div>"
BLOCKS = "<div><p>{}</p><p>{}</p></div>"


def read(html):
    pytest.importorskip("bs4")
    text = extract_text(html.encode(), suffix=".html", name="x")
    return [paragraph.text for paragraph in split_paragraphs(text)]


@pytest.mark.parametrize("frame", [ROW, ROWS, SPACER, GRID, BLOCKS])
def test_a_number_in_a_cell_of_its_own_is_read_with_the_text_beside_it(frame):
    points = [("(a)", "the name of each store;"), ("(b)", "what it holds; and"), ("(aa)", "its owner.")]
    listed = "".join(frame.format(*point) for point in points)
    found = read(f"<p>{FIRST}</p><p>It shall say:</p>{listed}<p>{SECOND}</p>")
    joined = " ".join(" ".join(point) for point in points)
    assert " ".join(found) == f"{FIRST} It shall say: {joined} {SECOND}"
    assert found[0] == FIRST
    assert found[-1] == SECOND
    recitals = frame.format("(1)", FIRST) + frame.format("(2)", SECOND)
    assert read(f"<p>Whereas:</p>{recitals}") == [f"(1) {FIRST}", f"(2) {SECOND}"]


def test_points_within_points_and_dashes():
    within = ROW.format("2.", "a store is:</p>" + ROW.format("(a)", "a tank;") + ROW.format("(b)", "a cave.") + "<p>")
    assert read(ROW.format("1.", FIRST) + within) == [f"1. {FIRST}", "2. a store is: (a) a tank; (b) a cave."]
    assert read(f"<p>{FIRST}</p>" + ROW.format("—", SECOND)) == [FIRST, f"— {SECOND}"]
    several = ROW.format("3.", f"{FIRST}</p><p>{SECOND}")
    assert read(several) == [f"3. {FIRST}", SECOND]


def test_points_that_count_something_are_no_table_of_figures():
    points = ROW.format("(1)", "100 tonnes of gas;") + ROW.format("(2)", "200 tonnes of oil.")
    assert read(f"<p>{FIRST} It needs:</p>{points}<p>{SECOND}</p>") == [
        f"{FIRST} It needs: (1) 100 tonnes of gas; (2) 200 tonnes of oil.",
        SECOND,
    ]
    ranks = "".join(f"<tr><td>{n}.</td><td>{name}</td><td>{n * 37}</td></tr>" for n, name in enumerate("ABC", 1))
    assert read(f"<p>{FIRST}</p><table>{ranks}</table><p>{SECOND}</p>") == [FIRST, SECOND]


@pytest.mark.parametrize("between", ["<p>—</p>", "<p>•</p>", "<p>7</p>", "<div>(A)</div><div>(B)</div>"])
def test_what_parts_or_heads_texts_is_no_number_of_theirs(between):
    assert read(f"<p>{FIRST}</p>{between}<h2>Gas</h2><p>{SECOND}</p>") == [FIRST, SECOND]
    if "A" not in between:
        assert read(f"<p>{FIRST}</p>{between}<p>{SECOND}</p>") == [FIRST, SECOND]
