"""Leave one source out: nothing of the source is learnt from, figures are those of the rows, and it is resumed."""

import dataclasses
import errno
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import f1_score

from training.config import load_config
from training.data import Splits
from training.labels import ONLY_SCORED
from training.loso import Source, _slug, answer_fold, deal_sources, list_sources, make_fold, make_in_domain, tell_apart
from training.losocommands import loso
from training.losotable import measure_source, summarise
from training.restated import find_restated
from twohands.errors import ConfigError, DataError, FileWriteError, RunConflictError
from twohands.examples import Example

SOURCES = ("gazette", "forum", "broadsheet")


def text(number: int) -> str:
    return f"Paper {number} of the {number}th sitting says that the {number}th port board met on day {number}"


def examples(prefix: str, source: str, first: int) -> list[Example]:
    """A row for each stance, each with another topic, and one with the fourth topic."""
    stances = ["state-led", "market-led", "neutral", "neutral"]
    topics = ["sanctions", "self-reliance", "industrial-policy", "regulation"]
    group = f"{prefix}{source}"
    return [
        Example(f"{group}{n}", text(first + n), {"stance": (stance,), "topics": (topic,)}, source, group)
        for n, (stance, topic) in enumerate(zip(stances, topics, strict=True))
    ]


@pytest.fixture
def splits() -> Splits:
    made = {
        split: [e for k, source in enumerate(SOURCES) for e in examples(split, source, 100 * number + 10 * k)]
        for number, split in enumerate(("train", "dev", "test"))
    }
    return Splits(made["train"], made["dev"], made["test"], [])


def fold_without(splits: Splits, name: str, taxonomy):
    (source,) = [source for source in list_sources(splits) if source.name == name]
    return make_fold(splits, [source], taxonomy, near_duplicate_jaccard=0.5)


def test_a_fold_holds_nothing_of_the_source(splits, taxonomy):
    fold = fold_without(splits, "forum", taxonomy)
    assert {e.source for e in [*fold.train, *fold.dev]} == {"gazette", "broadsheet"}
    assert [e.id for e in fold.asked] == [
        e.id for split in ("train", "dev", "test") for e in examples(split, "forum", 0)
    ]
    assert (len(fold.train), len(fold.dev), fold.n_dropped) == (8, 8, 0)


@pytest.mark.issue(3)
def test_an_id_that_stands_in_two_splits_is_answered_twice(taxonomy):
    made = {
        split: [Example(str(n), e.paragraph, e.labels, e.source, e.group)
                for n, e in enumerate(examples(split, "forum", first))]
        for split, first in (("train", 0), ("dev", 10), ("test", 20))
    }  # fmt: skip
    made["dev"].reverse()  # so that the same number has another label
    made["dev"] = [dataclasses.replace(e, id=str(n)) for n, e in enumerate(made["dev"])]
    splits = tell_apart(Splits(**made, files=[]))
    (source,) = list_sources(splits)
    right = {e.id: {head: list(names) for head, names in e.labels.items()} for e in source.rows}
    assert len(right) == 12
    (row,) = summarise([[source]], {"forum": right}, right, taxonomy, seed=1)
    assert row["all"]["stance"]["left_out"]["value"] == 1
    alone = Splits(made["train"], [], [], [])
    assert tell_apart(alone) == alone


@pytest.mark.issue(3)
def test_rows_that_are_told_apart_still_restate_what_they_did():
    def rows(split: str, *numbers: str) -> list[Example]:
        labels = {"stance": ("neutral",), "topics": ()}
        return [Example(n, text(int(n)), labels, "forum", f"{split}-1", {"restates": "1"} if n != "1" else {})
                for n in numbers]  # fmt: skip

    splits = tell_apart(Splits(rows("train", "1", "2", "3"), rows("dev", "1", "2"), [], files=[]))
    assert [row.id for row in splits.train] == ["train:1", "train:2", "3"]
    assert {name: row.id for name, row in find_restated(splits.train).items()} == {"train:2": "train:1", "3": "train:1"}


@pytest.mark.issue(3)
def test_folds_of_different_sources_have_different_files(splits, taxonomy):
    fold = fold_without(splits, "forum", taxonomy)
    named = [("a/b",), ("a b",), ("in-domain",), ("a b", "c"), ()]
    slugs = [_slug(dataclasses.replace(fold, name=(left_out or ("in-domain",))[0], left_out=left_out))
             for left_out in named]  # fmt: skip
    assert len(set(slugs)) == len(named)
    assert slugs[-1] == "in-domain"


