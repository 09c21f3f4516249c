"""Owns the metrics: their names, units and labels, and how they are shown. Never a text, a key or a request id.

Metrics live in a registry of their own app. When PROMETHEUS_MULTIPROC_DIR is set before this module is imported,
counts are kept in files there and `show` adds those of all workers up.
"""

import contextlib
import logging
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Literal, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from serving.counting_room import hold_still
from serving.process_metrics import WorkerCollector
from serving.shared_folder import ensure_folder
from serving.tei_metrics import TeiMetrics
from twohands.encoding import EncodedParagraph, TokenIds
from twohands.errors import NonFiniteLogitsError
from twohands.prediction import OneOf, Prediction
from twohands.taxonomy import Head, ProblemType

_LOGGER = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_Mode = Literal["livesum", "livemax", "livemostrecent"]  # how the values of several workers become one
RELOAD_OUTCOMES = ("reloaded", "unchanged", "refused", "rolled_back")
SeriesT = TypeVar("SeriesT", Counter, Histogram)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_BYTES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def count_alone() -> None:
    """Count in memory, as a process that shares its counts with none; before any `Metrics` is made.

    The library goes by the variable as it is loaded. Where a machine or an image sets it for other services, their
    folder would be ours too: absent, and nothing could start, or with what a process of ours before told still in it.
    """
    os.environ.pop(MULTIPROCESS_VARIABLE, None)
    values.ValueClass = values.MutexValue


