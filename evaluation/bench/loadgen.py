"""Owns one run of MLPerf LoadGen: its settings, its callbacks, and its verdict as it stands in its own log."""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from evaluation.bench.client import LoadClient
from evaluation.bench.quantiles import MIN_MEASUREMENTS, tell_percentiles
from twohands.errors import BenchError, FileWriteError
from twohands.extras import import_extra

_LATE_FACTOR = 10  # an error is answered to LoadGen after so many times the bound: it is over-latency, not absent
_MARK = ":::MLLOG "
_KEEP_QUERIES = 2**20
_RUNNING = threading.Lock()
_POLL_S = 0.2
Json = dict[str, Any]


class Scenario(StrEnum):
    """How requests arrive: at random times at a rate, all at once, or each after the answer to the one before."""

    SERVER = "server"
    OFFLINE = "offline"
    SINGLE_STREAM = "single-stream"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run asks of LoadGen; `rate_qps` is the rate of arrivals, or what is expected offline."""

    scenario: Scenario
    rate_qps: float
    slo_ms: float
    seconds: float
    min_queries: int


def import_loadgen() -> Any:  # noqa: ANN401 - an untyped module
    """Import LoadGen.

    Returns:
        The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra("mlperf_loadgen", use="load", extra="bench", package="mlcommons-loadgen")


def _make_settings(lg: Any, plan: Plan) -> Any:  # noqa: ANN401 - LoadGen's own classes, untyped
    if not plan.rate_qps > 0:  # in the server scenario it would ask for ever, and nothing could end it (#5)
        raise BenchError(f"LoadGen cannot be asked for {plan.rate_qps:g} requests a second; expected more than 0")
    settings = lg.TestSettings()
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = round(1e3 * plan.seconds)
    settings.min_query_count = plan.min_queries
    bound_ns = round(1e6 * plan.slo_ms)
    if plan.scenario is Scenario.SERVER:
        settings.scenario = lg.TestScenario.Server
        settings.server_target_qps = plan.rate_qps
        settings.server_target_latency_ns = bound_ns
        settings.server_target_latency_percentile = 0.99
        settings.max_query_count = _KEEP_QUERIES
    elif plan.scenario is Scenario.OFFLINE:
        settings.scenario = lg.TestScenario.Offline
        settings.offline_expected_qps = plan.rate_qps
        settings.min_query_count = 1  # one query holds all samples
    else:
        settings.scenario = lg.TestScenario.SingleStream
        settings.single_stream_expected_latency_ns = round(1e9 / plan.rate_qps)
        settings.single_stream_target_latency_percentile = 0.9
    return settings


