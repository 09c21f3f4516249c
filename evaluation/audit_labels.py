"""Owns likely label errors: what a learner, which never saw a row's document, thinks of its label.

The confident-learning rules of `cleanlab` say which rows; the probabilities come from folds of whole documents.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.learners import Learner
from evaluation.progress import Advance
from twohands.errors import DataError
from twohands.examples import NOT_LABELLED, Example, encode_labels
from twohands.extras import import_extra
from twohands.metrics import Floats
from twohands.scores import Scores
from twohands.taxonomy import Head, ProblemType, Taxonomy

Json = dict[str, object]
LEAST_FOLDS = 3  # one is judged, one tunes, and the rest is learnt
_DIGITS = 4
_CERTAIN = 1e-6


def import_cleanlab() -> Any:  # noqa: ANN401 - an optional library without types
    """Import cleanlab's rules.

    Returns:
        The modules `filter` and `rank`.

    Raises:
        MissingExtraError: it is not installed.
    """
    return tuple(
        import_extra(f"cleanlab.{part}", use="data audit", extra="eval", package="cleanlab")
        for part in ("filter", "rank")
    )


def make_folds(examples: Sequence[Example], *, n_folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Part rows into folds of whole documents, of nearly equal size.

    Args:
        examples: all rows.
        n_folds: how many.
        seed: of the draw.

    Returns:
        The fold of each row, shape `(n,)`.

    Raises:
        DataError: there are fewer documents than folds.
    """
    sizes: dict[str, int] = {}
    for example in examples:
        sizes[example.group] = sizes.get(example.group, 0) + 1
    if len(sizes) < n_folds:
        more = f"--folds {len(sizes)}" if len(sizes) >= LEAST_FOLDS else f"rows of {LEAST_FOLDS} documents or more"
        fault = f"{len(sizes)} groups (documents), but --folds {n_folds}; give {more}"
        raise DataError("the rows cannot be parted", [fault])
    order = np.random.default_rng(seed).permutation(len(sizes))
    groups = list(sizes)
    # The biggest first, each into the emptiest fold; among equals as drawn.
    ranked = sorted((groups[number] for number in order), key=lambda group: -sizes[group])
    totals = [0] * n_folds
    fold_of = {}
    for group in ranked:
        fold = totals.index(min(totals))
        fold_of[group] = fold
        totals[fold] += sizes[group]
    return np.array([fold_of[example.group] for example in examples], dtype=np.int64)


def score_out_of_fold(
    make: Callable[[Sequence[Example]], Learner],
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    folds: npt.NDArray[np.int64],
    *,
    advance: Advance,
) -> dict[str, Scores]:
    """Score each row by a learner that was fitted without its document.

    Args:
        make: gives a learner for the rows that its settings are tuned on.
        examples: all rows.
        taxonomy: the heads.
        folds: the fold of each row.
        advance: called with 1 after each fold.

    Returns:
        By head, shape `(n, n_labels)`.

    Raises:
        DataError: a fold leaves a head without a labelled row.
    """

    def choose(is_chosen: npt.NDArray[np.bool_]) -> list[Example]:
        return [examples[place] for place in np.flatnonzero(is_chosen).tolist()]

    scores = {head.name: np.zeros((len(examples), len(head.labels))) for head in taxonomy.heads}
    n_folds = int(folds.max()) + 1
    grids = None
    for fold in range(n_folds):
        # Settings and thresholds want rows of their own: the next fold's.
        tuned = (fold + 1) % n_folds
        places = np.flatnonzero(folds == fold)
        learner = make(choose(folds == tuned))
        learner.grids = grids
        decider = learner.fit(choose((folds != fold) & (folds != tuned)))
        grids = learner.grids  # chosen once: the grid is nine tenths of the time
        decided = decider.decide(choose(folds == fold), advance=lambda _: None)
        for name, (found, _) in decided.items():
            scores[name][places] = found
        advance(1)
    return scores


def measure_learner(examples: Sequence[Example], taxonomy: Taxonomy, scores: Mapping[str, Scores]) -> dict[str, float]:
    """Say how far the learner's judgement can be trusted.

    Args:
        examples: all rows.
        taxonomy: the heads.
        scores: out of fold, by head.

    Returns:
        By head, the share of labels that it agrees with: of rows for a one-of head, of all its labels for an any-of
        head, with one half as the threshold; heads without a labelled row are left out.
    """
    encoded = encode_labels(examples, taxonomy)
    shares = {}
    for head in taxonomy.heads:
        truth = encoded[:, taxonomy.slices[head.name]]
        rows = truth[:, 0] != NOT_LABELLED
        if not rows.any():
            continue
        found, true = scores[head.name][rows], truth[rows] == 1
        one_of = head.problem_type is ProblemType.ONE_OF
        agrees = found.argmax(axis=1) == true.argmax(axis=1) if one_of else (found >= 0.5) == true
        shares[head.name] = float(agrees.mean())
    return shares