class Family(Generic[SeriesT]):
    """A metric with labels. Each of its series is looked up once: the library takes some ten calls for that."""

    def __init__(self, metric: SeriesT) -> None:
        """Take over a metric.

        Args:
            metric: whose series are never removed.
        """
        self._metric: SeriesT = metric
        self._series: dict[tuple[str, ...], SeriesT] = {}

    def labels(self, *labels: str) -> SeriesT:
        """The series with these labels, in their order."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = self._metric.labels(*labels)
        return series


class Metrics:
    """Every metric of one app."""

    def __init__(self) -> None:
        """Make the metrics, all at zero."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a further series for each, which nobody asks for
        registry = self._registry = CollectorRegistry()
        self.is_multiprocess = MULTIPROCESS_VARIABLE in os.environ
        if not self.is_multiprocess:  # both describe one process only; see `show` for the first
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)

        def counter(name: str, about: str) -> Counter:
            return Counter(f"twohands_{name}", about, registry=registry)

        def counters(name: str, about: str, labels: Sequence[str]) -> Family[Counter]:
            return Family(Counter(f"twohands_{name}", about, labels, registry=registry))

        def gauge(name: str, about: str, mode: _Mode, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(name, about, labels, registry=registry, multiprocess_mode=mode)

        def histogram(name: str, about: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(f"twohands_{name}", about, buckets=buckets, registry=registry)

        def histograms(name: str, about: str, labels: Sequence[str], buckets: Sequence[float]) -> Family[Histogram]:
            return Family(Histogram(f"twohands_{name}", about, labels, buckets=buckets, registry=registry))

        self.requests = counters("requests_total", "Requests answered.", ("route", "code"))
        self.request_duration = histograms(
            "request_duration_seconds", "From the headers of a request to the end of its answer.", ("route",), _SECONDS
        )
        self.request_size = histograms("request_size_bytes", "Body of a request.", ("route",), _BYTES)
        self.in_flight = gauge("twohands_requests_in_flight", "Requests being answered.", "livesum")
        self.rejected = counters("rejected_total", "Requests refused before any work.", ("reason",))
        self.queue_wait = histogram("queue_wait_seconds", "Waiting for a thread, of one request.", _SECONDS)
        self.tokenize = histogram("tokenize_seconds", "Tokenizing of one request.", _SECONDS)
        self.inference = histogram("inference_seconds", "Model runs of one request, first to last.", _SECONDS)
        self.model_cpu = counter("model_cpu_seconds_total", "CPU time of the threads that asked for model runs.")
        self.batch_size = histogram("batch_size", "Windows of one model run.", _BATCH_SIZES)
        self.batch_tokens = histogram("batch_tokens", "Tokens of one model run, padding not counted.", _TOKENS)
        self.queue_depth = gauge("twohands_queue_depth", "Paragraphs admitted and not yet answered.", "livesum")
        self.input_tokens = histograms("input_tokens", "Tokens of one paragraph.", ("model",), _TOKENS)
        self.unknown_tokens = counters("unknown_tokens_total", "Tokens outside the vocabulary.", ("model",))
        self.truncated = counters("truncated_inputs_total", "Paragraphs whose end was not read.", ("model",))
        self.windows = counters("windows_total", "Windows read.", ("model",))
        self.windows_asked_first = counters(
            "windows_asked_first_total", "Windows that a cascade ran, those of explanations with them.", ("model",)
        )
        self.windows_asked_second = counters(
            "windows_asked_second_total", "Of these, windows that its second model was asked, too.", ("model",)
        )
        self.failed_inputs = counters("failed_inputs_total", "Paragraphs answered with an error.", ("code",))
        self.failed_inputs.labels(NonFiniteLogitsError.code)  # a rate misses the first of a series that begins with it
        self.predictions = counters("predictions_total", "Labels given.", ("head", "label", "model"))
        self.abstained = counters("abstained_total", "Answers below the abstention level.", ("head", "model"))
        self.confidence = histograms("confidence", "Highest score of a head.", ("head", "model"), _SHARES)
        self.model_info = gauge(
            "twohands_model_info",
            "1 for each model in service.",
            "livemax",
            ("model", "version", "sha256", "quantized"),
        )
        self.reloads = counters("model_reloads_total", "Exchanges of a model asked for.", ("outcome",))
        for outcome in RELOAD_OUTCOMES:
            self.reloads.labels(outcome)
        self.shadow_compared = counters(
            "shadow_compared_total", "Paragraphs that a shadow saw too.", ("head", "shadow")
        )
        self.shadow_disagreed = counters(
            "shadow_disagreements_total", "Paragraphs that a shadow answered otherwise.", ("head", "shadow")
        )
        self.shadow_skipped = counter("shadow_skipped_total", "Requests a shadow was too busy or failed for.")
        self.corrections_used = gauge(
            "twohands_corrections_used_ratio",
            "Share of the room for corrections that was taken up when one was last saved, or the service started.",
            "livemostrecent",
        )
        self.reference = gauge(
            "twohands_drift_reference",
            "The figure on the training data, by the model's manifest.",
            "livemax",
            ("model", "figure", "bin"),
        )
        self.drift = gauge(
            "twohands_drift_stability_index",
            "Stability index of recent traffic against the training data, beyond chance; above 0.2 it has shifted.",
            # Of the worker that told it last: one to which little comes would show old traffic for as long as it lives.
            "livemostrecent",
            ("model", "figure"),
        )

        self.tei = TeiMetrics(registry)
        self._tei_queue = gauge("te_queue_size", "Texts admitted and not yet answered.", "livesum")

    def set_depth(self, n_pending: int) -> None:
        """Show how many paragraphs wait, or are run."""
        self.queue_depth.set(n_pending)
        self._tei_queue.set(n_pending)

    def show(self) -> bytes:
        """All metrics in Prometheus' text format; under several workers, those of all together."""
        registry = self._registry
        if self.is_multiprocess:
            registry = CollectorRegistry()
            folder = Path(os.environ[MULTIPROCESS_VARIABLE])
            if not folder.is_dir():
                # What the running workers count goes on into files that nobody can find any more.
                _LOGGER.error("%s was removed while the service runs: only workers that start anew are counted", folder)
                ensure_folder(folder)
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library left it so
            registry.register(WorkerCollector(folder))
            with hold_still(folder):
                return self.tei.name_types(generate_latest(registry))
        return self.tei.name_types(generate_latest(registry))

    def expect_answers(self, heads: Sequence[Head], *, model: str) -> None:
        """Show at zero what will be counted of a model: a rate misses the first event of a series that begins with it.

        Args:
            heads: of the model.
            model: the name it is served under.
        """
        for metric in (self.input_tokens, self.unknown_tokens, self.truncated, self.windows):
            metric.labels(model)
        for head in heads:
            for label in head.label_names:
                self.predictions.labels(head.name, label, model)
            self.confidence.labels(head.name, model)
            if head.problem_type is ProblemType.ONE_OF:
                self.abstained.labels(head.name, model)

    def expect_asked(self, model: str) -> Callable[[int, int], None]:
        """Show at zero what will be counted of a cascade.

        Args:
            model: the name it is served under.

        Returns:
            Counts windows that were run, and those of them that its second model was asked, too.
        """
        first, second = (each.labels(model) for each in (self.windows_asked_first, self.windows_asked_second))

        def count(n_windows: int, n_asked_again: int) -> None:
            first.inc(n_windows)
            second.inc(n_asked_again)

        return count

    def drop(self, gauge: Gauge, *labels: str) -> None:
        """Show one value of a gauge no longer; under several workers, where the library drops none, it is no number."""
        if self.is_multiprocess:
            gauge.labels(*labels).set(math.nan)
            return
        with contextlib.suppress(KeyError):  # before 0.22 the library wants a value that was told
            gauge.remove(*labels)

    def count_run(self, windows: Sequence[TokenIds], *, cpu_s: float) -> None:
        """Count one model run.

        Args:
            windows: shape `(length,)` each, unpadded.
            cpu_s: of the thread that asked for it; what other threads did for it is not in it.
        """
        self.model_cpu.inc(cpu_s)
        n_tokens = sum(len(window) for window in windows)
        self.batch_size.observe(len(windows))
        self.batch_tokens.observe(n_tokens)
        self.tei.count_run(n_windows=len(windows), n_tokens=n_tokens)

    def count_timing(self, *, tokenize_ms: float, queue_ms: float, infer_ms: float) -> None:
        """Count where the time of one request went; one without a sound text waits to be read, and no model runs."""
        self.tokenize.observe(tokenize_ms / 1e3)
        self.queue_wait.observe(queue_ms / 1e3)
        if infer_ms > 0:  # else zeros would pull down what models are seen to take
            self.inference.observe(infer_ms / 1e3)

    def count_prediction(self, prediction: Prediction, paragraph: EncodedParagraph, *, model: str) -> None:
        """Count one classified paragraph.

        Args:
            prediction: its answer.
            paragraph: what was read.
            model: the name it is served under.
        """
        self.input_tokens.labels(model).observe(paragraph.n_tokens)
        self.unknown_tokens.labels(model).inc(paragraph.n_tokens_unknown)
        self.truncated.labels(model).inc(paragraph.is_truncated)
        self.windows.labels(model).inc(len(paragraph.windows))
        for head, answer in prediction.heads.items():
            labels = [answer.label] if isinstance(answer, OneOf) else answer.labels
            for label in labels:
                self.predictions.labels(head, label, model).inc()
            self.confidence.labels(head, model).observe(max(answer.scores.values()))
            if isinstance(answer, OneOf) and answer.abstained:
                self.abstained.labels(head, model).inc()
