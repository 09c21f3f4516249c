"""Owns what people coded: items, annotators and the label that each gave each, with gaps. Knows nothing of files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat

import numpy as np
import numpy.typing as npt

from twohands.taxonomy import Head, ProblemType

Codes = npt.NDArray[np.int64]
MISSING = -1
ABSENT, PRESENT = "absent", "present"


@dataclass(frozen=True, slots=True)
class Item:
    """What was coded; `text` is None where no model reads it. `group` is the document, by which draws are made."""

    id: str
    text: str | None
    group: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Three labels in order. A mean of codes from -1 to 1 is the outer label from `cut` on, inclusive."""

    labels: tuple[str, str, str]
    cut: float

    def label_of(self, mean: float) -> str:
        """The label that stands for a number from -1 (the first label) to 1 (the last).

        Args:
            mean: of codes, or one code.

        Returns:
            A label.

        Raises:
            ValueError: the number is no such mean: another scale's, or none at all.
        """
        if not -1 - 1e-9 <= mean <= 1 + 1e-9:  # also false for NaN, which would else take no side
            raise ValueError(
                f"found {mean:g}, expected a number from -1 ({self.labels[0]}) to 1 ({self.labels[2]}); "
                "bring codes of another range to this one, or give labels"
            )
        # A third summed from codes may fall a hair short of the third that was asked for.
        if mean >= self.cut - 1e-9:
            return self.labels[2]
        return self.labels[0] if mean <= -self.cut + 1e-9 else self.labels[1]

    @property
    def middle(self) -> str:
        """The label that takes no side."""
        return self.labels[1]


@dataclass(frozen=True, slots=True)
class Variable:
    """One question with one answer: a one-of head, or whether an any-of head's label is there.

    `codes` has shape `(n_items, n_annotators)`: places in `labels`, -1 where an annotator did not code the item.
    `is_presence` says that it is about a label of an any-of head: a one-of head may have labels of the same names.
    """

    name: str
    labels: tuple[str, ...]
    codes: Codes
    scale: Scale | None = None
    is_presence: bool = False

    def count(self) -> npt.NDArray[np.int64]:
        """How many annotators gave each label; shape `(n_items, n_labels)`."""
        return np.stack([(self.codes == place).sum(axis=1) for place in range(len(self.labels))], axis=1)


def _code_given(name: str, words: tuple[str, ...]) -> int:
    return int(name in words)


@dataclass(frozen=True, slots=True)
class Codings:
    """Everything that people coded of one head: by item, the label words that each annotator gave.

    `tied` holds, by item and panel, the labels of an any-of head over which a panel that gave others is tied: neither
    given nor withheld. Empty where nobody is.
    """

    head: Head
    items: list[Item]
    annotators: list[str]
    given: list[Mapping[str, tuple[str, ...]]]
    scale: Scale | None
    tied: list[Mapping[str, tuple[str, ...]]] = field(default_factory=list)

    @property
    def groups(self) -> Codes:
        """The number of each item's document; shape `(n_items,)`."""
        numbers = {group: number for number, group in enumerate(dict.fromkeys(item.group for item in self.items))}
        return np.array([numbers[item.group] for item in self.items])

    def variables(self) -> list[Variable]:
        """One variable for a one-of head, one for each label of an any-of head."""
        if self.head.problem_type is ProblemType.ONE_OF:
            labels = tuple(self.scale.labels if self.scale else self.head.label_names)
            codes = self._lay_out(lambda words: labels.index(words[0]))
            return [Variable(self.head.name, labels, codes, self.scale)]
        return [
            Variable(name, (ABSENT, PRESENT), self._lay_out(partial(_code_given, name), label=name), is_presence=True)
            for name in self.head.label_names
        ]

    def _lay_out(self, code: Callable[[tuple[str, ...]], int], *, label: str | None = None) -> Codes:
        codes = np.full((len(self.items), len(self.annotators)), MISSING, dtype=np.int64)
        places = {annotator: place for place, annotator in enumerate(self.annotators)}
        for row, (given, tied) in enumerate(zip(self.given, self.tied or repeat({}), strict=False)):
            for annotator, words in given.items():
                if label not in tied.get(annotator, ()):
                    codes[row, places[annotator]] = code(words)
        return codes


def code_answers(variable: Variable, head: Head, answers: Sequence[tuple[str, ...]]) -> Codes:
    """Lay a model's answers out as one more annotator's.

    Args:
        variable: which question.
        head: the head it comes from.
        answers: label words by item.

    Returns:
        Shape `(n_items,)`.
    """
    if head.problem_type is ProblemType.ONE_OF:
        return np.array([variable.labels.index(words[0]) for words in answers])
    return np.array([int(variable.name in words) for words in answers])
