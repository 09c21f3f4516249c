"""What a reader gives up stays given up, and what they did not give up is not taken from them."""

import httpx
import pytest

from tests.page.support import ARTICLE, drop, paste, until, wait_read
from tests.page.test_batch import make_csv
from tests.page.test_compare import STATE, fill

pytestmark = pytest.mark.issue(7)
LONG = "\n\n".join([ARTICLE] * 150)


def test_a_document_that_is_replaced_while_it_is_read_is_not_compared(open_page, url):
    page = open_page(url, view="compare")
    fill(page, 1, STATE)
    page.locator(".side").nth(1).locator(".para").nth(11).wait_for()
    page.locator(".side").nth(1).locator(".progress").wait_for(state="hidden")
    drop(page, ".side", "long.txt", LONG.encode())
    page.locator(".side").nth(0).locator(".para").first.wait_for()
    page.get_by_role("button", name="Replace document A").click()
    page.wait_for_timeout(300)
    assert not page.locator(".difference").is_visible()
    assert page.locator(".side").nth(0).locator("textarea").is_visible()


def test_two_files_dropped_on_the_comparison_are_its_two_sides(open_page, url):
    page = open_page(url, view="compare")
    page.locator(".side").first.evaluate(
        """(target, texts) => {
            const data = new DataTransfer();
            texts.forEach((text, i) => data.items.add(new File([text], `${i}.txt`, { type: "text/plain" })));
            target.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [STATE, ARTICLE],
    )
    page.locator(".difference table").wait_for()
    assert page.locator(".side h2").all_inner_texts() == ["0.txt", "1.txt"]


def test_a_table_that_is_given_up_does_not_come_back(open_page, url):
    page = open_page(url, view="batch")
    drop(page, ".batch-view", "long.csv", make_csv(6000))
    page.get_by_role("button", name="Classify 6,000 rows").click()
    until(page, "document.querySelector('.batch-view progress').value > 0")
    drop(page, ".batch-view", "a.xlsx", b"PK\x03\x04")  # takes nothing away
    page.locator("dialog", has_text="no table that is read here").get_by_role("button", name="Close").click()
    seen = page.evaluate("document.querySelector('.batch-view progress').value")
    until(page, f"document.querySelector('.batch-view progress').value > {seen}")
    page.context.set_offline(True)
    page.locator("[role=alert]", has_text="The connection to the service was lost").wait_for()
    page.get_by_role("button", name="Another file").click()
    page.get_by_role("button", name="Discard them").click()
    page.context.set_offline(False)
    page.wait_for_timeout(500)
    assert page.locator(".drop").is_visible()
    assert not page.locator(".batch-results").is_visible()
    assert not page.locator("[role=alert]").is_visible()


def test_a_text_that_is_given_up_is_not_sent_again(page):
    page.context.set_offline(True)
    paste(page, ARTICLE)
    page.locator(".reading .fault", has_text="The connection to the service was lost").wait_for()
    page.get_by_role("button", name="New text").click()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(False)
    page.wait_for_timeout(500)
    assert asked == []
    assert page.title() == "twohands"


def test_bad_files_and_short_words_cost_neither_what_is_typed_nor_what_was_read(page):
    page.locator("textarea").first.fill("Half a thought about kilns")
    drop(page, ".read-view", "a.odt", b"PK\x03\x04", media_type="")
    page.locator(".intake .fault", has_text="no kind of document").wait_for()
    assert page.locator("textarea").first.input_value() == "Half a thought about kilns"
    page.locator("textarea").first.fill("")
    paste(page, ARTICLE)
    wait_read(page)
    drop(page, ".read-view", "a.odt", b"PK\x03\x04", media_type="")
    page.locator("dialog", has_text="no kind of document").get_by_role("button", name="Close").click()
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/plain", "two words");
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }"""
    )
    assert page.locator(".para").count() == 4
    assert page.locator(".result").is_visible()


def test_words_that_are_dragged_into_the_field_go_in(page):
    box = page.locator(".read-view textarea").bounding_box()
    words = {"items": [{"mimeType": "text/plain", "data": "Sell the kilns."}], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        at = {"x": box["x"] + 40, "y": box["y"] + 40}
        session.send("Input.dispatchDragEvent", {"type": kind, "data": words, **at})
    until(page, "document.querySelector('.read-view textarea').value === 'Sell the kilns.'")


def test_a_dialog_does_not_outlast_the_view_below_it_unless_it_holds_a_form(page):
    page.get_by_role("link", name="Batch").click()
    page.get_by_role("button", name="Model").click()
    page.go_back()
    page.locator(".read-view").wait_for()
    page.locator("dialog").wait_for(state="detached")  # gone a moment after the view has changed
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").first.click()
    page.get_by_role("button", name="This is wrong").click()
    page.locator("#correct-note").fill("Begun")
    page.go_forward()
    page.locator(".batch-view").wait_for()
    assert page.locator("#correct-note").input_value() == "Begun"


def test_a_drop_on_the_field_leaves_no_frame_behind(page):
    drop(page, ".intake textarea", "a.txt", ARTICLE.encode())
    wait_read(page)
    assert page.locator(".dropping").count() == 0


def test_what_is_typed_into_a_form_outlives_a_click_beside_it(page, url):
    before = httpx.get(f"{url}v1/corrections").json()["total"]
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("Note").fill("It is about kilns.")
    page.mouse.click(5, 300)
    box = page.locator("dialog").bounding_box()
    page.mouse.click(box["x"] + 6, box["y"] + box["height"] / 2)
    page.wait_for_timeout(200)  # a dialog that closes is gone a moment later
    assert page.get_by_label("Note").input_value() == "It is about kilns."
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent").startswith("This is wrong")
    page.locator("#about-button").click()
    page.mouse.click(5, 300)
    page.locator("dialog").wait_for(state="detached")
    assert httpx.get(f"{url}v1/corrections").json()["total"] == before


def test_an_address_that_names_no_view_shows_the_first(open_page, url):
    page = open_page(url, view="constructor")
    page.locator(".intake").wait_for()
