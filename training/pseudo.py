"""Owns pseudo-labelling: an ensemble of model folders scores rows that nobody labelled, as a file of labels by id."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from training.bars import open_bar
from training.excerpts import Excerpt, cut_excerpts, draw_excerpts
from training.labels import list_excerpts, match_labels, merge_labels, read_labels
from training.matching import is_written_as_float, match_ids
from twohands import Classifier, __version__
from twohands.errors import DataError, FileWriteError, InputError
from twohands.examples import Row, expand_paths, read_rows
from twohands.hashing import sha256_of_list
from twohands.journal import open_journal
from twohands.paragraphs import normalise
from twohands.row_faults import FileFault, tell_case, tell_columns, tell_once
from twohands.runtimes import DEFAULT_RUNTIME, Runtime
from twohands.scores import Scores, calibrate
from twohands.taxonomy import Head, Taxonomy
from twohands.values import NAMES, is_name

_CHUNK = 64


def _tell_no_id(path: Path, row: Row, *wanted: str) -> FileFault:
    columns = tell_columns(row.list_columns(), ("id", *wanted))  # of one row it is of all, most often
    return FileFault(f"{path}: no id", row.place, f"no id, by which labels are laid over rows {columns}")


def read_ids(paths: Iterable[Path], faults: list[str], rows: Mapping[str, bool]) -> set[str]:
    """Read rows, or lines of labels, for their id alone.

    Args:
        paths: files, or folders of them.
        faults: rows without an id are described here and passed over.
        rows: whose ids are to be known again, as in `match_ids`.

    Returns:
        Their ids, as `rows` have them.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
    """
    found: set[str] = set()
    for path in expand_paths(paths):
        ids: set[str] = set()
        for row in read_rows(path, faults):
            if (identifier := row.cells.get("id")) is None:
                faults.append(_tell_no_id(path, row))
            else:
                ids.add(str(identifier))
        others = match_ids(ids, rows, are_floats=is_written_as_float(path))
        found |= {others.get(each, each) for each in ids}
    return found


def note_floats(found: Iterable[str], paths: Iterable[Path]) -> dict[str, bool]:
    """Say of rows what `match_ids` asks for.

    Args:
        found: their ids.
        paths: files, or folders of them, in which they stand.

    Returns:
        By id whether it may be written as 7.0.
    """
    return dict.fromkeys(found, any(map(is_written_as_float, expand_paths(paths))))


def read_texts(paths: Iterable[Path], faults: list[str]) -> dict[str, tuple[Row, str]]:
    """Read rows for their id and text; labels are not looked at.

    Args:
        paths: files, or folders of them.
        faults: rows without an id or a usable text, and ids that stand twice, are described here and passed over.

    Returns:
        By id the row and its normalised paragraph, in the order of the files.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
    """
    found: dict[str, tuple[Row, str]] = {}
    for path in expand_paths(paths):
        for row in read_rows(path, faults):
            identifier = row.cells.get("id")
            if identifier is None:
                faults.append(_tell_no_id(path, row, "text"))
                continue
            misspelt = tell_case(row.list_columns(), ("text", *NAMES))
            faults += [FileFault(f"{path}: {fault}", row.place, fault) for fault in misspelt]
            if not is_name(identifier):
                faults.append(f"{row.place}: id {identifier!r} cannot name a row; give it a word or a whole number")
                continue
            if str(identifier) in found:
                faults.append(f"{row.place}: id {identifier!r} stands twice; labels are laid over rows by their id")
                continue
            try:
                found[str(identifier)] = (row, normalise(row.cells.get("text")))
            except InputError as error:
                faults.append(f"{row.place}: text: {error}")
    return found


def read_unlabelled(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Read rows for their id and text alone, whole or not at all.

    Args:
        paths: files, or folders of them.

    Returns:
        Ids and normalised paragraphs, in the order of the files.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
        DataError: a row has no id or no usable text, or an id stands twice; all faults at once.
    """
    faults: list[str] = []
    found = read_texts(paths, faults)
    if faults or not found:
        raise DataError("rows cannot be scored; nothing was written", tell_once(faults) or ["no row at all"])
    return [(identifier, paragraph) for identifier, (_, paragraph) in found.items()]


