"""Owns drift: how recent traffic differs from what the model answers on its own data, as its manifest has it.

A model whose manifest holds no `metrics.reference` gives no drift metrics; the plain ones (labels, scores, lengths,
unknown tokens) can still be watched over time.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence

from serving.metrics import Metrics
from serving.stability import Shares
from twohands.encoding import EncodedParagraph
from twohands.prediction import OneOf, Prediction
from twohands.reference import N_SCORE_BINS, Reference, find_score_bin
from twohands.taxonomy import Head, ProblemType

# Half of what is remembered comes from so many last paragraphs.
_HALF_LIFE = 1000
_GROWTH = 2 ** (1 / _HALF_LIFE)
# What chance shows is allowed for, but it is drawn as if each paragraph came by itself, and they come by documents.
_FEWEST = 200
_TELL_EVERY = 20
_NONE: Mapping[str, object] = {}


class _Figure:
    """What was found lately of one figure, the newest with the most weight."""

    def __init__(self, names: Sequence[str], expected: Sequence[float], *, is_any_of: bool = False) -> None:
        self.names = list(names)
        self.place_by_name = {name: place for place, name in enumerate(self.names)}
        self.shares = Shares(expected, is_any_of=is_any_of)
        self.found = [0.0] * len(self.names)
        # Of the paragraphs' weights the sum and that of their squares: by both, how many alike ones they stand for.
        self.sum_weights = self.sum_squares = 0.0
        self.n_seen = 0

    def add(self, amount_by_place: Collection[tuple[int, float]], *, weight: float) -> None:
        """Take one paragraph into account."""
        for place, amount in amount_by_place:
            self.found[place] += amount * weight
        self.sum_weights += weight
        self.sum_squares += weight * weight
        self.n_seen += 1

    def shrink(self, weight: float) -> None:
        """Divide all weights, which changes no share; else they grew beyond all numbers."""
        self.found = [each / weight for each in self.found]
        self.sum_weights /= weight
        self.sum_squares /= weight * weight

    def measure(self) -> float:
        """The index beyond chance."""
        shares = [each / self.sum_weights for each in self.found]
        return self.shares.measure(shares, n=self.sum_weights**2 / self.sum_squares)


class Drift:
    """Recent traffic of one model against its training data."""

    def __init__(self, reference: Reference, *, heads: Sequence[Head], metrics: Metrics, model: str) -> None:
        """Show the reference.

        Args:
            reference: figures of the training data.
            heads: of the model.
            metrics: where drift is shown.
            model: the name it is served under.
        """
        self._metrics, self._model = metrics, model
        any_of = {head.name for head in heads if head.problem_type is ProblemType.ANY_OF}
        self._figures: dict[str, _Figure] = {}
        for head, share in reference.label_share.items():
            if share:
                self._figures[f"labels:{head}"] = _Figure(list(share), list(share.values()), is_any_of=head in any_of)
        for head, shares in reference.score_share.items():
            if len(shares) == N_SCORE_BINS:
                names = [f"{(place + 1) / N_SCORE_BINS:.1f}" for place in range(N_SCORE_BINS)]
                self._figures[f"scores:{head}"] = _Figure(names, shares)
        self._edges = reference.input_tokens_edges
        if self._edges and len(reference.input_tokens_share) == len(self._edges) + 1:
            names = [*(f"{edge:g}" for edge in self._edges), "inf"]
            self._figures["input_tokens"] = _Figure(names, reference.input_tokens_share)
        if reference.unknown_token_share is not None:
            share_known = 1 - reference.unknown_token_share
            self._figures["unknown_tokens"] = _Figure(["unknown", "known"], [1 - share_known, share_known])
        # What is new weighs more instead of all that is old less: one number changes, and shares are the same.
        self._weight = 1.0
        self._n_seen = 0
        for figure, kept in self._figures.items():
            for name, value in zip(kept.names, kept.shares.expected, strict=True):
                metrics.reference.labels(model, figure, name).set(value)

    def see(
        self, prediction: Prediction, paragraph: EncodedParagraph, thresholds: Mapping[str, object] = _NONE
    ) -> None:
        """Take one classified paragraph into account.

        Args:
            prediction: its answer.
            paragraph: what was read.
            thresholds: of the request; labels that it chose by its own say nothing of its texts.
        """
        self._weight *= _GROWTH
        for head, answer in prediction.heads.items():
            if isinstance(answer, OneOf):
                self._add_labels(head, [answer.label])
            elif not thresholds or answer.scores.keys().isdisjoint(thresholds):
                self._add_labels(head, answer.labels)
            self._add(f"scores:{head}", [(find_score_bin(max(answer.scores.values())), 1)])
        self._add("input_tokens", [(bisect_left(self._edges, paragraph.n_tokens), 1)])
        n_unknown = paragraph.n_tokens_unknown
        self._add("unknown_tokens", [(0, n_unknown), (1, paragraph.n_tokens - n_unknown)])
        self._n_seen += 1
        if self._n_seen % _TELL_EVERY == 0:
            self._tell()
            for figure in self._figures.values():
                figure.shrink(self._weight)
            self._weight = 1.0

    def end(self) -> None:
        """Show none of it any longer: another model answers, which differs from this one's data by itself."""
        for figure, kept in self._figures.items():
            self._metrics.drop(self._metrics.drift, self._model, figure)
            for name in kept.names:
                self._metrics.drop(self._metrics.reference, self._model, figure, name)

    def _add_labels(self, head: str, labels: Sequence[str]) -> None:
        if (figure := self._figures.get(f"labels:{head}")) is not None:
            places = figure.place_by_name
            figure.add([(places[label], 1) for label in labels if label in places], weight=self._weight)

    def _add(self, name: str, amount_by_place: Collection[tuple[int, float]]) -> None:
        if (figure := self._figures.get(name)) is not None:
            figure.add(amount_by_place, weight=self._weight)

    def _tell(self) -> None:
        for name, figure in self._figures.items():
            if figure.n_seen >= _FEWEST and math.isfinite(index := figure.measure()):
                self._metrics.drift.labels(self._model, name).set(index)
