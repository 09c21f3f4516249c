"""Owns the rows that count for a head: those labelled for it, with their documents and bootstrap draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.deciders import Decisions
from twohands.bounds import (
    FEWEST_GROUPS,
    DrawnFigure,
    bound_certain,
    bound_figure,
    count_rarest,
    keep_apart,
    keep_mean_apart,
)
from twohands.examples import NOT_LABELLED, Example, Labels, encode_labels
from twohands.metrics import Counts, Floats, Measure, count_head, count_true, draw_weights, f1, macro_f1, sum_by_group
from twohands.scores import Scores
from twohands.taxonomy import Head, Taxonomy

TOO_FEW_GROUPS = f"[-]: fewer than {FEWEST_GROUPS} documents (of the label; macro-F1: of any), or draws alike."


@dataclass(frozen=True, slots=True)
class HeadRows:
    """What is known and decided of the rows labelled for one head; all arrays have shape `(n, n_labels)`.

    `places` says where each row stands among all examples; `groups` is the document of each.
    """

    head: Head
    places: npt.NDArray[np.int64]
    truth: Labels
    decided: npt.NDArray[np.bool_]
    scores: Scores
    groups: list[str]

    @property
    def n_groups(self) -> int:
        """How many documents the rows come from."""
        return len(set(self.groups))

    @property
    def documents(self) -> npt.NDArray[np.int64]:
        """The number of each row's document, in the order of first sight; shape `(n,)`."""
        numbers = {group: number for number, group in enumerate(dict.fromkeys(self.groups))}
        return np.array([numbers[group] for group in self.groups], dtype=np.int64)

    def take(self, chosen: npt.NDArray[np.bool_]) -> "HeadRows":
        """Keep some rows.

        Args:
            chosen: shape `(n,)`.

        Returns:
            The rows chosen, in order.
        """
        # By places: a slice of a few rows must not cost as much as all rows, of which there may be as many slices.
        groups = [self.groups[place] for place in np.flatnonzero(chosen).tolist()]
        return HeadRows(
            self.head, self.places[chosen], self.truth[chosen], self.decided[chosen], self.scores[chosen], groups
        )

    def count(self) -> Counts:
        """Counts with one entry for each document."""
        return sum_by_group(count_head(self.head, self.truth, self.decided, self.scores), self.groups)

    def sum_by_document(self, values: Floats) -> Floats:
        """Add the rows of each document.

        Args:
            values: shape `(n,)`.

        Returns:
            Shape `(n_groups,)`, documents in the order of `count`.
        """
        return np.bincount(self.documents, weights=values).astype(float)

    def draw(self, *, n_replicates: int, seed: int) -> Floats:
        """Bootstrap draws of the documents, the same for every model that is measured on these rows.

        Args:
            n_replicates: how many.
            seed: of the draws.

        Returns:
            Shape `(n_replicates, n_groups)`.
        """
        return draw_weights(self.n_groups, n_replicates=n_replicates, seed=seed)


