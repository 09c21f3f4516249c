"""The page shows whatever heads a model has, under any name that a head may bear."""

import pytest

from serving.settings import ServeSettings
from tests.page.support import drop, find_faults, paste, wait_read
from tests.serving.running import run_server
from tests.support.tiny import build_tiny_model
from twohands.classifier import Classifier
from twohands.taxonomy import Taxonomy

ONE, ANY = "single_label_classification", "multi_label_classification"
TEXT = "The plan of the harbour is a plan.\n\nA market of the old kind, the market of the square."
# Both rows can be judged: a chart leaves out those with a warning, and has nothing to compare where one row is left.
ROWS = (
    b"text,source\n"
    b'"The plan of the harbour is the plan of the ministry, and it will be kept for ten years.",a\n'
    b'"A market of the old kind sets the price of bread in the square, as it did in the past.",b\n'
)


LOOKS = "icons => icons.map((icon) => icon.getAttribute('class') + icon.firstChild.getAttribute('d'))"
CLAIMANT = "subsidy subsidy subsidy weather weather weather ."
DEFENDANT = CLAIMANT.replace("subsidy", "licence")


def head(name, kind, *labels, **more):
    words = [{"name": label, "description": label} for label in labels]
    return {"name": name, "problem_type": kind, "labels": words} | more


@pytest.mark.parametrize(
    "heads",
    [
        [head("score", ONE, "calm", "angry"), head("raw", ONE, "old", "new", "none")],
        [head("number", ANY, "first", *(f"quarterly-telegraphadministration-{n}" for n in range(20)))],
    ],
    ids=["two one-of heads", "one any-of head of many long names"],
)
def test_other_heads_are_shown(open_page, tmp_path, heads):
    folder = build_tiny_model(tmp_path / "other", taxonomy=Taxonomy.model_validate({"heads": heads}))
    classifier = Classifier.load(folder, num_threads=1)
    settings = ServeSettings(model=str(folder), corrections="off")
    try:
        with run_server(settings, classifier) as url:
            page = open_page(f"{url}/")
            page.locator(".intake").wait_for()
            assert heads[0]["labels"][0]["name"] in page.locator(".lead").inner_text()
            paste(page, TEXT + " And more words, so that it is read at once.")
            wait_read(page)
            assert page.locator(".para .text").count() == 2
            assert "neutral" not in page.locator("main").inner_text()
            page.locator(".mark").first.click()
            assert page.locator(".detail .scores").count() == len(heads)
            # No two labels look alike, and no name pushes a figure out of sight.
            looks = page.locator(".shares tbody .icon").evaluate_all(LOOKS)
            assert len(set(looks)) == len(looks)
            assert page.locator(".detail").evaluate("panel => panel.scrollWidth - panel.clientWidth") <= 0
            for width in (320, 1280):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") == width
            assert find_faults(page) == []
            page.get_by_role("link", name="Batch").click()
            drop(page, ".batch-view", "a.csv", ROWS)
            page.get_by_role("button", name="Classify 2 rows").click()
            page.locator(".progress").wait_for(state="hidden")
            assert page.locator(".batch-table tbody tr").count() == 2
            assert page.locator(".chart canvas").count() == 1
            page.locator(".sort[data-column={}]".format(heads[0]["name"])).click()
            assert page.locator("th[aria-sort=ascending]").inner_text().startswith(heads[0]["name"])
    finally:
        classifier.close()


