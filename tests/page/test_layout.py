"""What stands where: counts on a narrow screen, headings without their marks, and things that belong side by side."""

import json

import pytest

from tests.page.support import ARTICLE, drop, paste, save, wait_read
from tests.page.test_compare import MARKET, STATE, fill

pytestmark = pytest.mark.issue(7)
PARAGRAPH = "The ministry will lend the sawmills half the cost of new kilns and set their output by plan for ten years."
MARKED = f"# The *third* kiln #\n\n_An editorial_\n\nBy Ada Holt in Lowmoor\n14 March 2025\n\n{PARAGRAPH}"
SPACED = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: .12em !important }");
    sheet.insertRule("* { word-spacing: .16em !important }");
    document.adoptedStyleSheets = [sheet];
    document.documentElement.style.removeProperty("font-size");
}"""
SIZE = "element => parseFloat(getComputedStyle(element).fontSize)"


def test_marks_of_markdown_are_no_words_of_a_title_and_lines_of_a_byline_stay_two(page, tmp_path):
    paste(page, MARKED)
    wait_read(page)
    assert page.locator(".result h1").inner_text() == "The third kiln"
    assert page.title() == "The third kiln \N{EN DASH} twohands"
    shown = page.locator(".heading").all_inner_texts()
    assert shown == ["The third kiln", "An editorial", "By Ada Holt in Lowmoor\n14 March 2025"]
    # A screen reader goes from heading to heading, and is not stopped by who wrote it and when.
    names = [heading.evaluate("element => element.tagName") for heading in page.locator(".heading").all()]
    assert names == ["H2", "H2", "P"]
    rows = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text(encoding="utf-8").splitlines()
    assert [json.loads(row)["document"] for row in rows] == ["The third kiln"]


def test_what_only_looks_like_a_mark_stays(page):
    texts = ["#steel", "5 * 3 * 2", "snake_case_name", "C#", "2*3*4", "* one"]
    code = """async (texts) => {
        const { plainHeading } = await import("/page/js/paragraph.js");
        return texts.map(plainHeading);
    }"""
    assert page.evaluate(code, texts) == texts
    lines = [
        "## Of kilns\nBy Ada Holt",
        "### By the numbers",
        "By the numbers",
        "\u56de\u5e94",
        "May 4, 2031 | 5 min read",
    ]
    code = """async (above) => {
        const { renderAbove } = await import("/page/js/paragraph.js");
        return renderAbove(above, 3).map((element) => element.tagName);
    }"""
    assert page.evaluate(code, "\n\n".join([*lines, "May is over"])) == ["H4", "P", "H5", "H3", "H3", "P", "H3"]


HEADER = "From: Ada Holt\nSent: 3 May 2033\nTo: Bo Tarn"


@pytest.mark.issue(7)
def test_a_notice_around_the_text_is_shown_small_and_no_heading(page):
    notices = [
        "\u00a9 2031 Tide Wire. All rights reserved.",
        "We use cookies to see what you read, and whether you read it to its end, and to show you more of it",
        "[^figure]: Cranes above the port.",
        "Who pays?",
        "Related: [Who pays](https://tide.example/a) | [And why](https://tide.example/b)",
    ]
    headings = [
        "# Who pays?",
        "Who pays?\n=====",
        "Who pays, and for what",
        "Reporting by Ada Holt; Editing by Bo Tarn",
    ]
    code = """async (above) => {
        const { renderAbove } = await import("/page/js/paragraph.js");
        return renderAbove(above, 2).map(({ className, tagName, textContent }) => [className, tagName, textContent]);
    }"""
    told = page.evaluate(code, "\n\n".join(notices))
    assert [name for name, _, _ in told] == ["aside lines"] * 5
    plain = [*notices[:2], "Cranes above the port.", notices[3], "Related: Who pays | And why"]
    assert [text for _, _, text in told] == plain
    assert [tag for _, tag, _ in page.evaluate(code, "\n\n".join(headings))] == ["H2", "H2", "H2", "P"]


@pytest.mark.issue(7)
def test_what_is_no_heading_by_its_kind_is_shown_small_and_without_its_marks(page):
    small = {
        "| Year | Paid |\n| ---: | ---: |\n| 2029 | 41 |\n| 2030 | 65 |": "Year | Paid\n2029 | 41\n2030 | 65",
        "Year\tPaid\n2029\t41\n2030\t65": "Year\tPaid\n2029\t41\n2030\t65",
        "![Cranes above the port](img/a.jpg)": "Cranes above the port",
        ">\n> \u2014 Ada Holt, minister of ports": "\u2014 Ada Holt, minister of ports",
        "(Laughter)": "(Laughter)",
        "From: Ada Holt <a@tide.example>\nSubject: Cranes": "From: Ada Holt <a@tide.example>\nSubject: Cranes",
        "On Monday, Bo Tarn <b@tide.example>\nwrote:": "On Monday, Bo Tarn <b@tide.example>\nwrote:",
        "Dear Bo,": "Dear Bo,",
        "--\nAda Holt\nMinistry of Ports": "--\nAda Holt\nMinistry of Ports",
        "With kind regards,\nAda Holt": "With kind regards,\nAda Holt",
        "Best,\nAda": "Best,\nAda",
        **{each: each for each in (f"-----Original Message-----\n{HEADER}", f"{'_' * 32}\n{HEADER}")},
        "\\1\\ See the act.\n----------": "\\1\\ See the act.\n----------",
        "```python\nkilns = 12\n```": "```python\nkilns = 12\n```",
        "***": "***",
        "___": "___",
    }
    code = """async (above) => {
        const { renderAbove } = await import("/page/js/paragraph.js");
        return renderAbove(above).map(({ className, textContent }) => [className, textContent]);
    }"""
    assert page.evaluate(code, "\n\n".join(small)) == [["aside lines", text] for text in small.values()]
    assert page.evaluate(code, "---\ntitle: Kilns\n---\n\n> ## Of kilns") == [
        ["aside lines", "---\ntitle: Kilns\n---"],
        ["heading lines", "Of kilns"],
    ]
    # Not what only resembles one.
    for heading in (
        "From: the quay",
        "Original message from Ada Holt\nThe quay",
        "On what Bo Tarn wrote",
        "Best kilns,\nand why",
        "Thanks, Bo",
        "Ports (and quays)",
        "The year: 2029",
    ):
        assert page.evaluate(code, heading) == [["heading lines", heading]]


@pytest.mark.issue(7)
def test_a_mail_is_named_by_its_subject(page):
    paste(page, f"From: Ada Holt <ada@tide.example>\nTo: Bo Tarn\nSubject: Re: Cranes\n\nDear Bo,\n\n{PARAGRAPH}")
    wait_read(page)
    assert page.locator(".result h1").inner_text() == "Re: Cranes"
    assert page.locator(".heading").count() == 0


@pytest.mark.parametrize("width", [640, 320])
def test_a_narrow_screen_keeps_the_counts(open_page, url, width):
    page = open_page(url, width=width, height=700)
    page.locator(".intake").wait_for()
    paste(page, ARTICLE)
    wait_read(page)
    for table in page.locator(".shares").all():
        assert table.locator("thead th").last.is_visible()
        for cell in table.locator("tbody td:last-child").all():
            box = cell.bounding_box()
            assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_no_table_runs_out_of_its_summary_at_any_width(page):
    paste(page, ARTICLE)
    wait_read(page)
    for cell in page.locator(".shares td:nth-child(4)").all():
        cell.evaluate("element => element.firstChild.replaceWith('49\u2013100')")  # as wide as they come
    for width in (761, 800, 860, 1000, 1100, 1200, 1219, 1220, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        summary = page.locator(".summary").bounding_box()
        for table in page.locator(".shares").all():
            box = table.bounding_box()
            assert box["x"] + box["width"] < summary["x"] + summary["width"], width
    # Of a reader whose browser is set to larger letters; none stay small, or get larger than what they are finer than.
    for size in ("20px", "24px"):
        page.evaluate(f"document.documentElement.style.fontSize = '{size}'")
        assert page.evaluate("getComputedStyle(document.body).fontSize") == size
        assert page.evaluate("document.documentElement.scrollWidth") == 1280
    for spaced in (False, True):  # larger letters, then wider gaps (WCAG 2.2, 1.4.12): nothing scrolls sideways
        if spaced:
            page.evaluate(SPACED)
        for width in (320, 390, 768):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") == width, spaced


def test_a_rule_is_no_title(page):
    paste(page, f"---\n\nKilns\n\n{PARAGRAPH}")
    wait_read(page)
    assert page.locator(".result h1").inner_text() == "Kilns"


@pytest.mark.issue(7)
def test_the_marks_of_notes_are_raised_as_in_print(page):
    paste(page, f"{PARAGRAPH}[^12] {PARAGRAPH}[^a]\n\n[^12]: A note.")
    wait_read(page)
    assert page.locator(".para .text").inner_text() == f"{PARAGRAPH}\u00b9\u00b2 {PARAGRAPH}"
    assert page.locator(".aside").inner_text() == "12. A note."


NOTES = "[^1]: The paper on kilns, page 14.\n\n[^2]: The paper on saws, page 2."


def test_notes_behind_the_last_paragraph_are_kept_and_none_is_a_heading(open_page, url):
    page = open_page(url, width=390)
    page.locator(".intake").wait_for()
    quoted = f"> {PARAGRAPH}\n>\n> {PARAGRAPH}"
    paste(page, f"Kilns\n=====\n\n{PARAGRAPH}\n\n[^0]: A note in between.\n\n{quoted}\n\n{NOTES}")
    wait_read(page)
    assert page.locator(".heading").all_inner_texts() == ["Kilns"]
    assert page.locator(".aside").all_inner_texts() == [
        "0. A note in between.",
        *NOTES.replace("[^", "").replace("]:", ".").split("\n\n"),
    ]
    text, note = (page.locator(each).last.bounding_box() for each in (".para .text", ".tail .aside"))
    assert (note["x"], note["y"] > text["y"] + text["height"]) == (text["x"], True)


@pytest.mark.issue(2)
def test_the_mark_of_a_heading_that_is_read_does_not_stand_alone_above_it(page):
    paste(page, f"{ARTICLE}\n\n## Of harbours")
    wait_read(page)
    assert page.locator(".para .text").last.inner_text() == "Of harbours"
    assert page.locator(".para").last.locator(".heading").count() == 0


def test_front_matter_is_no_heading_and_its_title_is_the_documents(page):
    paste(page, f'---\ntitle: "The third kiln"\nauthor: Ada Holt\n---\n\n{PARAGRAPH}')
    wait_read(page)
    assert page.locator(".result h1").inner_text() == "The third kiln"
    assert page.locator(".para .aside").inner_text().endswith("author: Ada Holt\n---")
    assert page.locator(".heading").count() == 0


def test_a_long_title_pushes_no_summary_below_the_other(open_page, url):
    page = open_page(url, view="compare")
    title = "The ministry of works and the long road to a second plan for the northern ports"
    fill(page, 0, f"# {title}\n\n{STATE}")
    fill(page, 1, f"# Ports\n\n{MARKET}")
    page.locator(".difference table").wait_for()
    first, second = (page.locator(".side .summary").nth(side).bounding_box()["y"] for side in (0, 1))
    assert first == pytest.approx(second, abs=1)
    heights = [page.locator(".side h2").nth(side).bounding_box()["height"] for side in (0, 1)]
    assert heights[0] > 1.5 * heights[1]
    # What is for ears alone, at the end of the wide table, lies beyond the edge, and must not widen the page.
    page.set_viewport_size({"width": 640, "height": 700})
    page.evaluate("document.documentElement.style.fontSize = '24px'")
    assert page.evaluate("document.documentElement.scrollWidth") == 640


def test_on_paper_tables_begin_at_one_height_and_fine_print_is_the_smallest(page):
    paste(page, ARTICLE)
    wait_read(page)
    page.set_viewport_size({"width": 794, "height": 1100})
    page.emulate_media(media="print")
    tops = [table.locator("tbody").bounding_box()["y"] for table in page.locator(".shares").all()]
    assert tops[0] == pytest.approx(tops[1], abs=1)
    assert page.locator(".verdict .fine").evaluate(SIZE) < page.locator(".verdict p:not(.fine)").last.evaluate(SIZE)


def test_a_label_stands_beside_its_shape(page):
    paste(page, ARTICLE)
    wait_read(page)
    page.emulate_media(media="print")
    label = page.locator(".mark .label").first
    label.evaluate("element => element.lastChild.replaceWith('leans market-led')")
    whole = label.bounding_box()
    assert whole["height"] < 24  # one line
    label.evaluate("element => element.lastChild.replaceWith('leans to what has a far longer name')")
    gap = label.evaluate(
        """element => {
            const range = document.createRange();
            range.selectNode(element.lastChild);
            return range.getClientRects()[0].left - element.querySelector(".icon").getBoundingClientRect().right;
        }"""
    )
    assert gap < 10


def test_the_legend_fits_and_a_panel_that_does_not_says_so(page):
    paste(page, ARTICLE)
    wait_read(page)
    heights = "element => [element.scrollHeight, element.clientHeight]"
    whole, seen = page.locator(".detail").evaluate(heights)
    assert whole <= seen
    page.set_viewport_size({"width": 1280, "height": 500})
    whole, seen = page.locator(".detail").evaluate(heights)
    assert whole > seen
    background = page.locator(".detail").evaluate("element => getComputedStyle(element).backgroundAttachment")
    assert background.count("local") == 2


def test_how_to_read_it_is_told_where_there_is_no_room_beside_the_text(page):
    paste(page, ARTICLE)
    wait_read(page)
    folded = page.locator(".read-view .how")
    assert not folded.is_visible()
    page.set_viewport_size({"width": 1100, "height": 700})
    assert not page.locator(".detail").is_visible()
    folded.locator("summary").click()
    assert folded.get_by_text("A hatched margin: the score is too low to rely on").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 1100
    page.emulate_media(media="print")
    assert not folded.is_visible()


def test_a_long_row_is_cut_between_words(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    text = " ".join(["Parliament"] * 30)
    drop(page, ".batch-view", "a.csv", f"text\n{text}\n{'x' * 300}\n".encode(), "text/csv")
    page.get_by_role("button", name="Classify 2 rows").click()
    page.get_by_role("button", name="CSV").wait_for()
    page.locator(".row-text").nth(1).wait_for()
    first, second = page.locator(".row-text").all_inner_texts()
    assert first == " ".join(["Parliament"] * 14) + " …"
    assert second == "x" * 160 + " …"


@pytest.mark.parametrize("width", [700, 390])
def test_on_a_phone_one_document_stands_below_the_other(open_page, url, width):
    page = open_page(url, view="compare", width=width)
    first, second = (page.locator(".side textarea").nth(side).bounding_box() for side in (0, 1))
    assert first["width"] == second["width"] > 0.85 * width
    assert second["y"] > first["y"] + first["height"]


def test_the_warning_of_a_row_is_not_cut_off(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    foreign = "Wir werden den Markt nicht allein lassen, sagte der Minister, und kaufen die Werke zurück."
    drop(page, ".batch-view", "a.csv", f'text\n"{foreign}"\n'.encode(), "text/csv")
    page.get_by_role("button", name="Classify 1 row").click()
    page.locator(".row-text").wait_for()
    cell = page.locator(".batch-table td").nth(2)
    warning = cell.locator(".chip.warn").bounding_box()
    assert warning["x"] + warning["width"] <= cell.bounding_box()["x"] + cell.bounding_box()["width"]
    assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")


@pytest.mark.issue(7)
def test_marks_of_emphasis_and_targets_of_links_are_not_shown_and_the_evidence_is_where_it_was(page):
    raw = (
        "**Make it here.** The state, says [the plan](https://tide.example/plan), will *never* buy abroad; 2*3*4 is 24."
    )
    code = """async (raw) => {
        const { renderText } = await import("/page/js/paragraph.js");
        const { Taxonomy } = await import("/page/js/labels.js");
        const taxonomy = new Taxonomy(await (await fetch("/info")).json());
        const head = taxonomy.main.name;
        const start = raw.indexOf("The state");
        const answer = { label: "state-led", score: 0.9, scores: { "state-led": 0.9 } };
        const evidence = { [head]: { sentence: raw.slice(start), start, end: raw.length, drop: 0.5 } };
        const paragraph = { rawText: raw, showsEvidence: true, evidence, [head]: answer };
        const [shown] = renderText(paragraph, taxonomy);
        const mark = shown.querySelector("mark");
        mark.querySelector(".because").remove();
        return [shown.textContent, mark.textContent];
    }"""
    plain = "The state, says the plan, will never buy abroad; 2*3*4 is 24."
    assert page.evaluate(code, raw) == [f"Make it here. {plain}", plain]
