"""By keyboard alone: comparison, table, corrections; and where the focus goes when what had it is gone."""

import httpx
import pytest

from tests.page.support import ARTICLE, drop, paste, press_to, until, wait_read
from tests.page.test_batch import make_csv
from tests.page.test_compare import MARKET, STATE

pytestmark = pytest.mark.issue(7)
FOCUS = "document.activeElement"


def focused(page):
    return page.evaluate(f"{FOCUS}.textContent").strip()


def until_focused(page, words):
    until(page, f"{FOCUS} !== document.body && {FOCUS}.textContent.trim().startsWith({words!r})")


def test_two_documents_are_compared_explained_and_replaced(open_page, url):
    page = open_page(url)
    page.locator(".intake").wait_for()
    press_to(page, "Compare")
    page.keyboard.press("Enter")
    page.locator(".side").first.wait_for()
    for name, text in (("Document A", STATE), ("Document B", MARKET)):
        press_to(page, name)
        page.keyboard.insert_text(text)
        page.keyboard.press("Control+Enter")
        until_focused(page, text[:20])  # the heading, which names what is read
    page.locator(".difference table").wait_for()
    press_to(page, "Paragraph 2:")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("dialog[open] .scores").first.wait_for()
    press_to(page, "\u2190 Previous", key="Shift+Tab")
    page.keyboard.press("Enter")
    text = page.locator(".side").nth(1).locator(".para .text").nth(1).inner_text()
    assert page.locator("dialog[open] blockquote").inner_text() == text
    press_to(page, "Next")
    page.keyboard.press("Enter")
    press_to(page, "Underline the evidence")
    page.keyboard.press("Enter")
    until_focused(page, "Hide the evidence")
    page.keyboard.press("Escape")
    until_focused(page, "Paragraph 3:")  # though its margin was drawn anew
    assert page.locator(".para mark").count() == 0
    press_to(page, "Replace document B", key="Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(f"{FOCUS}.tagName") == "TEXTAREA"


def test_what_stands_out_is_gone_through_from_one_to_the_next(page):
    foreign = "Der Minister sagte, dass die Werke bald wieder dem Staat gehören sollen."
    paste(page, "\n\n".join([ARTICLE, foreign, ARTICLE, foreign]))
    wait_read(page)
    chosen = "[...document.querySelectorAll('.para:not(.pale)')].map((each) => Number(each.dataset.number))"
    pale = "document.querySelectorAll('.strip-map rect.pale').length"
    shown = "Number(document.querySelector('.para.open').dataset.number)"
    assert page.evaluate(pale) == 0
    for name, button in (("market-led", "market-led"), ("unsure", "Show what is unsure (2)")):
        page.locator(".summary").get_by_role("button", name=button).click()
        first, second, *more = page.evaluate(chosen)
        assert (more, page.evaluate(pale)) == ([], 8)  # of ten
        press_to(page, f"Go to the first: {name}")
        page.keyboard.press("Enter")
        assert page.evaluate(shown) == first
        press_to(page, f"Next: {name}", key="Shift+Tab")
        page.keyboard.press("Enter")
        assert page.evaluate(shown) == second
        until_focused(page, f"\u2190 {name}")  # there is no further one
        page.keyboard.press("Escape")
        until_focused(page, f"Paragraph {second + 1}:")
        page.keyboard.press("Shift+ArrowUp")
        until_focused(page, f"Paragraph {first + 1}:")


def test_a_table_is_chosen_classified_filtered_sorted_and_corrected(open_page, url):
    page = open_page(url, view="batch")
    page.on("filechooser", lambda chooser: chooser.set_files({"name": "a.csv", "mimeType": "", "buffer": make_csv(40)}))
    page.locator(".drop").wait_for()
    press_to(page, "Choose a file")
    page.keyboard.press("Enter")
    until_focused(page, "Classify 40 rows")
    page.keyboard.press("Enter")
    until_focused(page, "a.csv")  # not the top of the page, though the button and the progress are gone
    press_to(page, "stance")  # the filter
    page.keyboard.type("m")
    page.locator("p[role=status]", has_text="of 40 rows").wait_for()
    page.keyboard.type("a")
    press_to(page, "stance score")
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("stance score")
    assert focused(page).startswith("stance score")
    page.keyboard.press("Tab")
    row = focused(page)
    page.keyboard.press("Enter")
    page.locator("dialog[open] .scores").first.wait_for()
    number = page.locator("dialog[open] h2").inner_text()
    press_to(page, "Next", key="Shift+Tab")
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] h2").inner_text() != number
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")  # Previous, which is disabled now: its fellow has the focus
    assert (focused(page), page.locator("dialog[open] h2").inner_text()) == ("Next \u2192", number)
    press_to(page, "This is wrong")
    page.keyboard.press("Enter")
    page.locator("dialog[open] form.correct").wait_for()
    press_to(page, "Note")
    page.keyboard.press("Escape")
    until_focused(page, "This is wrong")
    page.keyboard.press("Escape")
    until_focused(page, row)


