"""Excerpts: some sentences of a row as a row of their own, of its document, drawn, scored and learnt from."""

import json

import pytest
from click.testing import CliRunner

from tests.training.test_data import full_rows, make_config, write_rows
from training.data import count_copies, load_splits, repeat_examples
from training.excerpts import Excerpt, draw_excerpts
from training.labels import ONLY_SCORED
from training.pseudocommands import pseudo_label
from twohands.errors import DataError

STANCE = {"state-led": 0.7, "market-led": 0.1, "neutral": 0.2}
TOPICS = {"sanctions": 0.0, "self-reliance": 0.9, "industrial-policy": 0.6, "regulation": 0.2}
SENTENCES = [
    "The ferry board met on a wet Tuesday to hear what its new berths had come to.",
    "Two of the five pumps stood idle, and no spare part had been ordered for either.",
    "A trader from the lower quay asked whether anybody but the board might sell ice.",
    "Nobody answered him, and the meeting went on to the colour of the waiting room.",
]


@pytest.fixture
def folder(tmp_path):
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    long = {"id": "p1", "text": "  ".join(SENTENCES), "group": "ferry", "source": "minutes", "page": 4}
    write_rows(tmp_path / "pool.jsonl", [long, {"id": "p2", "text": " ".join(SENTENCES[:3]).upper()}])
    return tmp_path


def load(folder, taxonomy, lines, **changes):
    write_rows(folder / "excerpts.jsonl", lines)
    config = make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=["excerpts.jsonl"], **changes)
    return load_splits(config, taxonomy, seed=1)


def line(identifier, of, sentences):
    return {"id": identifier, "excerpt_of": of, "sentences": sentences, "scores": {"stance": STANCE, "topics": TOPICS}}


def test_an_excerpt_is_a_row_of_its_row_s_document_and_the_row_itself_stays_out_without_a_label(folder, taxonomy):
    splits = load(folder, taxonomy, [line("a", "p1", [1, 3]), line("b", "p2", [0, 1]), line("c", "elsewhere", [0, 1])])
    found = {example.id: example for example in splits.train}
    assert sorted(found) == ["a", "b", "t0", "t1", "t2"]
    assert splits.n_left_out == 2
    assert found["a"].paragraph == f"{SENTENCES[1]} {SENTENCES[2]}"
    assert (found["a"].group, found["a"].source) == ("ferry", "minutes")
    assert (found["b"].group, found["b"].source) == ("p2", "pool")
    assert found["a"].columns[ONLY_SCORED]
    assert not {"page", "twohands.excerpt", "excerpt_of"} & set(found["a"].columns)
    assert found["a"].labels["stance"] == ("state-led",)
    assert [(file.split, file.name, file.n_rows) for file in splits.files] == [
        ("train", "train.jsonl", 3),
        ("train", "pool.jsonl", 0),
        ("labels", "excerpts.jsonl", 3),
        ("dev", "dev.jsonl", 3),
    ]


def test_labels_of_a_row_do_not_pass_to_its_excerpts(folder, taxonomy):
    rows = [json.loads(text) for text in (folder / "train.jsonl").read_text("utf-8").splitlines()]
    rows[0]["text"] = " ".join(SENTENCES)
    write_rows(folder / "train.jsonl", rows)
    found = {example.id: example for example in load(folder, taxonomy, [line("a", "t0", [0, 2])]).train}
    assert found["t0"].labels["topics"] != found["a"].labels["topics"] == ("self-reliance", "industrial-policy")


def test_a_reader_may_label_an_excerpt(folder, taxonomy):
    read = {"id": "a", "excerpt_of": "p1", "sentences": [2, 4], "stance": "market-led", "topics": []}
    found = {example.id: example for example in load(folder, taxonomy, [read]).train}
    assert found["a"].labels == {"stance": ("market-led",), "topics": ()}
    assert ONLY_SCORED not in found["a"].columns


