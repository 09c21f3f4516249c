"""Owns the figures of agreement: alpha of all codes; kappa, F1 and the like of two sets of codes; each with draws.

Accuracy and F1 are those that `evaluate` reports, with its bounds; kappa agrees with scikit-learn's. Confusions are
summed by document, so that a bootstrap draw of documents is one matrix product.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.agreement.codings import Codes, Scale, Variable
from twohands.bounds import (
    FEWEST_GROUPS,
    DrawnFigure,
    bound_f1,
    bound_figure,
    bound_share,
    count_departing,
    count_rarest,
)
from twohands.errors import MissingExtraError
from twohands.metrics import Counts, Floats, accuracy, count_true, f1

Json = dict[str, object]
Level = Literal["nominal", "ordinal"]


def check_agreement_extra() -> None:
    """Check that the packages of `agreement` are there, before minutes are spent.

    Raises:
        MissingExtraError: one is not installed.
    """
    try:
        import krippendorff
        import scipy.stats
    except ImportError as error:
        raise MissingExtraError(f"agreement needs {error.name}: pip install 'twohands[eval]'") from error
    del krippendorff, scipy


def figure_of(values: Floats, *, n_groups: int) -> DrawnFigure | None:
    """One figure with its 95% interval.

    Args:
        values: the sample's value first, then those of the draws; NaN where it is not defined.
        n_groups: documents that hold any of the items.

    Returns:
        As `bound_figure`; None where the sample's own is not defined. Draws without a value are left out, and where all
        are alike there is no interval.
    """
    return bound_figure(float(values[0]), values[1:], n_groups=n_groups) if np.isfinite(values[0]) else None


def _alpha(counts: Floats, level: Level) -> float:
    import krippendorff

    pairable = counts[counts.sum(axis=1) > 1]
    if len(pairable) == 0 or (pairable.sum(axis=0) > 0).sum() < 2:
        return float("nan")  # nobody could have disagreed
    return float(krippendorff.alpha(value_counts=pairable, level_of_measurement=level))


def measure_alpha(variable: Variable, groups: Codes, weights: Floats, *, level: Level) -> DrawnFigure | None:
    """Krippendorff's alpha of all annotators together.

    Args:
        variable: codes, with gaps.
        groups: the document of each item.
        weights: how often each document is drawn; the first row is the sample itself, shape `(1 + n, n_groups)`.
        level: `nominal`, or `ordinal` for labels in order.

    Returns:
        1 for perfect agreement, 0 for chance; None where all codes are alike.

    Source:
        Krippendorff 2011, *Computing Krippendorff's Alpha-Reliability*.
    """
    counts = variable.count().astype(float)
    # One draw at a time: all at once they are as many copies of the items as there are draws.
    drawn = (np.repeat(counts, weights_of.astype(int)[groups], axis=0) for weights_of in weights)
    n_groups = count_departing(count_pairable(variable, groups))
    return figure_of(np.array([_alpha(each, level) for each in drawn]), n_groups=n_groups)


def count_pairable(variable: Variable, groups: Codes) -> Floats:
    """Codes of each label in each document, of the items that more than one annotator coded.

    Args:
        variable: codes, with gaps.
        groups: the document of each item.

    Returns:
        Shape `(n_documents, n_labels)`.
    """
    counts = variable.count().astype(float)
    of_documents = np.zeros((int(groups.max()) + 1, counts.shape[1]))
    np.add.at(of_documents, groups, np.where(counts.sum(axis=1, keepdims=True) > 1, counts, 0))
    return of_documents


@dataclass(frozen=True, slots=True)
class Agreement:
    """Figures of two sets of codes, the sample's first, then each draw's; NaN where not defined.

    They are of `n` items from `n_groups` documents; `n_rarest` of these have the rarest label of the first set, and
    `n_departing` are those of `count_departing`, by either set. `counted` holds, by share, what each document counts to
    it, shape `(n_groups,)`; `either` likewise, by label, the items that one of the sets gives it, and `true` those that
    the first set does. `confusion` holds the items by document and the labels of both, shape `(n_groups, n_labels,
    n_labels)`.
    """

    n: int
    n_groups: int
    n_rarest: int
    n_departing: int
    by_name: Mapping[str, Floats]
    by_label: Mapping[str, Floats]
    counted: Mapping[str, Floats]
    either: Mapping[str, Floats]
    true: Mapping[str, Floats]
    confusion: Floats

    def figure(self, values: Floats) -> DrawnFigure | None:
        """One figure of these items, as `figure_of`."""
        return figure_of(values, n_groups=self.n_groups)

    def _figure(self, name: str, values: Floats) -> DrawnFigure | None:
        rest_on = {"macro_f1": self.n_rarest, "kappa": self.n_departing}
        found = figure_of(values, n_groups=rest_on.get(name, self.n_groups))
        is_share = found is not None and name in self.counted and self.n_groups >= FEWEST_GROUPS
        return bound_share(found, self.counted[name]) if found is not None and is_share else found

    def _figure_of_label(self, label: str) -> DrawnFigure | None:
        found = self.figure(self.by_label[label])
        is_bounded = self.true[label].any() and self.n_groups >= FEWEST_GROUPS
        return bound_f1(found, self.either[label], self.true[label]) if found is not None and is_bounded else found

    def describe(self) -> Json:
        """Each figure with its interval, as `bound_head` has them; None for what is not defined."""
        described: Json = {"n": self.n}
        described |= {name: self._figure(name, values) for name, values in self.by_name.items()}
        described["labels"] = {label: {"f1": self._figure_of_label(label)} for label in self.by_label}
        return described

    def minus(self, other: "Agreement") -> Json:
        """This less the other, draw by draw, since both were drawn alike and beside the same first set."""
        n_groups = {"macro_f1": self.n_rarest, "kappa": min(self.n_departing, other.n_departing)} | {
            name: int(min((one > 0).sum(), (other.counted[name] > 0).sum())) for name, one in self.counted.items()
        }
        return {
            name: figure_of(values - other.by_name[name], n_groups=n_groups.get(name, self.n_groups))
            for name, values in self.by_name.items()
        }

    def minus_of_label(self, other: "Agreement", label: str) -> DrawnFigure | None:
        """F1 of one label less the other's, as `minus`: of the documents where the first set has it."""
        apart = self.by_label[label] - other.by_label[label]
        return figure_of(apart, n_groups=int((self.true[label] > 0).sum()))


