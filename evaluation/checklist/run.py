"""Owns a run: suites and rows -> checks -> the model's answers -> outcomes."""

from collections.abc import Mapping, Sequence

from evaluation.checklist.checks import Answer, Check, Outcome, judge
from evaluation.checklist.expand import texts_of
from evaluation.progress import Advance
from twohands.classifier import Classifier
from twohands.errors import DataError, InputError

_BATCH = 128


def answer_texts(
    classifier: Classifier, texts: Sequence[str], *, advance: Advance
) -> Mapping[str, Mapping[str, Answer]]:
    """Classify each text once, as the service would.

    Args:
        classifier: the model.
        texts: all different.
        advance: called with the number of texts done.

    Returns:
        By text, then by head.

    Raises:
        DataError: texts that the model cannot read; all at once, before anything is run.
        NonFiniteLogitsError: the model answered NaN or infinity.
    """
    encoded, faults = [], []
    for text, paragraph in zip(texts, classifier.try_encode(list(texts)), strict=True):
        if isinstance(paragraph, InputError):
            faults.append(f"{text[:60]!r}: {paragraph}")
        else:
            encoded.append((text, paragraph))
    if faults:
        raise DataError(f"the model {classifier.manifest.name!r} cannot read every text", faults)
    # Texts of like length run together: a batch is padded to its longest.
    encoded.sort(key=lambda pair: pair[1].n_tokens)
    answers: dict[str, Mapping[str, Answer]] = {}
    for start in range(0, len(encoded), _BATCH):
        batch = encoded[start : start + _BATCH]
        predictions = classifier.predict([paragraph for _, paragraph in batch])
        answers |= {text: prediction.heads for (text, _), prediction in zip(batch, predictions, strict=True)}
        advance(len(batch))
    return answers


def run_checks(classifier: Classifier, checks: Sequence[Check], *, advance: Advance) -> list[Outcome]:
    """Answer and judge all checks.

    Args:
        classifier: the model.
        checks: at least one.
        advance: called with the number of texts done, `len(texts_of(checks))` in all.

    Returns:
        One outcome for each check, in order.

    Raises:
        DataError: texts that the model cannot read.
        NonFiniteLogitsError: the model answered NaN or infinity.
    """
    answers = answer_texts(classifier, texts_of(checks), advance=advance)
    return [judge(check, answers) for check in checks]
