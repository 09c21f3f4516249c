"""Owns answers of bulk classification -> one row a document: counts and figures as they come, no paragraph is kept.

Knows nothing of files or formats.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator

from twohands.bulk import Answer
from twohands.cautions import Caution
from twohands.items import Item
from twohands.outputs import Column, check_columns
from twohands.prediction import read_prediction
from twohands.summary import Summary
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.values import NO_VALUE

_Name = tuple[str, bool]  # and whether rows share it: a group may be called as a file is


class _Document:
    """What came of one document so far."""

    __slots__ = ("_n_errors", "_n_words", "_summary")

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._summary = Summary(taxonomy)
        self._n_errors = 0
        self._n_words: int | None = 0

    def add(self, answer: Answer, n_words: int | None) -> None:
        if "error" in answer:
            self._n_errors += 1
            return
        self._summary.add(read_prediction(answer))
        self._n_words = None if n_words is None or self._n_words is None else self._n_words + n_words

    def to_dict(self, name: str) -> Answer:
        told = self._summary.to_dict()
        n_paragraphs, warnings = told["n_paragraphs"], told["warnings"]
        n_words, mean_words = self._n_words, None
        if n_words is not None and isinstance(n_paragraphs, int) and n_paragraphs:
            mean_words = round(n_words / n_paragraphs, 1)
        counted = {"all_warned": self._summary.is_all_warned, "n_errors": self._n_errors, "mean_words": mean_words}
        if isinstance(warnings, dict):  # a table has a column for each, in which none is 0
            told["warnings"] = {caution.value: warnings.get(caution.value, 0) for caution in Caution}
        return {"document": name} | counted | told


class Summaries:
    """One row a document, out of items and of their answers, which come later and in the same order."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        """Begin with no document.

        Args:
            taxonomy: the heads.
        """
        self._taxonomy = taxonomy
        self._awaited: deque[tuple[_Name, int]] = deque()
        self._documents: dict[_Name, _Document] = {}

    @property
    def n_documents(self) -> int:
        """Documents so far."""
        return len(self._documents)

    @property
    def is_without_value(self) -> bool:
        """Whether there are rows, and none has anything in the column that they are put together by."""
        return list(self._documents) == [(NO_VALUE, True)]

    @property
    def repeated(self) -> list[str]:
        """Names that a file and rows of others have, so that two documents bear each."""
        return [name for name, is_shared in self._documents if is_shared and (name, False) in self._documents]

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on, and remember of those that are not answered what an answer does not say.

        Args:
            items: what is to be classified.

        Yields:
            The same.
        """
        for item in items:
            self._awaited.append(((item.document, item.is_shared), item.n_words))
            yield item

    def add_all(self, answers: Iterable[Answer]) -> None:
        """Count answers to the first of the items that were passed on and are not answered."""
        for answer in answers:
            self.add(*self._awaited.popleft(), answer)

    def add(self, name: _Name, n_words: int | None, answer: Answer) -> None:
        """Count one answer.

        Args:
            name: of its document, and whether rows share it.
            n_words: of its text; None where they are not known.
            answer: prediction or error.
        """
        if name not in self._documents:
            self._documents[name] = _Document(self._taxonomy)
        self._documents[name].add(answer, n_words)

    def rows(self, *, is_series: bool) -> Iterator[Answer]:
        """Say what each document says as a whole.

        Args:
            is_series: order them by what they are called, numbers by size, instead of as they came.

        Yields:
            `document`, `all_warned`, `n_errors` and `mean_words` of the paragraphs that have an answer, and what
            `Summary` says.
        """
        for name in sorted(self._documents, key=_place) if is_series else self._documents:
            yield self._documents[name].to_dict(name[0])


def _place(document: _Name) -> tuple[bool, bool, float, _Name]:
    """Where a name stands in a series: numbers, then words, then what has none."""
    name, _ = document
    try:
        number = float(name)
    except ValueError:
        number = math.nan
    is_number = math.isfinite(number)  # `nan` and `infinity` are words
    return name == NO_VALUE, not is_number, number if is_number else 0.0, document


def _figure_columns(name: str, path: tuple[str, ...]) -> list[Column]:
    return [
        Column(f"{name}{ending}", "float64", (*path, part))
        for ending, part in (("", "value"), ("_low", "low"), ("_high", "high"))
    ]


def _head_columns(head: Head) -> list[Column]:
    path = "heads", head.name
    columns = []
    if head.balance_poles is not None:
        columns += _figure_columns(f"{head.name}_balance", (*path, "balance"))
    if head.problem_type is ProblemType.ONE_OF:
        columns.append(Column(f"{head.name}_n_abstained", "int64", (*path, "n_abstained")))
    for label in head.label_names:
        columns.append(Column(f"{head.name}_n_{label}", "int64", (*path, "labels", label, "n_given")))
        columns += _figure_columns(f"{head.name}_share_{label}", (*path, "labels", label, "share"))
    return columns


def summary_columns(taxonomy: Taxonomy) -> list[Column]:
    """Lay out the columns of summaries in CSV and Parquet.

    Args:
        taxonomy: the model's heads.

    Returns:
        Columns in order: which document, how much of it was read, figures per head, warnings.

    Raises:
        ConfigError: the names of heads and labels make two columns of one name.
    """
    columns = [Column("document", "string", ("document",))]
    columns += [Column(name, "int64", (name,)) for name in ("n_paragraphs", "n_errors", "n_left_out")]
    columns += [Column("all_warned", "bool", ("all_warned",)), Column("mean_words", "float64", ("mean_words",))]
    columns += [column for head in taxonomy.heads for column in _head_columns(head)]
    columns += [Column(f"warnings_n_{caution.value}", "int64", ("warnings", caution.value)) for caution in Caution]
    check_columns(columns, remedy="end --summary in .jsonl")
    return columns