def test_excerpts_of_a_file_come_several_times_an_epoch(folder, taxonomy):
    splits = load(folder, taxonomy, [line("a", "p1", [1, 3])], repeat={"excerpts.jsonl": 3})
    assert {example.id: count_copies(example) for example in splits.train} == {"t0": 1, "t1": 1, "t2": 1, "a": 3}
    assert sum(example.id == "a" for example in repeat_examples(splits.train)) == 3
    (folder / "later.jsonl").write_text((folder / "excerpts.jsonl").read_text("utf-8"), encoding="utf-8")
    both = make_config(
        folder, train=["train.jsonl", "pool.jsonl"], labels=["excerpts.jsonl", "later.jsonl"],
        repeat={"excerpts.jsonl": 3},
    )  # fmt: skip
    assert count_copies(next(e for e in load_splits(both, taxonomy, seed=1).train if e.id == "a")) == 3
    with pytest.raises(DataError, match="holds no excerpt"):
        load(folder, taxonomy, [{"id": "p1", "stance": "neutral"}], repeat={"excerpts.jsonl": 3})


def test_an_excerpt_leaves_with_the_document_that_is_held_out(folder, taxonomy):
    rows = [{**row, "id": f"{n}-{row['id']}", "text": f"{n} {row['text']}", "group": f"g{n}"}
            for n in range(8) for row in full_rows("t")]  # fmt: skip
    write_rows(folder / "train.jsonl", rows)
    pool = [{"id": f"p{n}", "text": f"Page {n}. " + " ".join(SENTENCES), "group": f"g{n}"} for n in range(8)]
    write_rows(folder / "pool.jsonl", pool)
    lines = [line(f"e{n}", f"p{n}", [0, 2]) for n in range(8)]
    splits = load(folder, taxonomy, lines, dev=None, dev_fraction=0.25)
    held = {example.group for example in splits.dev}
    assert len(held) == 2
    assert sorted(e.group for e in splits.train if e.id.startswith("e")) == sorted({f"g{n}" for n in range(8)} - held)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sentences": [3, 5]}, "asks for sentences 3 to 5 of 'p1', which has 4"),
        ({"sentences": [2, 2]}, "expected the first sentence from 0 and the one behind the last"),
        ({"sentences": [-1, 2]}, "expected the first sentence"),
        ({"sentences": "0-2"}, "expected the first sentence"),
        ({"sentences": [0.0, 2]}, "expected the first sentence"),
        ({"sentences": None}, "excerpt_of and sentences belong together"),
        ({"id": "t0"}, "id 't0' stands at"),
    ],
)
def test_what_is_wrong_with_an_excerpt_is_told(folder, taxonomy, changes, told):
    with pytest.raises(DataError) as caught:
        load(folder, taxonomy, [line("a", "p1", [0, 2]) | changes])
    assert told in str(caught.value)


def test_excerpts_are_drawn_by_the_seed_and_no_text_comes_twice():
    rows = [(f"r{n}", " ".join(f"Row {n} has {k} words and more of them, so that it is long enough here: {k}." for k in
                               range(6))) for n in range(20)]  # fmt: skip
    drawn = draw_excerpts(rows, n_excerpts=1000, seed=3)
    assert len(drawn) == 60, "three of each row"
    assert len({text for _, _, text in drawn}) == 60
    assert {excerpt.end - excerpt.first for _, excerpt, _ in drawn} == {2, 3}
    assert drawn == draw_excerpts(rows[::-1], n_excerpts=1000, seed=3)
    assert drawn != draw_excerpts(rows, n_excerpts=1000, seed=4)
    identifier, excerpt, text = draw_excerpts(rows, n_excerpts=1, seed=3)[0]
    assert identifier == f"{excerpt.row_id}#{excerpt.first}-{excerpt.end}"
    assert text in dict(rows)[excerpt.row_id]
    twice = [("a", rows[0][1]), ("b", rows[0][1])]
    assert len(draw_excerpts(twice, n_excerpts=9, seed=1)) == 6, "two rows of one text give six texts"
    with pytest.raises(DataError, match="none of 1 rows has more than two sentences"):
        draw_excerpts([("a", "One. Two.")], n_excerpts=1, seed=1)


