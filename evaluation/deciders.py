"""Owns what can be measured: anything that gives scores and labels for examples. Knows nothing of figures."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from evaluation.progress import Advance
from twohands.classifier import Classifier
from twohands.decide import decide_all
from twohands.encoding import EncodedParagraph
from twohands.errors import DataError, InputError
from twohands.examples import Example
from twohands.scores import Scores
from twohands.taxonomy import Taxonomy
from twohands.windows import Logits

# By head name: scores of shape `(n, n_labels)`, and which labels are given, of the same shape.
Decisions = Mapping[str, tuple[Scores, npt.NDArray[np.bool_]]]

_BATCH = 128


class Decider(Protocol):
    """A model or a baseline."""

    @property
    def taxonomy(self) -> Taxonomy:
        """The heads it decides."""

    @property
    def identity(self) -> dict[str, object]:
        """What it is, for reports; `name` at least."""

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Score and label examples.

        Args:
            examples: checked rows; their labels are not looked at.
            advance: called with the number of examples done.

        Returns:
            By head name.
        """


def run_model(
    classifier: Classifier, examples: Sequence[Example], *, advance: Advance
) -> tuple[Logits, list[EncodedParagraph]]:
    """Run a model over examples.

    Args:
        classifier: the model.
        examples: checked rows; at least one.
        advance: called with the number of examples done.

    Returns:
        Logits of shape `(n, n_labels)`, and what the model read.

    Raises:
        DataError: rows that the model cannot read; all at once, before anything is run.
        NonFiniteLogitsError: the model answered NaN or infinity.
    """
    paragraphs, faults = [], []
    tried = classifier.try_encode([example.paragraph for example in examples])
    for example, encoded in zip(examples, tried, strict=True):
        if isinstance(encoded, InputError):
            faults.append(f"row {example.id!r}: {encoded}")
        else:
            paragraphs.append(encoded)
    if faults:
        raise DataError(f"the model {classifier.manifest.name!r} cannot read every row", faults)
    logits = []
    for start in range(0, len(paragraphs), _BATCH):
        batch = paragraphs[start : start + _BATCH]
        logits.append(classifier.predict_logits(batch))
        advance(len(batch))
    return np.concatenate(logits), paragraphs


class ModelDecider:
    """A model folder as a `Decider`."""

    def __init__(self, classifier: Classifier) -> None:
        """Wrap a loaded model.

        Args:
            classifier: the model.
        """
        self._classifier = classifier

    @property
    def taxonomy(self) -> Taxonomy:
        """The model's heads."""
        return self._classifier.taxonomy

    @property
    def identity(self) -> dict[str, object]:
        """Name, version and digest."""
        return dict(self._classifier.identity)

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Score and label examples by the model and the rules of its manifest.

        Args:
            examples: checked rows; at least one.
            advance: called with the number of examples done.

        Returns:
            By head name.
        """
        logits, _ = run_model(self._classifier, examples, advance=advance)
        return decide_all(logits, self.taxonomy, self._classifier.manifest.rules)
