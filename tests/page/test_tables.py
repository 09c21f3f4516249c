"""What tables say: days in any order, alphabets, names that clash, numbers below zero; and the table by keyboard."""

import base64
import csv
import json
import zipfile

import pytest

from tests.page.support import drop, find_faults, save, until
from tests.page.test_batch import TEXTS, classify, make_csv
from tests.unit.test_xlsx import read_sheet
from twohands.xlsx import write_xlsx

pytestmark = pytest.mark.issue(7)


DAYS = [
    (["31.12.2020", "01.02.2020"], [[2020, 12, 31], [2020, 2, 1]]),
    (["31/12/2020", "01/02/2020"], [[2020, 12, 31], [2020, 2, 1]]),
    (["12/31/2020", "01/02/2020"], [[2020, 12, 31], [2020, 1, 2]]),
    (["03/04/2020", "01/02/2020"], [[2020, None, None], [2020, None, None]]),  # who could say
    (["2020-03-01T12:00Z", "2020"], [[2020, 3, 1], [2020, None, None]]),
    (["5 March 2021", "9999", "2020-13-01", None], [[2021, 3, 5], None, None, None]),
    # As written, and not as it is by then where the reader sits.
    (["Thu, 31 Dec 2020 23:30:00 -0800", "Fri Jan 01 00:30:00 +1200 2021"], [[2020, 12, 31], [2021, 1, 1]]),
    (
        ["March 5, 2021", "1st of May 2021", "5-Mar-2021", "Sept 2021"],
        [[2021, 3, 5], [2021, 5, 1], [2021, 3, 5], [2021, 9, None]],
    ),
    (
        ["Q3 2021", "2021-Q1", "03/2021", "20210305"],
        [[2021, None, None, 3], [2021, None, None, 1], [2021, 3, None], [2021, 3, 5]],
    ),
    (["Spring 2021", "FY 2021", "Week 12 2021"], [[2021, None, None]] * 3),
    (["2021/22", "1999-00", "1913/14", "FY 2021/22"], [[year, None, None] for year in (2021, 1999, 1913, 2021)]),
    (["2021/23", "2021/22/03", "2009/10"], [None, None, [2009, 10, None]]),
    (["2008/09", "2009/10", "2013/14"], [[year, None, None] for year in (2008, 2009, 2013)]),
    (["1999-00", "2005-06", "2010/12"], [[1999, None, None], [2005, None, None], [2010, 12, None]]),
    (["Report 2021", "no. 7 of 2015", "2021-02-30", "Marble 5, 2021"], [None] * 4),
    ([1614556800, 1609010100000, "160901019999"], [None] * 3),  # a number, as of seconds, is no day that is written
    (["Mar 5th, 2021", "March 5,2021", "Mar-05-2021", "Mar/05/2021", "2021-Mar-05"], [[2021, 3, 5]] * 5),
    (["Fri,05 Mar 2021", "5/Mar/2021", "5/Mar/2021:13:55:36 -0700", "202103051011"], [[2021, 3, 5]] * 4),
    (["10:00 AM, March 5, 2021", "Updated on March 5, 2021", "Last updated: 5 March 2021"], [[2021, 3, 5]] * 3),
]


def test_days_are_read_as_their_column_writes_them(batch):
    told = batch.evaluate(
        """async (columns) => {
            const { findDateStyle, readDate } = await import("/page/js/dates.js");
            return columns.map((values) => values.map((value) => readDate(value, findDateStyle(values))));
        }""",
        [values for values, _ in DAYS],
    )
    assert told == [expected for _, expected in DAYS]


GROUP = """async (days) => {
    const { groupByTime } = await import("/page/js/charts.js");
    const head = { name: "mood", labels: [{ name: "calm" }] };
    const rows = days.map((day) => ({ own: { day }, answer: { mood: { scores: { calm: 0.5 } } } }));
    const { period, groups, nStray } = groupByTime(rows, "day", head, "month-first");
    return [period, groups.map(({ name, n, shares }) => [name, n, shares === null]), nStray];
}"""


