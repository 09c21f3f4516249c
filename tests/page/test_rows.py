"""Rows of a table and their answers: each answer goes to its row, and what is not sound of a file is told."""

import csv
import json

import pytest

from tests.page.support import ARTICLE, drop, paste, save, wait_read
from tests.page.test_batch import TEXTS, classify, make_csv

pytestmark = pytest.mark.issue(4)


# Six rows are sent; what is given stands in the place of some answers, each to the number of its line.
STREAM = """async ([faults, options]) => {
    const { classifyRows } = await import("/page/js/stream.js");
    const ask = window.fetch;
    let nTries = 0;
    window.fetch = async (path, { body }) => {
        nTries += 1;
        const isBusy = faults.late !== undefined && nTries <= (faults.tries ?? Infinity);
        const late = isBusy && body.startsWith(`{"id":${faults.late},`);
        const refused = { error: { code: "deadline_exceeded", message: "?" } };
        if (late) return new Response(JSON.stringify(refused), { status: 429 });
        const lines = body.trim().split("\\n").map((line, i) => faults[i] ?? { id: JSON.parse(line).id });
        const answer = lines.map((line) => `${JSON.stringify(line)}\\n`).join("");
        return new Response(answer, { headers: { "x-model-sha256": "0" } });
    };
    const got = [];
    try {
        const signal = AbortSignal.timeout(10_000); // a service that is waited for as a busy one would be for minutes
        const wanted = { maxBodyBytes: 2e6, served: null, sha256: "0", signal, ...options };
        for await (const answers of classifyRows([..."abcdef"], wanted))
            for (const { index, answer } of answers) got.push([index, answer.error?.code ?? ""]);
    } catch (error) {
        got.push(error.code);
    }
    window.fetch = ask;
    return got;
}"""


def fault(id, code):
    return {"id": id, "error": {"code": code, "message": "?"}}


def sound(*places):
    return [[place, ""] for place in places]


def test_an_answer_goes_to_the_row_in_its_place_whatever_it_is_called(batch):
    """The fault of a line that is too long bears the number of the line, which was taken for that of the row."""
    answers = {"1": fault(2, "line_too_long")}
    told = batch.evaluate(STREAM, [answers, {}])
    assert told == [*sound(0), [1, "line_too_long"], *sound(2, 3, 4, 5)]
    told = batch.evaluate(STREAM, [answers, {"from": 3}])
    assert told == [*sound(3), [4, "line_too_long"], *sound(5)]


@pytest.mark.issue(5)
def test_a_row_that_the_service_had_no_time_for_is_no_row_that_cannot_be_read(batch):
    for code in ("deadline_exceeded", "engine_stopped"):
        assert batch.evaluate(STREAM, [{"2": fault(2, code)}, {}]) == [*sound(0, 1), code]
    assert batch.evaluate(STREAM, [{"2": fault(None, "body_timeout")}, {}]) == [*sound(0, 1), "body_timeout"]
    told = batch.evaluate(STREAM, [{"2": fault(2, "deadline_exceeded")}, {"tried": 2}])
    assert told == [*sound(0, 1), [2, "deadline_exceeded"], *sound(3, 4, 5)]  # else the table would end there
    assert batch.evaluate(STREAM, [{"2": fault(2, "empty_paragraph")}, {}])[2] == [2, "empty_paragraph"]
    # Before anything is answered, the service says so of the whole request, as it does where it is busy.
    assert batch.evaluate(STREAM, [{"late": 2, "tries": 2}, {"from": 2}]) == sound(2, 3, 4, 5)  # it was, for a moment
    assert batch.evaluate(STREAM, [{"late": 2}, {"from": 2}]) == ["deadline_exceeded"]
    told = batch.evaluate(STREAM, [{"late": 2}, {"from": 2, "tried": 2}])
    assert told == [[2, "deadline_exceeded"], *sound(3, 4, 5)]


@pytest.mark.issue(5)
def test_a_row_that_takes_too_long_twice_is_passed_over_and_the_stop_says_so(batch):
    late = json.dumps({"error": {"code": "deadline_exceeded", "message": "waited for 30 s"}})

    def answer(route):
        if route.request.post_data.startswith('{"id":0,'):
            route.fulfill(status=429, content_type="application/json", body=late)
        else:
            route.continue_()

    batch.route("**/classify/stream", answer)
    drop(batch, ".batch-view", "a.csv", make_csv(3))
    classify(batch, 3)
    told = batch.locator("[role=alert]").inner_text()
    assert told.startswith("Row 1 took longer than the service gives to one request. 0 of 3 rows are done and kept. If")
    assert "it is passed over" in told
    batch.get_by_role("button", name="Go on from there").click()
    batch.locator("[role=alert]").wait_for(state="hidden")
    batch.locator(".progress").wait_for(state="hidden")
    assert batch.locator(".batch-table tbody tr").count() == 3
    assert batch.locator(".batch-table .chip.warn", has_text="not read").count() == 1


READ = """async ([name, content, is_old]) => {
    const { readRows } = await import("/page/js/rows.js");
    const { parse } = JSON;
    if (is_old) JSON.parse = (text, revive) => parse(text, revive && ((key, value) => revive(key, value)));
    try {
        return await readRows(new File([content], name));
    } finally {
        JSON.parse = parse;
    }
}"""