def select_rows(examples: Sequence[Example], taxonomy: Taxonomy, decisions: Decisions) -> dict[str, HeadRows]:
    """Sort rows by the heads they are labelled for.

    Args:
        examples: checked rows.
        taxonomy: the heads.
        decisions: for all examples, by head name.

    Returns:
        By head name, in the taxonomy's order; a head without any labelled row is absent.
    """
    truth = encode_labels(examples, taxonomy)
    selected = {}
    for head in taxonomy.heads:
        of_head = truth[:, taxonomy.slices[head.name]]
        places = np.flatnonzero(of_head[:, 0] != NOT_LABELLED)
        if len(places):
            scores, decided = decisions[head.name]
            groups = [examples[place].group for place in places.tolist()]
            selected[head.name] = HeadRows(head, places, of_head[places], decided[places], scores[places], groups)
    return selected


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts of all rows (`whole`, one entry) and of each bootstrap draw of documents (`drawn`, one entry each).

    `n_groups` documents were drawn from; `n_rarest` of them have the rarest of the labels that any row has, and
    `n_with[k]` have label `k`.
    """

    whole: Counts
    drawn: Counts
    n_groups: int
    n_rarest: int
    n_with: list[int]

    @classmethod
    def of(cls, rows: HeadRows, weights: Floats) -> "Sample":
        """Draw.

        Args:
            rows: labelled for one head.
            weights: bootstrap draws, shape `(n_replicates, n_groups)`.

        Returns:
            The counts.
        """
        by_document = rows.count()
        whole, n_groups = by_document.weigh(np.ones((1, weights.shape[1]))), weights.shape[1]
        is_true = count_true(by_document)
        n_with = (is_true > 0).sum(axis=0).tolist()
        return cls(whole, by_document.weigh(weights), n_groups, count_rarest(is_true), n_with)

    def figure(self, of: Measure) -> DrawnFigure:
        """One figure with its 95% interval.

        Args:
            of: from counts to one number for each entry of their leading axis.

        Returns:
            As `bound_figure`.
        """
        (value,) = of(self.whole)
        return bound_figure(float(value), of(self.drawn, whole=self.whole), n_groups=self.n_groups)

    def macro(self, labels: npt.NDArray[np.int64] | None = None) -> DrawnFigure:
        """Macro-F1 with its 95% interval, if its rarest label has one.

        Args:
            labels: places of those that it is a mean over; None for all of the head.

        Returns:
            As `bound_figure`, bounded no closer than `keep_mean_apart` says.
        """
        of = macro_f1 if labels is None else macro_over(labels)
        (value,) = of(self.whole)
        figure = bound_figure(float(value), of(self.drawn, whole=self.whole), n_groups=self.n_rarest)
        n_with = self.n_with if labels is None else [self.n_with[number] for number in labels.tolist()]
        return keep_mean_apart(figure, self.whole, n_with, n_documents=self.n_groups)

    def rate(self, of: Measure) -> DrawnFigure:
        """A share of the rows with its 95% interval, wide where few documents are all right or wrong, or nearly all.

        Args:
            of: from counts to one share for each entry of their leading axis.

        Returns:
            As `bound_figure`.
        """
        (value,) = of(self.whole)
        if value in (0, 1) and self.n_groups >= FEWEST_GROUPS:
            return bound_certain(float(value), n_documents=self.n_groups)
        return keep_apart(self.figure(of), n_documents=self.n_groups)


def macro_over(labels: npt.NDArray[np.int64]) -> Measure:
    """Macro-F1 over some labels of a head.

    Args:
        labels: their places.

    Returns:
        A figure, as `macro_f1`.
    """

    def measure(counts: Counts, *, whole: Counts | None = None) -> Floats:
        return np.asarray(f1(counts, whole=whole)[..., labels].mean(axis=-1))

    return measure


def subtract(of: Measure, a: Sample, b: Sample, *, n_groups: int) -> DrawnFigure:
    """A figure of A minus that of B on the same rows and draws, which so define it for both or for neither.

    Args:
        of: from counts to one number for each entry of their leading axis.
        a: the one.
        b: the other.
        n_groups: documents that the figure rests on.

    Returns:
        As `bound_figure`.
    """
    (value_a,), (value_b,) = of(a.whole), of(b.whole)
    drawn = of(a.drawn, whole=a.whole) - of(b.drawn, whole=b.whole)
    return bound_figure(float(value_a - value_b), drawn, n_groups=n_groups)


def ratio_of(numerator: Floats, denominator: Floats, weights: Floats) -> DrawnFigure | None:
    """The ratio of two sums with its 95% interval.

    Args:
        numerator: shape `(n_documents,)`.
        denominator: shape `(n_documents,)`.
        weights: bootstrap draws, shape `(n_replicates, n_documents)`.

    Returns:
        As `bound_figure`, of the documents that have any denominator; None when it sums to 0. Draws without any are
        left out.
    """
    if not denominator.sum():
        return None
    above, below = weights @ numerator, weights @ denominator
    value = float(numerator.sum() / denominator.sum())
    drawn = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return bound_figure(value, drawn, n_groups=int((denominator > 0).sum()))


def share_of(numerator: Floats, denominator: Floats, weights: Floats) -> DrawnFigure | None:
    """The share that some rows are of others, with its 95% interval; wide where few documents are all or nearly alike.

    Args:
        numerator: rows that count, by document, shape `(n_documents,)`.
        denominator: all rows, shape `(n_documents,)`; none where there are none.
        weights: bootstrap draws, shape `(n_replicates, n_documents)`.

    Returns:
        As `ratio_of`.
    """
    share, n_documents = ratio_of(numerator, denominator, weights), int((denominator > 0).sum())
    if share is None:
        return None
    if share["value"] in (0, 1) and weights.shape[1] >= FEWEST_GROUPS:
        return bound_certain(float(share["value"]), n_documents=n_documents)
    return keep_apart(share, n_documents=n_documents)
