"""Owns the baseline of keyword rules: what an analyst would write down in an afternoon, kept as data."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from evaluation.deciders import Decisions
from evaluation.linear import plain_rule
from evaluation.progress import Advance
from twohands.decide import decide_head
from twohands.errors import ConfigError
from twohands.examples import Example
from twohands.hashing import sha256_of_file
from twohands.metrics import Floats
from twohands.taxonomy import Head, ProblemType, Taxonomy, describe_faults, read_yaml

SHIPPED = Path(__file__).with_name("keywords.yaml")


class HeadWords(BaseModel):
    """The words of one head's labels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    otherwise: str | None = Field(default=None, description="one-of: the label of a row without a winner")
    words: dict[str, list[str]] = Field(description="by label: beginnings of words, or phrases")


class _Keywords(RootModel[dict[str, HeadWords]]):
    """By head name."""


def _find_faults(head: Head, words: HeadWords | None) -> list[str]:
    if words is None:
        return [f"{head.name}: no words for this head"]
    faults = [f"{head.name}.{name}: no such label" for name in words.words if name not in head.label_names]
    if head.problem_type is ProblemType.ONE_OF and words.otherwise not in head.label_names:
        faults.append(f"{head.name}.otherwise: found {words.otherwise!r}, expected one of its labels")
    return faults


def _compile(words: Sequence[str]) -> re.Pattern[str] | None:
    """A pattern of whole beginnings of words, or None without any."""
    parts = [r"\s+".join(map(re.escape, word.split())) for word in words if word.strip()]
    return re.compile(r"\b(?:" + "|".join(parts) + ")", re.IGNORECASE) if parts else None


class KeywordBaseline:
    """Gives the labels whose words stand in the text; learns nothing."""

    def __init__(self, taxonomy: Taxonomy, path: Path | None = None) -> None:
        """Read the rules.

        Args:
            taxonomy: which heads to answer.
            path: a file of words; None is the shipped one, for the shipped labels.

        Raises:
            FileReadError: the file cannot be read.
            ConfigError: it does not fit the taxonomy; all faults at once.
        """
        self.taxonomy = taxonomy
        found = path or SHIPPED
        try:
            words = _Keywords.model_validate(read_yaml(found)).root
        except ValidationError as error:
            raise ConfigError(f"{found} is no file of keywords", describe_faults(error)) from error
        faults = [fault for head in taxonomy.heads for fault in _find_faults(head, words.get(head.name))]
        if faults:
            raise ConfigError(f"{found} does not fit these labels; name another as keywords:FILE", faults)
        self._words = words
        self._name, self._sha256 = found.name, sha256_of_file(found)
        self._patterns = {
            label: _compile(of_label) for head in taxonomy.heads for label, of_label in words[head.name].words.items()
        }

    @property
    def identity(self) -> dict[str, object]:
        """Its name, and the file of its words."""
        return {"name": "keywords", "file": self._name, "sha256": self._sha256}

    def _count_hits(self, label: str, texts: Sequence[str]) -> Floats:
        pattern = self._patterns.get(label)
        if pattern is None:
            return np.zeros(len(texts))
        return np.array([len(pattern.findall(text)) for text in texts], dtype=np.float64)

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Count words.

        Args:
            examples: any rows.
            advance: called with the number of examples done.

        Returns:
            By head name. Scores order rows by hits and are no probabilities.
        """
        texts = [example.paragraph for example in examples]
        decisions = {}
        for head in self.taxonomy.heads:
            hits = np.stack([self._count_hits(name, texts) for name in head.label_names], axis=1)
            if head.problem_type is ProblemType.ONE_OF:
                best = hits.max(axis=1, keepdims=True)
                is_tied = ((hits == best).sum(axis=1) > 1) | (best[:, 0] == 0)
                otherwise = head.label_names.index(str(self._words[head.name].otherwise))
                hits[is_tied, otherwise] += best[is_tied, 0] + 1
                scores = (hits + 0.5) / (hits + 0.5).sum(axis=1, keepdims=True)
            else:
                scores = hits / (1 + hits)  # one hit reaches the threshold of one half
            decisions[head.name] = (scores, decide_head(head, plain_rule(head), scores))
        advance(len(examples))
        return decisions
