"""Owns bulk classification: a stream of items -> a stream of answers, in chunks, in order, in constant memory."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from twohands.classifier import Classifier
from twohands.encoding import EncodedParagraph
from twohands.errors import InputError, TwoHandsError
from twohands.evidence import plan_evidence
from twohands.items import Item

CHUNK = 128
Answer = dict[str, object]


@dataclass
class Tally:
    """What became of the items so far; `errors` counts by code."""

    n_items: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def n_classified(self) -> int:
        """Items that got a prediction."""
        return self.n_items - self.errors.total()

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.n_items += 1
        error = answer.get("error")
        if isinstance(error, dict):
            self.errors[str(error.get("code"))] += 1

    def add_all(self, answers: Iterable[Answer]) -> None:
        """Count answers."""
        for answer in answers:
            self.add(answer)


def _try_encode(classifier: Classifier, item: Item) -> EncodedParagraph | TwoHandsError:
    if item.error is not None:
        return item.error
    try:
        return classifier.encoder.encode(item.text)
    except InputError as error:
        return error


def cut_chunks(items: Iterable[Item], *, chunk: int = CHUNK) -> Iterator[list[Item]]:
    """Cut a stream into lists of `chunk` items, the last one shorter."""
    stream = iter(items)
    while held := list(itertools.islice(stream, chunk)):
        yield held


def classify_chunk(
    classifier: Classifier,
    held: Sequence[Item],
    *,
    thresholds: Mapping[str, object],
    with_text: bool,
    explain: bool = False,
) -> list[Answer]:
    """Classify items that are held at once.

    Args:
        classifier: the model.
        held: what to classify.
        thresholds: overrides, as in `with_thresholds`.
        with_text: put the text that was given into the answer.
        explain: also say which sentence carries each answer.

    Returns:
        Answers in order: `id`, where a document's paragraph stood, and the prediction or `error`.

    Raises:
        ThresholdError: an override is unknown or out of range.
        NonFiniteLogitsError: the model answered NaN or infinity.
    """
    encoded = [_try_encode(classifier, item) for item in held]
    sound = [paragraph for paragraph in encoded if isinstance(paragraph, EncodedParagraph)]
    plans = [
        plan_evidence(classifier.encoder, str(item.text), raw=item.raw)
        for item, paragraph in zip(held, encoded, strict=True)
        if explain and isinstance(paragraph, EncodedParagraph)
    ]
    predictions = iter(classifier.predict(sound, thresholds=thresholds, plans=plans) if sound else [])
    answers = []
    for item, paragraph in zip(held, encoded, strict=True):
        answer: Answer = {"id": item.id, **item.where}
        if with_text:
            answer["text"] = item.text if isinstance(item.text, str) else None
        if isinstance(paragraph, TwoHandsError):
            answer["error"] = {"code": paragraph.code, "message": str(paragraph)}
        else:
            answer |= next(predictions).to_dict()
        answers.append(answer)
    return answers
