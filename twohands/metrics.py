"""Owns the figures: F1, accuracy, MCC and calibration error from counts, with bootstrap intervals over groups.

Every figure is a function of counts that add up over documents, so that a bootstrap replicate is one matrix
product. Training selects by the same functions that evaluation reports. Agrees with scikit-learn
(`zero_division=0`, macro over all labels of the head).

A figure that a bootstrap draw does not define says nothing of it: every figure takes the sample that was drawn from as
`whole`, and is then NaN in draws that lack what the sample has. What the sample itself lacks stays 0 in each draw. So
a mean over labels is one over the same labels in the sample and in every draw that counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from twohands.examples import NOT_LABELLED, Labels
from twohands.taxonomy import Head, ProblemType, Taxonomy

Floats = npt.NDArray[np.float64]
Figure = dict[str, float]
N_BINS = 15
_DRAWN_CELLS = 1_000_000  # at once: 8 MB
# Draws that somebody holds, by documents, replicates and seed: figures of one head ask for the same ones in turn.
_ALIVE: "WeakValueDictionary[tuple[int, int, int], Floats]" = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums of one head, over a leading axis of documents or of bootstrap replicates.

    `binary` has shape `(..., n_labels, 4)`: true positives, false positives, false negatives, true negatives.
    `confusion` has shape `(..., n_labels, n_labels)`, rows true; all zero for an any-of head.
    `exact` has shape `(..., 2)`: rows that are right in every label, rows.
    `bins` has shape `(..., n_curves, N_BINS, 3)`: rows, sum of scores, sum of hits per bin of the score.
    """

    binary: Floats
    confusion: Floats
    exact: Floats
    bins: Floats

    def weigh(self, weights: Floats) -> "Counts":
        """Add documents up.

        Args:
            weights: shape `(n_replicates, n_documents)`: how often each document was drawn.

        Returns:
            Counts whose leading axis is the replicate.
        """
        return Counts(
            *(np.tensordot(weights, part, axes=1) for part in (self.binary, self.confusion, self.exact, self.bins))
        )


class Measure(Protocol):
    """A figure: from counts to one number for each entry of their leading axis (and label, if it is one of labels)."""

    def __call__(self, counts: Counts, *, whole: Counts | None = None) -> Floats:
        """Read the figure; with `whole`, NaN in draws that do not define it though the sample does."""


def _divide(numerator: Floats, denominator: Floats, of_whole: Floats | None) -> Floats:
    """Divide; where the denominator is 0 give 0, or NaN for a draw from a sample whose own is not 0."""
    nothing = np.zeros_like(numerator)
    if of_whole is not None:
        nothing += np.where(of_whole > 0, np.nan, 0.0)
    return np.divide(numerator, denominator, out=nothing, where=denominator > 0)


def count_given(counts: Counts) -> Floats:
    """Rows that were given each label; shape `(..., n_labels)`."""
    return np.asarray(counts.binary[..., 0] + counts.binary[..., 1])


def count_true(counts: Counts) -> Floats:
    """Rows that have each label; shape `(..., n_labels)`."""
    return np.asarray(counts.binary[..., 0] + counts.binary[..., 2])


def precision(counts: Counts, *, whole: Counts | None = None) -> Floats:
    """Share of the labels given that are right; shape `(..., n_labels)`; 0 where none was given."""
    return _divide(counts.binary[..., 0], count_given(counts), None if whole is None else count_given(whole))


def recall(counts: Counts, *, whole: Counts | None = None) -> Floats:
    """Share of the true labels that were given; shape `(..., n_labels)`; 0 where there is none."""
    return _divide(counts.binary[..., 0], count_true(counts), None if whole is None else count_true(whole))


