"""Owns the calibration error of scores that may matter: over all of them, those near 0 hide what the others do."""

import numpy as np

from evaluation.rows import HeadRows
from twohands.bounds import bound_figure
from twohands.metrics import N_BINS, ece_by_chance

Json = dict[str, object]
# Most scores of labels that are rare lie below it, and are right: their error is next to nothing.
LEAST_SCORE = 0.05


def measure_high_scores(
    rows: HeadRows, *, n_replicates: int, seed: int, least_score: float = LEAST_SCORE
) -> Json | None:
    """Calibration error of an any-of head over the scores that are not next to 0, of all labels together.

    Args:
        rows: labelled for the head.
        n_replicates: bootstrap draws of documents.
        seed: of the draws.
        least_score: which scores count, in [0, 1].

    Returns:
        `least_score`, `n` (scores that count), `n_scores` (of all labels and rows), `n_missed` (lower scores of labels
        that the row has), `ece` (the gap between score and hit rate by label and bin, as `metrics.ece`, its interval
        likewise that of other samples) and `by_chance` (as `ece_by_chance`); None where no score counts.
    """
    counts = rows.scores >= least_score
    n = int(counts.sum())
    if not n:
        return None
    n_labels = rows.scores.shape[1]
    bins = np.clip((rows.scores * N_BINS).astype(np.int64), 0, N_BINS - 1) + np.arange(n_labels) * N_BINS
    apart = np.zeros((rows.n_groups, n_labels * N_BINS))
    np.add.at(apart, (rows.documents[:, None], bins), (rows.scores - (rows.truth == 1)) * counts)
    of_document = rows.sum_by_document(counts.sum(axis=1).astype(float))
    weights = rows.draw(n_replicates=n_replicates, seed=seed)
    gaps, n_drawn = np.abs(weights @ apart).sum(axis=1), weights @ of_document
    value = float(np.abs(apart.sum(axis=0)).sum() / n)
    drawn = gaps[n_drawn > 0] / n_drawn[n_drawn > 0]
    if len(drawn):  # as `measure_head`: draws add gaps to those of the sample
        drawn = np.maximum(drawn - drawn.mean() + value, 0)
    # A score of 0 is hit in no draw and adds no gap, so that only the number that is divided by differs.
    by_chance = ece_by_chance(
        rows.head, rows.decided, np.where(counts, rows.scores, 0), n_replicates=n_replicates, seed=seed
    )
    return {
        "least_score": least_score,
        "n": n,
        "n_scores": rows.scores.size,
        "n_missed": int((~counts & (rows.truth == 1)).sum()),
        "ece": bound_figure(value, drawn, n_groups=int((of_document > 0).sum())),
        "by_chance": {key: figure * rows.scores.size / n for key, figure in by_chance.items()},
    }
