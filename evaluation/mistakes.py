"""Owns the most confident mistakes: which rows a model has wrong and is surest of, and the sentence that misled it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from evaluation.rows import HeadRows
from twohands.classifier import Classifier
from twohands.evidence import plan_evidence
from twohands.examples import Example
from twohands.scores import Scores
from twohands.taxonomy import Head, ProblemType

Json = dict[str, object]
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Mistake:
    """One label that is wrong: `place` among all examples, the label given or missed, how sure the model was of it.

    `certainty` is the score of a label wrongly given, one less the score of a label wrongly withheld.
    """

    place: int
    label: str
    kind: str
    certainty: float


def _by_certainty(mistake: Mistake) -> tuple[float, int, str]:
    return -mistake.certainty, mistake.place, mistake.label


def rank_mistakes(rows: HeadRows, *, most: int) -> list[Mistake]:
    """Find the mistakes that the model is surest of.

    Args:
        rows: labelled for one head.
        most: how many at most.

    Returns:
        The surest first. A one-of head errs once in a row, by the label it gives; an any-of head by each label: half
        of them given, half of them missed, as far as there are so many, since a rare label is missed with a certainty
        that no label given reaches.
    """
    is_true = rows.truth == 1

    def list_wrong(is_wrong: npt.NDArray[np.bool_], kind: str, certainty: Scores) -> list[Mistake]:
        found = [
            Mistake(int(rows.places[row]), rows.head.label_names[label], kind, float(certainty[row, label]))
            for row, label in np.argwhere(is_wrong)
        ]
        return sorted(found, key=_by_certainty)

    given = list_wrong(rows.decided & ~is_true, "given", rows.scores)
    if rows.head.problem_type is ProblemType.ONE_OF:
        return given[:most]
    missed = list_wrong(is_true & ~rows.decided, "missed", 1 - rows.scores)
    n_given = min(len(given), max(most - len(missed), -(-most // 2)))
    return given[:n_given] + missed[: most - n_given]


def _find_evidence(classifier: Classifier, paragraph: str, head: Head, mistake: Mistake) -> Json | None:
    """The sentence that carries a label wrongly given; a label that was withheld has none."""
    if mistake.kind != "given":
        return None
    encoded = classifier.encoder.encode(paragraph)
    (prediction,) = classifier.predict([encoded], plans=[plan_evidence(classifier.encoder, paragraph)])
    of_head = (prediction.evidence or {}).get(head.name)
    if not isinstance(of_head, Mapping):
        return None
    # One-of: the evidence itself; any-of: by label, one of which may be called `sentence` (#6).
    chosen = of_head if head.problem_type is ProblemType.ONE_OF else of_head.get(mistake.label)
    return None if chosen is None else dict(cast("Mapping[str, object]", chosen))


def describe_mistakes(
    classifier: Classifier,
    examples: Sequence[Example],
    selected: Mapping[str, HeadRows],
    *,
    most: int,
    with_texts: bool,
) -> Json:
    """Describe the surest mistakes of each head.

    Args:
        classifier: the model.
        examples: all rows.
        selected: rows by head.
        most: how many of each head.
        with_texts: also give the paragraph, and the sentence that carries the wrong label (`evidence`).

    Returns:
        By head a list: `id`, `source`, `group`, `label`, `kind` (`given` or `missed`), `certainty`, `truth` and
        `answer` as label words, and the texts.
    """
    described: Json = {}
    for name, rows in selected.items():
        at = {int(place): number for number, place in enumerate(rows.places)}
        entries = []
        for mistake in rank_mistakes(rows, most=most):
            example, row = examples[mistake.place], at[mistake.place]
            entry: Json = {
                "id": example.id,
                "source": example.source,
                "group": example.group,
                "label": mistake.label,
                "kind": mistake.kind,
                "certainty": round(mistake.certainty, _DIGITS),
                "truth": list(example.labels[name] or ()),
                "answer": [
                    word for word, is_given in zip(rows.head.label_names, rows.decided[row], strict=True) if is_given
                ],
            }
            if with_texts:
                evidence = _find_evidence(classifier, example.paragraph, rows.head, mistake)
                entry |= {"text": example.paragraph, "evidence": evidence}
            entries.append(entry)
        described[name] = entries
    return described
