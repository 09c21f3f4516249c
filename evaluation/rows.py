"""Owns the rows that count for a head: those labelled for it, with their documents and bootstrap draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.deciders import Decisions
from twohands.examples import NOT_LABELLED, Example, Labels, encode_labels
from twohands.metrics import Counts, Figure, Floats, count_head, draw_weights, interval, sum_by_group
from twohands.scores import Scores
from twohands.taxonomy import Head, Taxonomy


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
        groups = [group for group, is_chosen in zip(self.groups, chosen, strict=True) if is_chosen]
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
    """Counts of all rows (`whole`, one entry) and of each bootstrap draw of documents (`drawn`, one entry each)."""

    whole: Counts
    drawn: Counts

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
        return cls(by_document.weigh(np.ones((1, weights.shape[1]))), by_document.weigh(weights))

    def figure(self, of: Callable[[Counts], Floats]) -> Figure:
        """One figure with its 95% interval.

        Args:
            of: from counts to one number for each entry of their leading axis.

        Returns:
            `value`, `low`, `high`.
        """
        (value,) = of(self.whole)
        low, high = interval(of(self.drawn))
        return {"value": float(value), "low": low, "high": high}


def ratio_of(numerator: Floats, denominator: Floats, weights: Floats) -> Figure | None:
    """The ratio of two sums with its 95% interval.

    Args:
        numerator: shape `(n_documents,)`.
        denominator: shape `(n_documents,)`.
        weights: bootstrap draws, shape `(n_replicates, n_documents)`.

    Returns:
        `value`, `low`, `high`; None when the denominator sums to 0. Draws without any denominator are left out.
    """
    if not denominator.sum():
        return None
    above, below = weights @ numerator, weights @ denominator
    low, high = interval(above[below > 0] / below[below > 0])
    return {"value": float(numerator.sum() / denominator.sum()), "low": low, "high": high}
