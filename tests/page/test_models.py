"""Several models behind one page, and a model that is exchanged while the page is open."""

import json
import re

import httpx
import pytest

from serving.settings import ServeSettings
from tests.page.support import ARTICLE, drop, find_faults, paste, save, wait_read
from tests.page.test_batch import classify, make_csv
from tests.page.test_compare import fill
from tests.page.test_taxonomies import ONE, head
from tests.serving.running import run_server
from tests.support.tiny import build_tiny_model
from twohands.classifier import Classifier
from twohands.taxonomy import Taxonomy

pytestmark = pytest.mark.issue(7)


SLOW_ANSWERS = """() => {
    const ask = window.fetch;
    window.fetch = (...words) => new Promise((tell) => setTimeout(() => tell(ask(...words)), 500));
}"""


@pytest.fixture
def two(tmp_path):
    first = build_tiny_model(tmp_path / "first", taxonomy=Taxonomy(heads=[head("mood", ONE, "calm", "angry")]))
    second = build_tiny_model(tmp_path / "second", taxonomy=Taxonomy(heads=[head("tone", ONE, "dry", "warm")]))
    settings = ServeSettings(
        model=f"first={first}", other_models=(f"other={second}",), corrections=f"sqlite:///{tmp_path / 'kept.db'}"
    )
    classifier = Classifier.load(first, num_threads=1)
    with run_server(settings, classifier) as url:
        yield f"{url}/"
    classifier.close()


def test_a_reader_chooses_among_models_and_both_read_the_same_text(open_page, two):
    page = open_page(two)
    page.locator(".intake").wait_for()
    assert "calm" in page.locator(".lead").inner_text()
    paste(page, ARTICLE)
    wait_read(page)
    assert find_faults(page) == []
    page.get_by_label("Model that reads").select_option("other")
    page.locator(".summary", has_text="warm").wait_for()
    page.locator(".para").nth(3).wait_for()
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="Underline the evidence").click()
    page.locator(".evidence ul, .evidence > p:not(.fine)").first.wait_for()
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_role("radio", name="warm").check()
    page.get_by_role("button", name="Save correction").click()
    page.locator(".saved").wait_for()
    page.get_by_label("Model that reads").select_option("first")
    page.locator(".summary", has_text="calm").wait_for()
    assert page.locator(".para").count() == 4  # what it has read is still there
    page.get_by_role("link", name="Corrections").click()
    item = page.locator(".corrections li").first
    item.locator(".chip", has_text="warm").first.wait_for()  # labels that this model does not have
    item.get_by_role("button", name="Change labels").click()
    page.locator("dialog", has_text="a model with other labels").wait_for()


def test_a_table_is_read_by_the_chosen_model(open_page, two):
    page = open_page(two, view="batch")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(3))
    page.locator(".setup h2").wait_for()
    # Slow to change: what is clicked meanwhile waits for the other model's view, and is not begun with the one before.
    page.evaluate(SLOW_ANSWERS)
    page.get_by_label("Model that reads").select_option("other")
    assert page.locator("main").evaluate("(element) => element.inert")
    classify(page, 3)
    told = page.locator(".batch-table tbody tr").first.inner_text()
    assert "dry" in told or "warm" in told


def test_a_model_that_is_exchanged_is_told_and_then_used(open_page, two):
    page = open_page(two, view="none")
    page.locator(".intake").wait_for()
    page.route("**/info", lambda route: _answer_with_another_digest(route))
    page.reload()
    page.locator(".intake").wait_for()
    page.unroute("**/info")
    paste(page, ARTICLE)
    page.locator(".reading .fault", has_text="exchanged its model").wait_for()
    page.get_by_role("button", name="Use the new model").click()
    page.locator(".para").nth(3).wait_for()
    assert not page.locator(".reading .fault").is_visible()


def open_exchanged(open_page, two):
    """A table of 200 rows amid which the service has exchanged its model, and the next one about to begin."""
    page = open_page(two, view="batch")
    page.locator(".drop").wait_for()
    page.route("**/info", lambda route: _answer_with_another_digest(route))
    page.reload()
    page.locator(".drop").wait_for()
    page.unroute("**/info")
    page.route("**/classify/stream", _answer_first_as_the_former, times=1)
    drop(page, ".batch-view", "a.csv", make_csv(200))
    page.get_by_role("button", name="Classify 200 rows").click()
    page.locator("[role=alert]", has_text="96 of 200 rows are done and kept").wait_for()
    page.get_by_role("button", name="Use the new model").click()
    page.get_by_role("button", name="Classify 200 rows").wait_for()
    return page


