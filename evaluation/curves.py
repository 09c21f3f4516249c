"""Owns the points of the plots: reliability, risk against coverage, precision against recall, score histograms."""

from typing import cast

import numpy as np

from evaluation.ranking import count_scores, trace_precision_recall
from evaluation.rows import HeadRows, share_of
from twohands.bounds import DrawnFigure
from twohands.metrics import N_BINS, Floats
from twohands.taxonomy import ProblemType

Json = dict[str, object]
_MAX_POINTS = 200


def _bound_bin(cells: Floats, place: int, weights: Floats) -> Json:
    """One filled bin; `cells` has shape `(n_groups, 3)`: rows, sum of scores, sum of hits."""
    n, scores, _ = cells.sum(axis=0)
    rate = cast("DrawnFigure", share_of(cells[:, 2], cells[:, 0], weights))  # the bin is filled
    return {
        "low": place / N_BINS,
        "high": (place + 1) / N_BINS,
        "n": int(n),
        "score": float(scores / n),
        "hit_rate": rate["value"],
        "hit_rate_low": rate["low"],
        "hit_rate_high": rate["high"],
    }


def _trace_reliability(rows: HeadRows, weights: Floats) -> Json:
    """Filled bins of each curve: bounds, rows, mean score, hit rate with its interval."""
    bins = rows.count().bins  # (n_groups, n_curves, N_BINS, 3)
    is_one_of = rows.head.problem_type is ProblemType.ONE_OF
    names = [rows.head.name] if is_one_of else rows.head.label_names
    return {
        name: [
            _bound_bin(bins[:, curve, place], place, weights)
            for place in range(N_BINS)
            if bins[:, curve, place, 0].any()
        ]
        for curve, name in enumerate(names)
    }


def _trace_risk(rows: HeadRows) -> list[Json]:
    """Error share among the rows answered, as rows are answered from the surest on; at most 200 points."""
    sureness = rows.scores.max(axis=1)
    is_wrong = ~(rows.decided & (rows.truth == 1)).any(axis=1)
    order = np.argsort(-sureness, kind="stable")
    n = len(order)
    risks = np.cumsum(is_wrong[order]) / np.arange(1, n + 1)
    # Rows of one score are answered together: only the last of them is a point.
    ends = np.flatnonzero(np.append(np.diff(sureness[order]) != 0, True))
    kept = ends[np.unique(np.linspace(0, len(ends) - 1, _MAX_POINTS).round().astype(int))]
    return [{"level": float(sureness[order][k]), "coverage": float((k + 1) / n), "risk": float(risks[k])} for k in kept]


def trace_curves(rows: HeadRows, before: HeadRows, *, n_replicates: int, seed: int) -> Json:
    """Trace what the report draws of one head.

    Args:
        rows: labelled for it.
        before: the same rows with the scores that they have without calibration.
        n_replicates: bootstrap draws of documents.
        seed: of the draws.

    Returns:
        `reliability` and `reliability_before`: by curve (the head's name for the chosen label, or each label of an
        any-of head) its filled bins, `hit_rate_low` and `hit_rate_high` as `share_of`; `precision_recall` and
        `histogram` by label; `risk_coverage` for a one-of head: points from the surest row on, with the score `level`
        that answers so many.
    """
    weights = rows.draw(n_replicates=n_replicates, seed=seed)
    curves: Json = {
        "reliability": _trace_reliability(rows, weights),
        "reliability_before": _trace_reliability(before, weights),
        "precision_recall": trace_precision_recall(rows),
        "histogram": count_scores(rows),
    }
    if rows.head.problem_type is ProblemType.ONE_OF:
        curves["risk_coverage"] = _trace_risk(rows)
    return curves
