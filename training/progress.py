"""Owns the live bar of a run: steps, loss, and the dev scores as they come."""

import sys
from collections.abc import Mapping
from typing import NoReturn

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.bars import open_bar

MEAN_F1 = "mean_f1"  # over heads; by it the best step is chosen


def name_scores(scores: Mapping[str, float], correlations: Mapping[str, float]) -> dict[str, float]:
    """Name the scores of an evaluation, as the log has them.

    Args:
        scores: macro-F1 on dev, by head.
        correlations: MCC on dev, by head.

    Returns:
        Both of each head, and the mean of the first.
    """
    # No head has blanks in its name; the score of one that is called mean was written over by that of all (#3).
    named = {f"{name}_f1": score for name, score in scores.items()}
    if MEAN_F1 in named:
        named["head mean_f1"] = named[MEAN_F1]
    mean = sum(scores.values()) / len(scores)
    return named | {f"{name}_mcc": value for name, value in correlations.items()} | {MEAN_F1: mean}


class ProgressBar(TrainerCallback):
    """Shows one line on standard error; where that is a file, a line a minute and one an evaluation instead."""

    def __init__(self) -> None:
        """Start without a bar; the Trainer says how many steps there are."""
        self._bar: tqdm[NoReturn] | None = None
        self._shown: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Open the bar at the step that a resumed run starts from."""
        del args, control, kwargs
        if state.is_world_process_zero:
            self._bar = open_bar("train", total=state.max_steps, unit="step", n_done=state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Move on by one optimizer step."""
        del args, control, kwargs
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Show the loss, and every dev score of the last evaluation."""
        del args, control, kwargs
        if self._bar is None:
            return
        logs = logs or {}
        if "loss" in logs:
            self._shown["loss"] = f"{logs['loss']:.3f}"
        scores = {
            key.removeprefix("eval_").removesuffix("_f1"): value for key, value in logs.items() if key.endswith("_f1")
        }
        if scores:
            # Each head stands in the line that stays; the bar has room for their mean alone.
            line = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
            loss = f"loss {self._shown['loss']}; " if "loss" in self._shown else ""
            self._bar.write(
                f"epoch {state.epoch or 0:.2f}, step {state.global_step}: {loss}dev: {line}", file=sys.stderr
            )
            correlations = ", ".join(
                f"{key.removeprefix('eval_').removesuffix('_mcc')} {value:.3f}"
                for key, value in logs.items()
                if key.endswith("_mcc")
            )
            if correlations:  # macro-F1 of an any-of head can be high for labels that are given to every row
                self._bar.write(f"correlation (MCC) on dev: {correlations}", file=sys.stderr)
            if "mean" in scores:
                self._shown["dev"] = f"{scores['mean']:.3f}"
        self._bar.set_postfix(self._shown, refresh=False)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Close the bar."""
        del args, state, control, kwargs
        if self._bar is not None:
            self._bar.close()
            self._bar = None