def f1(counts: Counts, *, whole: Counts | None = None) -> Floats:
    """Harmonic mean of precision and recall per label; shape `(..., n_labels)`; 0 where neither true nor given.

    A draw that has lost the few rows of a label does not define it, even where the label is given wrongly there: that
    says nothing of how such rows are found.
    """
    twice = 2 * counts.binary[..., 0]
    found = _divide(twice, twice + counts.binary[..., 1] + counts.binary[..., 2], None)
    if whole is None:
        return found
    return np.where((count_true(counts) == 0) & (count_true(whole) > 0), np.nan, found)


def macro_f1(counts: Counts, *, whole: Counts | None = None) -> Floats:
    """Mean of F1 over the labels of the head, rare ones like frequent ones; shape `(...)`.

    Over the same labels in sample and draws: NaN in a draw that has lost the rows of one; a label that no row of the
    sample has counts 0 in all.
    """
    return np.asarray(f1(counts, whole=whole).mean(axis=-1))


def accuracy(counts: Counts, *, whole: Counts | None = None) -> Floats:
    """Share of rows that are right: the label of a one-of head, the whole set of an any-of head; shape `(...)`."""
    return _divide(counts.exact[..., 0], counts.exact[..., 1], None if whole is None else whole.exact[..., 1])


def _correlate_classes(counts: Counts) -> tuple[Floats, Floats]:
    table = counts.confusion
    total = table.sum(axis=(-2, -1))
    right = np.trace(table, axis1=-2, axis2=-1)
    given, true = table.sum(axis=-2), table.sum(axis=-1)
    covariance = right * total - (given * true).sum(axis=-1)
    return covariance, np.sqrt((total**2 - (given**2).sum(axis=-1)) * (total**2 - (true**2).sum(axis=-1)))


def _correlate_labels(counts: Counts) -> tuple[Floats, Floats]:
    tp, fp, fn, tn = (counts.binary[..., index] for index in range(4))
    return tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


def mcc(counts: Counts, *, whole: Counts | None = None) -> Floats:
    """Matthews correlation: multi-class for a one-of head, mean over labels for an any-of head; shape `(...)`.

    Args:
        counts: sums of one head.
        whole: of the sample, where `counts` are of draws.

    Returns:
        In [-1, 1]; 0 where it is not defined; NaN in a draw that does not define it, or not for each label, though the
        sample does.

    Source:
        Gorodkin 2004, *Comparing two K-category assignments by a K-category correlation coefficient*.
    """
    if counts.confusion.any():
        return _divide(*_correlate_classes(counts), None if whole is None else _correlate_classes(whole)[1])
    of_labels = _divide(*_correlate_labels(counts), None if whole is None else _correlate_labels(whole)[1])
    return np.asarray(of_labels.mean(axis=-1))


def ece(counts: Counts, *, whole: Counts | None = None) -> Floats:
    """Expected calibration error: mean gap between score and hit rate, in 15 bins of equal width; shape `(...)`.

    For a one-of head of the score of the chosen label; for an any-of head of each label's score, averaged. Biased
    upwards: few rows in a bin differ from their mean score by chance. `ece_by_chance` says by how much.

    Args:
        counts: sums of one head.
        whole: of the sample, where `counts` are of draws.

    Returns:
        In [0, 1]; NaN in a draw without a row.

    Source:
        Guo et al. 2017, *On Calibration of Modern Neural Networks*.
    """
    gaps = np.abs(counts.bins[..., 1] - counts.bins[..., 2]).sum(axis=-1)
    n = None if whole is None else whole.bins[..., 0].sum(axis=-1)
    return np.asarray(_divide(gaps, counts.bins[..., 0].sum(axis=-1), n).mean(axis=-1))