@pytest.mark.issue(4)
def test_periods_without_rows_have_their_room_on_the_axis(batch):
    months = ["2020-11-03", "2021-02-09"]
    assert batch.evaluate(GROUP, months * 60) == [
        "month",
        [["2020-11", 60, False], ["2020-12", 0, True], ["2021-01", 0, True], ["2021-02", 60, False]],
        0,
    ]
    period, groups, _ = batch.evaluate(GROUP, ["Q4 2020", "2021-05-01"] * 60)
    assert (period, [name for name, _, _ in groups]) == ("quarter", ["2020 Q4", "2021 Q1", "2021 Q2"])
    period, groups, _ = batch.evaluate(GROUP, ["1990-01-01", "2021-05-01"] * 60)  # no axis of gaps alone
    assert (period, len(groups)) == ("year", 32)


FIGURES = """async (days) => {
    const { makeFigures } = await import("/page/js/charts.js");
    const head = { name: "mood", labels: [{ name: "calm" }] };
    const rows = days.map((day) => ({ own: { day }, answer: { mood: { scores: { calm: 0.5 } } } }));
    const { figures, missing } = makeFigures(rows, head, { columns: { date: "day" }, dateStyle: null });
    return [...figures.map(({ element }) => element.querySelector("figcaption").textContent), ...missing];
}"""


@pytest.mark.issue(4)
def test_a_few_dates_far_from_all_others_make_no_chart_of_gaps_and_are_told(batch):
    months = [f"{2019 + n // 12}-{1 + n % 12:02}-1{day}" for n in range(30) for day in range(10)] * 3
    for strays in (["1970-01-01"], ["1970-01-01", "2199-01-01"], ["2016-01-01", "1521-03-01"]):
        period, groups, n_stray = batch.evaluate(GROUP, months + strays)
        assert (period, len(groups), n_stray) == ("month", 30, len(strays))
    # Nothing is left out where nothing is stretched by it.
    period, groups, n_stray = batch.evaluate(GROUP, ["2018-12-31", *months])
    assert (period, groups[0], n_stray) == ("month", ["2018-12", 1, False], 0)
    # More are no strays; years are held to it as well where there are too few rows for others.
    period, groups, n_stray = batch.evaluate(GROUP, months + ["1970-01-02"] * 10)
    assert (period, len(groups), n_stray) == ("year", 52, 0)
    period, groups, n_stray = batch.evaluate(GROUP, [f"{1980 + n % 40}" for n in range(400)] + ["1521"])
    assert (period, len(groups), n_stray) == ("year", 40, 1)
    (caption,) = batch.evaluate(FIGURES, [*months, "1970-01-01"])
    assert caption.endswith(" 1 row with a date far from all others is left out.")
    (missing,) = batch.evaluate(FIGURES, ["2021-03-05"] * 59 + ["1970-01-01"])
    assert "all 59 rows with a date, but for 1 far off, are of 2021." in missing


@pytest.mark.issue(4)
def test_days_that_programs_write_for_none_make_no_chart_of_gaps_however_many_they_are(batch):
    months = [f"{2019 + n // 12}-{1 + n % 12:02}-1{day}" for n in range(30) for day in range(10)] * 3
    none = ["1970-01-01T00:00:00Z"] * 200 + ["1/1/1900"] * 50 + ["2099-12-31"] * 90
    period, groups, n_stray = batch.evaluate(GROUP, months + none)
    assert (period, len(groups), n_stray) == ("month", 30, 340)
    # Among other days near them they are days, and where there is no other they are all there is.
    period, groups, n_stray = batch.evaluate(GROUP, [f"{1960 + n % 20}-01-01" for n in range(600)])
    assert (period, len(groups), n_stray) == ("year", 20, 0)
    assert batch.evaluate(GROUP, ["1970-01-01"] * 60)[1:] == [[["1970-01-01", 60, False]], 0]


@pytest.mark.issue(7)
def test_rows_without_a_source_are_left_out_of_its_chart_and_told(batch):
    caption_of = """async (sources) => {
        const { makeFigures } = await import("/page/js/charts.js");
        const head = { name: "mood", labels: [{ name: "calm" }] };
        const rows = sources.map((code) => ({ own: { code }, answer: { mood: { scores: { calm: 0.5 } } } }));
        const { figures } = makeFigures(rows, head, { columns: { source: "code" }, dateStyle: null });
        return figures[0].element.querySelector("figcaption").textContent;
    }"""
    told = "Expected share of each label; rows in brackets."
    assert batch.evaluate(caption_of, ["a", "b"] * 5).endswith(told)
    assert batch.evaluate(caption_of, ["a", "b", ""]).endswith(f"{told} 1 row without a code is left out.")
    assert batch.evaluate(caption_of, ["a", "b", "", None] * 600).endswith(" 1,200 rows without a code are left out.")
    many = [str(n) for n in range(40)]
    assert " more are left out. 1 row without a code is left out." in batch.evaluate(caption_of, [*many, ""])


