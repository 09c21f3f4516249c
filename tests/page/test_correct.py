"""Corrections on the page, against the real store: save, review, export; nothing is kept unless Save is pressed."""

import json

import httpx
import pytest

from serving.settings import ServeSettings
from tests.page.support import ARTICLE, MARKUP, find_faults, listen, paste, save, wait_read
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
