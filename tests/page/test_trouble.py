"""What may go wrong: a key is needed, the service is busy, the network goes, a file is bad, a text is huge."""

import os
import threading
import time

import httpx
import pytest

from serving.keys import make_key, write_keys
from serving.settings import ServeSettings
from tests.page.support import ARTICLE, MARKUP, drop, find_faults, paste, save, until, wait_read
from tests.page.test_batch import hold_second, make_csv
from tests.page.wire import open_wire
from tests.serving.running import run_server
from twohands.locate import find_model


def test_a_key_is_asked_for_once_and_kept_for_the_tab_only(open_page, locked):
    url, key, _ = locked
    page = open_page(url)
    field = page.locator("#key-input")
    assert find_faults(page) == []
    field.fill("\u043a\u043b\u044e\u0447")  # cannot be sent at all
    page.get_by_role("button", name="Use this key").click()
    page.locator(".fault", has_text="ASCII").wait_for()
    field.fill(MARKUP.replace(" ", ""))
    page.get_by_role("button", name="Use this key").click()
    page.locator(".fault", has_text="does not know this key").wait_for()
    page.locator("#key-input").fill(key)
    page.get_by_role("button", name="Use this key").click()
    page.locator(".intake").wait_for()
    assert not page.locator("[data-view=corrections]").is_visible()  # this service keeps none
    page.reload()
    page.locator(".intake").wait_for()
    paste(page, ARTICLE)
    wait_read(page)
    assert page.evaluate("localStorage.length") == 0
    assert page.context.cookies() == []
    other = page.context.new_page()  # another tab does not know it
    other.goto(url)
    other.locator("#key-input").wait_for()
    page.get_by_role("button", name="Forget key").click()
    page.locator("#key-input").wait_for()


def give_key(page, key):
    page.locator("#key-input").fill(key)
    page.get_by_role("button", name="Use this key").click()


@pytest.mark.issue(7)
def test_a_key_that_is_revoked_midway_is_asked_for_anew_and_the_work_goes_on(open_page, released, tmp_path):
    (first, old), (second, new) = make_key(name="old"), make_key(name="new")
    path = tmp_path / "keys.json"
    write_keys(path, [old, new])
    settings = ServeSettings(model=str(find_model()), api_keys_file=path, corrections="off")

    def revoke():
        write_keys(path, [new])
        while httpx.get(f"{url}/info", headers={"x-api-key": first}).status_code != 401:
            time.sleep(0.05)  # the service looks at its file now and then

    with run_server(settings, released) as url:
        page = open_page(f"{url}/", view="batch")
        give_key(page, first)
        page.locator(".drop").wait_for()
        drop(page, ".batch-view", "a.csv", make_csv(200))
        page.route("**/classify/stream", hold_second(revoke))
        page.get_by_role("button", name="Classify 200 rows").click()
        page.locator("#key-dialog", has_text="may have been revoked").wait_for()
        give_key(page, second)
        page.locator(".progress").wait_for(state="hidden")
        assert "200 rows." in page.locator("p[role=status]").inner_text()


@pytest.mark.issue(7)
def test_a_request_that_went_out_with_the_key_before_does_not_drop_the_new_one(open_page, locked):
    url, key, other = locked
    page = open_page(url)
    give_key(page, key)
    page.locator(".intake").wait_for()
    told = page.evaluate(
        """async (key) => {
            const { ask, forgetKey, hasKey } = await import("/page/js/api.js");
            const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
            const held = Promise.withResolvers();
            const fetchNow = window.fetch;
            window.fetch = () => held.promise;
            const early = ask("info");
            window.fetch = fetchNow;
            forgetKey();
            const late = ask("info");
            while (!document.querySelector("#key-input")) await sleep(20);
            document.querySelector("#key-input").value = key;
            document.querySelector("#key-dialog form").requestSubmit();
            await late;
            held.resolve(new Response("{}", { status: 401 }));
            return [await Promise.race([early.then(({ status }) => status), sleep(5000)]), hasKey()];
        }""",
        other,
    )
    assert told == [200, True]


def test_a_busy_service_is_waited_for_in_words(open_page, locked):
    url, _, hasty = locked
    page = open_page(url)
    page.locator("#key-input").fill(hasty)
    page.get_by_role("button", name="Use this key").click()
    page.locator(".intake").wait_for()
    is_refused, is_enough = threading.Event(), threading.Event()

    def ask_too_much():
        with httpx.Client(base_url=url, headers={"x-api-key": hasty}) as client:
            while not is_enough.wait(0.02):
                if client.get("/info").status_code == 429:
                    is_refused.set()

    thread = threading.Thread(target=ask_too_much)
    thread.start()
    try:
        assert is_refused.wait(20)
        paste(page, ARTICLE)
        page.locator(".notice", has_text="The service is busy").wait_for()
    finally:
        is_enough.set()
        thread.join(20)
    wait_read(page)
    assert page.locator(".para").count() == 4
    assert not page.locator(".notice").is_visible()


