"""Owns decisions over whole arrays: which labels a matrix of scores gives, as `make_predictions` does by row."""

import numpy as np
import numpy.typing as npt

from twohands.scores import DecisionRule, Scores, calibrate
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.windows import Logits


def decide_head(head: Head, rule: DecisionRule, scores: Scores) -> npt.NDArray[np.bool_]:
    """Say which labels are given.

    Args:
        head: which head.
        rule: its thresholds; abstention marks an answer but does not change its label.
        scores: shape `(n, n_labels)`, calibrated.

    Returns:
        Shape `(n, n_labels)`.
    """
    if head.problem_type is ProblemType.ONE_OF:
        return np.asarray(np.arange(len(head.labels)) == scores.argmax(axis=1)[:, None])
    return np.asarray(scores >= np.array(rule.thresholds))


def decide_all(
    logits: Logits, taxonomy: Taxonomy, rules: dict[str, DecisionRule]
) -> dict[str, tuple[Scores, npt.NDArray[np.bool_]]]:
    """Calibrate and decide every head.

    Args:
        logits: shape `(n, n_labels)`.
        taxonomy: the heads.
        rules: by head name.

    Returns:
        Scores and labels given, by head name.
    """
    decided = {}
    for head in taxonomy.heads:
        scores = calibrate(logits[:, taxonomy.slices[head.name]], rules[head.name].calibration)
        decided[head.name] = (scores, decide_head(head, rules[head.name], scores))
    return decided
