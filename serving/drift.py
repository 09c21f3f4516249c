"""Owns drift: how recent traffic differs from what the model answers on its own data, as its manifest has it.

A model whose manifest holds no `metrics.reference` gives no drift metrics; the plain ones (labels, scores, lengths,
unknown tokens) can still be watched over time.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from serving.metrics import Metrics
from twohands.encoding import EncodedParagraph
from twohands.prediction import OneOf, Prediction
from twohands.reference import N_SCORE_BINS, Reference, find_score_bin

# Half of what is remembered comes from so many last paragraphs.
_HALF_LIFE = 1000
_GROWTH = 2 ** (1 / _HALF_LIFE)
# Of fewer, chance alone tells of a shift: in draws by the released model's own figures, one of these is above 0.2 in
# two of three draws of 60 paragraphs, in one of eight of 100 and in 2% of 140; of so many in none.
_FEWEST = 200
_TELL_EVERY = 20
_SMALLEST_SHARE = 1e-3

Counts = npt.NDArray[np.float64]


def stability_index(found: Sequence[float] | Counts, expected: Sequence[float] | Counts) -> float:
    """Population stability index of two histograms over the same bins.

    Args:
        found: counts or shares, shape `(n_bins,)`.
        expected: counts or shares, shape `(n_bins,)`.

    Returns:
        0 when they are the same; by custom, above 0.1 a shift to look at and above 0.2 a shift.

    Source:
        Siddiqi 2006, *Credit Risk Scorecards*, chapter 8.
    """
    first, second = (
        np.maximum(np.asarray(h, dtype=float) / max(np.sum(h), 1e-12), _SMALLEST_SHARE) for h in (found, expected)
    )
    first, second = first / first.sum(), second / second.sum()
    return float(np.sum((first - second) * np.log(first / second)))


class Drift:
    """Recent traffic of one model against its training data."""

    def __init__(self, reference: Reference, *, metrics: Metrics, model: str) -> None:
        """Show the reference.

        Args:
            reference: figures of the training data.
            metrics: where drift is shown.
            model: the name it is served under.
        """
        self._metrics, self._model = metrics, model
        # figure -> (bins' names, expected)
        self._expected: dict[str, tuple[list[str], Counts]] = {}
        for head, share in reference.label_share.items():
            self._expected[f"labels:{head}"] = (list(share), np.array(list(share.values())))
        for head, shares in reference.score_share.items():
            if len(shares) == N_SCORE_BINS:
                names = [f"{(place + 1) / N_SCORE_BINS:.1f}" for place in range(N_SCORE_BINS)]
                self._expected[f"scores:{head}"] = (names, np.array(shares))
        self._edges = reference.input_tokens_edges
        if self._edges and len(reference.input_tokens_share) == len(self._edges) + 1:
            names = [*(f"{edge:g}" for edge in self._edges), "inf"]
            self._expected["input_tokens"] = (names, np.array(reference.input_tokens_share))
        if reference.unknown_token_share is not None:
            share_known = 1 - reference.unknown_token_share
            self._expected["unknown_tokens"] = (["unknown", "known"], np.array([1 - share_known, share_known]))
        self._found = {figure: [0.0] * len(names) for figure, (names, _) in self._expected.items()}
        # What is new weighs more instead of all that is old less: one number changes, and shares are the same.
        self._weight = 1.0
        self._n_seen = 0
        for figure, (names, expected) in self._expected.items():
            for name, value in zip(names, expected, strict=True):
                metrics.reference.labels(model, figure, name).set(value)

    def see(self, prediction: Prediction, paragraph: EncodedParagraph) -> None:
        """Take one classified paragraph into account."""
        self._weight *= _GROWTH
        for head, answer in prediction.heads.items():
            for label in [answer.label] if isinstance(answer, OneOf) else answer.labels:
                self._add(f"labels:{head}", label)
            self._add(f"scores:{head}", find_score_bin(max(answer.scores.values())))
        self._add("input_tokens", bisect_left(self._edges, paragraph.n_tokens))
        self._add("unknown_tokens", 0, paragraph.n_tokens_unknown)
        self._add("unknown_tokens", 1, paragraph.n_tokens - paragraph.n_tokens_unknown)
        self._n_seen += 1
        if self._n_seen % _TELL_EVERY == 0:
            if self._n_seen >= _FEWEST:
                self._tell()
            self._found = {figure: [each / self._weight for each in found] for figure, found in self._found.items()}
            self._weight = 1.0

    def end(self) -> None:
        """Show none of it any longer: another model answers, which differs from this one's data by itself."""
        for figure, (names, _) in self._expected.items():
            self._metrics.drop(self._metrics.drift, self._model, figure)
            for name in names:
                self._metrics.drop(self._metrics.reference, self._model, figure, name)

    def _add(self, figure: str, where: str | int, amount: float = 1) -> None:
        if figure not in self._expected:
            return
        names = self._expected[figure][0]
        if isinstance(where, int):
            self._found[figure][where] += amount * self._weight
        elif where in names:
            self._found[figure][names.index(where)] += amount * self._weight

    def _tell(self) -> None:
        for figure, (_, expected) in self._expected.items():
            index = stability_index(self._found[figure], expected)
            if math.isfinite(index):
                self._metrics.drift.labels(self._model, figure).set(index)
