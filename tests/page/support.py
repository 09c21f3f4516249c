"""What the tests of the page share: its texts, files, and the checks that hold for every page they leave behind."""

import json
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent
PATIENCE_S = 60  # a machine that is busy with other things takes its time; what holds sooner is not waited for
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
    """Where a Chromium is, or None: first the one without windows, which opens a page at a third of the cost."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def paste(page, text, html=None):
    """Pastes into the field of the reading view, as Ctrl+V does, whatever the length."""
    page.locator(".read-view textarea").evaluate(
        """(area, [text, html]) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            if (html) data.setData("text/html", html);
            area.focus();
            for (const button of document.querySelectorAll(".tools-row button")) button.dataset.former = "";
            const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
            area.dispatchEvent(event);
        }""",
        [text, html],
    )


def drop(page, selector, name, content, media_type="text/plain", *others):
    """Drops a file on an element, as a mouse does, and with it others: (name, content) of each."""
    page.locator(selector).first.evaluate(
        """(target, { files, type }) => {
            const data = new DataTransfer();
            for (const [name, bytes] of files) {
                const content = Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
                data.items.add(new File([content], name, { type }));
            }
            for (const button of document.querySelectorAll(".tools-row button")) button.dataset.former = "";
            for (const kind of ["dragenter", "dragover", "drop"])
                target.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        {
            "files": [[each, held.decode("latin-1")] for each, held in ((name, content), *others)],
            "type": media_type,
        },
    )


def wait_read(page):
    """Waits until the document last pasted or dropped is read to its end; the buttons of a former one do not count."""
    page.locator(".tools-row button:not([data-former])", has_text="New text").wait_for()


def until(page, condition):
    """Waits until a JavaScript expression holds; Playwright's own way needs `unsafe-eval`, which the policy forbids."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
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


def listen(page):
    """Keeps from now on what a screen reader is told: gives a function that lists it, alerts and polite words alike."""
    page.evaluate(
        """() => {
            window.told = [];
            const isLive = (element) => element.closest?.("[aria-live=polite], [role=status], [role=alert]");
            const tell = (target) => {
                const region = isLive(target instanceof Element ? target : target.parentElement);
                // What stands under a modal dialog, or is hidden, is heard by nobody.
                const over = [...document.querySelectorAll("dialog[open]")].at(-1);
                if (!region || !region.checkVisibility() || (over && !over.contains(region))) return;
                const words = region.textContent.trim();
                if (words && window.told.at(-1) !== words) window.told.push(words);
            };
            new MutationObserver((changes) => {
                for (const { target, addedNodes } of changes) {
                    tell(target);
                    for (const node of addedNodes)
                        if (node instanceof Element) node.querySelectorAll("[role=alert]").forEach(tell);
                }
            }).observe(document, { subtree: true, childList: true, characterData: true, attributeFilter: ["hidden"] });
        }"""
    )
    return lambda: page.evaluate("window.told")


def until_told(page, words):
    """Waits until a screen reader was told words, which `listen` keeps."""
    until(page, f"window.told.some((each) => each.includes({json.dumps(words)}))")


def press_to(page, name, *, key="Tab", most=60):
    """Walks by keyboard to what has a text, a label or a name that begins so; nothing else is used to get there."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate(
            """(name) => {
                const { activeElement: at } = document;
                const labels = [...(at.labels ?? [])].map((label) => label.textContent);
                const names = [at.getAttribute("aria-label"), ...(labels.length ? labels : [at.textContent])];
                return names.some((each) => each?.trim().startsWith(name));
            }""",
            name,
        ):
            return
    raise AssertionError(f"{name!r} is not reached by {key}")


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
