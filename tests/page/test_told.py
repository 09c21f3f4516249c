"""What a screen reader is told without being asked: what begins, what is done, what failed, what is waited for."""

from contextlib import contextmanager

import httpx
import pytest

from tests.page.support import ARTICLE, drop, listen, paste, until_told, wait_read
from tests.page.test_batch import classify, make_csv
from tests.page.test_compare import MARKET, STATE, fill

pytestmark = pytest.mark.issue(7)
BUSY = {
    "status": 429,
    "headers": {"retry-after": "1"},
    "json": {"error": {"code": "overloaded", "message": "too much waits already", "request_id": "r"}},
}


@contextmanager
def busy(page, path):
    """A service that is busy for as long as this lasts: gives what it was asked."""
    asked = []

    def refuse(route):
        asked.append(route.request)
        route.fulfill(**BUSY)

    page.route(path, refuse)
    yield asked
    page.unroute(path)


def test_a_reading_is_told_when_it_begins_is_done_and_fails(page):
    told = listen(page)
    paste(page, ARTICLE)
    wait_read(page)
    until_told(page, "4 paragraphs read.")
    assert told().index("Reading \u2026") < told().index("4 paragraphs read.")
    page.locator(".summary").get_by_role("button", name="sanctions").click()
    until_told(page, "1 paragraph with sanctions stands out.")
    page.context.set_offline(True)
    until_told(page, "This computer is offline.")
    drop(page, ".read-view", "mill.txt", ARTICLE.encode())
    until_told(page, "The connection to the service was lost.")
    page.wait_for_timeout(200)
    order = [place for place, each in enumerate(told()) if "mill.txt" in each or "connection" in each]
    assert "The connection to the service was lost." in told()[order[-1]]
    drop(page, ".read-view", "a.odt", b"PK", media_type="")
    until_told(page, "a.odt is no kind of document")  # in a dialog: the field is out of sight


@pytest.mark.parametrize(
    ("view", "suffix", "words"), [("read", "txt", "One document at a time"), ("batch", "csv", "One table at a time")]
)
def test_files_that_are_left_out_are_told(open_page, url, view, suffix, words):
    page = open_page(url, view=view)
    page.locator(f".{view}-view").wait_for()
    listen(page)
    page.locator(f".{view}-view").evaluate(
        """(target, suffix) => {
            const data = new DataTransfer();
            for (const name of ["a", "b"]) data.items.add(new File(["text\\nCold kilns."], `${name}.${suffix}`));
            target.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        suffix,
    )
    until_told(page, f"{words}: only a.{suffix} is read.")
    assert page.locator(".notice").is_visible()
    page.locator("nav [data-view=compare]").click()
    page.locator(".side").first.wait_for()
    assert not page.locator(".notice").is_visible()  # it is about the view before


def test_a_busy_service_is_told_once_and_not_each_second(page):
    told = listen(page)
    with busy(page, "**/v1/documents?*") as asked:
        paste(page, ARTICLE)
        page.locator(".notice:visible", has_text="The service is busy").wait_for()
        until_told(page, "The service is busy. Trying again in 1 seconds.")
    wait_read(page)
    until_told(page, "4 paragraphs read.")
    assert sum("The service is busy" in each for each in told()) <= len(asked)
    assert not page.locator(".notice").is_visible()


def test_what_happens_while_a_dialog_is_open_is_told_and_seen_in_it(page, url):
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    listen(page)
    with busy(page, "**/v1/corrections"):
        page.get_by_role("button", name="Save correction").click()
        page.locator("dialog .notice", has_text="The service is busy").wait_for()
        until_told(page, "The service is busy.")
    until_told(page, "Correction saved.")
    page.locator(".saved").wait_for()
    (kept,) = httpx.get(f"{url}v1/corrections").json()["corrections"]
    httpx.delete(f"{url}v1/corrections/{kept['id']}")
    assert page.locator("body > .notice").count() == 1  # it outlives the dialog
    assert page.evaluate("document.activeElement.textContent") == "Paragraph 2"


def test_two_documents_are_compared_aloud_in_one_sentence(open_page, url):
    page = open_page(url, view="compare")
    page.locator(".side").first.wait_for()
    listen(page)
    fill(page, 0, STATE)
    fill(page, 1, MARKET)
    until_told(page, "Both are read. B is more market-led than A.")


def test_a_table_is_told_when_it_begins_stops_and_is_done(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    told = listen(page)
    drop(page, ".batch-view", "a.xlsx", b"PK")
    until_told(page, "a.xlsx is no table")
    drop(page, ".batch-view", "a.csv", make_csv(20))
    classify(page, 20)
    until_told(page, "20 rows classified.")
    assert any("Classifying 20 rows" in each for each in told())
    page.locator("#filter-state").select_option(label="not read")
    until_told(page, "0 of 20 rows shown.")
