"""What the tests of the page share: its texts, files, and the checks that hold for every page they leave behind."""

import shutil
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent
ARTICLE = "\n\n".join(
    (
        "Timber and the treasury",
        "The ministry will lend the sawmills half the cost of new kilns, buy whatever they cannot sell abroad, and set "
        "their output by plan until the decade ends.",
        "Scrap the levy, sell the state's forests, and let the mills compete without a subsidy. Competition has always "
        "sawn cheaper planks than any committee.",
        "The river froze early this year. The ferry will run again in March, and the timetable hangs at the pier.",
        "Exports of band saws to the listed yards now need a licence, and banks that clear the payments face fines "
        "under the sanctions order.",
    )
)
MARKUP = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script><svg onload="window.hacked=1">'


def find_chromium():
    """Where a Chromium is, or None."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


def paste(page, text):
    """Pastes into the field of the reading view, as Ctrl+V does, whatever the length."""
    page.locator(".read-view textarea").evaluate(
        """(area, text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            area.focus();
            for (const button of document.querySelectorAll(".tools-row button")) button.dataset.former = "";
            const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
            area.dispatchEvent(event);
        }""",
        text,
    )


def drop(page, selector, name, content, media_type="text/plain"):
    """Drops a file on an element, as a mouse does."""
    page.locator(selector).first.evaluate(
        """(target, { name, bytes, type }) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, { type }));
            for (const button of document.querySelectorAll(".tools-row button")) button.dataset.former = "";
            for (const kind of ["dragenter", "dragover", "drop"])
                target.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        {"name": name, "bytes": list(content), "type": media_type},
    )


def wait_read(page):
    """Waits until the document last pasted or dropped is read to its end; the buttons of a former one do not count."""
    page.locator(".tools-row button:not([data-former])", has_text="New text").wait_for()


def until(page, condition, *, tries=100):
    """Waits until a JavaScript expression holds; Playwright's own way needs `unsafe-eval`, which the policy forbids."""
    for _ in range(tries):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def save(page, button, folder):
    """Presses a button that saves a file, and gives the file's path."""
    with page.expect_download() as waiting:
        button.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def find_faults(page):
    """Accessibility faults that axe-core calls serious or critical, as `rule: where`."""
    page.evaluate((FOLDER / "axe.min.js").read_text(encoding="utf-8"))
    # Only what is in the accessibility tree of this very state; contrast is measured too.
    report = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{fault['id']}: {[node['target'] for node in fault['nodes'][:3]]}"
        for fault in report["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]


@contextmanager
def watch(page, url):
    """Fails when a page logs an error, breaks its policy, or asks another host."""
    faults = []
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((url, "blob:", "data:")) else faults.append(f"asked {request.url}")
        ),
    )
    yield faults
    # What the browser itself logs of an answer that is no 200 is what the test is about.
    left = [fault for fault in faults if not fault.startswith("Failed to load resource")]
    assert left == []