def measure_floor(examples: Sequence[Example], taxonomy: Taxonomy) -> dict[str, float]:
    """Say what always giving the most frequent answer would agree with: of rare labels, nearly all.

    Args:
        examples: all rows.
        taxonomy: the heads.

    Returns:
        By head, a share as that of `measure_learner`: of rows with the most frequent label for a one-of head, of all
        labels for an any-of head where each is given or withheld throughout.
    """
    encoded = encode_labels(examples, taxonomy)
    floors = {}
    for head in taxonomy.heads:
        truth = encoded[:, taxonomy.slices[head.name]]
        rows = truth[:, 0] != NOT_LABELLED
        if not rows.any():
            continue
        shares = (truth[rows] == 1).mean(axis=0)
        one_of = head.problem_type is ProblemType.ONE_OF
        floors[head.name] = float(shares.max() if one_of else np.maximum(shares, 1 - shares).mean())
    return floors


@dataclass(frozen=True, slots=True)
class Suspect:
    """One label that is likely wrong: the row, what it says, what it should probably say, and how good the label is.

    `quality` is in [0, 1]; the lower, the more likely the label is wrong.
    """

    place: int
    head: str
    given: str
    suggested: str
    quality: float


def _issues(labels: npt.NDArray[np.int64], probabilities: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Places of likely errors, the worst first, and the quality of every label."""
    find, rank = import_cleanlab()
    present = np.unique(labels)
    if len(present) < 2:
        return np.array([], dtype=np.int64), np.ones(len(labels))
    # cleanlab wants every class to occur.
    columns = probabilities[:, present].clip(min=_CERTAIN)
    columns = columns / columns.sum(axis=1, keepdims=True)
    packed = np.searchsorted(present, labels)
    # Both of cleanlab's pruning rules must agree: a weak learner would otherwise doubt every fifth label.
    places = find.find_label_issues(
        packed, columns, filter_by="both", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return np.asarray(places, dtype=np.int64), np.asarray(rank.get_label_quality_scores(packed, columns))


def _suspect_one_of(head: Head, rows: npt.NDArray[np.int64], truth: Floats, scores: Scores) -> list[Suspect]:
    labels = truth.argmax(axis=1).astype(np.int64)
    places, quality = _issues(labels, scores)
    names = head.label_names
    return [
        Suspect(
            int(rows[at]),
            head.name,
            names[labels[at]],
            names[int(scores[at].argmax())],
            round(float(quality[at]), _DIGITS),
        )
        for at in places
        if scores[at].argmax() != labels[at]
    ]


def _suspect_any_of(head: Head, rows: npt.NDArray[np.int64], truth: Floats, scores: Scores) -> list[Suspect]:
    found = []
    for number, name in enumerate(head.label_names):
        labels = (truth[:, number] == 1).astype(np.int64)
        probabilities = np.stack([1 - scores[:, number], scores[:, number]], axis=1)
        places, quality = _issues(labels, probabilities)
        for at in places:
            words = (name, f"not {name}") if labels[at] else (f"not {name}", name)
            found.append(Suspect(int(rows[at]), head.name, *words, round(float(quality[at]), _DIGITS)))
    return sorted(found, key=lambda suspect: (suspect.quality, suspect.place, suspect.given))


def find_suspects(
    examples: Sequence[Example], taxonomy: Taxonomy, scores: Mapping[str, Scores]
) -> dict[str, list[Suspect]]:
    """Find likely label errors.

    Args:
        examples: all rows.
        taxonomy: the heads.
        scores: out of fold, by head.

    Returns:
        By head, the most likely error first; an any-of head errs by each label.

    Raises:
        MissingExtraError: cleanlab is not installed.

    Source:
        Northcutt, Jiang, Chuang 2021, *Confident Learning: Estimating Uncertainty in Dataset Labels*.
    """
    encoded = encode_labels(examples, taxonomy)
    suspects = {}
    for head in taxonomy.heads:
        truth = encoded[:, taxonomy.slices[head.name]].astype(np.float64)
        rows = np.flatnonzero(truth[:, 0] != NOT_LABELLED)
        find = _suspect_one_of if head.problem_type is ProblemType.ONE_OF else _suspect_any_of
        suspects[head.name] = find(head, rows, truth[rows], scores[head.name][rows])
    return suspects
