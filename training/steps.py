"""Owns how many optimizer steps a run makes and when it is judged: a floor for few rows, and whether it was enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments

# Of the mean loss, from the last quarter but one to the last: less is as much noise as learning.
_STILL_FALLS = 0.03
_PERFECT = 0.9995


@dataclass(frozen=True, slots=True)
class StepPlan:
    """How long a run is: `n_floored` is the number of steps if a floor set it, None if the epochs did."""

    total: int
    every: int
    n_floored: int | None


def plan_steps(*, steps_per_epoch: int, num_epochs: float, evaluations_per_epoch: int, min_steps: int) -> StepPlan:
    """Plan a run, longer where its epochs are too few steps to learn anything by.

    Where the floor is above what the epochs come to, the run is stretched: as many evaluations as before, further
    apart, since each of them writes a checkpoint.

    Args:
        steps_per_epoch: optimizer steps.
        num_epochs: of the config.
        evaluations_per_epoch: of the config.
        min_steps: the floor; 0 for none.

    Returns:
        All steps, and those from one evaluation to the next.
    """
    every = max(1, steps_per_epoch // evaluations_per_epoch)
    total = max(1, int(steps_per_epoch * num_epochs))
    if total >= min_steps:
        return StepPlan(total=total, every=every, n_floored=None)
    n_evaluations = max(1, total // every)
    every = -(-min_steps // n_evaluations)
    return StepPlan(total=every * n_evaluations, every=every, n_floored=every * n_evaluations)


def _count_without_gain(state: TrainerState, key: str) -> int:
    n_without = 0
    scores = [entry[key] for entry in state.log_history if key in entry]
    for number, score in enumerate(scores):
        gained = number == 0 or score > max(scores[:number])
        n_without = 0 if gained else n_without + 1
    return n_without


def is_over(state: TrainerState, *, key: str, patience: int, min_steps: int) -> bool:
    """Say whether a run was killed between its last step and its end: the Trainer would make a step more.

    Args:
        state: that it saved last.
        key: of its scores on dev in the log.
        patience: evaluations without gain that end it.
        min_steps: before which its patience does not.

    Returns:
        True where it made all its steps, or its patience was at its end.
    """
    if state.global_step >= state.max_steps:
        return True
    return state.global_step >= min_steps and _count_without_gain(state, key) >= patience


class Patience(EarlyStoppingCallback):
    """Stops a run that gains nothing, but not before its floor of steps."""

    def __init__(self, patience: int, *, min_steps: int) -> None:
        """Keep both.

        Args:
            patience: evaluations without gain.
            min_steps: before which no run is stopped.
        """
        super().__init__(patience)
        self._min_steps = min_steps

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Count anew what a run that goes on was judged by before: else a kill would give it all its patience back."""
        super().on_train_begin(args, state, control, **kwargs)
        self.early_stopping_patience_counter = _count_without_gain(state, f"eval_{args.metric_for_best_model}")

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: object,
    ) -> None:
        """Count evaluations without gain from the start; act on them from the floor on."""
        goes_on = not control.should_training_stop
        super().on_evaluate(args, state, control, metrics, **kwargs)
        if goes_on and state.global_step < self._min_steps:
            control.should_training_stop = False


def warn_of_end(log: Sequence[Mapping[str, float]], *, best_step: int | None, best_score: float | None) -> str | None:
    """Say that a run ended while it was still learning.

    Args:
        log: of the Trainer: entries with `step`, and `loss` or the scores on dev.
        best_step: the step that is kept.
        best_score: its mean macro-F1.

    Returns:
        One line; None where an earlier step was best, dev is answered without an error, or the loss had levelled off.
    """
    losses = [entry["loss"] for entry in log if "loss" in entry]
    last = max((int(entry["step"]) for entry in log if "step" in entry), default=0)
    quarter = len(losses) // 4
    if best_step is None or best_step < last or not quarter or (best_score or 0) >= _PERFECT:
        return None
    before = sum(losses[-2 * quarter : -quarter]) / quarter
    after = sum(losses[-quarter:]) / quarter
    if after > (1 - _STILL_FALLS) * before:
        return None
    return (
        f"the last of {last} steps is the best on dev, and the loss still fell ({before:.3f} to {after:.3f} in "
        f"the last half of the run): it may not have learnt all it can; try --set optim.min_steps={2 * last}"
    )
