"""Owns reading what a served peer answers, and whether that is what our model says of the same texts.

A race is of no worth against a server that answers quickly and wrongly: with another model, or with nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from evaluation.bench.texts import pick_evenly
from twohands.classifier import Classifier
from twohands.errors import BenchError
from twohands.prediction import Prediction, read_prediction
from twohands.scores import sigmoid, softmax

Rows = np.ndarray[Any, Any]
_N_CHECKED = 16
_MAX_UNEXPLAINED = 0.5  # of int8 against fp32 some .02 are; of a server that always says the same, 1 and more
_SAME = 1e-3
MIN_CHECKED = 2
"""Texts, at least: one alone has no other that it could be told from."""


class Answer(StrEnum):
    """What a server gives for a text: predictions as ours, rows of logits, or scores by label as infinity."""

    PREDICTIONS = "predictions"
    LOGITS = "logits"
    SCORES = "scores"


# Root of the mean square of a number's difference, up to which texts that are all but alike cannot tell a model from
# its copy in another precision. On the built-in mix .02 of the spread are .36 of a logit and .05 of a score.
FLOORS = {Answer.LOGITS: 0.5, Answer.PREDICTIONS: 0.07, Answer.SCORES: 0.07}


@dataclass(frozen=True, slots=True)
class Reference:
    """What our model says in this process of the texts that are asked for; rows in the order of `numbers`.

    Only texts of one window are among them: others are cut by peers.
    """

    numbers: tuple[int, ...]
    logits: Rows
    predicted: Rows
    """Our own scores of all heads, which are calibrated."""
    squashed: Rows
    """What the transformers pipeline makes of these logits by default."""
    labels: tuple[str, ...]
    """Of the checkpoint, in the order of the logits; none without one."""

    def rows_for(self, answer: Answer) -> Rows:
        """What a server that gives this must give."""
        return {
            Answer.PREDICTIONS: self.predicted, Answer.LOGITS: self.logits, Answer.SCORES: self.squashed
        }[answer]  # fmt: skip


def _flatten(prediction: Prediction) -> list[float]:
    return [score for head in prediction.heads.values() for score in head.scores.values()]


def make_reference(
    classifier: Classifier, texts: Sequence[str], *, config: Mapping[str, Any] | None = None
) -> Reference:
    """Answer some texts in this process.

    Args:
        classifier: the model that is raced.
        texts: all that are raced.
        config: of the checkpoint that peers load; None if they load none.

    Returns:
        Answers for a few that fit one window, evenly spaced: a file of texts is often sorted.
    """
    encoded = [classifier.encoder.encode(text) for text in texts]
    whole = [number for number, paragraph in enumerate(encoded) if len(paragraph.windows) == 1]
    numbers = pick_evenly(whole, _N_CHECKED)
    if not numbers:
        none = np.empty((0, 0))
        return Reference((), none, none, none, ())
    logits = classifier.predict_logits([encoded[number] for number in numbers])
    predicted = np.array([_flatten(one) for one in classifier.classify([texts[number] for number in numbers])])
    known = config or {}
    is_any_of = known.get("problem_type") == "multi_label_classification"
    squashed = sigmoid(logits) if is_any_of else softmax(logits)
    labels = tuple(known["id2label"][str(place)] for place in range(len(known["id2label"]))) if known else ()
    return Reference(tuple(numbers), logits, predicted, squashed, labels)


def read_row(content: bytes, answer: Answer, labels: Sequence[str]) -> list[float]:
    """Read what a server answered for one text.

    Args:
        content: the body.
        answer: what it gives.
        labels: in the order of the logits; scores are named by them.

    Returns:
        Numbers of one text.

    Raises:
        BenchError: it is not of this form.
    """
    try:
        told = json.loads(content)
        if answer is Answer.PREDICTIONS:
            (prediction,) = told["predictions"]
            return _flatten(read_prediction(prediction))
        if answer is Answer.LOGITS:
            return [float(value) for value in told["logits"]]
        (entries,) = told["data"]
        scores = {str(entry["label"]): float(entry["score"]) for entry in entries}
        return [scores[label] for label in labels]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = content[:200].decode(errors="replace")
        raise BenchError(f"an answer is {found!r}; expected {answer}: {error!r}") from error


def compare_rows(rows: Sequence[Sequence[float]], expected: Rows, *, floor: float = 0.0) -> float:
    """Check that a server's numbers are those of our model, as far as another precision and batch allow.

    Args:
        rows: of the server.
        expected: ours, shape `(n, width)`.
        floor: root of the mean square of a difference, up to which they are ours however alike the texts are.

    Returns:
        The largest difference of a number.

    Raises:
        BenchError: they say something else of these texts.
    """
    if {len(row) for row in rows} != {expected.shape[1]}:
        raise BenchError(f"it gives {sorted({len(row) for row in rows})} numbers for a text, ours {expected.shape[1]}")
    differences = np.array(rows) - expected
    largest = float(np.abs(differences).max())
    spread = float(((expected - expected.mean(axis=0)) ** 2).sum())
    unexplained = float((differences**2).sum())
    most = max(_MAX_UNEXPLAINED * spread, floor**2 * expected.size)
    # Not >, so that a NaN is refused too.
    if not (unexplained <= most or largest <= _SAME):
        raise BenchError(
            f"it says something else of {len(rows)} texts than ours: its numbers differ by up to {largest:.2g}, and by "
            f"squares that sum to {unexplained:.2g}, where ours differ among the texts by {spread:.2g}; expected at "
            f"most {most:.2g}; is it the same model?"
        )
    return largest
