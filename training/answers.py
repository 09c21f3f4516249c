"""Owns what is odd in a model's answers on dev: labels given always or never, heads no better than chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.calibration import warn_of_rules
from twohands.bounds import FEWEST_GROUPS
from twohands.decide import decide_all
from twohands.examples import NOT_LABELLED, Example, Labels, encode_labels
from twohands.scores import DecisionRule, Scores
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.windows import Logits

Answers = Mapping[str, tuple[Scores, npt.NDArray[np.bool_]]]

# A label is given to nearly all rows from the first share on, and is not true of nearly all below the second.
_NEARLY_ALL = 0.9
_NOT_NEARLY_ALL = 0.75
# It is given to nearly none below this share of the rows that it is true of.
_NEARLY_NONE = 0.1


def score_blind(head: Head, labels: Labels) -> float:
    """Macro-F1 of an answer that does not hang on the text.

    Args:
        head: which head.
        labels: shape `(n, n_labels of the head)` of 0 or 1.

    Returns:
        For a one-of head, of labels drawn by their frequency, which is more than the most frequent one always has; for
        an any-of head, of every label always.
    """
    if head.problem_type is ProblemType.ONE_OF:
        return 1 / len(head.labels)
    shares = labels.mean(axis=0)
    return float((2 * shares / (1 + shares)).mean())


def _warn_of_labels(head: Head, labels: Labels, given: npt.NDArray[np.bool_]) -> list[str]:
    """Labels that are given to nearly all or nearly no rows, though they are not true of so many or so few."""
    n = len(labels)
    lines = []
    for name, n_true, n_given in zip(head.label_names, labels.sum(axis=0), given.sum(axis=0), strict=True):
        is_always = n_given >= _NEARLY_ALL * n and n_true < _NOT_NEARLY_ALL * n
        if is_always or n_given < _NEARLY_NONE * n_true:
            lines.append(f"{name} is given to {n_given:.0f} of {n} dev rows, and is true of {n_true:.0f}")
    return lines


def warn_of_documents(figures: Mapping[str, Mapping[str, Mapping[str, object]]]) -> list[str]:
    """Say where rows come from so few documents that no figure has an interval, and none shows anything.

    Args:
        figures: by split and head, of `measure_heads`.

    Returns:
        One line for each such head of a split.
    """
    return [
        f"{head}: its rows of {split} come from {n} document{'' if n == 1 else 's'}, too few for any interval (at "
        f"least {FEWEST_GROUPS}), so no figure there shows anything of other texts; rows of more documents (`group`) "
        "mend it"
        for split, heads in figures.items()
        for head, values in heads.items()
        if isinstance(n := values["n_groups"], int) and n < FEWEST_GROUPS
    ]


def _list_rare(head: Head, truth: Labels, groups: Sequence[str]) -> str:
    """Name the labels of a head that stand in too few documents for any interval; empty where there is none."""
    held: list[set[str]] = [set() for _ in head.label_names]
    for row, group in zip(truth, groups, strict=True):
        for place in np.flatnonzero(row == 1):
            held[place].add(group)
    counted = zip(head.label_names, map(len, held), strict=True)
    return ", ".join(f"{name} ({n})" for name, n in counted if n < FEWEST_GROUPS)


def warn_of_answers(
    logits: Logits,
    labels: Labels,
    taxonomy: Taxonomy,
    rules: Mapping[str, DecisionRule],
    macro_f1s: Mapping[str, Mapping[str, float | None]],
    groups: Sequence[str],
) -> list[str]:
    """Say where figures on dev look better than the answers are.

    Args:
        logits: shape `(n, n_labels)`.
        labels: the same shape: 0, 1 or -100.
        taxonomy: the heads.
        rules: of `fit_rules`, on the same rows.
        macro_f1s: of each head on these rows: `value`, and `low` of its interval, None where it has none.
        groups: the document of each row.

    Returns:
        One line for each finding: a head that is not shown to beat answers without reading, a label that is given to
        nearly all or nearly no rows though it is not true of so many or so few, a head without an error.
    """
    answers = decide_all(logits, taxonomy, dict(rules))
    lines = []
    for head in taxonomy.heads:
        columns = labels[:, taxonomy.slices[head.name]]
        known = columns[:, 0] != NOT_LABELLED
        if not known.any():  # a smoke run's few rows may have none
            continue
        truth, given = columns[known], answers[head.name][1][known]
        blind = score_blind(head, truth)
        value, low = macro_f1s[head.name]["value"] or 0.0, macro_f1s[head.name]["low"]
        # Without an interval nothing is shown, however high the figure: too few documents, or too few of a rare label.
        if (low is None or low <= blind) and value < 1:
            what = "labels drawn at random" if head.problem_type is ProblemType.ONE_OF else "every label always"
            since = " without an interval" if low is None else f", from {low:.3f} on"
            remedy = "more rows or steps (optim.min_steps) may mend it"
            # No step brings an interval: the head may answer well, and more of what dev lacks alone can show it.
            if low is None and (rare := _list_rare(head, truth, np.asarray(groups)[known].tolist())):
                remedy = (
                    f"an interval needs {FEWEST_GROUPS} documents of dev with each label, and there are fewer with "
                    f"{rare}"
                )
            lines.append(
                f"{head.name} is not shown to beat answers without reading: macro-F1 on dev {value:.3f}{since}, "
                f"{blind:.3f} for {what}; {remedy}"
            )
        lines += [f"{head.name}: {line}" for line in _warn_of_labels(head, truth, given)]
        if (given == (truth == 1)).all():
            lines.append(
                f"{head.name} is right on all {len(truth)} dev rows: calibration saw no error, so its scores say "
                "little of how often it errs on other texts; harder or more dev rows mend it"
            )
    return lines


def count_labelled(labels: Labels, taxonomy: Taxonomy) -> dict[str, int]:
    """Count the rows that say something of each head.

    Args:
        labels: shape `(n, n_labels)`: 0, 1 or -100.
        taxonomy: the heads.

    Returns:
        By head name.
    """
    return {
        head.name: int((labels[:, taxonomy.slices[head.name].start] != NOT_LABELLED).sum()) for head in taxonomy.heads
    }


def warn_of_fit(
    logits: Logits,
    dev: Sequence[Example],
    taxonomy: Taxonomy,
    rules: Mapping[str, DecisionRule],
    figures: Mapping[str, Mapping[str, object]],
) -> list[str]:
    """Say all that is odd in a fit, and in figures on the rows that it was fitted on.

    Args:
        logits: of these rows, shape `(n, n_labels)`.
        dev: the rows.
        taxonomy: the heads.
        rules: of `fit_rules`.
        figures: of `measure_heads`, by head.

    Returns:
        Lines of `warn_of_rules`, `warn_of_documents` and `warn_of_answers`.
    """
    labels = encode_labels(dev, taxonomy)
    macro_f1s: dict[str, Any] = {head: values["macro_f1"] for head, values in figures.items()}
    return [
        *warn_of_rules(rules, count_labelled(labels, taxonomy)),
        *warn_of_documents({"dev": figures}),
        *warn_of_answers(logits, labels, taxonomy, rules, macro_f1s, [example.group for example in dev]),
    ]