def test_rows_that_share_a_document_or_a_text_with_the_source_go_too(splits, taxonomy):
    labels = {"stance": ("neutral",), "topics": ()}
    near = text(10).replace("on day 10", "on day ten")
    splits.train.extend(
        [
            Example("same-document", "Nothing like it.", labels, "gazette", "trainforum"),
            Example("same-text", text(10).upper() + "!", labels, "gazette", "g1"),
            Example("nearly-same-text", near, labels, "gazette", "g2"),
            Example("other", "A text of its own that nobody else has.", labels, "gazette", "g3"),
        ]
    )
    fold = fold_without(splits, "forum", taxonomy)
    kept = {e.id for e in fold.train}
    assert "other" in kept
    assert not {"same-document", "same-text", "nearly-same-text"} & kept
    assert fold.n_dropped == 3


@pytest.mark.issue(3)
def test_all_rows_of_a_document_go_that_pandas_spelt_otherwise(splits, taxonomy):
    labels = {"stance": ("neutral",), "topics": ()}
    splits.train.append(Example("seventh", "The seventh sitting was put off.", labels, "forum", "7"))
    splits.train.extend(
        Example(f"seven{n}", f"Of paper {n} nobody has said a word.", labels, "gazette", "7.0") for n in range(3)
    )
    fold = fold_without(splits, "forum", taxonomy)
    assert "7.0" not in {e.group for e in fold.train}
    assert fold.n_dropped == 3


@pytest.fixture
def ask_again(tmp_path, monkeypatch):
    """Ask a fold whose training is left out, into the same folder each time."""
    monkeypatch.setattr("training.loso.fit", lambda *_, **__: tmp_path)
    monkeypatch.setattr("training.loso.export_checkpoint", lambda *_, **__: None)
    monkeypatch.setattr("training.loso.Classifier.load", lambda *_, **__: None)
    monkeypatch.setattr("training.loso.answer", lambda *_, **__: {"r1": {}})
    output = tmp_path / "out"

    def ask(fold, run, taxonomy):
        (output / _slug(fold)).mkdir(parents=True, exist_ok=True)
        encoder = SimpleNamespace(sha256="0" * 64)
        return answer_fold(fold, run, taxonomy, encoder, output=output, restart=False, say=lambda _: None)

    return ask


@pytest.mark.issue(3)
def test_a_fold_whose_rows_restate_others_is_not_taken_for_one_of_rows_that_do_not(splits, taxonomy, config, ask_again):
    run, _ = load_config(config, overrides=["loss.consistency_weight=2"])
    fold = fold_without(splits, "forum", taxonomy)
    first, other = [e for e in fold.train if e.labels["stance"] == ("neutral",)][:2]
    restating = dataclasses.replace(first, labels=other.labels, columns={"restates": other.id})
    train = [restating if e is first else e for e in fold.train]
    plain = [dataclasses.replace(e, columns={}) for e in train]
    assert ask_again(dataclasses.replace(fold, train=plain), run, taxonomy) == {"r1": {}}
    assert ask_again(dataclasses.replace(fold, train=plain), run, taxonomy) == {"r1": {}}
    with pytest.raises(RunConflictError, match="restated_sha256"):
        ask_again(dataclasses.replace(fold, train=train), run, taxonomy)


@pytest.mark.issue(3)
def test_a_fold_is_not_taken_for_one_whose_rows_stood_in_another_order(splits, taxonomy, config, ask_again):
    run, _ = load_config(config)
    fold = fold_without(splits, "forum", taxonomy)
    ask_again(fold, run, taxonomy)
    # As where rows have no ids, and are named by their lines.
    names = [example.id for example in fold.asked]
    turned = [dataclasses.replace(e, id=name) for e, name in zip(fold.asked, reversed(names), strict=True)]
    with pytest.raises(RunConflictError, match="asked_texts_sha256"):
        ask_again(dataclasses.replace(fold, asked=turned), run, taxonomy)
    with pytest.raises(RunConflictError, match="order_sha256"):
        ask_again(dataclasses.replace(fold, train=fold.train[::-1]), run, taxonomy)
    # Whatever the order of the file, an answer that is kept by id is that row's.
    assert ask_again(dataclasses.replace(fold, asked=fold.asked[::-1]), run, taxonomy) == {"r1": {}}


