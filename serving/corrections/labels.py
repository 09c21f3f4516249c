"""Owns whether a correction's labels are the model's: any heads, every fault named at once."""

from collections.abc import Mapping

from serving.models import Models
from twohands.errors import CorrectionLabelsError
from twohands.taxonomy import Head, ProblemType, Taxonomy

Words = str | list[str] | None


def find_taxonomy(models: Models, identity: Mapping[str, str] | None) -> Taxonomy:
    """The taxonomy of the model that a correction is about.

    Args:
        models: in service.
        identity: which model answered; None if that is not said.

    Returns:
        That of the model with this digest, else of the one served under this name, else of the default one.

    Raises:
        NotReadyError: the models are not loaded yet.
    """
    if identity is not None:
        services = [service for slot in models.slots for service in (slot.current, slot.previous) if service]
        for service in services:
            if service.classifier.sha256 == identity["sha256"]:
                return service.classifier.taxonomy
        for slot in models.slots:
            if slot.name == identity["name"]:
                return slot.current.classifier.taxonomy
    return models.default.classifier.taxonomy


def _check_head(head: Head, words: Words, faults: list[str]) -> Words:
    names = ", ".join(head.label_names)
    if words is None:
        return None
    if head.problem_type is ProblemType.ONE_OF:
        if words in head.label_names:
            return words
        faults.append(f"labels.{head.name}: expected null or one of {names}")
    elif not isinstance(words, list):
        faults.append(f"labels.{head.name}: expected null or a list of labels among {names}")
    elif unknown := sum(word not in head.label_names for word in words):
        faults.append(
            f"labels.{head.name}: {unknown} of the list's labels {'is' if unknown == 1 else 'are'} none of {names}"
        )
    else:
        return [name for name in head.label_names if name in words]
    return None


def check_labels(labels: Mapping[str, Words], taxonomy: Taxonomy) -> dict[str, Words]:
    """Check labels against the heads of a model.

    Args:
        labels: by head, as they were sent.
        taxonomy: the heads.

    Returns:
        A value for every head in the taxonomy's order, labels in its order and each once; null where nothing is said.

    Raises:
        CorrectionLabelsError: a head or label is unknown or of the wrong shape, or no head is labelled.
    """
    heads = {head.name: head for head in taxonomy.heads}
    faults = [
        f"labels.{name}: the model has no such head; it has {', '.join(heads)}" for name in labels if name not in heads
    ]
    checked = {name: _check_head(head, labels.get(name), faults) for name, head in heads.items()}
    if not faults and all(words is None for words in checked.values()):
        faults.append(f"labels: none is given; say what is right for at least one of {', '.join(heads)}")
    if faults:
        raise CorrectionLabelsError("; ".join(faults))
    return checked
