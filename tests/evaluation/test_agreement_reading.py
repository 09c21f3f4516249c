"""Codes that are no labels are told of once, with what names the labels; numbers are labels as pandas writes them."""

import pytest

from evaluation.agreement.reading import Layout, read_codings
from tests.evaluation.test_agreement import make_codings, write_jsonl
from twohands.errors import DataError
from twohands.taxonomy import Head, Label, ProblemType

LAYOUT = Layout(
    item="id",
    group="group",
    texts=("text",),
    columns=("anna", "ben"),
    codes=None,
    annotator="annotator",
    label="label",
    panel=None,
)
RATING = Head(
    name="rating",
    problem_type=ProblemType.ONE_OF,
    labels=[Label(name=name, description="a number") for name in "012"],
)


def read(path, head):
    return read_codings([path], layout=LAYOUT, head=head, scale=None, with_texts=False)


@pytest.mark.issue(6)
def test_codes_of_other_labels_are_told_of_once_with_how_these_are_named(tmp_path, taxonomy):
    rows = [{"id": f"r{n}", "text": "A.", "anna": "high", "ben": "low" if n else "high"} for n in range(60)]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(DataError) as caught:
        read(path, taxonomy.heads[0])
    labels = "state-led, market-led, neutral"
    assert caught.value.faults == [
        f"{path}:1 and 59 more rows: anna: stance 'high' is none of {labels}",
        f"{path}:1: ben: stance 'high' is none of {labels}",
        f"{path}:2 and 58 more rows: ben: stance 'low' is none of {labels}; "
        "other labels than these: --model FOLDER of a model that has them, and --head NAME",
    ]
    # One slip among codes that are labels says nothing of the model.
    path = write_jsonl(tmp_path / "slip.jsonl", [*make_codings(9, annotators=("anna", "ben")), rows[0]])
    with pytest.raises(DataError) as caught:
        read(path, taxonomy.heads[0])
    assert not any("--model" in fault for fault in caught.value.faults)


@pytest.mark.issue(6)
def test_numbers_beside_gaps_are_labels(tmp_path):
    rows = [
        {"id": "a", "anna": 1.0, "ben": "2.0"},
        {"id": "b", "anna": float("nan"), "ben": 0},
        {"id": "c", "anna": 2.0, "ben": "nan"},
    ]
    codings = read(write_jsonl(tmp_path / "rows.jsonl", rows), RATING).codings
    assert codings.given == [{"anna": ("1",), "ben": ("2",)}, {"ben": ("0",)}, {"anna": ("2",)}]


@pytest.mark.issue(6)
def test_a_file_in_latin_1_is_one_fault(tmp_path, taxonomy):
    (tmp_path / "rows.jsonl").write_text('{"id": "caf\u00e9"}\n' * 8, encoding="latin-1")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "rows.jsonl", taxonomy.heads[0])
    assert caught.value.faults[0].startswith(f"{tmp_path / 'rows.jsonl'}:1 and 7 more rows: byte 0xe9")
