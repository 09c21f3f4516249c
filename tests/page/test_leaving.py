"""What the page asks before it is left: only where something would go that nothing else holds."""

import pytest

from tests.page.support import ARTICLE, drop, paste, save, wait_read
from tests.page.test_batch import classify, make_csv

pytestmark = pytest.mark.issue(7)


@pytest.fixture
def asks(open_page, url):
    """A page on a view, and whether it asks before it is left."""

    def open_at(view, place):
        page = open_page(url, view=view)
        page.locator(place).first.wait_for()
        page.mouse.click(5, 5)  # browsers ask only where a reader has done something
        asked = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))

        def is_asked():
            asked.clear()
            # As the browser itself decides; to go is to lose what the next step of the test needs.
            return page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))")

        return page, is_asked, asked

    return open_at


def test_a_reading_and_what_is_typed_are_not_lost_unasked(asks, tmp_path):
    page, is_asked, asked = asks("read", ".intake")
    assert not is_asked()
    page.locator("textarea").fill("A few words")
    assert is_asked()
    page.locator("textarea").fill("")
    assert not is_asked()
    paste(page, ARTICLE)
    wait_read(page)
    assert is_asked()
    save(page, page.get_by_role("button", name="CSV"), tmp_path)
    assert not is_asked()
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    assert not is_asked()
    page.get_by_label("Note").fill("It is about kilns.")
    assert is_asked()
    page.keyboard.press("Escape")
    assert is_asked()  # it is a draft now
    page.reload()
    assert asked == ["beforeunload"]
    page.locator(".intake").wait_for()
    page.get_by_role("button", name="Try an example").click()
    wait_read(page)
    assert not is_asked()


def test_a_comparison_is_not_lost_unasked(asks):
    page, is_asked, _ = asks("compare", ".side")
    assert not is_asked()
    drop(page, ".side >> nth=0", "a.txt", ARTICLE.encode())
    page.locator(".side .para").nth(3).wait_for()
    assert is_asked()
    page.get_by_role("button", name="Replace document A").click()
    assert not is_asked()


def test_a_table_is_not_lost_unasked_until_every_row_is_downloaded(asks, tmp_path):
    page, is_asked, _ = asks("batch", ".drop")
    drop(page, ".batch-view", "a.csv", make_csv(4))
    page.locator(".setup h2").wait_for()
    assert not is_asked()  # the file is where it was
    classify(page, 4)
    assert is_asked()
    page.locator("#filter-text").fill("museum")
    page.locator("p[role=status]", has_text="1 of 4 rows").wait_for()
    save(page, page.get_by_role("button", name="CSV"), tmp_path)
    assert is_asked()  # of the other three
    page.locator("#filter-text").fill("")
    page.locator("p[role=status]", has_text="4 rows.").wait_for()
    save(page, page.get_by_role("button", name="JSONL"), tmp_path)
    assert not is_asked()
    page.get_by_role("button", name="Another file").click()
    assert not is_asked()


PASTE = """(text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


@pytest.mark.issue(5)
def test_what_nothing_else_holds_makes_way_for_nothing_unasked(page):
    question = page.locator("dialog", has_text="Article or speech: replace what is here?")

    def answer(words, button):
        question.locator("p", has_text=words).wait_for()
        question.get_by_role("button", name=button).click()
        question.wait_for(state="detached")

    field = page.locator(".read-view textarea")
    field.fill("Half a thought about kilns")
    page.get_by_role("button", name="Try an example").click()
    answer("was not read", "Keep it")
    drop(page, ".read-view", "a.txt", ARTICLE.encode())
    answer("was not read", "Close")
    assert field.input_value() == "Half a thought about kilns"
    drop(page, ".read-view", "a.txt", ARTICLE.encode())
    answer("was not read", "Replace it")
    wait_read(page)
    # What can be read again, from the disk or the clipboard, makes way.
    page.evaluate(PASTE, ARTICLE.replace("Timber", "Grain"))
    page.locator(".result h1", has_text="Grain").wait_for()
    assert question.count() == 0
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("Note").fill("It is about kilns.")
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")  # the draft is kept as it goes, a moment behind the key
    page.evaluate(PASTE, ARTICLE)
    answer("Corrections that you have begun here", "Keep it")
    page.get_by_role("button", name="New text").click()
    field.fill(ARTICLE.replace("Timber", "Glass"))
    page.get_by_role("button", name="Read it").click()
    page.locator(".para").nth(3).wait_for()
    page.evaluate(PASTE, ARTICLE)
    answer("came from the field", "Keep it")
    assert page.locator(".result h1").inner_text() == "Glass and the treasury"


@pytest.mark.issue(4)
def test_a_table_is_not_put_away_unasked_inside_the_page(asks, tmp_path):
    page, is_asked, _ = asks("batch", ".drop")
    drop(page, ".batch-view", "a.csv", make_csv(4))
    classify(page, 4)
    another = page.get_by_role("button", name="Another file")
    another.click()
    question = page.locator("dialog", has_text="4 rows of a.csv have answers that are not downloaded.")
    question.get_by_role("button", name="Keep them").click()
    drop(page, ".batch-view", "b.csv", make_csv(3))
    question.get_by_role("button", name="Keep them").click()
    question.wait_for(state="detached")
    assert page.locator(".batch-results h2").inner_text() == "a.csv"
    drop(page, ".batch-view", "b.csv", make_csv(3))
    question.get_by_role("button", name="Discard them").click()
    page.locator(".setup h2", has_text="b.csv").wait_for()
    assert not is_asked()
    classify(page, 3)
    save(page, page.get_by_role("button", name="CSV"), tmp_path)
    another.click()  # nothing would go
    page.locator(".drop").wait_for()
    assert page.evaluate("document.activeElement.textContent").startswith("Choose a file")
