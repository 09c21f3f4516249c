"""The mean of checkpoints: weights, rows and refusals."""

import json
import os
import shutil

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from tests.training.test_run import run_fit
from training.average import average_checkpoints
from training.card import describe_recipe
from training.commands import average, export
from training.config import load_config
from training.data import load_splits
from training.model import load_checkpoint
from training.stages import check_not_learnt
from twohands.errors import CheckpointError, LeakError, RunConflictError
from twohands.hashing import sha256_of_file
from twohands.taxonomy import Taxonomy

pytestmark = pytest.mark.issue(3)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Set by the first test's run; a copy with other weights and rows stands for a second one."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def two(write_run, runs):
    first, second = runs / "first", runs / "second"
    if not first.exists():
        run_fit(write_run(n_rows=16, epochs=1), first)
        shutil.copytree(first, second)
        weights = load_file(second / "checkpoint/model.safetensors")
        save_file({name: value + 1 for name, value in weights.items()}, second / "checkpoint/model.safetensors",
                  metadata={"format": "pt"})  # fmt: skip
        facts = json.loads((second / "checkpoint/run.json").read_text("utf-8"))
        facts |= {"train_ids": ["other"], "train_groups": ["other"], "train_texts": ["other"]}
        (second / "checkpoint/run.json").write_text(json.dumps(facts), encoding="utf-8")
    return [first / "checkpoint", second / "checkpoint"]