@pytest.mark.issue(4)
def test_a_chart_over_time_that_is_missing_says_why_and_the_whole_column_says_which_is_the_day(batch):
    rows = "".join(f'"{TEXTS[n % 4]}",{n % 2}x,0{1 + n % 2}/0{3 + n % 2}/2021\n' for n in range(60))
    drop(batch, ".batch-view", "a.csv", f'text,code,date\n{rows}"{TEXTS[0]} Kilns.",0x,25/03/2021\n'.encode())
    batch.locator("#column-source").select_option("code")
    classify(batch, 61)
    batch.locator(".chart h3", has_text="Stance by month").wait_for()
    assert batch.locator(".chart").first.locator("tbody th").all_text_contents() == ["2021-03", "2021-04"]
    batch.locator("#filter-text").fill("1x")  # without the row that tells the day
    batch.locator("p[role=status]", has_text="30 of 61 rows").wait_for()
    batch.locator(".charts .caution", has_text="all 30 rows with a date are of 2021-04").wait_for()
    assert batch.locator(".charts .caution", has_text="all rows that have one are of 1x").count() == 1
    batch.get_by_role("button", name="Another file").click()
    batch.get_by_role("button", name="Discard them").click()
    drop(batch, ".batch-view", "a.csv", f'text,date\n"{TEXTS[0]}",soon\n"{TEXTS[1]}",later\n'.encode())
    batch.locator("#column-date").select_option("date")
    classify(batch, 2)
    batch.locator(".charts .caution", has_text="no row has a date in date that can be read").wait_for()


def test_a_table_in_another_alphabet_is_refused_and_a_json_list_is_read(batch):
    drop(batch, ".batch-view", "a.csv", "text\nThe minister\u2019s caf\u00e9\n".encode("cp1252"))
    batch.locator("[role=alert]", has_text="CSV UTF-8").wait_for()
    drop(batch, ".batch-view", "b.jsonl", b"{}\n{}\n")
    batch.locator("[role=alert]", has_text="b.jsonl holds no rows").wait_for()
    drop(batch, ".batch-view", "c.json", json.dumps([{"text": text} for text in TEXTS], indent=1).encode())
    classify(batch, 4)
    assert batch.locator(".batch-table tbody tr").count() == 4


def test_columns_of_the_file_are_kept_beside_answers_of_the_same_name(batch, tmp_path):
    rows = "".join(f'"{text}",mine,-{i}.5,=1+{i}\n' for i, text in enumerate(TEXTS))
    drop(batch, ".batch-view", "a.csv", f"text,stance,change,cell\n{rows}".encode())
    classify(batch, 4)
    for line in save(batch, batch.get_by_role("button", name="JSONL"), tmp_path).read_text().splitlines():
        row = json.loads(line)
        assert (row["input_stance"], row["stance"]["label"] in {"state-led", "market-led", "neutral"}) == ("mine", True)
    with save(batch, batch.get_by_role("button", name="CSV"), tmp_path).open(
        newline="", encoding="utf-8-sig"
    ) as stream:
        table = list(csv.DictReader(stream))
    assert [(row["change"], row["cell"]) for row in table] == [(f"-{i}.5", f"'=1+{i}") for i in range(4)]


