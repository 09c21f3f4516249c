"""Leave one source out: nothing of the source is learnt from, figures are those of the rows, and it is resumed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import f1_score

from training.data import Splits
from training.labels import ONLY_SCORED
from training.loso import list_sources, make_fold, make_in_domain
from training.losocommands import loso
from training.losotable import measure_source
from twohands.errors import ConfigError, DataError, RunConflictError
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
    return make_fold(splits, source, taxonomy, near_duplicate_jaccard=0.5)


def test_a_fold_holds_nothing_of_the_source(splits, taxonomy):
    fold = fold_without(splits, "forum", taxonomy)
    assert {e.source for e in [*fold.train, *fold.dev]} == {"gazette", "broadsheet"}
    assert [e.id for e in fold.asked] == [
        e.id for split in ("train", "dev", "test") for e in examples(split, "forum", 0)
    ]
    assert (len(fold.train), len(fold.dev), fold.n_dropped) == (8, 8, 0)


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


def test_rows_that_only_a_teacher_scored_are_left_out_but_not_asked_about(splits, taxonomy):
    labels = {"stance": ("neutral",), "topics": ()}
    splits.train.append(Example("scored", "Scored alone by a machine.", labels, "forum", "s", {ONLY_SCORED: True}))
    fold = fold_without(splits, "forum", taxonomy)
    assert "scored" not in {e.id for e in [*fold.train, *fold.asked]}


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
    assert same == {"value": 0.0, "low": 0.0, "high": 0.0}


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
    assert {p.name for p in Path("out").iterdir()} == {"in-domain.json", "forum.json", "loso.json", "loso.md"}

    # What was answered is not trained for again; what is new is.
    before = {p.name: p.stat().st_mtime_ns for p in Path("out").glob("*.json") if p.name != "loso.json"}
    table = Path("out/loso.md").read_text(encoding="utf-8")
    monkeypatch.setattr("training.loso.fit", lambda *_, **__: pytest.fail("trained again"))
    invoke(config, "--source", "forum", "--output", "out")
    assert {p.name: p.stat().st_mtime_ns for p in Path("out").glob("*.json") if p.name != "loso.json"} == before
    assert Path("out/loso.md").read_text(encoding="utf-8") == table
    with pytest.raises(RunConflictError):
        invoke(config, "--source", "forum", "--output", "out", "--set", "optim.learning_rate=0.001")


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
