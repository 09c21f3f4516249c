"""Owns labels that stand apart from their texts: read by id, laid over rows, hard ones and a teacher's soft ones.

A labels file lets labels be shipped where the texts may not be, and lets a teacher speak of rows that nobody read.
One JSON object a line: `id`, then the heads as in a row (`"stance": "neutral", "topics": []`), or `scores`:
`{"stance": {"state-led": 0.1, ...}, "topics": {...}}`, or both. A line may speak of a part of a row, see `excerpts`,
and say which other row its row restates, see `restated`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from training.excerpts import Excerpt, read_excerpt
from training.matching import is_written_as_float, match_ids
from twohands.errors import DataError
from twohands.examples import NOT_LABELLED, Example, Labels, Row, as_words, encode_labels, read_rows
from twohands.hashing import sha256_of_value
from twohands.open_cells import is_open, is_unlabelled
from twohands.restating import RESTATES, read_restated
from twohands.row_faults import LabelWordsError, RowError, find_meant, tell_case, tell_faults, tell_once
from twohands.sheets import CHOSEN
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.values import NAMES

_SCORES = "scores"
# Columns of an example that only a labels file fills: a column `scores` that rows bring themselves is not a teacher's.
TEACHER_SCORES = "twohands.scores"
ONLY_SCORED = "twohands.only_scored"  # no reader labelled the row: a teacher's scores are all that is known of it
_EXCERPT = "twohands.excerpt"
_SUM_TOLERANCE = 0.01

LabelsById = dict[str, dict[str, object]]


def _check_scores(value: object, head: Head) -> dict[str, float]:
    """Scores of one head; raises ValueError that says what was found and expected."""
    if not isinstance(value, Mapping) or set(value) != set(head.label_names):
        raise ValueError(f"scores of {head.name} must name exactly {', '.join(head.label_names)}")
    if not all(isinstance(score, int | float) for score in value.values()):
        raise ValueError(f"scores of {head.name} must be numbers")
    scores = {name: float(value[name]) for name in head.label_names}
    if not all(math.isfinite(score) and 0 <= score <= 1 for score in scores.values()):
        raise ValueError(f"scores of {head.name} must lie in [0, 1]")
    if head.problem_type is ProblemType.ONE_OF and abs(sum(scores.values()) - 1) > _SUM_TOLERANCE:
        raise ValueError(f"scores of {head.name} add up to {sum(scores.values()):.3f}, expected 1")
    return scores


def _is_bare(cells: Mapping[str, object], taxonomy: Taxonomy) -> bool:
    """Whether no head is filled."""
    return all(is_unlabelled(cells, head) for head in taxonomy.heads)


def _check_names(row: Row, heads: Iterable[str]) -> None:
    """Raise ValueError where a line is passed over, or some of it, for how its columns are named."""
    # Others may be a labels file's own: `Scores` of a reader, `Sentences` that he read.
    if misspelt := tell_case(row.list_columns(), ("id", *heads, RESTATES)):
        raise RowError(row.place, [], misspelt)
    if row.cells.get("id") in (None, ""):
        raise ValueError("no id; labels are laid over rows by their id")


def _check_line(row: Row, taxonomy: Taxonomy) -> dict[str, object]:
    """The cells that one line lays over its row; raises ValueError that says what was found and expected."""
    heads = {head.name: head for head in taxonomy.heads}
    _check_names(row, heads)
    spoken_of = {name: head for name, head in heads.items() if not is_unlabelled(row.cells, head)}
    # The scores beside a blank that says that none applies are not laid along.
    cells = {n: [] if is_open(value := row.cells.get(n), head) else value for n, head in spoken_of.items()}
    of_labels: list[str] = []
    for name, value in cells.items():
        try:  # here, as the row it is laid over would be blamed for an unknown word
            words = as_words(value, heads[name])
        except LabelWordsError as error:
            of_labels += error.faults
        else:  # in the taxonomy's order, whatever that of the line, so that the same labels are equal
            cells[name] = list(words) if heads[name].problem_type is ProblemType.ANY_OF else words[0]
    if of_labels:
        raise RowError(row.place, [], of_labels)
    scores = row.cells.get(_SCORES)
    if scores is not None and not isinstance(scores, Mapping):
        raise ValueError(f"{_SCORES} is {type(scores).__name__}, expected an object by head and label")
    spoken = {name: value for name, value in (scores or {}).items() if value is not None}  # Parquet fills with nulls
    unknown = [name for name in spoken if name not in heads]
    if unknown:
        raise ValueError(f"{_SCORES} of {unknown[0]!r}, which is none of the heads {', '.join(heads)}")
    if spoken:
        cells[TEACHER_SCORES] = {name: _check_scores(value, heads[name]) for name, value in spoken.items()}
    if (restated := read_restated(row.cells)) is not None:
        cells[RESTATES] = restated
    if not cells:
        raise ValueError(f"no label: neither {', '.join(heads)} nor {_SCORES} nor {RESTATES}")
    excerpt = read_excerpt(row)
    return cells if excerpt is None else {**cells, _EXCERPT: excerpt}


def read_labels(paths: Iterable[Path], taxonomy: Taxonomy) -> dict[Path, LabelsById]:
    """Read labels files.

    Args:
        paths: JSONL, CSV or Parquet.
        taxonomy: which heads and labels there are; other columns (reader, confidence) are passed over.

    Returns:
        By file and row id, the cells to lay over the row; rows of a sheet that stayed empty are passed over.

    Raises:
        FileReadError: a file cannot be opened.
        DataError: a line has no id, no label, an unknown one, scores that do not fit, or contradicts an earlier line
            of its file; all faults at once.
    """
    faults: list[str] = []
    found: dict[Path, LabelsById] = {path: {} for path in paths}
    for path, by_id in found.items():
        unknown: list[RowError] = []
        for row in read_rows(path, faults):
            if CHOSEN in row.cells and row.cells.get(_SCORES) is None and _is_bare(row.cells, taxonomy):
                continue  # of a sheet, and nobody filled it in yet
            try:
                cells = _check_line(row, taxonomy)
            except RowError as error:
                unknown.append(error)
                continue
            except ValueError as error:
                faults.append(f"{row.place}: {error}")
                continue
            earlier = by_id.setdefault(str(row.cells["id"]), {})
            if any(earlier.get(name, value) != value for name, value in cells.items()):
                faults.append(
                    f"{row.place}: id {row.cells['id']!r} stands twice with different labels; settle them first, or "
                    "give each reader a file: a later file wins"
                )
            earlier.update(cells)
        faults += tell_faults(unknown)
    if faults:
        raise DataError(f"labels of {', '.join(map(str, found))} cannot be used", tell_once(faults))
    return found


def match_labels(files: Mapping[Path, LabelsById], rows: Mapping[str, bool]) -> dict[Path, LabelsById]:
    """Name lines, and the rows that excerpts are of, as the rows are named.

    Args:
        files: of `read_labels`.
        rows: as in `match_ids`.

    Returns:
        The same lines; those of no row are named as they were.
    """
    matched: dict[Path, LabelsById] = {}
    for path, by_id in files.items():
        are_floats = is_written_as_float(path)
        # An excerpt's own id, such as 7.0#0-2, is no number, whatever those of rows are.
        ids = match_ids([each for each, cells in by_id.items() if _EXCERPT not in cells], rows, are_floats=are_floats)
        row_ids = match_ids(list_excerpts(by_id), rows, are_floats=are_floats)
        matched[path] = {ids.get(identifier, identifier): dict(cells) for identifier, cells in by_id.items()}
        for cells in matched[path].values():
            excerpt = cells.get(_EXCERPT)
            if isinstance(excerpt, Excerpt):
                cells[_EXCERPT] = replace(excerpt, row_id=row_ids.get(excerpt.row_id, excerpt.row_id))
    return matched


def merge_labels(files: Iterable[LabelsById]) -> LabelsById:
    """Join what several files say; a later one fills in or replaces, head by head.

    Args:
        files: of `read_labels`, in order.

    Returns:
        By row id, the cells to lay over the row.
    """
    merged: LabelsById = {}
    for by_id in files:
        for identifier, cells in by_id.items():
            earlier = merged.setdefault(identifier, {})
            before, scores = earlier.get(TEACHER_SCORES), cells.get(TEACHER_SCORES)
            earlier.update(cells)
            if isinstance(before, Mapping) and isinstance(scores, Mapping):
                earlier[TEACHER_SCORES] = {**before, **scores}
    return merged


def list_excerpts(labels: LabelsById) -> dict[str, list[tuple[str, Excerpt]]]:
    """Find the lines that speak of a part of a row.

    Args:
        labels: of `read_labels` or `merge_labels`.

    Returns:
        By the id of the row, the ids of its excerpts and what they are.
    """
    found: dict[str, list[tuple[str, Excerpt]]] = {}
    for identifier, cells in labels.items():
        excerpt = cells.get(_EXCERPT)
        if isinstance(excerpt, Excerpt):
            found.setdefault(excerpt.row_id, []).append((identifier, excerpt))
    return found


def _harden(scores: Mapping[str, float], head: Head) -> str | list[str]:
    if head.problem_type is ProblemType.ONE_OF:
        return max(scores, key=scores.__getitem__)
    return [name for name, score in scores.items() if score >= 0.5]


def lay_labels(rows: Iterable[Row], labels: LabelsById, taxonomy: Taxonomy, left_out: list[str]) -> Iterator[Row]:
    """Fill the empty heads of rows, and pass over rows of which nothing is known.

    A label that stands in the row itself wins. A row with scores only gets the words they favour, so that class
    weights and slices count it, and is marked, so that its target is the scores alone.

    Args:
        rows: raw rows; those without an id are not looked up.
        labels: of `merge_labels`.
        taxonomy: the heads.
        left_out: rows without any label are named here and passed over.

    Yields:
        Rows with at least one head filled.
    """
    for row in rows:
        identifier = row.cells.get("id")
        laid = {} if identifier is None else labels.get(str(identifier), {})
        given = {head.name for head in taxonomy.heads if not is_unlabelled(row.cells, head)}
        if read_restated(row.cells) is not None:
            given.add(RESTATES)
        cells = {**row.cells, **{n: value for n, value in laid.items() if n != _EXCERPT and n not in given}}
        if _is_bare(cells, taxonomy):
            scores = laid.get(TEACHER_SCORES)
            if not isinstance(scores, Mapping):
                left_out.append(row.place)
                continue
            hard = {h.name: _harden(scores[h.name], h) for h in taxonomy.heads if h.name in scores}
            cells = {**cells, **hard, ONLY_SCORED: True}
        yield replace(row, cells=cells)


def _differs(example: Example, labels: LabelsById, head: Head) -> bool:
    cells = labels.get(example.id, {})
    return head.name in cells and as_words(cells[head.name], head) != example.labels[head.name]


def list_overruled(
    examples: Iterable[Example], files: Mapping[Path, LabelsById], taxonomy: Taxonomy
) -> list[tuple[Path, str, int]]:
    """Count the rows whose own label wins over another one that a labels file has.

    Args:
        examples: rows over which the labels were laid.
        files: of `read_labels`.
        taxonomy: the heads.

    Returns:
        File, head and number of rows, in the order of the files; none where no row has a label of its own that differs.
    """
    merged = merge_labels(files.values())
    counts: Counter[tuple[Path, str]] = Counter()
    for example in examples:
        for head in taxonomy.heads:
            if _differs(example, merged, head):  # what a later file replaced is not overruled by the row
                counts.update((path, head.name) for path, by_id in files.items() if _differs(example, by_id, head))
    return [(path, head.name, n) for path in files for head in taxonomy.heads if (n := counts[path, head.name])]


def _names_another_column(row: Row, taxonomy: Taxonomy) -> bool:
    """Whether a row has a column that is likely meant for a head, so that it may have a label all the same."""
    heads = [head.name for head in taxonomy.heads]
    meant = find_meant(row.list_columns(), ("text", *heads, *NAMES))
    return any(name in meant for name in heads)


def pass_over_open(rows: Iterable[Row], taxonomy: Taxonomy, left_out: list[str]) -> Iterator[Row]:
    """Pass over rows that nobody labelled: those of a sheet, and of another file those beside rows that have a label.

    Of a file without any label they are yielded, to be told of as a fault: most likely it is of other heads. So are
    rows that may have their labels in a column of a misspelt name.

    Args:
        rows: raw rows of one file.
        taxonomy: the heads.
        left_out: rows that are passed over are named here.

    Yields:
        The other rows.
    """
    held: list[Row] = []  # until a label is found
    is_labelled = False
    for row in rows:
        is_open = _is_bare(row.cells, taxonomy)
        if is_open and CHOSEN in row.cells:
            left_out.append(row.place)
        elif not is_open or _names_another_column(row, taxonomy):
            is_labelled |= not is_open
            yield row
        elif is_labelled:
            left_out.append(row.place)
        else:
            held.append(row)
    if is_labelled:
        left_out += [row.place for row in held]
    else:
        yield from held


def fingerprint_scores(examples: Iterable[Example]) -> str:
    """Hash what a teacher said of rows, which their labels do not show.

    Args:
        examples: checked rows.

    Returns:
        64 hex digits, whatever the order of the rows.
    """
    scored = {e.id: e.columns[TEACHER_SCORES] for e in examples if TEACHER_SCORES in e.columns}
    return sha256_of_value(sorted(scored.items()))


def make_targets(
    examples: Sequence[Example], taxonomy: Taxonomy, *, teacher_weight: float, label_smoothing: float = 0.0
) -> Labels:
    """Lay out what the loss aims at: the labels, drawn towards a teacher's scores where there are any.

    Args:
        examples: checked rows.
        taxonomy: the order of the logits.
        teacher_weight: share of the scores in the target of a row that has both, in [0, 1].
        label_smoothing: share of each label that goes to all answers of its head alike, in [0, 1]: all labels of a
            one-of head, yes and no of each label of another. Scores are not smoothed.

    Returns:
        Shape `(n, n_labels)` in [0, 1], or -100 throughout a head that is not labelled.

    Source:
        Hinton et al. 2015, *Distilling the Knowledge in a Neural Network*, at temperature 1; Szegedy et al. 2016,
        *Rethinking the Inception Architecture for Computer Vision*, for the smoothing.
    """
    targets = encode_labels(examples, taxonomy)
    for head in taxonomy.heads if label_smoothing else ():
        part = targets[:, taxonomy.slices[head.name]]  # a view
        n_answers = len(head.label_names) if head.problem_type is ProblemType.ONE_OF else 2
        is_labelled = part != NOT_LABELLED
        part[is_labelled] = (1 - label_smoothing) * part[is_labelled] + label_smoothing / n_answers
    for number, example in enumerate(examples):
        scores = example.columns.get(TEACHER_SCORES)
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