@pytest.mark.issue(7)
def test_a_foreign_model_is_told_of_in_its_own_words(open_page, tmp_path):
    heads = [
        head("kind", ONE, "brief", "ruling"),
        head("events", ANY, "appeal", "bail", "fee"),
        head("side", ONE, "claimant", "defendant", poles=["defendant", "claimant"]),
    ]
    folder = build_tiny_model(tmp_path / "court", taxonomy=Taxonomy.model_validate({"heads": heads}))
    classifier = Classifier.load(folder, num_threads=1)
    settings = ServeSettings(model=str(folder), corrections="off")
    try:
        with run_server(settings, classifier) as url:
            page = open_page(f"{url}/")
            page.locator(".intake").wait_for()
            assert "Whose hand" not in page.locator("main").inner_text()
            assert "policy" not in page.locator("meta[name=description]").get_attribute("content")
            assert page.get_by_role("button", name="Try an example").count() == 0
            paste(page, "\n\n".join([CLAIMANT] * 6))
            wait_read(page)
            summary = page.locator(".summary").inner_text()
            assert "Clearly claimant" in summary
            assert "+1 would be all defendant, \u22121 all claimant." in summary
            assert "Events of half or more: appeal (6 of 6)." in summary
            # The margin shows the head with poles; what the other one-of head says stands below the text.
            assert "claimant" in page.locator(".mark").first.inner_text()
            assert page.locator(".chips").first.inner_text().split() == ["appeal", "brief"]
            assert find_faults(page) == []
            first, second = page.locator(".summary .shares").all()[:2]
            right = first.bounding_box()["x"] + first.evaluate("table => table.scrollWidth")
            assert right <= second.bounding_box()["x"]
            detail = page.locator(".detail")
            assert "Any of appeal, bail, fee." in detail.inner_text()
            for claim in ("policy", "calibrated", "Where it often errs", "topic", "%"):
                assert claim not in detail.inner_text()
            page.locator(".mark").first.click()
            assert "the score from which a label is given" in detail.inner_text()
            page.get_by_role("link", name="Compare").click()
            assert page.get_by_role("button", name="Try an example").count() == 0
            assert "speeches" not in page.locator("main").inner_text()
            for i, text in enumerate((CLAIMANT, DEFENDANT)):
                page.locator(".side").nth(i).locator("textarea").fill("\n\n".join([text] * 6))
                page.locator(".side").nth(i).get_by_role("button", name="Read it").click()
            page.locator(".difference .lean-words").wait_for()
            assert page.locator(".difference .lean-words").inner_text() == "B is more defendant than A."
    finally:
        classifier.close()


@pytest.mark.issue(4)
def test_a_correction_of_an_older_models_row_tells_of_a_head_called_section(page):
    kept = page.evaluate(
        """async () => {
            const { predictionOf } = await import("/page/js/correct.js");
            const answer = { label: "calm", score: 1, scores: { calm: 1, loud: 0 }, abstained: false };
            const place = { paragraph: 0, start: 0, end: 4, rawText: "Calm" };
            return [predictionOf({ ...place, section: answer, warnings: [] }),
                    predictionOf({ ...place, page: 3, section: "Ports", tone: answer })].map(Object.keys);
        }"""
    )
    assert kept == [["section", "warnings"], ["tone"]]


# An answer with a warning, one without, and one that is unsure, as a model gives them whose heads are these.
SHOW = """async ({ heads, answers }) => {
    const { Taxonomy } = await import("/page/js/labels.js");
    const { renderChips, renderMark } = await import("/page/js/paragraph.js");
    const { renderDetail } = await import("/page/js/detail.js");
    const { renderSummary } = await import("/page/js/summary.js");
    const { summarise } = await import("/page/js/estimate.js");
    const { RowTable } = await import("/page/js/table.js");
    const level = { abstention: 0.5, threshold: 0.5 };
    const give = (head) => ({ ...level, ...head, labels: head.labels.map((each) => ({ ...level, ...each })) });
    const taxonomy = new Taxonomy({ heads: heads.map(give) });
    const whole = { truncated: false, n_tokens: 9, n_tokens_cut: 0 };
    const read = answers.map((answer, readIndex) => ({ rawText: `Text ${readIndex}`, readIndex, ...whole, ...answer }));
    const table = new RowTable({ taxonomy, onOpen: () => {} });
    table.setRows(read.map((answer, index) => ({ index, text: answer.rawText, own: {}, answer })), []);
    const choose = (state) => {
        table.state.value = state;
        table.refresh();
        return table.chosen.map(({ index }) => index);
    };
    const model = { name: "any", version: "1" };
    const detail = (each) => {
        const place = document.createElement("div");
        place.append(...renderDetail(each, taxonomy, { model }).flat(9).filter(Boolean));
        return [place.querySelectorAll(".tick span[title]").length, place.querySelectorAll(".advice").length];
    };
    const summary = renderSummary(summarise(read, taxonomy), read, taxonomy, { onFilter() {} });
    return {
        marks: read.map((each) => renderMark(each, taxonomy, () => {}).className.split(" ")[1]),
        chips: read.map((each) => renderChips(each, taxonomy)?.innerText ?? ""),
        details: read.map(detail),
        cells: [...table.body.rows].map((row) => row.querySelector(".answer").textContent),
        states: [1, 2, 3].map(choose),
        finder: summary.querySelector(".finder").textContent,
    };
}"""


