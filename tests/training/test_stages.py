"""A second stage: it goes on from the first one's heads, and learns all new rows and some old ones."""

import json
import math

import pytest
from safetensors.numpy import load_file

from tests.training.test_run import run_fit
from training.stages import draw_replay, load_start
from twohands.errors import CheckpointError, RunConflictError
from twohands.examples import Example
from twohands.hashing import sha256_of_file


def example(n):
    return Example(id=f"r{n}", paragraph=f"text {n}", labels={}, source="s", group=f"g{n}")


def write_facts(folder, ids):
    (folder / "run.json").write_text(json.dumps({"train_ids": ids}), encoding="utf-8")


def test_all_new_rows_and_a_share_of_the_old_ones_are_learnt(tmp_path):
    write_facts(tmp_path, [f"r{n}" for n in range(400)])
    drawn = draw_replay([example(n) for n in range(500)], tmp_path, share=0.25, seed=1)
    numbers = [int(row.id[1:]) for row in drawn]
    assert numbers == sorted(numbers)
    assert [n for n in numbers if n >= 400] == list(range(400, 500))
    assert math.isclose(sum(n < 400 for n in numbers), 100, abs_tol=30)
    assert drawn == draw_replay([example(n) for n in range(500)], tmp_path, share=0.25, seed=1)
    assert len(draw_replay([example(n) for n in range(500)], tmp_path, share=1.0, seed=1)) == 500


def test_a_first_stage_that_does_not_list_its_rows_is_refused(tmp_path):
    with pytest.raises(CheckpointError):
        draw_replay([example(1)], tmp_path, share=0.5, seed=1)


def test_a_second_stage_starts_where_the_first_one_ended(write_run, tmp_path):
    facts = run_fit(write_run(), tmp_path / "first")
    first = tmp_path / "first" / "checkpoint"
    assert len(facts["train_ids"]) == 24
    path = write_run(start={"checkpoint": str(first), "replay": 1.0}, optim__learning_rate=1e-12)
    second = run_fit(path, tmp_path / "second")
    assert second["start_sha256"] == sha256_of_file(first / "model.safetensors")
    # At so small a rate it ends where it started: with the first stage's heads, not with new ones.
    before, after = (
        load_file(path / "checkpoint" / "model.safetensors") for path in (tmp_path / "first", tmp_path / "second")
    )
    assert before.keys() == after.keys()
    assert max(float(abs(before[name] - after[name]).max()) for name in before) < 1e-6


def test_a_missing_first_stage_is_named(write_run, tmp_path):
    path = write_run(start={"checkpoint": str(tmp_path / "nowhere"), "replay": 1.0})
    with pytest.raises(CheckpointError):
        run_fit(path, tmp_path / "second")


def test_another_first_stage_is_another_run(write_run, tmp_path):
    run_fit(write_run(), tmp_path / "first")
    first = tmp_path / "first" / "checkpoint"
    start = {"checkpoint": str(first), "replay": 1.0}
    run_fit(write_run(start=start), tmp_path / "second")
    weights = (first / "model.safetensors").read_bytes()
    (first / "model.safetensors").write_bytes(weights[:-4] + b"\x00\x00\x80?")
    with pytest.raises(RunConflictError):
        run_fit(write_run(start=start), tmp_path / "second")


def test_a_first_stage_of_other_labels_is_refused(write_run, tmp_path, taxonomy):
    run_fit(write_run(), tmp_path / "first")
    checkpoint = tmp_path / "first" / "checkpoint"
    assert load_start(checkpoint, taxonomy).config.num_labels == 7
    config = json.loads((checkpoint / "config.json").read_text("utf-8"))
    config["id2label"]["0"] = "crown-led"
    (checkpoint / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CheckpointError):
        load_start(checkpoint, taxonomy)
