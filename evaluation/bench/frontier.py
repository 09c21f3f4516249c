"""Owns what accuracy costs: several models on the same labelled rows, and which of them no other beats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.deciders import ModelDecider
from evaluation.measure import note_gaps
from evaluation.progress import Advance
from evaluation.rows import Sample, select_rows
from twohands.classifier import Classifier
from twohands.examples import Example

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model under the name that was asked for, loaded on one thread."""

    name: str
    classifier: Classifier


def measure_accuracy(
    entrants: Sequence[Entrant], examples: Sequence[Example], *, n_replicates: int, seed: int, advance: Advance
) -> tuple[dict[str, dict[str, Json]], list[str]]:
    """Macro-F1 of each model on the same rows and the same bootstrap draws.

    Args:
        entrants: models that share a taxonomy.
        examples: checked rows.
        n_replicates: bootstrap draws of documents.
        seed: of the draws.
        advance: called with the number of rows done.

    Returns:
        By name of the model, then of the head: `value`, `low` and `high` of macro-F1 (the latter two None from fewer
        than five documents of the rarest label); a head for which no row is labelled is absent. And notes of what the
        rows cannot show, as `evaluate` has them.
    """
    found: dict[str, dict[str, Json]] = {}
    notes: list[str] = []
    for entrant in entrants:
        decisions = ModelDecider(entrant.classifier).decide(examples, advance=advance)
        selected = select_rows(examples, entrant.classifier.taxonomy, decisions)
        figures: dict[str, Json] = {}
        for name, rows in selected.items():
            sample = Sample.of(rows, rows.draw(n_replicates=n_replicates, seed=seed))
            figures[name] = dict(sample.macro())
        found[entrant.name] = figures
        # The same rows, and so notes, for all.
        notes = note_gaps(selected, entrant.classifier.taxonomy, n_rows=len(examples), with_mcc=False)
    return found, notes


def mark_frontier(points: Mapping[str, tuple[float, float]]) -> set[str]:
    """Name the models that no other beats on both axes.

    Args:
        points: by name, cost (less is better) and score (more is better).

    Returns:
        Those for which no other costs at most as much and scores at least as high, one of both better.

    Source:
        Pareto dominance. Points are compared as they are, without their intervals.
    """

    def is_beaten(name: str) -> bool:
        cost, score = points[name]
        return any(
            (other_cost <= cost and other_score >= score) and (other_cost < cost or other_score > score)
            for other, (other_cost, other_score) in points.items()
            if other != name
        )

    return {name for name in points if not is_beaten(name)}
