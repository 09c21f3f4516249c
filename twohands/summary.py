"""Owns paragraphs' scores -> what a whole document says, with intervals that are wide where paragraphs are uncertain.

Each paragraph is taken for a draw by its calibrated scores, independent of the others. The number of paragraphs with
a label is then a sum of unlike coin throws (Poisson binomial), and its distribution is computed, not sampled. A figure
is its mean; its interval runs from the 2.5% to the 97.5% quantile, and at least half a paragraph to either side.
Paragraphs come one by one and none is kept. Knows nothing of files or requests.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twohands.prediction import AnyOf, OneOf, Prediction
from twohands.taxonomy import Head, ProblemType, Taxonomy

LEVEL = 0.95
LEAST_SIDE = 0.5  # of an interval, in paragraphs

_NEVER = 1e-20  # chances below it at the ends of a distribution are let go, which is far below what rounding does
_DRAWS_BETWEEN_CUTS = 64

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


class DrawSum:
    """Distribution of the sum of independent draws, added one by one.

    Only sums that are not all but impossible are held, whose number grows by the root of that of draws: 9,000 for a
    million throws of a coin.
    """

    __slots__ = ("_distribution", "_first", "_mean", "_most", "_n_draws")

    def __init__(self) -> None:
        """Begin with no draw, whose sum is 0."""
        self._distribution: Array = np.ones(1)
        self._first = 0  # what the first of the distribution is the chance of
        self._mean = 0.0
        self._most = 0
        self._n_draws = 0

    @property
    def distribution(self) -> tuple[int, Array]:
        """The least sum that is held, and the chances of it and of those that follow."""
        return self._first, self._distribution

    def add(self, *chances: float) -> None:
        """Add a draw.

        Args:
            *chances: of 0, 1 and so on; they sum to 1.

        Source:
            Wang 1993, *On the number of successes in independent trials* (the Poisson binomial distribution).
        """
        self._distribution = np.convolve(self._distribution, chances)
        self._mean += sum(number * chance for number, chance in enumerate(chances))
        self._most += len(chances) - 1
        self._n_draws += 1
        if self._n_draws % _DRAWS_BETWEEN_CUTS == 0:
            held = np.flatnonzero(self._distribution > _NEVER)
            self._first += int(held[0])
            self._distribution = self._distribution[held[0] : held[-1] + 1]

    def estimate(self, *, lowest: float) -> Estimate:
        """Mean and central interval of the sum, divided by the number of draws.

        Quantiles of whole numbers leave the mean out as soon as nearly all chances lie on one of them: one paragraph at
        .99 had .99, 1 to 1. The interval therefore reaches half a paragraph to either side of the mean, as far as there
        is room, which can only make it hold more: a few paragraphs, however high their scores, keep the width of one,
        and no side is favoured for a thousandth of a score.

        Args:
            lowest: what the smallest sum stands for; there is a draw at least.

        Returns:
            The estimate, its value within its interval.

        Source:
            Hong 2013, *On computing the distribution function for the Poisson binomial distribution*, for the
            quantiles; the widening is ours.
        """
        rising = np.cumsum(self._distribution)
        tail = (1 - LEVEL) / 2
        last = self._first + len(rising) - 1
        # Rounding may leave the last sum just below 1.
        low = self._first + int(np.searchsorted(rising, tail + 1e-12))
        high = min(self._first + int(np.searchsorted(rising, 1 - tail - 1e-12)), last)
        mean = min(max(self._mean, 0.0), self._most)  # but for rounding
        ends = max(0.0, min(low, mean - LEAST_SIDE)), min(self._most, max(high, mean + LEAST_SIDE))
        return Estimate(*(lowest + figure / self._n_draws for figure in (mean, *ends)))


def add_label(total: DrawSum, score: float) -> None:
    """Count a paragraph that has a label by a chance.

    Args:
        total: how many paragraphs have it.
        score: of the label, calibrated.
    """
    total.add(1 - score, score)


def add_poles(total: DrawSum, first: float, second: float) -> None:
    """Count a paragraph for one of two labels that exclude each other, or for neither.

    Args:
        total: how many paragraphs have the first rather than the second, and one more for each paragraph.
        first: score of the one.
        second: score of the other.
    """
    neither = min(max(1 - first - second, 0.0), 1.0)
    whole = first + second + neither
    total.add(second / whole, neither / whole, first / whole)


class _HeadFigures:
    """What paragraphs answer to one head."""

    __slots__ = ("_balance", "_by_label", "_head", "_n_abstained", "_n_given")

    def __init__(self, head: Head) -> None:
        self._head = head
        self._by_label = {name: DrawSum() for name in head.label_names}
        self._n_given = Counter[str]()
        self._n_abstained = 0
        self._balance = DrawSum()

    def add(self, answer: OneOf | AnyOf) -> None:
        for name, total in self._by_label.items():
            add_label(total, answer.scores[name])
        if isinstance(answer, AnyOf):
            self._n_given.update(answer.labels)
            return
        self._n_given[answer.label] += 1
        self._n_abstained += answer.abstained
        if self._head.balance_poles is not None:
            add_poles(self._balance, *(answer.scores[pole] for pole in self._head.balance_poles))

    def to_dict(self) -> dict[str, object]:
        labels = {
            name: {"share": total.estimate(lowest=0.0).to_dict(), "n_given": self._n_given[name]}
            for name, total in self._by_label.items()
        }
        told: dict[str, object] = {"labels": labels}
        if self._head.problem_type is ProblemType.ONE_OF:
            told["n_abstained"] = self._n_abstained
            if self._head.balance_poles is not None:
                told["balance"] = self._balance.estimate(lowest=-1.0).to_dict()
        return told


class Summary:
    """What a document says as a whole, of paragraphs that come one by one.

    A paragraph with a warning is one that the model cannot judge, however high its score: it counts for nothing, unless
    all are such.
    """

    __slots__ = ("_figures", "_n_paragraphs", "_n_warned", "_taxonomy", "_warnings")

    def __init__(self, taxonomy: Taxonomy) -> None:
        """Begin with no paragraph.

        Args:
            taxonomy: the heads.
        """
        self._taxonomy = taxonomy
        self._n_paragraphs = self._n_warned = 0
        self._warnings = Counter[str]()
        self._figures = self._begin()

    def _begin(self) -> dict[str, _HeadFigures]:
        return {head.name: _HeadFigures(head) for head in self._taxonomy.heads}

    @property
    def is_all_warned(self) -> bool:
        """Whether there are paragraphs and each has a warning, so that figures are of what cannot be judged."""
        return 0 < self._n_paragraphs == self._n_warned

    def add(self, prediction: Prediction) -> None:
        """Count one paragraph."""
        are_all_warned = self._n_warned == self._n_paragraphs
        if are_all_warned and self._n_paragraphs and not prediction.warnings:
            self._figures = self._begin()  # those until now counted for want of better
        self._n_paragraphs += 1
        self._n_warned += bool(prediction.warnings)
        self._warnings.update(prediction.warnings)
        if are_all_warned or not prediction.warnings:
            for name, figures in self._figures.items():
                figures.add(prediction.heads[name])

    def to_dict(self) -> dict[str, object]:
        """Say what there is.

        Returns:
            `n_paragraphs`, how many of them were left out (`n_left_out`), and how many have each of the `warnings`. For
            each head, of those that count: share of each label with its interval, how many paragraphs were given it,
            how many answers were abstained from, and the balance of a head that has poles; no head without paragraphs.
        """
        has_sound = self._n_warned < self._n_paragraphs
        figures = self._figures if self._n_paragraphs else {}
        return {
            "level": LEVEL,
            "n_paragraphs": self._n_paragraphs,
            "n_left_out": self._n_warned if has_sound else 0,
            "warnings": dict(self._warnings),
            "heads": {name: head.to_dict() for name, head in figures.items()},
        }


def summarise(predictions: Iterable[Prediction], taxonomy: Taxonomy) -> dict[str, object]:
    """Say what a document says as a whole.

    Args:
        predictions: of its paragraphs; at least one.
        taxonomy: the heads.

    Returns:
        As `Summary` says it.
    """
    summary = Summary(taxonomy)
    for prediction in predictions:
        summary.add(prediction)
    return summary.to_dict()
