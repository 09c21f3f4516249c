"""Owns what an answer looks like: labels and scores per head, and what was read to get them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from twohands.encoding import EncodedParagraph
from twohands.errors import UnknownHeadError
from twohands.scores import DecisionRule, calibrate
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.windows import Logits

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class OneOf:
    """The answer of a one-of head: `label` has the highest score; `scores` sum to 1."""

    label: str
    score: float
    scores: dict[str, float]
    abstained: bool

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the interface."""
        return {"label": self.label, "score": self.score, "scores": self.scores, "abstained": self.abstained}


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The answer of an any-of head: `labels` whose score reaches their threshold, in the taxonomy's order."""

    labels: list[str]
    scores: dict[str, float]

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the interface."""
        return {"labels": self.labels, "scores": self.scores}


@dataclass(frozen=True)
class Prediction:
    """All heads' answers for one paragraph; `prediction.stance` is `prediction.heads["stance"]`.

    Which heads there are is the model's to say, so a type checker takes `prediction.stance` for anything;
    `prediction.one_of("stance")` and `prediction.any_of("topics")` are the same answers, typed.
    """

    heads: dict[str, OneOf | AnyOf]
    n_tokens: int
    n_windows: int
    truncated: bool
    n_tokens_cut: int
    evidence: dict[str, object] | None = None
    warnings: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a union has neither `label` nor `labels` for a checker
        heads: Mapping[str, OneOf | AnyOf] = self.__dict__.get("heads", {})
        if name in heads:
            return heads[name]
        raise AttributeError(f"no field or head {name!r}; heads: {', '.join(heads)}")

    def one_of(self, name: str) -> OneOf:
        """The answer of a one-of head.

        Args:
            name: of the head.

        Returns:
            Its answer.

        Raises:
            UnknownHeadError: there is no such head, or it is an any-of head.
        """
        answer = self.heads.get(name)
        if not isinstance(answer, OneOf):
            raise self._refuse(name, "one-of", "any_of")
        return answer

    def any_of(self, name: str) -> AnyOf:
        """The answer of an any-of head.

        Args:
            name: of the head.

        Returns:
            Its answer.

        Raises:
            UnknownHeadError: there is no such head, or it is a one-of head.
        """
        answer = self.heads.get(name)
        if not isinstance(answer, AnyOf):
            raise self._refuse(name, "any-of", "one_of")
        return answer

    def _refuse(self, name: str, kind: str, other: str) -> UnknownHeadError:
        if name in self.heads:
            return UnknownHeadError(f"{name!r} is no {kind} head; take {other}({name!r})")
        return UnknownHeadError(f"no head {name!r}; heads: {', '.join(self.heads)}")

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the interface."""
        return {name: answer.to_dict() for name, answer in self.heads.items()} | {
            "n_tokens": self.n_tokens,
            "n_windows": self.n_windows,
            "truncated": self.truncated,
            "n_tokens_cut": self.n_tokens_cut,
            "evidence": self.evidence,
            "warnings": self.warnings,
        }


def _read_answer(answer: Mapping[str, Any]) -> OneOf | AnyOf:
    scores = {str(name): float(score) for name, score in answer["scores"].items()}
    if "labels" in answer:
        return AnyOf([str(label) for label in answer["labels"]], scores)
    return OneOf(str(answer["label"]), float(answer["score"]), scores, bool(answer["abstained"]))


def read_prediction(content: Mapping[str, Any]) -> Prediction:
    """Read what `Prediction.to_dict` wrote; keys that are no head and not known are left out.

    Args:
        content: parsed JSON.

    Returns:
        The prediction.

    Raises:
        KeyError: a field is missing.
        TypeError: a field has another shape.
    """
    known = {each.name for each in fields(Prediction)}
    heads = {
        name: _read_answer(answer)
        for name, answer in content.items()
        if name not in known and isinstance(answer, Mapping) and "scores" in answer
    }
    return Prediction(
        heads=heads,
        n_tokens=int(content["n_tokens"]),
        n_windows=int(content["n_windows"]),
        truncated=bool(content["truncated"]),
        n_tokens_cut=int(content["n_tokens_cut"]),
        evidence=content["evidence"],
        warnings=list(content["warnings"]),
    )


def _answer(head: Head, rule: DecisionRule, row: Sequence[float]) -> OneOf | AnyOf:
    scores = {name: round(score, _DIGITS) for name, score in zip(head.label_names, row, strict=True)}
    if head.problem_type is ProblemType.ONE_OF:
        highest = max(row)
        label = head.label_names[row.index(highest)]
        return OneOf(label, scores[label], scores, rule.abstention is not None and highest < rule.abstention)
    thresholds = rule.thresholds or []
    # By the exact score, as `decide_head`: a rounded one would cross a threshold that evaluation saw it miss.
    labels = [name for name, score, at in zip(head.label_names, row, thresholds, strict=True) if score >= at]
    return AnyOf(labels, scores)


def make_predictions(
    logits: Logits,
    paragraphs: Sequence[EncodedParagraph],
    taxonomy: Taxonomy,
    rules: Mapping[str, DecisionRule],
) -> list[Prediction]:
    """Calibrate and decide.

    Args:
        logits: shape `(len(paragraphs), n_labels)`.
        paragraphs: what was read.
        taxonomy: the heads.
        rules: by head name.

    Returns:
        One prediction for each paragraph.

    Raises:
        NonFiniteLogitsError: a logit is NaN or infinite.
    """
    # As lists: numpy takes many times as long as Python for each of a handful of numbers.
    scores = {
        head.name: calibrate(logits[:, taxonomy.slices[head.name]], rules[head.name].calibration).tolist()
        for head in taxonomy.heads
    }
    return [
        Prediction(
            heads={head.name: _answer(head, rules[head.name], scores[head.name][row]) for head in taxonomy.heads},
            n_tokens=paragraph.n_tokens,
            n_windows=len(paragraph.windows),
            truncated=paragraph.is_truncated,
            n_tokens_cut=paragraph.n_tokens_cut,
            warnings=list(paragraph.cautions),
        )
        for row, paragraph in enumerate(paragraphs)
    ]
