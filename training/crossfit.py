"""Owns thresholds that are fitted on other rows than those they decide, so that one set of rows can do both."""

import numpy as np
import numpy.typing as npt

from training.calibration import fit_head
from twohands.decide import decide_head
from twohands.examples import NOT_LABELLED, Labels
from twohands.scores import DecisionRule, Platt, Temperature, calibrate
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.windows import Logits

N_FOLDS = 5
_SEED = 0  # of the folds, which are the same for every model: one that drew others would be judged by other thresholds

Bools = npt.NDArray[np.bool_]


def _plain_rule(head: Head) -> DecisionRule:
    """A rule that nothing was fitted for: the likeliest label, or every label that is likelier than not."""
    if head.problem_type is ProblemType.ONE_OF:
        return DecisionRule(calibration=Temperature(temperature=1), thresholds=None, abstention=0)
    n_labels = len(head.label_names)
    platt = Platt(slopes=[1.0] * n_labels, intercepts=[0.0] * n_labels)
    return DecisionRule(calibration=platt, thresholds=[0.5] * n_labels, abstention=None)


def _deal(groups: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """The fold of each row: whole documents, or rows where all are of one document."""
    _, documents = np.unique(groups, return_inverse=True)
    if documents.max(initial=0) == 0:
        documents = np.arange(len(groups))
    n_documents = int(documents.max(initial=-1)) + 1
    fold_of = np.random.default_rng(_SEED).permutation(n_documents) % N_FOLDS
    return np.asarray(fold_of[documents], dtype=np.int64)


def decide_crossfitted(logits: Logits, labels: Labels, groups: list[str], taxonomy: Taxonomy) -> dict[str, Bools]:
    """Give labels by rules that are fitted on the rows of other documents.

    A one-of head needs none: its likeliest label is given. Of an any-of head rows are dealt into 5 folds of whole
    documents, and those of each are decided by calibration and thresholds of the other four, as an export would fit
    them. Fitted on the very rows, thresholds would suit them better than any others.

    Args:
        logits: shape `(n, n_labels)`.
        labels: the same shape: 1, 0 or -100.
        groups: the document of each row.
        taxonomy: the heads.

    Returns:
        By head name, shape `(n, n_labels of the head)`.
    """
    given = {}
    for head in taxonomy.heads:
        columns = taxonomy.slices[head.name]
        plain = _plain_rule(head)
        decided = decide_head(head, plain, calibrate(logits[:, columns], plain.calibration))
        known = np.flatnonzero(labels[:, columns.start] != NOT_LABELLED)
        if head.problem_type is ProblemType.ANY_OF and len(known) > 1:
            folds = _deal(np.array(groups)[known])
            for fold in np.unique(folds).tolist():
                here, others = known[folds == fold], known[folds != fold]
                rule = fit_head(head, logits[others, columns], labels[others, columns])
                decided[here] = decide_head(head, rule, calibrate(logits[here, columns], rule.calibration))
        given[head.name] = decided
    return given