def read(page, name, content, *, is_old=False):
    told = page.evaluate(READ, [name, content, is_old])
    return told["rows"], told["notes"], told["doubt"]


def test_faults_of_a_csv_are_counted_and_told_of_the_right_rows(batch):
    loose = "The state, not the market, decides,2020"
    rows, notes, doubt = read(batch, "a.csv", "text,date\n" + f"{loose}\n" * 2000)
    assert (len(rows), len(notes), notes[5]) == (2000, 6, "and 1,995 more such rows.")
    assert doubt.startswith("2,000 of 2,000 rows have more or fewer cells")
    few = "".join(f"{loose}\n" if n == 7 else f"Fine {n},2020\n\n" for n in range(50))
    assert read(batch, "a.csv", f"text,date\n\n{few}")[1:] == (["Row 8 has 4 cells for 2 columns."], None)
    # Spreadsheets write empty cells behind the last, and below headings without a name.
    assert read(batch, "a.csv", "text,date,,\nFine,2020,,,,\nFine,2020\n")[1:] == ([], None)
    plain = "".join(f"{n},An ordinary row of words that goes on for a while\n\n" for n in range(60_000))
    rows, notes, doubt = read(batch, "a.csv", f'id,text\n{plain}x,"a "stray" mark"\ny,z\n')
    told = "Row 60,001 has a quotation mark within a quoted cell that is not doubled."
    assert (len(rows), notes, doubt) == (60_002, [told], None)
    rows, notes, doubt = read(batch, "a.csv", f'id,text\n1,one\n\n2,two\n3,"a stray mark\n{plain}')
    assert (len(rows), notes) == (3, ["Row 3 has a quotation mark that is not closed."])
    assert doubt.startswith("A quotation mark in row 3 is not closed")


def test_a_first_line_that_tells_excel_what_parts_the_cells_is_no_header(batch):
    rows = [{"id": "1", "text": "The state, not the market, decides"}, {"id": "2", "text": "Fine"}]
    table = f"id;text\n1;{rows[0]['text']}\n2;Fine\n"
    for line in ("sep=;\n", '\ufeff"sep=;"\r\n', "SEP=;\n\n"):
        assert read(batch, "a.csv", line + table) == (rows, [], None)
    assert read(batch, "a.csv", f"sep=|\n{table.replace(';', '|')}") == (rows, [], None)


def test_rows_that_a_quotation_mark_took_in_are_told_and_weigh_as_what_they_are(batch):
    def make(name, delimiter, last):
        lines = [f"{n}{delimiter}An ordinary row of words" for n in range(100)]
        lines[30], lines[last] = f'30{delimiter}"Trade first is the motto', f'{last}{delimiter}Markets decide"'
        return read(batch, name, "\n".join([f"id{delimiter}text", *lines]))

    for name, delimiter in (("a.tsv", "\t"), ("a.csv", ",")):
        rows, notes, doubt = make(name, delimiter, 90)
        told = "Row 31 has 60 lines in one cell that look like rows: a quotation mark may not be closed."
        assert (len(rows), notes) == (40, [told])
        assert doubt.startswith("61 of 100 rows have more or fewer cells")
        rows, (note,), doubt = make(name, delimiter, 33)
        assert (len(rows), note[:31], doubt) == (97, "Row 31 has 3 lines in one cell ", None)
    # Texts of several lines are none, whatever commas they have.
    prose = 'Dear Sir,\nthe state, the market, and 1,000 mills,\nall of them, ""we say,"" decide\nwell; or not.'
    table = "".join(f'{n},"{prose}"\n' for n in range(20))
    assert read(batch, "a.csv", f"id,text\n{table}")[1:] == ([], None)
    table = "".join(f'{n},"Growth fell\nto 2,5 percent: https://a.example/x,y"\n' for n in range(20))
    assert read(batch, "a.csv", f"id,text\n{table}")[1:] == ([], None)


def test_rows_that_lack_empty_cells_at_their_end_are_not_broken(batch):
    short = "Fine words,2020\n" * 10
    rows, notes, doubt = read(batch, "a.csv", f"text,date,notes\n{short}Fine words,2020,x\n")
    told = "10 rows have fewer cells than columns, the first of them row 1"
    told = f"{told}: what is missing at the end is taken for empty."
    cut = "If a text was cut there by a line break, put quotation marks around it."
    assert (len(rows), notes, doubt) == (11, [f"{told} {cut}"], None)
    bare = "".join(f"Words {n}\n" for n in range(10))  # a text that comes first, alone: it may be cut or not
    assert read(batch, "a.csv", f"text,note,date\n{bare}Fine words,2020,x\n")[1:] == ([f"{told} {cut}"], None)
    # A line break has cut these in their text.
    broken = "".join(f"{n},The state\ndecides,2020,BBC\n" if n % 5 == 0 else f"{n},Words,2020,BBC\n" for n in range(50))
    rows, notes, doubt = read(batch, "a.csv", f"id,text,date,source\n{broken}")
    assert notes[:2] == ["Row 1 has 2 cells for 4 columns.", "Row 2 has 3 cells for 4 columns."]
    assert (len(rows), doubt[:16]) == (60, "20 of 60 rows ha")


