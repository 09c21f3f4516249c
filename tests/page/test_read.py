"""The reading view: in by paste and file, read back, explained, by keyboard, on a phone and on paper."""

import csv
import json
import re
from email.message import EmailMessage

import pytest

from tests.page.support import (
    ARTICLE,
    MARKUP,
    drop,
    find_faults,
    listen,
    paste,
    save,
    until,
    until_told,
    wait_read,
)
from tests.unit.test_documents import make_pdf
from tests.unit.test_docx_text import make_docx
from tests.unit.test_docx_text import p as write_paragraph

PIECES = ARTICLE.split("\n\n")[1:]


def labels_of(page):
    return page.locator(".para .mark").evaluate_all("marks => marks.map((mark) => mark.textContent)")


def test_a_pasted_article_is_read_back_as_the_model_reads_it(page, released):
    paste(page, ARTICLE)
    wait_read(page)
    assert page.locator(".result h1").inner_text() == "Timber and the treasury"
    assert [text.strip() for text in page.locator(".para .text").all_inner_texts()] == PIECES
    # The heading is shown, and not read with the paragraph below it.
    assert page.locator(".para .heading").all_inner_texts() == ["Timber and the treasury"]
    for told, prediction, section in zip(
        labels_of(page), released.classify(PIECES), page.locator(".para").all(), strict=True
    ):
        sure = "unsure leans " if prediction.stance.abstained else ""
        score = round(100 * prediction.stance.score)
        assert f"{sure}{prediction.stance.label} {'>99' if score == 100 else score} %" in told
        assert sorted(section.locator(".chips li").all_inner_texts()) == sorted(prediction.topics.labels)
    assert "Of 4 paragraphs" in page.locator(".summary").inner_text()
    page.get_by_role("button", name="New text").click()
    paste(
        page,
        "\u56fd\u5bb6\u5c06\u5411\u9020\u8239\u5382\u63d0\u4f9b\u8d37\u6b3e\uff0c\u5e76\u8981\u6c42\u6e2f\u53e3\u8d2d\u4e70\u56fd\u4ea7\u8d77\u91cd\u673a\u3002",
    )  # no blanks part its words
    wait_read(page)


def test_headings_and_lists_of_what_is_copied_from_a_page_stand_apart(page):
    heading, item = "Of kilns", "The state buys every plank that is left over."
    html = f"<h1>{heading}</h1><ul><li>{item}</li></ul><h2>Of mills</h2><p>{PIECES[1]}</p>"
    plain = f"{heading}\n{item}\nOf mills\n{PIECES[1]}\n\n{PIECES[0]}"  # as browsers write it, and one piece more
    paste(page, plain, html)
    wait_read(page)
    assert page.locator(".para .heading").all_inner_texts() == [heading, "Of mills"]
    assert page.locator(".para .text").all_inner_texts() == [f"- {item}", PIECES[1]]
    # Where there is no article in it, its plain text is read; that is also what Edit gives.
    page.get_by_role("button", name="New text").click()
    paste(page, ARTICLE, "<nav><ul><li>Home</li></ul></nav>")
    wait_read(page)
    assert page.locator(".para .text").all_inner_texts() == PIECES
    page.get_by_role("button", name="Edit").click()
    assert page.locator(".read-view textarea").input_value() == ARTICLE


def test_scores_evidence_and_facts_are_told_on_demand(page):
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    detail = page.locator(".detail")
    assert detail.locator("h2").inner_text() == "Paragraph 2"
    assert len(detail.locator(".scores tbody tr").all()) == 7
    assert "Read in full." in detail.inner_text()
    assert page.locator(".para mark").count() == 0
    detail.get_by_role("button", name="Underline the evidence").click()
    page.locator(".para mark").first.wait_for()
    underlined = page.locator(".para mark").first.evaluate("mark => mark.firstChild.data")
    assert underlined in PIECES[1]
    assert underlined in detail.locator("q").first.inner_text()
    told = detail.locator(".evidence li").first.inner_text()
    assert re.search(r"without it \d+ % instead of \d+ %", told)
    detail.get_by_role("button", name="Hide the evidence").click()
    assert page.locator(".para mark").count() == 0


