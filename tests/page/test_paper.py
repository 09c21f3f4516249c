"""Paper: nothing of a reading, a comparison or a table falls off its edge, and none of the controls is on it."""

import pytest

from tests.page.support import ARTICLE, drop, paste, wait_read
from tests.page.test_batch import classify, make_csv
from tests.page.test_compare import MARKET, STATE, fill

pytestmark = pytest.mark.issue(7)
WIDTH = 673  # CSS pixels of A4 between its margins; Letter has 695
# What ends to the right of the page, by more than half a pixel.
CUT = """() => {
    const edge = document.querySelector("main").getBoundingClientRect().right + 0.5;
    const seen = [...document.querySelectorAll("main *, .colophon *")].filter((each) => each.checkVisibility());
    const cut = seen.filter((each) => !each.closest(".unseen") && each.getBoundingClientRect().right > edge);
    return cut.map((each) => `${each.tagName} ${each.getAttribute("class")}`);
}"""


def put_on_paper(page):
    page.set_viewport_size({"width": WIDTH, "height": 900})
    page.emulate_media(media="print")
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    for name in ("CSV", "Replace", "Another file", "Read it"):
        assert page.locator("button:visible", has_text=name).count() == 0, name
    assert page.locator(".colophon").inner_text().startswith("twohands ")


def test_a_reading_fits_its_page(page):
    paste(page, ARTICLE)
    wait_read(page)
    assert not page.locator(".colophon").is_visible()
    put_on_paper(page)
    assert page.locator(".mark .number").first.is_visible()


def test_a_label_that_is_chosen_weakens_no_margin_on_paper(page):
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".summary").get_by_role("button", name="market-led").click()
    margin = page.locator(".para.pale .bar").first
    opacity = "bar => getComputedStyle(bar).opacity"
    assert margin.evaluate(opacity) == "0.4"
    page.emulate_media(media="print")
    assert margin.evaluate(opacity) == "1"


def test_two_documents_stand_one_below_the_other(open_page, url):
    page = open_page(url, view="compare")
    fill(page, 0, STATE)
    fill(page, 1, MARKET)
    page.locator(".difference table").wait_for()
    put_on_paper(page)
    above, below = (page.locator(".side").nth(number).bounding_box() for number in (0, 1))
    assert below["y"] >= above["y"] + above["height"]


def test_a_table_keeps_all_its_columns(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(6))
    classify(page, 6)
    put_on_paper(page)
    assert page.locator(".batch-table tbody tr").first.locator("td").last.inner_text().endswith("%")