def test_a_table_that_has_come_apart_is_not_classified_unasked(batch):
    drop(batch, ".batch-view", "a.csv", b"text,date\n" + b"The state, not the market, decides,2020\n" * 3)
    batch.locator("[role=alert]", has_text="3 of 3 rows have more or fewer cells").wait_for()
    assert batch.get_by_role("button", name="Classify").count() == 0
    batch.get_by_role("button", name="Go on anyway").click()
    batch.locator(".caution", has_text="3 of 3 rows have more or fewer cells").wait_for()
    classify(batch, 3)


def test_whole_numbers_of_many_digits_keep_them(batch):
    post = '{"text": "a", "id": 1234567890123456789, "n": 12, "far": [1e20, 0.12345678901234567]}'
    kept = {"text": "a", "id": "1234567890123456789", "n": 12, "far": [1e20, 0.12345678901234567]}
    for name, content in (("a.jsonl", post), ("a.json", f"[{post}]")):
        assert read(batch, name, content) == ([kept], [], None)
        _, (note,), _ = read(batch, name, content, is_old=True)
        assert note.startswith("This browser cannot hold whole numbers of more than 15 digits")


def test_an_object_in_the_place_of_a_text_is_no_text(batch):
    rows = [{"text": TEXTS[0]}, {"text": {"title": TEXTS[1]}}, {"text": [TEXTS[2]]}]
    drop(batch, ".batch-view", "a.jsonl", "\n".join(map(json.dumps, rows)).encode())
    batch.locator(".setup .caution", has_text="2 rows of text hold an object or a list and no text").wait_for()
    classify(batch, 3)
    assert batch.locator(".row-text").all_inner_texts()[1:] == ["(no text)", "(no text)"]
    assert batch.locator(".batch-table .chip.warn", has_text="not read").count() == 2


def test_objects_in_a_column_beside_the_text_are_told_apart(batch):
    rows = [
        {"text": f"{TEXTS[n % 4]} {n}", "source": {"id": None, "name": "AB"[n % 2]}, "group": {"of": n}}
        for n in range(6)
    ]
    drop(batch, ".batch-view", "a.jsonl", "\n".join(map(json.dumps, rows)).encode())
    classify(batch, 6)
    names = ['{"id":null,"name":"A"}', '{"id":null,"name":"B"}']
    assert batch.locator("td[data-label=source]").all_inner_texts() == names * 3
    batch.locator(".figures summary").click()
    assert batch.locator(".figures tbody th").all_inner_texts() == names
    batch.locator("#filter-text").fill('"B"')
    batch.locator("p[role=status]", has_text="3 of 6 rows").wait_for()
    batch.locator(".row-text").first.click()
    batch.get_by_role("button", name="This is wrong").click()
    with batch.expect_request(lambda request: request.method == "POST") as sent:
        batch.get_by_role("button", name="Save correction").click()
    batch.locator(".saved").first.wait_for()
    assert (sent.value.post_data_json["source"], sent.value.post_data_json["group"]) == (names[1], '{"of":1}')


def test_a_file_that_was_saved_and_read_again_has_each_column_once(batch, tmp_path):
    header = "text,stance,input_stance,input_input_stance,row"
    drop(batch, ".batch-view", "a.csv", f'{header}\n"{TEXTS[0]}",last,first,none,7\n'.encode())
    batch.get_by_role("button", name="Classify 1 row").click()
    batch.locator(".progress").wait_for(state="hidden")
    path = save(batch, batch.get_by_role("button", name="CSV"), tmp_path)
    with path.open(newline="", encoding="utf-8-sig") as stream:
        names, cells = csv.reader(stream)
    assert len(set(names)) == len(names)
    wanted = {"input_input_input_stance": "last", "input_stance": "first", "input_input_stance": "none"}
    assert wanted.items() <= dict(zip(names, cells, strict=True)).items()
    row = json.loads(save(batch, batch.get_by_role("button", name="JSONL"), tmp_path).read_text())
    assert wanted.items() <= row.items()
    assert (row["input_row"], row["row"]) == ("7", 1)


def test_files_of_a_document_say_where_a_paragraph_stands(page, tmp_path):
    paste(page, ARTICLE)
    wait_read(page)
    path = save(page, page.get_by_role("button", name="CSV"), tmp_path)
    with path.open(newline="", encoding="utf-8-sig") as stream:
        table = list(csv.DictReader(stream))
    assert [ARTICLE[int(row["start"]) : int(row["end"])] for row in table] == [row["text"] for row in table]
    parquet = pytest.importorskip("pyarrow.parquet")
    schema = parquet.read_schema(save(page, page.get_by_role("button", name="Parquet"), tmp_path))
    assert {str(schema.field(name).type) for name in ("paragraph", "start", "end")} == {"int64"}
    lines = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text().splitlines()
    assert [str(json.loads(line)["end"]) for line in lines] == [row["end"] for row in table]
