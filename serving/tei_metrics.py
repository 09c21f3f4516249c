"""Owns the metrics that dashboards of text-embeddings-inference (TEI) ask for, under its own names.

TEI's counters have no `_total`, which the client library adds to every counter: here they are gauges that only rise,
and are shown as the counters that they are.
"""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, Histogram

from serving.service import Timing

# 1e-5 * 1.5^k seconds, as there.
_SECONDS = tuple(1e-5 * 1.5**power for power in range(1, 36))
_BATCH_SIZES = tuple(float(2**power) for power in range(8))
_TOKENS = tuple(float(2**power) for power in range(4, 14))
# `inference` is what alerts take for a broken model: no refusal counts as that, whatever its status.
_ERR_BY_CODE = {
    "too_many_inputs": "batch_size",
    "client_disconnected": "dropped",
    "engine_stopped": "dropped",
    "not_ready": "dropped",
}
_ERRS = ("overloaded", "inference", "validation", *_ERR_BY_CODE.values())


@dataclass(frozen=True, slots=True)
class TeiAnswer:
    """What is counted of an answered request."""

    is_batch: bool
    timing: Timing
    total_ms: float
    n_tokens: list[int]


class TeiMetrics:
    """What TEI counts of a classifier."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make the metrics, all at zero.

        Args:
            registry: of the app.
        """
        self._counters: list[str] = []

        def count(name: str, about: str, labels: tuple[str, ...] = ()) -> Gauge:
            self._counters.append(f"te_{name}")
            return Gauge(f"te_{name}", about, labels, registry=registry, multiprocess_mode="sum")

        def time(name: str, about: str) -> Histogram:
            return Histogram(f"te_{name}", about, buckets=_SECONDS, registry=registry)

        self._requests = count("request_count", "Requests.", ("method",))
        self._successes = count("request_success", "Requests answered.", ("method",))
        self._failures = count("request_failure", "Requests that failed.", ("err",))
        # Shown at zero: a rate misses the first event of a series that begins with it.
        for method in ("single", "batch"):
            self._requests.labels(method)
            self._successes.labels(method)
        for err in _ERRS:
            self._failures.labels(err)
        self._predicted = count("predict_count", "Texts to classify.")
        self._predict_successes = count("predict_success", "Texts classified.")
        self._durations = {
            part: time(f"request_{part}", f"Seconds of {part.replace('_', ' ')}.")
            for part in ("duration", "tokenization_duration", "queue_duration", "inference_duration")
        }
        self._predict_durations = {
            part: time(f"predict_{part}", f"Seconds of {part.replace('_', ' ')}.") for part in self._durations
        }
        self._lengths = Histogram("te_request_input_length", "Tokens of a text.", buckets=_TOKENS, registry=registry)
        self._batch_sizes = Histogram(
            "te_batch_next_size", "Windows of one model run.", buckets=_BATCH_SIZES, registry=registry
        )
        self._batch_tokens = Histogram(
            "te_batch_next_tokens", "Tokens of one model run.", buckets=_TOKENS, registry=registry
        )

    def name_types(self, shown: bytes) -> bytes:
        """Call TEI's counters what they are.

        Args:
            shown: all metrics in Prometheus' text format.

        Returns:
            The same, but for the type of these.
        """
        for name in self._counters:
            shown = shown.replace(f"# TYPE {name} gauge\n".encode(), f"# TYPE {name} counter\n".encode())
        return shown

    def count_run(self, *, n_windows: int, n_tokens: int) -> None:
        """Count one model run, whichever protocol asked for it."""
        self._batch_sizes.observe(n_windows)
        self._batch_tokens.observe(n_tokens)

    def count_request(self, *, is_batch: bool) -> None:
        """Count a request that could be read, before anything is done for it; whatever is, counts its end too."""
        self._requests.labels(_name_method(is_batch=is_batch)).inc()

    def count_texts(self, n_texts: int) -> None:
        """Count the texts of a request whose size was found right, before they are classified."""
        self._predicted.inc(n_texts)

    def count_answer(self, answer: TeiAnswer) -> None:
        """Count a request that was answered."""
        n_texts = len(answer.n_tokens)
        self._successes.labels(_name_method(is_batch=answer.is_batch)).inc()
        self._predict_successes.inc(n_texts)
        timing = answer.timing
        spent_ms = {
            "duration": answer.total_ms,
            "tokenization_duration": timing.tokenize_ms,
            "queue_duration": timing.queue_ms,
            "inference_duration": timing.infer_ms,
        }
        for part, ms in spent_ms.items():
            self._durations[part].observe(ms / 1e3)
            self._predict_durations[part].observe(ms / 1e3)
        for n_tokens in answer.n_tokens:
            self._lengths.observe(n_tokens)

    def count_failure(self, status: int, code: str | None) -> None:
        """Count a counted request that was not.

        Args:
            status: that it was answered with.
            code: of the failure.
        """
        by_status = "overloaded" if status == 429 else "inference" if status >= 500 or status == 424 else "validation"
        self._failures.labels(_ERR_BY_CODE.get(code or "", by_status)).inc()


def _name_method(*, is_batch: bool) -> str:
    return "batch" if is_batch else "single"
