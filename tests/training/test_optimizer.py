"""Each parameter learns once, at the rate of its layer; a run is trained so."""

import json

import pytest
from safetensors.torch import load_file

from tests.support.encoders import make_encoder
from tests.training.test_run import run_fit
from training.encoders import find_encoder
from training.model import build_model
from training.optimizer import group_parameters


@pytest.mark.parametrize(
    ("family", "pooling"),
    [("bert", "mean"), ("bert", "first"), ("distilbert", "mean"), ("mpnet", "mean"), ("modernbert", "mean")],
)
def test_a_layer_learns_at_its_share_of_the_rate_of_the_one_above(family, pooling, taxonomy, tmp_path):
    model = build_model(find_encoder(str(make_encoder(tmp_path / "encoder", family))), taxonomy, pooling=pooling)
    groups = group_parameters(model, learning_rate=0.8, weight_decay=0.01, layer_decay=0.5)
    rates = {id(value): group["lr"] for group in groups for value in group["params"]}
    names = {id(value): name for name, value in model.named_parameters()}
    assert sum(len(group["params"]) for group in groups) == len(rates) == len(names), "each once"
    by_name = {name: rates[key] for key, name in names.items()}
    n_layers = model.base_model.config.num_hidden_layers
    assert by_name[next(name for name in by_name if "classifier" in name or "out_proj" in name)] == 0.8
    for number in range(n_layers):
        of_layer = {rate for name, rate in by_name.items() if f"layer.{number}." in name or f"layers.{number}." in name}
        assert of_layer == {0.8 * 0.5 ** (n_layers - number)}
    assert {rate for name, rate in by_name.items() if ".embeddings." in name} == {0.8 * 0.5 ** (n_layers + 1)}
    for group in groups:
        assert {value.ndim > 1 for value in group["params"]} == {group["weight_decay"] == 0.01}


def test_a_run_moves_the_lowest_least(write_run, tiny_encoder, tmp_path):
    name, moved = "embeddings.word_embeddings.weight", {}
    before = load_file(tiny_encoder / "model.safetensors")[name]
    for layer_decay in (1.0, 0.01):
        path = write_run(n_rows=32, epochs=1, optim__batch_size=32, optim__layer_decay=layer_decay)
        run_fit(path, tmp_path / str(layer_decay))
        after = load_file(tmp_path / str(layer_decay) / "checkpoint" / "model.safetensors")
        moved[layer_decay] = float((after[f"encoder.{name}"] - before).abs().max())
    assert moved[1.0] > 1e-3
    assert moved[0.01] < 1e-6


@pytest.mark.issue(3)
@pytest.mark.parametrize("final", [0.0, 0.002])
def test_a_rate_falls_evenly_to_where_the_decay_ends(final, write_run, tmp_path):
    path = write_run(
        n_rows=32, epochs=5, optim__batch_size=8, optim__warmup_fraction=0.2, optim__learning_rate=0.01,
        optim__final_learning_rate=final, optim__layer_decay=0.5, selection__evaluations_per_epoch=4,
        selection__patience=100,
    )  # fmt: skip
    run_fit(path, tmp_path / "run")
    (state,) = (tmp_path / "run").glob("trainer/checkpoint-20/trainer_state.json")
    rates = [entry["learning_rate"] for entry in json.loads(state.read_text())["log_history"] if "loss" in entry]
    # of steps 1 to 20 what each was made at: 4 steps up, 16 down, whose last is one before the end
    up = [0.01 * step / 4 for step in range(4)]
    down = [final + (0.01 - final) * (16 - step) / 16 for step in range(16)]
    lowest = 0.5**3  # what the log names: embeddings, below two layers
    assert rates == pytest.approx([lowest * rate for rate in up + down], rel=1e-6)
