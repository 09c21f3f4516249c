"""Owns the loss: a term per head over the rows labelled for it, and one for rows that must be answered alike."""

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from twohands.errors import NonFiniteLogitsError
from twohands.examples import NOT_LABELLED, Labels
from twohands.taxonomy import ProblemType, Taxonomy


def weigh_classes(labels: Labels, taxonomy: Taxonomy, *, powers: Mapping[str, float]) -> dict[str, torch.Tensor]:
    """Weigh labels by their rarity in training.

    Args:
        labels: shape `(n, n_labels)` of 1, 0 or -100.
        taxonomy: the heads.
        powers: by head: 0 weighs all alike, 1 by inverse frequency.

    Returns:
        By head, shape `(n_labels of the head,)`: weights of the classes of a one-of head (their mean over rows is
        1), of the positives of an any-of head against its negatives.
    """
    weights = {}
    for head in taxonomy.heads:
        columns = labels[:, taxonomy.slices[head.name]]
        known = columns[columns[:, 0] != NOT_LABELLED]
        positive = np.maximum(known.sum(axis=0), 1)  # a smoke run's few rows may lack a label
        if not len(known):  # a teacher's scores alone speak of it
            raw = np.ones(len(positive))
        elif head.problem_type is ProblemType.ONE_OF:
            raw = (len(known) / (len(positive) * positive)) ** powers[head.name]
            raw = raw / ((raw * positive).sum() / len(known))
        else:
            # At least one, as of `positive`: with a weight of 0 a label that each row has would be unlearnt (#3).
            negative = np.maximum(len(known) - positive, 1)
            raw = (negative / positive) ** powers[head.name]
        weights[head.name] = torch.tensor(np.asarray(raw), dtype=torch.float32)
    return weights


def check_finite(values: torch.Tensor, *, step: int) -> None:
    """Stop a run that has diverged: no later step brings its weights back.

    Args:
        values: a loss, or logits.
        step: of the optimizer, counted from 1.

    Raises:
        NonFiniteLogitsError: NaN or infinity is among them.
    """
    if not torch.isfinite(values).all():
        raise NonFiniteLogitsError(
            f"the run diverged: found NaN or infinity at step {step}; lower optim.learning_rate or "
            "optim.max_grad_norm, or try --set compute.precision=fp32, with --restart"
        )


class MultiHeadLoss:
    """Cross-entropy for one-of heads, binary cross-entropy for any-of heads."""

    def __init__(
        self, taxonomy: Taxonomy, *, head_weights: Mapping[str, float], class_weights: Mapping[str, torch.Tensor]
    ) -> None:
        """Keep weights.

        Args:
            taxonomy: the heads.
            head_weights: by head.
            class_weights: by head, from `weigh_classes`.
        """
        self._taxonomy = taxonomy
        self._head_weights = head_weights
        self._class_weights = class_weights

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Sum the heads' mean losses.

        Args:
            logits: shape `(batch, n_labels)`, float32.
            labels: the same shape, in [0, 1] (between 0 and 1 where a teacher spoke or labels are smoothed), or -100.

        Returns:
            A scalar; a head without a labelled row in the batch adds nothing.
        """
        total = logits.sum() * 0.0  # keeps the graph when no row is labelled
        for head in self._taxonomy.heads:
            columns = self._taxonomy.slices[head.name]
            known = labels[:, columns.start] != NOT_LABELLED
            if not known.any():
                continue
            head_logits, head_labels = logits[known, columns], labels[known, columns]
            weight = self._class_weights[head.name].to(logits.device)
            if head.problem_type is ProblemType.ONE_OF:
                # As cross_entropy with class weights, whose mean it divides by the rows' weights; for soft labels
                # torch divides by the number of rows, and a batch's scale would depend on what it holds.
                weighted = head_labels * weight
                loss = -(weighted * functional.log_softmax(head_logits, dim=1)).sum() / weighted.sum()
            else:
                loss = functional.binary_cross_entropy_with_logits(head_logits, head_labels, pos_weight=weight)
            total = total + self._head_weights[head.name] * loss
        return total

    def compare(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Say how far apart two answers to the same rows are, whatever their labels.

        Args:
            first: logits, shape `(n_pairs, n_labels)`, float32.
            second: of the other text of each pair.

        Returns:
            A scalar, 0 where they agree: Kullback-Leibler divergence, averaged over both directions, pairs and an
            any-of head's labels, and summed over heads by weight.

        Source:
            Liang et al. 2021, *R-Drop: Regularized Dropout for Neural Networks* (equation 2; there a pair is one text
            under two draws of dropout).
        """
        total = (first.sum() + second.sum()) * 0.0
        if not len(first):
            return total
        for head in self._taxonomy.heads:
            columns = self._taxonomy.slices[head.name]
            if head.problem_type is ProblemType.ONE_OF:
                one, other = (functional.log_softmax(logits[:, columns], dim=1) for logits in (first, second))
                # (p - q) * (log p - log q) is both directions added.
                apart = ((one.exp() - other.exp()) * (one - other)).sum(dim=1).mean()
            else:
                # log p - log q and log (1 - p) - log (1 - q) differ by the difference of the logits.
                one, other = first[:, columns], second[:, columns]
                apart = ((one.sigmoid() - other.sigmoid()) * (one - other)).mean()
            total = total + self._head_weights[head.name] * apart / 2
        return total
