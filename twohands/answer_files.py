"""Owns files of answers, as `classify` or the page wrote them -> the answers again, in JSON's shape.

Tables may have been through a spreadsheet, so their cells are looked at: one that no run wrote is told of with its
place, and never counted.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from twohands.bulk import Answer
from twohands.errors import DataError, TaxonomyMismatchError
from twohands.examples import Row, read_rows
from twohands.outputs import Column, flat_columns
from twohands.row_faults import tell_once
from twohands.taxonomy import Head, ProblemType, Taxonomy

_MOST_FAULTS = 20
_MOST_ROUNDING = 0.02  # of a sum, where somebody rounded scores to hundredths
# What nothing is counted by, and may be missing.
_UNUSED: dict[str, object] = {"n_tokens": 0, "n_windows": 0, "truncated": False, "n_tokens_cut": 0, "evidence": None}
# As spreadsheets write them by the language of who saves: English, German, French, Spanish, Italian, Portuguese, Dutch,
# Polish, Czech, Danish, Norwegian, Swedish, Finnish, Hungarian, Turkish, Russian.
_TRUE = "1 TRUE WAHR VRAI VERDADERO VERO VERDADEIRO WAAR PRAWDA PRAVDA SAND SANN SANT TOSI IGAZ DOĞRU ИСТИНА"
_FALSE = "0 FALSE FALSCH FAUX FALSO ONWAAR FAŁSZ NEPRAVDA FALSK USANN FALSKT EPÄTOSI HAMIS YANLIŞ ЛОЖЬ"
_TRUTHS = dict.fromkeys(_TRUE.lower().split(), True) | dict.fromkeys(_FALSE.lower().split(), False)


def _is_blank(cell: object) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _read_score(cell: object) -> float:
    """A score; spreadsheets in other languages write 0,98, and some make a date or a thousand of 0.98."""
    try:
        score = float(cell.replace(",", ".", 1) if isinstance(cell, str) else cell)  # type: ignore[arg-type]  # caught
    except (TypeError, ValueError):
        score = math.nan
    if not 0 <= score <= 1:
        raise ValueError(f"{'nothing' if cell is None else repr(str(cell)[:40])} is no score from 0 to 1")
    return score


def _read_truth(cell: object) -> bool:
    found = cell if isinstance(cell, bool) else _TRUTHS.get(str(cell).strip().lower())
    if found is None:
        raise ValueError(f"{str(cell)[:40]!r} is neither true nor false")
    return found


def _read_words(cell: object) -> list[str]:
    return [] if _is_blank(cell) else [word.strip() for word in str(cell).split("|")]


def _read_cell(cell: object, column: Column) -> object:
    if column.path[-1] in {"labels", "warnings"}:
        return _read_words(cell)
    return {"float64": _read_score, "bool": _read_truth}.get(column.type, str)(cell)


def _unflatten(cells: Mapping[str, object], columns: list[Column]) -> Answer:
    """Put the cells of a table back where an answer has them."""
    answer: Answer = dict(_UNUSED)
    for column in columns:
        *path, last = column.path
        place: dict[str, object] = answer
        for key in path:
            place = place.setdefault(key, {})  # type: ignore[assignment]  # columns lead to leaves
        try:
            place[last] = _read_cell(cells.get(column.name), column)
        except ValueError as error:
            raise ValueError(f"{column.name}: {error}") from None
    return answer


def _check_head(answer: object, head: Head) -> None:
    """Refuse what no model with this head answers."""
    scores = answer.get("scores") if isinstance(answer, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(scores, Mapping) or set(scores) != set(head.label_names):
        raise ValueError(f"{head.name} has not the scores of {', '.join(head.label_names)}")
    is_one_of = head.problem_type is ProblemType.ONE_OF
    told = [*scores.values(), *([answer.get("score")] if is_one_of else [])]
    if not all(isinstance(score, int | float) for score in told):
        raise ValueError(f"{head.name} has a score that is no number")
    total = sum(map(_read_score, told[: len(scores)]))
    if is_one_of and abs(total - 1) > _MOST_ROUNDING:  # of a decimal point that was lost, too
        raise ValueError(f"{head.name}: the scores sum to {total:.3g}, not to 1")
    words = [answer.get("label")] if is_one_of else answer.get("labels")
    if not isinstance(words, list) or (unknown := [word for word in words if word not in head.label_names]):
        raise ValueError(f"{head.name}: {unknown[0] if isinstance(words, list) else words!r} is no label of it")
    if is_one_of and not isinstance(answer.get("abstained"), bool):
        raise ValueError(f"{head.name} does not say whether it abstained")


def _check_warnings(warnings: object) -> None:
    if not isinstance(warnings, list) or not all(isinstance(word, str) for word in warnings):
        raise ValueError(f"warnings is {str(warnings)[:40]!r}, expected a list of words")


def _count_columns(taxonomy: Taxonomy) -> list[Column]:
    """The columns that figures need."""
    wanted = {head.name for head in taxonomy.heads} | {"warnings"}
    columns = flat_columns(taxonomy, has_documents=False, with_text=False)
    return [column for column in columns if column.path[0] in wanted]


def _read_answer(row: Row, taxonomy: Taxonomy, columns: list[Column]) -> Answer:
    cells = row.cells
    if isinstance(error := cells.get("error"), Mapping):
        return {"error": error}
    if not _is_blank(cells.get("error_code")):
        return {"error": {"code": str(cells["error_code"]), "message": str(cells.get("error_message"))}}
    if any(isinstance(cells.get(head.name), Mapping) for head in taxonomy.heads):
        answer: Answer = _UNUSED | {"warnings": cells.get("warnings") or []}
        _check_warnings(answer["warnings"])
        answer |= {head.name: cells.get(head.name) for head in taxonomy.heads}
    elif missing := sorted({column.name for column in columns} - set(row.list_columns())):
        raise TaxonomyMismatchError(
            f"{row.place} has no {missing[0]!r}, as answers of this model have; name with --model that which answered"
        )
    else:
        answer = _unflatten(cells, columns)
    for head in taxonomy.heads:
        _check_head(answer[head.name], head)
    return answer


def read_answers(path: Path, taxonomy: Taxonomy) -> Iterator[tuple[Row, Answer]]:
    """Read the answers of one file.

    Args:
        path: JSON lines, CSV or Parquet, as `classify` or the page wrote it; it may have more columns.
        taxonomy: of the model that answered.

    Yields:
        Each row as it stands, and its answer in the shape of `Prediction.to_dict`, or with `error`.

    Raises:
        FileReadError: the file cannot be read.
        TaxonomyMismatchError: these are no answers of such a model.
        DataError: cells are not as a run wrote them, or rows cannot be read; all at once, at the end.
    """
    unreadable: list[str] = []
    changed: list[str] = []
    columns = _count_columns(taxonomy)
    for row in read_rows(path, unreadable):
        try:
            answer = _read_answer(row, taxonomy, columns)
        except ValueError as error:
            changed.append(f"{row.place}: {error}")
        else:
            yield row, answer
    if faults := tell_once(unreadable) + changed:
        raise DataError(f"{path} is not as it was written; nothing was summed up", faults, limit=_MOST_FAULTS)