def test_a_run_that_is_stopped_and_gone_on_with_keeps_the_focus_near(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "long.csv", make_csv(3000))
    until_focused(page, "Classify 3,000 rows")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # a key held too long stops nothing
    until(page, "document.querySelector('.batch-view progress').value > 0")
    press_to(page, "Stop")
    page.keyboard.press("Enter")
    until_focused(page, "Stopped.")
    press_to(page, "Go on")
    page.keyboard.press("Enter")
    until(page, f"{FOCUS}.className === 'progress'")
    press_to(page, "Stop")
    page.keyboard.press("Enter")
    until_focused(page, "Stopped.")


def test_a_reading_that_is_stopped_or_tried_again_keeps_the_focus_near(page):
    paste(page, "\n\n".join([ARTICLE] * 800))
    page.locator(".mark").first.wait_for()
    press_to(page, "Stop")
    page.keyboard.press("Enter")
    until_focused(page, "Stopped after")
    page.get_by_role("button", name="New text").click()
    page.context.set_offline(True)
    page.locator(".notice:visible").wait_for()
    paste(page, ARTICLE)
    page.locator(".reading .fault:visible").wait_for()
    press_to(page, "Try again")
    page.keyboard.press("Enter")
    page.locator(".reading .fault:visible").wait_for()
    until_focused(page, "The connection")
    page.context.set_offline(False)


@pytest.fixture
def kept(url):
    """Corrections in the store, the last of them first on the page; their ids."""
    for each in httpx.get(f"{url}v1/corrections").json()["corrections"]:
        httpx.delete(f"{url}v1/corrections/{each['id']}")
    texts = ("The kilns are cold.", "The mills are sold.", "The ferry is late.")
    sent = [{"text": text, "labels": {"stance": "neutral", "topics": []}} for text in texts]
    ids = [httpx.post(f"{url}v1/corrections", json=each).json()["id"] for each in sent]
    yield ids
    for each in ids:
        httpx.delete(f"{url}v1/corrections/{each}")


def test_corrections_are_reviewed_mended_and_deleted(open_page, url, kept):
    page = open_page(url, view="corrections")
    page.locator(".corrections li").nth(2).wait_for()
    page.emulate_media(media="print")
    assert page.get_by_role("button").count() == 0  # paper has nothing to press
    page.emulate_media(media="screen")
    press_to(page, "Accept")
    page.keyboard.press("Enter")
    until_focused(page, "\u2713 accepted")
    assert page.evaluate(f"{FOCUS}.dataset.id") == kept[2]
    press_to(page, "Change labels")
    page.keyboard.press("Enter")
    press_to(page, "neutral")
    page.keyboard.press("ArrowUp")  # among the radio buttons
    press_to(page, "Save labels")
    page.keyboard.press("Enter")
    until(page, f"{FOCUS}.dataset.id === {kept[2]!r}")
    assert httpx.get(f"{url}v1/corrections/{kept[2]}").json()["labels"]["stance"] == "market-led"
    # What is deleted gives the focus to what comes after it, and the last to what stands before it.
    for gone, heir in ((kept[2], kept[1]), (kept[1], kept[0])):
        press_to(page, "Delete")
        page.keyboard.press("Enter")
        page.locator("dialog[open]").wait_for()
        press_to(page, "Delete it")
        page.keyboard.press("Enter")
        until(page, f"{FOCUS}.dataset.id === {heir!r}")
        assert httpx.get(f"{url}v1/corrections/{gone}").status_code == 404
    assert page.locator("p[role=status]").inner_text() == "1 correction."
    press_to(page, "Delete")
    page.keyboard.press("Enter")
    press_to(page, "Delete it")
    page.keyboard.press("Enter")
    until_focused(page, "Corrections")  # the heading
    assert page.locator("p[role=status]").inner_text().startswith("None yet")
    assert page.get_by_role("list", name="Corrections").count() == 0  # none, rather than an empty one


def test_a_deletion_or_change_that_fails_is_told_where_it_was_asked_for(open_page, url, kept):
    page = open_page(url, view="corrections")
    page.locator(".corrections li").nth(2).wait_for()
    httpx.delete(f"{url}v1/corrections/{kept[1]}")  # by somebody else
    item = page.locator(".corrections li").nth(1)
    item.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    page.locator("dialog[open] .fault", has_text="No correction has this id").wait_for()
    page.keyboard.press("Escape")
    until_focused(page, "Delete")
    item.get_by_role("button", name="Reject").click()
    page.locator("dialog[open] .fault", has_text="No correction has this id").wait_for()
    page.keyboard.press("Escape")
    until_focused(page, "Reject")
    assert page.locator(".corrections li").count() == 3
