"""Evidence, quotations, files and corrections of a document go by the words that were read, whatever stood between."""

import json

import httpx
import pytest

from tests.page.support import ARTICLE, drop, paste, save, wait_read
from tests.unit.test_documents import make_pdf
from tests.unit.test_docx_text import make_docx
from tests.unit.test_docx_text import p as write_paragraph
from twohands.plain_words import leave_out_emphasis

pytestmark = pytest.mark.issue(4)
PIECES = ARTICLE.split("\n\n")[1:]
MARKED = """\
# Kilns

**The ministry will lend the sawmills half the cost of new kilns. It buys** whatever they [cannot sell \
abroad](https://tide.example/a).[^1] The ferry runs in *March*[^2], says <em>the board</em> &amp; the pier.

> The state should leave the mills alone, and sell
> its forests to whoever bids most for them. No com-
> mittee has ever sawn a **cheap** plank.

The ministry will, by its `plan`:

- buy the ~~first~~ second year of output from the mills of the north,
- fine [the banks][law] that clear payments for band saws.

| Who | What the ministry wants of them |
| --- | --- |
| mills | to take the **loans**, and to buy kilns at home |
| banks | to clear nothing for the yards on the list |

[law]: https://tide.example/law
[^1]: A note on kilns.
[^2]: A note on ferries.
"""
# 🚢 takes two units in JavaScript, and one character in the service.
WRAPPED = """\
🚢 The treasury will lend to the yards for as long as they build at home, and
not a day longer than that. What the market can-
not carry, the treasury will, and it sets the price
of every hull that leaves a yard of the coast."""
MAIL = f"""\
From: Ada Lind <ada@tide.example>
To: Bo Tarn
Subject: Kilns

{PIECES[0]}

On Monday Bo Tarn wrote:
> {PIECES[1][:70]}
> {PIECES[1][70:]}
"""
_SPOKEN = f"{PIECES[0]} {PIECES[1]}".split()
CUES = "WEBVTT\n\n" + "\n\n".join(
    f"00:00:{n:02}.000 --> 00:00:{n + 1:02}.000\n{' '.join(_SPOKEN[n : n + 7])}" for n in range(0, len(_SPOKEN), 7)
)
PAGES = f"Tide Board\n1\n{PIECES[0][:80]}\f Tide Board\n2\n{PIECES[0][80:]} {PIECES[3]}\f Tide Board\n3\n{PIECES[1]}"
HTML = f"<main><h1>Kilns</h1><p><b>{PIECES[0]} The</b> mills <i>object</i>. {PIECES[1]}</p><p>{PIECES[3]}</p></main>"


def _join(text):
    return " ".join(text.split())


def _leave_out_shown(text):
    """Without what is shown between the words that were read: numbers of notes, and what parts the cells of a table."""
    return _join(text.translate(str.maketrans("", "", "\u00b9\u00b2|")))


def _list_evidence(paragraph):
    """What the service says of a paragraph: each sentence that carries an answer, and the score without it."""
    told = {}
    for head in ("stance", "topics"):
        answer, evidence = paragraph[head], paragraph["evidence"][head]
        by_label = {answer["label"]: evidence} if head == "stance" else evidence
        for label, sentence in by_label.items():
            if sentence:
                score, drop_ = answer["scores"][label], sentence["drop"]
                without = "its only sentence" if drop_ is None else f"without it {_percent(max(score - drop_, 0))}"
                told.setdefault(_join(sentence["sentence"]), []).append(f"{label}: {without}")
    return told


def _percent(score):
    whole = int(100 * score + 0.5)
    return ">99 %" if whole == 100 else "<1 %" if whole == 0 and score > 0 else f"{whole} %"


