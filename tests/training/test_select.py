"""Which rows to label next: the ones a model doubts, few of a document, some at random, as a sheet that trains."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.training.test_data import full_rows, make_config, write_rows
from tests.training.test_excerpts import SENTENCES
from training.data import load_splits
from training.select import choose, measure_uncertainty, read_candidates
from training.selectcommands import select
from twohands.errors import DataError

SURE, TORN = [0.98, 0.01, 0.01], [0.5, 0.49, 0.01]
NO_TOPIC, ONE_TORN = [0.01, 0.01, 0.01, 0.01], [0.01, 0.5, 0.01, 0.01]
RELEASED = str(Path(__file__).parents[2] / "models" / "twohands")


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_uncertainty_is_the_mean_over_heads_of_an_entropy_from_nought_to_one(taxonomy):
    scores = {
        "stance": np.array([[1.0, 0.0, 0.0], [1 / 3] * 3, SURE, TORN]),
        "topics": np.array([[0.0, 1.0, 0.0, 0.0], [0.5] * 4, ONE_TORN, NO_TOPIC]),
    }
    found = measure_uncertainty(scores, taxonomy)
    assert found[:2] == pytest.approx([0.0, 1.0], abs=1e-9)
    entropy = -sum(p * np.log(p) for p in SURE) / np.log(3)
    assert found[2] == pytest.approx((entropy + 1.0) / 2)
    bits = -0.01 * np.log2(0.01) - 0.99 * np.log2(0.99)
    assert found[3] == pytest.approx((-sum(p * np.log(p) for p in TORN) / np.log(3) + bits) / 2)


def test_the_least_sure_rows_are_taken_no_more_than_a_few_of_a_document():
    uncertainty = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    groups = ["a", "a", "a", "b", "c", "c"]
    chosen = choose(uncertainty, groups, n_rows=4, random_share=0.0, most_of_group=2, seed=1)
    assert dict(chosen) == dict.fromkeys([0, 1, 3, 4], "unsure")
    assert len(choose(uncertainty, groups, n_rows=50, random_share=0.5, most_of_group=2, seed=1)) == 5


def test_a_share_is_drawn_at_random_and_nothing_in_the_order_tells_which():
    uncertainty = np.linspace(1, 0, 1000)
    groups = [str(n) for n in range(1000)]
    chosen = choose(uncertainty, groups, n_rows=200, random_share=0.25, most_of_group=1, seed=7)
    assert chosen == choose(uncertainty, groups, n_rows=200, random_share=0.25, most_of_group=1, seed=7)
    by_why = {why: [place for place, reason in chosen if reason == why] for why in ("random", "unsure")}
    assert (len(by_why["random"]), len(by_why["unsure"])) == (50, 150)
    assert max(by_why["unsure"]) < 200
    assert 400 < np.mean(by_why["random"]) < 600
    assert abs(np.corrcoef([place for place, _ in chosen], range(200))[0, 1]) < 0.3


@pytest.fixture
def pool(tmp_path):
    rows = [
        {
            "id": "p1",
            "text": "The ministry will fund three chip plants; private firms choose where.",
            "group": "m",
        },
        {"id": "p2", "text": "It rained on the harbour.", "source": "log"},
        {"id": "p3", "text": "Prices are the market's own affair.", "stance": "market-led", "topics": []},
        {"id": "p4", "text": "The levy was read a second time.", "stance": "neutral"},
        {"id": "p5", "text": "  ".join(SENTENCES)},
    ]
    return write_rows(tmp_path / "pool.jsonl", rows) or tmp_path / "pool.jsonl"


def test_rows_with_every_label_and_rows_that_are_known_are_passed_over(pool, tmp_path, taxonomy):
    write_rows(tmp_path / "known.jsonl", [{"id": "p2", "stance": "neutral"}])
    found, n_passed = read_candidates([pool], taxonomy, known=[tmp_path / "known.jsonl"])
    assert [candidate.id for candidate in found] == ["p1", "p4", "p5"]
    assert n_passed == 2
    assert found[0].cells == {"group": "m"}
    with pytest.raises(DataError, match="nothing to label"):
        read_candidates([pool], taxonomy, known=[pool])


def test_faults_of_rows_are_told_all_at_once(tmp_path, taxonomy):
    write_rows(tmp_path / "bad.jsonl", [{"text": "No id."}, {"id": "a", "text": " "}, {"id": "b", "text": "B."},
                                        {"id": "b", "text": "B."}])  # fmt: skip
    with pytest.raises(DataError) as caught:
        read_candidates([tmp_path / "bad.jsonl"], taxonomy)
    assert [part in str(caught.value) for part in ("no id", "bad.jsonl:2", "'b' stands twice")] == [True] * 3


def test_a_sheet_of_csv_is_filled_in_and_trained_on(pool, tmp_path, taxonomy):
    sheet = tmp_path / "sheet.csv"
    arguments = [RELEASED, "--data", str(pool), "--rows", "4", "--output", str(sheet)]
    answer = CliRunner().invoke(select, arguments, catch_exceptions=False)
    assert "wrote 4 of 4 rows" in answer.stderr
    assert "1 more have their labels" in answer.stderr
    rows = read_csv(sheet)
    assert {row["id"] for row in rows} == {"p1", "p2", "p4", "p5"}
    assert all(row["stance"] == row["topics"] == "" for row in rows)
    assert {row["chosen"] for row in rows} <= {"unsure", "random"}
    for row in rows[:3]:
        row |= {"stance": "state-led", "topics": "-"}
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    splits = load_splits(make_config(tmp_path, train=["train.jsonl", "sheet.csv"], labels=None), taxonomy, seed=1)
    assert {example.id for example in splits.train} == {"t0", "t1", "t2", *(row["id"] for row in rows[:3])}
    assert splits.n_left_out == 1
    write_rows(tmp_path / "more.jsonl", [{"id": "m", "text": "A row of no sheet, which nobody labelled."}])
    with pytest.raises(DataError):
        load_splits(make_config(tmp_path, train=["train.jsonl", "more.jsonl"], labels=None), taxonomy, seed=1)
    again = CliRunner().invoke(select, arguments)
    assert "already exists" in str(again.exception)


def test_a_sheet_of_excerpts_without_its_texts_is_a_labels_file(pool, tmp_path, taxonomy):
    sheet = tmp_path / "sheet.jsonl"
    arguments = [RELEASED, "--data", str(pool), "--excerpts", "9", "--rows", "2", "--output", str(sheet)]
    CliRunner().invoke(select, arguments, catch_exceptions=False)
    lines = [json.loads(line) for line in sheet.read_text("utf-8").splitlines()]
    assert {line["excerpt_of"] for line in lines} == {"p5"}
    assert all(line["text"] in normal for line in lines for normal in [" ".join(SENTENCES)])
    labels = [{key: value for key, value in line.items() if key != "text"} | {"stance": "neutral"} for line in lines]
    write_rows(tmp_path / "labels.jsonl", labels)
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    config = make_config(tmp_path, train=["train.jsonl", "pool.jsonl"], labels=["labels.jsonl"])
    found = {example.id: example.paragraph for example in load_splits(config, taxonomy, seed=1).train}
    assert {line["id"]: line["text"] for line in lines}.items() <= found.items()


def test_a_sheet_of_another_kind_is_refused_before_anything_is_scored(pool, tmp_path):
    answer = CliRunner().invoke(select, [RELEASED, "--data", str(pool), "--output", str(tmp_path / "sheet.xlsx")])
    assert "a sheet is one of .csv, .jsonl" in str(answer.exception)
    assert not (tmp_path / "sheet.xlsx").exists()
