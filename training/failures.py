"""Owns where a model fails on dev, head by head: the weakest sources and labels, and what is taken for what."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from twohands.decide import decide_all
from twohands.examples import NOT_LABELLED, Example, Labels, encode_labels
from twohands.scores import DecisionRule
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.values import NO_VALUE, read_whole, spell_value
from twohands.windows import Logits

_MIN_SLICE = 20
_N_SLICES = 6
_N_LABELS = 3
_N_CONFUSIONS = 3
_MOST_CHARS = 200
_COLUMNS = ("source", "genre", "confidence")


def weakest_slices(
    examples: Sequence[Example], right: npt.NDArray[np.bool_], column: str
) -> list[tuple[str, int, float]]:
    """Find the groups of rows in which fewest answers are right.

    Args:
        examples: rows.
        right: shape `(n,)`: whether the answer is right.
        column: `source`, or another column of the rows.

    Returns:
        Value, rows and share right, weakest first; values with fewer than 20 rows are passed over.
    """
    hits: dict[str, list[bool]] = defaultdict(list)
    for example, is_right in zip(examples, right, strict=True):
        value = example.source if column == "source" else example.columns.get(column)
        # As slices of `evaluate` are named: 2 and 2.0 were two slices, each perhaps too small to be told of (#3).
        name = spell_value(read_whole(value), most_chars=_MOST_CHARS)
        if name != NO_VALUE:
            hits[name].append(bool(is_right))
    rows = [(value, len(found), sum(found) / len(found)) for value, found in hits.items() if len(found) >= _MIN_SLICE]
    return sorted(rows, key=lambda row: row[2])[:_N_SLICES]


def weakest_labels(head: Head, truth: Labels, given: npt.NDArray[np.bool_]) -> list[tuple[str, float, int]]:
    """Find the labels with the lowest F1.

    Args:
        head: which head.
        truth: shape `(n, n_labels)` of 0 or 1.
        given: the same shape.

    Returns:
        Label, F1 and rows that it is true of, weakest first; labels without an error are passed over.
    """
    is_true = truth == 1
    n_hits, n_true, n_given = (counted.sum(axis=0) for counted in (is_true & given, is_true, given))
    f1 = 2 * n_hits / np.maximum(n_true + n_given, 1)
    ranked = sorted(zip(head.label_names, f1.tolist(), n_true.tolist(), strict=True), key=lambda row: row[1])
    return [row for row in ranked if row[1] < 1][:_N_LABELS]


def commonest_errors(head: Head, truth: Labels, given: npt.NDArray[np.bool_]) -> list[tuple[str, int, int]]:
    """Find what is answered wrongly most often.

    Args:
        head: which head.
        truth: shape `(n, n_labels)` of 0 or 1.
        given: the same shape.

    Returns:
        What happens, in how many rows, and of how many: `A taken for B` of a one-of head, of the rows of A; `A missed`
        and `A given wrongly` of an any-of head, of the rows that it is and is not true of. The most frequent first.
    """
    is_true, names = truth == 1, head.label_names
    if head.problem_type is ProblemType.ONE_OF:
        right, answered = is_true.argmax(axis=1), given.argmax(axis=1)
        pairs = Counter((int(a), int(b)) for a, b in zip(right, answered, strict=True) if a != b)
        found = [(f"{names[a]} taken for {names[b]}", n, int((right == a).sum())) for (a, b), n in pairs.items()]
    else:
        found = []
        for number, name in enumerate(names):
            of, by = is_true[:, number], given[:, number]
            found.append((f"{name} missed", int((of & ~by).sum()), int(of.sum())))
            found.append((f"{name} given wrongly", int((~of & by).sum()), int((~of).sum())))
    return sorted((row for row in found if row[1]), key=lambda row: -row[1])[:_N_CONFUSIONS]


def describe_failures(
    examples: Sequence[Example], logits: Logits, taxonomy: Taxonomy, rules: Mapping[str, DecisionRule]
) -> list[str]:
    """Say where a model fails, head by head.

    Args:
        examples: labelled rows of dev.
        logits: shape `(n, n_labels)`, of the graph that is served.
        taxonomy: the heads.
        rules: by head name.

    Returns:
        List items for the card, at least one for each head that has labelled rows.
    """
    answers = decide_all(logits, taxonomy, dict(rules))
    labels = encode_labels(list(examples), taxonomy)
    lines = []
    for head in taxonomy.heads:
        columns = labels[:, taxonomy.slices[head.name]]
        known = np.flatnonzero(columns[:, 0] != NOT_LABELLED).tolist()
        if not len(known):  # a smoke run's few rows may have none
            continue
        truth, given = columns[known], answers[head.name][1][known]
        right = ((truth == 1) == given).all(axis=1)
        if right.all():
            all_rows = f"all {len(known)} dev rows are" if len(known) != 1 else "its one dev row is"
            lines.append(
                f"- {head.name}: {all_rows} answered rightly, which says that these rows are easy, not that it does "
                "not fail."
            )
            continue
        weak = ", ".join(f"{name} {f1:.2f} ({n})" for name, f1, n in weakest_labels(head, truth, given))
        lines.append(f"- {head.name}, weakest labels on dev by F1 (rows): {weak}.")
        errors = ", ".join(f"{what} ({n} of {of})" for what, n, of in commonest_errors(head, truth, given))
        lines.append(f"- {head.name}, commonest errors on dev: {errors}.")
        for column in _COLUMNS:
            slices = weakest_slices([examples[n] for n in known], right, column)
            if len(slices) > 1:
                named = ", ".join(f"{value} {share:.2f} ({n})" for value, n, share in slices)
                lines.append(f"- {head.name} accuracy on dev by {column}, weakest first: {named}.")
    return lines
