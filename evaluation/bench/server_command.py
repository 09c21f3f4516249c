"""Owns the command `bench server`: options in, LoadGen against a server, and how its figures look in a terminal."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from evaluation.bench.client import LoadClient, make_bodies, measure_client, part_url
from evaluation.bench.loadgen import Scenario, import_loadgen
from evaluation.bench.machine import add_load_after, describe_machine
from evaluation.bench.options import (
    DATA,
    JSON,
    MODEL,
    N_TEXTS_HELP,
    REPORT,
    SEED,
    check_report,
    choose_texts,
    write_report,
)
from evaluation.bench.quantiles import say_ms
from evaluation.bench.scenarios import (
    OFFLINE_CONNECTIONS,
    is_held,
    measure_model_cpu,
    run_scenarios,
    share_overhead,
)
from evaluation.bench.served import MEMORY_KIND, Served, describe_idle, import_psutil, make_serve_command, run_server
from evaluation.options import VariadicCommand, describe_command, list_versions, tell_figures
from evaluation.tables import WIDTH
from twohands.classifier import Classifier
from twohands.errors import BenchError
from twohands.locate import find_model
from twohands.transport import clean_key

Json = dict[str, Any]
_MAX_CONNECTIONS = 512
_N_CLIENT_REQUESTS = 2000
_IDLE_S = 15.0  # CPU time is told in ticks of 10 ms: in 5 s one more would be .2% of a CPU
_KEY = "TWOHANDS_API_KEY"


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


def _print_highest(console: Console, report: Mapping[str, Any]) -> None:
    found, bound = report["highest_valid_qps"], f"{report['slo_ms']:g} ms at the 99th percentile"
    said = "no rate that was tried is VALID and held" if found is None else f"highest VALID rate {found:.1f}/s"
    console.print(f"{said} for {bound}")
    for run in report["runs"]:
        asked_qps = run["target_qps"]
        is_valid = asked_qps is not None and run["verdict"] == "VALID"
        if is_valid and not is_held(run, offline_qps=report["offline_qps"]):
            console.print(f"VALID at {asked_qps:.1f}/s does not count: only {run['qps']:.1f}/s were answered")


def _print_subject(console: Console, report: Mapping[str, Any]) -> None:
    machine, texts, server = report["machine"], report["texts"], report["server"]
    model = server["model"]
    each = f"{server['threads']} thread{'s'[: server['threads'] != 1]} a process"
    console.print(f"{model['name']} {model['version']} ({model['sha256'][:12]}), {each}")
    where = "" if server["workers"] else "measured from "  # with --url the server's own machine is not known
    here = f"{machine['cpu_model']}, {machine['cpus_granted']} CPUs"
    console.print(f"{where}commit {machine['commit'] or 'unknown'}; {here}")
    console.print(f"texts: {texts['source']}: {texts['n_texts']}, {texts['tokens_mean']} tokens on average\n")


def _print_runs(console: Console, report: Mapping[str, Any]) -> None:
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


def _print_costs(console: Console, report: Mapping[str, Any]) -> None:
    server = report["server"]
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


def _print_server(report: Mapping[str, Any]) -> None:
    """Print the tables of a report in 80 columns.

    Args:
        report: of `bench server`.
    """
    console = Console(width=WIDTH, highlight=False)
    _print_subject(console, report)
    _print_runs(console, report)
    console.print()
    if "highest_valid_qps" in report:
        _print_highest(console, report)
    warm_up = report["warm_up"]
    console.print(
        f"offline {report['offline_qps']:.1f}/s, {report['offline_connections']} requests under way at once; a first "
        f"offline run of {warm_up['seconds']:.0f} s was warm-up and is not shown"
    )
    for run in report["runs"]:
        if run["reasons"]:
            asked = "" if run["target_qps"] is None else f" {run['target_qps']:.1f}/s"
            console.print(f"{run['scenario']}{asked}: {run['reasons'].strip()}")
    _print_costs(console, report)
    if report["first_failure"]:
        console.print(f"first failure: {report['first_failure']}", markup=False)
    _print_client(console, report)


def _check_effect(ctx: click.Context, *, has_url: bool, kind: Scenario, has_rate: bool) -> None:
    """Refuse options that change nothing: who gives one believes that it was measured so.

    Args:
        ctx: of this call.
        has_url: whether a server is up.
        kind: of the runs.
        has_rate: whether there is no search.

    Raises:
        UsageError: such an option was given.
    """
    idle: dict[str, str] = {}
    if has_url:
        idle |= dict.fromkeys(("threads", "workers"), "a server that is started, and --url names one that is up")
    if has_rate:
        idle["n_steps"] = "the search, and --rate leaves nothing to look for"
    if kind is not Scenario.SERVER:
        idle |= dict.fromkeys(("rate_qps", "slo_ms", "n_steps"), f"--scenario {Scenario.SERVER}, not {kind}")
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in idle and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"{parameter.opts[0]} is for {idle[name]}")


@click.command(
    cls=VariadicCommand,
    epilog="Example: twohands bench server --model twohands --slo-ms 130 --report out/",
)
@click.option("--url", metavar="URL", help=f"A server that is up, its key in {_KEY}; else --model is served.")
@MODEL
@DATA
@click.option(
    "--scenario",
    type=click.Choice([str(kind) for kind in Scenario]),
    default=str(Scenario.SERVER),
    show_default=True,
    help=f"server: at random times at a rate; offline: all at once, {OFFLINE_CONNECTIONS} under way at a time; "
    "single-stream: each after the one before.",
)
@click.option(
    "--slo-ms", type=click.FloatRange(0, min_open=True), default=130.0, show_default=True, help="Bound at p99."
)
@click.option("--rate", "rate_qps", type=click.FloatRange(0, min_open=True), help="Requests a second; default: search.")
@click.option("--steps", "n_steps", type=click.IntRange(1), default=5, show_default=True, help="Runs of the search.")
@click.option("--seconds", type=click.FloatRange(1), default=20.0, show_default=True, help="Of each run, at least.")
@click.option("--threads", type=click.IntRange(1), help="Of the server that is started; default: all that are free.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes of that server.")
@click.option("--n-texts", type=click.IntRange(8), default=256, show_default=True, help=N_TEXTS_HELP)
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
    The first two runs are offline, of which one is a warm-up and does not count. Without --rate the highest VALID
    rate is looked for then, beginning at 70% of the offline rate. Above the offline rate one counts only where the run
    answered at least 95% of it each second: with a long --slo-ms a queue may grow to the end of a run and nothing is
    late yet. (Official MLPerf runs last at least ten minutes: --seconds 600.)

    A p99 of fewer than 662 requests is not printed. The client runs on the same machine unless --url says otherwise,
    and takes CPU from the server: how much is told for each run, and how late the client itself was. With --url
    processor, load and commit are those of the machine that asks.
    """
    kind = Scenario(scenario)
    _check_effect(ctx, has_url=url is not None, kind=kind, has_rate=rate_qps is not None)
    key = clean_key(os.environ.get(_KEY, "")) if url else ""
    url, userinfo = part_url(url) if url else (url, "")
    ctx.params["url"] = url  # the report repeats the command
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
    client_alone = measure_client(bodies, n_requests=_N_CLIENT_REQUESTS, n_clients=OFFLINE_CONNECTIONS)
    command = make_serve_command(str(folder.resolve()), threads=threads, workers=workers)
    idle_s = min(_IDLE_S, seconds)
    with nullcontext(Served(url)) if url else run_server(command, marker="twohands serves") as served:
        memory_ready_mb = served.read_memory_mb()
        idle = None if url else served.measure_idle(idle_s)
        client = LoadClient(served.url, bodies, max_connections=_MAX_CONNECTIONS, key=key, userinfo=userinfo)
        offline_client = LoadClient(served.url, bodies, max_connections=OFFLINE_CONNECTIONS, key=key, userinfo=userinfo)
        try:
            client.check()
            told = client.get_json("/info")
            if not isinstance(told.get("model"), dict):
                raise BenchError(f"{served.url}/info names no model; expected a twohands server")
            found = run_scenarios(
                served, client, offline_client, scenario=kind, rate_qps=rate_qps, slo_ms=slo_ms, seconds=seconds,
                n_steps=n_steps, n_texts=len(texts), logs=report,
            )  # fmt: skip
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
        "machine": add_load_after(machine),
        "texts": described,
        "slo_ms": slo_ms,
        **found,
        "model_cpu_ms": model_cpu_ms,
        **overhead,
        "client": client_alone,
        "versions": list_versions("mlcommons-loadgen", "aiohttp"),
        "command": describe_command(ctx),
    }
    tell_figures(figures, _print_server, as_json=as_json)
    write_report(report, "server.json", figures)
