"""The comparison: two documents side by side, told apart only where the intervals allow it."""

import json

import pytest

from tests.page.support import MARKUP, drop, find_faults, listen, until, until_told

STATE = "\n\n".join(
    f"The ministry will fund {n} state mills, fix the price of their planks by decree and order every port to buy them."
    for n in range(2, 14)
)
MARKET = "\n\n".join(
    f"Privatise the {n} depots, abolish the subsidy, cut the rules, and let the operators compete in a free market."
    for n in range(2, 14)
)


def fill(page, number, text):
    side = page.locator(".side").nth(number)
    side.locator("textarea").fill(text)
    side.get_by_role("button", name="Read it").click()


def test_two_documents_are_told_apart(open_page, url):
    page = open_page(url, view="compare")
    fill(page, 0, STATE)
    fill(page, 1, MARKET)
    page.locator(".difference table").wait_for()
    assert page.locator(".difference .lean-words").inner_text() == "B is more market-led than A."
    row = page.locator(".difference tr", has_text="market-led")
    assert "points more in B" in row.inner_text()
    assert page.locator(".side .para").count() == 24
    page.locator(".side").nth(1).locator(".mark").nth(2).click()
    assert page.locator("dialog .scores").count() == 2
    assert find_faults(page) == []


def test_a_document_and_itself_are_not(open_page, url):
    page = open_page(url, view="compare", width=390)
    fill(page, 0, f"{MARKUP}\n\n{STATE}")
    fill(page, 1, f"{MARKUP}\n\n{STATE}")
    page.locator(".difference table").wait_for()
    assert page.locator(".difference .lean-words").inner_text() == "Overall balance: no clear difference."
    assert page.locator(".difference tr.given").count() == 0
    assert find_faults(page) == []
    assert page.locator(".para .body", has_text=MARKUP).count() == 2
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.hacked") is None
    page.get_by_role("button", name="Replace document B").click()
    assert not page.locator(".difference").is_visible()


def test_files_dropped_beside_the_sides_are_read(open_page, url):
    page = open_page(url, view="compare")
    drop(page, ".compare-view h1", "state.txt", STATE.encode(), "text/plain", ("market.txt", MARKET.encode()))
    page.locator(".difference table").wait_for()
    assert page.locator(".side h2").all_inner_texts() == ["state.txt", "market.txt"]
    assert page.locator(".dropping").count() == 0
    drop(page, ".compare-view h1", "third.txt", STATE.encode())
    until(page, 'document.querySelector("#notice").textContent.includes("Both sides hold a document")')
    assert page.locator(".side h2").all_inner_texts() == ["state.txt", "market.txt"]
    page.get_by_role("button", name="Replace document B").click()
    drop(page, ".compare-view h1", "third.txt", STATE.encode())
    page.locator(".difference table").wait_for()
    assert page.locator(".side h2").all_inner_texts() == ["state.txt", "third.txt"]
    assert not page.locator("#notice").is_visible()
    drop(page, ".side", "fourth.txt", MARKET.encode())
    until(page, 'document.querySelector(".side h2").textContent === "fourth.txt"')
    assert page.locator(".dropping").count() == 0


def cut_short(n_lines):
    """A route that lets so many lines of an answer through, and then has the service break off."""

    def break_off(route):
        lines = route.fetch().text().splitlines()[:n_lines]
        broken = json.dumps({"error": {"code": "engine_stopped", "message": "the service stopped"}})
        route.fulfill(content_type="application/x-ndjson", body="\n".join([*lines, broken]))

    return break_off


@pytest.mark.issue(5)
def test_what_was_read_in_part_is_told_and_not_compared_while_it_is_read_anew(open_page, url):
    page = open_page(url, view="compare")
    page.locator(".side").first.wait_for()
    told = listen(page)
    page.route("**/v1/documents?*", cut_short(6))
    fill(page, 0, STATE)
    page.locator(".side .fault:visible", has_text="5 paragraphs read until then").wait_for()
    page.unroute("**/v1/documents?*")
    fill(page, 1, MARKET)
    words = "A was read in part (5 of 12 paragraphs)"
    page.locator(".difference .caution", has_text=words).wait_for()
    until_told(page, f"{words}: the comparison holds for what was read. B is more market-led than A.")
    assert not any("Both are read" in each for each in told())
    held = []
    page.route("**/v1/documents?*", lambda route: held.append(route))
    page.get_by_role("button", name="Try again").click()
    until(page, "document.querySelector('.difference').hidden")
    page.wait_for_timeout(100)
    page.evaluate("dispatchEvent(new CustomEvent('corrected', { detail: { isText: () => false } }))")
    assert not page.locator(".difference").is_visible()
    held[0].continue_()
    until_told(page, "Both are read. B is more market-led than A.")
    assert page.locator(".difference .caution").count() == 0


@pytest.mark.issue(5)
def test_a_difference_of_less_than_a_point_is_told_as_such(page):
    told = page.evaluate(
        """async (shares) => {
            const { sayPoints } = await import("/page/js/compare_view.js");
            return shares.map(sayPoints);
        }""",
        [0.004, -0.0102, 0.123],
    )
    assert told == ["less than one point more in B", "1 point more in A", "12 points more in B"]
