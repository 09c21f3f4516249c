"""Owns the command `bench server`: LoadGen against a server, the search for the highest rate, and the tables."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from evaluation.bench.client import LoadClient, make_bodies, measure_client
from evaluation.bench.loadgen import Plan, Scenario, import_loadgen, run_loadgen
from evaluation.bench.machine import describe_machine
from evaluation.bench.options import DATA, JSON, MODEL, REPORT, SEED, check_report, choose_texts, write_report
from evaluation.bench.quantiles import MIN_MEASUREMENTS, say_ms
from evaluation.bench.served import MEMORY_KIND, Served, describe_idle, import_psutil, make_serve_command, run_server
from evaluation.options import VariadicCommand, describe_command, list_versions
from evaluation.progress import show_progress
from evaluation.tables import WIDTH
from twohands.classifier import Classifier
from twohands.errors import BenchError
from twohands.locate import find_model

Json = dict[str, Any]
_OFFLINE_CONNECTIONS = 64
_MAX_CONNECTIONS = 512
_N_CLIENT_REQUESTS = 2000
_IDLE_S = 15.0  # CPU time is told in ticks of 10 ms: in 5 s one more would be .2% of a CPU
_N_OFFLINE_TRIES = 3
_N_MODEL_ROUNDS = 3
_AT_BAR = 0.7
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


def search_rate(try_rate: Callable[[float], Json], *, offline_qps: float, n_steps: int) -> list[Json]:
    """Halve the range of rates until the highest VALID one is near.

    Args:
        try_rate: runs LoadGen at a rate.
        offline_qps: what the server does when it is never idle: no rate above it can hold.
        n_steps: runs in all.

    Returns:
        Every run, in the order it was made; the first at 70% of the offline rate.
    """
    low, high = 0.0, offline_qps
    rate, runs = _AT_BAR * offline_qps, []
    for _ in range(n_steps):
        run = try_rate(rate)
        runs.append(run)
        low, high = (rate, high) if run["verdict"] == "VALID" else (low, rate)
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


def _print_client(console: Console, report: Mapping[str, Any]) -> None:
    """What the load itself took: it stands on the same CPUs unless --url says otherwise."""
    console.print("\n[bold]the client[/bold], LoadGen and all; how late it was to send what was due")
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for place, heading in enumerate(("scenario", "asked/s", "CPU ms each", "late p99 ms")):
        table.add_column(heading, justify="right" if place else "left")
    for run in report["runs"]:
        took, is_offline = run["client"], run["scenario"] == str(Scenario.OFFLINE)
        asked = "" if run["target_qps"] is None else f"{run['target_qps']:.1f}"
        late = "" if is_offline else say_ms(took["late_p99_ms"])
        table.add_row(run["scenario"], asked, f"{took['cpu_ms_per_request']:.2f}", late)
    console.print(table)
    alone = report["client"]
    console.print(
        f"without LoadGen, against a server that only says yes: {alone['requests_per_s']:,.0f}/s at "
        f"{alone['cpu_ms_per_request']:.2f} ms of CPU each"
    )


def print_server(report: Mapping[str, Any]) -> None:
    """Print the tables of a report in 80 columns.

    Args:
        report: of `bench server`.
    """
    console = Console(width=WIDTH, highlight=False)
    machine, texts, server = report["machine"], report["texts"], report["server"]
    model = server["model"]
    each = f"{server['threads']} thread{'s'[: server['threads'] != 1]} a process"
    console.print(f"{model['name']} {model['version']} ({model['sha256'][:12]}), {each}")
    console.print(f"commit {machine['commit'] or 'unknown'}; {machine['cpu_model']}, {machine['cpus_granted']} CPUs")
    console.print(f"texts: {texts['source']}: {texts['n_texts']}, {texts['tokens_mean']} tokens on average\n")
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    headings = ("scenario", "asked/s", "done/s", "verdict", "n", "errors", "p50 ms", "p90", "p99", "CPU ms")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    for run in report["runs"]:
        late = run["latency"]
        cpu_ms = run["server_cpu_ms_per_request"]
        table.add_row(
            run["scenario"],
            "" if run["target_qps"] is None else f"{run['target_qps']:.1f}",
            f"{run['qps']:.1f}",
            run["verdict"],
            f"{run['n_samples']:,}",
            str(run["n_errors"]),
            *(
                ("", "", "")
                if late is None
                else (say_ms(late["p50_ms"]), say_ms(late["p90_ms"]), say_ms(late["p99_ms"]))
            ),
            "" if cpu_ms is None else f"{cpu_ms:.1f}",
        )
    console.print(table)
    console.print()
    if "highest_valid_qps" in report:
        found, bound = report["highest_valid_qps"], f"{report['slo_ms']:g} ms at the 99th percentile"
        said = "no rate that was tried is VALID" if found is None else f"highest VALID rate {found:.1f}/s"
        console.print(f"{said} for {bound}; offline {report['offline_qps']:.1f}/s")
    for run in report["runs"]:
        if run["reasons"]:
            asked = "" if run["target_qps"] is None else f" {run['target_qps']:.1f}/s"
            console.print(f"{run['scenario']}{asked}: {run['reasons'].strip()}")
    if server["ready_s"] is not None:
        ready_mb, after_mb = server["memory_ready_mb"], server["memory_after_mb"]
        several = f", {len(after_mb)} processes" if len(after_mb) > 1 else ""
        console.print(
            f"ready after {server['ready_s']:.2f} s; memory {sum(ready_mb):.0f} MB then, {sum(after_mb):.0f} MB after "
            f"the load ({server['memory_kind'].upper()}{several}); "
            f"idle {describe_idle(server['idle_cpu_share'], server['idle_seconds'])}"
        )
    if report["overhead_share"] is not None:
        alone = f"{report['model_cpu_ms']:.1f} ms alone, before the server was started"
        if report["model_cpu_ms_served"] is None:
            said = f"the model takes {alone}"
        else:
            said = f"the model's runs take {report['model_cpu_ms_served']:.1f} ms, as the server counts them ({alone})"
        console.print(
            f"of {report['offline_cpu_ms']:.1f} ms of CPU that a request takes (offline) {said}; the service around "
            f"it {report['overhead_share']:.1%}"
        )
    if report["first_failure"]:
        console.print(f"first failure: {report['first_failure']}", markup=False)
    _print_client(console, report)


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
        `runs`, `offline_qps`, `offline_cpu_ms` and `model_cpu_ms_served` (of the server, and of its model's runs, a
        request; None where it cannot be known), and for the server scenario `highest_valid_qps`.
    """
    runs: list[Json] = []
    least = MIN_MEASUREMENTS[99]

    def run(kind: Scenario, rate: float, run_seconds: float) -> Json:
        plan = Plan(kind, rate, slo_ms, run_seconds, least)
        sender = offline_client if kind is Scenario.OFFLINE else client
        measured = _measure(served, sender, plan, n_texts=n_texts, logs=logs, number=len(runs))
        runs.append(measured)
        return measured

    with show_progress("under load", 3 + n_steps) as advance:
        # A first guess sizes the one query of the offline scenario; what it measures is thrown away.
        expected = run(Scenario.OFFLINE, 50.0, min(2.0, seconds))["qps"] * _MARGIN
        runs.clear()
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
        "offline_qps": offline_qps,
        "offline_cpu_ms": offline["server_cpu_ms_per_request"],
        "model_cpu_ms_served": offline["model_cpu_ms_per_request"],
    }
    if scenario is Scenario.SERVER:
        valid = [one["target_qps"] for one in runs if one["target_qps"] is not None and one["verdict"] == "VALID"]
        found["highest_valid_qps"] = max(valid, default=None)
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


