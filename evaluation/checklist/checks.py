"""Owns single checks: one text, one head, what is expected of its answer, and whether that was met."""

from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.checklist.schema import Kind, Move
from twohands.prediction import AnyOf, OneOf

Answer = OneOf | AnyOf


@dataclass(frozen=True, slots=True)
class Labels:
    """Expects one of these labels of a one-of head."""

    labels: tuple[str, ...]

    def holds(self, answer: Answer, before: Answer | None) -> bool:
        """Whether the answer is right."""
        del before
        return isinstance(answer, OneOf) and answer.label in self.labels

    def describe(self) -> str:
        """For people."""
        return " or ".join(self.labels)


@dataclass(frozen=True, slots=True)
class Marks:
    """Expects some labels of an any-of head, and none of others."""

    has: tuple[str, ...]
    lacks: tuple[str, ...]

    def holds(self, answer: Answer, before: Answer | None) -> bool:
        """Whether the answer is right."""
        del before
        return (
            isinstance(answer, AnyOf)
            and set(self.has) <= set(answer.labels)
            and not set(self.lacks) & set(answer.labels)
        )

    def describe(self) -> str:
        """For people."""
        return ", ".join([*self.has, *(f"not {label}" for label in self.lacks)])


@dataclass(frozen=True, slots=True)
class Same:
    """Expects the answer that the text had before it was changed."""

    def holds(self, answer: Answer, before: Answer | None) -> bool:
        """Whether the answer is unchanged."""
        return before is not None and name_answer(answer) == name_answer(before)

    def describe(self) -> str:
        """For people."""
        return "unchanged"


@dataclass(frozen=True, slots=True)
class Moves:
    """Expects a label's score to move against that of the unchanged text."""

    label: str
    move: Move
    margin: float

    def holds(self, answer: Answer, before: Answer | None) -> bool:
        """Whether the score moved as it must."""
        if before is None:
            return False
        by = answer.scores[self.label] - before.scores[self.label]
        return {
            "rises": by >= self.margin,
            "falls": -by >= self.margin,
            "does-not-rise": by <= self.margin,
            "does-not-fall": -by <= self.margin,
        }[self.move]

    def describe(self) -> str:
        """For people."""
        by = "by" if self.move in {"rises", "falls"} else "beyond"
        return f"{self.label} {self.move.replace('-', ' ')} {by} {self.margin:g}"


Expected = Labels | Marks | Same | Moves


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to find out.

    `case` names what checks have in common: of one case they are not independent. `before` is the text before the
    change, None where there is no change. `swap` names the lexicon, the entry found and the entry put in.
    """

    capability: str
    test: str
    kind: Kind
    case: str
    head: str
    text: str
    expected: Expected
    before: str | None = None
    change: str = ""
    swap: tuple[str, str, str] | None = None
    note: str | None = None
    is_row: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check and what the model answered."""

    check: Check
    answer: Answer
    before: Answer | None
    passed: bool


def name_answer(answer: Answer) -> str:
    """The labels given, as one word."""
    return answer.label if isinstance(answer, OneOf) else " ".join(answer.labels) or "(none)"


def judge(check: Check, answers: Mapping[str, Mapping[str, Answer]]) -> Outcome:
    """Judge one check.

    Args:
        check: what is expected.
        answers: by text, then by head.

    Returns:
        The outcome.
    """
    answer = answers[check.text][check.head]
    before = None if check.before is None else answers[check.before][check.head]
    return Outcome(check, answer, before, check.expected.holds(answer, before))
