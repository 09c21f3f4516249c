"""How long a run is: few rows get steps enough, many the epochs that were asked for, and one too short is told."""

import json
import shutil

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from training.config import load_config
from training.data import load_splits
from training.encoders import find_encoder
from training.loop import fit
from training.steps import Patience, is_over, plan_steps, warn_of_end


def test_few_rows_are_shown_until_the_floor_and_judged_as_often_as_before():
    epochs = plan_steps(steps_per_epoch=13, num_epochs=8, evaluations_per_epoch=1, min_steps=0)
    assert (epochs.total, epochs.every, epochs.n_floored) == (104, 13, None)
    plan = plan_steps(steps_per_epoch=13, num_epochs=8, evaluations_per_epoch=1, min_steps=403)
    assert plan.n_floored == plan.total >= 403
    assert plan.total == 8 * plan.every
    part = plan_steps(steps_per_epoch=3, num_epochs=0.5, evaluations_per_epoch=4, min_steps=50)
    assert (part.total, part.every, part.n_floored) == (50, 50, 50)


@pytest.mark.parametrize("num_epochs", [0.5, 1, 1.25, 3])
def test_a_run_of_many_rows_is_as_long_as_its_epochs(num_epochs):
    asked = {"steps_per_epoch": 1651, "num_epochs": num_epochs, "evaluations_per_epoch": 4}
    assert plan_steps(**asked, min_steps=400) == plan_steps(**asked, min_steps=0)


@pytest.mark.parametrize(("step", "stops"), [(40, False), (60, True)])
def test_patience_waits_for_the_floor(tmp_path, step, stops):
    arguments = TrainingArguments(
        output_dir=str(tmp_path), metric_for_best_model="mean_f1", greater_is_better=True, report_to=[]
    )
    state, control = TrainerState(best_metric=0.9, global_step=step), TrainerControl()
    patience = Patience(2, min_steps=60)
    for _ in range(2):
        patience.on_evaluate(arguments, state, control, {"eval_mean_f1": 0.5})
    assert control.should_training_stop is stops


@pytest.mark.issue(3)
def test_a_run_that_goes_on_has_the_patience_that_was_left(tmp_path):
    arguments = TrainingArguments(
        output_dir=str(tmp_path), metric_for_best_model="mean_f1", greater_is_better=True, report_to=[],
        load_best_model_at_end=True, eval_strategy="steps", save_strategy="steps", eval_steps=10, save_steps=10,
    )  # fmt: skip
    scores = [0.5, 0.9, 0.8, 0.9]  # two evaluations without gain
    log = [{"step": 10 * n, "eval_mean_f1": score} for n, score in enumerate(scores, start=1)]
    state, control = TrainerState(best_metric=0.9, global_step=40, log_history=log), TrainerControl()
    patience = Patience(3, min_steps=0)
    patience.on_train_begin(arguments, state, control)
    assert control.should_training_stop is False
    patience.on_evaluate(arguments, state, control, {"eval_mean_f1": 0.5})
    assert control.should_training_stop is True
    state.max_steps = 80
    for min_steps, patience, ended in ((0, 2, True), (60, 2, False), (0, 3, False)):
        assert is_over(state, key="eval_mean_f1", patience=patience, min_steps=min_steps) is ended
    state.max_steps = 40
    assert is_over(state, key="eval_mean_f1", patience=9, min_steps=0)


def test_a_run_makes_the_steps_of_its_floor(write_run, tmp_path, capsys):
    path = write_run(n_rows=24, epochs=2, optim__min_steps=9, selection__patience=1)  # three steps an epoch
    config, taxonomy = load_config(path)
    splits = load_splits(config.data, taxonomy, seed=config.seed)
    run_dir = tmp_path / "run"
    checkpoint = fit(config, taxonomy, splits, find_encoder(config.encoder.name), run_dir=run_dir, restart=False)
    facts = json.loads((checkpoint / "run.json").read_text(encoding="utf-8"))
    assert facts["steps"] == 10  # two evaluations, as in two epochs of three steps
    assert [entry["step"] for entry in facts["log"] if "eval_mean_f1" in entry] == [5, 10]
    told = capsys.readouterr().err
    assert "too few steps in 2 epochs of 24 rows; 10 are made (optim.min_steps)" in told
    assert "correlation (MCC) on dev: stance" in told

    # Killed between the last step, which ends no epoch, and the end.
    weights = (checkpoint / "model.safetensors").read_bytes()
    shutil.rmtree(checkpoint)
    fit(config, taxonomy, splits, find_encoder(config.encoder.name), run_dir=run_dir, restart=False)
    again = json.loads((checkpoint / "run.json").read_text(encoding="utf-8"))
    assert (again["steps"], again["best_step"], again["resumed"]) == (10, facts["best_step"], True)
    assert (checkpoint / "model.safetensors").read_bytes() == weights


def test_one_epoch_is_told_as_one(write_run, tmp_path, capsys):
    config, taxonomy = load_config(write_run(n_rows=24, epochs=1, optim__min_steps=4))
    splits = load_splits(config.data, taxonomy, seed=config.seed)
    fit(config, taxonomy, splits, find_encoder(config.encoder.name), run_dir=tmp_path / "run", restart=False)
    assert "too few steps in 1 epoch of 24 rows; " in capsys.readouterr().err


def log_of(losses):
    return [{"step": 10 * (n + 1), "loss": loss} for n, loss in enumerate(losses)]


def test_a_run_that_ends_while_it_learns_says_so():
    # Of 200 mails in 104 steps, after which one head had learnt next to nothing.
    falling = log_of([1.835, 1.741, 1.364, 0.967, 0.829, 0.772, 0.753, 0.727, 0.713, 0.706])
    told = warn_of_end(falling, best_step=100, best_score=0.811)
    assert told is not None
    assert "optim.min_steps=200" in told
    assert warn_of_end(falling, best_step=90, best_score=0.811) is None
    assert warn_of_end(falling, best_step=100, best_score=1.0) is None
    assert warn_of_end(log_of([1.8, 1.0, 0.6, 0.5, 0.42, 0.41, 0.41, 0.41]), best_step=80, best_score=0.8) is None
    assert warn_of_end(log_of([1.8]), best_step=10, best_score=0.1) is None