def test_rows_that_only_a_teacher_scored_are_left_out_but_not_asked_about(splits, taxonomy):
    labels = {"stance": ("neutral",), "topics": ()}
    splits.train.append(Example("scored", "Scored alone by a machine.", labels, "forum", "s", {ONLY_SCORED: True}))
    fold = fold_without(splits, "forum", taxonomy)
    assert "scored" not in {e.id for e in [*fold.train, *fold.asked]}


def test_sources_are_dealt_into_folds_of_like_size():
    sources = [Source(name, [Example(f"{name}{n}", "", {}, name, name) for n in range(rows)], [])
               for name, rows in (("a", 9), ("b", 6), ("c", 5), ("d", 4), ("e", 1))]  # fmt: skip
    dealt = deal_sources(sources, 3)
    assert [[source.name for source in fold] for fold in dealt] == [["a"], ["b", "e"], ["c", "d"]]
    assert [[source.name for source in fold] for fold in deal_sources(sources, 9)] == [
        [*"a"],
        [*"b"],
        [*"c"],
        [*"d"],
        [*"e"],
    ]


def test_sources_left_out_together_are_all_gone_and_all_asked_about(splits, taxonomy):
    group = [source for source in list_sources(splits) if source.name in {"forum", "gazette"}]
    fold = make_fold(splits, group, taxonomy, near_duplicate_jaccard=0.5)
    assert {e.source for e in [*fold.train, *fold.dev]} == {"broadsheet"}
    assert {e.source for e in fold.asked} == {"forum", "gazette"}
    assert len(fold.asked) == 24


def test_all_sources_together_are_answered_by_the_models_that_never_saw_them(splits, taxonomy):
    groups = deal_sources(list_sources(splits), 2)
    rows = [e for source in list_sources(splits) for e in source.rows]
    told = {e.id: {head: list(names) for head, names in e.labels.items()} for e in rows}
    astray = {e.id: {"stance": ["neutral"], "topics": []} for e in rows}
    # One fold is right throughout, the other never: each source has its own model's figure.
    folds = {s.name: told if n == 0 else astray for n, group in enumerate(groups) for s in group}
    *alone, together = summarise(groups, folds, told, taxonomy, seed=1)
    assert [row["fold"] for row in alone] == [1, 2, 1]
    assert [row["all"]["stance"]["left_out"]["value"] == 1 for row in alone] == [True, False, True]
    expected = f1_score(
        [e.labels["stance"][0] for e in rows], [folds[e.source][e.id]["stance"][0] for e in rows], average="macro"
    )
    assert together["source"] is None
    assert together["n_rows"] == len(rows)
    assert together["all"]["stance"]["left_out"]["value"] == pytest.approx(expected)
    assert together["held_out"]["stance"]["in_domain"]["value"] == 1
    (only,) = summarise(groups[1:], folds, told, taxonomy, seed=1)
    assert only["source"] is not None, "one source has no sum"


def test_a_fold_whose_rest_lacks_a_label_is_refused(splits, taxonomy):
    only = [e for e in splits.train if e.source == "forum" or e.labels["stance"] != ("market-led",)]
    with pytest.raises(DataError):
        fold_without(Splits(only, splits.dev, splits.test, []), "forum", taxonomy)


def test_held_out_rows_are_those_of_test_or_else_of_dev(splits):
    assert {e.id for s in list_sources(splits) for e in s.held_out} == {e.id for e in splits.test}
    without = Splits(splits.train, splits.dev, [], [])
    assert {e.id for s in list_sources(without) for e in s.held_out} == {e.id for e in splits.dev}
    assert make_in_domain(without).asked == splits.dev