def _score_ensemble(teachers: Sequence[Classifier], paragraphs: Sequence[str]) -> dict[str, Scores]:
    """Average the calibrated scores of several models, each of which reads by its own tokenizer and windows.

    Args:
        teachers: of one taxonomy.
        paragraphs: normalised texts.

    Returns:
        By head name, shape `(len(paragraphs), n_labels of the head)`, in [0, 1].
    """
    averaged = {}
    logits = [teacher.predict_logits(teacher.encoder.encode_many(paragraphs)) for teacher in teachers]
    for head in teachers[0].taxonomy.heads:
        columns = teachers[0].taxonomy.slices[head.name]
        scores = [
            calibrate(rows[:, columns], teacher.manifest.rules[head.name].calibration)
            for teacher, rows in zip(teachers, logits, strict=True)
        ]
        averaged[head.name] = np.mean(scores, axis=0)
    return averaged


def load_teachers(models: Sequence[Path], *, runtime: Runtime = DEFAULT_RUNTIME) -> list[Classifier]:
    """Load model folders whose scores are to be averaged.

    Args:
        models: folders, at least one.
        runtime: what runs them.

    Returns:
        Models of one taxonomy.

    Raises:
        DataError: the models differ in the names or kinds of their heads, or in the order of their labels.
    """
    teachers = [Classifier.load(model, runtime=runtime) for model in models]
    # Descriptions and poles change no score.
    heads = [
        [(head.name, head.problem_type, head.label_names) for head in teacher.taxonomy.heads] for teacher in teachers
    ]
    differing = [model for own, model in zip(heads, models, strict=True) if own != heads[0]]
    if differing:
        faults = [f"{model} has other heads or labels, or in another order, than {models[0]}" for model in differing]
        raise DataError("the teachers do not fit together", faults)
    return teachers


def score_in_chunks(
    teachers: Sequence[Classifier], paragraphs: Sequence[str], *, n_done: int = 0
) -> Iterator[tuple[int, dict[str, Scores]]]:
    """Score many paragraphs behind a progress bar.

    Args:
        teachers: of one taxonomy.
        paragraphs: normalised texts.
        n_done: of the first of them nobody needs the scores; the chunk in which the next one is comes whole, as what
            is computed at once may tell in the last digit.

    Yields:
        The number of the first paragraph of a chunk, and the chunk's scores as of `_score_ensemble`.
    """
    first = n_done - n_done % _CHUNK
    with open_bar("scoring", total=len(paragraphs), unit="row", n_done=first) as bar:
        for start in range(first, len(paragraphs), _CHUNK):
            chunk = paragraphs[start : start + _CHUNK]
            yield start, _score_ensemble(teachers, chunk)
            bar.update(len(chunk))


def read_named_excerpts(
    paths: Iterable[Path], labels: Iterable[Path], taxonomy: Taxonomy
) -> list[tuple[str, Excerpt, str]]:
    """Cut the excerpts that labels files name.

    Args:
        paths: the rows that they are of, with id and text.
        labels: whose lines name an excerpt; those that do not are passed over, and so is what they say of one.
        taxonomy: of these labels.

    Returns:
        Ids, excerpts and their texts, each once.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
        DataError: a row or a line cannot be used, no line names an excerpt, or one is of a row that is not there.
    """
    faults: list[str] = []
    paths = list(paths)
    by_file = read_labels(labels, taxonomy)
    found = read_texts(paths, faults)
    wanted = list_excerpts(merge_labels(match_labels(by_file, note_floats(found, paths)).values()))
    n_wanted = sum(map(len, wanted.values()))
    if not n_wanted:
        raise DataError("no excerpt to score", ["no line of the labels files has excerpt_of and sentences"])
    absent = [row_id for row_id in wanted if row_id not in found]
    if absent:
        faults.append(f"{len(absent)} of the rows that excerpts are of are not in the data, {absent[0]!r} the first")
    of_id = {identifier: excerpt for named in wanted.values() for identifier, excerpt in named}
    cut = [
        (str(row.cells["id"]), of_id[str(row.cells["id"])], normalise(row.cells["text"]))
        for row in cut_excerpts((row for row, _ in found.values()), wanted, faults)
        if str(row.cells["id"]) in of_id
    ]
    if faults:
        raise DataError("excerpts cannot be scored; nothing was written", tell_once(faults))
    return cut


