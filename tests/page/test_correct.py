"""Corrections on the page, against the real store: save, review, export; nothing is kept unless Save is pressed."""

import csv
import json

import httpx
import pytest

from serving.settings import ServeSettings
from tests.page.support import ARTICLE, MARKUP, drop, find_faults, listen, paste, save, until, wait_read
from tests.page.test_batch import classify, make_csv
from tests.serving.running import run_server
from twohands.locate import find_model


def count_kept(url):
    return httpx.get(f"{url}v1/corrections").json()["total"]


def test_a_wrong_label_is_corrected_reviewed_and_exported(page, url, tmp_path):
    before = count_kept(url)
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    dialog = page.locator("dialog[open]")
    assert (
        dialog.locator(".defined", has=page.get_by_role("radio", name="neutral")).inner_text().count("Takes no side")
        == 1
    )
    dialog.get_by_role("radio", name="neutral").check()
    dialog.get_by_role("checkbox", name="regulation").check()
    dialog.get_by_label("How sure are you?").select_option("3")
    dialog.get_by_label("Note").fill(MARKUP)
    assert find_faults(page) == []
    page.keyboard.press("Escape")
    assert count_kept(url) == before  # typed, but not saved
    page.get_by_role("button", name="This is wrong").click()
    dialog.get_by_role("radio", name="neutral").check()
    dialog.get_by_role("checkbox", name="regulation").check()
    dialog.get_by_label("Note").fill(MARKUP)
    dialog.get_by_role("button", name="Save correction").click()
    page.locator(".saved").wait_for()
    assert count_kept(url) == before + 1
    assert "you: neutral" in page.locator(".mark").nth(1).inner_text()
    rows = save(page, page.get_by_role("button", name="JSONL"), tmp_path)
    assert rows.name == "Timber-and-the-treasury-twohands.jsonl"
    kept = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [row["corrected_stance"] for row in kept] == [None, "neutral", None, None]
    assert "regulation" in kept[1]["corrected_topics"]
    page.get_by_role("link", name="Corrections").click()
    item = page.locator(".corrections li").first
    assert MARKUP in item.inner_text()
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert find_faults(page) == []
    item.get_by_role("button", name="Accept").click()
    page.locator(".corrections li").first.locator(".status.accepted").wait_for()
    page.locator("#correction-status").select_option("accepted")
    page.locator("p[role=status]", has_text="accepted").wait_for()
    (row,) = save(page, page.get_by_role("button", name="Training rows"), tmp_path).read_text().splitlines()
    row = json.loads(row)
    assert (row["text"], row["stance"], "regulation" in row["topics"]) == (ARTICLE.split("\n\n")[2], "neutral", True)
    (task,) = json.loads(save(page, page.get_by_role("button", name="Label Studio"), tmp_path).read_text())
    assert task["data"]["text"] == row["text"]
    page.locator(".corrections li").first.get_by_role("button", name="Change labels").click()
    dialog.get_by_role("radio", name="market-led").check()
    dialog.get_by_role("button", name="Save labels").click()
    page.locator(".said-by", has_text="reader says").locator(".chip", has_text="market-led").wait_for()
    page.locator(".corrections li").first.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete it").click()
    page.locator("p[role=status]", has_text="None is accepted").wait_for()
    assert count_kept(url) == before


@pytest.fixture
def emptied(url):
    """A store without corrections, before and after."""

    def empty():
        for each in httpx.get(f"{url}v1/corrections").json()["corrections"]:
            httpx.delete(f"{url}v1/corrections/{each['id']}")

    empty()
    yield
    empty()


def correct(page, label, *, button="This is wrong"):
    page.get_by_role("button", name=button).click()
    page.locator("dialog[open]").get_by_role("radio", name=label).check()
    page.get_by_role("button", name="Save correction").click()
    page.locator("form.correct").wait_for(state="detached")


def list_kept(url):
    return [
        (each["labels"]["stance"], each["note"]) for each in httpx.get(f"{url}v1/corrections").json()["corrections"]
    ]


@pytest.mark.issue(7)
@pytest.mark.usefixtures("emptied")
def test_a_second_correction_begins_with_the_first_and_takes_its_place(page, url):
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("Note").fill("It is about kilns.")
    page.keyboard.press("Escape")
    correct(page, "neutral")  # the note is as it was left
    assert list_kept(url) == [("neutral", "It is about kilns.")]
    (kept,) = httpx.get(f"{url}v1/corrections").json()["corrections"]
    httpx.patch(f"{url}v1/corrections/{kept['id']}", json={"status": "accepted"})
    page.get_by_role("button", name="Change your correction").click()
    dialog = page.locator("dialog[open]")
    assert dialog.get_by_role("radio", name="neutral").is_checked()
    assert page.get_by_label("Note").input_value() == "It is about kilns."
    assert dialog.get_by_role("button", name="Discard the draft").count() == 0
    page.keyboard.press("Escape")
    correct(page, "state-led", button="Change your correction")
    (again,) = httpx.get(f"{url}v1/corrections").json()["corrections"]
    assert (again["id"], again["labels"]["stance"], again["status"]) == (kept["id"], "state-led", "pending")
    # What was deleted is saved anew.
    httpx.delete(f"{url}v1/corrections/{kept['id']}")
    correct(page, "market-led", button="Change your correction")
    assert list_kept(url) == [("market-led", "It is about kilns.")]