def test_saved_csv_opens_in_spreadsheets_and_comes_back_as_it_went(batch, tmp_path):
    text = "Caf\u00e9s, \u201ccrane yards\u201d and \u4e2d\u56fd will follow the plan of the ministry."
    cells = ["\uff1dSUM(A1)", "-3", "+1e5", "@x", "a\u0308"]
    rows = "".join(f'"{text}","{cell}"\n' for cell in cells)
    drop(batch, ".batch-view", "a.csv", f"text,=h\n{rows}".encode())
    classify(batch, 5)
    path = save(batch, batch.get_by_role("button", name="CSV"), tmp_path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbftext,")  # by which Excel knows UTF-8
    with path.open(newline="", encoding="utf-8-sig") as stream:
        table = list(csv.DictReader(stream))
    assert [row["'=h"] for row in table] == ["'\uff1dSUM(A1)", "-3", "+1e5", "'@x", "a\u0308"]
    batch.get_by_role("button", name="Another file").click()
    drop(batch, ".batch-view", "back.csv", path.read_bytes())
    batch.locator(".setup h2", has_text="back.csv").wait_for()
    assert batch.locator("#column-text").input_value() == "text"  # and not with a mark before it
    classify(batch, 5)
    assert batch.locator(".row-text").first.inner_text() == text


def test_a_big_table_loses_no_character_where_its_pieces_meet(batch):
    told = batch.evaluate(
        """async () => {
            const { readRows } = await import("/page/js/rows.js");
            const line = `${"\u4e2d\u56fd\U0001f6a2".repeat(400)},x\\n`; // of 3 and 4 bytes
            const rows = Array.from({ length: 2700 }, () => line).join("");
            const { rows: read, notes } = await readRows(new File(["text,b\\n", rows], "big.csv"));
            return [read.length, read.filter(({ text }) => text !== line.split(",")[0]).length, notes.length];
        }"""
    )
    assert told == [2700, 0, 0]


def test_a_table_that_is_laid_out_as_cards_is_a_table_still(open_page, url):
    page = open_page(url, view="batch", width=390)
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(2))
    classify(page, 2)
    assert page.locator(".batch-table tbody tr").first.evaluate("row => getComputedStyle(row).display") == "flex"
    table = page.get_by_role("table", name="Classified rows")
    names = ["#", "published", "outlet", "text", "stance", "topics", "stance score"]
    assert [each.rstrip(" \u2191") for each in table.get_by_role("columnheader").all_inner_texts()] == names
    assert table.get_by_role("row").count() == 3
    assert table.get_by_role("row").nth(1).get_by_role("cell").count() == len(names)
    text = table.get_by_role("columnheader", name="text", exact=True)
    assert text.bounding_box()["width"] < 60  # or the names behind it stand far off
    # The roles do not hang on how it is laid out: not every browser keeps those of a table whose rows are blocks.
    tags = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "th": "columnheader", "td": "cell"}
    for tag, role in tags.items():
        found = page.locator(f".batch-table {tag}, {tag}.batch-table")
        assert set(found.evaluate_all("all => all.map(({ role }) => role)")) == {role}, tag
    label = page.locator(".batch-table td[data-label=outlet]").first
    assert label.evaluate("cell => getComputedStyle(cell, '::before').content").startswith('"outlet')


def test_rows_that_could_not_be_read_are_told_and_an_empty_choice_leaves_no_empty_box(batch):
    source = "The Herald of the Transport Unions and Yards"
    drop(batch, ".batch-view", "a.csv", f'text,source\n"{TEXTS[0]}",{source}\n" ",2\n'.encode())
    classify(batch, 2)
    cut = "cells => cells.filter((each) => each.scrollWidth > each.clientWidth + 1).length"
    assert batch.locator(".batch-table td").evaluate_all(cut) == 0
    assert "1 row has no text: 2." in batch.locator(".summary").inner_text()
    batch.locator("#filter-text").fill("nowhere to be found")
    batch.locator("p[role=status]", has_text="0 of 2 rows").wait_for()
    assert not batch.locator(".summary").is_visible()


def test_the_focus_stays_while_a_table_is_leafed_through_and_sorted_on_a_phone(open_page, url):
    page = open_page(url, view="batch", width=390)
    page.locator(".drop").wait_for()
    drop(page, ".batch-view", "a.csv", make_csv(120))
    classify(page, 120)
    page.locator("[data-step=later]").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.step") == "later"
    page.keyboard.press("Enter")  # to the last page, where nothing is later
    assert page.evaluate("document.activeElement.dataset.step") == "earlier"
    sort = page.get_by_role("button", name="stance", exact=True)
    assert sort.is_visible()
    sort.click()
    assert page.evaluate("document.activeElement.dataset.column") == "stance"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert find_faults(page) == []


