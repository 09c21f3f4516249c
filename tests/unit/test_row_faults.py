"""What many cells have wrong in common is told once, with what to write instead."""

import json
import math

import pytest

from tests.support.rows import faults_of, load_examples
from twohands.examples import as_words
from twohands.row_faults import LabelWordsError, tell_columns
from twohands.taxonomy import Taxonomy

RATED = Taxonomy.model_validate(
    {
        "heads": [
            {
                "name": "rating",
                "problem_type": "single_label_classification",
                "labels": [{"name": name, "description": name} for name in ("0", "1", "2")],
            },
            {
                "name": "years",
                "problem_type": "multi_label_classification",
                "labels": [{"name": name, "description": name} for name in ("2001", "2002")],
            },
        ]
    }
)


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("columns", "meant"),
    [
        (("complaint_text", "Urgency"), "'complaint_text' for text, 'Urgency' for urgency"),
        (("Full Text",), "'Full Text' for text"),
        (("first text", "second text"), ""),
        (("context",), ""),
        (("sentence", "label"), ""),
    ],
)
def test_a_column_that_is_like_an_absent_one_is_asked_about_beside_it(columns, meant):
    told = tell_columns(columns, ("text", "urgency", "id"))
    assert told == f"(columns: {', '.join(columns)})" + (f"; did you mean {meant}?" if meant else "")


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("sanctions, regulation", "; write sanctions|regulation, as labels are joined by a bar"),
        ("['sanctions', 'self-reliance']", "; write sanctions|self-reliance, as labels are joined by a bar"),
        ('["sanctions"]', "; write sanctions"),
        ("sanction", "; did you mean 'sanctions'?"),
        ("tariffs, quotas", ""),
    ],
)
def test_a_cell_of_labels_that_are_not_joined_by_bars_is_told_how(taxonomy, cell, remedy):
    of_stance, of_topics = taxonomy.heads
    with pytest.raises(LabelWordsError) as caught:
        as_words(cell, of_topics)
    assert caught.value.faults == [f"topics {cell!r} is none of {', '.join(of_topics.label_names)}{remedy}"]
    with pytest.raises(LabelWordsError, match=r"neutral$"):  # of a one-of head there is one
        as_words("state-led, neutral", of_stance)


@pytest.mark.issue(3)
@pytest.mark.parametrize("cell", ["NaN", "None", "<NA>", "null", math.nan])
def test_what_pandas_may_write_for_no_label_is_told_how(taxonomy, cell):
    of_stance, of_topics = taxonomy.heads
    remedy = "; an empty cell, or null in JSONL, says that nobody looked"
    for head, value, end in ((of_stance, cell, ""), (of_topics, [cell], ", - or [] that none applies")):
        with pytest.raises(LabelWordsError) as caught:
            as_words(value, head)
        assert caught.value.faults == [f"{head.name} {cell!r} is none of {', '.join(head.label_names)}{remedy}{end}"]


@pytest.mark.issue(3)
def test_rows_without_quotes_are_told_of_once_where_they_are_many(tmp_path, taxonomy):
    path = tmp_path / "a.csv"
    lines = [f"r{n},Lent, or so they say.,neutral" for n in range(6)]
    path.write_text("\n".join(["id,text,stance", *lines]), encoding="utf-8")
    what = "found 4 cells, expected 3 as in the header; a cell that holds ',' must stand in double quotes"
    assert faults_of(path, taxonomy) == [f"{path}:2 and 5 more rows: {what}"]
    path.write_text("\n".join(["id,text,stance", *lines[:5], "r9,Lent.,neutral"]), encoding="utf-8")
    assert faults_of(path, taxonomy) == [f"{path}:{number}: {what}" for number in range(2, 7)]


@pytest.mark.issue(3)
def test_two_kinds_of_fault_of_one_file_are_told_apart(tmp_path, taxonomy):
    path = tmp_path / "a.csv"
    path.write_text(
        "\n".join(["id,text,stance", *(f"r{n},caf\u00e9,neutral" for n in range(3)), *["r,a,b,c"] * 6]),
        encoding="cp1252",
    )
    first, second = faults_of(path, taxonomy)
    assert first.startswith(f"{path}:2 and 2 more rows: byte 0xe9")
    assert second.startswith(f"{path}:5 and 5 more rows: found 4 cells")


@pytest.mark.issue(3)
@pytest.mark.parametrize("cell", [1, 1.0, "1", "1.0"])
def test_a_number_is_a_label_also_as_pandas_writes_it_beside_empty_cells(cell):
    assert as_words(cell, RATED.heads[0]) == ("1",)


@pytest.mark.parametrize("cell", [1.5, "1.5", True, float("nan"), float("inf"), -1.0, "1.0.0"])
def test_what_is_no_whole_number_is_no_label(cell):
    with pytest.raises(LabelWordsError, match=r"^rating"):
        as_words(cell, RATED.heads[0])


def test_numbers_in_lists_are_labels(tmp_path):
    assert as_words([2001.0, 2002], RATED.heads[1]) == ("2001", "2002")
    assert as_words(2001.0, RATED.heads[1]) == ("2001",)
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "It was.", "rating": 2.0, "years": None}) + "\n", encoding="utf-8")
    assert load_examples([path], RATED)[0].labels == {"rating": ("2",), "years": None}


@pytest.mark.issue(3)
def test_no_row_at_all_is_told_with_its_file(tmp_path, taxonomy):
    path = tmp_path / "a.jsonl"
    path.write_text("", encoding="utf-8")
    assert faults_of(path, taxonomy) == [f"no row at all in {path}"]
