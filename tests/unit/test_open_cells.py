"""A cell of an any-of head that is empty or blank says that nobody looked, in whatever file it stands."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.dataset import load_labelled
from tests.support.rows import load_examples
from twohands.errors import DataError

CELLS = [None, "", "  ", "\t", "-", " - ", "[]", " regulation | sanctions "]
READ = [None, None, None, None, (), (), (), ("sanctions", "regulation")]


def write(path, cells):
    rows = [{"id": f"r{n}", "text": f"Text {n}.", "stance": "neutral", "topics": cell} for n, cell in enumerate(cells)]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        lines = [f"{row['id']},{row['text']},neutral,{row['topics'] or ''}" for row in rows]
        path.write_text("\n".join(["id,text,stance,topics", *lines]), encoding="utf-8")
    return path


@pytest.mark.issue(2)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_blank_cell_is_not_a_label_that_none_applies(tmp_path, taxonomy, kind):
    examples = load_examples([write(tmp_path / f"a.{kind}", CELLS)], taxonomy)
    assert [example.labels["topics"] for example in examples] == READ


@pytest.mark.issue(2)
def test_a_list_of_nothing_says_that_none_applies(tmp_path, taxonomy):
    for kind in ("jsonl", "parquet"):
        (example,) = load_examples([write(tmp_path / f"a.{kind}", [[]])], taxonomy)
        assert example.labels["topics"] == ()


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "cell", ["|", " | ", "sanctions|", "|sanctions", "sanctions | | regulation", ["", "sanctions"]]
)
def test_bars_and_lists_without_a_word_are_refused(tmp_path, taxonomy, cell):
    path = write(tmp_path / "a.jsonl", [cell])
    with pytest.raises(DataError) as caught:
        load_examples([path], taxonomy)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{path}:1: topics {'' if isinstance(cell, list) else cell!r}")


@pytest.mark.issue(2)
def test_a_row_of_which_only_a_blank_stands_has_no_label(tmp_path, taxonomy):
    rows = [{"id": f"r{n}", "text": f"Text {n}.", "topics": ""} for n in range(3)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_labelled([path], taxonomy, taxonomy_option="--taxonomy FILE")
    (fault,) = caught.value.faults
    assert fault.startswith(f"{path}:1 and all 2 rows after it: no label")
    assert fault.endswith("other labels than these: --taxonomy FILE")


@pytest.mark.parametrize(
    ("scores", "read"), [((0.1, 0.2, 0.1, 0.1), ()), ((0.1, None, 0.1, 0.1), None), ((None,) * 4, None), (None, None)]
)
@pytest.mark.parametrize("blank", [None, "", " "])
def test_a_blank_beside_a_score_of_each_label_is_an_answer_that_none_applies(taxonomy, scores, read, blank, tmp_path):
    names = taxonomy.heads[1].label_names
    told = {} if scores is None else {f"topics_score_{n}": score for n, score in zip(names, scores, strict=True)}
    path = tmp_path / "a.jsonl"
    row = {"id": "r", "text": "A text.", "stance": "neutral", "topics": blank, **told}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    (example,) = load_examples([path], taxonomy)
    assert example.labels["topics"] == read


@pytest.mark.issue(3)
def test_a_row_whose_only_label_is_an_answer_that_none_applies_is_not_passed_over(taxonomy, tmp_path):
    told = {f"topics_score_{name}": 0.1 for name in taxonomy.heads[1].label_names}
    path = tmp_path / "a.jsonl"
    rows = [{"id": "r0", "text": "A text.", "topics": ""} | told, {"id": "r1", "text": "Another text."}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = load_labelled([path], taxonomy, skip_unlabelled=True)
    assert ([example.id for example in found.examples], found.n_skipped) == (["r0"], 1)
