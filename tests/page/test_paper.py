"""Paper: nothing of a reading, a comparison or a table falls off its edge, and none of the controls is on it."""

import httpx
import pytest

from tests.page.support import ARTICLE, drop, paste, until, wait_read
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


# The colour of words, and per label its mark in the legend, how that is turned, and what is painted amid its first bar.
DRAWN = """() => {
    const chart = Chart.getChart(document.querySelector(".chart:last-child canvas"));
    const { options, legend, ctx, canvas } = chart;
    const amid = legend.legendItems.map((_, i) => {
        const { x, y, base } = chart.getDatasetMeta(i).data[0].getProps(["x", "y", "base"]);
        const share = canvas.width / chart.width;
        return [...ctx.getImageData(Math.round(share * (x + base) / 2), Math.round(share * y), 1, 1).data].slice(0, 3);
    });
    const marks = legend.legendItems.map(({ strokeStyle, rotation }) => [strokeStyle, rotation]);
    return [options.plugins.legend.labels.color, marks, amid];
}"""


def test_charts_are_printed_dark_on_white_and_tell_labels_by_their_shapes(open_page, url):
    page = open_page(url, view="batch", scheme="dark")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(8))
    classify(page, 8)
    page.locator("#chart-head").select_option("topics")
    until(page, "Boolean(globalThis.Chart?.getChart(document.querySelector('.chart:last-child canvas')))")
    for kind, ink in (("beforeprint", "rgb(31, 32, 35)"), ("afterprint", "rgb(231, 229, 223)")):
        color, marks, amid = page.evaluate(f"() => {{ dispatchEvent(new Event('{kind}')); return ({DRAWN})(); }}")
        assert color == ink
        assert len({stroke for stroke, _ in marks}) == 4
        assert [turn for _, turn in marks] == [0, 0, 180, 0]
    bar = marks[2][0]  # industrial policy, of which every text has some
    assert amid[2] != [int(each) for each in bar.removeprefix("rgb(").rstrip(")").split(",")]


def test_a_table_keeps_all_its_columns(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(6))
    classify(page, 6)
    put_on_paper(page)
    assert page.locator(".batch-table tbody tr").first.locator("td").last.inner_text().endswith("%")


def test_what_is_not_on_paper_is_told_there(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(60))
    classify(page, 60)
    assert not page.locator(".printed").is_visible()
    put_on_paper(page)
    assert page.locator(".printed").inner_text().startswith("Page 1 of 2 of the table")


def test_a_page_of_corrections_tells_that_there_are_more(open_page, url):
    for number in range(26):
        labels = {"stance": "neutral", "topics": []}
        kept = httpx.post(f"{url}v1/corrections", json={"text": f"The ferry runs again, {number}.", "labels": labels})
        assert kept.status_code == 201
    page = open_page(url, view="corrections")
    page.locator("p[role=status]", has_text="26 corrections.").wait_for()
    assert page.get_by_role("button", name="Show more").is_visible()
    put_on_paper(page)
    assert page.locator("main button:visible").count() == 0
    assert page.locator(".printed").inner_text() == "The newest 25 corrections are on this paper."
    page.emulate_media(media="screen")
    page.get_by_role("button", name="Show more").click()
    page.locator(".corrections li >> nth=25").wait_for()
    page.emulate_media(media="print")
    assert not page.locator(".printed").is_visible()
