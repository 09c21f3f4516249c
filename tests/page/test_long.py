"""Long texts: cut into requests, read to their end, and light on the page however long they are."""

import io

import pypdf
import pytest

from tests.page.support import ARTICLE, paste, until, wait_read

pytestmark = pytest.mark.issue(7)
N_SHORT = 650
SHORT = "\n\n".join(f"Lot {n}: the mill of the state will buy no planks." for n in range(N_SHORT))
# What is near the screen, on both sides of it, and the controls around it.
MOST_DRAWN = 150
MOST_ELEMENTS = 10_000
IS_SEEN = """(() => {
    const box = document.querySelector(".para.here").getBoundingClientRect();
    return box.top > 0 && box.bottom < innerHeight;
})()"""


def measure(page):
    """Paragraphs that are drawn, elements of the page, and bytes that its scripts hold."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    held = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    drawn, elements = page.evaluate("['.para', '*'].map((each) => document.querySelectorAll(each).length)")
    return drawn, elements, held


def count_read(page):
    return int(page.locator(".progress .said").text_content().split(" of ")[0].replace(",", ""))


def test_a_long_text_is_read_to_its_end_and_only_what_is_near_is_drawn(page):
    paste(page, SHORT)
    wait_read(page)
    assert f"Of {N_SHORT} paragraphs" in page.locator(".summary").inner_text()
    until(page, f"document.querySelectorAll('.para').length < {MOST_DRAWN}")
    assert measure(page)[1] < MOST_ELEMENTS
    # What is not drawn is still there for the browser's search, and once.
    told = page.locator(".text-column").evaluate("column => column.textContent")
    assert [told.count(f"Lot {n}: ") for n in range(N_SHORT)] == [1] * N_SHORT
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    last = page.locator(f".para[data-number='{N_SHORT - 1}']")
    last.wait_for()
    until(page, IS_SEEN)
    assert last.locator(".text").inner_text().startswith(f"Lot {N_SHORT - 1}")
    for _ in range(3):
        page.keyboard.press("PageUp")
    page.wait_for_timeout(300)  # what is drawn around it then must not push it away
    assert page.locator(".para.here").get_attribute("data-number") == str(N_SHORT - 31)
    assert page.evaluate(IS_SEEN)
    until(page, f"document.querySelectorAll('.para').length < {MOST_DRAWN}")
    # In another view nothing has a height that could be kept; the place is there again behind it.
    height = page.evaluate("document.documentElement.scrollHeight")
    for leave, come_back in (("Compare", None), ("Batch", page.go_back)):
        page.get_by_role("link", name=leave).click()
        page.locator(f".{leave.lower()}-view").wait_for()
        assert page.evaluate("scrollY") == 0
        page.wait_for_timeout(100)  # for what watches what is near the screen
        (come_back or page.get_by_role("link", name="Read", exact=True).click)()
        page.locator(".read-view").wait_for()
        until(page, IS_SEEN)
        assert page.evaluate("document.documentElement.scrollHeight") == pytest.approx(height, rel=0.01)


def test_what_a_reader_holds_in_a_long_text_is_not_taken_away(page):
    paste(page, SHORT)
    wait_read(page)
    page.locator(".mark").nth(2).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")  # the focus is on the margin again
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.locator(f".para[data-number='{N_SHORT - 1}']").wait_for()
    assert page.evaluate("document.activeElement.textContent").startswith("Paragraph 3:")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent").startswith("Paragraph 4:")
    # On paper all of it is drawn, with its margins.
    paper = pypdf.PdfReader(io.BytesIO(page.pdf())).pages
    for place, number in ((1, 5), (len(paper) // 2, N_SHORT // 2), (len(paper) - 1, N_SHORT - 1)):
        text = " ".join(each.extract_text() for each in paper[max(place - 2, 0) : place + 2])
        assert f"Lot {number}:" in text
        assert text.count(" %") >= 10
    until(page, f"document.querySelectorAll('.para').length < {MOST_DRAWN}")


def test_five_megabytes_are_read_with_progress_and_can_be_stopped(page):
    text = "\n\n".join([ARTICLE.replace("river", f"river {n}") for n in range(9000)])
    assert len(text) > 5_000_000
    paste(page, text)
    until(page, "document.querySelectorAll('.para').length > 60")
    told = page.locator(".progress .said").inner_text()
    n_done, n_expected = (int(part.replace(",", "")) for part in told.removesuffix(" paragraphs").split(" of "))
    assert 0 < n_done < 2000
    assert n_expected == pytest.approx(36_000, rel=0.1)
    # The page still answers at once.
    page.locator(".mark").first.click()
    assert page.locator(".detail h2").inner_text() == "Paragraph 1"
    page.get_by_role("button", name="Stop").click()
    page.locator(".caution", has_text="Stopped after").wait_for()
    assert page.locator(".lean-words").is_visible()


@pytest.mark.slow
def test_five_megabytes_are_read_to_their_end_on_a_page_that_stays_light_and_answers(page):
    article = ARTICLE.split("\n\n", 1)[1].replace("\n\n", " ")
    text = "\n\n".join(f"In the year {n}: {article}" for n in range(9000))
    assert len(text) > 5_000_000
    paste(page, text)
    until(page, "document.querySelectorAll('.para').length > 60")
    page.evaluate(
        """() => {
            window.longest = 0;
            new PerformanceObserver((list) => {
                for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
            }).observe({ type: "longtask" });
        }"""
    )
    heaviest = (0, 0, 0)
    while page.locator(".reading > .progress").is_visible():
        heaviest = tuple(map(max, heaviest, measure(page)))
        number = count_read(page) - 1
        page.get_by_role("slider").focus()
        page.keyboard.press("End")
        page.locator(".para.here .mark").click()
        assert int(page.locator(".detail h2").inner_text().removeprefix("Paragraph ").replace(",", "")) > number
        page.keyboard.press("Escape")
        page.wait_for_timeout(2000)
    wait_read(page)
    heaviest = tuple(map(max, heaviest, measure(page)))
    assert count_read(page) == 9000
    assert "Of 9,000 paragraphs" in page.locator(".summary").inner_text()
    assert heaviest[0] <= 600  # while it is short, all of it is drawn
    assert heaviest[1] < MOST_ELEMENTS
    assert heaviest[2] < 100_000_000
    assert page.evaluate("window.longest") < 2000
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert page.locator(".para.here .text").inner_text().startswith("In the year 8999: ")


def test_long_texts_are_cut_at_paragraphs_and_none_is_lost(page):
    parts = page.evaluate(
        """async () => {
            const { cutParts } = await import("/page/js/documents.js");
            const text = Array.from({ length: 5000 }, (_, n) => `Paragraph ${n} of the long text.`).join("\\n\\n");
            const parts = cutParts(text, { max_document_bytes: 1e7, max_document_paragraphs: 2000 });
            return { joined: parts.map((part) => part.text).join("") === text,
                     ends: parts.slice(0, -1).every((part) => part.text.endsWith(".\\n\\n")),
                     most: Math.max(...parts.map((part) => part.text.split("\\n\\n").filter(Boolean).length)) };
        }"""
    )
    assert parts == {"joined": True, "ends": True, "most": 1800}


@pytest.mark.issue(7)
def test_paragraphs_of_a_text_that_is_sent_in_parts_have_their_place_in_the_whole(page):
    told = page.evaluate(
        """async () => {
            const { readDocument } = await import("/page/js/documents.js");
            const pieces = Array.from({ length: 5 }, (_, n) => `\\u{1f6a2} Ship ${n} of the state calls at the port.`);
            const text = pieces.join("\\n\\n");
            const limits = { max_document_bytes: 1e7, max_document_paragraphs: 2 };
            const found = [];
            for await (const { paragraphs } of readDocument({ text }, { limits, served: null }))
                found.push(...(paragraphs ?? []).map(({ start, end }) => [...text].slice(start, end).join("")));
            return [found, pieces];
        }"""
    )
    assert told[0] == told[1]


@pytest.mark.issue(4)
def test_no_heading_is_cut_from_what_stands_below_it(page):
    parts = page.evaluate(
        """async () => {
            const { cutParts } = await import("/page/js/documents.js");
            const limits = { max_document_bytes: 1e7, max_document_paragraphs: 10 };
            const gap = "\\r\\n\\r\\n";
            const cut = (pieces) => cutParts(pieces.join(gap), limits).map(({ text }) => text.trim().split(gap));
            const pieces = Array.from({ length: 40 }, (_, n) => `Paragraph ${n}.`);
            pieces[8] = "# Ports";
            pieces[18] = "Rail\\r\\n----";
            pieces[28] = "Text.\\r\\n## Quays ##";
            const long = Array.from({ length: 12 }, (_, n) => `Paragraph ${n}.${" And so on.".repeat(20_000)}`);
            long[6] = "# Ports";
            const sizes = cutParts(long.join("\\n\\n"), { max_document_bytes: 6e6, max_document_paragraphs: 100 });
            return { cut: cut(pieces), heads: cut(Array(25).fill("# Ports")).map((part) => part.length),
                     begins: sizes.map(({ text }) => text.slice(0, 11)) };
        }"""
    )
    assert [len(part) for part in parts["cut"]] == [10, 10, 10, 9, 1]
    assert [part[-1] for part in parts["cut"][:3]] == ["Paragraph 9.", "Paragraph 19.", "Paragraph 29."]
    assert parts["heads"] == [10, 10, 5]
    assert parts["begins"] == ["Paragraph 0", "# Ports\n\nPa"]


@pytest.mark.issue(4)
def test_a_paragraph_that_is_too_long_is_shown_as_not_read_among_the_others(page):
    first, *rest = ARTICLE.split("\n\n")[1:]
    paste(page, "\n\n".join([first, "The mill of the state will buy no planks. " * 2500, *rest]))
    wait_read(page)
    assert "1 paragraph could not be read: 2." in page.locator(".summary").inner_text()
    assert "Of 4 paragraphs" in page.locator(".summary").inner_text()
    marks = page.locator(".para .mark")
    assert [("not read" in words) for words in marks.all_inner_texts()] == [False, True, False, False, False]
    marks.nth(1).click()
    told = page.locator(".fault", has_text="It could not be read").inner_text()
    assert "in the paragraph that begins in line 3, at character" in told
