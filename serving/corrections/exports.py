"""Owns how corrections leave: rows that `twohands train` reads, and tasks that Label Studio imports.

The tasks fit the config of `make_label_config`, which is one that our Label Studio backend pre-annotates.
"""

import html
import json
from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO, Literal

from serving.corrections.schemas import Correction, make_head
from serving.protocols.label_config import Control
from serving.protocols.label_studio import make_result, name_identity
from twohands.prediction import AnyOf, OneOf, read_prediction
from twohands.taxonomy import ProblemType, Taxonomy

ExportFormat = Literal["jsonl", "label-studio"]
DEFAULT_SOURCE = "corrections"
_TO_NAME = "text"
MEDIA_TYPES: Mapping[ExportFormat, str] = {"jsonl": "application/x-ndjson", "label-studio": "application/json"}
FILE_NAMES: Mapping[ExportFormat, str] = {
    "jsonl": "corrections.jsonl",
    "label-studio": "corrections-label-studio.json",
}


def make_row(correction: Correction) -> dict[str, object]:
    """Write a correction as a row of training data.

    Args:
        correction: any.

    Returns:
        A row; without a document of its own, a correction is its own group, and without an API key it has no annotator.
    """
    return {
        "id": correction.id,
        "text": correction.text,
        **({"annotator": correction.annotator} if correction.annotator is not None else {}),
        **correction.labels,  # a head of an older model may be called annotator: its label stays
        "source": correction.source or DEFAULT_SOURCE,
        "group": correction.group or correction.id,
        "confidence": correction.confidence,
    }


def _make_control(name: str, answer: OneOf | AnyOf) -> Control:
    """The control of a head, made from an answer of it: the store knows corrections, not models."""
    choices = {label: label for label in answer.scores}
    return Control(name, _TO_NAME, _TO_NAME, make_head(name, answer), choices)


def make_task(correction: Correction) -> dict[str, object]:
    """Write a correction as a Label Studio task: its labels as an annotation, the model's answer as a prediction.

    Args:
        correction: any.

    Returns:
        A task to import. A list without labels ticks no choice: `meta.labels` still tells it from one not given.
    """
    regions = []
    for head, words in correction.labels.items():
        choices = words if isinstance(words, list) else [words] if words is not None else []
        if choices:
            regions.append(
                {"id": f"{correction.id[-8:]}-{head}", "from_name": head, "to_name": _TO_NAME, "type": "choices",
                 "value": {"choices": choices}}
            )  # fmt: skip
    task: dict[str, object] = {
        "data": {
            _TO_NAME: correction.text,
            "id": correction.id,
            "source": correction.source or DEFAULT_SOURCE,
            "group": correction.group or correction.id,
        },
        "meta": {
            "labels": correction.labels,
            "status": correction.status,
            "confidence": correction.confidence,
            "note": correction.note,
            "created_by": correction.created_by,
            "updated_by": correction.updated_by,
            "annotator": correction.annotator,
        },
        "annotations": [{"result": regions, "ground_truth": correction.status == "accepted"}],
    }
    if correction.prediction is not None:
        prediction = read_prediction(correction.prediction)
        controls = [_make_control(name, answer) for name, answer in prediction.heads.items()]
        version = name_identity(correction.model.model_dump()) if correction.model is not None else "unknown"
        task["predictions"] = [make_result(controls, [prediction] * len(controls), version)]
    return task


def make_label_config(taxonomy: Taxonomy) -> str:
    """Write the Label Studio config that tasks and pre-annotations of a model fit.

    Args:
        taxonomy: of the model.

    Returns:
        XML.
    """
    lines = ["<View>", f'  <Text name="{_TO_NAME}" value="${_TO_NAME}"/>']
    for head in taxonomy.heads:
        choice = "multiple" if head.problem_type is ProblemType.ANY_OF else "single"
        lines.append(f'  <Choices name="{html.escape(head.name)}" toName="{_TO_NAME}" choice="{choice}">')
        lines += [
            f'    <Choice value="{html.escape(label.name)}" hint="{html.escape(label.description)}"/>'
            for label in head.labels
        ]
        lines.append("  </Choices>")
    return "\n".join([*lines, "</View>"]) + "\n"


def list_unfit(labels: Iterable[Mapping[str, object]], taxonomy: Taxonomy) -> list[str]:
    """Say what in corrections is none of a model's, so that their tasks would not fit its config.

    Args:
        labels: of corrections, by head.
        taxonomy: of the model.

    Returns:
        A line for each head and each label that it lacks; none where all fit.
    """
    heads = {head.name: head for head in taxonomy.heads}
    faults: dict[str, None] = {}
    for each in labels:
        for name, words in each.items():
            if name not in heads:
                faults[f"head {name!r} is none of {', '.join(heads)}"] = None
                continue
            given = words if isinstance(words, list) else [words] if words is not None else []
            known = heads[name].label_names
            faults |= {f"{name} {word!r} is none of {', '.join(known)}": None for word in given if word not in known}
    return list(faults)


def write_export(corrections: Iterable[Correction], stream: BinaryIO, *, export_format: ExportFormat) -> int:
    """Write corrections one by one.

    Args:
        corrections: in order.
        stream: takes UTF-8.
        export_format: JSONL for training, or one JSON list of Label Studio tasks.

    Returns:
        How many there were.
    """
    make: Callable[[Correction], dict[str, object]] = make_row if export_format == "jsonl" else make_task
    begin, between, end = (b"", b"\n", b"\n") if export_format == "jsonl" else (b"[\n", b",\n", b"\n]\n")
    stream.write(begin)
    n_written = 0
    for correction in corrections:
        stream.write((between if n_written else b"") + json.dumps(make(correction), ensure_ascii=False).encode())
        n_written += 1
    if n_written or export_format == "label-studio":
        stream.write(end)
    return n_written