@pytest.mark.issue(7)
def test_what_no_sentence_carries_is_told_beside_what_one_does_and_quotations_keep_their_own_marks(page):
    def drop_stance(route):
        answer = route.fetch()
        told = answer.json()
        told["predictions"][0]["evidence"]["stance"] = None
        route.fulfill(response=answer, json=told)

    page.route("**/v1/classify", drop_stance)
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").nth(3).click()
    page.get_by_role("button", name="Underline the evidence").click()
    page.locator(".evidence li").first.wait_for()
    told = page.locator(".evidence > p").inner_text()
    label = page.locator(".mark .label").nth(3).inner_text().removeprefix("leans ")
    assert told.startswith(f"No single sentence carries stance ({label})")
    assert page.locator(".evidence q").first.evaluate("each => getComputedStyle(each).quotes") == "none"


LINES = """\
The measures of the ministry:
- The lease of the port ends on 30 June, and nobody will renew it.
- A fund will pay for cranes made in the country.

Terminal\tOperator\tWhat it lands\tWhose it is
Oslofjord\tNordic\tboxes and cars\tof the state
Bergensund\tWestern\tgrain and ore\tof its town
Tromsen\tNordic\tfish and timber\tof a fund"""
WRAPPED = """\
The ministry will lend the sawmills half the cost of new kilns, buy
what they cannot sell abroad, and set their output by plan until the
decade ends."""


@pytest.mark.issue(7)
def test_lines_of_lists_and_tables_stay_lines_and_wrapped_prose_does_not(page):
    paste(page, f"{LINES}\n\n{WRAPPED}")
    wait_read(page)
    shown = page.locator(".para .text").all_inner_texts()
    assert [text.split("\n") for text in shown[:2]] == [piece.split("\n") for piece in LINES.split("\n\n")]
    assert shown[2:] == [" ".join(WRAPPED.split("\n"))]


def test_offsets_hold_behind_characters_outside_the_basic_plane(page):
    paste(page, "\U0001f6a2\U0001f6a2 Ships \U0001f6a2 will call at the port again.\n\n" + "\n\n".join(PIECES))
    wait_read(page)
    assert page.locator(".para .text").nth(1).inner_text() == PIECES[0]
    page.locator(".mark").nth(0).click()
    page.get_by_role("button", name="Underline the evidence").click()
    page.locator(".evidence ul, .evidence > p:not(.fine)").first.wait_for()


HTML = "<html><body><main><h1>Timber</h1>" + "".join(f"<p>{piece}</p>" for piece in PIECES) + "</main></body></html>"


def test_each_kind_of_file_is_read(page, tmp_path):
    contents = {
        "a.txt": ARTICLE.encode(),
        "b.md": ARTICLE.encode("utf-16"),
        "c.html": HTML.encode(),
        "d.pdf": make_pdf(tmp_path / "d.pdf", [[PIECES[2], "", PIECES[0]]]).read_bytes(),
        "e.docx": make_docx(*map(write_paragraph, PIECES)),
    }
    for name, content in contents.items():
        drop(page, ".read-view", name, content)
        wait_read(page)
        assert page.locator(".result h1").inner_text() == name
        texts = " ".join(" ".join(page.locator(".para .text").all_inner_texts()).split())
        assert PIECES[0] in texts
        assert PIECES[2] in texts


@pytest.mark.issue(4)
def test_a_mail_is_read_below_its_subject_and_says_what_of_it_is_not(page):
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ada Lind <ada@tide.example>", "Timber and tolls"
    mail.set_content("\n\n".join((PIECES[0], PIECES[2])), cte="base64")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="plan.pdf")
    drop(page, ".read-view", "a.eml", mail.as_bytes(), "")
    wait_read(page)
    assert page.locator(".para .text").all_inner_texts() == [PIECES[0], PIECES[2]]
    assert page.locator(".reading h2, .reading h3").first.inner_text() == "Timber and tolls"
    assert page.locator(".tail").inner_text() == "1 attachment is not read: plan.pdf."
    page.get_by_role("button", name="New text").click()
    drop(page, ".read-view", "a.txt", mail.as_bytes())
    page.get_by_text("name it .eml").wait_for()


