"""A model folder becomes a checkpoint again: the same answers, and a start for a run."""

import json
import math
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.support.encoders import FAMILIES, make_encoder
from tests.training.test_run import run_fit
from training.commands import export, restore, train
from training.config import load_config
from training.encoders import find_encoder
from training.graphs import export_graph, make_candidate
from training.model import build_model, load_checkpoint
from training.restore import restore_checkpoint, restore_model, tell_next
from twohands import Classifier
from twohands.errors import CheckpointError, ManifestError, RunConflictError
from twohands.hashing import sha256_of_file
from twohands.manifest import GRAPH_NAME, load_manifest
from twohands.session import OnnxSession

FIRST = {("mpnet", "mean")}
EACH = [(family, pooling) for family in FAMILIES for pooling in ("first", "mean")]


@pytest.fixture
def model(write_run, tmp_path):
    """A model folder, as training leaves one."""
    path = write_run(
        export__candidates=["fused-int8"], export__min_int8_speedup=0.01, export__max_int8_f1_drop=1.0,
        encoder__num_layers=1,  # an export takes as long as there are layers
    )  # fmt: skip
    found = CliRunner().invoke(
        train, [str(path), "--output", str(tmp_path / "model"), "--runs", str(tmp_path / "runs")],
        catch_exceptions=False,
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    return tmp_path / "model"


def test_a_restored_model_answers_as_its_folder_and_goes_on_learning(model, write_run, tmp_path):
    output = tmp_path / "restored" / "checkpoint"
    found = CliRunner().invoke(restore, [str(model), "--output", str(output)], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert json.loads((model / "manifest.json").read_text())["graph"]["recipe"] == "fused-int8"

    texts = ["The state must own the railways.", "Markets set the price of bread, and nobody else."]
    classifier = Classifier.load(model, num_threads=1)
    encoded = classifier.encoder.encode_many(texts)
    with torch.inference_mode():
        logits = [
            load_checkpoint(output)(
                input_ids=torch.from_numpy(paragraph.windows[0][None, :]),
                attention_mask=torch.ones(1, len(paragraph.windows[0]), dtype=torch.int64),
            ).logits[0].numpy()
            for paragraph in encoded
        ]  # fmt: skip
    np.testing.assert_allclose(np.stack(logits), classifier.predict_logits(encoded), atol=0.05)

    refused = CliRunner().invoke(export, [str(output), "--output", str(tmp_path / "again")])
    assert isinstance(refused.exception, CheckpointError)  # it would be said to have learnt from these rows
    assert "start" in str(refused.exception)

    groups = {json.loads(line)["group"] for line in (tmp_path / "rows" / "train.jsonl").read_text().splitlines()}
    path = write_run(start={"checkpoint": str(output), "replay": 1.0}, encoder__num_layers=1)
    facts = run_fit(path, tmp_path / "second")
    assert [len(facts[key]) for key in ("train_ids", "train_groups", "train_texts")] == [24, len(groups), 24]
    assert facts["start_sha256"]
    assert facts["start_restored_from"]["sha256"] == load_manifest(model)[1]
    encoder = load_config(path)[0].encoder
    assert "--set encoder.name=FOLDER --set encoder.revision=null" in found.output  # its name is no path from here
    assert f"FOLDER is where its encoder {Path(encoder.name).name} is" in found.output
    assert f"--set encoder.num_layers=1 --set encoder.pooling={encoder.pooling}" in found.output
    assert "--set encoder.layers=null" in found.output  # numbers of layers that the restored one may not have
    with pytest.raises(RunConflictError):  # it would pass for the result of that run
        run_fit(path, output.parent)
    assert [path.name for path in output.parent.iterdir()] == ["checkpoint"]


def make_folder(folder, family, pooling, taxonomy, recipe):
    """Config and int8 graph of a network with weights of its own, without training it; returns the network."""
    encoder = find_encoder(str(make_encoder(folder / "encoder", family)))
    # An export takes as long as there are layers; ModernBERT has layers of two kinds.
    n_layers = None if family == "modernbert" else 1
    made = build_model(encoder, taxonomy, pooling=pooling, num_layers=n_layers).eval()
    with torch.no_grad():  # as after training, no two weights are alike
        for value in made.parameters():
            value.add_(torch.randn(value.shape) * 0.02)
    made.save_pretrained(folder)
    export_graph(made, folder / "fp32.onnx", opset=18)
    make_candidate(folder / "fp32.onnx", folder, recipe).rename(folder / GRAPH_NAME)
    return made


@pytest.mark.parametrize(
    ("family", "pooling"), [pair if pair in FIRST else pytest.param(*pair, marks=pytest.mark.slow) for pair in EACH]
)
def test_each_family_is_restored(family, pooling, taxonomy, tiny_model, tmp_path, monkeypatch):
    recipe = "plain-int8" if pooling == "first" else "fused-int8"
    made = make_folder(tmp_path, family, pooling, taxonomy, recipe)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    if family == "deberta-v3":  # its graph has its products in another order once it is quantised
        with pytest.raises(CheckpointError):
            restore_model(tmp_path, scratch, recipe=recipe, opset=18, max_tokens=64)
        return
    kept = tmp_path / "kept.onnx"

    def export_and_keep(model, path, **settings):
        export_graph(model, path, **settings)
        shutil.copyfile(path, kept)

    monkeypatch.setattr("training.restore.export_graph", export_and_keep)
    found, change = restore_model(tmp_path, scratch, recipe=recipe, opset=18, max_tokens=64)
    assert change < 1e-3
    for (name, value), (other, right) in zip(found.named_parameters(), made.named_parameters(), strict=True):
        assert name == other
        value, right = value.detach(), right.detach()
        step = 1.01 * float(right.abs().max()) / 127 + 1e-9  # int8 rounds a weight by half a step at most
        assert float((value - right).abs().max()) <= step, name

    if (family, pooling) != ("mpnet", "mean"):
        return
    # The same network with the same weights again, whose export takes seconds.
    monkeypatch.setattr("training.restore.export_graph", lambda _, path, **__: shutil.copyfile(kept, path))
    for change in (0.7, math.nan):
        monkeypatch.setattr(OnnxSession, "run_padded", lambda *_, change=change: np.full((1, 7), change, np.float32))
        with pytest.raises(CheckpointError, match="a logit differs by"):
            restore_model(tmp_path, scratch, recipe=recipe, opset=18, max_tokens=64)
    monkeypatch.undo()
    other = tiny_model / GRAPH_NAME  # of no product; another network's
    monkeypatch.setattr("training.restore.export_graph", lambda _, path, **__: shutil.copyfile(other, path))
    with pytest.raises(CheckpointError, match="products, expected"):
        restore_model(tmp_path, scratch, recipe=recipe, opset=18, max_tokens=64)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no network"):
        restore_model(tmp_path, scratch, recipe=recipe, opset=18, max_tokens=64)


def test_a_damaged_folder_is_refused_and_what_is_in_the_way_is_left_alone(tiny_model, tmp_path):
    damaged = shutil.copytree(tiny_model, tmp_path / "damaged")
    (damaged / GRAPH_NAME).write_bytes(b"")
    with pytest.raises(ManifestError):
        restore_checkpoint(damaged, tmp_path / "nowhere", overwrite=False)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(RunConflictError):
        restore_checkpoint(tiny_model, tmp_path / "mine", overwrite=True)
    (tmp_path / "mine" / "run.json").write_text("{}")  # a run's folder has one, too
    with pytest.raises(RunConflictError):
        restore_checkpoint(tiny_model, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"
    found = CliRunner().invoke(restore, [str(tiny_model), "--output", str(tmp_path / "mine")])
    assert isinstance(found.exception, RunConflictError)


@pytest.mark.issue(3)
@pytest.mark.parametrize("name", ["checkpoint", "of July, as it was", "#2 {a}"])
def test_the_command_that_goes_on_finds_encoder_and_checkpoint(write_run, tiny_encoder, tmp_path, monkeypatch, name):
    """Of an encoder that is a folder it named the last part alone, and a path with a comma was cut off there."""
    checkpoint = tmp_path / name
    checkpoint.mkdir()
    encoder = load_config("minilm")[0].encoder.model_dump() | {"name": "tiny-bert"}
    digest = sha256_of_file(tiny_encoder / "model.safetensors")
    facts = {"settings": {"encoder": encoder}, "encoder_sha256": digest}
    (checkpoint / "run.json").write_text(json.dumps(facts))
    command, told = tell_next(checkpoint)
    assert f"encoder tiny-bert is, whose weights have sha256 {digest[:12]}" in told
    shutil.copytree(tiny_encoder, tmp_path / "here" / "tiny-bert")
    for folder, n_lines in ((tmp_path / "here", 1), (tmp_path, 2)):
        monkeypatch.chdir(folder)
        command, *others = tell_next(checkpoint)
        assert len(others) == n_lines - 1
        words = shlex.split(command.partition("=NAME ")[2].replace("FOLDER", str(tiny_encoder)))
        config, _ = load_config(write_run(), overrides=[word for word in words if word != "--set"])
        assert config.start.checkpoint == checkpoint
        assert find_encoder(config.encoder.name).sha256 == digest
    (checkpoint / "run.json").write_text(json.dumps(facts | {"encoder_sha256": "0" * 64}))
    monkeypatch.chdir(tmp_path / "here")
    assert "FOLDER" in tell_next(checkpoint)[0], "another encoder has its name here"


def test_help_teaches_how_to_go_on():
    found = CliRunner().invoke(restore, ["--help"])
    assert "start={checkpoint" in found.output
    assert max(map(len, found.output.splitlines())) <= 80
