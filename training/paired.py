"""Owns macro-F1 of several models' answers to the same rows, on the same bootstrap draws of their documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twohands.bounds import DrawnFigure, bound_figure, count_rarest
from twohands.examples import NOT_LABELLED, Example, encode_labels
from twohands.metrics import count_head, count_true, draw_weights, f1, sum_by_group
from twohands.taxonomy import Taxonomy

N_REPLICATES = 1000
# By head name, shape `(n_rows, n_labels of the head)`: the labels that a model gave.
Given = Mapping[str, npt.NDArray[np.bool_]]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DrawnF1:
    """Macro-F1 of each model in one head, over the `labels` that occur in its `n_rows` rows.

    `by_model` has shape `(1 + N_REPLICATES,)`: of the rows themselves, then of draws, NaN where one has lost a label.
    `n_rarest` documents have the rarest label.
    """

    n_rows: int
    labels: list[str]
    n_rarest: int
    by_model: dict[str, Floats]

    def bound(self, values: Floats) -> DrawnFigure:
        """Put a figure and its interval together.

        Args:
            values: of one model, or a difference or a mean of several, as in `by_model`.

        Returns:
            As `bound_figure`: a draw that has lost the few documents of a label says nothing of it.
        """
        return bound_figure(float(values[0]), values[1:], n_groups=self.n_rarest)


def draw_macro_f1(
    examples: Sequence[Example], models: Mapping[str, Given], taxonomy: Taxonomy, *, seed: int
) -> dict[str, DrawnF1]:
    """Measure models on the same rows and draws.

    Args:
        examples: at least one.
        models: by name, the labels given to these rows.
        taxonomy: the heads.
        seed: of the bootstrap over documents.

    Returns:
        By head name; a head without a labelled row is left out. Macro over the labels that occur: one that never does
        would count as an F1 of 0 for any model.
    """
    groups = [example.group for example in examples]
    n_documents = len(set(groups))
    weights = np.concatenate(
        [np.ones((1, n_documents)), draw_weights(n_documents, n_replicates=N_REPLICATES, seed=seed)]
    )
    labels = encode_labels(examples, taxonomy)
    measured = {}
    for head in taxonomy.heads:
        truth = labels[:, taxonomy.slices[head.name]]
        known = truth[:, 0] != NOT_LABELLED
        occurs = (truth[known] == 1).any(axis=0)
        if not occurs.any():
            continue
        by_model: dict[str, Floats] = {}
        n_rarest = 0
        for name, given in models.items():
            decided = given[head.name]
            counts = sum_by_group(count_head(head, truth, decided, decided.astype(float)), groups)
            drawn = f1(counts.weigh(weights), whole=counts.weigh(weights[:1]))
            by_model[name] = np.asarray(drawn[:, occurs].mean(axis=1))
            n_rarest = count_rarest(count_true(counts))  # of the rows, and so the same for each model
        occurring = [name for name, is_there in zip(head.label_names, occurs, strict=True) if is_there]
        measured[head.name] = DrawnF1(int(known.sum()), occurring, n_rarest, by_model)
    return measured
