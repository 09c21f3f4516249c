"""Rows of a table and their answers: each answer goes to its row, and what is not sound of a file is told."""

import csv
import json

import pytest

from tests.page.support import ARTICLE, drop, paste, save, wait_read
from tests.page.test_batch import TEXTS

pytestmark = pytest.mark.issue(4)


@pytest.fixture
def batch(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    return page


# Six rows are sent; what is given stands in the place of some answers, each to the number of its line.
STREAM = """async ([faults, options]) => {
    const { classifyRows } = await import("/page/js/stream.js");
    const ask = window.fetch;
    window.fetch = async (path, { body }) => {
        const lines = body.trim().split("\\n").map((line, i) => faults[i] ?? { id: JSON.parse(line).id });
        const answer = lines.map((line) => `${JSON.stringify(line)}\\n`).join("");
        return new Response(answer, { headers: { "x-model-sha256": "0" } });
    };
    const got = [];
    try {
        const wanted = { maxBodyBytes: 2e6, served: null, sha256: "0", ...options };
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