@click.command(
    cls=VariadicCommand,
    epilog="Example: twohands bench server --model twohands --slo-ms 130 --report out/",
)
@click.option("--url", metavar="URL", help="A server that is up; without it one is started with --model, and ended.")
@MODEL
@DATA
@click.option(
    "--scenario",
    type=click.Choice([str(kind) for kind in Scenario]),
    default=str(Scenario.SERVER),
    show_default=True,
    help="server: at random times at a rate; offline: all at once; single-stream: each after the one before.",
)
@click.option(
    "--slo-ms", type=click.FloatRange(0, min_open=True), default=130.0, show_default=True, help="Bound at p99."
)
@click.option("--rate", "rate_qps", type=click.FloatRange(0, min_open=True), help="Requests a second; default: search.")
@click.option("--steps", "n_steps", type=click.IntRange(1), default=5, show_default=True, help="Runs of the search.")
@click.option("--seconds", type=click.FloatRange(1), default=20.0, show_default=True, help="Of each run, at least.")
@click.option("--threads", type=click.IntRange(1), help="Of the server that is started; default: all that are free.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes of that server.")
@click.option("--n-texts", type=click.IntRange(8), default=256, show_default=True, help="Different paragraphs.")
@SEED
@JSON
@REPORT
@click.pass_context
def server(
    ctx: click.Context,
    *,
    url: str | None,
    model: str | None,
    data: tuple[Path, ...],
    scenario: str,
    slo_ms: float,
    rate_qps: float | None,
    n_steps: int,
    seconds: float,
    threads: int | None,
    workers: int,
    n_texts: int,
    seed: int,
    as_json: bool,
    report: Path | None,
) -> None:
    """Put a server under load with MLPerf LoadGen.

    Open loop: requests arrive at random times (Poisson) whether or not earlier ones were answered, and latency runs
    from the time a request was due. LoadGen says VALID or INVALID; a request that is refused or fails counts as late.
    Without --rate the highest VALID rate is looked for, first at 70% of the offline rate. (Official MLPerf runs last
    at least ten minutes: --seconds 600.)

    A p99 of fewer than 662 requests is not printed. The client runs on the same machine unless --url says otherwise,
    and takes CPU from the server: how much is told for each run, and how late the client itself was.
    """
    import_loadgen()
    import_psutil()
    check_report(report)
    machine = describe_machine()
    folder = find_model(model)
    classifier = Classifier.load(folder, num_threads=1)
    texts, described = choose_texts(classifier.encoder, data, n_texts=n_texts, seed=seed)
    model_cpu_ms = measure_model_cpu(classifier, texts)
    classifier.close()
    bodies = make_bodies(texts)
    client_alone = measure_client(bodies, n_requests=_N_CLIENT_REQUESTS, n_clients=_OFFLINE_CONNECTIONS)
    command = make_serve_command(str(folder.resolve()), threads=threads, workers=workers)
    kind, idle_s = Scenario(scenario), min(_IDLE_S, seconds)
    with nullcontext(Served(url)) if url else run_server(command, marker="twohands serves") as served:
        memory_ready_mb = served.read_memory_mb()
        idle = None if url else served.measure_idle(idle_s)
        client = LoadClient(served.url, bodies, max_connections=_MAX_CONNECTIONS)
        offline_client = LoadClient(served.url, bodies, max_connections=_OFFLINE_CONNECTIONS)
        try:
            client.check()
            told = client.get_json("/info")
            if not isinstance(told.get("model"), dict):
                raise BenchError(f"{served.url}/info names no model; expected a twohands server")
            found = run_scenarios(
                served, client, offline_client, scenario=kind, rate_qps=rate_qps, slo_ms=slo_ms, seconds=seconds,
                n_steps=n_steps, n_texts=len(texts), logs=report,
            )  # fmt: skip
            failure = offline_client.first_failure or client.first_failure
        finally:
            client.close()
            offline_client.close()
        memory_after_mb = served.read_memory_mb()
    overhead = share_overhead(found, alone_cpu_ms=model_cpu_ms, runtime=str(told.get("runtime", "onnxruntime")))
    figures: Json = {
        "server": {
            "url": served.url,
            "model": told.get("model"),
            "threads": told.get("threads"),
            "workers": None if url else workers,
            "versions": told.get("versions"),
            "ready_s": served.ready_s,
            "memory_ready_mb": memory_ready_mb,
            "memory_after_mb": memory_after_mb,
            "memory_kind": MEMORY_KIND,
            "idle_cpu_share": idle,
            "idle_seconds": None if url else idle_s,
        },
        "machine": machine,
        "texts": described,
        "slo_ms": slo_ms,
        **found,
        "first_failure": failure or None,
        "model_cpu_ms": model_cpu_ms,
        **overhead,
        "client": client_alone,
        "versions": list_versions("mlcommons-loadgen", "aiohttp"),
        "command": describe_command(ctx),
    }
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        print_server(figures)
    write_report(report, "server.json", figures)
