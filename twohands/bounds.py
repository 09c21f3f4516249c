"""Owns which intervals say anything: not those of few documents, nor of what is not defined or of draws all alike.

`metrics.measure_head` gives every figure two bounds. Here those that prove nothing give way: to None, or where all rows
counted, or nearly all, are right or wrong, to bounds that few documents leave wide. Cards and reports show the rest.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from twohands.examples import NOT_LABELLED, Labels
from twohands.metrics import (
    Counts,
    Floats,
    count_given,
    count_head,
    count_true,
    draw_weights,
    ece_by_chance,
    interval,
    measure_head,
    sum_by_group,
)
from twohands.taxonomy import Head, ProblemType, Taxonomy

# A figure whose interval is None where it was not drawn.
DrawnFigure = dict[str, float | None]
# With fewer documents a draw of documents says nothing: of one document every draw is the same, whatever the doubt.
FEWEST_GROUPS = 5
_TAIL = 0.025  # on each side of a 95% interval
_ALIKE = 1e-12  # draws of one value differ by rounding


def bound_figure(value: float, drawn: Floats, *, n_groups: int) -> DrawnFigure:
    """Put a figure and the 95% interval of its draws together.

    Args:
        value: of the sample.
        drawn: of the draws, shape `(n_replicates,)`.
        n_groups: documents that were drawn from.

    Returns:
        `value`, `low`, `high`; the latter two None from fewer than 5 documents, and where all draws are alike, which
        proves nothing. Draws that are NaN, which do not define the figure, are left out.
    """
    defined = drawn[np.isfinite(drawn)]
    if n_groups < FEWEST_GROUPS or not len(defined):
        return {"value": value, "low": None, "high": None}
    low, high = interval(defined)
    return _drop_alike({"value": value, "low": low, "high": high})


def count_rarest(is_counted: Floats) -> int:
    """Count the documents that a mean over labels rests on: those of its rarest label.

    From fewer than 5 its draws say nothing, however many documents there are in all: of one document that has a label,
    every draw either lacks the label or is the same for it. Simulated intervals of macro-F1 then hold the truth far too
    seldom, and from 5 on about as often as they say (`tests/unit/test_metrics.py`).

    Args:
        is_counted: what of each label stands in each document, shape `(n_documents, n_labels)`.

    Returns:
        The least number of documents over the labels that occur; 0 where none does.
    """
    n_documents = (is_counted > 0).sum(axis=0)
    return int(n_documents[n_documents > 0].min()) if n_documents.any() else 0


def count_departing(counted: Floats) -> int:
    """Count the documents that a figure beyond chance rests on (alpha, kappa, correlation of a one-of head).

    What is beyond chance is seen where documents have the most frequent label and where they have any other, however
    many hold one alone. From fewer than 5 a model that was simulated as good as the people was called nearer to them or
    further off in 14 to 19% of data sets, and intervals of correlation held the truth in .86 of them (#6).

    Args:
        counted: how often each label stands in each document, shape `(n_documents, n_labels)`.

    Returns:
        The smaller of the two numbers; 0 where all labels are alike.
    """
    most = counted.sum(axis=0).argmax()
    others = np.delete(counted, most, axis=1).sum(axis=1)
    return int(min((counted[:, most] > 0).sum(), (others > 0).sum()))


def bound_certain(rate: float, *, n_documents: int) -> DrawnFigure:
    """Bound a rate of 0 or 1, of which every draw is the same, though a few documents prove nothing.

    Args:
        rate: 0 or 1.
        n_documents: those that it was counted in.

    Returns:
        `value`, `low`, `high`; the latter two None from no document.

    Source:
        Korn and Graubard 1998, as `rate_of` of the checklist: with no variance the effective number is that of the
        documents, and Clopper and Pearson's bound of none or all of them is a plain root.
    """
    if not n_documents:
        return {"value": rate, "low": None, "high": None}
    return keep_apart({"value": rate, "low": rate, "high": rate}, n_documents=n_documents)


def _bound_none(n_documents: int) -> float:
    """What share of documents may be wrong though none of these is, at most."""
    return float(1 - _TAIL ** (1 / n_documents))


def _f1_of_share(share: float) -> float:
    """F1 by the share of rows that are both true and given among those that are either."""
    return 2 * share / (1 + share)


def keep_mean_apart(figure: DrawnFigure, whole: Counts, n_with: Sequence[int], *, n_documents: int) -> DrawnFigure:
    """Bound a mean over labels no closer to 1 than few errors in few documents allow, as `keep_apart` does a share.

    Draws alone held macro-F1 and MCC of a model that errs in 1 to 3% of rows, a few documents together, in .87 to .95
    of simulated sets; with this, in .95 to .99 (`tests/unit/test_metrics.py` simulates some). Two things are heeded:
    how far the figure falls for each row that is wrong in this sample, were as many documents wrong as no error would
    leave open; and, of macro-F1, that errors may fall on rare labels, each bounded as F1 without an error is, which err
    apart.

    Args:
        figure: macro-F1 or the correlation, with its bounds by draws.
        whole: counts of all rows, one entry.
        n_with: of macro-F1, how many documents have each label that it is a mean over; 0 where none has. Empty for
            another figure.
        n_documents: in all.

    Returns:
        The figure, its lower bound moved outwards where it is closer; as it is without bounds, and where no row is
        wrong.
    """
    value, low = figure["value"], figure["low"]
    n_right, n_rows = whole.exact[0]
    if value is None or low is None or n_right == n_rows:
        return figure
    most = np.count_nonzero(n_with) / len(n_with) if n_with else 1.0  # a label that no row has counts 0
    of_rows = most - (most - value) * _bound_none(n_documents) / (1 - n_right / n_rows)
    fallen = [1 - _f1_of_share(1 - _bound_none(n)) for n in n_with if n]
    of_labels = most - math.hypot(*fallen) / max(len(n_with), 1)
    return figure | {"low": min(low, max(float(of_rows), 0.0), of_labels)}


def keep_apart(figure: DrawnFigure, *, n_documents: int, of: Callable[[float], float] | None = None) -> DrawnFigure:
    """Bound a share no closer than none or all of its documents would.

    Of 8 documents of 20 rows no error left open .631 and one error .981: an error in one document tells next to nothing
    of how documents differ, and draws of them held the truth in as few as .75 of simulated sets (#6). Where errors
    amount to four whole documents or more, this changes nothing.

    Args:
        figure: the share, with its bounds by draws.
        n_documents: those that it was counted in.
        of: what rises with the share, where the figure is that and no share itself.

    Returns:
        The figure, its bounds moved outwards where they are closer to 0 or 1; without bounds, as it is.
    """
    low, high = figure["low"], figure["high"]
    if low is None or high is None:
        return figure
    apart = _bound_none(n_documents)
    least, most = (1 - apart, apart) if of is None else (of(1 - apart), of(apart))
    return {"value": figure["value"], "low": min(low, least), "high": max(high, most)}


def _is_shown(is_counted: Floats) -> bool:
    return int((is_counted > 0).sum()) >= FEWEST_GROUPS


def _unbound(figure: DrawnFigure) -> DrawnFigure:
    return {"value": figure["value"], "low": None, "high": None}


def _drop_alike(figure: DrawnFigure) -> DrawnFigure:
    is_alike = figure["low"] is not None and figure["high"] is not None and figure["high"] - figure["low"] <= _ALIKE
    return _unbound(figure) if is_alike else figure


def bound_share(figure: DrawnFigure, is_counted: Floats, *, of: Callable[[float], float] | None = None) -> DrawnFigure:
    """Bound a share of which every draw is the same, or nearly, or that few documents are counted in.

    Args:
        figure: the share, by draws.
        is_counted: the rows that it counts, by document.
        of: as of `keep_apart`.

    Returns:
        The bounds of `bound_certain` for 0 and 1, none for another value of which all draws are alike or from fewer
        than 5 documents that are counted; else the figure, with no closer bounds than these.
    """
    n_documents, value = int((is_counted > 0).sum()), figure["value"]
    if value in (0, 1) and n_documents:
        figure = {"value": value, "low": value, "high": value}
    else:
        figure = _drop_alike(figure) if _is_shown(is_counted) else _unbound(figure)
    return keep_apart(figure, n_documents=n_documents, of=of)


def bound_f1(figure: DrawnFigure, is_counted: Floats, is_true: Floats) -> DrawnFigure:
    """Bound an F1 of which every draw is the same, or nearly, or whose label few documents have, as `bound_share`.

    F1 rises with the share j of rows that are both true and given among those that are either: 2j / (1 + j).

    Args:
        figure: F1 of a label that some row has, by draws.
        is_counted: rows that are true or given, by document.
        is_true: rows that have the label, by document.

    Returns:
        Bounds that follow from those of j.
    """
    if figure["value"] not in (0, 1) and not _is_shown(is_true):
        return _unbound(figure)
    return bound_share(figure, is_counted, of=_f1_of_share)


def _bound_label(label: dict[str, DrawnFigure], counts: Counts, number: int) -> None:
    tp, fp, fn, _ = (counts.binary[:, number, cell] for cell in range(4))
    label["precision"] = bound_share(label["precision"], tp + fp)
    if (tp + fn).any():
        label["recall"] = bound_share(label["recall"], tp + fn)
        label["f1"] = bound_f1(label["f1"], tp + fp + fn, tp + fn)
    else:  # of a label that no row has, neither could be anything but 0
        label["recall"], label["f1"] = _unbound(label["recall"]), _unbound(label["f1"])


def bound_head(head: Head, by_document: Counts, weights: Floats) -> dict[str, object]:
    """The figures of `measure_head`, each with an interval only where it has one.

    Args:
        head: which head.
        by_document: counts with one entry for each document that has a row labelled for the head.
        weights: bootstrap draws, shape `(n_replicates, n_documents)`.

    Returns:
        As `measure_head`; `low` and `high` are None from fewer than 5 documents, for what is not defined (recall and F1
        of a label that no row has, precision of one that was never given), for figures of which all draws are alike,
        for recall and F1 of a label that fewer than 5 documents have and precision of one given in fewer, for means
        over labels (macro-F1; correlation of an any-of head) whose rarest label is in fewer than 5, and for correlation
        of a one-of head from fewer than 5 of `count_departing`, of true or of given labels. Shares that are 0 or 1, and
        F1 there, have the bounds of `bound_certain`, and others no closer ones; macro-F1 and correlation those of
        `keep_mean_apart`.
    """
    n_documents = weights.shape[1]
    measured = measure_head(head, by_document, weights)
    labels = cast("dict[str, dict[str, DrawnFigure]]", measured["labels"])
    keys = ("macro_f1", "accuracy", "mcc", "ece")
    overall = {key: cast("DrawnFigure", measured[key]) for key in keys}
    if n_documents < FEWEST_GROUPS:
        for label in labels.values():
            label |= {key: _unbound(label[key]) for key in ("precision", "recall", "f1")}
        return measured | {key: _unbound(figure) for key, figure in overall.items()}
    for number, label in enumerate(labels.values()):
        _bound_label(label, by_document, number)
    true, given = count_true(by_document), count_given(by_document)
    count_of_mcc = count_rarest if head.problem_type is ProblemType.ANY_OF else count_departing
    of_mcc = min(count_of_mcc(true), count_of_mcc(given))
    rest_on = {"macro_f1": count_rarest(true), "mcc": of_mcc, "ece": n_documents}
    for key, n in rest_on.items():
        overall[key] = _drop_alike(overall[key]) if n >= FEWEST_GROUPS else _unbound(overall[key])
    whole, n_with = by_document.weigh(np.ones((1, n_documents))), (true > 0).sum(axis=0).tolist()
    overall["macro_f1"] = keep_mean_apart(overall["macro_f1"], whole, n_with, n_documents=n_documents)
    overall["mcc"] = keep_mean_apart(overall["mcc"], whole, (), n_documents=n_documents)
    overall["accuracy"] = bound_share(overall["accuracy"], np.ones(n_documents))
    return measured | overall


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
        groups: the document of each row; whole documents are drawn, of those that have a row labelled for the head.
        taxonomy: the heads.
        n_replicates: bootstrap draws.
        seed: of the draws.

    Returns:
        By head name, as `bound_head`, with `ece_by_chance`, and `n_groups`: the documents drawn from. A head without a
        labelled row is left out.
    """
    figures = {}
    for head in taxonomy.heads:
        of_head = labels[:, taxonomy.slices[head.name]]
        known = np.flatnonzero(of_head[:, 0] != NOT_LABELLED)
        if not len(known):
            continue
        scores, decided = answers[head.name]
        of_known = [groups[place] for place in known.tolist()]
        counts = sum_by_group(count_head(head, of_head[known], decided[known], scores[known]), of_known)
        n_groups = len(set(of_known))
        weights = draw_weights(n_groups, n_replicates=n_replicates, seed=seed)
        by_chance = ece_by_chance(head, decided[known], scores[known], n_replicates=n_replicates, seed=seed)
        figures[head.name] = bound_head(head, counts, weights) | {"ece_by_chance": by_chance, "n_groups": n_groups}
    return figures