@pytest.mark.issue(4)
def test_subtitles_are_shown_explained_and_corrected_without_their_times(page):
    words = PIECES[0].split()
    lines = [" ".join(words[n : n + 8]) for n in range(0, len(words), 8)]
    cues = (f"{n}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\n{line}\n" for n, line in enumerate(lines, 1))
    paste(page, "\n".join(cues))
    wait_read(page)
    assert page.locator(".para .text").all_inner_texts() == [PIECES[0]]
    assert page.locator(".para .heading").count() == 0  # times are none
    page.locator(".mark").first.click()
    page.get_by_role("button", name="Underline the evidence").click()
    page.locator(".evidence li").first.wait_for()
    assert page.locator(".evidence q").first.inner_text().strip('"\u201c\u201d') in PIECES[0]
    assert "-->" not in page.locator(".detail").inner_text()


@pytest.mark.issue(7)
def test_marks_and_styles_of_subtitles_are_no_headings(page):
    head = "WEBVTT - Panel\nKind: captions\n\nNOTE by a clerk\n\nSTYLE\n::cue { color: red }\n\nintro\n"
    cues = f"00:00:00.000 --> 00:00:05.000 align:start\n<v Ann Lee>{PIECES[0]}<00:00:02.000><c> So it is.</c>\n\n"
    drop(
        page, ".read-view", "a.vtt", f"{head}{cues}00:00:05.000 --> 00:00:09.000\n<v Bo Tarn>{PIECES[1]}</v>\n".encode()
    )
    wait_read(page)
    assert page.locator(".para .text").all_inner_texts() == [f"Ann Lee: {PIECES[0]} So it is.", f"Bo Tarn: {PIECES[1]}"]
    assert page.locator(".heading").count() == 0
    assert "</c>" not in page.locator(".paras, .reading").first.inner_text()


def test_the_strip_shows_the_whole_and_jumps(page):
    paste(page, "\n\n".join(PIECES * 12))
    wait_read(page)
    assert page.locator(".strip-map rect:not(.window)").count() == 48
    page.locator(".para").nth(4).evaluate("section => section.scrollIntoView()")
    box = page.locator(".strip-map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 4)
    until(page, "scrollY > 1000")
    strip = page.get_by_role("slider")
    strip.focus()
    page.keyboard.press("Home")
    until(page, "scrollY < 600")
    page.keyboard.press("ArrowDown")
    assert strip.get_attribute("aria-valuenow") == "2"
    assert strip.get_attribute("aria-valuetext").startswith("Paragraph 2 of 48: ")


def test_everything_is_reached_by_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.locator(".read-view textarea").focus()
    page.keyboard.type("The ministry will buy the whole harvest at a price that it sets itself.")
    page.keyboard.press("Control+Enter")
    wait_read(page)
    assert page.evaluate("document.activeElement.tagName") == "H1"
    page.get_by_role("button", name="New text").click()
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".mark").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Paragraph 2"
    assert page.locator(".mark").nth(1).get_attribute("aria-expanded") == "true"
    page.get_by_role("button", name="Next").focus()
    listen(page)
    for number, focused in ((3, "Next →"), (4, "← Previous")):  # behind the last there is no next
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.textContent") == focused
        until_told(page, f"Paragraph {number}: ")
    for _ in range(2):
        page.get_by_role("button", name="Previous").press("Enter")
    page.set_viewport_size({"width": 1280, "height": 500})
    page.evaluate("scrollTo(0, 300)")
    page.get_by_role("link", name="Read", exact=True).focus()
    page.keyboard.press("Tab")
    assert page.evaluate("scrollY") == 300  # the head of the page is in sight wherever the reader is
    page.get_by_role("link", name="Read", exact=True).focus()  # Escape closes it from anywhere
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent").startswith("Paragraph 2:")


def test_a_label_of_the_summary_makes_its_paragraphs_stand_out(page):
    paste(page, ARTICLE)
    wait_read(page)
    page.locator(".summary").get_by_role("button", name="sanctions").click()
    n_given = page.locator(".para", has=page.locator(".chip", has_text="sanctions")).count()
    assert 0 < n_given < 4
    assert page.locator(".para.pale").count() == 4 - n_given
    assert find_faults(page) == []  # the pale ones can still be read


