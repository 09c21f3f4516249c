"""Rows that one file numbers 7 and another 7.0, as pandas writes a column of whole numbers with empty cells."""

import json

import pytest

from tests.training.test_data import TEXT, full_rows, make_config, write_rows
from training.data import load_splits
from training.pseudo import read_named_excerpts
from training.select import read_candidates

SCORES = {
    "stance": {"state-led": 0.7, "market-led": 0.1, "neutral": 0.2},
    "topics": {"sanctions": 0.0, "self-reliance": 0.9, "industrial-policy": 0.6, "regulation": 0.2},
}


def write_csv(path, ids):
    rows = [f"{name},{TEXT} It is number {n}. The board adjourned." for n, name in enumerate(ids)]
    path.write_text("\n".join(["id,text", *rows]), encoding="utf-8")


def write_labels(path, ids):
    if path.suffix == ".csv":
        path.write_text("\n".join(["id,stance", *(f"{name},neutral" for name in ids)]), encoding="utf-8")
    else:
        write_rows(path, [{"id": name, "scores": SCORES} for name in ids])


@pytest.fixture
def load(tmp_path, taxonomy):
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))

    def load(pool, labels):
        train = ["train.jsonl", pool.name]
        splits = load_splits(make_config(tmp_path, train=train, labels=[labels.name]), taxonomy, seed=1)
        return [row.id for row in splits.train[3:]], [tuple(told) for told in splits.unmatched]

    return load


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("rows", "ids", "found"),
    [
        (["7.0", "8.0"], ["7.0", "8.0"], ["7", "8"]),  # as `pseudo-label` of 0.15 wrote of such a CSV
        (["7.0", "8.0"], ["7.0", "a"], ["7"]),
        (["7.0", "8.0"], ["7", "8"], ["7", "8"]),
        (["7", "8"], ["7.0", "8.0"], ["7", "8"]),
        (["7.0", "7.1", "8.0"], ["7.0", "8.0"], ["7.0", "8.0"]),
        (["7", "7.0", "7.1"], ["7", "7.1"], ["7", "7.1"]),  # chapter and section: nobody labelled 7.0
        (["7", "8"], ["7.0", "7.1", "8"], ["8"]),
    ],
)
def test_labels_of_7_and_of_7_0_are_laid_over_one_row_unless_both_are_there(tmp_path, load, rows, ids, found):
    write_csv(tmp_path / "pool.csv", rows)
    write_labels(tmp_path / "labels.jsonl", ids)
    n_strange = len(ids) - len(found)
    told = [("labels.jsonl", n_strange, len(ids))] if n_strange else []
    assert load(tmp_path / "pool.csv", tmp_path / "labels.jsonl") == (found, told)


@pytest.mark.issue(3)
@pytest.mark.parametrize(("ids", "found"), [(["7.0", "9.0"], ["7.0"]), (["7", "7.1"], ["7.1"])])
def test_labels_of_csv_are_laid_over_rows_whose_ids_are_strings(tmp_path, load, ids, found):
    write_rows(tmp_path / "pool.jsonl", [{"id": name, "text": f"{TEXT} {name}"} for name in ("7.0", "7.1", "8.0")])
    write_labels(tmp_path / "labels.csv", ids)
    assert load(tmp_path / "pool.jsonl", tmp_path / "labels.csv") == (found, [("labels.csv", 1, 2)])


@pytest.mark.issue(3)
def test_excerpts_of_7_0_are_cut_out_of_row_7(tmp_path, load, taxonomy):
    write_csv(tmp_path / "pool.csv", ["7.0", "8.0"])
    line = {"id": "7.0#0-2", "excerpt_of": "7.0", "sentences": [0, 2], "scores": SCORES}
    write_rows(tmp_path / "labels.jsonl", [line])
    assert load(tmp_path / "pool.csv", tmp_path / "labels.jsonl") == (["7.0#0-2"], [])
    write_rows(tmp_path / "other.jsonl", [{"id": n, "text": f"{TEXT} It is {n}. It went home."} for n in (7, 8)])
    write_labels(tmp_path / "scores.jsonl", ["7.0", "8.0"])
    scores = (tmp_path / "scores.jsonl").read_text(encoding="utf-8")
    (tmp_path / "both.jsonl").write_text(f"{scores.rstrip()}\n{json.dumps(line)}\n", encoding="utf-8")
    assert load(tmp_path / "other.jsonl", tmp_path / "both.jsonl") == (["7", "7.0#0-2", "8"], [])
    ((name, excerpt, _),) = read_named_excerpts([tmp_path / "pool.csv"], [tmp_path / "labels.jsonl"], taxonomy)
    assert (name, excerpt.row_id) == ("7.0#0-2", "7")


@pytest.mark.issue(3)
def test_a_known_row_7_0_is_row_7(tmp_path, taxonomy):
    write_csv(tmp_path / "pool.csv", ["7.0", "8.0"])
    (tmp_path / "known.jsonl").write_text(json.dumps({"id": "7.0"}) + "\n", encoding="utf-8")
    found, n_passed = read_candidates([tmp_path / "pool.csv"], taxonomy, known=[tmp_path / "known.jsonl"])
    assert ([candidate.id for candidate in found], n_passed) == (["8"], 1)