def _score_curves(head: Head, given: npt.NDArray[np.bool_], scores: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The scores whose calibration counts, and the bin of each; shape `(n, n_curves)`."""
    score = (scores * given).sum(axis=1, keepdims=True) if head.problem_type is ProblemType.ONE_OF else scores
    return score, np.clip((score * N_BINS).astype(np.int64), 0, N_BINS - 1)


def ece_by_chance(
    head: Head, decided: npt.NDArray[np.bool_], scores: Floats, *, n_replicates: int, seed: int
) -> Figure:
    """The calibration error that these very scores would show were each exactly right: what `ece` adds by itself.

    A parametric bootstrap: whether each row is hit is drawn anew from its score, rows as independent. Where rows of one
    document err together, chance gives more.

    Args:
        head: which head.
        decided: shape `(n, n_labels)`: the labels given; rows labelled for the head only.
        scores: shape `(n, n_labels)`, calibrated, each in [0, 1].
        n_replicates: how often hits are drawn.
        seed: of the draws.

    Returns:
        The mean as `value`; between `low` and `high` lie 95% of the draws.
    """
    generator = np.random.default_rng(seed)
    score, place = _score_curves(head, decided, scores)
    n, n_curves = score.shape
    cell = (place + np.arange(n_curves) * N_BINS).ravel()
    drawn = np.zeros(n_replicates)
    for number in range(n_replicates):
        apart = (score - (generator.random(score.shape) < score)).ravel()
        gaps = np.abs(np.bincount(cell, weights=apart, minlength=n_curves * N_BINS))
        drawn[number] = gaps.sum() / (n * n_curves)
    low, high = interval(drawn)
    return {"value": float(drawn.mean()), "low": low, "high": high}


def count_head(head: Head, truth: Labels, decided: npt.NDArray[np.bool_], scores: Floats) -> Counts:
    """Count row by row; a row that is not labelled for the head counts nothing.

    Args:
        head: which head.
        truth: shape `(n, n_labels)` of 0, 1 or -100.
        decided: shape `(n, n_labels)`: the labels given; exactly one in each row of a one-of head.
        scores: shape `(n, n_labels)`, calibrated, each in [0, 1].

    Returns:
        Counts with one leading entry for each row.
    """
    n, n_labels = truth.shape
    known = (truth[:, :1] != NOT_LABELLED).astype(np.float64)
    is_true, given = truth == 1, decided
    cells = (is_true & given, ~is_true & given, is_true & ~given, ~is_true & ~given)
    binary = np.stack(cells, axis=-1) * known[:, :, None]
    confusion = np.zeros((n, n_labels, n_labels))
    hit = is_true
    if head.problem_type is ProblemType.ONE_OF:
        confusion = (is_true[:, :, None] & given[:, None, :]) * known[:, :, None]
        hit = (is_true & given).any(axis=1, keepdims=True)
    exact = np.concatenate([(is_true == given).all(axis=1, keepdims=True) * known, known], axis=1)
    score, place = _score_curves(head, given, scores)
    in_bin = (place[:, :, None] == np.arange(N_BINS)) * known[:, :, None]  # (n, n_curves, N_BINS)
    bins = np.stack([in_bin, in_bin * score[:, :, None], in_bin * hit[:, :, None]], axis=-1)
    return Counts(binary, confusion, exact, bins)


def sum_by_group(counts: Counts, groups: Sequence[str]) -> Counts:
    """Add the rows of each document.

    Args:
        counts: one entry for each row.
        groups: the document of each row.

    Returns:
        Counts with one entry for each document, in the order of first sight.
    """
    index = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    rows = np.array([index[group] for group in groups])

    def add(part: Floats) -> Floats:
        total = np.zeros((len(index), *part.shape[1:]))
        np.add.at(total, rows, part)
        return total

    return Counts(*(add(part) for part in (counts.binary, counts.confusion, counts.exact, counts.bins)))


def draw_weights(n_documents: int, *, n_replicates: int, seed: int) -> Floats:
    """Draw documents with replacement.

    Args:
        n_documents: how many there are.
        n_replicates: how many draws of `n_documents` each.
        seed: the same seed gives the same draws, so that two models can be compared pairwise.

    Returns:
        Shape `(n_replicates, n_documents)`: how often each was drawn. Read-only: it is the same array for whoever asks
        for these draws while somebody holds it, as of 200,000 documents it takes 1.6 GB and half a minute.
    """
    key = (n_documents, n_replicates, seed)
    if (alive := _ALIVE.get(key)) is not None:
        return alive
    generator = np.random.default_rng(seed)
    weights = np.empty((n_replicates, n_documents))
    shares = np.full(n_documents, 1 / n_documents)
    step = max(1, _DRAWN_CELLS // n_documents)
    for start in range(0, n_replicates, step):  # the same draws as all at once, without as much again in whole numbers
        n = min(step, n_replicates - start)
        weights[start : start + n] = generator.multinomial(n_documents, shares, size=n)
    weights.flags.writeable = False
    _ALIVE[key] = weights
    return weights


def interval(values: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap values."""
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def measure_head(head: Head, by_document: Counts, weights: Floats) -> dict[str, object]:
    """All figures of one head with their 95% intervals.

    Args:
        head: which head.
        by_document: counts with one entry for each document.
        weights: bootstrap draws, shape `(n_replicates, n_documents)`.

    Returns:
        `macro_f1`, `accuracy`, `mcc`, `ece` as `{"value", "low", "high"}`, and `labels` with precision, recall and
        F1 of the same form, the `support` and how many rows were `given` it. Draws that do not define a figure are left
        out of its interval. Where few documents or draws all alike prove nothing, `bounds.bound_head` takes it away.
    """
    whole = by_document.weigh(np.ones((1, weights.shape[1])))
    draws = by_document.weigh(weights)

    def figure(of: Measure, *at: int, is_centred: bool = False) -> Figure:
        values, drawn = (
            of(whole),
            of(draws, whole=whole),
        )  # (1,) or (1, n_labels); (n_replicates,) or (n_replicates, n_labels)
        for number in at:
            values, drawn = values[:, number], drawn[:, number]
        drawn = drawn[np.isfinite(drawn)]
        if not len(drawn):
            drawn = values
        if is_centred:
            drawn = np.maximum(drawn - drawn.mean() + values[0], 0)
        low, high = interval(drawn)
        return {"value": float(values[0]), "low": low, "high": high}

    labels = {
        name: {
            "precision": figure(precision, number),
            "recall": figure(recall, number),
            "f1": figure(f1, number),
            "support": int(whole.binary[0, number, 0] + whole.binary[0, number, 2]),
            "given": int(whole.binary[0, number, 0] + whole.binary[0, number, 1]),
        }
        for number, name in enumerate(head.label_names)
    }
    return {
        "macro_f1": figure(macro_f1),
        "accuracy": figure(accuracy),
        "mcc": figure(mcc),
        # Drawing with replacement adds gaps between score and hit rate to those of the sample: nearly all draws of a
        # well calibrated head lie above its measured error, and their plain interval would leave that error out. So it
        # spans what other samples of this size would show, which is not where the true error lies: see `ece_by_chance`.
        "ece": figure(ece, is_centred=True),
        "labels": labels,
    }


def score_heads(
    answers: Mapping[str, tuple[Floats, npt.NDArray[np.bool_]]],
    labels: Labels,
    taxonomy: Taxonomy,
    *,
    measure: Callable[[Counts], Floats] = macro_f1,
) -> dict[str, float]:
    """One figure of each head, without intervals: for choosing a step or a graph.

    Args:
        answers: scores and labels given, by head name.
        labels: shape `(n, n_labels)` of 0, 1 or -100.
        taxonomy: the heads.
        measure: macro-F1, or another figure of counts.

    Returns:
        By head name.
    """
    figures = {}
    for head in taxonomy.heads:
        scores, decided = answers[head.name]
        counts = count_head(head, labels[:, taxonomy.slices[head.name]], decided, scores)
        figures[head.name] = float(measure(sum_by_group(counts, ["all"] * len(labels)))[0])
    return figures