@pytest.mark.issue(4)
def test_answers_of_a_model_that_was_exchanged_are_there_until_the_next_table_begins(open_page, two, tmp_path):
    page = open_exchanged(open_page, two)
    start = page.get_by_role("button", name="Classify 200 rows")
    kept = page.locator(".former", has_text="96 rows of a.csv have answers that are not downloaded. ")
    assert "(00000000), which the service has exchanged" in kept.inner_text()
    start.click()
    page.get_by_role("button", name="Keep them").click()
    lines = save(page, kept.get_by_role("button", name="JSONL"), tmp_path).read_text().splitlines()
    assert (len(lines), json.loads(lines[0])["model"].split()[-1]) == (96, "00000000")
    page.get_by_role("link", name="Read", exact=True).click()
    page.locator(".intake").wait_for()
    page.get_by_role("link", name="Batch").click()
    page.locator(".former", has_text="The answers of a.csv are downloaded. They are of").wait_for()
    classify(page, 200)  # saved, so nothing is asked
    assert page.locator(".former").is_hidden()
    lines = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text().splitlines()
    assert (len(lines), json.loads(lines[0])["model"].endswith("00000000")) == (200, False)


EXCHANGE = "dispatchEvent(new Event('modelexchange'))"


@pytest.mark.issue(4)
def test_an_exchange_that_is_taken_back_takes_nothing_away(open_page, two):
    page = open_exchanged(open_page, two)
    page.route("**/info", _answer_with_another_digest)
    page.evaluate(EXCHANGE)
    page.locator("[role=alert]", has_text="is in service again. 96 of 200 rows are done and kept.").wait_for()
    assert page.locator(".former").is_hidden()
    page.unroute("**/info")
    page.get_by_role("button", name="Go on").click()  # too early: the next one still reads
    page.route("**/info", _answer_with_another_digest)
    page.get_by_role("button", name="Use the new model").click()  # which is the same by now
    page.route("**/classify/stream", _answer_first_as_the_former)
    page.get_by_role("button", name="Go on").click()
    page.locator("p[role=status]", has_text="200 rows.").wait_for()
    page.unroute("**/info")
    page.unroute("**/classify/stream")
    page.evaluate(EXCHANGE)
    page.locator(".former", has_text="200 rows of a.csv have answers that are not downloaded. ").wait_for()
    page.get_by_role("button", name="Classify 200 rows").click()
    page.get_by_role("button", name="Discard them").click()
    page.locator("p[role=status]:visible", has_text="200 rows.").wait_for()
    page.locator(".progress").wait_for(state="hidden")
    page.route("**/info", _answer_with_another_digest)
    page.evaluate(EXCHANGE)
    page.locator(".former", has_text="200 rows of a.csv have answers that are not downloaded. ").wait_for()
    assert page.get_by_role("button", name="Classify 200 rows").is_visible()
    assert page.get_by_role("button", name="Choose a file").is_visible()
    assert page.locator("[role=alert]:visible").count() == 0
    assert page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))")
    page.get_by_role("button", name="Classify 200 rows").click()
    page.get_by_role("button", name="Keep them").click()


@pytest.mark.issue(4)
def test_the_offer_of_another_table_takes_no_way_on_from_the_one_at_hand(open_page, two, tmp_path):
    page = open_page(two, view="batch")
    page.locator(".drop").wait_for()
    requests = []

    def fail_second(route):
        requests.append(route)
        route.abort() if len(requests) == 2 else route.continue_()

    page.route("**/classify/stream", fail_second)
    drop(page, ".batch-view", "a.csv", make_csv(200))
    page.get_by_role("button", name="Classify 200 rows").click()
    page.get_by_role("button", name="Go on from there").wait_for()
    page.get_by_label("Model that reads").select_option("other")
    page.locator(".setup h2", has_text="a.csv").wait_for()
    drop(page, ".batch-view", "b.csv", make_csv(3))
    page.locator(".setup h2", has_text="b.csv").wait_for()
    page.get_by_label("Model that reads").select_option("first")
    offer = page.locator("[role=alert]", has_text="b.csv is not taken over. 96 rows of a.csv have answers")
    offer.wait_for()
    page.get_by_role("button", name="Go on from there").click()
    page.locator("[role=alert]", has_text="b.csv is not taken over. 200 rows of a.csv have answers").wait_for()
    save(page, page.get_by_role("button", name="JSONL"), tmp_path)
    page.locator("[role=alert]", has_text="b.csv is not taken over. The answers of a.csv are downloaded.").wait_for()
    page.get_by_role("button", name="Take b.csv over").click()
    page.locator(".setup h2", has_text="b.csv").wait_for()
    assert page.locator("[role=alert]:visible").count() == 0


