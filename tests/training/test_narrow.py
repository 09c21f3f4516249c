"""Narrower feed-forward parts: what goes, what takes over, every family, and a run that goes on from there."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from tests.support.encoders import FAMILIES, ROOT, make_encoder
from tests.training.test_run import run_fit
from training.commands import export
from training.config import load_config
from training.encoders import find_encoder
from training.model import build_model, load_checkpoint
from training.narrow import choose_units, find_feed_forwards, gather_activity, narrow_checkpoint
from training.narrowcommands import narrow
from training.network import identify_encoder
from training.stages import digest_paragraph
from training.students import name_width, read_width
from twohands.errors import CheckpointError, DataError, RunConflictError

pytestmark = pytest.mark.issue(3)

TEXTS = [json.loads(line)["text"] for line in (ROOT / "data/starter/dev.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def checkpoint(write_run, tmp_path):
    run_fit(write_run(n_rows=16, epochs=1), tmp_path / "run")
    return tmp_path / "run/checkpoint"


def _activity(values: torch.Tensor) -> torch.Tensor:
    active = torch.cat([values, torch.ones(len(values), 1, dtype=values.dtype)], dim=1)
    return active.T @ active / len(active)


def test_units_that_others_can_stand_for_go_and_nothing_is_lost():
    generator = torch.Generator().manual_seed(3)
    own = torch.randn(500, 6, dtype=torch.float64, generator=generator)
    mixed = own @ torch.randn(6, 3, dtype=torch.float64, generator=generator) + 0.5
    constant = torch.full((500, 1), 2.0, dtype=torch.float64)
    values = torch.cat([own[:, :2], mixed, constant, own[:, 2:]], dim=1)  # 10 units of rank 6, and the constant
    weight = torch.randn(4, 10, generator=generator)
    bias = torch.randn(4, generator=generator)
    kept, narrow_weight, narrow_bias, lost = choose_units(weight, bias, _activity(values), width=6)
    assert len(set(kept.tolist())) == 6
    assert kept.tolist() == sorted(kept.tolist())
    assert 5 not in kept, "what is the same for every token is the bias's"
    before = values @ weight.double().T + bias
    after = values[:, kept] @ narrow_weight.double().T + narrow_bias
    assert lost < 1e-4
    assert (after - before).square().mean() < 1e-4 * before.square().mean()


def test_what_is_kept_is_refitted_and_what_is_lost_is_told():
    generator = torch.Generator().manual_seed(4)
    values = torch.randn(800, 20, dtype=torch.float64, generator=generator)
    values = values @ torch.randn(20, 20, dtype=torch.float64, generator=generator)
    weight, bias = torch.randn(5, 20, generator=generator), torch.randn(5, generator=generator)
    before = values @ weight.double().T + bias
    kept, narrow_weight, narrow_bias, lost = choose_units(weight, bias, _activity(values), width=9)
    after = values[:, kept] @ narrow_weight.double().T + narrow_bias
    share = (after - before).square().sum() / before.square().sum()
    assert lost == pytest.approx(float(share), rel=0.01)
    # The best that these units can do at all, and what they did before they were refitted.
    design = torch.cat([values[:, kept], torch.ones(len(values), 1, dtype=values.dtype)], dim=1)
    best = design @ torch.linalg.lstsq(design, before).solution
    assert (after - best).square().sum() < 0.01 * (before - best).square().sum()
    alone = values[:, kept] @ weight[:, kept].double().T + bias
    assert lost < 0.5 * float((alone - before).square().sum() / before.square().sum())


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_every_family_answers_as_before_where_half_its_units_say_the_same(family, pooling, write_run, tmp_path):
    encoder = find_encoder(str(make_encoder(tmp_path / family, family)))
    config, taxonomy = load_config(write_run())
    model = build_model(encoder, taxonomy, pooling=pooling).eval()
    parts = find_feed_forwards(model)
    assert len(parts) == encoder.n_layers
    for part in parts:
        assert part.n_halves == (2 if family == "modernbert" else 1)
        for half in part.up.weight.data.chunk(part.n_halves):
            half[24:48], half[48:] = half[:24], half[:16]
        if part.up.bias is not None:
            for half in part.up.bias.data.chunk(part.n_halves):
                half[24:48], half[48:] = half[:24], half[:16]
    source = tmp_path / "source"
    model.save_pretrained(source)
    encoder.read_tokenizer().save(str(source / "tokenizer.json"))
    facts = {"settings": config.model_dump(mode="json"), "train_texts": ["seen"], "encoder": encoder.identify(None)}
    (source / "run.json").write_text(json.dumps(facts), encoding="utf-8")

    lost = narrow_checkpoint(source, tmp_path / "narrow", texts=TEXTS, width=24, overwrite=False)
    assert max(lost) < 1e-3
    less = load_checkpoint(tmp_path / "narrow")
    assert read_width(less.config) == 24
    assert {part.down.in_features for part in find_feed_forwards(less)} == {24}
    ids = torch.tensor([[7, 40, 90, 55, 61, 8]])
    with torch.inference_mode():
        before, after = (each(input_ids=ids, attention_mask=torch.ones_like(ids)).logits for each in (model, less))
    assert (after - before).norm() < 0.05 * before.norm()
    told = json.loads((tmp_path / "narrow/run.json").read_text("utf-8"))
    assert told["encoder"]["name"] == f"{family} (feed-forward 24)"
    assert told["narrowed"][0] | {"lost": None, "source_sha256": None} == {
        "from": 64, "to": 24, "lost": None, "source_sha256": None,
    }  # fmt: skip
    assert set(told["train_texts"]) == {"seen", *map(digest_paragraph, TEXTS)}


def test_padding_is_no_part_of_what_is_seen(checkpoint):
    model = load_checkpoint(checkpoint)
    parts = find_feed_forwards(model)
    windows = [np.array([2, 30, 31, 3]), np.array([2, 40, 41, 42, 43, 44, 45, 3])]
    both = gather_activity(model, parts, windows)
    apart = [gather_activity(model, parts, [window])[0] for window in windows]
    torch.testing.assert_close(both[0], (apart[0] * 4 + apart[1] * 8) / 12)
    assert both[0][-1, -1] == 1


def test_a_run_goes_on_from_the_narrow_one_and_is_exported(checkpoint, write_run, tmp_path):
    output, rows = tmp_path / "narrow/checkpoint", tmp_path / "rows"
    found = CliRunner().invoke(
        narrow,
        [str(checkpoint), "--width", "24", "--data", str(rows / "train.jsonl"), "--output", str(output)],
        catch_exceptions=False,
    )
    assert found.exit_code == 0, found.output
    assert "% are lost, layer by layer" in found.output
    path = write_run(
        n_rows=16, start={"checkpoint": str(output), "replay": 1.0}, run_name="second",
        export__min_int8_speedup=0.01, export__max_int8_f1_drop=1.0,
    )  # fmt: skip
    second = run_fit(path, tmp_path / "second")
    assert second["encoder"]["name"] == "tiny-bert (feed-forward 24)"
    done = CliRunner().invoke(
        export, [str(tmp_path / "second/checkpoint"), "--output", str(tmp_path / "model")], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    assert "tiny-bert (feed-forward 24)" in (tmp_path / "model/README.md").read_text("utf-8")
    assert json.loads((tmp_path / "model/config.json").read_text("utf-8"))["encoder"]["intermediate_size"] == 24

    again = tmp_path / "again"
    narrow_checkpoint(tmp_path / "second/checkpoint", again, texts=TEXTS, width=8, overwrite=False)
    told = json.loads((again / "run.json").read_text("utf-8"))
    assert told["encoder"]["name"] == "tiny-bert (feed-forward 8)"


def test_texts_by_which_units_were_chosen_cannot_be_held_out(checkpoint, tmp_path):
    output = tmp_path / "narrow"
    dev = tmp_path / "rows/dev.jsonl"
    found = CliRunner().invoke(
        narrow, [str(checkpoint), "--width", "24", "--data", str(dev), "--output", str(output)], catch_exceptions=False
    )
    assert found.exit_code == 0, found.output
    refused = CliRunner().invoke(export, [str(output), "--output", str(tmp_path / "model")])
    assert refused.exit_code != 0
    assert "learnt from rows that are held out" in str(refused.exception)


def test_as_many_texts_are_drawn_as_were_asked_for_and_the_same_again(checkpoint, tmp_path):
    weights = []
    for name in ("one", "two"):
        found = CliRunner().invoke(
            narrow,
            [str(checkpoint), "--width", "8", "--n-texts", "5", "--data", str(tmp_path / "rows/train.jsonl"),
             "--output", str(tmp_path / name)],
            catch_exceptions=False,
        )  # fmt: skip
        assert "on 5 texts" in found.output
        weights.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_what_cannot_be_read_is_told_and_left_out(checkpoint, tmp_path):
    data = tmp_path / "some.jsonl"
    lines = [{"text": "The state must own the railways."}, {"text": ""}, {"text": "Markets set the price of bread."}]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = CliRunner().invoke(
        narrow,
        [str(checkpoint), "--width", "8", "--data", str(data), "--output", str(tmp_path / "out")],
        catch_exceptions=False,
    )
    assert found.exit_code == 0, found.output
    assert "1 texts cannot be read and are left out, the first: " in found.output
    assert "on 2 texts" in found.output


def test_a_run_that_lists_ids_alone_keeps_its_rows_from_being_held_out(checkpoint, tmp_path):
    facts = json.loads((checkpoint / "run.json").read_text("utf-8"))
    del facts["train_texts"]  # as of an older release
    (checkpoint / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"does not list the texts that it learnt from"):
        narrow_checkpoint(checkpoint, tmp_path / "out", texts=TEXTS, width=8, overwrite=False)


def test_what_cannot_be_made_narrower_is_refused(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match="have 64 units, 64 were asked for; expected fewer"):
        narrow_checkpoint(checkpoint, tmp_path / "out", texts=TEXTS, width=64, overwrite=False)
    with pytest.raises(RunConflictError, match="is one of the inputs"):
        narrow_checkpoint(checkpoint, checkpoint, texts=TEXTS, width=8, overwrite=True)
    (checkpoint / "run.json").unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint of twohands train: it has no run\.json"):
        narrow_checkpoint(checkpoint, tmp_path / "out", texts=TEXTS, width=8, overwrite=False)
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"id": "a", "text": ""}\n', encoding="utf-8")
    found = CliRunner().invoke(
        narrow, [str(checkpoint), "--width", "8", "--data", str(empty), "--output", str(tmp_path / "out")]
    )
    assert isinstance(found.exception, DataError)
    assert not (tmp_path / "out").exists()


def test_a_name_tells_layers_and_width_and_the_last_width_alone():
    assert name_width("mpnet", 8) == "mpnet (feed-forward 8)"
    assert name_width("mpnet (9 of its 12 layers)", 8) == "mpnet (9 of its 12 layers, feed-forward 8)"
    assert name_width(name_width("mpnet (9 of its 12 layers)", 8), 4) == "mpnet (9 of its 12 layers, feed-forward 4)"
    assert name_width(name_width("mpnet", 8), 4) == "mpnet (feed-forward 4)"


def test_an_encoder_that_is_whole_keeps_its_name(write_run):
    config, taxonomy = load_config(write_run())
    encoder = find_encoder(config.encoder.name)
    model = build_model(encoder, taxonomy, pooling="mean")
    assert identify_encoder(encoder, None, model) == encoder.identify(None)