@pytest.mark.issue(5)
def test_warnings_of_a_model_with_any_of_heads_alone_are_shown_in_every_place(page):
    heads = [head("themes", ANY, "trade", "war"), head("tone", ANY, "harsh", "mild")]
    themes = {"labels": ["war"], "scores": {"trade": 0.1, "war": 0.9}}
    tone = {"labels": ["mild"], "scores": {"harsh": 0.1, "mild": 0.9}}
    answers = [{"themes": themes, "tone": tone, "warnings": warnings} for warnings in ([], ["too_short"])]
    shown = page.evaluate(SHOW, {"heads": heads, "answers": answers})
    assert shown["marks"] == ["sure", "unsure"]
    assert shown["details"] == [[2, 0], [0, 1]]  # labels ticked, and what is advised
    assert shown["cells"] == ["war", "war \u26a0 too short"]
    assert shown["states"] == [[0], [1], [1]]
    assert shown["finder"] == "Show what is unsure (1)"


@pytest.mark.issue(5)
def test_a_second_head_that_abstains_is_told_to(page):
    heads = [head("mood", ONE, "calm", "angry"), head("side", ONE, "old", "new")]
    mood = {"label": "calm", "score": 0.9, "scores": {"calm": 0.9, "angry": 0.1}, "abstained": False}
    side = {"label": "new", "score": 0.5, "scores": {"old": 0.4, "new": 0.6}}
    answers = [{"mood": mood, "side": side | {"abstained": value}, "warnings": []} for value in (False, True)]
    shown = page.evaluate(SHOW, {"heads": heads, "answers": answers})
    assert shown["marks"] == ["sure", "sure"]
    assert shown["chips"] == ["new", "unsure, leans new"]


@pytest.mark.issue(5)
def test_how_often_scores_are_right_is_said_of_the_model_that_was_measured(page):
    told = page.evaluate(
        """async () => {
            const { Taxonomy } = await import("/page/js/labels.js");
            const { foldLegend } = await import("/page/js/detail.js");
            const info = await (await fetch("/info")).json();
            const own = { ...info, model: { ...info.model, version: "0.0.1" } };
            return [info, own].map((each) => foldLegend(new Taxonomy(each)).textContent);
        }"""
    )
    claims = ("were right than their scores say", "two in three were right")
    assert [[claim in each for claim in claims] for each in told] == [[True, True], [False, False]]


@pytest.mark.issue(7)
def test_names_of_one_long_word_widen_nothing(open_page, tmp_path):
    """A label may be called by 64 letters without a blank: beside the tables they pushed a phone's page to 622 px."""
    one, other = ([(word * 12)[:60] for word in words] for words in (("statecommand", "driven"), ("regime", "tariff")))
    taxonomy = Taxonomy.model_validate({"heads": [head("stance", ONE, *one), head("topics", ANY, *other)]})
    folder = build_tiny_model(tmp_path / "long", taxonomy=taxonomy)
    classifier = Classifier.load(folder, num_threads=1)
    settings = ServeSettings(model=str(folder), corrections=f"sqlite:///{tmp_path}/kept.sqlite3")
    wide = """() => [document.scrollingElement, ...document.querySelectorAll("dialog, .detail, .words, fieldset")]
        .filter((each) => each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > innerWidth)
        .map((each) => each.tagName + each.className)"""
    try:
        with run_server(settings, classifier) as url:
            page = open_page(f"{url}/", width=390)
            page.locator(".intake").wait_for()
            assert page.evaluate(wide) == []
            paste(page, TEXT + " And more words, so that it is read at once.")
            wait_read(page)
            page.locator(".mark").first.click()
            assert page.evaluate(wide) == []
            page.locator(".correct-button").click()
            page.locator("dialog input[type=radio]").first.check()
            assert page.evaluate(wide) == []
            page.get_by_role("button", name="Save correction").click()
            page.locator(".yours").first.wait_for()
            assert page.evaluate(wide) == []
            page.get_by_role("link", name="Corrections").click()
            page.locator(".corrections li").wait_for()
            assert page.evaluate(wide) == []
            page.get_by_role("link", name="Batch").click()
            drop(page, ".batch-view", "a.csv", ROWS)
            page.get_by_role("button", name="Classify 2 rows").click()
            page.locator(".progress").wait_for(state="hidden")
            page.locator(".figures summary").click()
            assert page.evaluate(wide) == []
            # Within its own frame a table of figures may be wide, but not a screen for each label.
            assert page.locator(".figures th.long").first.bounding_box()["width"] < 195
    finally:
        classifier.close()