def _as_counts(confusion: Floats) -> Counts:
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, given, total = confusion.sum(axis=-1), confusion.sum(axis=-2), confusion.sum(axis=(-2, -1))
    binary = np.stack([right, given - right, true - right, total[..., None] - true - given + right], axis=-1)
    exact = np.stack([right.sum(axis=-1), total], axis=-1)
    return Counts(binary, confusion, exact, np.zeros((*confusion.shape[:-2], 1, 1, 3)))


def kappa(confusion: Floats) -> Floats:
    """Cohen's kappa; shape `(...)`; NaN where both always give the one same label.

    Args:
        confusion: shape `(..., n_labels, n_labels)`.

    Returns:
        1 for perfect agreement, 0 for what chance gives.

    Source:
        Cohen 1960, *A Coefficient of Agreement for Nominal Scales*.
    """
    total = confusion.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = np.trace(confusion, axis1=-2, axis2=-1) / total
        by_chance = (confusion.sum(axis=-1) * confusion.sum(axis=-2)).sum(axis=-1) / total**2
        return np.asarray((seen - by_chance) / (1 - by_chance))


def _same_side(confusion: Floats) -> Floats:
    """Where both take a side of a scale, the share that take the same."""
    same, other = confusion[..., 0, 0] + confusion[..., 2, 2], confusion[..., 0, 2] + confusion[..., 2, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(same / (same + other))


def compare_codes(
    a: Codes,
    b: Codes,
    *,
    groups: Codes,
    weights: Floats,
    labels: Sequence[str],
    scale: Scale | None,
    is_reference: bool = False,
) -> Agreement:
    """Compare two sets of codes of the same items.

    Args:
        a: places of labels, shape `(n,)`; none missing. They stand where `evaluate` has the true labels.
        b: likewise, set beside `a`.
        groups: the document of each.
        weights: how often each document is drawn; the first row is the sample itself.
        labels: by place.
        scale: of the labels, for `same_side`; None for labels without order.
        is_reference: whether others than `b` are set beside `a`, too. Then `macro_f1` is over the labels of `a`: by
            those that either gives, a label that one of the others gave alone would count 0 for it and not for `b`.

    Returns:
        `accuracy`, `kappa`, `macro_f1` (over the labels that either gives), `same_side`, and F1 by label.
    """
    confusion = np.zeros((weights.shape[1], len(labels), len(labels)))
    np.add.at(confusion, (groups, a, b), 1)
    drawn = np.tensordot(weights, confusion, axes=1)  # (1 + n_draws, n_labels, n_labels)
    by_document, counts = _as_counts(confusion), _as_counts(drawn)
    sample = counts.weigh(np.eye(1, len(drawn)))
    is_seen = confusion.sum(axis=(0, 1)) + confusion.sum(axis=(0, 2)) > 0
    is_in_mean = confusion.sum(axis=(0, 2)) > 0 if is_reference else is_seen
    of_labels = f1(counts, whole=sample)
    # A draw of documents without any of these items says nothing of them; 0 would pull intervals down.
    by_name = {
        "accuracy": accuracy(counts, whole=sample),
        "kappa": kappa(drawn),
        "macro_f1": of_labels[:, is_in_mean].mean(axis=-1),  # that nobody gave a label is no disagreement
    }
    counted = {"accuracy": confusion.sum(axis=(-2, -1))}
    if scale is not None:
        by_name["same_side"] = _same_side(drawn)
        counted["same_side"] = confusion[:, ::2, ::2].sum(axis=(-2, -1))
    either = by_document.binary[..., :3].sum(axis=-1)
    true = count_true(by_document)
    return Agreement(
        len(a),
        len(np.unique(groups)),
        count_rarest(true),
        count_departing(confusion.sum(axis=1) + confusion.sum(axis=2)),
        by_name,
        {label: np.where(is_seen[place], of_labels[:, place], np.nan) for place, label in enumerate(labels)},
        counted,
        {label: either[:, place] for place, label in enumerate(labels)},
        {label: true[:, place] for place, label in enumerate(labels)},
        confusion,
    )
