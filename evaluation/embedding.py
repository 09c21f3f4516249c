"""Owns the baselines on top of a frozen encoder's vectors: zero-shot by descriptions, neighbours, a linear layer.

Knows nothing of encoders: vectors come from a callable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from evaluation.baselines import labelled_rows
from evaluation.deciders import Decisions
from evaluation.linear import GridPoint, fit_head, plain_rule
from evaluation.progress import Advance, Tell, tell_nothing
from twohands.decide import decide_head
from twohands.examples import Example, Labels
from twohands.metrics import Floats, count_head, macro_f1
from twohands.scores import DecisionRule, Scores, sigmoid, softmax
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.thresholds import fit_score_thresholds

N_NEIGHBOURS = (1, 5, 10, 20, 50)
# Cosines of sentence encoders differ by hundredths; without it all scores would be one third.
_SHARPNESS = 20.0


class Encoder(Protocol):
    """What turns texts into vectors."""

    @property
    def identity(self) -> dict[str, object]:
        """Which encoder, for reports."""

    def embed(self, texts: Sequence[str], *, advance: Advance) -> Floats:
        """Shape `(n, width)`, rows of length 1."""


class VectorHead(Protocol):
    """One head, decided from vectors."""

    @property
    def settings(self) -> dict[str, object]:
        """What was chosen on dev."""

    def decide(self, features: Floats) -> tuple[Scores, npt.NDArray[np.bool_]]:
        """Scores and labels given, shape `(n, n_labels)` each."""


@dataclass(frozen=True, slots=True)
class _DescriptionHead:
    """Scores by the cosine between a text and each label's description."""

    head: Head
    rule: DecisionRule
    descriptions: Floats
    settings: dict[str, object]

    def score(self, features: Floats) -> Scores:
        cosines = features @ self.descriptions.T
        one_of = self.head.problem_type is ProblemType.ONE_OF
        return softmax(_SHARPNESS * cosines) if one_of else sigmoid(_SHARPNESS * cosines)

    def decide(self, features: Floats) -> tuple[Scores, npt.NDArray[np.bool_]]:
        scores = self.score(features)
        return scores, decide_head(self.head, self.rule, scores)


@dataclass(frozen=True, slots=True)
class _NeighbourHead:
    """Scores by the share of the nearest labelled rows that have the label."""

    head: Head
    rule: DecisionRule
    vectors: Floats
    truth: Labels
    settings: dict[str, object]

    def score(self, features: Floats, n_neighbours: int) -> Scores:
        cosines = features @ self.vectors.T
        # Stable: of two rows that are equally near, the earlier one counts.
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :n_neighbours]
        weights = np.take_along_axis(cosines, nearest, axis=1).clip(min=1e-6)
        votes = self.truth[nearest].astype(np.float64)  # (n, n_neighbours, n_labels)
        return np.asarray((votes * weights[:, :, None]).sum(axis=1) / weights.sum(axis=1, keepdims=True)).clip(0, 1)

    def decide(self, features: Floats) -> tuple[Scores, npt.NDArray[np.bool_]]:
        scores = self.score(features, int(str(self.settings["n_neighbours"])))
        return scores, decide_head(self.head, self.rule, scores)