def read_log(folder: Path) -> Json:
    """Read what LoadGen wrote.

    Args:
        folder: of its logs.

    Returns:
        Values of its detail log by key, the last of each; with `errors` what it complained of.

    Raises:
        BenchError: the log has no verdict.
    """
    found: Json = {}
    errors: list[str] = []
    for line in (folder / "mlperf_log_detail.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith(_MARK):
            continue
        entry = json.loads(line[len(_MARK) :])
        found[entry["key"]] = entry["value"]
        if entry.get("metadata", {}).get("is_error"):
            errors.append(f"{entry['key']}: {entry['value']}")
    if "result_validity" not in found:
        raise BenchError("LoadGen ended without a verdict: " + "; ".join(errors or ["its log says nothing"]))
    return found | {"errors": errors}


class _Sut:
    """The system under test, from LoadGen's seat: takes queries, and tells when each is answered."""

    def __init__(self, lg: Any, client: LoadClient, *, late_s: float) -> None:  # noqa: ANN401 - as above
        self._lg, self._client, self._late_s = lg, client, late_s
        self.n_samples = self.n_errors = 0
        self.is_left = False

    def issue(self, samples: Sequence[Any]) -> None:
        if self.is_left:  # the client is closed, or about to be
            return
        self.n_samples += len(samples)
        self._client.submit([(sample.id, sample.index) for sample in samples], self._done)

    def _done(self, ticket: int, is_answered: bool) -> None:
        if is_answered:
            self._complete(ticket)
        else:
            self.n_errors += 1
            self._client.call_later(self._late_s, self._complete, ticket)

    def _complete(self, ticket: int) -> None:
        self._lg.QuerySamplesComplete([self._lg.QuerySampleResponse(ticket, 0, 0)])


def is_running() -> bool:
    """Whether LoadGen runs, which nothing can stop, and under which an interpreter cannot be taken down."""
    return _RUNNING.locked()


def _run_beside(run: Callable[[], None]) -> None:
    """Run LoadGen on a thread of its own: so a signal is heard at once, and what it raises crashes no LoadGen (#5)."""
    has_ended, faults = threading.Event(), list[Exception]()

    def run_whole() -> None:
        try:
            with _RUNNING:
                run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it was asked for
            faults.append(error)
        finally:
            has_ended.set()

    threading.Thread(target=run_whole, daemon=True).start()
    while not has_ended.wait(_POLL_S):  # without a bound it could sleep through a signal that came between
        pass
    if faults:
        raise faults[0]


def _tell_latency(log: Json, n_queries: int) -> Json:
    """Percentiles that LoadGen counted, where it saw enough for each."""
    told: Json = {"n": n_queries}
    names = {50: "50.00", 90: "90.00", 95: "95.00", 99: "99.00"}
    for percent, least in MIN_MEASUREMENTS.items():
        value = log.get(f"result_{names[percent]}_percentile_latency_ns")
        told[f"p{percent}_ms"] = round(value / 1e6, 3) if value is not None and n_queries >= least else None
    return told


def _judge(log: Json, plan: Plan, sut: _Sut) -> tuple[str, str | None]:
    """LoadGen's verdict and why; INVALID where answers are missing that no bound of latency makes late.

    A server that refuses is quick: counted as done, its refusals would make the rate that is offered to it too high.
    """
    verdict, reasons = str(log["result_validity"]), log.get("result_invalid_reason")
    if plan.scenario is Scenario.SERVER or not sut.n_errors:
        return verdict, reasons
    missing = f"{sut.n_errors} of {sut.n_samples} requests were not answered with 200"
    return "INVALID", f"{reasons.strip()} {missing}" if reasons else missing


def run_loadgen(plan: Plan, client: LoadClient, *, n_texts: int, keep: Path | None = None) -> Json:
    """Run one scenario to its end.

    Args:
        plan: scenario, rate, bound and length.
        client: sends the requests.
        n_texts: how many bodies the client has.
        keep: a folder for LoadGen's own logs; None to throw them away.

    Returns:
        The verdict and why, the latencies that enough queries carry, the rate of answers, and how many requests had
        none with status 200. Where such have no bound to be late by (offline, single-stream), the verdict is INVALID.

    Raises:
        MissingExtraError: LoadGen is not installed.
        BenchError: the rate is not above 0, or LoadGen ended without a verdict.
        FileWriteError: its logs have no place.
    """
    lg = import_loadgen()
    settings = _make_settings(lg, plan)
    sut = _Sut(lg, client, late_s=_LATE_FACTOR * plan.slo_ms / 1e3)
    client.lags_ms.clear()
    with tempfile.TemporaryDirectory(prefix="twohands-bench-") as place:
        folder = keep or Path(place)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileWriteError(f"LoadGen's logs cannot be written into {folder}: {error}") from error
        output = lg.LogOutputSettings()
        output.outdir = str(folder)
        output.copy_summary_to_stdout = False
        log_settings = lg.LogSettings()
        log_settings.log_output = output
        log_settings.enable_trace = False
        handle = lg.ConstructSUT(sut.issue, lambda: None)
        library = lg.ConstructQSL(n_texts, n_texts, lambda _: None, lambda _: None)
        started_s, cpu_s = time.perf_counter(), time.process_time()
        audit = str(folder / "audit.config")
        try:
            _run_beside(lambda: lg.StartTestWithLogSettings(handle, library, settings, log_settings, audit))
        finally:
            sut.is_left = True
            if not is_running():
                lg.DestroyQSL(library)
                lg.DestroySUT(handle)
        spent_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
        log = read_log(folder)
    rates = ("result_completed_samples_per_sec", "result_samples_per_second")
    done_qps = next((log[key] for key in rates if key in log), sut.n_samples / spent_s)
    verdict, reasons = _judge(log, plan, sut)
    return {
        "scenario": str(plan.scenario),
        "verdict": verdict,
        "reasons": reasons,
        "complaints": log["errors"],
        "target_qps": plan.rate_qps if plan.scenario is Scenario.SERVER else None,
        "qps": done_qps * (1 - sut.n_errors / max(1, sut.n_samples)),
        "slo_ms": plan.slo_ms if plan.scenario is Scenario.SERVER else None,
        "latency": None if plan.scenario is Scenario.OFFLINE else _tell_latency(log, sut.n_samples),
        "n_samples": sut.n_samples,
        "n_errors": sut.n_errors,
        "seconds": round(spent_s, 2),
        "client": {
            "cpu_ms_per_request": 1e3 * cpu_s / max(1, sut.n_samples),
            # Offline all are handed over at once, and wait for a connection: that is no lateness.
            "late_p99_ms": None if plan.scenario is Scenario.OFFLINE else tell_percentiles(client.lags_ms)["p99_ms"],
        },
    }
