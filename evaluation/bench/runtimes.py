"""Owns the race of our own runtimes on one model: speed, memory, and how often their answers differ."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.bench.speed import Case, measure_case, measure_cold_start
from twohands.classifier import Classifier
from twohands.prediction import AnyOf, OneOf, Prediction
from twohands.runtimes import Runtime

Json = dict[str, Any]
RUNTIMES: tuple[Runtime, Runtime] = ("onnxruntime", "openvino")
# Less than this is within what a shared machine does to a ratio of medians.
WORTH = 1.1


def race_runtimes(folder: Path, texts: list[str], *, threads: int, seconds: float) -> tuple[Json, dict[str, str]]:
    """Time both runtimes on the same texts in turn, text to prediction.

    Args:
        folder: the model.
        texts: at least one.
        threads: of each.
        seconds: for each figure.

    Returns:
        Figures by runtime with the ratios of medians, above 1 where OpenVINO is the faster one; and what each
        session calls itself.
    """
    classifiers: dict[str, Classifier] = {}
    try:
        for runtime in RUNTIMES:
            classifiers[runtime] = Classifier.load(folder, num_threads=threads, runtime=runtime)
        figures: Json = dict(measure_case(classifiers, Case("mix", texts), seconds=seconds))
        names = {runtime: classifier.session.runtime for runtime, classifier in classifiers.items()}
    finally:
        for classifier in classifiers.values():
            classifier.close()
    ours, other = (figures[runtime] for runtime in RUNTIMES)
    figures["bulk_ratio"] = other["paragraphs_per_s"] / ours["paragraphs_per_s"]
    figures["bulk_cpu_ratio"] = ours["bulk_cpu_ms"] / other["bulk_cpu_ms"]
    middles = ours["latency"]["p50_ms"], other["latency"]["p50_ms"]
    figures["alone_ratio"] = None if None in middles else middles[0] / middles[1]
    return figures, names


def _decide(answer: OneOf | AnyOf) -> tuple[object, ...]:
    return tuple(answer.labels) if isinstance(answer, AnyOf) else (answer.label, answer.abstained)


def compare_predictions(ours: Sequence[Prediction], others: Sequence[Prediction]) -> Json:
    """Say how far two runtimes' answers are apart.

    Args:
        ours: by one runtime; at least one.
        others: by the other one, of the same texts.

    Returns:
        By head: how many answers differ (in label, in abstaining or in any topic), their share, and the largest
        change of a score.
    """
    compared: Json = {}
    for head in ours[0].heads:
        pairs = [(one.heads[head], other.heads[head]) for one, other in zip(ours, others, strict=True)]
        n_differ = sum(_decide(one) != _decide(other) for one, other in pairs)
        changes = [abs(score - other.scores[label]) for one, other in pairs for label, score in one.scores.items()]
        compared[head] = {
            "n_differ": n_differ,
            "share_differ": n_differ / len(pairs),
            "max_score_change": max(changes),
        }
    return compared


def compare_answers(folder: Path, texts: Sequence[str]) -> Json:
    """Classify the same texts by both runtimes; see `compare_predictions`."""
    answers = []
    for runtime in RUNTIMES:
        classifier = Classifier.load(folder, num_threads=1, runtime=runtime)
        try:
            answers.append(classifier.classify(texts))
        finally:
            classifier.close()
    return compare_predictions(*answers)


def measure_memory(folder: Path, texts: Sequence[str], *, threads: int) -> Json:
    """Take the memory and the start of a fresh process of each runtime; see `measure_cold_start`."""
    return {runtime: measure_cold_start(folder, texts, threads=threads, runtime=runtime) for runtime in RUNTIMES}


def choose(races: Mapping[str, Json], answers: Mapping[str, Json], memory: Mapping[str, Json]) -> Json:
    """Say which runtime to take on this machine, and why.

    Args:
        races: of `race_runtimes`, by number of threads, rising.
        answers: of `compare_answers`.
        memory: of `measure_memory`.

    Returns:
        `take`, the runtime, and `why`, one line.
    """
    threads, race = list(races.items())[-1]
    bulk, alone = race["bulk_ratio"], race["alone_ratio"]
    more_mb = memory["openvino"]["pss_after_mb"] - memory["onnxruntime"]["pss_after_mb"]
    share = max(head["share_differ"] for head in answers.values())
    said = f"{bulk:.2f} times as many paragraphs a second in bulk on {threads} thread{'s'[: threads != '1']}"
    if alone is not None:
        said += f", {alone:.2f} times as fast alone"
    said += f", {more_mb:+.0f} MB, up to {share:.1%} of a head's answers differ"
    if bulk >= WORTH:
        slower = alone is not None and alone < 1
        hint = "; for one paragraph at a time onnxruntime is the faster one" if slower else ""
        return {"take": "openvino", "why": f"it gives {said}{hint}"}
    return {"take": "onnxruntime", "why": f"openvino gives only {said}; {WORTH:g} times in bulk would be worth it"}
