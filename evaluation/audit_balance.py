"""Owns how labels are spread: between labels, between files, and by who labelled, from where and when."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.audit_texts import AuditedRows
from evaluation.describe import describe_labels
from evaluation.rows import FEWEST_GROUPS, ratio_of
from evaluation.slices import MIN_ROWS, split_rows, usual_columns
from twohands.examples import NOT_LABELLED, Example, encode_labels
from twohands.metrics import draw_weights
from twohands.scores import Scores
from twohands.taxonomy import Taxonomy

Json = dict[str, object]
FEW_ROWS = 30
ANNOTATOR = "annotator"
_DRIFTING = (ANNOTATOR, "source", "decade")


def measure_balance(rows: AuditedRows, taxonomy: Taxonomy) -> Json:
    """Count labels by file.

    Args:
        rows: what was read.
        taxonomy: the heads.

    Returns:
        By file, as `describe_labels`.
    """
    by_file: Json = {}
    for file in dict.fromkeys(rows.files):
        chosen = [example for example, its in zip(rows.examples, rows.files, strict=True) if its == file]
        by_file[file] = describe_labels(chosen, taxonomy)
    return by_file


def note_balance(balance: Mapping[str, Any]) -> list[str]:
    """Say which labels are rare, and which spread differently over files.

    Args:
        balance: from `measure_balance`.

    Returns:
        One sentence each.
    """
    notes = []
    for file, heads in balance.items():
        for name, head in heads.items():
            if head["n"]:
                rare = [f"{label} {part['n']}" for label, part in head["labels"].items() if part["n"] < FEW_ROWS]
                if rare:
                    notes.append(f"{name} in {file}: fewer than {FEW_ROWS} rows of {', '.join(rare)}.")
    return notes


def drift_columns(examples: Sequence[Example], taxonomy: Taxonomy, asked: Sequence[str]) -> list[str]:
    """Choose by what drift is looked for: what was asked, else annotator, source and decade, where rows hold them."""
    if asked:
        return list(asked)
    held = {column for example in examples for column in example.columns}
    usual = usual_columns(examples, taxonomy)
    return [column for column in _DRIFTING if column in usual or (column == ANNOTATOR and column in held)]


def measure_drift(
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    scores: Mapping[str, Scores],
    column: str,
    *,
    n_replicates: int,
    seed: int,
) -> Json:
    """Say who gives a label more often than the texts would make one expect.

    Expected is the mean score of a learner that never saw the document, shifted so that over all rows it agrees with
    the labels: what is left is a slice that labels alike texts otherwise, or holds texts that the learner misreads.

    Args:
        examples: all rows.
        taxonomy: the heads.
        scores: out of fold, by head.
        column: whose values are compared, as `split_rows`.
        n_replicates: bootstrap draws of documents.
        seed: of the draws.

    Returns:
        By head and label, by value: `n`, `n_groups`, `share` of its rows with the label, and `excess`, the share less
        the expected one, with its 95% interval (None from fewer than 5 documents).

    Raises:
        UnknownColumnError: no row has the column.
    """
    encoded = encode_labels(examples, taxonomy)
    slices = split_rows(examples, column)
    drift: Json = {}
    for head in taxonomy.heads:
        truth = encoded[:, taxonomy.slices[head.name]].astype(np.float64)
        is_labelled = truth[:, 0] != NOT_LABELLED
        of_head: dict[str, dict[str, object]] = {}
        for number, label in enumerate(head.label_names):
            apart = (truth[:, number] == 1) - scores[head.name][:, number]
            apart = apart - apart[is_labelled].mean() if is_labelled.any() else apart
            values = {}
            for value, has_value in slices.items():
                places = np.flatnonzero(has_value & is_labelled)
                if not len(places):
                    continue
                numbers = {
                    group: at
                    for at, group in enumerate(dict.fromkeys(examples[place].group for place in places.tolist()))
                }
                documents = np.array([numbers[examples[place].group] for place in places.tolist()])
                weights = draw_weights(len(numbers), n_replicates=n_replicates, seed=seed)
                excess = ratio_of(
                    np.bincount(documents, weights=apart[places]).astype(np.float64),
                    np.bincount(documents).astype(np.float64),
                    weights,
                )
                share = float((truth[places, number] == 1).mean())
                values[value] = {"n": len(places), "n_groups": len(numbers), "share": share, "excess": excess}
            of_head[label] = dict(values)
        drift[head.name] = of_head
    return drift


def rank_drift(drift: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List what stands apart: intervals that leave 0 out, the largest excess first.

    Slices of fewer than 20 rows or 5 documents are passed over: four rows that agree have an interval of no width, and
    rows of one document are one author's.

    Args:
        drift: by column, from `measure_drift`.

    Returns:
        `column`, `value`, `head`, `label`, `n`, `n_groups`, `share`, `excess`.
    """
    found: list[dict[str, Any]] = []
    for column, heads in drift.items():
        for head, labels in heads.items():
            for label, values in labels.items():
                for value, part in values.items():
                    excess = part["excess"]
                    if part["n"] < MIN_ROWS or part["n_groups"] < FEWEST_GROUPS or excess is None:
                        continue
                    if excess["low"] > 0 or excess["high"] < 0:
                        found.append({"column": column, "value": value, "head": head, "label": label, **part})

    return sorted(found, key=lambda entry: -abs(float(entry["excess"]["value"])))
