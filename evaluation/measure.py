"""Owns what is reported of one model: figures per head, confusion, abstention, and what a reader must be told."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from evaluation.calibration import measure_high_scores
from evaluation.dataset import LabelledFiles
from evaluation.deciders import Decisions
from evaluation.describe import count_repeats
from evaluation.linear import plain_rule
from evaluation.ranking import measure_ranking
from evaluation.rows import HeadRows, select_rows, share_of
from twohands.bounds import FEWEST_GROUPS, bound_head, count_departing
from twohands.examples import Example
from twohands.manifest import Manifest
from twohands.metrics import count_given, count_true, ece_by_chance
from twohands.scores import DecisionRule, calibrate
from twohands.taxonomy import ProblemType, Taxonomy
from twohands.windows import Logits

Json = dict[str, object]

# Below this many documents, percentile intervals are known to be too narrow.
FEW_GROUPS = 50


def _confusion(rows: HeadRows) -> Json:
    """Counts of true against given labels for a one-of head, of hits and misses per label for an any-of head."""
    names = rows.head.label_names
    is_true = rows.truth == 1
    if rows.head.problem_type is ProblemType.ONE_OF:
        table = is_true.T.astype(int) @ rows.decided.astype(int)  # rows true, columns given
        return {name: dict(zip(names, row.tolist(), strict=True)) for name, row in zip(names, table, strict=True)}
    return {
        name: {
            "true_positive": int((is_true[:, number] & rows.decided[:, number]).sum()),
            "false_positive": int((~is_true[:, number] & rows.decided[:, number]).sum()),
            "false_negative": int((is_true[:, number] & ~rows.decided[:, number]).sum()),
            "true_negative": int((~is_true[:, number] & ~rows.decided[:, number]).sum()),
        }
        for number, name in enumerate(names)
    }


def _abstention(rows: HeadRows, level: float, *, n_replicates: int, seed: int) -> Json:
    """What is gained by not answering below `level`: share of rows answered, and share of those that are wrong."""
    weights = rows.draw(n_replicates=n_replicates, seed=seed)
    is_answered = rows.scores.max(axis=1) >= level
    is_wrong = ~(rows.decided & (rows.truth == 1)).any(axis=1)
    answered = rows.sum_by_document(is_answered.astype(float))
    wrong = rows.sum_by_document((is_answered & is_wrong).astype(float))
    everything = rows.sum_by_document(np.ones(len(is_answered)))
    return {
        "level": level,
        "coverage": share_of(answered, everything, weights),
        "risk": share_of(wrong, answered, weights),
        "accuracy": share_of(answered - wrong, answered, weights),
    }


def uncalibrated_rows(
    examples: Sequence[Example], taxonomy: Taxonomy, logits: Logits, decisions: Decisions
) -> dict[str, HeadRows]:
    """The rows as the model would score them without calibration; the labels given stay as they are.

    Args:
        examples: all rows.
        taxonomy: the heads.
        logits: shape `(n, n_labels)`.
        decisions: by head name, with calibration.

    Returns:
        By head name, as `select_rows`.
    """
    plain = {
        head.name: (
            calibrate(logits[:, taxonomy.slices[head.name]], plain_rule(head).calibration),
            decisions[head.name][1],
        )
        for head in taxonomy.heads
    }
    return select_rows(examples, taxonomy, plain)


def measure_rows(
    rows: HeadRows,
    before: HeadRows,
    rule: DecisionRule,
    *,
    n_replicates: int,
    seed: int,
    fitted_on: Sequence[str] = (),
) -> Json:
    """Measure one head.

    Args:
        rows: labelled for it.
        before: the same rows without calibration.
        rule: how it was decided.
        n_replicates: bootstrap draws.
        seed: of the draws.
        fitted_on: files among those measured that its calibration was fitted on.

    Returns:
        The figures of `bound_head`, per label also `average_precision` (None where no row has the label),
        `ece_by_chance` (what scores that are exactly right would show), `ece_before` calibration,
        `calibration_fitted_on`, for an any-of head `high_scores` as `measure_high_scores`, `n`, `n_groups`,
        `confusion`, and for a one-of head that abstains `abstention`: level, coverage, risk (errors among the answered)
        and accuracy (1 - risk).
    """
    weights = rows.draw(n_replicates=n_replicates, seed=seed)
    measured = bound_head(rows.head, rows.count(), weights)
    labels = cast("dict[str, dict[str, object]]", measured["labels"])
    for name, figure in measure_ranking(rows, n_replicates=n_replicates, seed=seed).items():
        labels[name]["average_precision"] = figure
    measured["ece_by_chance"] = ece_by_chance(
        rows.head, rows.decided, rows.scores, n_replicates=n_replicates, seed=seed
    )
    measured["ece_before"] = bound_head(before.head, before.count(), weights)["ece"]
    measured["calibration_fitted_on"] = list(fitted_on)
    if rows.head.problem_type is ProblemType.ANY_OF:
        measured["high_scores"] = measure_high_scores(rows, n_replicates=n_replicates, seed=seed)
    measured |= {"n": len(rows.groups), "n_groups": rows.n_groups, "confusion": _confusion(rows)}
    if rows.head.problem_type is ProblemType.ONE_OF and rule.abstention is not None:
        measured["abstention"] = _abstention(rows, rule.abstention, n_replicates=n_replicates, seed=seed)
    return measured


def list_fitted(data: LabelledFiles, manifest: Manifest) -> list[str]:
    """Names of the files that the model's calibration was fitted on.

    Args:
        data: what is measured.
        manifest: of the model.

    Returns:
        Those whose digest is that of its dev data.
    """
    of_dev = {file.sha256 for file in manifest.training_data.files if file.split == "dev"}
    return [Path(str(file["name"])).name for file in data.files if file["sha256"] in of_dev]


def note_fitted(data: LabelledFiles, manifest: Manifest) -> list[str]:
    """Say which files the model has already learnt from or was chosen on.

    Args:
        data: what is measured.
        manifest: of the model.

    Returns:
        One sentence for each such file.
    """
    split_of = {file.sha256: file.split for file in manifest.training_data.files if file.split != "test"}
    return [
        f"{Path(str(file['name'])).name} is {split_of[str(file['sha256'])]} data of {manifest.name}; "
        "figures on it flatter the model."
        for file in data.files
        if file["sha256"] in split_of
    ]


def _note_documents(data: LabelledFiles) -> list[str]:
    """Of rows that name no document, or one by the name of an empty cell: nobody knows what they are part of."""
    words = [data.misnamed[example.id] for example in data.examples if example.id in data.misnamed]
    notes = []
    if all(example.id not in data.named for example in data.examples):
        notes.append("No row names its document (`group`): intervals take each row as a document of its own.")
    if len(words) > 1:
        notes.append(
            f"{len(words)} rows have {' or '.join(dict.fromkeys(words))} as their `group`, as pandas may write an "
            "empty cell: each is taken as a document of its own."
        )
    return notes


def _note_repeated(data: LabelledFiles) -> list[str]:
    """Of texts that count more than once; where labels of one differ, no answer is right for all its rows."""
    n_repeats, n_other = count_repeats(data.examples)
    if not n_repeats:
        return []
    rows = "1 row repeats" if n_repeats == 1 else f"{n_repeats} rows repeat"
    return [f"{rows} the text of another ({n_other} with other labels); each counts as a row of its own."]


def note_data(data: LabelledFiles) -> list[str]:
    """Say what is to be known of the rows themselves.

    Args:
        data: what is measured.

    Returns:
        A sentence each, if there are any: of rows passed over, of such as name no document, and of repeated texts.
    """
    skipped = [f"{data.n_skipped} rows without any label were passed over."] if data.n_skipped else []
    return [*skipped, *_note_documents(data), *_note_repeated(data)]


def note_few(groups: Sequence[Hashable]) -> list[str]:
    """Say what so few documents cannot show, if they are few, or if few of them hold most rows.

    Of 60 documents of which one holds nine tenths of the rows, simulated intervals held the truth in 86 to 90%.

    Args:
        groups: the document of each row.

    Returns:
        At most one sentence.

    Source:
        Kish 1965, *Survey Sampling*: how many documents of one size would say as much.
    """
    sizes = np.array(list(Counter(groups).values()), dtype=float)
    n_groups, n_equal = len(sizes), float(sizes.sum() ** 2 / (sizes**2).sum())
    if n_groups < FEWEST_GROUPS:
        named = "1 group (document) is" if n_groups == 1 else f"{n_groups} groups (documents) are"
        return [f"{named} too few for any interval; trust none."]
    if n_groups < FEW_GROUPS:
        return [f"Only {n_groups} groups (documents); intervals from fewer than {FEW_GROUPS} are too narrow."]
    if n_equal < FEW_GROUPS:
        return [
            f"Of {n_groups} groups (documents) the largest holds {sizes.max() / sizes.sum():.0%} of the rows: they say "
            f"as much as {n_equal:.0f} of one size, and intervals from fewer than {FEW_GROUPS} are too narrow."
        ]
    return []


def note_absent(labels: Sequence[str], has_label: npt.NDArray[np.bool_]) -> list[str]:
    """Say which labels no row has, if there are any.

    Args:
        labels: names.
        has_label: shape `(n, n_labels)`.

    Returns:
        At most one sentence.
    """
    without = [name for name, has in zip(labels, has_label.sum(axis=0), strict=True) if not has]
    return [f"No row is {', '.join(without)}; F1 is 0 there and pulls the macro mean down."] if without else []


def _note_uncorrelated(rows: HeadRows) -> list[str]:
    """Of labels of an any-of head whose correlation is not defined, and which count 0 in the mean."""
    if rows.head.problem_type is not ProblemType.ANY_OF:
        return []
    sides = (rows.truth == 1, rows.decided)
    is_constant = np.logical_or.reduce([side.all(axis=0) | ~side.any(axis=0) for side in sides])
    names = [name for name, is_one in zip(rows.head.label_names, is_constant, strict=True) if is_one]
    told = ", ".join(names)
    return [f"All rows, or none, have or are given {told}; its correlation counts 0 in MCC."] if names else []


def note_rare(labels: Sequence[str], has_label: npt.NDArray[np.bool_], groups: Sequence[str]) -> list[str]:
    """Say which labels are in too few documents for an interval of a mean over labels, if any are.

    Args:
        labels: names.
        has_label: shape `(n, n_labels)`.
        groups: the document of each row; of fewer than 5 nothing is said, since nothing has an interval.

    Returns:
        At most one sentence.
    """
    if len(set(groups)) < FEWEST_GROUPS:
        return []
    of_label = [{group for group, has in zip(groups, column, strict=True) if has} for column in has_label.T.tolist()]
    rare = [name for name, found in zip(labels, of_label, strict=True) if 0 < len(found) < FEWEST_GROUPS]
    if not rare:
        return []
    return [
        f"Fewer than {FEWEST_GROUPS} documents have {', '.join(rare)}: no interval of macro-F1, nor of recall and F1 "
        "of the label, unless they are 0 or 1."
    ]


def _note_departing(rows: HeadRows) -> list[str]:
    """Of what correlation has no interval, though there are documents enough in all."""
    if rows.n_groups < FEWEST_GROUPS:
        return []
    by_document = rows.count()
    sets = (count_true(by_document), count_given(by_document))
    if rows.head.problem_type is ProblemType.ANY_OF:
        n_with = [(each > 0).sum(axis=0).tolist() for each in sets]  # of documents, by label
        by_label = zip(rows.head.label_names, *n_with, strict=True)
        rare = [name for name, *counts in by_label if any(0 < n < FEWEST_GROUPS for n in counts)]
        few = f"Fewer than {FEWEST_GROUPS} documents have (or are given) {', '.join(rare)}: no interval of MCC."
        return [few] if rare else []
    if not 0 < min(map(count_departing, sets)) < FEWEST_GROUPS:
        return []
    most = dict.fromkeys(rows.head.label_names[int(each.sum(axis=0).argmax())] for each in sets)
    return [
        f"Fewer than {FEWEST_GROUPS} documents are (or are given) {' or '.join(most)}, or fewer anything else: no "
        "interval of MCC."
    ]


def _note_open(rows: HeadRows, n_rows: int) -> list[str]:
    """Of rows without a label that were perhaps meant to say that none applies, and then hide labels given wrongly."""
    n_open = n_rows - len(rows.groups)
    if rows.head.problem_type is not ProblemType.ANY_OF or not n_open or not (rows.truth == 1).any(axis=1).all():
        return []
    not_counted = "is not labelled and was not counted" if n_open == 1 else "are not labelled and were not counted"
    return [
        f"{n_open} of {n_rows} rows {not_counted}, and every counted row has a label; if an empty cell means none, "
        "write `-` (in JSONL `[]`), or no label given to such a row counts as wrong."
    ]


def note_gaps(selected: Mapping[str, HeadRows], taxonomy: Taxonomy, *, n_rows: int, with_mcc: bool = True) -> list[str]:
    """Say what the figures cannot show.

    Args:
        selected: rows by head.
        taxonomy: all heads of the model.
        n_rows: rows of all heads, with those that were passed over as they have no label.
        with_mcc: whether correlation is among the figures.

    Returns:
        One sentence for each gap.
    """
    notes = []
    for head in taxonomy.heads:
        if head.name not in selected:
            notes.append(f"{head.name} is left out: no row is labelled for it.")
            continue
        rows = selected[head.name]
        absent = note_absent(head.label_names, rows.truth == 1)
        rare = note_rare(head.label_names, rows.truth == 1, rows.groups)
        departing = [*_note_departing(rows), *_note_uncorrelated(rows)] if with_mcc else []
        limits = [*_note_open(rows, n_rows), *absent, *note_few(rows.groups), *rare, *departing]
        notes += [f"{head.name}: {note[0].lower()}{note[1:]}" for note in limits]
    return notes
