"""Rows that say what another row says: found, checked, told of, shown beside it, and part of what a run is."""

import json

import pytest
import yaml

from tests.training.test_data import full_rows, make_config, write_rows
from tests.training.test_run import losses, run_fit
from training.config import load_config
from training.data import load_splits
from training.identity import list_changes
from training.kept import read_kept, write_kept
from training.restated import (
    check_consistency,
    describe_restated,
    find_restated,
    fingerprint_restated,
    pair_restated,
    take_pair,
)
from twohands.errors import ConfigError, DataError, RunConflictError
from twohands.examples import Example

NEUTRAL = {"stance": ("neutral",), "topics": ("sanctions", "regulation")}


def row(name, text, labels=NEUTRAL, **columns):
    return Example(
        id=name, paragraph=text, labels=labels, source="s", group="g", columns=columns, place=f"rows.jsonl:{name}"
    )


BASE = row("a", "The yard was closed.")
PASSIVE = row("b", "They shut the yard.", restates="a")


def test_a_row_is_shown_beside_the_one_that_it_restates_and_others_beside_themselves():
    rows = [PASSIVE, BASE, row("c", "Another matter.")]
    assert [example.paragraph for example in pair_restated(rows, find_restated(rows))] == [
        "The yard was closed.",
        "The yard was closed.",
        "Another matter.",
    ]
    assert [example.id for example in pair_restated(rows, find_restated(rows))] == ["b", "a", "c"]


def test_a_number_names_a_row_too_and_an_empty_cell_none():
    rows = [row("7", "One."), row("8", "Two.", restates=7), row("9", "Three.", restates=" ")]
    rows.append(row("10", "Four.", restates=" 7 "))
    assert {name: other.id for name, other in find_restated(rows).items()} == {"8": "7", "10": "7"}


def test_a_number_of_pandas_names_a_row_and_its_empty_cell_none():
    rows = [row("7", "One."), row("8", "Two.", restates=7.0), row("9", "Three.", restates=float("nan"))]
    rows += [row("10", "Four.", restates="7.0"), row("11", "Five.", restates="11.0"), row("11.0", "Six.")]
    assert {name: other.id for name, other in find_restated(rows).items()} == {"8": "7", "10": "7", "11": "11.0"}
    assert describe_restated(rows, is_used=True) == ["3 rows are shown beside those that they restate"]


def test_of_a_few_rows_one_restates_another():
    rows = [row("c", "Another matter."), BASE, row("d", "A third."), PASSIVE]
    assert take_pair(rows[:1], rows, is_used=True) == [rows[0], BASE, PASSIVE]
    assert take_pair(rows, rows, is_used=True) == rows
    assert take_pair(rows[:1], rows[:3], is_used=True) == take_pair(rows[:1], rows, is_used=False) == rows[:1]


def test_labels_that_differ_are_refused_all_at_once():
    other = {"stance": ("state-led",), "topics": ("regulation", "sanctions")}  # the order of topics says nothing
    unlabelled = {"stance": ("neutral",), "topics": None}
    rows = [
        BASE,
        row("b", "x", other, restates="a"),
        row("c", "y", unlabelled, restates="a"),
        row("d", "z", restates="d"),
    ]
    with pytest.raises(DataError) as caught:
        find_restated(rows)
    assert caught.value.faults == [
        "rows.jsonl:b: row 'b' restates 'a', but its stance is state-led and that one's neutral",
        "rows.jsonl:d: row 'd' restates itself",
    ]


def test_what_becomes_of_them_is_told():
    rows = [BASE, PASSIVE, row("c", "Of a row elsewhere.", restates="held-out")]
    assert describe_restated([BASE], is_used=True) == []
    assert describe_restated(rows, is_used=True) == [
        "1 row is shown beside the one that it restates; 1 more restates a row that is not in train"
    ]
    assert "consistency_weight is 0" in describe_restated(rows, is_used=False)[0]