def test_warnings_say_where_the_model_is_out_of_its_depth(page):
    german = "Die Regierung wird die Werke unterstützen und die Preise für das Holz nicht mehr dem Markt überlassen."
    paste(page, f"{german}\n\nDer Minister sagte, dass die Bahn auch im Winter und bei Eis auf dem Fluss fahren wird.")
    wait_read(page)
    assert "not English" in page.locator(".para .chips").first.inner_text()
    assert "the only language the model has learnt" in page.locator(".summary .caution").inner_text()
    # Out of its depth, it is not counted as sure, however high its score.
    assert page.locator(".mark.unsure").count() == 2
    assert "0 market-led, 0 neutral, 2 unsure." in page.locator(".summary").inner_text()
    page.locator(".mark").first.click()
    detail = page.locator(".detail").inner_text()
    assert detail.count("Not to be relied on, however high: see the warning above.") == 2
    assert "Counted as sure" not in detail
    assert page.locator(".detail .scores").first.locator(".given").count() == 0
    page.locator(".advice", has_text="Leave it out of counts").get_by_role("button", name="Correct it").click()
    page.locator("dialog", has_text="Correct the labels").wait_for()


@pytest.mark.issue(7)
def test_what_cannot_be_judged_is_left_out_of_the_figures_and_the_headline(page):
    english = "The ministry will nationalise the two largest banks this year and direct their credit to steel."
    french = "Le gouvernement fixera le prix du minerai dans les mines et dans les usines de la nation cette année."
    paste(page, "\n\n".join([english, *[french] * 5]))
    wait_read(page)
    summary = page.locator(".summary").inner_text()
    assert "One paragraph: state-led" in summary
    assert "Clearly" not in summary
    assert "Of 1 paragraph: 1 state-led, 0 market-led, 0 neutral." in summary
    assert "5 paragraphs are left out of the figures: not English." in summary
    # Each button makes as many stand out as the count beside it says: none that is left out.
    for row in page.locator(".summary tbody tr").all():
        n_counted = sum(int(word) for word in row.locator("td").last.inner_text().split() if word.isdigit())
        row.get_by_role("button").click()
        assert page.locator(".para:not(.pale)").count() == n_counted
        row.get_by_role("button").click()
    by_page = page.evaluate(
        """async (texts) => {
            const { Taxonomy } = await import("/page/js/labels.js");
            const { summarise } = await import("/page/js/estimate.js");
            const taxonomy = new Taxonomy(await (await fetch("/info")).json());
            const headers = { "content-type": "text/plain" };
            const told = await (await fetch("/v1/documents", { method: "POST", headers, body: texts })).json();
            return [told.summary, summarise(told.paragraphs, taxonomy)];
        }""",
        "\n\n".join([english, french, "See Annex B."]),
    )
    service, own = by_page
    assert {key: own[key] for key in ("n_paragraphs", "n_left_out", "warnings")} == {
        key: service[key] for key in ("n_paragraphs", "n_left_out", "warnings")
    }
    value = own["heads"]["stance"]["balance"]["value"]
    assert value == pytest.approx(service["heads"]["stance"]["balance"]["value"], abs=1e-4)


def test_readings_are_downloaded_in_three_formats(page, released, tmp_path):
    paste(page, ARTICLE)
    wait_read(page)
    rows = [
        json.loads(line)
        for line in save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text().splitlines()
    ]
    assert [row["text"].split("\n\n")[-1] for row in rows] == PIECES
    assert [(row["paragraph"], row["number"]) for row in rows] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert [text.split()[0] for text in page.locator(".mark .number").all_inner_texts()] == ["¶1", "¶2", "¶3", "¶4"]
    assert rows[1]["stance"]["scores"]["market-led"] > 0
    with save(page, page.get_by_role("button", name="CSV"), tmp_path).open(newline="", encoding="utf-8-sig") as stream:
        table = list(csv.DictReader(stream))
    assert [row["stance"] for row in table] == [row["stance"]["label"] for row in rows]
    model = released.manifest
    assert {row["model"] for row in [*table, *rows]} == {f"{model.name} {model.version} {released.sha256[:8]}"}
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = parquet.read_table(save(page, page.get_by_role("button", name="Parquet"), tmp_path)).to_pydict()
    assert columns["stance_score"] == [row["stance"]["score"] for row in rows]
    assert columns["n_tokens"] == [row["n_tokens"] for row in rows]