@pytest.mark.issue(7)
@pytest.mark.usefixtures("emptied")
def test_a_draft_can_be_discarded(page, url):
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    for _ in range(2):
        page.get_by_role("button", name="This is wrong").click()
        assert page.get_by_label("Note").input_value() == ""
        page.get_by_label("Note").fill("It is about kilns.")
        page.get_by_role("button", name="Close").last.click()
        page.get_by_role("button", name="This is wrong").click()
        page.get_by_role("button", name="Discard the draft").click()
    assert list_kept(url) == []


@pytest.mark.issue(7)
@pytest.mark.usefixtures("emptied")
def test_a_correction_outlasts_another_reading_and_is_told_beside_the_figures(page, tmp_path):
    paste(page, ARTICLE)
    wait_read(page)
    assert page.locator(".verdict .yours").count() == 0
    page.locator(".mark").nth(1).click()
    correct(page, "neutral")
    told = page.locator(".verdict .yours").inner_text()
    assert told.startswith("These figures are the model's; you corrected 1 paragraph. With your labels: ")
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="Read it").click()
    page.locator(".mark .yours").wait_for()
    assert page.locator(".verdict .yours").inner_text() == told
    path = save(page, page.get_by_role("button", name="JSONL"), tmp_path)
    kept = [json.loads(line)["corrected_stance"] for line in path.read_text().splitlines()]
    assert kept == [None, "neutral", None, None]
    # In another view, too, and gone where it is deleted.
    page.get_by_role("link", name="Compare").click()
    for side, name in enumerate(("a.txt", "b.txt")):
        drop(page, f".side >> nth={side}", name, ARTICLE.encode())
    page.locator(".difference .yours", has_text="you corrected 1 paragraph of A, corrected 1 paragraph of B").wait_for()
    page.get_by_role("link", name="Corrections").click()
    page.locator(".correction-head", has_text="Timber and the treasury").wait_for()  # which document it is of
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    page.locator("p[role=status]", has_text="None yet").wait_for()
    page.get_by_role("link", name="Read", exact=True).click()
    page.locator(".para").first.wait_for()
    assert page.locator(".yours, .saved").count() == 0


@pytest.mark.usefixtures("emptied")
def test_an_answer_that_is_saved_as_it_stands_is_confirmed_and_not_corrected(page, url):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url.rstrip("/"))
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    dialog = page.locator("dialog[open]")
    given = dialog.locator("input[type=checkbox]:checked").count()
    dialog.get_by_role("button", name="Save correction").click()
    page.locator(".saved", has_text="Your confirmation is saved").wait_for()
    assert (
        page.locator(".verdict .yours")
        .inner_text()
        .startswith("These figures are the model's; you confirmed 1 paragraph. With your labels: ")
    )
    page.get_by_role("button", name="Copy as quotation").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert "; confirmed by a reader: " in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Change your correction").click()
    for _ in range(given):
        dialog.locator("input[type=checkbox]:checked").first.uncheck()
    if not given:
        dialog.locator("input[type=checkbox]").first.check()
    dialog.get_by_role("button", name="Save correction").click()
    page.locator(".saved", has_text="Your correction is saved").wait_for()
    assert "you corrected 1 paragraph. " in page.locator(".verdict .yours").inner_text()


@pytest.mark.usefixtures("emptied")
def test_no_topic_is_written_in_csv_as_the_readers_of_rows_know_it(page, tmp_path):
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    dialog = page.locator("dialog[open]")
    while dialog.locator("input[type=checkbox]:checked").count():
        dialog.locator("input[type=checkbox]:checked").first.uncheck()
    dialog.get_by_role("button", name="Save correction").click()
    page.locator(".saved").wait_for()
    with save(page, page.get_by_role("button", name="CSV"), tmp_path).open(newline="", encoding="utf-8-sig") as stream:
        assert [row["corrected_topics"] for row in csv.DictReader(stream)] == ["", "-", "", ""]


