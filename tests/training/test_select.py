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
from training.pseudo import read_unlabelled
from training.select import choose, measure_uncertainty, read_candidates
from training.selectcommands import select
from twohands.errors import DataError, FileWriteError

SURE, TORN = [0.98, 0.01, 0.01], [0.5, 0.49, 0.01]
NO_TOPIC, ONE_TORN = [0.01, 0.01, 0.01, 0.01], [0.01, 0.5, 0.01, 0.01]
RELEASED = str(Path(__file__).parents[2] / "models" / "twohands")


def read_csv(path):
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def write_csv(path, rows):
    with path.open("w", encoding="utf-8-sig", newline="") as stream:  # as it came
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


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


@pytest.mark.issue(3)
def test_nought_is_a_document_and_a_blank_cell_no_label(tmp_path, taxonomy):
    rows = [{"id": "z0", "text": "One.", "group": 0, "source": 0, "stance": "neutral", "topics": ""},
            {"id": "z1", "text": "Two.", "group": 0.0, "stance": "neutral", "topics": " "},
            {"id": "z2", "text": "Three.", "group": "", "source": "", "stance": "neutral", "topics": []},
            {"id": "z3", "text": "Four.", "group": "", "source": "", "topics": "-"}]  # fmt: skip
    write_rows(tmp_path / "rows.jsonl", rows)
    found, n_passed = read_candidates([tmp_path / "rows.jsonl"], taxonomy)
    assert n_passed == 1
    assert {candidate.id: candidate.cells for candidate in found} == {
        "z0": {"group": "0", "source": 0, "stance": "neutral"},
        "z1": {"group": "0", "stance": "neutral"},
        "z3": {"group": "z3", "topics": []},
    }


@pytest.mark.issue(3)
def test_rows_of_a_document_called_nan_are_documents_of_their_own(tmp_path, taxonomy):
    path = tmp_path / "rows.csv"
    path.write_text("id,text,group\na,One.,nan\nb,Two.,<NA>\nc,Three.,None\nd,Four.,doc\n")
    found, _ = read_candidates([path], taxonomy)
    assert [candidate.cells["group"] for candidate in found] == ["a", "b", "c", "doc"]


@pytest.mark.issue(3)
def test_a_blank_beside_scores_is_a_label_that_none_applies(tmp_path, taxonomy):
    answer = {"topics": "", **{f"topics_score_{name}": 0.1 for name in taxonomy.heads[1].label_names}}
    rows = [{"id": f"p{n}", "text": f"Text number {n}.", **answer} for n in range(2)]
    write_rows(tmp_path / "pool.jsonl", [rows[0] | {"stance": "neutral"}, rows[1]])
    (found,), n_passed = read_candidates([tmp_path / "pool.jsonl"], taxonomy)
    assert (found.id, found.cells, n_passed) == ("p1", {"group": "p1", "topics": []}, 1)


def test_faults_of_rows_are_told_all_at_once(tmp_path, taxonomy):
    write_rows(tmp_path / "bad.jsonl", [{"text": "No id."}, {"id": "a", "text": " "}, {"id": "b", "text": "B."},
                                        {"id": "b", "text": "B."}])  # fmt: skip
    with pytest.raises(DataError) as caught:
        read_candidates([tmp_path / "bad.jsonl"], taxonomy)
    assert [part in str(caught.value) for part in ("no id", "bad.jsonl:2", "'b' stands twice")] == [True] * 3


@pytest.mark.issue(3)
def test_a_file_without_ids_is_one_fault(tmp_path, taxonomy):
    write_rows(tmp_path / "bare.jsonl", [{"ids": str(n), "text": f"Text {n}."} for n in range(60)])
    for read in (lambda path: read_candidates([path], taxonomy), lambda path: read_unlabelled([path])):
        with pytest.raises(DataError) as caught:
            read(tmp_path / "bare.jsonl")
        (fault,) = caught.value.faults
        assert "bare.jsonl:1 and 59 more rows: no id, " in fault
        assert "(columns: ids, text)" in fault


