"""Owns which model and head a protocol asks, and a head's labels in order of their score.

Protocols that answer one list of labels (Hugging Face, text-embeddings-inference) answer one head: the first one-of
head of the model, or the first head where there is none, unless the caller names another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from starlette.requests import Request

from serving.models import Models
from serving.service import Service
from twohands.classifier import Classifier
from twohands.errors import UnknownHeadError
from twohands.prediction import Prediction
from twohands.scores import DecisionRule, sigmoid, softmax
from twohands.taxonomy import Head, ProblemType
from twohands.windows import Logits

Function = Literal["sigmoid", "softmax", "none"]
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Ranked:
    """One label of a list; `threshold` is that of an any-of head, from which the model gives the label."""

    label: str
    score: float
    threshold: float | None


def find_service(request: Request, name: str | None = None) -> Service:
    """The service that answers under a model's name.

    Args:
        request: which came to the app of the service.
        name: None is the default model.

    Returns:
        The service.

    Raises:
        UnknownModelError: no such model is served.
    """
    models: Models = request.app.state.models
    return models.get(name)


def find_head(classifier: Classifier, name: str | None = None) -> Head:
    """The head that answers one list of labels.

    Args:
        classifier: the model.
        name: None is the first one-of head, or the first head of a model that has none.

    Returns:
        The head.

    Raises:
        UnknownHeadError: the model has no such head.
    """
    heads = classifier.taxonomy.heads
    if name is None:
        return next((head for head in heads if head.problem_type is ProblemType.ONE_OF), heads[0])
    for head in heads:
        if head.name == name:
            return head
    raise UnknownHeadError(f"the model has no such head; it has {', '.join(head.name for head in heads)}")


def apply_function(logits: Logits, function: Function) -> list[float]:
    """Turn one head's uncalibrated logits into scores, as a caller asks who wants none of our calibration.

    Args:
        logits: shape `(n_labels,)`.
        function: `none` leaves them.

    Returns:
        One score for each label.
    """
    if function == "none":
        return [float(score) for score in np.asarray(logits, dtype=np.float64)]
    apply = softmax if function == "softmax" else sigmoid
    return [float(score) for score in apply(logits[np.newaxis, :])[0]]


def rank_labels(head: Head, rule: DecisionRule, prediction: Prediction, scores: list[float] | None) -> list[Ranked]:
    """Order a head's labels by score.

    Args:
        head: whose labels.
        rule: of this head.
        prediction: of one paragraph.
        scores: in the order of the labels, in place of the calibrated ones of the prediction.

    Returns:
        All labels, the highest score first; equal ones in the order of the taxonomy.
    """
    names = head.label_names
    given = [prediction.heads[head.name].scores[name] for name in names] if scores is None else scores
    thresholds: Sequence[float | None] = rule.thresholds or [None] * len(names)
    ranked = [
        Ranked(name, round(score, _DIGITS), threshold)
        for name, score, threshold in zip(names, given, thresholds, strict=True)
    ]
    return sorted(ranked, key=lambda each: -each.score)