@pytest.mark.issue(4)
def test_a_table_at_hand_takes_no_answers_of_another_model_away(open_page, two):
    page = open_page(two, view="batch")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(2))
    classify(page, 2)
    page.get_by_label("Model that reads").select_option("other")
    page.locator(".setup h2", has_text="a.csv").wait_for()
    drop(page, ".batch-view", "b.csv", make_csv(3))
    page.locator(".setup h2", has_text="b.csv").wait_for()
    page.get_by_label("Model that reads").select_option("first")
    told = page.locator("[role=alert]", has_text="b.csv is not taken over. 2 rows of a.csv have answers")
    told.wait_for()
    assert page.locator(".batch-table tbody tr").count() == 2
    told.get_by_role("button", name="Take b.csv over").click()
    page.get_by_role("button", name="Discard them").click()
    page.locator(".setup h2", has_text="b.csv").wait_for()


def _answer_first_as_the_former(route):
    response = route.fetch()
    route.fulfill(response=response, headers={**response.headers, "x-model-sha256": "0" * 64})


def _answer_with_another_digest(route):
    response = route.fetch()
    content = response.json()
    content["model"]["sha256"] = "0" * 64
    route.fulfill(response=response, json=content)


def test_a_figure_without_an_interval_is_shown(open_page, url):
    info = httpx.get(f"{url}info").json()
    info["metrics"] = {"dev": {"stance": {"macro_f1": {"value": 0.5, "low": None, "high": None}}}}
    page = open_page(url)
    could_ask = []  # whether the button could be pressed before the service had said which model it serves
    page.route(
        "**/info*",
        lambda route: (could_ask.append(page.locator("#about-button").is_enabled()), route.fulfill(json=info)),
    )
    page.reload()
    page.locator(".intake").wait_for()
    assert could_ask == [False]
    page.locator("#about-button").click()
    assert page.locator("dialog tbody tr").all_inner_texts() == ["dev, stance\t0.500\t-"]


@pytest.mark.issue(5)
def test_what_is_typed_is_taken_over_by_another_model_in_every_view(open_page, two):
    page = open_page(two)
    field = page.locator(".read-view textarea")
    field.fill("Half a thought")
    page.get_by_label("Model that reads").select_option("other")
    page.locator(".lead", has_text="dry").wait_for()
    assert field.input_value() == "Half a thought"
    field.fill("")
    # It has moved: a second copy, out of sight, would be asked about before the page is left.
    assert page.evaluate("dispatchEvent(new Event('beforeunload', { cancelable: true }))")
    page.get_by_label("Model that reads").select_option("first")
    page.locator(".lead", has_text="calm").wait_for()
    field.fill("Half a thought about kilns")
    page.get_by_role("link", name="Compare").click()
    fill(page, 0, ARTICLE)
    page.locator(".side .para").nth(3).wait_for()
    page.locator(".side textarea").nth(1).fill("Half a thought about mills")
    page.get_by_label("Model that reads").select_option("other")
    page.locator(".side .para .label", has_text=re.compile("dry|warm")).first.wait_for()
    assert page.locator(".side textarea").nth(1).input_value() == "Half a thought about mills"
    page.get_by_role("link", name="Read", exact=True).click()
    field.wait_for()
    assert "dry" in page.locator(".lead").inner_text()
    assert field.input_value() == "Half a thought about kilns"
    # What is typed goes before what the other model has read, which the reader has put away.
    field.fill("")
    paste(page, ARTICLE)
    wait_read(page)
    page.get_by_label("Model that reads").select_option("first")
    page.locator(".summary", has_text="calm").wait_for()
    page.get_by_role("button", name="New text").click()
    field.fill("Another thought")
    page.get_by_label("Model that reads").select_option("other")
    page.locator(".lead", has_text="dry").wait_for()
    assert field.input_value() == "Another thought"


FIRST_ANSWER_IS_LATE = """() => {
    const ask = window.fetch;
    let n = 0;
    window.fetch = (...words) => new Promise((tell) => setTimeout(() => tell(ask(...words)), (n += 1) === 1 ? 800 : 0));
}"""


@pytest.mark.issue(5)
def test_of_two_quick_changes_the_last_one_counts(open_page, two):
    page = open_page(two)
    page.locator(".intake").wait_for()
    page.evaluate(FIRST_ANSWER_IS_LATE)
    choice = page.get_by_label("Model that reads")
    choice.select_option("other")
    choice.select_option("first")
    page.wait_for_timeout(1500)
    assert choice.input_value() == ""
    assert "calm" in page.locator(".lead").inner_text()
    assert not page.locator("main").evaluate("(element) => element.inert")
