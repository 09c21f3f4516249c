"""High contrast: where the system forces its colours, nothing that says something fades into the background."""

import pytest

from tests.page.support import ARTICLE, drop, find_faults, paste, until, wait_read
from tests.page.test_batch import classify, make_csv

pytestmark = pytest.mark.issue(7)
LEAST = 3  # WCAG 2.2, 1.4.11
# The least contrast with the page's background of all that are seen, and how many there are.
MEASURE = """([selector, property]) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const shine = (color) => {
        canvas.fillStyle = "#000";
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((byte) => {
            const share = byte / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const paper = shine(getComputedStyle(document.body).backgroundColor);
    const contrasts = [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility()).map((each) => {
        const ink = shine(getComputedStyle(each)[property]);
        return Math.max(ink, paper) / Math.min(ink, paper);
    });
    return [Math.min(...contrasts), contrasts.length];
}"""
DRAWN = {
    "main .icon": "fill",
    ".para .sure .bar": "backgroundColor",
    ".summary .fill": "fill",
    ".summary .whisker": "stroke",
    ".balance .point": "stroke",
    ".strip-map rect:not(.window)": "fill",
    ".strip-map .window": "stroke",
    ".detail .threshold": "stroke",
    ".para mark": "textDecorationColor",
    ".because": "color",
    ".chip": "borderTopColor",
    ".mark .label": "color",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_that_is_drawn_stands_out_whatever_theme_was_chosen(open_page, url, scheme):
    page = open_page(url, scheme=scheme, forced_colors="active")
    page.locator(".intake").wait_for()
    for _ in range({"dark": 1, "light": 2}[scheme]):  # the theme that does not fit the system's colours
        page.locator("#theme-button").click()
    assert scheme not in page.locator("#theme-button").inner_text()
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="Underline the evidence").click()
    page.locator(".para .because").first.wait_for()
    for selector, name in DRAWN.items():
        least, n_found = page.evaluate(MEASURE, [selector, name])
        assert n_found, selector
        assert least >= LEAST, (selector, least)
    assert page.locator(".para.open").evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    assert find_faults(page) == []


def test_charts_are_drawn_in_colours_of_the_system(open_page, url):
    page = open_page(url, view="batch", scheme="dark", forced_colors="active")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(60))
    classify(page, 60)
    # Marks and words on the black of the system: bright pixels of several colours.
    until(
        page,
        """[...document.querySelectorAll(".chart canvas")].map((canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let nBright = 0;
            for (let at = 0; at < data.length; at += 4)
                if (data[at + 3] > 200 && Math.max(data[at], data[at + 1], data[at + 2]) > 140) nBright += 1;
            return nBright;
        }).filter((n) => n > 500).length === 2""",
    )