def test_weights_are_the_mean_and_rows_those_of_all(two, tmp_path):
    output = tmp_path / "mean" / "checkpoint"
    found = CliRunner().invoke(average, [*map(str, two), "--output", str(output)], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    mean, first = load_file(output / "model.safetensors"), load_file(two[0] / "model.safetensors")
    for name, value in first.items():
        torch.testing.assert_close(mean[name], value + 0.5)
    facts, one = (json.loads((path / "run.json").read_text("utf-8")) for path in (output, two[0]))
    assert facts["train_ids"] == sorted({"other", *one["train_ids"]})
    assert [run["train_fingerprint"] for run in facts["averaged"]] == [one["train_fingerprint"]] * 2
    assert not {"train_fingerprint", "restated_sha256"} & facts.keys(), "no one set of rows is its own"


@pytest.mark.parametrize(
    ("starts", "seeds", "is_told"),
    [
        ((None, None), (1, 2), True),
        (("a", "b"), (1, 1), True),
        (("a", "a"), (1, 2), False),
        (("first", None), (1, 2), False),
    ],
)
def test_runs_that_began_apart_are_told_of(two, tmp_path, starts, seeds, is_told):
    copies = []
    for number, (checkpoint, start, seed) in enumerate(zip(two, starts, seeds, strict=True)):
        copies.append(shutil.copytree(checkpoint, tmp_path / str(number)))
        facts = json.loads((checkpoint / "run.json").read_text("utf-8"))
        facts["settings"]["seed"] = seed
        if start is not None:  # "first" is what the other run ended with
            facts["start_sha256"] = sha256_of_file(two[1] / "model.safetensors") if start == "first" else start
        (copies[-1] / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    found = CliRunner().invoke(average, [*map(str, copies), "--output", str(tmp_path / "mean")], catch_exceptions=False)
    assert found.exit_code == 0
    assert ("did not go on from one start" in found.output) is is_told


@pytest.mark.parametrize(("layers", "is_told"), [((None, None), False), (([0], [0]), False), (([0], [1]), True)])
def test_others_of_one_encoders_layers_are_another_start(two, tmp_path, layers, is_told):
    copies = []
    for number, (checkpoint, kept) in enumerate(zip(two, layers, strict=True)):
        copies.append(shutil.copytree(checkpoint, tmp_path / str(number)))
        facts = json.loads((checkpoint / "run.json").read_text("utf-8"))
        facts["settings"]["encoder"]["layers"] = kept
        (copies[-1] / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    assert average_checkpoints(copies, tmp_path / "mean", overwrite=False) is not is_told


def test_a_checkpoint_of_an_older_release_is_described_by_a_config_of_today(two, tmp_path, write_run):
    copies = [shutil.copytree(checkpoint, tmp_path / str(number)) for number, checkpoint in enumerate(two)]
    for copy in copies:
        facts = json.loads((copy / "run.json").read_text("utf-8"))
        for key in ("layers", "attention_dropout"):  # there were none
            del facts["settings"]["encoder"][key]
        (copy / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    described = load_config(write_run(n_rows=16, epochs=1))
    assert average_checkpoints(copies, tmp_path / "mean", overwrite=False, described=described)


def test_labels_described_in_other_words_are_the_same_labels(two, tmp_path, write_run):
    copies = [shutil.copytree(checkpoint, tmp_path / str(number)) for number, checkpoint in enumerate(two)]
    facts = json.loads((copies[1] / "run.json").read_text("utf-8"))
    facts["taxonomy"]["heads"][0]["labels"][0]["description"] = "Said in other words."
    (copies[1] / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    config, taxonomy = load_config(write_run(n_rows=16, epochs=1))
    reworded = taxonomy.model_dump(mode="json")
    reworded["heads"][0]["labels"][0]["description"] = "Said in a third way."
    described = (config, Taxonomy.model_validate(reworded))
    average_checkpoints(copies, tmp_path / "mean", overwrite=False, described=described)
    assert json.loads((tmp_path / "mean/run.json").read_text("utf-8"))["taxonomy"] == reworded
    assert "Said in a third way." in (tmp_path / "mean/train_config.yaml").read_text("utf-8")


@pytest.mark.parametrize("is_config", [True, False])
def test_heads_of_another_kind_have_no_mean(two, tmp_path, write_run, is_config):
    copies = [shutil.copytree(checkpoint, tmp_path / str(number)) for number, checkpoint in enumerate(two)]
    for copy in copies if is_config else copies[1:]:
        facts = json.loads((copy / "run.json").read_text("utf-8"))
        facts["taxonomy"]["heads"][0]["problem_type"] = "multi_label_classification"
        (copy / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    described = load_config(write_run(n_rows=16, epochs=1))
    with pytest.raises(CheckpointError, match="taxonomy"):
        average_checkpoints(copies, tmp_path / "mean", overwrite=False, described=described if is_config else None)


def test_what_any_of_them_learnt_from_is_not_held_out(two, tmp_path, write_run):
    average_checkpoints(two, tmp_path / "mean", overwrite=False)
    config, taxonomy = load_config(write_run(n_rows=16, epochs=1))
    with pytest.raises(LeakError):
        check_not_learnt(tmp_path / "mean", {"dev": load_splits(config.data, taxonomy, seed=1).train})


def test_a_card_names_no_row_that_none_of_them_learnt_from(two, tmp_path, write_run):
    average_checkpoints(two, tmp_path / "mean", overwrite=False)
    path = write_run(n_rows=24, epochs=1)
    found = CliRunner().invoke(
        export,
        [str(tmp_path / "mean"), "--output", str(tmp_path / "model"), "--set", f"data.root={path.parent / 'rows'}"],
    )
    assert found.exit_code == 1
    assert "learnt from by none" in str(getattr(found.exception, "faults", found.exception))


def test_a_config_says_what_it_is_exported_by(two, tmp_path, write_run):
    described = load_config(write_run(n_rows=16, epochs=1, version="9.9.9"))
    average_checkpoints(two, tmp_path / "mean", overwrite=False, described=described)
    assert "9.9.9" in (tmp_path / "mean/train_config.yaml").read_text("utf-8")
    other = load_config(write_run(n_rows=16, epochs=1), overrides=["window.max_tokens=32"])
    with pytest.raises(CheckpointError, match="differ in window"):
        average_checkpoints(two, tmp_path / "mean", overwrite=True, described=other)


def test_unlike_checkpoints_have_no_mean(two, tmp_path):
    unlike = tmp_path / "unlike"
    shutil.copytree(two[1], unlike)
    facts = json.loads((unlike / "run.json").read_text("utf-8"))
    (unlike / "run.json").write_text(json.dumps(facts | {"dev_fingerprint": "0"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="differ in dev_fingerprint"):
        average_checkpoints([two[0], unlike], tmp_path / "mean", overwrite=False)
    with pytest.raises(CheckpointError, match="one checkpoint has no mean"):
        average_checkpoints([two[0]], tmp_path / "mean", overwrite=False)
    with pytest.raises(CheckpointError, match=r"give …/checkpoint"):
        average_checkpoints([two[0], two[0].parent], tmp_path / "mean", overwrite=False)


def test_neither_a_run_nor_an_input_is_replaced(two, tmp_path):
    mine = shutil.copytree(two[0].parent, tmp_path / "run")
    (mine / "notes.txt").write_text("keep")
    with pytest.raises(RunConflictError, match="not a checkpoint"):  # a run's folder has a run.json, too
        average_checkpoints(two, mine, overwrite=True)
    for output, what in (
        (mine, "holds"),
        (mine / "checkpoint", "is"),
        (tmp_path / "run" / ".." / "run" / "checkpoint" / "mean", "stands in"),
    ):
        with pytest.raises(RunConflictError, match=f"{what} one of the inputs"):
            average_checkpoints([two[0], mine / "checkpoint"], output, overwrite=True)
    assert (mine / "notes.txt").read_text() == "keep"
    assert load_file(mine / "checkpoint/model.safetensors")
    mean = tmp_path / "mean"
    average_checkpoints(two, mean, overwrite=False)
    (mean / "model.safetensors").write_bytes(b"")
    average_checkpoints(two, mean, overwrite=True)
    assert load_file(mean / "model.safetensors")
    assert not list(tmp_path.glob(".mean*"))


def test_the_start_may_be_among_them_though_a_model_folder_was_restored_to_it(two, tmp_path):
    restored = shutil.copytree(two[1], tmp_path / "restored")
    facts = json.loads((restored / "run.json").read_text("utf-8"))
    origin = {"name": "ours", "version": "1.2.3", "sha256": "ab" * 32}
    kept = {key: facts[key] for key in ("settings", "encoder_sha256", "encoder")} | {"restored_from": origin}
    kept |= {"train_ids": [], "train_groups": [], "train_texts": []}
    (restored / "run.json").write_text(json.dumps(kept), encoding="utf-8")
    network = json.loads((restored / "config.json").read_text("utf-8"))
    (restored / "config.json").write_text(json.dumps(network | {"use_cache": False}), encoding="utf-8")
    average_checkpoints([two[0], restored], tmp_path / "mean", overwrite=False)
    mean, first = (load_file(path / "model.safetensors") for path in (tmp_path / "mean", two[0]))
    torch.testing.assert_close(mean["classifier.bias"], first["classifier.bias"] + 0.5)
    averaged = json.loads((tmp_path / "mean/run.json").read_text("utf-8"))["averaged"]
    assert averaged[1]["restored_from"] == origin
    config, _ = load_config("minilm")
    assert "and ours 1.2.3 as restored (sha256" in " ".join(describe_recipe(config, [], averaged=averaged))
    with pytest.raises(CheckpointError, match="names no rows"):
        average_checkpoints([restored, two[0]], tmp_path / "other", overwrite=False)
    (restored / "config.json").write_text(json.dumps(network | {"hidden_size": 7}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"differ in config\.json"):
        average_checkpoints([two[0], restored], tmp_path / "other", overwrite=False)


def test_what_is_in_the_way_is_left_alone(two, tmp_path):
    average_checkpoints(two, tmp_path / "mean", overwrite=False)
    with pytest.raises(RunConflictError, match="already exists"):
        average_checkpoints(two, tmp_path / "mean", overwrite=False)
    average_checkpoints(two, tmp_path / "mean", overwrite=True)
    (tmp_path / "other").mkdir()
    with pytest.raises(RunConflictError, match="not a checkpoint"):
        average_checkpoints(two, tmp_path / "other", overwrite=True)


@pytest.mark.parametrize("n_bytes", [0, 4, 5000])
def test_weights_that_a_copy_cut_off_are_named(n_bytes, two, tmp_path):
    """They ended in a traceback of the library that reads them, wherever a checkpoint is read."""
    broken = tmp_path / "broken"
    shutil.copytree(two[0], broken)
    os.truncate(broken / "model.safetensors", n_bytes)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged .*copy the checkpoint again"):
        average_checkpoints([two[1], broken], tmp_path / "mean", overwrite=False)
    with pytest.raises(CheckpointError, match="copy the checkpoint again"):
        load_checkpoint(broken)