def test_figures_are_those_of_scikit_learn_and_differences_are_paired(taxonomy):
    generator = np.random.default_rng(0)
    names = taxonomy.heads[0].label_names[:2]  # the third never occurs
    rows = [
        Example(f"r{n}", text(n), {"stance": (names[n % 2],), "topics": None}, "s", f"g{n // 2}") for n in range(40)
    ]

    def answers(share: float) -> dict[str, dict[str, list[str]]]:
        wrong = generator.random(40) > share
        return {e.id: {"stance": [names[(n + wrong[n]) % 2]], "topics": ["sanctions"]} for n, e in enumerate(rows)}

    good, bad = answers(0.9), answers(0.5)
    figures = measure_source(rows, {"left_out": bad, "in_domain": good}, taxonomy, seed=1)
    assert list(figures) == ["stance"], "no row is labelled for topics"
    stance = figures["stance"]
    assert (stance["n_rows"], stance["labels"]) == (40, names)
    truth = [e.labels["stance"][0] for e in rows]
    for model, given in (("left_out", bad), ("in_domain", good)):
        expected = f1_score(truth, [given[e.id]["stance"][0] for e in rows], labels=names, average="macro")
        assert stance[model]["value"] == pytest.approx(expected)
        assert stance[model]["low"] < expected < stance[model]["high"]
    difference = stance["difference"]
    assert difference["value"] == pytest.approx(stance["left_out"]["value"] - stance["in_domain"]["value"])
    assert difference["high"] < 0
    same = measure_source(rows, {"left_out": good, "in_domain": good}, taxonomy, seed=1)["stance"]["difference"]
    assert same == {"value": 0.0, "low": None, "high": None}  # no draw differs, and that proves nothing


@pytest.mark.issue(3)
def test_a_draw_that_lost_a_label_says_nothing_of_it(taxonomy):
    rows = [
        Example(f"r{n}", text(n), {"stance": (("neutral", "market-led")[n < 5],), "topics": None}, "s", f"g{n}")
        for n in range(60)
    ]
    right = {e.id: {"stance": list(e.labels["stance"]), "topics": []} for e in rows}
    slip = right | {"r59": {"stance": ["market-led"], "topics": []}}
    enough = measure_source(rows, {"left_out": slip}, taxonomy, seed=1)["stance"]["left_out"]
    assert 0.7 < enough["low"] < enough["value"] < enough["high"]  # below .5 where the label were 0 when it is lost
    rare = measure_source(rows[1:], {"left_out": slip}, taxonomy, seed=1)["stance"]["left_out"]
    assert (rare["low"], rare["high"]) == (None, None)  # one of the labels is in four documents
    few = measure_source(rows[:4], {"left_out": right, "in_domain": right}, taxonomy, seed=1)["stance"]
    assert few["left_out"] == {"value": 1.0, "low": None, "high": None}
    assert few["difference"] == {"value": 0.0, "low": None, "high": None}


@pytest.fixture
def config(write_run) -> Path:
    """A run whose rows come from two sources, in every split."""
    path = write_run(n_rows=160, n_dev=60, optim__batch_size=32, encoder__num_layers=1)
    for file in (path.parent / "rows").glob("*.jsonl"):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            row["source"] = SOURCES[hash_of(row) % 2]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def hash_of(row: dict[str, object]) -> int:
    return sum(map(ord, str(row["group"])))