def test_a_reading_that_is_cut_off_keeps_what_was_read(open_page, url):
    with open_wire(int(url.rstrip("/").rpartition(":")[2])) as wire:
        page = open_page(wire.url)
        page.locator(".intake").wait_for()
        wire.hold_after(200_000)  # else all may have come before the cut, where the browser is slow
        paste(page, "\n\n".join([ARTICLE] * 400))
        until(page, "document.querySelectorAll('.para').length > 0")
        wire.cut()
        fault = page.locator(".reading .fault", has_text="The connection to the service was lost")
        fault.wait_for()
        n_kept = page.locator(".progress .said").text_content().split(" of ")[0]
        assert 0 < int(n_kept.replace(",", "")) < 1600
        assert f"The {n_kept} paragraphs read until then are below" in fault.inner_text()
        assert page.locator(".lean-words").is_visible()
        page.get_by_role("button", name="Try again").click()
        fault.wait_for(state="hidden")
        until(page, "document.querySelectorAll('.para').length > 0")


def test_a_reading_without_network_begins_by_itself_once_it_is_back(page):
    page.context.set_offline(True)
    page.locator(".notice", has_text="offline").wait_for()
    paste(page, ARTICLE)
    page.locator(".reading .fault", has_text="The connection to the service was lost").wait_for()
    page.context.set_offline(False)
    page.locator(".para").first.wait_for()
    wait_read(page)
    assert not page.locator(".notice").is_visible()


BAD = [
    ("a.odt", b"PK\x03\x04", "no kind of document that is read here"),
    ("a.csv", b"text\nThe town pays.", "but a table. Batch reads tables"),
    ("b.txt", b"caf\xe9 talk", "not text in UTF-8"),
    ("b.txt", "\ufeffA talk.".encode("utf-32-le"), "not text in UTF-8"),
    ("c.txt", b"", "is empty"),
    ("d.pdf", b"not a pdf", "cannot be read as PDF"),
    ("e.html", b"<html><script>1</script></html>", "holds no text"),
]


@pytest.mark.issue(7)
def test_all_views_and_files_are_at_hand_when_the_service_is_gone(page, tmp_path):
    paste(page, ARTICLE)
    wait_read(page)
    until(page, "performance.getEntriesByType('resource').some(({ name }) => name.includes('hyparquet'))")
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    places = {"Compare": ".sides", "Batch": ".drop", "Corrections": ".corrections-view", "Read": ".result"}
    for name, place in places.items():
        page.get_by_role("link", name=name, exact=True).click()
        page.locator(place).wait_for()
    assert page.locator(".para").count() == 4
    assert save(page, page.get_by_role("button", name="Parquet"), tmp_path).read_bytes()[:4] == b"PAR1"


def test_bad_files_are_refused_in_words(page):
    for name, content, told in BAD:
        drop(page, ".read-view", name, content, media_type="")
        page.locator(".read-view .fault:visible", has_text=told).wait_for()


@pytest.mark.issue(5)
def test_a_file_that_was_saved_anew_is_told_as_such_and_not_as_a_lost_connection(page, tmp_path):
    path = tmp_path / "a.html"
    path.write_text(f"<p>{ARTICLE.replace(chr(10) * 2, '</p><p>')}</p>")
    page.route("**/v1/documents?*", lambda route: route.abort())
    page.locator(".read-view input[type=file]").set_input_files(path)
    fault = page.locator(".reading .fault:visible")
    fault.filter(has_text="The connection to the service was lost").wait_for()
    page.unroute("**/v1/documents?*")
    path.write_text("<p>Cold kilns.</p>")
    os.utime(path, (0, 0))
    page.get_by_role("button", name="Try again").click()
    fault.filter(has_text="a.html can no longer be read: it may have been changed").wait_for()
    assert page.get_by_role("button", name="Try again").count() == 0


@pytest.mark.issue(5)
def test_a_reading_that_is_stopped_at_once_is_not_told_of_by_the_length_of_the_one_before(page):
    paste(page, ARTICLE)
    wait_read(page)
    page.route("**/v1/documents?*", lambda _: None)  # never answered
    drop(page, ".read-view", "a.txt", ARTICLE.encode())
    page.get_by_role("button", name="Stop").click()
    page.locator(".reading .caution", has_text="Stopped").wait_for()
    assert page.locator(".reading .caution").inner_text() == "Stopped before a paragraph was read."


@pytest.mark.issue(7)
def test_a_slow_service_is_seen_to_be_waited_for_and_no_empty_file_is_saved(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(20))
    page.route("**/classify/stream", lambda _: None)  # no answer
    page.get_by_role("button", name="Classify 20 rows").click()
    page.locator(".said", has_text="0 of 20 rows").wait_for()
    assert page.locator("progress").evaluate("bar => bar.matches(':indeterminate')")
    page.get_by_role("button", name="CSV").click()
    page.locator("dialog", has_text="Nothing to download").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Stop").click()
    page.unroute("**/classify/stream")
    held = []
    page.route("**/v1/corrections?*", lambda route: held.append(route))  # a builtin takes none
    page.get_by_role("link", name="Corrections").click()
    page.locator("p[role=status]", has_text="Asking the service").wait_for()
    held[0].continue_()
    page.locator("p[role=status]", has_text="None yet").wait_for()
