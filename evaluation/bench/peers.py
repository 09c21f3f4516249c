"""Owns the races: engines in bulk and one at a time, servers at several numbers of clients, each in turn by rounds."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from evaluation.bench.client import LoadClient
from evaluation.bench.closed_loop import drive
from evaluation.bench.engines import Engine, Peer, probe
from evaluation.bench.quantiles import median, tell_percentiles
from evaluation.bench.roster import TEXT, US, ServedPeer
from evaluation.bench.served import MEMORY_KIND, run_server
from twohands.errors import BenchError

Json = dict[str, Any]
Advance = Callable[[int], None]
_MAX_CONNECTIONS = 512


def find_present(
    peers: Sequence[Peer | ServedPeer], installs: Mapping[str, str]
) -> tuple[list[Any], list[dict[str, str]]]:
    """Part those that can be run from those that are not installed.

    Args:
        peers: all; ourselves first.
        installs: how each is had, by package.

    Returns:
        Those that can be run, and the names of the others with what to do.
    """
    present, absent = [], []
    for peer in peers:
        if peer.name == US or probe(peer.python, peer.package) is not None:
            present.append(peer)
        else:
            absent.append({"name": peer.name, "package": peer.package, "what_to_do": installs[peer.package]})
    return present, absent


def _relate(
    ours: Mapping[str, float | None], theirs: Mapping[str, float | None], key: str, *, is_time: bool
) -> float | None:
    mine, other = ours.get(key), theirs.get(key)
    if mine is None or other is None:
        return None
    return other / mine if is_time else mine / other


def race_engines(
    peers: Sequence[Peer],
    texts: Sequence[str],
    *,
    reference: np.ndarray[Any, Any] | None,
    n_rounds: int,
    n_alone: int,
    advance: Advance,
) -> tuple[list[Json], list[Json]]:
    """Race engines on the same texts, in turn.

    Args:
        peers: ourselves first.
        texts: for all.
        reference: our logits, shape `(n, n_labels)`, against which theirs are checked to be of the same weights.
        n_rounds: how often each runs all texts.
        n_alone: texts that are run one at a time in each round.
        advance: called with the number of steps done; there are `len(peers) * (n_rounds + 1)`.

    Returns:
        Figures of each, and those that broke.

    Raises:
        BenchError: we ourselves broke.
    """
    figures: list[Json] = []
    broken: list[Json] = []
    with ExitStack() as stack:
        engines: list[Engine] = []
        for peer in peers:
            try:
                engine = Engine(peer, texts)
            except BenchError as error:
                if peer.name == US:
                    raise
                broken.append({"name": peer.name, "reason": str(error)})
                advance(n_rounds + 1)
                continue
            stack.callback(engine.close)
            engines.append(engine)
        rows: dict[str, np.ndarray[Any, Any]] = {}
        bulk: dict[str, list[float]] = {}
        alone: dict[str, list[float]] = {}
        bulk_cpu: dict[str, list[float]] = {}
        alone_cpu: dict[str, list[float]] = {}
        for engine in engines:
            rows[engine.peer.name] = np.array(engine.read_rows())  # warms up, too
            engine.run_alone(min(8, n_alone))
            advance(1)
        for _ in range(n_rounds):
            for engine in engines:
                name = engine.peer.name
                seconds, cpu_s = engine.run_bulk()
                latencies_ms, cpu_ms = engine.run_alone(n_alone)
                bulk.setdefault(name, []).append(seconds)
                bulk_cpu.setdefault(name, []).append(1e3 * cpu_s / len(texts))
                alone.setdefault(name, []).extend(latencies_ms)
                alone_cpu.setdefault(name, []).extend(cpu_ms)
                advance(1)
        for engine in engines:
            name = engine.peer.name
            shape_fits = reference is not None and rows[name].shape == reference.shape
            figures.append(
                {
                    "name": name,
                    "configuration": engine.configuration,
                    "paragraphs_per_s": len(texts) / median(bulk[name]),
                    "bulk_seconds": bulk[name],
                    "bulk_cpu_ms": median(bulk_cpu[name]),
                    "latency": tell_percentiles(alone[name]),
                    "alone_cpu_ms": median(alone_cpu[name]),
                    "max_logit_difference": float(np.abs(rows[name] - reference).max()) if shape_fits else None,
                }
            )
    ours = figures[0]
    for one in figures[1:]:
        one["ours_bulk_ratio"] = _relate(ours, one, "paragraphs_per_s", is_time=False)
        one["ours_bulk_cpu_ratio"] = _relate(ours, one, "bulk_cpu_ms", is_time=True)
        one["ours_alone_cpu_ratio"] = _relate(ours, one, "alone_cpu_ms", is_time=True)
        one["ours_alone_ratio"] = _relate(ours["latency"], one["latency"], "p50_ms", is_time=True)
    return figures, broken


def _make_bodies(peer: ServedPeer, texts: Sequence[str]) -> list[bytes]:
    def fill(value: object, text: str) -> object:
        if isinstance(value, list):
            return [fill(item, text) for item in value]
        return text if value == TEXT else value

    return [json.dumps({key: fill(value, text) for key, value in peer.body.items()}).encode() for text in texts]


def _run_round(peer: ServedPeer, texts: Sequence[str], *, clients: Sequence[int], seconds: float) -> Json:
    """Start one server, warm it up, ask with each number of clients, end it."""
    health = None if peer.url is None else peer.url + peer.health
    with run_server(peer.command, timeout_s=180, marker="twohands serves", health_url=health) as served:
        client = LoadClient(served.url, _make_bodies(peer, texts), max_connections=_MAX_CONNECTIONS, path=peer.path)
        try:
            drive(client, n_clients=4, seconds=min(2.0, seconds), n_texts=len(texts))
            if client.n_failed:
                raise BenchError(f"{peer.name} refuses what it is sent: {client.first_failure}")
            measured = {}
            for n_clients in clients:
                before_s = served.read_cpu_s() or 0.0
                run = drive(client, n_clients=n_clients, seconds=seconds, n_texts=len(texts))
                run["cpu_s"] = (served.read_cpu_s() or 0.0) - before_s
                measured[n_clients] = run
            idle = served.measure_idle(min(3.0, seconds))
        finally:
            client.close()
        return {"clients": measured, "idle": idle, "memory_mb": sum(served.read_memory_mb()), "ready_s": served.ready_s}


def _sum_up(peer: ServedPeer, held: Sequence[Json], *, clients: Sequence[int]) -> Json:
    """Medians of the rounds of one server; latencies are pooled, so that there are enough for late percentiles.

    Where some requests failed there is neither a p99 nor a cost: a server that refuses is quick with what it takes.
    """
    by_clients: Json = {}
    for n_clients in clients:
        runs = [one["clients"][n_clients] for one in held]
        n_answered, n_failed = (sum(run[key] for run in runs) for key in ("n_answered", "n_failed"))
        latency = tell_percentiles([value for run in runs for value in run["latencies_ms"]])
        by_clients[str(n_clients)] = {
            "requests_per_s": median([run["n_answered"] / run["seconds"] for run in runs]),
            "latency": latency | ({"p99_ms": None} if n_failed else {}),
            "cpu_ms_per_request": None if n_failed else 1e3 * sum(run["cpu_s"] for run in runs) / n_answered,
            "n_failed": n_failed,
        }
    return {
        "name": peer.name,
        "configuration": peer.configuration,
        "clients": by_clients,
        "idle_cpu_share": median([one["idle"] for one in held]),
        "memory_mb": median([one["memory_mb"] for one in held]),
        "memory_kind": MEMORY_KIND,
        "ready_s": median([one["ready_s"] for one in held]),
    }


def race_servers(
    peers: Sequence[ServedPeer],
    texts: Sequence[str],
    *,
    clients: Sequence[int],
    n_rounds: int,
    seconds: float,
    advance: Advance,
) -> tuple[list[Json], list[Json]]:
    """Race servers: in each round every one is started, asked, and ended, so that none takes CPU from another.

    Args:
        peers: ourselves first.
        texts: one a request, in turn.
        clients: numbers of clients that ask at the same time.
        n_rounds: how often.
        seconds: for each number of clients.
        advance: called with the number of steps done; there are `len(peers) * n_rounds`.

    Returns:
        Figures of each, and those that broke.

    Raises:
        BenchError: we ourselves broke.
    """
    rounds: dict[str, list[Json]] = {peer.name: [] for peer in peers}
    broken: dict[str, str] = {}
    for _ in range(n_rounds):
        for peer in peers:
            if peer.name not in broken:
                try:
                    rounds[peer.name].append(_run_round(peer, texts, clients=clients, seconds=seconds))
                except BenchError as error:
                    if peer.name == US:
                        raise
                    broken[peer.name] = str(error)
            advance(1)
    figures = [_sum_up(peer, rounds[peer.name], clients=clients) for peer in peers if peer.name not in broken]
    for one in figures[1:]:
        for n_clients, row in one["clients"].items():
            ours = figures[0]["clients"][n_clients]
            failed = bool(ours["n_failed"] or row["n_failed"])
            row["ours_throughput_ratio"] = None if failed else _relate(ours, row, "requests_per_s", is_time=False)
            for percent in ("p50_ms", "p99_ms"):
                ratio = None if failed else _relate(ours["latency"], row["latency"], percent, is_time=True)
                row[f"ours_{percent}_ratio"] = ratio
    return figures, [{"name": name, "reason": reason} for name, reason in broken.items()]
