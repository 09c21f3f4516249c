"""Owns the measuring of a model in this process: throughput, latency, where the time goes, and against the ceiling."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from evaluation.bench.ceiling import Ceiling
from evaluation.bench.quantiles import median, tell_percentiles
from evaluation.bench.turns import take_turns
from twohands.cascade import CascadeSession
from twohands.classifier import Classifier
from twohands.encoding import TokenIds
from twohands.errors import BenchError
from twohands.manifest import GRAPH_NAME
from twohands.prediction import make_predictions
from twohands.runtimes import DEFAULT_RUNTIME, Runtime
from twohands.session import CROWDED_FOR_S, OnnxSession, Session
from twohands.windows import Logits

Json = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)
_PROGRAMS = Path(__file__).parent / "programs"
_MIN_ROUNDS = 3
_N_COLD_STARTS = 5
_COLD_START_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Case:
    """Texts of one kind: a length, or the mix."""

    name: str
    texts: list[str]


def _put_long_last(classifier: Classifier, texts: Sequence[str]) -> list[str]:
    """Order texts for one at a time: windows of a long one run side by side, and a text soon after gets one thread."""
    return sorted(texts, key=lambda text: len(classifier.encoder.encode(text).windows) > 1)


def _settle(classifier: Classifier, text: str) -> None:
    """Classify one text at a time, uncounted, until a run counts as alone: soon after a bulk run it gets one thread.

    That it waits at work, and not asleep, keeps the clock of the CPU and its caches as they are under measurement.
    """
    ends_s = time.monotonic() + CROWDED_FOR_S
    while time.monotonic() < ends_s:
        classifier.classify([text])


def measure_case(classifiers: Mapping[Key, Classifier], case: Case, *, seconds: float) -> dict[Key, Json]:
    """Time one case on each number of threads, or by each runtime, in turn, text to prediction.

    Args:
        classifiers: by number of threads, or by runtime.
        case: what to classify.
        seconds: for each figure.

    Returns:
        By the same: latency of one paragraph at a time, and paragraphs per second in bulk.
    """
    alone: dict[Key, list[float]] = {key: [] for key in classifiers}
    bulk: dict[Key, list[float]] = {key: [] for key in classifiers}
    alone_cpu: dict[Key, list[float]] = {key: [] for key in classifiers}
    bulk_cpu: dict[Key, list[float]] = {key: [] for key in classifiers}
    in_order = {key: _put_long_last(classifier, case.texts) for key, classifier in classifiers.items()}
    for classifier in classifiers.values():
        classifier.classify(case.texts[:8])
    first = next(iter(classifiers))
    ends_s = time.perf_counter() + seconds * 2 * len(classifiers)
    while min(map(len, bulk.values())) < _MIN_ROUNDS or time.perf_counter() < ends_s:
        for key, classifier in take_turns(list(classifiers.items()), len(bulk[first])):
            _settle(classifier, in_order[key][0])
            for text in in_order[key]:
                started_s, cpu_s = time.perf_counter(), time.process_time()
                classifier.classify([text])
                alone[key].append(1e3 * (time.perf_counter() - started_s))
                alone_cpu[key].append(1e3 * (time.process_time() - cpu_s))
            started_s, cpu_s = time.perf_counter(), time.process_time()
            classifier.classify(case.texts)
            bulk[key].append(time.perf_counter() - started_s)
            bulk_cpu[key].append(1e3 * (time.process_time() - cpu_s) / len(case.texts))
    return {
        key: {
            "latency": tell_percentiles(alone[key]),
            "alone_cpu_ms": median(alone_cpu[key]),
            "paragraphs_per_s": len(case.texts) / median(bulk[key]),
            "bulk_cpu_ms": median(bulk_cpu[key]),
        }
        for key in classifiers
    }


def measure_shares(classifier: Classifier, texts: Sequence[str], *, seconds: float) -> Json:
    """Say where the time of a bulk run on one thread goes.

    Args:
        classifier: on one thread.
        texts: what to classify.
        seconds: how long to measure.

    Returns:
        Shares of tokenizing, the model and the rest (sum 1), and milliseconds a paragraph.
    """
    rules = classifier.manifest.rules
    spent: list[tuple[float, float, float]] = []

    def run() -> None:
        marks = [time.perf_counter()]
        encoded = [classifier.encoder.encode(text) for text in texts]
        marks.append(time.perf_counter())
        logits = classifier.predict_logits(encoded)
        marks.append(time.perf_counter())
        for prediction in make_predictions(logits, encoded, classifier.taxonomy, rules):
            prediction.to_dict()
        marks.append(time.perf_counter())
        spent.append((marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2]))

    race({"all": run}, seconds=seconds)
    parts = [median(part) for part in zip(*spent[1:], strict=True)]
    names = ("tokenize", "model", "rest")
    return {
        name: {"share": part / sum(parts), "ms": 1e3 * part / len(texts)}
        for name, part in zip(names, parts, strict=True)
    }


class _Counting:
    """Stands before the runtime and counts what it is really given; there is no other way to know what is padded."""

    def __init__(self) -> None:
        self.n_tokens = self.n_computed = 0

    def count(self, attention_mask: TokenIds) -> None:
        self.n_tokens += int(attention_mask.sum())
        self.n_computed += int(attention_mask.size)


@contextmanager
def _counted(session: Session) -> Iterator[_Counting]:
    """Count what one session gives its runtime meanwhile."""
    counting = _Counting()
    if isinstance(session, CascadeSession):
        with _counted(session.members[0]) as first, _counted(session.members[1]) as second:
            yield counting
        counting.n_tokens = first.n_tokens + second.n_tokens
        counting.n_computed = first.n_computed + second.n_computed
        return
    name = "_run" if isinstance(session, OnnxSession) else "_infer"
    run = getattr(session, name)

    def run_counted(runner: object, input_ids: TokenIds, attention_mask: TokenIds) -> Logits:
        counting.count(attention_mask)
        logits: Logits = run(runner, input_ids, attention_mask)
        return logits

    setattr(session, name, run_counted)
    try:
        yield counting
    finally:
        setattr(session, name, run)


def measure_padding(classifier: Classifier, texts: Sequence[str]) -> Json:
    """Count the tokens that the runtime computes for a bulk run.

    Args:
        classifier: on one thread.
        texts: what to classify.

    Returns:
        Tokens of the texts and of windows, special tokens among them, tokens computed, and the share of padding.
    """
    encoded = [classifier.encoder.encode(text) for text in texts]
    with _counted(classifier.session) as counting:
        classifier.predict_logits(encoded)
    return {
        "n_tokens_of_texts": sum(paragraph.n_tokens for paragraph in encoded),
        "n_tokens_of_windows": counting.n_tokens,
        "n_tokens_computed": counting.n_computed,
        "padding_share": 1 - counting.n_tokens / counting.n_computed,
    }


@dataclass(frozen=True, slots=True)
class Spent:
    """What each run took: seconds, and CPU seconds of all threads of this process."""

    wall_s: list[float]
    cpu_s: list[float]


def race(runs: Mapping[str, Callable[[], object]], *, seconds: float) -> dict[str, Spent]:
    """Time several things in turn, each round begun by another: whatever else the machine does meets all of them.

    Args:
        runs: what is timed, by name; each is run once before that.
        seconds: stop after so long; each is timed at least three times.

    Returns:
        What each run took, by name.
    """
    spent = {name: Spent([], []) for name in runs}
    for run in runs.values():
        run()
    n_rounds = 0
    ends_s = time.perf_counter() + seconds
    while min(len(one.wall_s) for one in spent.values()) < _MIN_ROUNDS or time.perf_counter() < ends_s:
        for name, run in take_turns(list(runs.items()), n_rounds):
            started_s, cpu_s = time.perf_counter(), time.process_time()
            run()
            spent[name].wall_s.append(time.perf_counter() - started_s)
            spent[name].cpu_s.append(time.process_time() - cpu_s)
        n_rounds += 1
    return spent


def _run_side_by_side(pool: ThreadPoolExecutor, run: Callable[[], object], n_runs: int) -> None:
    list(pool.map(lambda _: run(), range(n_runs)))


def check_ceiling(classifier: Classifier, case: Case, *, length: int) -> None:
    """See that a case fits the ceiling, before minutes are spent on the others.

    Args:
        classifier: whose tokenizer counts.
        case: texts of one length, which is that of one window.
        length: tokens of the window.

    Raises:
        BenchError: the texts are not of this length.
    """
    encoded = [classifier.encoder.encode(text) for text in case.texts]
    if {len(window) for paragraph in encoded for window in paragraph.windows} != {length}:
        raise BenchError(f"the ceiling wants texts of one window of {length} tokens; this tokenizer cannot make them")


def measure_ceiling(
    folder: Path, classifiers: Mapping[int, Classifier], case: Case, *, length: int, seconds: float
) -> Json:
    """Race the model against nothing but its own matrix products, in turn.

    Args:
        folder: the model.
        classifiers: by number of threads.
        case: as `check_ceiling` has it.
        length: tokens of the window.
        seconds: for each figure.

    Returns:
        Operations a run, their rate alone, and by number of threads the share of that rate that the model's own run
        and the whole way from text to prediction reach.
    """
    encoder = next(iter(classifiers.values())).encoder
    encoded = [encoder.encode(text) for text in case.texts]
    ceiling = Ceiling(folder / GRAPH_NAME, length=length)
    by_threads = {}
    for threads, classifier in classifiers.items():
        with ThreadPoolExecutor(threads) as pool:
            spent = race(
                {
                    "products": partial(_run_side_by_side, pool, ceiling.run, len(case.texts)),
                    "model": partial(classifier.predict_logits, encoded),
                    "all": partial(classifier.classify, case.texts),
                },
                seconds=3 * seconds,
            )
        wall = {name: median(one.wall_s) / len(case.texts) for name, one in spent.items()}
        cpu = {name: median(one.cpu_s) / len(case.texts) for name, one in spent.items()}
        by_threads[threads] = {
            "products_ms": 1e3 * wall["products"],
            "giga_operations_per_s": ceiling.n_operations / wall["products"] / 1e9,
            "model_share_of_ceiling": wall["products"] / wall["model"],
            "bulk_share_of_ceiling": wall["products"] / wall["all"],
            "products_cpu_ms": 1e3 * cpu["products"],
            "bulk_share_of_ceiling_by_cpu": cpu["products"] / cpu["all"],
        }
    return {
        "tokens": length,
        "giga_operations_per_run": ceiling.n_operations / 1e9,
        "n_products": len(ceiling.products),
        "threads": by_threads,
    }


def measure_cold_start(folder: Path, texts: Sequence[str], *, threads: int, runtime: Runtime = DEFAULT_RUNTIME) -> Json:
    """Start fresh processes, one after the other, and ask each for one answer.

    Args:
        folder: the model.
        texts: the first is answered first; memory is read again after all.
        threads: of each process.
        runtime: of each process.

    Returns:
        Medians: milliseconds from before the process was started to its first answer, and of the parts; memory in
        MB (10^6 bytes).

    Raises:
        BenchError: a process failed, or took too long.
    """
    measured: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="twohands-bench-") as place:
        path = Path(place) / "texts.json"
        path.write_text(json.dumps(list(texts)), encoding="utf-8")
        words = (str(_PROGRAMS / "cold_start.py"), str(folder.resolve()), str(threads), str(path), runtime)
        command = [sys.executable, *words]
        for _ in range(_N_COLD_STARTS):
            started_at = time.time()
            try:
                done = subprocess.run(  # noqa: S603 - our own words
                    command, capture_output=True, text=True, check=False, timeout=_COLD_START_TIMEOUT_S
                )
            except subprocess.TimeoutExpired as error:
                said = f"a fresh process did not answer within {_COLD_START_TIMEOUT_S:g} s"
                raise BenchError(f"{said}, threads {threads}, runtime {runtime}") from error
            if done.returncode:
                raise BenchError(f"a fresh process could not load the model: {done.stderr.strip()[-500:]}")
            one = json.loads(done.stdout)
            measured.append({"to_first_answer_ms": 1e3 * (one.pop("answered_at") - started_at), **one})
    figures = {key: median([one[key] for one in measured]) for key in measured[0]}
    return {"n_processes": len(measured), "threads": threads, **figures}