def invoke(*arguments: object):
    return CliRunner().invoke(loso, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.issue(3)
def test_files_that_are_taken_for_sources_are_told_of(write_run):
    config = write_run(n_rows=32, n_dev=32)
    for split in ("dev", "test", "train"):
        file = config.parent / f"rows/{split}.jsonl"
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        rows = [row | {"source": None if n % 2 and split != "test" else "forum"} for n, row in enumerate(rows)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    listed = invoke(config, "--list").output
    assert "loso: rows without a column `source` are taken to come from their file: dev, train\n" in listed


def test_the_command_leaves_a_source_out_and_goes_on_where_it_was(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = invoke(config, "--list").output
    assert [line.split()[0] for line in listed.splitlines()[1:] if line.strip()] != []
    with pytest.raises(DataError):
        invoke(config, "--source", "nowhere")

    outcome = invoke(config, "--source", "forum", "--output", "out")
    assert outcome.exit_code == 0
    report = json.loads(Path("out/loso.json").read_text(encoding="utf-8"))
    (row,) = report["sources"]
    assert row["source"] == "forum"
    assert report["held_out_split"] == "test"
    assert row["all"]["stance"]["n_rows"] == row["n_rows"] > row["n_held_out"] > 0
    assert set(row["held_out"]["topics"]) >= {"left_out", "in_domain", "difference"}
    assert "| forum |" in Path("out/loso.md").read_text(encoding="utf-8")
    (answers,) = Path("out").glob("forum-*.json")
    assert {p.name for p in Path("out").iterdir()} == {"in-domain.json", answers.name, "loso.json", "loso.md"}

    # What was answered is not trained for again; what is new is.
    before = {p.name: p.stat().st_mtime_ns for p in Path("out").glob("*.json") if p.name != "loso.json"}
    table = Path("out/loso.md").read_text(encoding="utf-8")
    monkeypatch.setattr("training.loso.fit", lambda *_, **__: pytest.fail("trained again"))
    with monkeypatch.context() as full:  # answers that are all there need no room for checkpoints (#3)
        full.setattr("training.room.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
        invoke(config, "--source", "forum", "--output", "out")
        with pytest.raises(FileWriteError, match="make room"):
            invoke(config, "--source", "forum", "--output", "out", "--restart")
    assert {p.name: p.stat().st_mtime_ns for p in Path("out").glob("*.json") if p.name != "loso.json"} == before
    assert Path("out/loso.md").read_text(encoding="utf-8") == table
    with pytest.raises(RunConflictError):
        invoke(config, "--source", "forum", "--output", "out", "--set", "optim.learning_rate=0.001")
    # A teacher that says something else of a row trains another model.
    kept = json.loads(answers.read_text(encoding="utf-8"))
    kept["identity"]["scores_sha256"] = "0" * 64
    answers.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(RunConflictError):
        invoke(config, "--source", "forum", "--output", "out")


@pytest.mark.issue(3)
def test_nothing_is_trained_where_no_source_can_be_left_out(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.loso.fit", lambda *_, **__: pytest.fail("trained for nothing"))
    for file in (config.parent / "rows").glob("*.jsonl"):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        file.write_text("".join(json.dumps(row | {"source": "all"}) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError, match="no source can be left out") as caught:
        invoke(config)
    assert caught.value.faults[0].startswith("all: train has no row with stance")
    with pytest.raises(DataError, match="no source can be left out") as caught:
        invoke(config, "--min-rows", "1000")
    assert caught.value.faults[0].endswith("fewer than 1000")
    assert not Path("runs").exists()


@pytest.mark.slow
def test_sources_go_together_in_folds(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in (config.parent / "rows").glob("*.jsonl"):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            row["source"] = SOURCES[hash_of(row) % 3]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    listed = invoke(config, "--list", "--folds", "2").output.splitlines()
    assert listed[0].split()[-1] == "FOLD"
    assert [line.split()[-1] for line in listed[1:4]] == ["1", "2", "2"]

    outcome = invoke(config, "--folds", "2", "--output", "out")
    assert outcome.exit_code == 0
    *alone, together = json.loads(Path("out/loso.json").read_text(encoding="utf-8"))["sources"]
    assert sorted(row["fold"] for row in alone) == [1, 2, 2]
    assert together["n_rows"] == sum(row["n_rows"] for row in alone)
    assert len([p for p in Path("out").glob("*.json") if "and_1_more" in p.name]) == 1
    table = Path("out/loso.md").read_text(encoding="utf-8")
    assert "left out together" in table
    assert table.count("| **all of these** |") == 3


def test_weights_that_may_have_learnt_from_the_source_are_refused(config, tmp_path, tiny_encoder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        invoke(config, "--set", "start={checkpoint: runs/first/checkpoint, replay: 0.3}", "--list")
    teacher = tmp_path / "teacher"
    shutil.copytree(tiny_encoder, teacher)
    settings = {"run_name": "big", "license": "MIT", "encoder": {"name": "tiny"}}
    (teacher / "run.json").write_text(json.dumps({"settings": settings}), encoding="utf-8")
    with pytest.raises(ConfigError):
        invoke(config, "--source", "forum", "--set", f"encoder.name={teacher}")


def test_a_model_that_learnt_from_other_rows_is_not_taken_for_in_domain(config, tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        invoke(config, "--source", "forum", "--beside", tiny_model)


@pytest.mark.issue(3)
def test_a_folder_that_cannot_take_a_fold_is_named_before_anything_is_trained(config, tmp_path, monkeypatch):
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    with pytest.raises(FileWriteError, match="--output"):
        invoke(config, "--output", tmp_path / "notes")
    monkeypatch.setattr("training.room.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(FileWriteError, match="make room"):
        invoke(config, "--output", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.json"))


@pytest.mark.issue(3)
def test_a_disk_that_fills_up_during_a_fold_is_named(config, tmp_path, monkeypatch):
    def fill(*_args: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.loso.fit", fill)
    with pytest.raises(FileWriteError, match="goes on where it was"):
        invoke(config, "--output", tmp_path / "out")
