"""Owns pseudo-labelling: an ensemble of model folders scores rows that nobody labelled, as a file of labels by id."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from twohands import Classifier
from twohands.encoding import EncodedParagraph
from twohands.errors import DataError, InputError
from twohands.examples import expand_paths, read_rows
from twohands.scores import Scores, calibrate

_CHUNK = 64


def read_unlabelled(paths: Iterable[Path], teacher: Classifier) -> list[tuple[str, EncodedParagraph]]:
    """Read rows for their id and text alone, whole or not at all.

    Args:
        paths: files, or folders of them.
        teacher: its encoder reads the texts.

    Returns:
        Ids and encoded paragraphs, in the order of the files.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
        DataError: a row has no id or no usable text, or an id stands twice; all faults at once.
    """
    faults: list[str] = []
    found: dict[str, EncodedParagraph] = {}
    for path in expand_paths(paths):
        for row in read_rows(path, faults):
            identifier = row.cells.get("id")
            if identifier is None or str(identifier) in found:
                what = "no id" if identifier is None else f"id {identifier!r} stands twice"
                faults.append(f"{row.place}: {what}; labels are laid over rows by their id")
                continue
            try:
                found[str(identifier)] = teacher.encoder.encode(row.cells.get("text"))
            except InputError as error:
                faults.append(f"{row.place}: text: {error}")
    if faults or not found:
        raise DataError("rows cannot be scored; nothing was written", faults or ["no row at all"])
    return list(found.items())


def score_ensemble(teachers: Sequence[Classifier], encoded: Sequence[EncodedParagraph]) -> dict[str, Scores]:
    """Average the calibrated scores of several models.

    Args:
        teachers: of one taxonomy and one tokenizer.
        encoded: paragraphs.

    Returns:
        By head name, shape `(len(encoded), n_labels of the head)`, in [0, 1].
    """
    averaged = {}
    logits = [teacher.predict_logits(encoded) for teacher in teachers]
    for head in teachers[0].taxonomy.heads:
        columns = teachers[0].taxonomy.slices[head.name]
        scores = [
            calibrate(rows[:, columns], teacher.manifest.rules[head.name].calibration)
            for teacher, rows in zip(teachers, logits, strict=True)
        ]
        averaged[head.name] = np.mean(scores, axis=0)
    return averaged


def write_pseudo_labels(models: Sequence[Path], paths: Sequence[Path], output: Path) -> int:
    """Score rows and write `{"id", "scores"}`, one object a line, without the texts.

    Args:
        models: model folders; their calibrated scores are averaged with equal weight.
        paths: rows with id and text; labels that stand in them are not looked at.
        output: the JSONL file to write, whole or not at all.

    Returns:
        How many rows were written.

    Raises:
        DataError: the models differ in their heads or tokenizers, or rows cannot be used.
    """
    teachers = [Classifier.load(model) for model in models]
    first = teachers[0]
    for teacher, model in zip(teachers, models, strict=True):
        same_heads = teacher.taxonomy == first.taxonomy
        if not same_heads or teacher.manifest.files["tokenizer.json"] != first.manifest.files["tokenizer.json"]:
            differs = "tokenizer" if same_heads else "taxonomy"
            raise DataError("the teachers do not fit together", [f"{model} has another {differs} than {models[0]}"])
    rows = read_unlabelled(paths, first)
    partial = output.with_name(output.name + ".partial")
    with partial.open("w", encoding="utf-8") as stream:
        for start in tqdm(range(0, len(rows), _CHUNK), desc="scoring", unit=f" x {_CHUNK} rows", dynamic_ncols=True):
            chunk = rows[start : start + _CHUNK]
            averaged = score_ensemble(teachers, [encoded for _, encoded in chunk])
            for number, (identifier, _) in enumerate(chunk):
                scores = {
                    head.name: {
                        n: round(float(s), 4)
                        for n, s in zip(head.label_names, averaged[head.name][number], strict=True)
                    }
                    for head in first.taxonomy.heads
                }
                stream.write(json.dumps({"id": identifier, "scores": scores}) + "\n")
    partial.replace(output)
    return len(rows)
