"""Owns the files that evaluation writes: each is complete or absent, and none replaces what was measured."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from evaluation.deciders import Decisions
from twohands.errors import FileWriteError, RunConflictError
from twohands.examples import Example
from twohands.taxonomy import Head, ProblemType, Taxonomy

_DIGITS = 6  # as answers show scores


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse outputs that would replace an input, before anything is run.

    Args:
        outputs: files to be written.
        inputs: files that are read.

    Raises:
        RunConflictError: an output is one of the inputs.
    """
    taken = {path.resolve() for path in inputs}
    for output in outputs:
        if output.resolve() in taken:
            raise RunConflictError(f"{output} is one of the files that are read; choose another name")


def write_whole(path: Path, text: str) -> None:
    """Write a file in one step, so that no half of it is ever seen.

    Args:
        path: its folder is made if it is missing; a file of this name is replaced.
        text: the content.

    Raises:
        FileWriteError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(name).chmod(0o644)  # mkstemp keeps others out
            Path(name).replace(path)
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()
    except OSError as error:
        raise FileWriteError(f"cannot write {path}: {error}") from error


def _as_cell(words: Sequence[str], head: Head) -> object:
    """Labels as a row of data holds them: one word, or a list."""
    return words[0] if head.problem_type is ProblemType.ONE_OF else list(words)


def describe_rows(
    examples: Sequence[Example], taxonomy: Taxonomy, decisions: Decisions
) -> Iterator[Mapping[str, object]]:
    """Say row by row what is true and what was answered.

    Args:
        examples: checked rows.
        taxonomy: the heads.
        decisions: for all examples.

    Yields:
        `id`, `group`, and by head `truth` (None where not labelled), `labels` and `scores`.
    """
    for place, example in enumerate(examples):
        row: dict[str, dict[str, object]] = {"truth": {}, "labels": {}, "scores": {}}
        for head in taxonomy.heads:
            scores, decided = decisions[head.name]
            words = example.labels[head.name]
            given = [name for name, is_given in zip(head.label_names, decided[place], strict=True) if is_given]
            row["truth"][head.name] = None if words is None else _as_cell(words, head)
            row["labels"][head.name] = _as_cell(given, head)
            shown = np.round(scores[place], _DIGITS).tolist()
            row["scores"][head.name] = dict(zip(head.label_names, shown, strict=True))
        yield {"id": example.id, "group": example.group, **row}


def write_predictions(path: Path, rows: Iterator[Mapping[str, object]]) -> None:
    """Write rows as JSONL.

    Args:
        path: the file.
        rows: one object each.

    Raises:
        FileWriteError: the file cannot be written.
    """
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))
