"""Owns uncertainty sampling: the rows of which a model is least sure, as a sheet for a reader to fill in.

A sheet is rows: filled in, `data.train` takes it as it is. Where its rows stand in `data.train` already, it is a file
of `data.labels`, with or without its texts.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.excerpts import draw_excerpts
from training.pseudo import load_teachers, note_floats, read_ids, read_texts, score_in_chunks
from training.room import make_whole
from twohands.errors import DataError, FileWriteError
from twohands.examples import Row, read_words
from twohands.open_cells import is_unlabelled
from twohands.row_faults import LabelWordsError, RowError, tell_faults, tell_once
from twohands.scores import Scores
from twohands.sheets import CHOSEN, guard
from twohands.taxonomy import ProblemType, Taxonomy
from twohands.values import name_document

_SUFFIXES = (".csv", ".jsonl")
_UNSURE, _RANDOM = "unsure", "random"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that could be labelled; `cells` are what the sheet says of it beside these.

    Its `group` at least; for a head of which the row has labels, the word, or the list of words for an any-of head.
    """

    id: str
    paragraph: str
    cells: Mapping[str, object]


def measure_uncertainty(scores: Mapping[str, Scores], taxonomy: Taxonomy) -> npt.NDArray[np.float64]:
    """Say how unsure a model is of each row: the entropy of its scores, the mean over heads.

    Args:
        scores: by head, shape `(n, n_labels of the head)`, calibrated, in [0, 1].
        taxonomy: which heads are one-of.

    Returns:
        Shape `(n,)`, in [0, 1]: 0 is sure. Of a one-of head entropy over its highest value, of an any-of head the
        entropy in bits of the label that is least sure.

    Source:
        Lewis and Gale 1994, *A Sequential Algorithm for Training Text Classifiers*; Settles 2009, section 3.1.
    """
    by_head: list[npt.NDArray[np.float64]] = []
    for head in taxonomy.heads:
        p = np.clip(np.asarray(scores[head.name], dtype=np.float64), 1e-12, 1.0)
        if head.problem_type is ProblemType.ONE_OF:
            by_head.append(-(p * np.log(p)).sum(axis=1) / np.log(p.shape[1]))
        else:
            q = np.clip(1.0 - p, 1e-12, 1.0)
            by_head.append((-(p * np.log2(p)) - q * np.log2(q)).max(axis=1))
    return np.asarray(np.clip(np.mean(by_head, axis=0), 0.0, 1.0), dtype=np.float64)


def _describe(identifier: str, row: Row) -> dict[str, object]:
    source = row.cells.get("source")
    # Of rows whose document pandas wrote as `nan`, three would be taken at most (#3).
    group = name_document(row.cells.get("group"), identifier)
    return {"group": group, **({} if source in (None, "") else {"source": source})}


def _take_known(row: Row, taxonomy: Taxonomy, wrong: list[RowError]) -> dict[str, object]:
    """The labels that a row has, of some heads, for the reader not to read them again."""
    known: dict[str, object] = {}
    faults: list[str] = []
    for head in taxonomy.heads:
        try:
            words = read_words(row.cells, head)
        except LabelWordsError as error:
            faults += error.faults
        else:
            if words is not None:
                known[head.name] = list(words) if head.problem_type is ProblemType.ANY_OF else words[0]
    if faults:
        wrong.append(RowError(row.place, [], faults))
    return known


def read_candidates(
    paths: Iterable[Path],
    taxonomy: Taxonomy,
    *,
    known: Iterable[Path] = (),
    n_excerpts: int | None = None,
    seed: int = 0,
) -> tuple[list[Candidate], int]:
    """Read the rows that nobody labelled, or draw excerpts of all rows.

    Args:
        paths: rows with id and text, or folders of them.
        taxonomy: a row with a label for each head is passed over, unless excerpts are drawn of it.
        known: files of rows or labels; what stands there by id is passed over.
        n_excerpts: draw so many excerpts instead of whole rows.
        seed: for drawing excerpts.

    Returns:
        Candidates, and how many rows or excerpts were passed over.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
        DataError: a row has no id, of `known` neither, or no usable text, or an id stands twice, or a row that lacks
            labels has others that are unknown; or nothing is left.
    """
    faults: list[str] = []
    paths = list(paths)
    rows = read_texts(paths, faults)
    labelled = read_ids(known, faults, note_floats(rows, paths))
    if faults:
        raise DataError("rows cannot be chosen from; nothing was written", tell_once(faults))
    if n_excerpts is None:
        labelled |= {
            i for i, (row, _) in rows.items() if not any(is_unlabelled(row.cells, head) for head in taxonomy.heads)
        }
        wrong: list[RowError] = []
        found = [
            (i, paragraph, _describe(i, row) | ({} if i in labelled else _take_known(row, taxonomy, wrong)))
            for i, (row, paragraph) in rows.items()
        ]
        if wrong:
            raise DataError("rows cannot be chosen from; nothing was written", tell_faults(wrong))
    else:
        texts = [(i, paragraph) for i, (_, paragraph) in rows.items()]
        drawn = draw_excerpts(texts, n_excerpts=n_excerpts, seed=seed)
        found = [
            (i, paragraph, {**_describe(excerpt.row_id, rows[excerpt.row_id][0]), **excerpt.cells})
            for i, excerpt, paragraph in drawn
        ]
    candidates = [Candidate(i, paragraph, cells) for i, paragraph, cells in found if i not in labelled]
    if not candidates:
        raise DataError(
            "nothing to label",
            [f"all {len(found)} have their labels, in the rows themselves or in a file that is --known"],
        )
    return candidates, len(found) - len(candidates)