def test_markup_in_a_text_and_a_name_stays_text(page):
    paste(page, f"{MARKUP} is what the minister wrote, and the mills will follow his plan.\n\n{MARKUP}")
    wait_read(page)
    assert MARKUP in page.locator(".para .text").first.inner_text()
    page.locator(".mark").first.click()
    page.get_by_role("button", name="New text").click()
    drop(page, ".read-view .intake", f"{MARKUP.replace('/', '')}.txt", ARTICLE.encode())
    wait_read(page)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_no_serious_fault_of_accessibility(open_page, url, width, scheme):
    page = open_page(url, width=width, height=844, scheme=scheme)
    page.locator(".intake").wait_for()
    assert find_faults(page) == []
    paste(
        page,
        ARTICLE
        + "\n\nDas wird auch nicht auf Englisch geschrieben, sagte der Minister, und die Werke werden es nicht lesen.",
    )
    wait_read(page)
    page.locator(".mark").first.click()
    page.get_by_role("button", name="Underline the evidence").click()
    page.locator(".evidence ul, .evidence > p:not(.fine)").first.wait_for()
    assert find_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Model", exact=True).click()
    assert find_faults(page) == []


def test_paper_holds_the_summary_and_the_text_and_no_controls(page):
    paste(page, ARTICLE)
    wait_read(page)
    page.emulate_media(media="print")
    assert page.locator(".summary").is_visible()
    assert page.locator(".para .text").nth(3).is_visible()
    for selector in (".top", ".tools-row", ".strip", ".detail"):
        assert not page.locator(selector).is_visible()


def test_the_theme_is_chosen_and_kept(page):
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    button = page.locator("#theme-button")
    button.click()
    button.click()
    assert button.inner_text() == "Theme: dark"
    assert page.evaluate(paper) != before
    page.reload()
    assert page.locator("#theme-button").inner_text() == "Theme: dark"
    assert page.evaluate(paper) != before


@pytest.mark.issue(7)
def test_a_word_without_end_and_a_text_from_right_to_left_keep_their_place(page):
    paste(page, f"The {'Donau' * 300} plan of the ministry will fund the mills of the whole country again.")
    wait_read(page)
    assert len(page.locator(".result h1").inner_text()) <= 120
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    page.get_by_role("button", name="New text").click()
    paste(page, "\u05d4\u05e9\u05d5\u05e7 " * 20)
    wait_read(page)
    assert page.locator(".para .text").evaluate("text => getComputedStyle(text).direction") == "rtl"


@pytest.mark.issue(7)
def test_what_comes_after_a_label_is_chosen_is_paled_like_the_rest(page):
    paste(page, "\n\n".join(PIECES * 60))
    page.locator(".summary").get_by_role("button", name="sanctions").click()
    until(page, "document.querySelectorAll('.para').length > 200")
    wait_read(page)
    assert page.locator(".para.pale").count() == 180


@pytest.mark.issue(7)
def test_a_paragraph_that_is_opened_on_a_phone_is_not_covered_by_what_is_told_of_it(open_page, url):
    page = open_page(url, width=390)
    page.locator(".intake").wait_for()
    paste(page, "\n\n".join(PIECES * 4))
    wait_read(page)
    mark = page.locator(".mark").nth(9)
    mark.evaluate("mark => mark.scrollIntoView({ block: 'end' })")
    mark.click()
    text = page.locator(".para .text").nth(9).bounding_box()
    assert text["y"] + text["height"] < page.locator(".detail.open").bounding_box()["y"]