def test_what_a_teacher_says_of_excerpts_trains_a_student(folder, tiny_model, taxonomy):
    output = folder / "excerpts.jsonl"
    words = [str(tiny_model), "--data", str(folder / "pool.jsonl"), "--excerpts", "9", "--output", str(output)]
    outcome = CliRunner().invoke(pseudo_label, words, catch_exceptions=False)
    assert outcome.exit_code == 0
    assert "wrote the scores of 5 excerpts" in outcome.output
    assert "no more than 5 of 9" in outcome.output
    lines = [json.loads(text) for text in output.read_text("utf-8").splitlines()]
    assert set(lines[0]) == {"id", "excerpt_of", "sentences", "scores"}
    config = make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=["excerpts.jsonl"])
    found = {example.id: example for example in load_splits(config, taxonomy, seed=1).train}
    assert {one["id"] for one in lines} <= set(found)
    one = Excerpt(lines[0]["excerpt_of"], *lines[0]["sentences"])
    assert len(found[lines[0]["id"]].paragraph.split(". ")) == one.end - one.first


def test_excerpts_that_readers_named_are_scored_as_whole_texts_of_the_same_words_are(folder, tiny_model, taxonomy):
    read = {"id": "p1#1-3", "excerpt_of": "p1", "sentences": [1, 3], "reader": "r", "stance": "market-led"}
    named = [read, {"id": "p2", "stance": "neutral"}]
    write_rows(folder / "read.jsonl", named)
    write_rows(folder / "more.jsonl", [line("p1#0-2", "p1", [0, 2]), line("p1#1-3", "p1", [1, 3])])
    write_rows(folder / "texts.jsonl", [{"id": "a", "text": " ".join(SENTENCES[1:3])}])
    words = [str(tiny_model), "--data", str(folder / "pool.jsonl"), "--output", str(folder / "scores.jsonl")]
    of = ["--excerpts-of", str(folder / "read.jsonl"), "--excerpts-of", str(folder / "more.jsonl")]
    outcome = CliRunner().invoke(pseudo_label, words + of, catch_exceptions=False)
    assert "wrote the scores of 2 excerpts" in outcome.output
    lines = {each["id"]: each for each in map(json.loads, (folder / "scores.jsonl").read_text("utf-8").splitlines())}
    assert {name: (each["excerpt_of"], each["sentences"]) for name, each in lines.items()} == {
        "p1#1-3": ("p1", [1, 3]),
        "p1#0-2": ("p1", [0, 2]),
    }
    whole = [str(tiny_model), "--data", str(folder / "texts.jsonl"), "--output", str(folder / "whole.jsonl")]
    CliRunner().invoke(pseudo_label, whole, catch_exceptions=False)
    assert json.loads((folder / "whole.jsonl").read_text("utf-8"))["scores"] == lines["p1#1-3"]["scores"]
    config = make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=["read.jsonl", "scores.jsonl"])
    found = {example.id: example for example in load_splits(config, taxonomy, seed=1).train}
    assert found["p1#1-3"].labels["stance"] == ("market-led",)
    assert ONLY_SCORED in found["p1#0-2"].columns


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([{"id": "p1", "stance": "neutral"}], "no line of the labels files has excerpt_of"),
        (
            [{"id": "x#0-1", "excerpt_of": "x", "sentences": [0, 1], "stance": "neutral"}],
            "1 of the rows.*'x' the first",
        ),
        ([{"id": "p1#0-9", "excerpt_of": "p1", "sentences": [0, 9], "stance": "neutral"}], "which has 4"),
    ],
)
def test_excerpts_that_cannot_be_cut_are_told_and_nothing_is_written(folder, tiny_model, lines, told):
    write_rows(folder / "read.jsonl", lines)
    words = [str(tiny_model), "--data", str(folder / "pool.jsonl"), "--output", str(folder / "scores.jsonl")]
    with pytest.raises(DataError, match=f"(?s){told}"):
        CliRunner().invoke(pseudo_label, [*words, "--excerpts-of", str(folder / "read.jsonl")], catch_exceptions=False)
    assert not (folder / "scores.jsonl").exists()
    both = CliRunner().invoke(pseudo_label, [*words, "--excerpts", "3", "--excerpts-of", str(folder / "read.jsonl")])
    assert both.exit_code == 2