@pytest.mark.issue(3)
def test_a_known_file_without_ids_is_one_fault(pool, tmp_path, taxonomy):
    (tmp_path / "known.csv").write_text("name,stance\np1,neutral\np2,neutral\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_candidates([pool], taxonomy, known=[tmp_path / "known.csv"])
    (fault,) = caught.value.faults
    assert fault.startswith(f"{tmp_path / 'known.csv'}:2 and 1 more row: no id, by which")
    assert "(columns: name, stance)" in fault


@pytest.mark.issue(3)
def test_half_of_an_emoji_and_a_blank_name_no_row(tmp_path, taxonomy):
    write_rows(tmp_path / "pool.jsonl", [{"id": name, "text": "A text."} for name in ("a\ud83d", " ", "c")])
    with pytest.raises(DataError) as caught:
        read_candidates([tmp_path / "pool.jsonl"], taxonomy)
    assert [fault.split(": ", 1)[1].split(" cannot")[0] for fault in caught.value.faults] == ["id 'a\\ud83d'", "id ''"]


@pytest.mark.issue(3)
def test_a_column_of_another_case_is_one_fault(tmp_path, taxonomy):
    write_rows(tmp_path / "pool.jsonl", [{"id": f"p{n}", "text": f"Text {n}.", "Group": "g"} for n in range(3)])
    with pytest.raises(DataError) as caught:
        read_candidates([tmp_path / "pool.jsonl"], taxonomy)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{tmp_path / 'pool.jsonl'}:1 and 2 more rows: column 'Group' is not 'group'")


def test_a_sheet_of_csv_is_filled_in_and_trained_on(pool, tmp_path, taxonomy):
    sheet = tmp_path / "sheet.csv"
    arguments = [RELEASED, "--data", str(pool), "--rows", "4", "--output", str(sheet)]
    answer = CliRunner().invoke(select, arguments, catch_exceptions=False)
    assert "wrote 4 of 4 rows" in answer.stderr
    assert "1 more have their labels" in answer.stderr
    assert sheet.read_bytes().startswith(b"\xef\xbb\xbfid,")  # else Excel misreads accents
    rows = read_csv(sheet)
    assert {row["id"] for row in rows} == {"p1", "p2", "p4", "p5"}
    assert {row["id"]: row["stance"] for row in rows if row["stance"]} == {"p4": "neutral"}
    assert all(row["topics"] == "" for row in rows)
    assert {row["chosen"] for row in rows} <= {"unsure", "random"}
    rows.sort(key=lambda row: row["id"] == "p2")
    for row in rows[:3]:
        row |= {"stance": "state-led", "topics": "-"}
    write_csv(sheet, rows)
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


@pytest.mark.issue(5)
def test_no_cell_of_a_sheet_is_a_formula_and_all_are_read_as_they_were(tmp_path, taxonomy):
    texts = {"=A1": "=HYPERLINK(A1) it says.", "b": "- Prices are the market's own affair.", "c": "'@a' it says."}
    pool = [{"id": i, "text": text, "stance": None, "source": "+x", "group": "-1"} for i, text in texts.items()]
    write_rows(tmp_path / "pool.jsonl", pool)
    sheet = tmp_path / "sheet.csv"
    arguments = [RELEASED, "--data", str(tmp_path / "pool.jsonl"), "--rows", "9", "--output", str(sheet)]
    CliRunner().invoke(select, arguments, catch_exceptions=False)
    rows = read_csv(sheet)
    assert [cell for row in rows for cell in row.values() if cell[:1] in {"=", "+", "-", "@"}] == ["-1"] * 3
    write_csv(sheet, [row | {"stance": "neutral", "topics": "-"} for row in rows])
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    for config in (
        make_config(tmp_path, train=["train.jsonl", "sheet.csv"], labels=None),
        make_config(tmp_path, train=["train.jsonl", "pool.jsonl"], labels=["sheet.csv"]),
    ):
        found = {each.id: each for each in load_splits(config, taxonomy, seed=1).train if each.source == "+x"}
        assert {i: each.paragraph for i, each in found.items()} == texts
        assert all(each.labels == {"stance": ("neutral",), "topics": ()} for each in found.values())


@pytest.mark.issue(3)
def test_a_sheet_of_half_labelled_rows_keeps_their_labels_and_is_laid_over_them(tmp_path, taxonomy):
    half = [{"id": "h0", "text": "The levy was read a second time.", "stance": "neutral", "topics": None},
            {"id": "h1", "text": "Prices are the market's own affair.", "topics": ["regulation", "sanctions"]},
            {"id": "h2", "text": "It rained on the harbour.", "topics": []},
            {"id": "h3", "text": "Nobody looked at this one."}]  # fmt: skip
    write_rows(tmp_path / "half.jsonl", half)
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    told = {}
    for name in ("sheet.csv", "sheet.jsonl", "OTHER.CSV"):
        arguments = [RELEASED, "--data", str(tmp_path / "half.jsonl"), "--rows", "9", "--output", str(tmp_path / name)]
        told[name] = CliRunner().invoke(select, arguments, catch_exceptions=False).stderr
        assert "4 of 9: there are no more" in told[name]
        assert f"data.train=[..., {tmp_path / name}]" in told[name]
        assert f"data.labels=[{tmp_path / name}]" in told[name]
    assert (tmp_path / "OTHER.CSV").read_bytes() == (tmp_path / "sheet.csv").read_bytes()
    found = {row["id"]: (row["stance"], row["topics"]) for row in read_csv(tmp_path / "sheet.csv")}
    assert found == {"h0": ("neutral", ""), "h1": ("", "sanctions|regulation"), "h2": ("", "-"), "h3": ("", "")}
    lines = [json.loads(line) for line in (tmp_path / "sheet.jsonl").read_text("utf-8").splitlines()]
    assert {line["id"]: (line["stance"], line["topics"]) for line in lines} == {
        "h0": ("neutral", None), "h1": (None, ["sanctions", "regulation"]), "h2": (None, []), "h3": (None, None)
    }  # fmt: skip
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(sheet.read_text("utf-8").replace("harbour.,,-", "harbour.,state-led,-"), encoding="utf-8")
    config = make_config(tmp_path, train=["train.jsonl", "half.jsonl"], labels=["sheet.csv"])
    splits = load_splits(config, taxonomy, seed=1)
    laid = {example.id: example.labels for example in splits.train if example.id.startswith("h")}
    assert laid["h2"] == {"stance": ("state-led",), "topics": ()}
    assert set(laid) == {"h0", "h1", "h2"}
    assert splits.n_left_out == 1
    write_rows(tmp_path / "half.jsonl", [{"id": "h0", "text": "One.", "stance": "Neutral"}])
    with pytest.raises(DataError, match="did you mean 'neutral'"):
        read_candidates([tmp_path / "half.jsonl"], taxonomy)


@pytest.mark.issue(3)
def test_the_bound_on_a_document_is_named_where_it_kept_rows_back(tmp_path):
    write_rows(tmp_path / "pool.jsonl", [{"id": f"p{n}", "text": f"Text {n}.", "group": "g"} for n in range(3)])
    arguments = [RELEASED, "--data", str(tmp_path / "pool.jsonl"), "--rows", "9", "--overwrite"]
    arguments += ["--output", str(tmp_path / "sheet.csv")]
    free = CliRunner().invoke(select, arguments, catch_exceptions=False)
    assert "--most-of-group" not in free.stderr
    bound = CliRunner().invoke(select, [*arguments, "--most-of-group", "2"], catch_exceptions=False)
    assert "2 of 9: no more than --most-of-group 2" in bound.stderr


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


@pytest.mark.issue(3)
def test_a_sheet_of_excerpts_in_csv_brings_rows_of_their_own(pool, tmp_path, taxonomy):
    sheet = tmp_path / "sheet.csv"
    arguments = [RELEASED, "--data", str(pool), "--excerpts", "9", "--rows", "2", "--output", str(sheet)]
    CliRunner().invoke(select, arguments, catch_exceptions=False)
    rows = read_csv(sheet)
    assert list(rows[0]) == ["id", "text", "stance", "topics", "source", "group", "chosen"]
    assert all(row["text"] in " ".join(SENTENCES) and row["id"].startswith("p5#") for row in rows)
    write_csv(sheet, [row | {"stance": "neutral", "topics": "-"} for row in rows])
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    splits = load_splits(make_config(tmp_path, train=["train.jsonl", "sheet.csv"], labels=None), taxonomy, seed=1)
    found = {row.id: (row.labels["stance"], row.labels["topics"]) for row in splits.train}
    assert {row["id"]: (("neutral",), ()) for row in rows}.items() <= found.items()


def test_a_sheet_of_another_kind_is_refused_before_anything_is_scored(pool, tmp_path):
    answer = CliRunner().invoke(select, [RELEASED, "--data", str(pool), "--output", str(tmp_path / "sheet.xlsx")])
    assert "a sheet is one of .csv, .jsonl" in str(answer.exception)
    assert not (tmp_path / "sheet.xlsx").exists()


@pytest.mark.issue(3)
def test_a_sheet_that_cannot_be_written_is_refused_before_anything_is_scored(pool, tmp_path, monkeypatch):
    monkeypatch.setattr("training.select.select_rows", None)  # not reached
    (tmp_path / "file").write_text("")
    answer = CliRunner().invoke(select, [RELEASED, "--data", str(pool), "--output", str(tmp_path / "file" / "s.csv")])
    assert isinstance(answer.exception, FileWriteError)
    assert "--output" in str(answer.exception)
