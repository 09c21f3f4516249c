"""A file that is no JSONL is told of as a whole, once, with what makes JSONL of it; a bad line costs no other."""

import json

import pytest

from tests.support.rows import faults_of
from twohands.examples import read_rows

ROWS = [{"id": f"r{n}", "text": f"Gr\u00f6\u00dfe {n}.", "stance": "neutral"} for n in range(8)]
LINES = [json.dumps(row) for row in ROWS]


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (json.dumps(ROWS, indent=1), "an array of JSON; one object a line is expected, as by: jq -c '.[]' FILE"),
        (
            "[" + ",\n".join(LINES) + "]",
            "an array of JSON; one object a line is expected, as by: jq -c '.[]' FILE",
        ),
        (json.dumps(ROWS), "found list, expected one JSON object a line, as by: jq -c '.[]' FILE"),
        (
            "\n".join(json.dumps(row, indent=1) for row in ROWS),
            "an object of JSON over several lines; one object a line is expected, as by: jq -c . FILE",
        ),
    ],
)
def test_a_file_of_json_that_is_no_jsonl_is_one_fault(tmp_path, taxonomy, content, fault):
    path = tmp_path / "a.jsonl"
    path.write_text(f"\ufeff\n{content}\n", encoding="utf-8")
    assert faults_of(path, taxonomy) == [f"{path}:2: {fault}"]


@pytest.mark.issue(3)
def test_a_file_in_latin_1_is_one_fault(tmp_path, taxonomy):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS), encoding="latin-1")
    assert faults_of(path, taxonomy) == [
        f"{path}:1 and 7 more rows: byte 0xf6 is not UTF-8; save the file as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8)"
    ]


@pytest.mark.issue(3)
def test_lines_that_are_all_no_json_are_told_of_once_and_few_one_by_one(tmp_path, taxonomy):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(str, ROWS)), encoding="utf-8")
    what = "not JSON (Expecting property name enclosed in double quotes at column 2); one object a line is expected"
    assert faults_of(path, taxonomy) == [f"{path}:1 and 7 more rows: {what}"]
    path.write_text("\n".join([*map(str, ROWS[:5]), *LINES[5:]]), encoding="utf-8")
    assert faults_of(path, taxonomy) == [f"{path}:{number}: {what}" for number in range(1, 6)]


@pytest.mark.parametrize("line", ["[", "[1, 2]", '["a"]', "{", "{'a': 1}", '{"a": 1},', "7"])
def test_a_bad_line_costs_no_other(tmp_path, line):
    path, faults = tmp_path / "a.jsonl", []
    path.write_text("\n".join([*LINES[:4], line, *LINES[4:]]), encoding="utf-8")
    assert [row.cells["id"] for row in read_rows(path, faults)] == [row["id"] for row in ROWS]
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}:5"]


@pytest.mark.parametrize("line", ["[1, 2]", '["a"', "{'a': 1}", '{"a": 1},', '{"text": "broken off'])
def test_a_first_line_that_may_be_bad_alone_costs_no_other(tmp_path, line):
    path, faults = tmp_path / "a.jsonl", []
    path.write_text("\n".join([line, *LINES]), encoding="utf-8")
    assert [row.cells["id"] for row in read_rows(path, faults)] == [row["id"] for row in ROWS]
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}:1"]
