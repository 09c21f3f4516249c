"""The live bar: every head's score stays to be read, and the bar fits a terminal of 80 columns."""

import re
import sys
import time

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from training.bars import open_bar
from training.progress import MEAN_F1, ProgressBar, name_scores


def test_a_run_is_told_in_80_columns(tmp_path, capsys):
    arguments, control = TrainingArguments(output_dir=str(tmp_path), report_to=[]), TrainerControl()
    state = TrainerState(max_steps=12000, global_step=0, epoch=0.0)
    bar = ProgressBar()
    bar.on_train_begin(arguments, state, control)
    state.global_step, state.epoch = 6000, 1.5
    bar.on_log(arguments, state, control, logs={"loss": 1.9531, "learning_rate": 1e-4})
    scores = {"eval_kind_f1": 0.1834, "eval_areas_f1": 0.3021, "eval_mean_f1": 0.2428, "eval_loss": 3.0}
    scores |= {"eval_kind_mcc": 0.0123, "eval_areas_mcc": -0.0131}
    bar.on_log(arguments, state, control, logs=scores)
    bar.on_step_end(arguments, state, control)
    bar.on_train_end(arguments, state, control)
    told = capsys.readouterr().err
    assert "\r" not in told, "a log holds lines, not drawings over one another"
    lines = told.splitlines()
    assert all(line == line.strip() != "" for line in lines)
    assert "epoch 1.50, step 6000: loss 1.953; dev: kind 0.183, areas 0.302, mean 0.243" in lines
    assert [line for line in lines if line.endswith("correlation (MCC) on dev: kind 0.012, areas -0.013")]
    last = lines[-1]
    assert "6000/12000" in last
    assert "loss=1.953, dev=0.243" in last
    # tqdm takes the width of a terminal alone: the drawn bar, which it shortens, and a rate of no time are left out.
    told = re.sub(r"[\d.]+step/s", "99.99step/s", re.sub(r"\|.*?\|", "||", last))
    assert max(map(len, [*lines[:-1], told])) <= 80


def test_a_bar_in_a_pipe_is_told_in_lines(capsys):
    with open_bar("unpacking", total=4_000_000, unit="B", scaled=True, n_done=1_000_000) as bar:
        bar.update(3_000_000)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("unpacking:  25%|")
    assert last.startswith("unpacking: 100%|")
    assert "4.00M/4.00M" in last


@pytest.mark.issue(3)
def test_a_head_that_is_called_mean_keeps_its_score():
    named = name_scores({"mean": 0.25, "kind": 0.75}, {"mean": 0.1, "kind": 0.2})
    assert named[MEAN_F1] == 0.5
    assert sorted(value for key, value in named.items() if key.endswith("_f1")) == [0.25, 0.5, 0.75]
    assert {value for key, value in named.items() if key.endswith("_mcc")} == {0.1, 0.2}
    plain = name_scores({"kind": 0.25, "areas": 0.75}, {})
    assert plain == {"kind_f1": 0.25, "areas_f1": 0.75, MEAN_F1: 0.5}


@pytest.mark.issue(3)
def test_a_bar_of_what_is_soon_done_is_not_told(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for delay_s, is_told in ((5, False), (0.01, True)):
        with open_bar("reading", total=None, unit="row", delay_s=delay_s) as bar:
            time.sleep(0.25)
            bar.update(200)
        assert ("reading: 200row" in capsys.readouterr().err) is is_told, delay_s