@pytest.mark.issue(7)
@pytest.mark.usefixtures("emptied")
def test_a_row_that_was_corrected_is_so_in_the_table_that_comes_again(open_page, url):
    page = open_page(url, view="batch")
    for _ in range(2):
        page.locator(".drop").wait_for()
        drop(page, ".batch-view", "a.csv", make_csv(4))
        classify(page, 4)
        if page.locator("td .yours").count() == 0:
            page.locator(".row-text").first.click()
            correct(page, "neutral")
            page.keyboard.press("Escape")
        assert page.locator("td .yours").inner_text().strip() == "you: neutral"
        assert "you corrected 1 row." in page.locator(".verdict .yours").inner_text()
        page.get_by_role("button", name="Another file").click()
        page.get_by_role("button", name="Discard them").click()


@pytest.mark.issue(7)
@pytest.mark.usefixtures("emptied")
def test_corrections_of_one_paragraph_that_clash_say_so(open_page, url):
    for label in ("neutral", "state-led"):
        httpx.post(f"{url}v1/corrections", json={"text": "The kilns are cold.", "labels": {"stance": label}})
    page = open_page(url, view="corrections")
    items = page.locator(".corrections li")
    items.nth(1).wait_for()
    assert "An older correction of this paragraph says otherwise" in items.nth(0).inner_text()
    assert "A newer correction of this paragraph says otherwise" in items.nth(1).inner_text()
    assert find_faults(page) == []
    items.nth(1).get_by_role("button", name="Reject").click()
    until(page, "document.querySelectorAll('.clash:not([hidden])').length === 0")


@pytest.mark.issue(7)
def test_what_nobody_accepted_is_not_exported_unless_it_is_asked_for(open_page, url, tmp_path):
    sent = {"text": "The kilns are cold.", "labels": {"stance": "neutral"}}
    kept = httpx.post(f"{url}v1/corrections", json=sent).json()
    try:
        page = open_page(url, view="corrections")
        page.locator(".corrections li").first.wait_for()
        page.get_by_role("button", name="Training rows").click()
        page.locator("dialog", has_text="No correction is accepted").get_by_role("button", name="Close").click()
        page.locator("#correction-status").select_option("pending")
        page.locator(".group", has_text="Export pending").wait_for()
        (row,) = save(page, page.get_by_role("button", name="Training rows"), tmp_path).read_text().splitlines()
        assert json.loads(row)["id"] == kept["id"]
    finally:
        httpx.delete(f"{url}v1/corrections/{kept['id']}")


@pytest.mark.issue(7)
def test_a_store_that_fails_is_told_at_once_and_not_waited_for(open_page, released, tmp_path):
    (tmp_path / "file").write_text("no folder")
    settings = ServeSettings(model=str(find_model()), corrections=f"sqlite:///{tmp_path}/file/kept.db")
    with run_server(settings, released) as url:
        page = open_page(f"{url}/")
        page.locator(".intake").wait_for()
        paste(page, ARTICLE)
        wait_read(page)
        page.locator(".mark").nth(1).click()
        page.get_by_role("button", name="This is wrong").click()
        told = listen(page)
        page.get_by_role("button", name="Save correction").click()
        page.locator("dialog .fault", has_text="cannot use its store").wait_for()
        assert not any("busy" in each for each in told())


@pytest.mark.issue(7)
@pytest.mark.usefixtures("emptied")
def test_a_note_keeps_its_lines(page, url):
    note = "Fares first.\n\u0627\u0644\u0633\u0648\u0642: 1, 2"  # the second in Arabic
    saved = {"text": "The depot may set its own fares.", "labels": {"stance": "market-led"}, "note": note}
    httpx.post(f"{url}v1/corrections", json=saved).raise_for_status()
    page.get_by_role("link", name="Corrections").click()
    assert page.locator(".note").inner_text() == f"Note: {note}"


@pytest.mark.usefixtures("emptied")
def test_the_list_tells_whose_key_saved_and_changed_a_correction(page, url):
    saved = {"text": "The depot may set its own fares.", "labels": {"stance": "market-led"}}
    httpx.post(f"{url}v1/corrections", json=saved).raise_for_status()

    annotator = "ann1"

    def name_keys(route):
        answer = route.fetch()
        told = answer.json()
        told["corrections"][0] |= {"created_by": "ann1", "updated_by": "bob2", "annotator": annotator}
        route.fulfill(response=answer, json=told)

    page.route("**/v1/corrections?*", name_keys)
    page.get_by_role("link", name="Corrections").click()
    page.locator(".correction-head", has_text="saved with key ann1 · changed with key bob2").wait_for()
    annotator = "eve3"
    page.reload()
    facts = "saved with key ann1 · labelled with key eve3 · changed with key bob2"
    page.locator(".correction-head", has_text=facts).wait_for()


@pytest.mark.issue(5)
def test_where_there_is_no_room_the_reader_is_told_what_to_do(page):
    code = """async () => {
        const { explain, ServiceError } = await import("/page/js/api.js");
        return explain(new ServiceError(507, { code: "corrections_full", message: "no room; delete some" }));
    }"""
    assert page.evaluate(code) == "No room; delete some."
