"""Owns the points of the plots: reliability, risk against coverage, precision against recall, score histograms."""

import numpy as np

from evaluation.ranking import count_scores, trace_precision_recall
from evaluation.rows import HeadRows
from twohands.metrics import N_BINS
from twohands.taxonomy import ProblemType

Json = dict[str, object]
_MAX_POINTS = 200


def _trace_reliability(rows: HeadRows) -> Json:
    """Filled bins of each curve: bounds, rows, mean score, hit rate."""
    by_document = rows.count()
    bins = by_document.weigh(np.ones((1, rows.n_groups))).bins[0]  # (n_curves, N_BINS, 3)
    is_one_of = rows.head.problem_type is ProblemType.ONE_OF
    names = [rows.head.name] if is_one_of else rows.head.label_names
    return {
        name: [
            {
                "low": place / N_BINS,
                "high": (place + 1) / N_BINS,
                "n": int(n),
                "score": float(scores / n),
                "hit_rate": float(hits / n),
            }
            for place, (n, scores, hits) in enumerate(curve)
            if n
        ]
        for name, curve in zip(names, bins, strict=True)
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


def trace_curves(rows: HeadRows, before: HeadRows) -> Json:
    """Trace what the report draws of one head.

    Args:
        rows: labelled for it.
        before: the same rows with the scores that they have without calibration.

    Returns:
        `reliability` and `reliability_before`: by curve (the head's name for the chosen label, or each label of an
        any-of head) its filled bins; `precision_recall` and `histogram` by label; `risk_coverage` for a one-of head:
        points from the surest row on, with the score `level` that answers so many.
    """
    curves: Json = {
        "reliability": _trace_reliability(rows),
        "reliability_before": _trace_reliability(before),
        "precision_recall": trace_precision_recall(rows),
        "histogram": count_scores(rows),
    }
    if rows.head.problem_type is ProblemType.ONE_OF:
        curves["risk_coverage"] = _trace_risk(rows)
    return curves