class VectorBaseline:
    """A baseline whose heads all read the vectors of one encoder."""

    def __init__(self, name: str, taxonomy: Taxonomy, encoder: Encoder, heads: Mapping[str, VectorHead]) -> None:
        """Put a baseline together; `fit_frozen` and its neighbours are the usual way.

        Args:
            name: for reports.
            taxonomy: which heads it answers.
            encoder: texts to vectors.
            heads: by name, one for each of the taxonomy.
        """
        self._name = name
        self.taxonomy = taxonomy
        self._encoder = encoder
        self._heads = heads

    @property
    def identity(self) -> dict[str, object]:
        """Its name, its encoder, and what was chosen on dev."""
        settings = {name: head.settings for name, head in self._heads.items()}
        return {"name": self._name, **self._encoder.identity, "settings": settings}

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Score and label examples.

        Args:
            examples: checked rows.
            advance: called with the number of examples done.

        Returns:
            By head name.
        """
        features = self._encoder.embed([example.paragraph for example in examples], advance=advance)
        return {name: head.decide(features) for name, head in self._heads.items()}


def _reach(head: Head, truth: Labels, scores: Scores) -> tuple[DecisionRule, float]:
    """The rule that dev chooses for these scores, and the macro-F1 that it reaches there."""
    thresholds = None if head.problem_type is ProblemType.ONE_OF else fit_score_thresholds(scores, truth)
    rule = plain_rule(head, thresholds)
    counts = count_head(head, truth, decide_head(head, rule, scores), scores).weigh(np.ones((1, len(truth))))
    return rule, float(macro_f1(counts)[0])


def _embed(encoder: Encoder, examples: Sequence[Example], advance: Advance) -> Floats:
    return encoder.embed([example.paragraph for example in examples], advance=advance)


def fit_zero_shot(taxonomy: Taxonomy, encoder: Encoder, dev: Sequence[Example], *, advance: Advance) -> VectorBaseline:
    """Compare texts with the taxonomy's descriptions of the labels; only thresholds of any-of heads see labels.

    Args:
        taxonomy: which heads, with a description of each label.
        encoder: texts to vectors.
        dev: labelled rows that set the thresholds: a cosine has no natural one.
        advance: called with the number of texts read.

    Returns:
        The baseline.

    Raises:
        DataError: a head has no labelled row.
    """
    labelled, features = labelled_rows(dev, taxonomy, "dev"), _embed(encoder, dev, advance)
    heads: dict[str, VectorHead] = {}
    for head in taxonomy.heads:
        truth, places = labelled[head.name]
        descriptions = encoder.embed([label.description for label in head.labels], advance=lambda _: None)
        settings: dict[str, object] = {}
        plain = _DescriptionHead(head, plain_rule(head), descriptions, settings)
        rule, settings["dev_macro_f1"] = _reach(head, truth, plain.score(features[places]))
        settings["thresholds"] = rule.thresholds
        heads[head.name] = _DescriptionHead(head, rule, descriptions, settings)
    return VectorBaseline("zero-shot", taxonomy, encoder, heads)


def fit_neighbours(
    taxonomy: Taxonomy, encoder: Encoder, train: Sequence[Example], dev: Sequence[Example], *, advance: Advance
) -> VectorBaseline:
    """Answer as the nearest labelled rows do, each weighted by its cosine.

    Args:
        taxonomy: which heads.
        encoder: texts to vectors.
        train: the rows to ask.
        dev: labelled rows that choose how many are asked, and the thresholds.
        advance: called with the number of texts read.

    Returns:
        The baseline.

    Raises:
        DataError: a head has no labelled row.
    """
    asked, tuned = labelled_rows(train, taxonomy, "train"), labelled_rows(dev, taxonomy, "dev")
    of_train, of_dev = _embed(encoder, train, advance), _embed(encoder, dev, advance)
    heads: dict[str, VectorHead] = {}
    for head in taxonomy.heads:
        (truth, places), (truth_dev, places_dev) = asked[head.name], tuned[head.name]
        plain = _NeighbourHead(head, plain_rule(head), of_train[places], truth, {})
        candidates = []
        for n_neighbours in N_NEIGHBOURS:
            rule, reached = _reach(head, truth_dev, plain.score(of_dev[places_dev], n_neighbours))
            candidates.append((reached, n_neighbours, rule))
        reached, n_neighbours, rule = max(candidates, key=lambda candidate: candidate[0])
        settings: dict[str, object] = {
            "n_neighbours": n_neighbours,
            "thresholds": rule.thresholds,
            "dev_macro_f1": reached,
        }
        heads[head.name] = _NeighbourHead(head, rule, of_train[places], truth, settings)
    return VectorBaseline("neighbours", taxonomy, encoder, heads)


def fit_frozen(
    taxonomy: Taxonomy,
    encoder: Encoder,
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    seed: int,
    advance: Advance,
    grids: Mapping[str, Sequence[GridPoint]] | None = None,
    tell: Tell = tell_nothing,
) -> VectorBaseline:
    """Fit logistic regressions on the vectors, tuned on dev as those of tfidf are.

    Args:
        taxonomy: which heads.
        encoder: texts to vectors; it stays as it is.
        train: labelled rows to fit.
        dev: labelled rows that choose C, class weights and thresholds.
        seed: of the solver.
        advance: called with the number of texts read.
        grids: by head the settings to choose from; None is all of them.
        tell: called with one line before each stage.

    Returns:
        The baseline.

    Raises:
        DataError: a head has no labelled row.
    """
    fit_on, tune_on = labelled_rows(train, taxonomy, "train"), labelled_rows(dev, taxonomy, "dev")
    tell(f"frozen: reading {len(train):,} rows of train and {len(dev):,} of dev")
    of_train, of_dev = _embed(encoder, train, advance), _embed(encoder, dev, advance)
    heads: dict[str, VectorHead] = {}
    for head in taxonomy.heads:
        (truth, places), (truth_dev, places_dev) = fit_on[head.name], tune_on[head.name]
        heads[head.name] = fit_head(
            head,
            of_train[places],
            truth,
            of_dev[places_dev],
            truth_dev,
            seed=seed,
            advance=lambda _: None,
            grid=None if grids is None else grids[head.name],
            tell=lambda line: tell(f"frozen: {line}"),
        )
    return VectorBaseline("frozen", taxonomy, encoder, heads)
