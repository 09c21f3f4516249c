"""Owns what chance does to a slice's labels: how far from expected they lie where whoever gave them means nothing.

Percentile intervals of few documents leave 0 out far too often where a label is rare: without a single positive every
residual is negative, and so is every draw. So a slice is measured against labels that follow the scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import numpy.typing as npt

from twohands.metrics import Floats

_LEAST = 1e-3  # no text is certain: a score of 0 would make a single positive impossible
Places = npt.NDArray[np.int64]


def _moments(expected: Floats, documents: Places) -> Floats:
    """Variance and third moment of a sum of labels, rows as independent (first row) and as one by document (second)."""
    variances = expected * (1 - expected)
    thirds = variances * (1 - 2 * expected)
    together = [np.bincount(documents, weights=part) for part in (np.sqrt(variances), np.cbrt(thirds))]
    return np.array([[variances.sum(), thirds.sum()], [(together[0] ** 2).sum(), (together[1] ** 3).sum()]])


def _count_equal(documents: Places) -> float:
    """How many documents of equal size would say as much (Kish)."""
    sizes = np.bincount(documents).astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


@dataclass(frozen=True, slots=True)
class Chance:
    """How the labels of one kind scatter about their scores over all rows, by document.

    `apart` is label less expected share, `expected` that share, `documents` the number of each row's document, shape
    `(n,)` each; `spread` is the variance beside that of labels drawn from the shares, `shared` the part of it that rows
    of one document have in common.
    """

    apart: Floats
    expected: Floats
    documents: Places
    spread: float
    shared: float

    @classmethod
    def of(cls, apart: Floats, expected: Floats, documents: Places) -> "Chance":
        """Estimate the scatter.

        Args:
            apart: label less expected share, shape `(n,)`, 0 in the mean.
            expected: shares, shape `(n,)`.
            documents: the number of each row's document.

        Returns:
            The scatter over all rows.
        """
        inside = np.clip(expected, _LEAST, 1 - _LEAST)
        (alone, _), (together, _) = _moments(inside, documents)
        squares = float((apart**2).sum())
        spread = squares / alone
        common = float((np.bincount(documents, weights=apart) ** 2).sum()) - squares
        room = spread * (together - alone)
        shared = float(np.clip(common / room, 0, 1)) if room > 0 else 0.0
        return cls(apart, inside, documents, spread, shared)

    def _moments_of(self, chosen: npt.NDArray[np.bool_]) -> Floats:
        alone, together = _moments(self.expected[chosen], self.documents[chosen])
        mixed: Floats = (1 - self.shared) * alone + self.shared * together
        return mixed * self.spread ** np.array([1, 1.5])

    def _freedom(self, chosen: npt.NDArray[np.bool_], variances: Sequence[float]) -> float:
        """Degrees of freedom of slice against rest, by the documents of each (Welch and Satterthwaite)."""
        documents = [_count_equal(self.documents[chosen]), _count_equal(self.documents[~chosen])]
        parts = [part**2 / max(1.0, n - 1) for part, n in zip(variances, documents, strict=True)]
        return float(sum(variances) ** 2 / sum(parts))

    def judge(self, chosen: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
        """Set one slice against labels that follow the scores.

        Args:
            chosen: its rows, shape `(n,)`; at least one.

        Returns:
            Two-sided p of its excess, and the bounds between which 95% of such excesses lie. The excess is told from
            the mean over all rows, of which the slice is a part.

        Source:
            Pearson's type III curve through three moments, as for any skewed sum, or Student's t with the documents as
            degrees of freedom, whichever gives the larger p; half a row is taken off as its labels are whole.
        """
        stats = import_module("scipy.stats")
        n, share = int(chosen.sum()), float(chosen.mean())
        (own, own_third), (others, others_third) = self._moments_of(chosen), self._moments_of(~chosen)
        variances = [(1 - share) ** 2 * float(own), share**2 * float(others)]
        step = (1 - share) / 2
        if sum(variances) <= 0:
            return 1.0, 0.0, 0.0
        deviation = float(np.sqrt(sum(variances)))
        skew = ((1 - share) ** 3 * own_third - share**3 * others_third) / deviation**3
        # Type III ends where few large documents still scatter, and gave what lies beyond its end p = 0 (#6).
        curves = (stats.pearson3(skew), stats.t(self._freedom(chosen, variances)))
        excess = float(self.apart[chosen].sum())
        nearer = np.sign(excess) * max(0.0, abs(excess) - step) / deviation
        tail = max(float(curve.sf(nearer) if excess > 0 else curve.cdf(nearer)) for curve in curves)
        low, high = (pick(curve.ppf(at) for curve in curves) for pick, at in ((min, 0.025), (max, 0.975)))
        return min(1.0, 2 * tail), float(low * deviation - step) / n, float(high * deviation + step) / n


def adjust(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number: of what is listed up to q, about a share q is there by chance.

    Args:
        p_values: of all tests.

    Returns:
        One q for each.

    Source:
        Benjamini and Hochberg 1995, *Controlling the False Discovery Rate*.
    """
    adjusted = import_module("scipy.stats").false_discovery_control(p_values, method="bh")
    return [float(value) for value in adjusted]
