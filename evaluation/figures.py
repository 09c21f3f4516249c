"""Owns which intervals of one model's figures say anything: not those of few documents, nor of what is not defined.

`measure_head` gives every figure two bounds, since what training writes has them. Here those that prove nothing give
way: to None, or where all rows counted are right, or all wrong, to bounds that few documents leave wide.
"""

from typing import cast

import numpy as np

from evaluation.rows import FEWEST_GROUPS, DrawnFigure, HeadRows, bound_certain
from twohands.metrics import Counts, Floats, measure_head

Json = dict[str, object]


def _unbound(figure: DrawnFigure) -> DrawnFigure:
    return {"value": figure["value"], "low": None, "high": None}


def _bound_share(figure: DrawnFigure, is_counted: Floats) -> DrawnFigure:
    """A share: of no row it is not defined, and where it is 0 or 1 its draws are all alike."""
    n_documents = int((is_counted > 0).sum())
    value = figure["value"]
    return bound_certain(float(value or 0), n_documents=n_documents) if value in (0, 1) else figure


def _bound_f1(figure: DrawnFigure, is_counted: Floats) -> DrawnFigure:
    """F1 rises with the share j of rows that are both true and given among those that are either: 2j / (1 + j)."""
    bounded = _bound_share(figure, is_counted)
    if bounded is figure or bounded["low"] is None or bounded["high"] is None:
        return bounded
    low, high = (2 * share / (1 + share) for share in (bounded["low"], bounded["high"]))
    return {"value": bounded["value"], "low": low, "high": high}


def _bound_label(label: dict[str, DrawnFigure], counts: Counts, number: int) -> None:
    tp, fp, fn, _ = (counts.binary[:, number, cell] for cell in range(4))
    label["precision"] = _bound_share(label["precision"], tp + fp)
    if (tp + fn).any():
        label["recall"] = _bound_share(label["recall"], tp + fn)
        label["f1"] = _bound_f1(label["f1"], tp + fp + fn)
    else:  # of a label that no row has, neither could be anything but 0
        label["recall"], label["f1"] = _unbound(label["recall"]), _unbound(label["f1"])


def measure_figures(rows: HeadRows, weights: Floats) -> Json:
    """The figures of `measure_head`, each with an interval only where it has one.

    Args:
        rows: labelled for one head.
        weights: bootstrap draws, shape `(n_replicates, n_groups)`.

    Returns:
        As `measure_head`; `low` and `high` are None from fewer than 5 documents, for what is not defined (recall and F1
        of a label that no row has, precision of one that was never given), and for macro-F1 and correlation of which
        all draws are alike. Shares that are 0 or 1, and F1 there, have the bounds of `bound_certain`.
    """
    counts = rows.count()
    measured = measure_head(rows.head, counts, weights)
    labels = cast("dict[str, dict[str, DrawnFigure]]", measured["labels"])
    keys = ("macro_f1", "accuracy", "mcc", "ece")
    overall = {key: cast("DrawnFigure", measured[key]) for key in keys}
    if rows.n_groups < FEWEST_GROUPS:
        for label in labels.values():
            label |= {key: _unbound(label[key]) for key in ("precision", "recall", "f1")}
        return measured | {key: _unbound(figure) for key, figure in overall.items()}
    for number, label in enumerate(labels.values()):
        _bound_label(label, counts, number)
    for key in ("macro_f1", "mcc"):
        if overall[key]["low"] == overall[key]["high"]:
            overall[key] = _unbound(overall[key])
    overall["accuracy"] = _bound_share(overall["accuracy"], np.ones(rows.n_groups))
    return measured | overall
