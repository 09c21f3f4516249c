"""Owns labels that stand apart from their texts: read by id, laid over rows, hard ones and a teacher's soft ones.

A labels file lets labels be shipped where the texts may not be, and lets a teacher speak of rows that nobody read.
One JSON object a line: `id`, then the heads as in a row (`"stance": "neutral", "topics": []`), or `scores`:
`{"stance": {"state-led": 0.1, ...}, "topics": {...}}`, or both.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from twohands.errors import DataError
from twohands.examples import Example, Labels, Row, encode_labels, read_rows
from twohands.taxonomy import Head, ProblemType, Taxonomy

SCORES = "scores"
ONLY_SCORED = "only_scored"  # marks rows that no reader labelled: a teacher's scores are all that is known of them
_SUM_TOLERANCE = 0.01

LabelsById = dict[str, dict[str, object]]


def _check_scores(value: object, head: Head) -> dict[str, float]:
    """Scores of one head; raises ValueError that says what was found and expected."""
    if not isinstance(value, Mapping) or set(value) != set(head.label_names):
        raise ValueError(f"scores of {head.name} must name exactly {', '.join(head.label_names)}")
    scores = {name: float(value[name]) for name in head.label_names}
    if not all(math.isfinite(score) and 0 <= score <= 1 for score in scores.values()):
        raise ValueError(f"scores of {head.name} must lie in [0, 1]")
    if head.problem_type is ProblemType.ONE_OF and abs(sum(scores.values()) - 1) > _SUM_TOLERANCE:
        raise ValueError(f"scores of {head.name} add up to {sum(scores.values()):.3f}, expected 1")
    return scores


def _check_line(row: Row, taxonomy: Taxonomy) -> dict[str, object]:
    """The cells that one line lays over its row; raises ValueError that says what was found and expected."""
    names = [head.name for head in taxonomy.heads]
    if row.cells.get("id") is None:
        raise ValueError("no id; labels are laid over rows by their id")
    cells: dict[str, object] = {name: row.cells[name] for name in names if row.cells.get(name) is not None}
    scores = row.cells.get(SCORES)
    if scores is not None and not isinstance(scores, Mapping):
        raise ValueError(f"{SCORES} is {type(scores).__name__}, expected an object by head and label")
    if scores:
        cells[SCORES] = {h.name: _check_scores(scores[h.name], h) for h in taxonomy.heads if h.name in scores}
    if not cells.get(SCORES, cells):
        raise ValueError(f"no label: neither {', '.join(names)} nor {SCORES}")
    return cells


def read_labels(paths: Iterable[Path], taxonomy: Taxonomy) -> LabelsById:
    """Read labels files; several may speak of one row, a later one filling or replacing what it names.

    Args:
        paths: JSONL, CSV or Parquet.
        taxonomy: which heads and labels there are; other columns (reader, confidence) are passed over.

    Returns:
        By row id, the cells to lay over it: head names and `scores`.

    Raises:
        FileReadError: a file cannot be opened.
        DataError: a line has no id, no label, or scores that do not fit; all faults at once.
    """
    faults: list[str] = []
    found: LabelsById = {}
    for path in paths:
        for row in read_rows(path, faults):
            try:
                found.setdefault(str(row.cells.get("id")), {}).update(_check_line(row, taxonomy))
            except (ValueError, TypeError) as error:
                faults.append(f"{row.place}: {error}")
    if faults:
        raise DataError(f"labels of {', '.join(map(str, paths))} cannot be used", faults)
    return found


def _harden(scores: Mapping[str, float], head: Head) -> str | list[str]:
    if head.problem_type is ProblemType.ONE_OF:
        return max(scores, key=scores.__getitem__)
    return [name for name, score in scores.items() if score >= 0.5]


def lay_labels(rows: Iterable[Row], labels: LabelsById, taxonomy: Taxonomy) -> Iterator[Row]:
    """Fill the empty heads of rows, and pass over rows of which nothing is known.

    A label that stands in the row itself wins. A row with scores only gets the words they favour, so that class
    weights and slices count it, and is marked, so that its target is the scores alone.

    Args:
        rows: raw rows; those without an id are left as they are.
        labels: of `read_labels`.
        taxonomy: the heads.

    Yields:
        Rows with at least one head filled.
    """
    for row in rows:
        laid = labels.get(str(row.cells.get("id")), {})
        cells = {**row.cells, **{n: value for n, value in laid.items() if row.cells.get(n) is None}}
        scores = cells.get(SCORES)
        if all(cells.get(head.name) is None for head in taxonomy.heads):
            if not isinstance(scores, Mapping):
                continue
            hard = {h.name: _harden(scores[h.name], h) for h in taxonomy.heads if h.name in scores}
            cells = {**cells, **hard, ONLY_SCORED: True}
        yield Row(cells, row.place)


def make_targets(examples: Sequence[Example], taxonomy: Taxonomy, *, teacher_weight: float) -> Labels:
    """Lay out what the loss aims at: the labels, drawn towards a teacher's scores where there are any.

    Args:
        examples: checked rows.
        taxonomy: the order of the logits.
        teacher_weight: share of the scores in the target of a row that has both, in [0, 1].

    Returns:
        Shape `(n, n_labels)` in [0, 1], or -100 throughout a head that is not labelled.

    Source:
        Hinton et al. 2015, *Distilling the Knowledge in a Neural Network*, at temperature 1.
    """
    targets = encode_labels(examples, taxonomy)
    for number, example in enumerate(examples):
        scores = example.columns.get(SCORES)
        if not isinstance(scores, Mapping):
            continue
        share = 1.0 if example.columns.get(ONLY_SCORED) else teacher_weight
        for head in taxonomy.heads:
            if head.name not in scores or (example.labels[head.name] is not None and share == 0):
                continue
            columns = taxonomy.slices[head.name]
            soft = [scores[head.name][name] for name in head.label_names]
            hard = targets[number, columns] if example.labels[head.name] is not None else soft
            targets[number, columns] = [(1 - share) * h + share * s for h, s in zip(hard, soft, strict=True)]
    return targets
