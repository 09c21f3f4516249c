"""Owns how labels are spread: between labels, between files, and by who labelled, from where and when."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from evaluation.audit_chance import Chance, adjust
from evaluation.audit_texts import AuditedRows
from evaluation.describe import describe_labels
from evaluation.measure import FEW_GROUPS
from evaluation.rows import ratio_of
from evaluation.slices import MIN_ROWS, split_rows, usual_columns
from twohands.bounds import FEWEST_GROUPS, DrawnFigure
from twohands.examples import NOT_LABELLED, Example, encode_labels
from twohands.metrics import Floats, draw_weights
from twohands.scores import Scores
from twohands.taxonomy import Taxonomy

Json = dict[str, object]
FEW_ROWS = 30
FALSE_SHARE = 0.05  # of what is listed as apart, the share that chance may have put there
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
                rare = [f"{label} ({part['n']})" for label, part in head["labels"].items() if part["n"] < FEW_ROWS]
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
        the expected one, with its 95% interval (None from fewer than 5 documents); `p` of that excess where labels
        follow the scores, and `q`, p adjusted for the slices and labels of the head (both None for fewer than 20 rows
        or 5 documents). From fewer than 50 documents, of which draws are too alike, the interval is not narrower than
        that of such labels.

    Raises:
        UnknownColumnError: no row has the column.
    """
    encoded = encode_labels(examples, taxonomy)
    slices = split_rows(examples, column)
    drift: Json = {}
    for head in taxonomy.heads:
        truth = encoded[:, taxonomy.slices[head.name]].astype(np.float64)
        is_labelled = truth[:, 0] != NOT_LABELLED
        labels = head.label_names if is_labelled.any() else []
        of_head: dict[str, dict[str, dict[str, object]]] = {label: {} for label in labels}
        chances = [_expect(examples, truth[:, number], scores[head.name][:, number]) for number in range(len(labels))]
        for value, has_value in slices.items():
            is_chosen = has_value[is_labelled]
            if not is_chosen.any():
                continue
            # Drawn once for all labels: of many documents it takes longer than all that is made of the draws.
            _, documents = np.unique(chances[0].documents[is_chosen], return_inverse=True)  # in order of first sight
            weights = draw_weights(int(documents.max()) + 1, n_replicates=n_replicates, seed=seed)
            for number, (label, chance) in enumerate(zip(labels, chances, strict=True)):
                share = float((truth[is_labelled, number][is_chosen] == 1).mean())
                of_head[label][value] = {"share": share, **_measure_cell(chance, is_chosen, documents, weights)}
        _adjust_cells(of_head)
        drift[head.name] = of_head
    return drift


def _number_documents(examples: Sequence[Example], is_chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    groups = [examples[place].group for place in np.flatnonzero(is_chosen).tolist()]
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[group] for group in groups], dtype=np.int64)


def _expect(examples: Sequence[Example], truth: Floats, scores: Floats) -> Chance:
    """The scatter of one label about its scores, which are shifted so that over all rows they agree with it."""
    is_labelled = truth != NOT_LABELLED
    expected = scores[is_labelled].astype(np.float64)
    apart = (truth[is_labelled] == 1) - expected
    shift = apart.mean()
    return Chance.of(apart - shift, expected + shift, _number_documents(examples, is_labelled))


def _measure_cell(
    chance: Chance, is_chosen: npt.NDArray[np.bool_], documents: npt.NDArray[np.int64], weights: Floats
) -> dict[str, object]:
    apart, n, n_groups = chance.apart[is_chosen], int(is_chosen.sum()), weights.shape[1]
    excess = ratio_of(
        np.bincount(documents, weights=apart).astype(np.float64),
        np.bincount(documents).astype(np.float64),
        weights,
    )
    p, least, most = chance.judge(is_chosen)
    if n_groups < FEW_GROUPS:
        excess = _widen(cast("DrawnFigure", excess), least, most)
    is_tested = n >= MIN_ROWS and n_groups >= FEWEST_GROUPS
    return {"n": n, "n_groups": n_groups, "excess": excess, "p": p if is_tested else None, "q": None}


def _widen(excess: DrawnFigure, least: float, most: float) -> DrawnFigure:
    value, low, high = excess["value"], excess["low"], excess["high"]
    if value is None or low is None or high is None:
        return excess
    return {"value": value, "low": min(low, value - most), "high": max(high, value - least)}


def _adjust_cells(of_head: Mapping[str, Mapping[str, dict[str, object]]]) -> None:
    cells = [cell for values in of_head.values() for cell in values.values() if cell["p"] is not None]
    for cell, q in zip(cells, adjust([cast("float", cell["p"]) for cell in cells]), strict=True):
        cell["q"] = q


def rank_drift(drift: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List what stands apart beyond chance, the largest excess first: of what is listed about 5% is there by chance.

    Slices of fewer than 20 rows or 5 documents are passed over: rows of one document are one author's.

    Args:
        drift: by column, from `measure_drift`.

    Returns:
        `column`, `value`, `head`, `label`, `n`, `n_groups`, `share`, `excess`, `p`, `q`.
    """
    found = [
        {"column": column, "value": value, "head": head, "label": label, **part}
        for column, heads in drift.items()
        for head, labels in heads.items()
        for label, values in labels.items()
        for value, part in values.items()
        if part["q"] is not None and part["q"] <= FALSE_SHARE
    ]
    return sorted(found, key=lambda entry: -abs(float(entry["excess"]["value"])))
