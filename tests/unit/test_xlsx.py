"""A workbook opens in Excel as it was written: numbers are numbers, texts are texts, and nothing is lost unsaid."""

import json
import re
import zipfile
from xml.etree import ElementTree

import pytest

from twohands import xlsx
from twohands.errors import FileWriteError
from twohands.xlsx import MAX_CHARS, write_xlsx

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_cell(cell):
    """By the words of the standard, as a reader of them would."""
    kind, value, text = cell.get("t"), cell.find(f"{MAIN}v"), cell.find(f"{MAIN}is/{MAIN}t")
    if text is not None:
        return re.sub(r"_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text.text or "")
    if value is None:
        return None
    return value.text == "1" if kind == "b" else json.loads(value.text)


def read_sheet(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        trees = {name: ElementTree.fromstring(archive.read(name)) for name in names}  # noqa: S314 - of our own
    targets = {part.get("PartName") for part in trees["[Content_Types].xml"]} - {None}
    assert targets == {"/xl/workbook.xml", "/xl/worksheets/sheet1.xml", "/xl/styles.xml"}
    return [list(map(read_cell, row)) for row in trees["xl/worksheets/sheet1.xml"].iter(f"{MAIN}row")]


def test_cells_come_back_as_they_were(tmp_path):
    rows = [
        ["=SUM(A1:A9)", 0.989611, 12, True, None],
        ["3/4", 1e-06, -3, False, "+49 30"],
        ['caf\u00e9 \u4e2d \U0001f6a2 <b>&amp;</b> "q"', 0.0, 0, None, ""],
        ["a\r\nb\tc\x07\x1b[0m\uffff _x0041_ _x \u2028", 1.0, 2**53, True, " led "],
    ]
    write_xlsx(tmp_path / "a.xlsx", ["text", "score", "n", "is", "more"], iter(rows))
    assert read_sheet(tmp_path / "a.xlsx") == [["text", "score", "n", "is", "more"], *rows]
    first = (tmp_path / "a.xlsx").read_bytes()
    write_xlsx(tmp_path / "a.xlsx", ["text", "score", "n", "is", "more"], rows)
    assert (tmp_path / "a.xlsx").read_bytes() == first


def test_what_a_sheet_cannot_hold_is_told(tmp_path, monkeypatch):
    write_xlsx(tmp_path / "a.xlsx", ["text"], [["a" * MAX_CHARS], ["b" * 40_000]])
    _, (whole,), (cut,) = read_sheet(tmp_path / "a.xlsx")
    assert whole == "a" * MAX_CHARS
    assert len(cut) == MAX_CHARS
    assert cut.endswith("b [cut: 40000 characters]")
    ship = "\U0001f6a2"  # two units of UTF-16, which is how Excel counts
    write_xlsx(tmp_path / "a.xlsx", ["text"], [["a" + ship * (MAX_CHARS // 2)], [ship * (MAX_CHARS // 2 + 1)]])
    _, (whole,), (cut,) = read_sheet(tmp_path / "a.xlsx")
    assert whole == "a" + ship * (MAX_CHARS // 2)
    assert cut == ship * 16_371 + " [cut: 32768 characters]"
    monkeypatch.setattr(xlsx, "MAX_ROWS", 3)
    write_xlsx(tmp_path / "b.xlsx", ["n"], [[n] for n in range(3)])
    with pytest.raises(FileWriteError, match=r"and there are more; write \.csv"):
        write_xlsx(tmp_path / "c.xlsx", ["n"], [[n] for n in range(4)])


def test_answers_that_no_sheet_holds_are_there_for_another_file(classify, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_ROWS", 3)
    monkeypatch.chdir(tmp_path)
    finished = classify(rows, "--output", "out.xlsx")
    assert finished.code == 1
    told = " ".join(finished.stderr.split())
    assert "cannot write out.xlsx: a sheet of Excel holds 3 rows, and there are more" in told
    assert "rename out.xlsx.partial to out.csv.partial, and give the same command with --output out.csv" in told
    (tmp_path / "out.xlsx.partial").rename("out.csv.partial")
    finished = classify(rows, "--output", "out.csv")
    assert finished.code == 0, finished.stderr
    assert "that an earlier run classified" in finished.stderr


def test_classify_writes_answers_and_summaries(classify, rows, tmp_path):
    finished = classify(rows, "--output", tmp_path / "out.xlsx", "--summary", tmp_path / "sum.xlsx")
    assert finished.code == 0, finished.stderr
    answers = [json.loads(line) for line in classify(rows).stdout.splitlines()]
    heading, *sheet = read_sheet(tmp_path / "out.xlsx")
    table = [dict(zip(heading, row, strict=True)) for row in sheet]
    assert [row["id"] for row in table] == [answer["id"] for answer in answers]
    for row, answer in zip(table, answers, strict=True):
        if "error" in answer:
            assert (row["stance"], row["error_code"]) == (None, answer["error"]["code"])
            continue
        assert (row["stance"], row["stance_score"]) == (answer["stance"]["label"], answer["stance"]["score"])
        assert row["stance_abstained"] is answer["stance"]["abstained"]
        assert row["topics"] == "|".join(answer["topics"]["labels"])
    heading, (name, *_) = read_sheet(tmp_path / "sum.xlsx")
    assert (heading[:3], name) == (["document", "n_paragraphs", "n_errors"], str(rows))
    finished = classify(rows, "--format", "xlsx")
    assert (finished.code, finished.stdout) == (2, b"")
    assert "cannot be written to standard output" in " ".join(finished.stderr.split())
