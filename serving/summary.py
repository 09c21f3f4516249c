"""Owns paragraphs' scores -> what a whole document says, with intervals that are wide where paragraphs are uncertain.

Each paragraph is taken for a draw by its calibrated scores, independent of the others. The number of paragraphs with
a label is then a sum of unlike coin throws (Poisson binomial), and its distribution is computed, not sampled. A figure
is its mean; its interval runs from the 2.5% to the 97.5% quantile, and at least half a paragraph to either side.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twohands.prediction import OneOf, Prediction
from twohands.taxonomy import ProblemType, Taxonomy

LEVEL = 0.95
LEAST_SIDE = 0.5  # of an interval, in paragraphs

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure within an interval that holds what it is expected of with a probability of at least `LEVEL`."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """The JSON shape of every figure with an interval."""
        return {name: round(getattr(self, name), 4) for name in ("value", "low", "high")}


def sum_distribution(chances: Array) -> Array:
    """Distribution of the sum of independent draws.

    Args:
        chances: shape `(n, k)`, rows summing to 1: the chances of 0, 1 ... k - 1.

    Returns:
        Shape `(n * (k - 1) + 1,)`: the chances of each sum.

    Source:
        Wang 1993, *On the number of successes in independent trials* (the Poisson binomial distribution).
    """
    distribution = np.ones(1)
    for row in chances:
        distribution = np.convolve(distribution, row)
    return distribution


def estimate(chances: Array, *, lowest: float, scale: float) -> Estimate:
    """Mean and central interval of a scaled sum.

    Quantiles of whole numbers leave the mean out as soon as nearly all chances lie on one of them: one paragraph at .99
    had .99, 1 to 1. The interval therefore reaches half a paragraph to either side of the mean, as far as there is
    room, which can only make it hold more: a few paragraphs, however high their scores, keep the width of one, and no
    side is favoured for a thousandth of a score.

    Args:
        chances: as `sum_distribution`.
        lowest: what the smallest sum stands for.
        scale: what one more stands for.

    Returns:
        The estimate, its value within its interval.

    Source:
        Hong 2013, *On computing the distribution function for the Poisson binomial distribution*, for the quantiles;
        the widening is ours.
    """
    distribution = sum_distribution(chances)
    rising = np.cumsum(distribution)
    tail = (1 - LEVEL) / 2
    # Rounding may leave the last sum just below 1.
    low = int(np.searchsorted(rising, tail + 1e-12))
    high = min(int(np.searchsorted(rising, 1 - tail - 1e-12)), len(distribution) - 1)
    mean = float((chances * np.arange(chances.shape[1])).sum())
    most = len(distribution) - 1
    mean = min(max(mean, 0.0), most)  # but for rounding
    ends = max(0.0, min(low, mean - LEAST_SIDE)), min(most, max(high, mean + LEAST_SIDE))
    return Estimate(*(lowest + scale * figure for figure in (mean, *ends)))


def estimate_share(scores: Sequence[float]) -> Estimate:
    """Share of the paragraphs that have a label.

    Args:
        scores: of the label, calibrated; at least one.

    Returns:
        The estimate, in [0, 1].
    """
    second = np.asarray(scores, dtype=float)
    return estimate(np.stack([1 - second, second], axis=1), lowest=0.0, scale=1 / len(second))


def estimate_balance(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Share of one label minus share of another that excludes it.

    Args:
        first: scores of the one; at least one.
        second: scores of the other, for the same paragraphs.

    Returns:
        The estimate, in [-1, 1].
    """
    plus, minus = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    neither = np.clip(1 - plus - minus, 0, 1)
    chances = np.stack([minus, neither, plus], axis=1)
    return estimate(chances / chances.sum(axis=1, keepdims=True), lowest=-1.0, scale=1 / len(plus))


def summarise(predictions: Sequence[Prediction], taxonomy: Taxonomy) -> dict[str, object]:
    """Say what a document says as a whole.

    A paragraph with a warning is one that the model cannot judge, however high its score: it counts for nothing, unless
    all are such.

    Args:
        predictions: of its paragraphs; at least one.
        taxonomy: the heads.

    Returns:
        `n_paragraphs`, how many of them were left out (`n_left_out`), and how many have each of the `warnings`. For
        each head, of those that count: share of each label with its interval, how many paragraphs were given it, how
        many answers were abstained from, and the balance of a head that has poles.
    """
    counted = [prediction for prediction in predictions if not prediction.warnings] or predictions
    heads: dict[str, object] = {}
    for head in taxonomy.heads:
        answers = [prediction.heads[head.name] for prediction in counted]
        given = [[answer.label] if isinstance(answer, OneOf) else answer.labels for answer in answers]
        labels = {
            name: {
                "share": estimate_share([answer.scores[name] for answer in answers]).to_dict(),
                "n_given": sum(name in labels for labels in given),
            }
            for name in head.label_names
        }
        told: dict[str, object] = {"labels": labels}
        if head.problem_type is ProblemType.ONE_OF:
            told["n_abstained"] = sum(isinstance(answer, OneOf) and answer.abstained for answer in answers)
            if head.balance_poles is not None:
                first, second = ([answer.scores[pole] for answer in answers] for pole in head.balance_poles)
                told["balance"] = estimate_balance(first, second).to_dict()
        heads[head.name] = told
    return {
        "level": LEVEL,
        "n_paragraphs": len(predictions),
        "n_left_out": len(predictions) - len(counted),
        "warnings": dict(Counter(code for prediction in predictions for code in prediction.warnings)),
        "heads": heads,
    }
