"""Corrections on the page, against the real store: save, review, export; nothing is kept unless Save is pressed."""

import json

import httpx

from tests.page.support import ARTICLE, MARKUP, find_faults, paste, save, wait_read


def count_kept(url):
    return httpx.get(f"{url}v1/corrections").json()["total"]


def test_a_wrong_label_is_corrected_reviewed_and_exported(page, url, tmp_path):
    before = count_kept(url)
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="This is wrong").click()
    dialog = page.locator("dialog")
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
    page.locator("p[role=status]", has_text="None yet").wait_for()
    assert count_kept(url) == before