def write_pseudo_labels(
    models: Sequence[Path],
    paths: Sequence[Path],
    output: Path,
    *,
    n_excerpts: int | None = None,
    named_by: Sequence[Path] = (),
    seed: int = 0,
    runtime: Runtime = DEFAULT_RUNTIME,
    overwrite: bool = False,
) -> int:
    """Score rows, or excerpts of them, and write `{"id", "scores"}`, one object a line, without the texts.

    What is scored stands in `OUTPUT.partial` until all is, so that a run that was killed goes on where it was.

    Args:
        models: model folders; their calibrated scores are averaged with equal weight.
        paths: rows with id and text; labels that stand in them are not looked at.
        output: the JSONL file to write, whole or not at all.
        n_excerpts: score so many excerpts instead, each named by its row's id and its sentences; None for whole rows.
        named_by: score the excerpts that these labels files name instead.
        seed: for drawing excerpts.
        runtime: what runs the models.
        overwrite: throw away what a run of other models or rows left of the same output.

    Returns:
        How many rows were written.

    Raises:
        DataError: the models differ in their heads, or rows cannot be used.
        RunConflictError: a run of other models or rows left a part of this output, or is writing it.
        FileWriteError: `output` cannot be written.
    """
    teachers = load_teachers(models, runtime=runtime)
    heads = teachers[0].taxonomy.heads
    rows: list[tuple[str, str, dict[str, object]]]
    if named_by:
        named = read_named_excerpts(paths, named_by, teachers[0].taxonomy)
        rows = [(identifier, text, excerpt.cells) for identifier, excerpt, text in named]
    elif n_excerpts is not None:
        drawn = draw_excerpts(read_unlabelled(paths), n_excerpts=n_excerpts, seed=seed)
        rows = [(identifier, text, excerpt.cells) for identifier, excerpt, text in drawn]
    else:
        rows = [(identifier, text, {}) for identifier, text in read_unlabelled(paths)]
    run: dict[str, object] = {
        "release": __version__,
        "models": [teacher.identity for teacher in teachers],
        "runtime": [teacher.session.runtime for teacher in teachers],
        "rows": sha256_of_list(rows),
    }
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with closing(open_journal(output, run, overwrite=overwrite)) as journal:
            if n_done := journal.done.n_items:
                sys.stderr.write(f"going on after {n_done} that an earlier run scored\n")
            for start, averaged in score_in_chunks(teachers, [text for _, text, _ in rows], n_done=n_done):
                answers = [
                    {"id": identifier, **cells, "scores": _round_scores(averaged, number, heads)}
                    for number, (identifier, _, cells) in enumerate(rows[start : start + _CHUNK])
                ]
                journal.append(answers[max(0, n_done - start) :])
            journal.finish(output, lambda path: _write_lines(path, journal.lines()))
    except OSError as error:
        raise FileWriteError(f"cannot write {output}: {error.strerror or error}") from error
    return len(rows)


def _round_scores(averaged: Mapping[str, Scores], number: int, heads: Iterable[Head]) -> dict[str, dict[str, float]]:
    return {
        head.name: {
            name: round(float(score), 4)
            for name, score in zip(head.label_names, averaged[head.name][number], strict=True)
        }
        for head in heads
    }


def _write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write answers in ASCII, as all releases did: by a file's digest a run knows what it learnt from."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(json.loads(line)) + "\n" for line in lines)
