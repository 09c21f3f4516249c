"""Owns what scores say before any threshold: precision against recall, and average precision with its interval."""

import numpy as np
import numpy.typing as npt

from evaluation.rows import HeadRows
from twohands.bounds import DrawnFigure, bound_figure
from twohands.metrics import Floats

Json = dict[str, object]
_MAX_POINTS = 200
_MAX_CELLS = 1_000_000  # of one block of draws: 8 MB, whatever the number of rows


def _tie_ends(ranked: Floats) -> npt.NDArray[np.int64]:
    """Places after which the score changes: rows of one score are given a label together."""
    return np.flatnonzero(np.append(np.diff(ranked) != 0, True))


def average_precision(
    truth: Floats, scores: Floats, weights: Floats, *, documents: npt.NDArray[np.int64] | None = None
) -> Floats:
    """Area under the precision-recall curve, as steps.

    Args:
        truth: shape `(n,)` of 0 and 1.
        scores: shape `(n,)`.
        weights: shape `(n_replicates, n)`: how often each row counts; `(n_replicates, n_groups)` with `documents`.
        documents: the number of each row's document, shape `(n,)`; None where `weights` are those of the rows.

    Returns:
        Shape `(n_replicates,)`, each in [0, 1]; 0 where no row that counts has the label.

    Source:
        scikit-learn's `average_precision_score`, whose values it equals.
    """
    order = np.argsort(-scores, kind="stable")
    ends = _tie_ends(scores[order])
    hits = np.flatnonzero(truth[order])
    if not len(hits):
        return np.zeros(len(weights))
    # Recall rises nowhere but at hits, so that precision is asked at the ends of their ties alone.
    end_of = np.searchsorted(ends, hits)
    last = np.flatnonzero(np.append(np.diff(end_of) != 0, True))
    tops = ends[end_of[last]]
    columns = order if documents is None else documents[order]
    areas = []
    step = max(1, _MAX_CELLS // max(1, len(order)))
    for start in range(0, len(weights), step):
        # Not by brackets, which lay columns side by side in memory: sums along rows took ten times as long (#6).
        drawn = weights[start : start + step].take(columns, axis=1)
        found = drawn.take(hits, axis=1).cumsum(axis=1).take(last, axis=1)
        given = np.cumsum(drawn, axis=1, out=drawn).take(tops, axis=1)
        precisions = np.divide(found, given, out=np.zeros_like(found), where=given > 0)
        gains = np.diff(found, axis=1, prepend=0)
        total = found[:, -1]
        areas.append(np.divide((gains * precisions).sum(axis=1), total, out=np.zeros_like(total), where=total > 0))
    return np.concatenate(areas)


def measure_ranking(rows: HeadRows, *, n_replicates: int, seed: int) -> dict[str, DrawnFigure | None]:
    """Average precision of each label, with 95% intervals.

    Args:
        rows: labelled for one head.
        n_replicates: bootstrap draws of documents.
        seed: of the draws.

    Returns:
        By label, as `bound_figure`, of the documents that have it; None for a label that no row has. Draws in which no
        row has the label are left out.
    """
    weights, documents = rows.draw(n_replicates=n_replicates, seed=seed), rows.documents
    once = np.ones((1, len(rows.groups)))
    figures: dict[str, DrawnFigure | None] = {}
    for number, name in enumerate(rows.head.label_names):
        truth, scores = (rows.truth[:, number] == 1).astype(float), rows.scores[:, number]
        if not truth.any():
            figures[name] = None
            continue
        # A draw without any row that has the label says nothing of how such rows are ranked.
        of_document = rows.sum_by_document(truth)
        is_defined = weights @ of_document > 0
        defined = weights if is_defined.all() else weights[is_defined]  # of many documents a copy is gigabytes
        drawn = average_precision(truth, scores, defined, documents=documents)
        value = float(average_precision(truth, scores, once)[0])
        figures[name] = bound_figure(value, drawn, n_groups=int((of_document > 0).sum()))
    return figures


def trace_precision_recall(rows: HeadRows) -> Json:
    """Trace precision against recall of each label.

    Args:
        rows: labelled for one head.

    Returns:
        By label `points` (from the surest row on, at most 200: score `level`, `recall`, `precision`) and `chosen`, the
        precision and recall of the labels as they were given; a label that no row has is left out.
    """
    traced: Json = {}
    for number, name in enumerate(rows.head.label_names):
        is_true, scores, given = rows.truth[:, number] == 1, rows.scores[:, number], rows.decided[:, number]
        if not is_true.any():
            continue
        order = np.argsort(-scores, kind="stable")
        ends = _tie_ends(scores[order])
        kept = ends[np.unique(np.linspace(0, len(ends) - 1, _MAX_POINTS).round().astype(int))]
        found = np.cumsum(is_true[order])
        points = [
            {
                "level": float(scores[order][k]),
                "recall": float(found[k] / found[-1]),
                "precision": float(found[k] / (k + 1)),
            }
            for k in kept
        ]
        hits = int((is_true & given).sum())
        chosen = {"recall": hits / int(is_true.sum()), "precision": hits / int(given.sum()) if given.any() else None}
        traced[name] = {"points": points, "chosen": chosen, "share_true": float(is_true.mean())}
    return traced


def count_scores(rows: HeadRows, *, n_bins: int = 20) -> Json:
    """Count scores in bins of equal width, apart for the rows that have the label and those that have not.

    Args:
        rows: labelled for one head.
        n_bins: how many.

    Returns:
        By label `true` and `false`, `n_bins` counts each.
    """
    counted: Json = {}
    for number, name in enumerate(rows.head.label_names):
        is_true = rows.truth[:, number] == 1
        places = np.clip((rows.scores[:, number] * n_bins).astype(int), 0, n_bins - 1)
        counted[name] = {
            "true": np.bincount(places[is_true], minlength=n_bins).tolist(),
            "false": np.bincount(places[~is_true], minlength=n_bins).tolist(),
        }
    return counted