def test_where_nothing_is_drawn_together_nothing_is_refused_and_the_run_is_as_of_older_releases(tmp_path):
    rows = [BASE, row("b", "x", {"stance": ("state-led",), "topics": None}, restates="a")]
    assert describe_restated(rows, is_used=False)[0].startswith("1 row restates another")
    none = fingerprint_restated(rows, is_used=False)
    assert none == fingerprint_restated([BASE], is_used=True)
    asked = {"settings": load_config("minilm")[0].model_dump(mode="json")}
    write_kept(tmp_path / "kept.json", {"identity": asked})  # an older release did not say it
    assert read_kept(tmp_path / "kept.json", asked | {"restated_sha256": none})
    paired = fingerprint_restated([BASE, PASSIVE], is_used=True)
    with pytest.raises(RunConflictError, match="restated_sha256"):
        read_kept(tmp_path / "kept.json", asked | {"restated_sha256": paired})


def test_answers_cannot_be_drawn_together_where_no_row_has_another_text():
    none = [f"augmentation.{kind}=0" for kind in load_config("minilm")[0].augmentation.model_dump()]
    config, _ = load_config("minilm", overrides=[*none, "loss.consistency_weight=6"])
    with pytest.raises(ConfigError) as caught:
        check_consistency(config, [BASE])
    assert "--set augmentation.damaged=" in caught.value.faults[0]
    check_consistency(config, [BASE, PASSIVE])
    changed, _ = load_config("minilm", overrides=[*none, "loss.consistency_weight=6", "augmentation.damaged=0.1"])
    check_consistency(changed, [BASE])


def test_a_labels_file_says_it_of_rows_that_stand_elsewhere(tmp_path, taxonomy):
    rows = full_rows("t")
    write_rows(tmp_path / "train.jsonl", rows)
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    twin = {**rows[0], "id": "twin", "text": "the same in other words, as it were"}
    write_rows(tmp_path / "more.jsonl", [twin])
    write_rows(tmp_path / "same.jsonl", [{"id": "twin", "restates": rows[0]["id"]}])
    config = make_config(tmp_path, train=["train.jsonl", "more.jsonl"], labels=["same.jsonl"])
    train = load_splits(config, taxonomy, seed=1).train
    assert {name: other.id for name, other in find_restated(train).items()} == {"twin": rows[0]["id"]}
    own = {**twin, "restates": rows[1]["id"]}  # what the row itself says wins, as with labels
    write_rows(tmp_path / "more.jsonl", [own])
    train = load_splits(config, taxonomy, seed=1).train
    assert next(example for example in train if example.id == "twin").columns["restates"] == rows[1]["id"]


def test_it_is_part_of_what_a_run_is():
    alone = fingerprint_restated([BASE, row("b", "They shut the yard.")], is_used=True)
    paired = fingerprint_restated([BASE, PASSIVE], is_used=True)
    assert alone != paired == fingerprint_restated([PASSIVE, BASE], is_used=True)
    assert "restated_sha256" in list_changes({"restated_sha256": alone}, {"restated_sha256": paired})


def test_a_run_draws_the_answers_to_both_together(write_run, tmp_path):
    first = {}
    for weight in (0.0, 2.0, 4.0):
        path = write_run(n_rows=32, epochs=1, optim__batch_size=32)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["augmentation"] = dict.fromkeys(content["augmentation"], 0.0)
        content["loss"]["consistency_weight"] = weight
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        config, taxonomy = load_config(path)
        splits = load_splits(config.data, taxonomy, seed=config.seed)
        first_of = {}
        train = [
            row_of
            if (other := first_of.setdefault(json.dumps(dict(row_of.labels), sort_keys=True), row_of)) is row_of
            else Example(**{
                name: getattr(row_of, name) for name in ("id", "paragraph", "labels", "source", "group", "place")
            } | {"columns": {**row_of.columns, "restates": other.id}})
            for row_of in splits.train
        ]  # fmt: skip
        assert find_restated(train)
        splits.train[:] = train
        first[weight] = losses(run_fit(path, tmp_path / str(weight), rows=splits))[0]
    # Weights 2 and 4 show the same texts; that of 0 does not, so its loss is of other rows.
    step = first[4.0] - first[2.0]
    assert step > 1e-4
    assert first[2.0] != pytest.approx(first[0.0], abs=1e-6)