PDF, DOCX = "application/pdf", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.md", MARKED, "text/plain"),
        ("b.txt", WRAPPED, "text/plain"),
        ("c.txt", MAIL, "text/plain"),
        ("d.vtt", CUES, "text/plain"),
        ("e.txt", PAGES, "text/plain"),
        ("f.html", HTML, "text/html"),
        ("g.pdf", [[PIECES[0][:70], PIECES[0][70:], "", PIECES[3]], [PIECES[1]]], PDF),
        ("h.docx", [PIECES[0], f"**{PIECES[1]}**", PIECES[3]], DOCX),
    ],
    ids=["markdown", "wrapped", "mail", "subtitles", "pages", "html", "pdf", "docx"],
)
def test_evidence_is_that_of_the_document_and_underlined_in_what_is_shown(
    page, url, tmp_path, name, content, media_type
):
    if media_type == PDF:
        content = make_pdf(tmp_path / name, content).read_bytes()
    else:
        content = make_docx(*map(write_paragraph, content)) if media_type == DOCX else content.encode()
    headers = {"content-type": media_type}
    answer = httpx.post(f"{url}v1/documents?explain=true", content=content, headers=headers, timeout=60)
    paragraphs = answer.json()["paragraphs"]
    drop(page, ".read-view", name, content, media_type)
    wait_read(page)
    assert page.locator(".para").count() == len(paragraphs)
    n_told = 0
    for number, paragraph in enumerate(paragraphs):
        section = page.locator(".para").nth(number)
        shown = _leave_out_shown(" ".join(section.locator(".text").all_inner_texts()))
        assert shown == _join(paragraph["text"])
        section.locator(".mark").click()
        page.get_by_role("button", name="Underline the evidence").click()
        page.get_by_role("button", name="Hide the evidence").wait_for()
        told = _list_evidence(paragraph)
        items = page.locator(".evidence li").all()
        assert {_leave_out_shown(item.locator("q").inner_text()).strip('"\u201c\u201d') for item in items} == set(told)
        panel = page.locator(".evidence").inner_text()
        assert all(words in panel for each in told.values() for words in each)
        marks = section.locator("mark").evaluate_all("marks => marks.map((mark) => mark.firstChild.data)")
        assert _leave_out_shown(" ".join(marks)) == " ".join(sorted(told, key=_join(paragraph["text"]).index))
        n_told += len(told)
    assert n_told > 0


def test_numbers_of_notes_and_ends_of_cells_stand_where_they_stood(page, url):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url.rstrip("/"))
    paste(page, MARKED)
    wait_read(page)
    shown = page.locator(".para .text").all_inner_texts()
    assert "abroad.\u00b9 The ferry runs in March\u00b2, says the board & the pier." in shown[0]
    rows = [
        "Who | What the ministry wants of them",
        "mills | to take the loans, and to buy kilns at home",
        "banks | to clear nothing for the yards on the list",
    ]
    assert shown[-1].split("\n") == rows
    page.locator(".mark").last.click()
    page.get_by_role("button", name="Copy as quotation").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith(f'"{" ".join(rows)}" (')


def test_prose_with_words_parted_at_line_ends_is_shown_as_prose_and_a_list_as_a_list(page):
    lines = (
        "The cap on what silos may charge will hold for farm-\ners until the decade ends, the ministry of trade and\n"
        "ports said on Tuesday. It had been asked by the mills\nfor years."
    )
    listed = "The plan:\n\n- to lend the saw-\n  mills what they need,\n- to buy planks from them at its own price."
    paste(page, f"{lines}\n\n{listed}\n\n{WRAPPED}")
    wait_read(page)
    shown = page.locator(".para .text").all_inner_texts()
    assert shown[0] == _join(lines.replace("-\n", ""))
    assert shown[1:3] == [
        "The plan:",
        "- to lend the sawmills what they need,\n- to buy planks from them at its own price.",
    ]


def test_quotations_files_and_corrections_hold_the_words_that_were_read(page, url, tmp_path):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url.rstrip("/"))
    paste(page, MARKED)
    wait_read(page)
    page.locator(".mark").nth(1).click()
    page.get_by_role("button", name="Underline the evidence").click()
    page.get_by_role("button", name="Hide the evidence").wait_for()
    page.get_by_role("button", name="Copy as quotation").click()
    page.get_by_role("button", name="Copied").wait_for()
    plain = (
        "The state should leave the mills alone, and sell its forests to whoever bids most for them. No committee has "
        "ever sawn a cheap plank."
    )
    assert page.evaluate("navigator.clipboard.readText()").startswith(f'"{plain}" (Kilns, \u00b62; ')
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_role("radio", name="neutral").check()
    page.get_by_role("button", name="Save correction").click()
    page.locator(".mark .yours").wait_for()
    (kept,) = httpx.get(f"{url}v1/corrections").json()["corrections"]
    httpx.delete(f"{url}v1/corrections/{kept['id']}")
    assert _join(kept["text"]) == plain
    assert set(kept["prediction"]) >= {"stance", "topics", "evidence"}
    assert not set(kept["prediction"]) & {"lines", "sentWords", "noteMarks"}
    lines = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert _join(rows[1]["text"]) == plain
    assert MARKED[rows[1]["start"] : rows[1]["end"]].startswith("> The state")  # its place is still the one in the file
    assert not set(rows[1]) & {"lines", "sentWords", "noteMarks"}
    told = rows[1]["evidence"]
    for sentence in filter(None, [told["stance"], *told["topics"].values()]):
        assert rows[1]["text"][sentence["start"] : sentence["end"]] == sentence["sentence"]


