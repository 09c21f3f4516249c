"""Whether a run is the one that was begun: by what its weights hang on, with both values of what differs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from training.commands import SMOKE_ROWS, export, train
from training.config import load_config
from training.identity import hint_of_export, list_changes
from training.kept import read_kept, write_kept
from twohands.errors import DataError, FileReadError, RunConflictError
from twohands.hashing import sha256_of_list, sha256_of_value

FREE = [
    "license=MIT", "card_notes=[Made for mails.]", "data.test=null", "data.near_duplicate_jaccard=null",
    "version=9.9.9", "run_name=other", "compute.num_threads=3", "export.candidates=[]",
]  # fmt: skip


def identify(path: Path, *overrides: str, **others: object) -> dict[str, object]:
    config, taxonomy = load_config(path, overrides=overrides)
    settings = config.model_dump(mode="json", exclude={"compute", "export", "version"})
    return {"settings": settings, "taxonomy": taxonomy.model_dump(mode="json"), "dev_fingerprint": "a", **others}


@pytest.mark.issue(3)
def test_what_no_weight_hangs_on_makes_no_other_run(write_run):
    path = write_run()
    assert list_changes(identify(path), identify(path, *FREE)) == {}
    described = identify(path)
    described["taxonomy"]["heads"][0]["labels"][0]["description"] = "Told in other words."
    assert list_changes(identify(path), described) == {}


@pytest.mark.issue(3)
def test_what_differs_is_named_with_both_values(write_run):
    path = write_run()
    before, now = identify(path), identify(path, "optim.learning_rate=0.25", "start={checkpoint: a, replay: 1.0}")
    now["taxonomy"]["heads"][0]["labels"].reverse()
    found = list_changes(before, now)
    assert found.pop("optim.learning_rate") == "optim.learning_rate 0.005 there, 0.25 here"
    assert found.pop("heads").startswith("heads stance (single_label_classification): state-led, market-led")
    assert found == {  # and no "start null there, null here"
        "start.checkpoint": "start.checkpoint null there, a here",
        "start.replay": "start.replay null there, 1.0 here",
    }
    del before["dev_fingerprint"]
    assert "dev_fingerprint" in list_changes(before, identify(path))


@pytest.mark.issue(3)
def test_what_a_digest_is_of_is_told_in_words(write_run):
    """Who went on with other rows read three pairs of 64 digits, and of which key of the config they were in none."""
    before, now = (identify(write_run(), train_fingerprint=digit * 64) for digit in "ab")
    told = list_changes(before, now)["train_fingerprint"]
    assert told == "train_fingerprint (texts and labels of data.train) aaaaaaaaaaaa… there, bbbbbbbbbbbb… here"


@pytest.mark.issue(3)
def test_a_finished_run_with_other_rows_to_judge_by_is_pointed_to_export(write_run):
    path = write_run()
    moved = list_changes(identify(path), identify(path, "data.root=elsewhere", dev_fingerprint="b"))
    told = hint_of_export(moved, Path("runs/tiny/checkpoint"))
    assert "twohands export runs/tiny/checkpoint --set data.root=…" in told
    learnt = list_changes(identify(path), identify(path, "data.root=elsewhere", "seed=5"))
    assert hint_of_export(learnt, Path("runs/tiny/checkpoint")) == ""


@pytest.mark.issue(3)
def test_what_was_kept_of_a_run_is_read_again_for_the_same_run_alone(write_run, tmp_path):
    path, kept = write_run(), tmp_path / "kept.json"
    now = identify(path)
    assert read_kept(kept, now) is None
    before = identify(path)
    del before["settings"]["loss"]["label_smoothing"]  # an older release had no such key
    write_kept(kept, {"identity": before, "answers": [1]})
    assert read_kept(kept, now)["answers"] == [1]
    assert read_kept(kept, now | {"texts_sha256": "a"})["answers"] == [1], "nor this one"
    with pytest.raises(RunConflictError):
        read_kept(kept, identify(path, "loss.label_smoothing=0.1"))
    with pytest.raises(RunConflictError):
        read_kept(kept, now | {"dev_fingerprint": "b"})


@pytest.mark.issue(2)
def test_the_checkpoint_of_a_smoke_run_is_exported_with_its_few_rows(write_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_run(n_rows=SMOKE_ROWS + 8, n_dev=SMOKE_ROWS + 6)
    runner = CliRunner()
    assert runner.invoke(train, [str(path), "--smoke", "--no-export"], catch_exceptions=False).exit_code == 0
    exported = []
    monkeypatch.setattr("training.export.export_checkpoint", lambda *given, **_: exported.append(given[3]))
    arguments = ["runs/tiny-smoke/checkpoint", "--output", "out"]
    assert runner.invoke(export, arguments, catch_exceptions=False).exit_code == 0
    assert [len(rows) for rows in (exported[0].train, exported[0].dev, exported[0].test)] == [SMOKE_ROWS] * 3

    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    rows = (tmp_path / "rows/train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "rows/train.jsonl").write_text("".join(rows[1:]), encoding="utf-8")
    with pytest.raises(DataError, match="not those of the checkpoint"):
        runner.invoke(export, arguments, catch_exceptions=False)


@pytest.mark.issue(3)
def test_an_export_whose_rows_have_moved_asks_where_they_are_and_not_for_another_dev(write_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    assert runner.invoke(train, [str(write_run()), "--no-export"], catch_exceptions=False).exit_code == 0
    (tmp_path / "rows").rename(tmp_path / "moved")
    arguments = ["runs/tiny/checkpoint", "--output", "out"]
    with pytest.raises(FileReadError) as caught:
        runner.invoke(export, arguments, catch_exceptions=False)
    assert "--set data.root=FOLDER" in str(caught.value)
    assert "dev_fraction" not in str(caught.value)
    monkeypatch.setattr("training.export.export_checkpoint", lambda *_, **__: None)
    moved = [*arguments, "--set", f"data.root={tmp_path / 'moved'}"]
    assert runner.invoke(export, moved, catch_exceptions=False).exit_code == 0


@pytest.mark.issue(3)
def test_a_list_is_hashed_as_it_was_when_it_was_written_out_at_once():
    for values in ([], ["one"], ["one", 'täg"\n', {"b": 1, "a": [None, 1.5]}], [["x", {"s": ["neutral"]}]]):
        assert sha256_of_list(iter(values)) == sha256_of_value(values)