def choose(
    uncertainty: npt.NDArray[np.float64],
    groups: Sequence[str],
    *,
    n_rows: int,
    random_share: float,
    most_of_group: int,
    seed: int,
) -> list[tuple[int, str]]:
    """Choose rows: the least sure ones, no more than a few of a document, and a share at random.

    Args:
        uncertainty: shape `(n,)`; higher is less sure.
        groups: the document of each row.
        n_rows: how many to choose.
        random_share: share of them that is drawn whatever the model says, in [0, 1]; by these alone one can say how
            good the model is, since the others were chosen for its doubts.
        most_of_group: no more rows of one document.
        seed: for the random ones, and for the order of the sheet, which shall not tell which row is which.

    Returns:
        Places of rows and why each was chosen, shuffled; fewer than `n_rows` where there are no more.
    """
    rng = np.random.default_rng(seed)
    of_group: dict[str, int] = {}
    chosen: dict[int, str] = {}

    def take(order: Iterable[int], n: int, why: str) -> None:
        for place in order:
            if n <= 0:
                return
            if place in chosen or of_group.get(groups[place], 0) >= most_of_group:
                continue
            of_group[groups[place]] = of_group.get(groups[place], 0) + 1
            chosen[place] = why
            n -= 1

    n_random = round(n_rows * random_share)
    take(rng.permutation(len(groups)).tolist(), n_random, _RANDOM)
    take(np.argsort(-uncertainty, kind="stable").tolist(), n_rows - len(chosen), _UNSURE)
    places = sorted(chosen)
    return [(places[k], chosen[places[k]]) for k in rng.permutation(len(places))]


def _check_sheet(path: Path) -> None:
    """Refuse a name by which nobody could tell what is in the file.

    Args:
        path: where a sheet is to be written.

    Raises:
        FileWriteError: it ends in neither `.csv` nor `.jsonl`.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise FileWriteError(f"{path} ends in {path.suffix!r}; a sheet is one of {', '.join(_SUFFIXES)}")


def _join_words(cells: Mapping[str, object], names: Iterable[str]) -> dict[str, object]:
    """Cells of columns as CSV has them: labels joined by a bar, and a dash where none applies.

    Which sentences an excerpt has is no column of it, and a list of numbers, which cannot be joined so (#3).
    """
    wanted = {name: cells[name] for name in names if name in cells}
    return {name: ("|".join(cell) or "-") if isinstance(cell, list) else cell for name, cell in wanted.items()}


def write_sheet(path: Path, candidates: Sequence[tuple[Candidate, str]], taxonomy: Taxonomy) -> None:
    """Write rows whose labels are empty but for those that are known, whole or not at all.

    Args:
        path: `.csv`, or `.jsonl`, which also holds what part of which row an excerpt is.
        candidates: texts and why each was chosen.
        taxonomy: its heads are the columns to fill in.

    Raises:
        FileWriteError: the name ends in something else, or `path` cannot be written.
    """
    _check_sheet(path)
    empty = dict.fromkeys(head.name for head in taxonomy.heads)
    rows = [{"id": c.id, "text": c.paragraph, **empty, **c.cells, CHOSEN: why} for c, why in candidates]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_csv = path.suffix.lower() == ".csv"
        # Excel takes CSV without the mark for the machine's own alphabet, and saves misread accents again.
        encoding = "utf-8-sig" if is_csv else "utf-8"
        with make_whole(path) as partial, partial.open("w", encoding=encoding, newline="") as stream:
            if is_csv:
                names = ["id", "text", *empty, "source", "group", CHOSEN]
                writer = csv.DictWriter(stream, names, restval="")
                writer.writeheader()
                writer.writerows({n: guard(cell) for n, cell in _join_words(row, names).items()} for row in rows)
            else:
                stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as error:
        raise FileWriteError(f"cannot write {path}: {error.strerror or error}") from error


def select_rows(
    models: Sequence[Path],
    paths: Sequence[Path],
    output: Path,
    *,
    n_rows: int,
    known: Sequence[Path] = (),
    n_excerpts: int | None = None,
    random_share: float = 0.1,
    most_of_group: int = 3,
    seed: int = 0,
) -> tuple[int, int, int]:
    """Score what nobody labelled, and write the sheet of what labels would teach most.

    Args:
        models: model folders of one taxonomy; their calibrated scores are averaged.
        paths: rows with id and text, or folders of them.
        output: the sheet, `.csv` or `.jsonl`.
        n_rows: how many rows it should have.
        known: see `read_candidates`.
        n_excerpts: see `read_candidates`.
        random_share: see `choose`.
        most_of_group: see `choose`.
        seed: for all that is drawn.

    Returns:
        How many rows were written, how many could have been, how many were passed over as labelled.

    Raises:
        DataError: the models differ in their heads, or rows cannot be used.
        FileWriteError: the sheet's name ends in something else than it may, or it cannot be written.
    """
    _check_sheet(output)  # before an hour of scoring, not after it
    teachers = load_teachers(models)
    taxonomy = teachers[0].taxonomy
    candidates, n_passed = read_candidates(paths, taxonomy, known=known, n_excerpts=n_excerpts, seed=seed)
    scored = score_in_chunks(teachers, [candidate.paragraph for candidate in candidates])
    uncertainty = np.concatenate([measure_uncertainty(scores, taxonomy) for _, scores in scored])
    chosen = choose(
        uncertainty,
        [str(candidate.cells["group"]) for candidate in candidates],
        n_rows=n_rows,
        random_share=random_share,
        most_of_group=most_of_group,
        seed=seed,
    )
    write_sheet(output, [(candidates[place], why) for place, why in chosen], taxonomy)
    return len(chosen), len(candidates), n_passed
