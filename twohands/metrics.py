"""Owns the figures: F1, accuracy, MCC and calibration error from counts, with bootstrap intervals over groups.

Every figure is a function of counts that add up over documents, so that a bootstrap replicate is one matrix
product. Training selects by the same functions that evaluation reports. Agrees with scikit-learn
(`zero_division=0`, macro over all labels of the head).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twohands.examples import NOT_LABELLED, Labels
from twohands.taxonomy import Head, ProblemType, Taxonomy

Floats = npt.NDArray[np.float64]
Figure = dict[str, float]
N_BINS = 15


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


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def precision(counts: Counts) -> Floats:
    """Share of the labels given that are right; shape `(..., n_labels)`; 0 where none was given."""
    return _divide(counts.binary[..., 0], counts.binary[..., 0] + counts.binary[..., 1])


def recall(counts: Counts) -> Floats:
    """Share of the true labels that were given; shape `(..., n_labels)`; 0 where there is none."""
    return _divide(counts.binary[..., 0], counts.binary[..., 0] + counts.binary[..., 2])


def f1(counts: Counts) -> Floats:
    """Harmonic mean of precision and recall per label; shape `(..., n_labels)`."""
    twice = 2 * counts.binary[..., 0]
    return _divide(twice, twice + counts.binary[..., 1] + counts.binary[..., 2])


def macro_f1(counts: Counts) -> Floats:
    """Mean of F1 over the labels of the head, rare ones like frequent ones; shape `(...)`."""
    return np.asarray(f1(counts).mean(axis=-1))


def accuracy(counts: Counts) -> Floats:
    """Share of rows that are right: the label of a one-of head, the whole set of an any-of head; shape `(...)`."""
    return _divide(counts.exact[..., 0], counts.exact[..., 1])


def mcc(counts: Counts) -> Floats:
    """Matthews correlation: multi-class for a one-of head, mean over labels for an any-of head; shape `(...)`.

    Args:
        counts: sums of one head.

    Returns:
        In [-1, 1]; 0 where it is not defined.

    Source:
        Gorodkin 2004, *Comparing two K-category assignments by a K-category correlation coefficient*.
    """
    if counts.confusion.any():
        table = counts.confusion
        total = table.sum(axis=(-2, -1))
        right = np.trace(table, axis1=-2, axis2=-1)
        given, true = table.sum(axis=-2), table.sum(axis=-1)
        covariance = right * total - (given * true).sum(axis=-1)
        spread = np.sqrt((total**2 - (given**2).sum(axis=-1)) * (total**2 - (true**2).sum(axis=-1)))
        return _divide(covariance, spread)
    tp, fp, fn, tn = (counts.binary[..., index] for index in range(4))
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return np.asarray(_divide(tp * tn - fp * fn, spread).mean(axis=-1))


def ece(counts: Counts) -> Floats:
    """Expected calibration error: mean gap between score and hit rate, in 15 bins of equal width; shape `(...)`.

    For a one-of head of the score of the chosen label; for an any-of head of each label's score, averaged. Biased
    upwards: few rows in a bin differ from their mean score by chance. `ece_by_chance` says by how much.

    Args:
        counts: sums of one head.

    Returns:
        In [0, 1].

    Source:
        Guo et al. 2017, *On Calibration of Modern Neural Networks*.
    """
    gaps = np.abs(counts.bins[..., 1] - counts.bins[..., 2]).sum(axis=-1)
    return np.asarray(_divide(gaps, counts.bins[..., 0].sum(axis=-1)).mean(axis=-1))


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
        Shape `(n_replicates, n_documents)`: how often each was drawn.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(n_documents, np.full(n_documents, 1 / n_documents), size=n_replicates).astype(float)


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
        F1 of the same form and the `support`.
    """
    whole = by_document.weigh(np.ones((1, weights.shape[1])))
    draws = by_document.weigh(weights)

    def figure(of: Callable[[Counts], Floats], *at: int, is_centred: bool = False) -> Figure:
        values, drawn = of(whole), of(draws)  # (1,) or (1, n_labels); (n_replicates,) or (n_replicates, n_labels)
        for number in at:
            values, drawn = values[:, number], drawn[:, number]
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


def measure_heads(
    answers: Mapping[str, tuple[Floats, npt.NDArray[np.bool_]]],
    labels: Labels,
    groups: Sequence[str],
    taxonomy: Taxonomy,
    *,
    n_replicates: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, object]]:
    """All figures of all heads that have labelled rows.

    Args:
        answers: scores and labels given, by head name, as `decide_all` returns them.
        labels: shape `(n, n_labels)` of 0, 1 or -100.
        groups: the document of each row; whole documents are drawn.
        taxonomy: the heads.
        n_replicates: bootstrap draws.
        seed: of the draws.

    Returns:
        By head name, as `measure_head`; a head without a labelled row is left out.
    """
    figures = {}
    weights = draw_weights(len(set(groups)), n_replicates=n_replicates, seed=seed)
    for head in taxonomy.heads:
        truth = labels[:, taxonomy.slices[head.name]]
        if (truth == NOT_LABELLED).all():
            continue
        scores, decided = answers[head.name]
        figures[head.name] = measure_head(head, sum_by_group(count_head(head, truth, decided, scores), groups), weights)
    return figures


def score_heads(
    answers: Mapping[str, tuple[Floats, npt.NDArray[np.bool_]]], labels: Labels, taxonomy: Taxonomy
) -> dict[str, float]:
    """Macro-F1 of each head, without intervals: for choosing a step or a graph.

    Args:
        answers: scores and labels given, by head name.
        labels: shape `(n, n_labels)` of 0, 1 or -100.
        taxonomy: the heads.

    Returns:
        By head name.
    """
    figures = {}
    for head in taxonomy.heads:
        scores, decided = answers[head.name]
        counts = count_head(head, labels[:, taxonomy.slices[head.name]], decided, scores)
        figures[head.name] = float(macro_f1(sum_by_group(counts, ["all"] * len(labels)))[0])
    return figures
