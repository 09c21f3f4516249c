"""Owns the stability index of two sets of shares, and how much of one chance alone shows. Knows nothing of metrics."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]

_SMALLEST_SHARE = 1e-3
_N_DRAWN = 50_000  # bins in all draws together: a millisecond or two, on the event loop
_FEWEST_DRAWS, _MOST_DRAWS = 20, 400
_N_SPREADS = 2  # beyond the mean of what chance shows: one in twenty draws is above
_STEP = 1.1  # what chance shows of so much fewer or more is taken for the same, to draw seldom


def stability_index(found: Counts, expected: Counts) -> Counts:
    """Population stability index of histograms over the same bins.

    Args:
        found: counts or shares, shape `(..., n_bins)`.
        expected: counts or shares, of a shape that broadcasts with that.

    Returns:
        Shape `(...)`; 0 where they are the same; by custom, above 0.1 a shift to look at and above 0.2 a shift.

    Source:
        Siddiqi 2006, *Credit Risk Scorecards*, chapter 8.
    """
    first, second = (
        np.maximum(each / np.maximum(each.sum(axis=-1, keepdims=True), 1e-12), _SMALLEST_SHARE)
        for each in (found, expected)
    )
    first, second = (each / each.sum(axis=-1, keepdims=True) for each in (first, second))
    return np.asarray(np.sum((first - second) * np.log(first / second), axis=-1))


class Shares:
    """Expected shares, and the index of others against them beyond what chance shows.

    Without an allowance a head of 77 labels would be above 0.2 at any traffic: of so many bins each is a little off.
    """

    def __init__(self, expected: Sequence[float], *, is_any_of: bool = False) -> None:
        """Take what is expected.

        Args:
            expected: shape `(n_bins,)`.
            is_any_of: each share is one of its own, of all paragraphs, beside the others; else they sum to 1.
        """
        self.expected: Counts = np.array(expected, dtype=float)
        self._is_any_of = is_any_of
        self._allowance_by_step: dict[int, float] = {}

    def measure(self, shares: Sequence[float], *, n: float) -> float:
        """How far shares that were found are from what is expected.

        Args:
            shares: of `n` paragraphs, shape `(n_bins,)`; any-of from 0 to 1 each, else of any sum.
            n: how many paragraphs these stand for, at least 1.

        Returns:
            The index less what chance shows of so many, at least 0. Any-of: of the label that is farthest off, given
            or not given; the mix of those given alone would say nothing of traffic that is given none.
        """
        index = float(self._measure(np.array(shares, dtype=float)))
        return max(0.0, index - self._allow(n)) if math.isfinite(index) else index

    def _measure(self, shares: Counts) -> Counts:
        if not self._is_any_of:
            return stability_index(shares, self.expected)
        found, expected = (np.stack([each, 1 - each], axis=-1) for each in (shares, self.expected))
        return np.asarray(stability_index(found, expected).max(axis=-1))

    def _allow(self, n: float) -> float:
        """What chance alone shows of so many paragraphs, one time in twenty: drawn from what is expected."""
        step = math.floor(math.log(n, _STEP))  # rounded down: of fewer, chance shows more
        if step not in self._allowance_by_step:
            n_drawn, n_bins = max(1, round(_STEP**step)), len(self.expected)
            n_draws = min(max(_N_DRAWN // n_bins, _FEWEST_DRAWS), _MOST_DRAWS)
            draw = np.random.default_rng(step)
            if self._is_any_of:
                counts = draw.binomial(n_drawn, self.expected.clip(0, 1), size=(n_draws, n_bins))
            else:
                counts = draw.multinomial(n_drawn, self.expected / max(self.expected.sum(), 1e-12), size=n_draws)
            indices = self._measure(counts / n_drawn)
            self._allowance_by_step[step] = float(indices.mean() + _N_SPREADS * indices.std())
        return self._allowance_by_step[step]
