"""Owns what accuracy costs: several models on the same labelled rows and the same texts, in turn."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.bench.quantiles import median, tell_percentiles
from evaluation.bench.turns import take_turns
from evaluation.deciders import ModelDecider
from evaluation.progress import Advance
from evaluation.rows import Sample, select_rows
from twohands.classifier import Classifier
from twohands.examples import Example
from twohands.metrics import macro_f1

Json = dict[str, Any]
_MIN_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model under the name that was asked for, loaded on one thread."""

    name: str
    classifier: Classifier


def measure_accuracy(
    entrants: Sequence[Entrant], examples: Sequence[Example], *, n_replicates: int, seed: int, advance: Advance
) -> dict[str, dict[str, Json]]:
    """Macro-F1 of each model on the same rows and the same bootstrap draws.

    Args:
        entrants: models that share a taxonomy.
        examples: checked rows.
        n_replicates: bootstrap draws of documents.
        seed: of the draws.
        advance: called with the number of rows done.

    Returns:
        By name of the model, then of the head: `value`, `low` and `high` of macro-F1 (the latter two None from fewer
        than five documents). A head for which no row is labelled is absent.
    """
    found: dict[str, dict[str, Json]] = {}
    for entrant in entrants:
        decisions = ModelDecider(entrant.classifier).decide(examples, advance=advance)
        selected = select_rows(examples, entrant.classifier.taxonomy, decisions)
        figures: dict[str, Json] = {}
        for name, rows in selected.items():
            sample = Sample.of(rows, rows.draw(n_replicates=n_replicates, seed=seed))
            figures[name] = dict(sample.figure(macro_f1))
        found[entrant.name] = figures
    return found


def measure_cost(entrants: Sequence[Entrant], texts: Sequence[str], *, seconds: float) -> dict[str, Json]:
    """Time each model in turn on the same texts, one thread, text to prediction.

    Args:
        entrants: loaded on one thread each.
        texts: what to classify.
        seconds: for each model.

    Returns:
        By name: latency percentiles of one paragraph at a time, paragraphs a second in bulk, and CPU milliseconds of a
        paragraph alone.
    """
    alone: dict[str, list[float]] = {entrant.name: [] for entrant in entrants}
    alone_cpu: dict[str, list[float]] = {entrant.name: [] for entrant in entrants}
    bulk: dict[str, list[float]] = {entrant.name: [] for entrant in entrants}
    for entrant in entrants:
        entrant.classifier.classify(list(texts[:4]))
    ends_s = time.perf_counter() + seconds * len(entrants)
    number = 0
    while number < _MIN_ROUNDS or time.perf_counter() < ends_s:
        for entrant in take_turns(entrants, number):
            for text in texts:
                started_s, cpu_s = time.perf_counter(), time.process_time()
                entrant.classifier.classify([text])
                alone[entrant.name].append(1e3 * (time.perf_counter() - started_s))
                alone_cpu[entrant.name].append(1e3 * (time.process_time() - cpu_s))
            started_s = time.perf_counter()
            entrant.classifier.classify(list(texts))
            bulk[entrant.name].append(time.perf_counter() - started_s)
        number += 1
    return {
        entrant.name: {
            "latency": tell_percentiles(alone[entrant.name]),
            "alone_cpu_ms": median(alone_cpu[entrant.name]),
            "paragraphs_per_s": len(texts) / median(bulk[entrant.name]),
        }
        for entrant in entrants
    }


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
