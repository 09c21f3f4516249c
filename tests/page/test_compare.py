"""The comparison: two documents side by side, told apart only where the intervals allow it."""

from tests.page.support import MARKUP, find_faults

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