def test_a_side_of_a_comparison_is_explained_by_its_words(open_page, url):
    page = open_page(url, view="compare")
    page.locator(".sides").wait_for()
    drop(page, ".side", "a.md", MARKED.encode())
    page.locator(".side .mark").nth(1).click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("button", name="Underline the evidence").click()
    dialog.get_by_role("button", name="Hide the evidence").wait_for()
    text = _join(dialog.locator("blockquote").inner_text())
    assert "No committee has ever sawn a cheap plank." in text
    marked = dialog.locator("mark").evaluate_all("marks => marks.map((mark) => mark.firstChild.data)")
    assert [_join(each) for each in marked] == [
        _join(each).strip('"\u201c\u201d') for each in dialog.locator(".evidence q").all_inner_texts()
    ]


def test_what_is_cut_amid_emphasis_in_a_row_is_underlined_without_marks(page):
    raw = "**Make it here. The state buys** what is left. It says so."
    code = """async (raw) => {
        const { renderText } = await import("/page/js/paragraph.js");
        const { renderDetail } = await import("/page/js/detail.js");
        const { Taxonomy } = await import("/page/js/labels.js");
        const info = await (await fetch("/info")).json();
        const taxonomy = new Taxonomy({ ...info, heads: info.heads.slice(0, 1) });
        const [start, end] = [0, raw.indexOf(" The state")];
        const scores = Object.fromEntries(taxonomy.main.labels.map(({ name }) => [name, 0.3]));
        const stance = { label: "state-led", score: 0.3, scores };
        const evidence = { stance: { sentence: raw.slice(start, end), start, end, drop: 0.2 } };
        const paragraph = { rawText: raw, readIndex: 0, warnings: [], showsEvidence: true, evidence, stance };
        const [shown] = renderText(paragraph, taxonomy);
        const panel = renderDetail(paragraph, taxonomy, { onEvidence: () => {}, model: info.model }).flat(9);
        const quoted = panel.find((each) => each?.classList?.contains("evidence")).querySelector("q").textContent;
        const mark = shown.querySelector("mark");
        mark.querySelector(".because").remove();
        return [shown.textContent, mark.textContent, quoted];
    }"""
    plain = "Make it here. The state buys what is left. It says so."
    assert page.evaluate(code, raw) == [plain, "Make it here.", "Make it here."]


def test_a_wide_table_is_put_together_in_linear_time(page):
    code = """async ([blanks, cells]) => {
        const { takeWords } = await import("/page/js/words.js");
        const began = performance.now();
        const wide = takeWords(`a |${" ".repeat(blanks)}| b\n--|--\n`, { lines: `a ${" ".repeat(blanks)} b` });
        const row = "The state | ".repeat(cells);
        const long = takeWords(`${row}\n--|--\n`, { lines: row.replaceAll("| ", "") });
        return [wide.rawText, long.shownMarks.length, performance.now() - began];
    }"""
    wide, n_marks, took = page.evaluate(code, [60_000, 4000])
    assert wide == "a b"
    assert n_marks == 3999
    assert took < 10_000  # over a minute, when each blank was an end to try


def test_evidence_is_cut_where_it_ends_amid_the_target_of_a_link(page):
    code = """async (raw) => {
        const { quoteEvidence } = await import("/page/js/words.js");
        const end = raw.indexOf("\u3002") + 1;
        const parts = [{ from: 0, to: end, because: [] }, { from: end, to: raw.length, because: [] }];
        return quoteEvidence({ rawText: raw }, parts).length;
    }"""
    assert page.evaluate(code, "\u89c1[\u62a5\u544a](https://x.cn/a\u3002b)\u8fd9\u91cc\u3002") == 2


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("See [the plan](https://tide.example/Pier_(iron)) now.", "See the plan now."),
        ("See [the annex](annex.md) and [the table](more/table.csv#two).", "See the annex and the table."),
        ("[The board](sic) met.", "[The board](sic) met."),
    ],
)
def test_links_are_shown_by_their_words_as_the_model_reads_them(page, raw, shown):
    code = 'async (raw) => (await import("/page/js/words.js")).plainWords(raw)'
    assert page.evaluate(code, raw) == shown
    assert leave_out_emphasis(raw) == shown