def test_a_workbook_of_excel_holds_what_the_csv_does_and_is_built_as_that_of_classify(batch, tmp_path):
    texts = [
        "=SUM(A1:A9) is the plan.",
        "Caf\u00e9s & <mills> go to\r\nwhoever bids _x0041_ most.\x07",
        "",
    ]
    lines = [{"text": text, "year": 1990 + n, "is_new": n == 1} for n, text in enumerate(texts)]
    drop(batch, ".batch-view", "plans.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    classify(batch, 3)
    path = save(batch, batch.get_by_role("button", name="Excel"), tmp_path)
    assert path.name == "plans-twohands.xlsx"
    heading, *sheet = read_sheet(path)
    rows = [dict(zip(heading, row, strict=True)) for row in sheet]
    assert [(row["text"], row["year"], row["is_new"], row["row"]) for row in rows] == [
        (text, 1990 + n, n == 1, n + 1) for n, text in enumerate(texts)
    ]
    saved = save(batch, batch.get_by_role("button", name="CSV"), tmp_path)
    with saved.open(newline="", encoding="utf-8-sig") as stream:
        table = list(csv.DictReader(stream))
    assert heading == list(table[0])
    for row, told in zip(rows[:2], table, strict=False):
        assert (row["stance"], row["stance_score"]) == (told["stance"], float(told["stance_score"]))
        assert row["stance_abstained"] is (told["stance_abstained"] == "true")
    write_xlsx(tmp_path / "ours.xlsx", heading, sheet)
    with zipfile.ZipFile(path) as theirs, zipfile.ZipFile(tmp_path / "ours.xlsx") as ours:
        assert theirs.namelist() == ours.namelist()
        parts = [(theirs.read(name), ours.read(name)) for name in ours.namelist()]
    assert all(one == other for one, other in parts[:-1])


MAKE = """async (texts) => {
  let longest = 0;
  const encode = TextEncoder.prototype.encode;
  TextEncoder.prototype.encode = function (text) {
    longest = Math.max(longest, text.length);
    return encode.call(this, text);
  };
  try {
    const { makeWorkbook } = await import(new URL("page/js/xlsx.js", document.baseURI));
    const workbook = makeWorkbook(["text"], texts.map((text) => [text]));
    // As text: a list of a million numbers takes ten seconds on its way.
    const reader = new FileReader();
    await new Promise((resolve) => { reader.onload = resolve; reader.readAsDataURL(workbook); });
    return [longest, reader.result.split(",")[1]];
  } finally { TextEncoder.prototype.encode = encode; }
}"""


def test_a_sheet_is_the_one_that_classify_writes_and_is_no_text_of_any_length(batch, tmp_path):
    ship = "\U0001f6a2"
    odd = ["=1+1", "0071", "a\r\n\x07 _x000D_ <&>\"'", ship * 16_383, ship * 16_384, "a" * 40_000]
    texts = [*odd, *(f"{n} {'long ' * 100}" for n in range(2500))]
    longest, content = batch.evaluate(MAKE, texts)
    assert longest < 800_000
    (tmp_path / "theirs.xlsx").write_bytes(base64.b64decode(content))
    write_xlsx(tmp_path / "ours.xlsx", ["text"], ([text] for text in texts))
    with zipfile.ZipFile(tmp_path / "theirs.xlsx") as theirs, zipfile.ZipFile(tmp_path / "ours.xlsx") as ours:
        assert {name: theirs.read(name) for name in theirs.namelist()} == {
            name: ours.read(name) for name in ours.namelist()
        }


@pytest.mark.issue(4)
@pytest.mark.parametrize("width", [360, 1280])
def test_names_of_sources_begin_within_the_chart(open_page, url, width):
    page = open_page(url, view="batch", width=width)
    names = ["W" * 40, "Department of the Environment, Food and Rural Affairs", "\u653f" * 30, "The Post"]
    rows = [f'"{TEXTS[n % 4]}","{name}"' for n, name in enumerate(names * 2)]
    drop(page, ".batch-view", "rows.csv", "\n".join(["text,source", *rows]).encode())
    classify(page, len(rows))
    painted = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 60, 2, canvas.height - 60);
        return data.some((n) => n);
    }"""
    page.locator(".chart canvas").wait_for()
    until(page, "globalThis.Chart && Chart.getChart(document.querySelector('.chart canvas'))")
    assert not page.locator(".chart canvas").evaluate(painted)
    told = page.evaluate("Chart.getChart(document.querySelector('.chart canvas')).scales.y.ticks.map(t => t.label)")
    assert all(label.startswith(name[:4]) for label, name in zip(told, names, strict=True)), told
    assert "The Post (2)" in told
