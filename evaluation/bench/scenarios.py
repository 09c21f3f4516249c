"""Owns which runs are made against a server, at which rates, and what of a request's CPU is the service itself."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.bench.client import LoadClient
from evaluation.bench.loadgen import Plan, Scenario, run_loadgen
from evaluation.bench.quantiles import MIN_MEASUREMENTS
from evaluation.bench.served import GRACE_S, Served
from evaluation.progress import show_progress
from twohands.classifier import Classifier
from twohands.errors import BenchError

Json = dict[str, Any]
OFFLINE_CONNECTIONS = 64
"""Requests that are under way at once in the offline scenario: enough that the server is never idle."""
_WARM_UP_QPS, _WARM_UP_S = 50.0, 2.0
_N_OFFLINE_TRIES = 3
_N_MODEL_ROUNDS = 3
_AT_BAR = 0.7
_NEAR_TOP, _MORE = 0.9, 1.25
_KEPT_UP = 0.95  # what arrives by chance differs from what was asked for, by 662 arrivals mostly by less than 4%
_MODEL_CPU = "twohands_model_cpu_seconds_total"
_MARGIN = 1.15  # LoadGen makes its queries before it begins; with too few it ends early and says INVALID


def measure_model_cpu(classifier: Classifier, texts: list[str]) -> float:
    """CPU milliseconds that the model alone takes for a paragraph, one thread, no service around it.

    Args:
        classifier: on one thread.
        texts: what the server is asked.

    Returns:
        The least of three rounds, so that a neighbour's noise is not taken for the model's cost.
    """
    encoded = [classifier.encoder.encode(text) for text in texts]
    classifier.predict_logits(encoded)
    rounds = []
    for _ in range(_N_MODEL_ROUNDS):
        started_s = time.process_time()
        classifier.predict_logits(encoded)
        rounds.append(time.process_time() - started_s)
    return 1e3 * min(rounds) / len(texts)


def _keeps_up(run: Mapping[str, Any]) -> bool:
    """Say whether a run answered as fast as it was asked.

    A bound of seconds is met for a while beyond what a server can do: its queue grows, and the run ends before that is
    late. LoadGen calls that VALID.

    Args:
        run: of the server scenario, by `run_loadgen`.

    Returns:
        Whether its answers a second are 95% of what was asked for, or more.
    """
    return float(run["qps"]) >= _KEPT_UP * float(run["target_qps"])


def is_held(run: Mapping[str, Any], *, offline_qps: float) -> bool:
    """Say whether a rate counts as one that the server holds.

    Args:
        run: of the server scenario, by `run_loadgen`.
        offline_qps: what the server does when it is never idle; up to that, what is VALID can go on.

    Returns:
        Whether it is VALID, and above the offline rate kept up with as well.
    """
    return run["verdict"] == "VALID" and (run["target_qps"] <= offline_qps or _keeps_up(run))


def search_rate(try_rate: Callable[[float], Json], *, offline_qps: float, n_steps: int) -> list[Json]:
    """Halve the range of rates until the highest VALID one is near that the server keeps up with.

    Args:
        try_rate: runs LoadGen at a rate.
        offline_qps: what the server does when it is never idle, but for what that run was hindered by: the top is
            raised where rates near to it hold, are kept up with, and none has failed.
        n_steps: runs in all.

    Returns:
        Every run, in the order it was made; the first at 70% of the offline rate.
    """
    low, high, has_failed = 0.0, offline_qps, False
    rate, runs = _AT_BAR * offline_qps, []
    for _ in range(n_steps):
        run = try_rate(rate)
        runs.append(run)
        if not is_held(run, offline_qps=offline_qps):
            high, has_failed = rate, True
        else:
            low = rate
            high *= _MORE if rate >= _NEAR_TOP * high and not has_failed and _keeps_up(run) else 1.0
        rate = (low + high) / 2
    return runs


def _share_out(before_s: float | None, after_s: float | None, run: Mapping[str, Any]) -> float | None:
    """Milliseconds of each request; None where they are not known, or where some were refused, at next to no cost."""
    if before_s is None or after_s is None or run["n_errors"]:
        return None
    return 1e3 * (after_s - before_s) / float(run["n_samples"])


def _measure(served: Served, client: LoadClient, plan: Plan, *, n_texts: int, logs: Path | None, number: int) -> Json:
    model_before_s, before_s = client.read_counter(_MODEL_CPU), served.read_cpu_s()
    keep = None if logs is None else logs / "loadgen" / f"{number:02}-{plan.scenario}"
    run = run_loadgen(plan, client, n_texts=n_texts, keep=keep)
    after_s, model_after_s = served.read_cpu_s(), client.read_counter(_MODEL_CPU)
    run["server_cpu_ms_per_request"] = _share_out(before_s, after_s, run)
    run["model_cpu_ms_per_request"] = _share_out(model_before_s, model_after_s, run)
    return run


def _check_served(served: Served, sender: LoadClient, measured: Mapping[str, Any]) -> None:
    """End here where a server has gone, which is no slow one; with what failed first."""
    failed = f"; the first failure: {sender.first_failure}" if sender.first_failure else ""
    # One that died amid a run has answered some, at a rate so low that the next run would last for minutes (#5).
    try:
        served.check_alive(within_s=GRACE_S if measured["n_errors"] else 0)
        if measured["n_errors"]:  # of a server that was up already no process is known
            sender.check_there()
    except BenchError as error:
        raise BenchError(f"{error}{failed}") from error
    # At a rate of 0 LoadGen would ask for ever, or divide by it (#5).
    if not measured["qps"]:
        n_asked = f"{measured['n_samples']} requests ({measured['scenario']})"
        raise BenchError(f"{served.url} answered none of {n_asked}{failed}")


def find_highest(runs: Sequence[Mapping[str, Any]], *, offline_qps: float) -> float | None:
    """The highest rate of some runs that the server held; None where it held none."""
    asked = [run for run in runs if run["target_qps"] is not None]
    return max((run["target_qps"] for run in asked if is_held(run, offline_qps=offline_qps)), default=None)


def run_scenarios(
    served: Served,
    client: LoadClient,
    offline_client: LoadClient,
    *,
    scenario: Scenario,
    rate_qps: float | None,
    slo_ms: float,
    seconds: float,
    n_steps: int,
    n_texts: int,
    logs: Path | None,
) -> Json:
    """Run what is asked for; always offline first, since that says what the server can do.

    Args:
        served: the server.
        client: opens as many connections as arrivals need.
        offline_client: opens few, so that the server is never idle and never refuses.
        scenario: which.
        rate_qps: of the server scenario; None to search.
        slo_ms: the bound of the server scenario.
        seconds: of each run, at least.
        n_steps: of the search.
        n_texts: bodies that the client has.
        logs: a folder for LoadGen's logs.

    Returns:
        `runs`, `warm_up` (a first run, which counts for nothing), `offline_qps`, `offline_connections`,
        `offline_cpu_ms` and `model_cpu_ms_served` (of the server, and of its model's runs, a request; None where it
        cannot be known), `first_failure` of all runs, and for the server scenario `highest_valid_qps`.

    Raises:
        BenchError: not one request of a run was answered, or the server has ended; with what failed first in that run.
    """
    runs: list[Json] = []
    failures: list[str] = []
    least = MIN_MEASUREMENTS[99]

    def run(kind: Scenario, rate: float, run_seconds: float) -> Json:
        plan = Plan(kind, rate, slo_ms, run_seconds, least)
        sender = offline_client if kind is Scenario.OFFLINE else client
        sender.first_failure = ""  # what an earlier run was refused is not why this one fails
        measured = _measure(served, sender, plan, n_texts=n_texts, logs=logs, number=len(runs))
        measured["first_failure"] = sender.first_failure or None
        failures.append(sender.first_failure)
        _check_served(served, sender, measured)
        runs.append(measured)
        return measured

    with show_progress("under load", 3 + n_steps) as advance:
        # A first guess sizes the one query of the offline scenario; what it measures is thrown away.
        warm_up = run(Scenario.OFFLINE, _WARM_UP_QPS, min(_WARM_UP_S, seconds))
        runs.clear()
        expected = warm_up["qps"] * _MARGIN
        advance(1)
        # On a machine that others use it may be faster now: too small a query ends early, which LoadGen calls INVALID.
        for _ in range(_N_OFFLINE_TRIES):
            offline = run(Scenario.OFFLINE, expected, seconds)
            if offline["verdict"] == "VALID" or offline["n_errors"]:
                break
            expected = offline["qps"] * 1.5
        offline_qps = offline["qps"]
        advance(1)
        if scenario is Scenario.SINGLE_STREAM:
            run(scenario, offline_qps * 4, seconds)
        elif scenario is Scenario.SERVER and rate_qps is not None:
            run(scenario, rate_qps, seconds)
        elif scenario is Scenario.SERVER:

            def try_rate(rate: float) -> Json:
                measured = run(Scenario.SERVER, rate, seconds)
                advance(1)
                return measured

            search_rate(try_rate, offline_qps=offline_qps, n_steps=n_steps)
    found: Json = {
        "runs": runs,
        "warm_up": {key: warm_up[key] for key in ("scenario", "qps", "n_samples", "seconds")},
        "offline_connections": OFFLINE_CONNECTIONS,
        "offline_qps": offline_qps,
        "offline_cpu_ms": offline["server_cpu_ms_per_request"],
        "model_cpu_ms_served": offline["model_cpu_ms_per_request"],
        "first_failure": next(filter(None, failures), None),
    }
    if scenario is Scenario.SERVER:
        found["highest_valid_qps"] = find_highest(runs, offline_qps=offline_qps)
    return found


def share_overhead(found: Mapping[str, Any], *, alone_cpu_ms: float, runtime: str) -> Json:
    """Tell what share of a request's CPU time is the service around the model.

    What a run costs hangs on what the other threads do, so the server's own count says more than a model at rest, which
    stands in for it where the server counts nothing. OpenVINO computes on threads of its own, which no count holds: by
    either figure the share would be wrong, so there is none.

    Args:
        found: by `run_scenarios`.
        alone_cpu_ms: by `measure_model_cpu`.
        runtime: what the server says runs its model.

    Returns:
        `model_cpu_ms_served` in milliseconds a request and `overhead_share` from 0 to 1; None where it is not known.
    """
    asked_ms, served_ms = found["offline_cpu_ms"], found["model_cpu_ms_served"]
    if not runtime.startswith("onnxruntime"):
        return {"model_cpu_ms_served": None, "overhead_share": None}
    share = None if asked_ms is None else 1 - (alone_cpu_ms if served_ms is None else served_ms) / asked_ms
    return {"model_cpu_ms_served": served_ms, "overhead_share": share}
