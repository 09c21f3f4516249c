"""Owns the files that evaluation writes: each is complete or absent, and none replaces what was measured."""

import json
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from evaluation.deciders import Decisions
from twohands.cascade import find_second
from twohands.errors import FileWriteError, RunConflictError
from twohands.examples import Example
from twohands.locate import find_model
from twohands.manifest import MANIFEST_NAME, load_manifest
from twohands.outputs import NOT_JSON_LINES
from twohands.taxonomy import Head, ProblemType, Taxonomy

PREDICTION_KEYS = ("id", "group", "truth", "labels", "scores")
_DIGITS = 6  # as answers show scores
_LINE_BYTES = 40_000_000


def list_model_files(name: str | None) -> list[Path]:
    """The files of a model folder: an output that replaced one of them would make the folder unsound.

    Args:
        name: a folder, or the name of one; None is the released model.

    Returns:
        The manifest and the files that it lists, of a cascade those of its second model, too. Others may stand in the
        folder, such as a report.

    Raises:
        ModelNotFoundError: there is no such model, or its second model is not found.
        ManifestError: the model folder is incomplete or altered.
    """
    folder = find_model(name)
    manifest, _ = load_manifest(folder)
    files = [folder / each for each in (MANIFEST_NAME, *manifest.files)]
    if manifest.cascade is not None:
        files += list_model_files(str(find_second(folder, manifest.cascade)))
    return files


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path], *, replaced: Path | None = None) -> None:
    """Refuse outputs that cannot be written, or would replace what is read or one another, before anything is run.

    Args:
        outputs: all files that the command will write.
        inputs: files that it reads, those of a model as `list_model_files`.
        replaced: a folder that the command replaces as a whole, with all that stands in it.

    Raises:
        RunConflictError: an output is one of the inputs, is written twice, stands where a folder is or must be, or in
            the folder that is replaced.
        FileWriteError: a folder for an output can be neither written in nor made.
    """
    read, places = {path.resolve() for path in inputs}, [path.resolve() for path in outputs]
    folders = {parent for place in places for parent in place.parents}
    for output, place in zip(outputs, places, strict=True):
        if place in read:
            raise RunConflictError(f"{output} is one of the files that are read; choose another name")
        if places.count(place) > 1:
            raise RunConflictError(f"{output} would be written twice, the second time over the first; choose two names")
        if place in folders or place.is_dir():
            raise RunConflictError(f"{output} is a folder, or will be one; choose another name for the file")
        if replaced is not None and replaced.resolve() in place.parents:
            raise RunConflictError(f"{output} stands in {replaced}, which is replaced as a whole; choose another place")
        there = next(parent for parent in place.parents if parent.exists())
        if not there.is_dir():
            raise FileWriteError(f"cannot write {output}: {there} is no folder")
        if not os.access(there, os.W_OK | os.X_OK):  # minutes of work would end with it
            raise FileWriteError(f"cannot write {output}: nothing may be written in the folder {there}")


def _begins_with(path: Path, keys: Collection[str]) -> bool:
    """Whether a file is empty, or its first line is an object that has these keys."""
    with path.open("rb") as stream:
        first = stream.readline(_LINE_BYTES)
    try:
        found = json.loads(first) if first else dict.fromkeys(keys)
    except (ValueError, RecursionError):  # of bytes that are no UTF-8, and of brackets without end
        return False
    return isinstance(found, dict) and found.keys() >= set(keys)


def check_rows_output(path: Path, keys: Collection[str], *, option: str) -> None:
    """Refuse a file of rows that would take the place of another one, or whose name says another format.

    What an earlier run of the same command wrote is replaced, as all that evaluation writes is.

    Args:
        path: what `write_predictions` is to write, as `check_outputs` let it through.
        keys: that each of its rows has.
        option: by which it is named.

    Raises:
        FileWriteError: its name ends as that of a table, of one JSON value or of a packed file does.
        RunConflictError: a file of this name is there, and holds something else or is no plain file.
    """
    if (suffix := path.suffix.lower()) in NOT_JSON_LINES:
        raise FileWriteError(f"{path} ends in {suffix}, but {option} writes plain JSON lines; let it end in .jsonl")
    if not path.exists():
        return
    if not path.is_file():
        raise RunConflictError(f"{path} is not a plain file; choose another {option}")
    if not _begins_with(path, keys):
        raise RunConflictError(
            f"{path} is there and does not begin as what {option} writes; it is left alone: choose another {option}"
        )


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


def write_with_page(folder: Path, report: Mapping[str, object], html: str, *, names: tuple[str, str]) -> Path:
    """Write figures and the page that shows them; other files of the folder are left alone.

    Args:
        folder: made if it is missing.
        report: the figures.
        html: the page.
        names: of both files, figures first.

    Returns:
        The page.

    Raises:
        FileWriteError: a file cannot be written.
    """
    figures_name, page_name = names
    write_whole(folder / figures_name, json.dumps(report, indent=2) + "\n")
    write_whole(folder / page_name, html)
    return folder / page_name


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