@pytest.mark.issue(7)
def test_a_paragraph_of_a_pdf_is_cited_by_its_page(page, tmp_path):
    pages = [[PIECES[2]], [], [PIECES[0]]]
    drop(page, ".read-view", "d.pdf", make_pdf(tmp_path / "d.pdf", pages).read_bytes())
    wait_read(page)
    assert [mark.split("\n")[0] for mark in page.locator(".mark .number").all_inner_texts()] == ["¶1 p. 1", "¶2 p. 3"]
    page.locator(".mark").nth(1).click()
    assert page.locator(".detail-title").inner_text() == "Paragraph 2, page 3"
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    page.get_by_role("button", name="Copy as quotation").click()
    until(page, "window.copied?.includes('(d.pdf, ¶2, p. 3; ')")
    with save(page, page.get_by_role("button", name="CSV"), tmp_path).open(newline="", encoding="utf-8-sig") as stream:
        assert [(row["number"], row["page"]) for row in csv.DictReader(stream)] == [("1", "1"), ("2", "3")]
    lines = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["page"] for line in lines] == [1, 3]


@pytest.mark.issue(7)
def test_files_say_below_which_heading_a_paragraph_stands(page, tmp_path):
    drop(page, ".read-view", "d.md", f"{PIECES[2]}\n\n# Ports\n\n{PIECES[0]}\n".encode())
    wait_read(page)
    with save(page, page.get_by_role("button", name="CSV"), tmp_path).open(newline="", encoding="utf-8-sig") as stream:
        assert [(row["number"], row["section"]) for row in csv.DictReader(stream)] == [("1", ""), ("2", "Ports")]
    lines = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["section"] for line in lines] == [None, "Ports"]


@pytest.mark.issue(7)
def test_files_and_quotations_hold_no_soft_hyphens_and_places_count_a_byte_order_mark(page, tmp_path):
    parted = [re.sub(r"(\w{3})(\w{3})", "\\1\u00ad\\2", piece) for piece in PIECES]
    raw = "\ufeff" + "\n\n".join(parted)
    drop(page, ".read-view", "d.txt", raw.encode())
    wait_read(page)
    lines = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["text"] for row in rows] == PIECES
    assert [raw[row["start"] : row["end"]] for row in rows][1:] == parted[1:]
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="Underline the evidence").click()
    page.locator(".para mark").first.wait_for()
    sentences = re.split(r"(?<=\.) ", PIECES[1])
    assert page.locator(".para mark").first.evaluate("mark => mark.firstChild.data") in sentences


@pytest.mark.issue(7)
def test_panel_quotation_and_files_say_who_speaks(page, tmp_path):
    turns = [f"Ms. HALVORSEN: {PIECES[0]}", PIECES[2], f"Mr. BO: {PIECES[0]}", f"Ms. HALVORSEN: {PIECES[0]}"]
    drop(page, ".read-view", "d.txt", "\n\n".join(turns).encode())
    wait_read(page)
    page.locator(".mark").nth(1).click()
    assert page.locator(".detail-title").inner_text() == "Paragraph 2, Ms. HALVORSEN"
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    page.get_by_role("button", name="Copy as quotation").click()
    until(page, "window.copied?.includes('(d.txt, ¶2, Ms. HALVORSEN; ')")
    expected = ["Ms. HALVORSEN", "Ms. HALVORSEN", "Mr. BO", "Ms. HALVORSEN"]
    with save(page, page.get_by_role("button", name="CSV"), tmp_path).open(newline="", encoding="utf-8-sig") as stream:
        assert [row["speaker"] for row in csv.DictReader(stream)] == expected
    lines = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["speaker"] for line in lines] == expected


@pytest.mark.issue(7)
def test_short_items_that_are_pasted_from_word_are_read(page):
    items = ["Cap rents", "Sell the barges"]
    marked = "".join(f"<p class=MsoListParagraph><span style='mso-list:Ignore'>o</span>{item}</p>" for item in items)
    html = (
        f"<p class=MsoNormal>{PIECES[1]}</p><p class=MsoNormal>We will:</p>{marked}<p class=MsoNormal>{PIECES[0]}</p>"
    )
    paste(page, "\n".join([PIECES[1], "We will:", *(f"o\t{item}" for item in items), PIECES[0]]), html)
    wait_read(page)
    assert page.locator(".para .heading").count() == 0
    assert page.locator(".para").nth(1).locator(".text").all_inner_texts() == [
        "We will:",
        "- Cap rents\n- Sell the barges",
    ]
