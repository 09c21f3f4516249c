"""Flat columns hold what the JSON answer holds, in CSV and Parquet alike."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from twohands.errors import ConfigError
from twohands.outputs import csv_lines, encode_line, flat_columns, flatten, write_file
from twohands.taxonomy import Taxonomy

SOUND = {
    "id": "a",
    "stance": {
        "label": "state-led",
        "score": 0.9,
        "scores": {"state-led": 0.9, "market-led": 0.06, "neutral": 0.04},
        "abstained": False,
    },
    "topics": {
        "labels": ["sanctions", "regulation"],
        "scores": {"sanctions": 0.8, "self-reliance": 0.1, "industrial-policy": 0.2, "regulation": 0.7},
    },
    "n_tokens": 40,
    "n_windows": 3,
    "truncated": True,
    "n_tokens_cut": 2,
    "evidence": None,
    "warnings": [],
}
BAD = {"id": 'b "quoted", and\nbroken', "error": {"code": "empty_paragraph", "message": "nothing"}}


@pytest.fixture
def columns(taxonomy):
    return flat_columns(taxonomy, has_documents=False, with_text=False)


def test_columns_are_those_that_are_documented(taxonomy, columns):
    assert [column.name for column in columns] == [
        "id", "stance", "stance_score", "stance_abstained",
        "stance_score_state-led", "stance_score_market-led", "stance_score_neutral",
        "topics", "topics_score_sanctions", "topics_score_self-reliance", "topics_score_industrial-policy",
        "topics_score_regulation", "n_tokens", "n_windows", "n_tokens_cut", "truncated", "warnings",
        "error_code", "error_message",
    ]  # fmt: skip
    wide = [column.name for column in flat_columns(taxonomy, has_documents=True, with_text=True)]
    assert wide[:8] == ["id", "document", "paragraph", "start", "end", "section", "speaker", "text"]


def test_evidence_has_columns_of_its_own(taxonomy):
    columns = flat_columns(taxonomy, has_documents=False, with_text=False, with_evidence=True)
    found = {"sentence": "It will buy.", "start": 0, "end": 12, "drop": 0.5}
    evidence = {"stance": found, "topics": {"sanctions": found | {"drop": None}, "regulation": None}}
    answer = SOUND | {"evidence": evidence, "warnings": ["too_short", "markup"]}
    cells = dict(zip([column.name for column in columns], flatten(answer, columns), strict=True))
    assert (cells["stance_evidence"], cells["stance_evidence_drop"]) == ("It will buy.", 0.5)
    assert (cells["topics_evidence_sanctions"], cells["topics_evidence_sanctions_drop"]) == ("It will buy.", None)
    assert cells["topics_evidence_regulation"] is cells["topics_evidence_self-reliance"] is None
    assert cells["warnings"] == "too_short|markup"


def test_cells(columns):
    cells = dict(zip([column.name for column in columns], flatten(SOUND, columns), strict=True))
    assert cells["stance"] == "state-led"
    assert cells["stance_abstained"] is False
    assert cells["stance_score_neutral"] == 0.04
    assert cells["topics"] == "sanctions|regulation"
    assert cells["topics_score_regulation"] == 0.7
    assert (cells["n_windows"], cells["truncated"], cells["error_code"]) == (3, True, None)
    cells = dict(zip([column.name for column in columns], flatten(BAD, columns), strict=True))
    assert (cells.pop("id"), cells.pop("error_code"), cells.pop("error_message")) == (
        BAD["id"],
        "empty_paragraph",
        "nothing",
    )
    assert set(cells.values()) == {None}


def test_csv_and_parquet_hold_the_same(tmp_path, columns):
    lines = [encode_line(SOUND), encode_line(BAD)]
    for kind in ("csv", "parquet", "jsonl"):
        write_file(tmp_path / f"out.{kind}", kind, iter(lines), columns)
    assert (tmp_path / "out.jsonl").read_bytes() == b"".join(lines)
    table = pq.read_table(tmp_path / "out.parquet")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    as_csv = {None: "", True: "true", False: "false"}
    expected = [{name: str(as_csv.get(cell, cell)) for name, cell in row.items()} for row in table.to_pylist()]
    assert rows == expected
    assert table.schema.field("n_tokens").type == "int64"
    assert table.schema.field("truncated").type == "bool"
    assert table.schema.field("stance_score").type == "double"


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_no_answer_gives_a_file_with_a_heading_alone(tmp_path, columns, kind):
    write_file(tmp_path / "out", kind, iter([]), columns)
    if kind == "parquet":
        assert pq.read_table(tmp_path / "out").column_names == [column.name for column in columns]
    else:
        assert (tmp_path / "out").read_bytes().count(b"\n") == (1 if kind == "csv" else 0)


def test_lone_surrogates_can_be_written_everywhere(tmp_path, columns):
    line = encode_line(SOUND | {"id": "x\ud800y"})
    assert json.loads(line)["id"] == "x\ud800y"
    line.decode()
    write_file(tmp_path / "out.parquet", "parquet", iter([line]), columns)
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == ["x\\ud800y"]
    rows = csv.reader(io.StringIO(csv_lines([json.loads(line)], columns, has_header=False).decode()))
    assert next(rows)[0] == "x\\ud800y"


def test_a_taxonomy_whose_columns_collide_is_refused(taxonomy):
    labels = [{"name": "a", "description": "A."}, {"name": "b", "description": "B."}]
    head = {"name": "stance_score", "problem_type": "single_label_classification", "labels": labels}
    heads = [taxonomy.heads[0].model_dump(), head]
    with pytest.raises(ConfigError):
        flat_columns(Taxonomy.model_validate({"heads": heads}), has_documents=False, with_text=False)


def test_a_carriage_return_tears_no_row_of_csv(taxonomy):
    columns = flat_columns(taxonomy, has_documents=False, with_text=True)
    answers = [
        BAD | {"id": f"a{mark}b", "text": f"{mark}one{mark}"} for mark in ("\r", "\n", "\r\n", "", " ", ",", '"')
    ]
    content = csv_lines(answers, columns, has_header=True).decode()
    _, *rows = csv.reader(io.StringIO(content, newline=""), strict=True)
    assert [(row[0], row[1]) for row in rows] == [(answer["id"], answer["text"]) for answer in answers]
    assert '"a\rb","\rone\r",' in content
    assert content.endswith(",nothing\n")  # rows end in a line feed alone
    assert ",nothing\r" not in content
    # All else is quoted as it was: where it must, and nowhere else.
    assert "\nab,one," in content
    assert "\na b, one ," in content
    assert '\n"a,b",",one,",' in content
    assert '\n"a""b","""one""",' in content
