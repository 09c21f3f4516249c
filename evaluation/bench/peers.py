"""Owns the races: engines in bulk and one at a time, servers at several numbers of clients, each in turn by rounds."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from evaluation.bench.answers import FLOORS, MIN_CHECKED, Answer, Reference, compare_rows, read_row
from evaluation.bench.client import LoadClient
from evaluation.bench.closed_loop import drive
from evaluation.bench.engines import Engine, Peer, read_peer_versions
from evaluation.bench.quantiles import median, tell_percentiles
from evaluation.bench.roster import TEXT, US, ServedPeer
from evaluation.bench.served import GRACE_S, MEMORY_KIND, Served, run_server
from evaluation.bench.turns import take_turns
from twohands.errors import BenchError

Json = dict[str, Any]
Advance = Callable[[int], None]
P = TypeVar("P", Peer, ServedPeer)
_MAX_CONNECTIONS = 512
_IDLE_S = 15.0  # CPU time is told in ticks of 10 ms: one more in 3 s would be .3% of a CPU
_IDLE_PER_LOAD = 2  # but a race of short loads does not wait so long


def find_present(
    peers: Sequence[P], installs: Mapping[str, str]
) -> tuple[list[P], list[dict[str, str]], dict[str, dict[str, str]]]:
    """Part those that can be run from those that are not installed.

    Args:
        peers: all; ourselves first.
        installs: how each is had, by package.

    Returns:
        Those that can be run, the names of the others with what to do, and by name the versions of the peer and of what
        computes for it.
    """
    present, absent, versions = [], [], {}
    for peer in peers:
        found = read_peer_versions(peer.python, peer.package)
        if found or peer.package == US:  # a checkout that is not installed runs, too
            present.append(peer)
            versions[peer.name] = found
        else:
            absent.append({"name": peer.name, "package": peer.package, "what_to_do": installs[peer.package]})
    return present, absent, versions


def _relate(
    ours: Mapping[str, float | None], theirs: Mapping[str, float | None], key: str, *, is_time: bool
) -> float | None:
    mine, other = ours.get(key), theirs.get(key)
    if mine is None or other is None:
        return None
    return other / mine if is_time else mine / other


@dataclass(slots=True)
class _Timed:
    """What the rounds of one engine took; CPU time is for a paragraph."""

    engine: Engine
    difference: float | None
    bulk_s: list[float] = field(default_factory=list)
    bulk_cpu_ms: list[float] = field(default_factory=list)
    alone_ms: list[float] = field(default_factory=list)
    alone_cpu_ms: list[float] = field(default_factory=list)

    def run_round(self, *, n_texts: int, alone: Sequence[int]) -> None:
        seconds, cpu_s = self.engine.run_bulk()
        latencies_ms, cpu_ms = self.engine.run_alone(alone)
        self.bulk_s.append(seconds)
        self.bulk_cpu_ms.append(1e3 * cpu_s / n_texts)
        self.alone_ms += latencies_ms
        self.alone_cpu_ms += cpu_ms

    def sum_up(self, *, n_texts: int) -> Json:
        return {
            "name": self.engine.peer.name,
            "configuration": self.engine.configuration,
            "paragraphs_per_s": n_texts / median(self.bulk_s),
            "bulk_seconds": self.bulk_s,
            "bulk_cpu_ms": median(self.bulk_cpu_ms),
            "latency": tell_percentiles(self.alone_ms),
            "alone_cpu_ms": median(self.alone_cpu_ms),
            "max_logit_difference": self.difference,
        }


def _check_rows(
    peer: Peer, rows: np.ndarray[Any, Any], reference: np.ndarray[Any, Any] | None, numbers: Sequence[int]
) -> float | None:
    """See that an engine runs our model. Ours gives calibrated scores, and one text has no other to be told from."""
    if peer.package == US or reference is None or len(numbers) < MIN_CHECKED:
        return None
    try:
        return compare_rows(rows[list(numbers)].tolist(), reference[list(numbers)], floor=FLOORS[Answer.LOGITS])
    except (BenchError, IndexError, TypeError) as error:
        raise BenchError(f"{peer.name}: {error}") from error


def race_engines(
    peers: Sequence[Peer],
    texts: Sequence[str],
    *,
    reference: np.ndarray[Any, Any] | None,
    numbers: Sequence[int] = (),
    n_rounds: int,
    alone: Sequence[int],
    advance: Advance,
) -> tuple[list[Json], list[Json]]:
    """Race engines on the same texts, in turn; each round begins with another.

    Args:
        peers: ourselves first.
        texts: for all.
        reference: our logits, shape `(n, n_labels)`; an engine whose rows are of another model is not raced.
        numbers: of the texts that are compared, which are those of one window: peers cut others.
        n_rounds: how often each runs all texts.
        alone: numbers of the texts that are run one at a time in each round, in this order. Those of several windows
            come last: ours runs them side by side, and gives a text that comes soon after them one thread.
        advance: called with the number of steps done; there are `len(peers) * (n_rounds + 1)`.

    Returns:
        Figures of each, and those that broke, whenever they did.

    Raises:
        BenchError: we ourselves broke.
    """
    broken: dict[str, str] = {}
    timed: list[_Timed] = []

    def note(peer: Peer, error: BenchError) -> None:
        if peer.name == US:
            raise error
        broken[peer.name] = str(error)

    with ExitStack() as stack:
        for peer in peers:
            try:
                engine = Engine(peer, texts)
                stack.callback(engine.close)
                rows = engine.read_rows()  # warms up, too
                timed.append(_Timed(engine, _check_rows(peer, rows, reference, numbers)))
                engine.run_alone(alone)
            except BenchError as error:
                note(peer, error)
            advance(1)
        for number in range(n_rounds):
            for one in take_turns(timed, number):
                if one.engine.peer.name not in broken:
                    try:
                        one.run_round(n_texts=len(texts), alone=alone)
                    except BenchError as error:
                        note(one.engine.peer, error)
                advance(1)
            advance(len(peers) - len(timed))
    figures = [one.sum_up(n_texts=len(texts)) for one in timed if one.engine.peer.name not in broken]
    ours = figures[0]
    for other in figures[1:]:
        other["ours_bulk_ratio"] = _relate(ours, other, "paragraphs_per_s", is_time=False)
        other["ours_bulk_cpu_ratio"] = _relate(ours, other, "bulk_cpu_ms", is_time=True)
        other["ours_alone_cpu_ratio"] = _relate(ours, other, "alone_cpu_ms", is_time=True)
        other["ours_alone_ratio"] = _relate(ours["latency"], other["latency"], "p50_ms", is_time=True)
    return figures, _list_broken(broken)


def _list_broken(broken: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "reason": reason} for name, reason in broken.items()]


def _make_bodies(peer: ServedPeer, texts: Sequence[str]) -> list[bytes]:
    def fill(value: object, text: str) -> object:
        if isinstance(value, list):
            return [fill(item, text) for item in value]
        return text if value == TEXT else value

    return [json.dumps({key: fill(value, text) for key, value in peer.body.items()}).encode() for text in texts]


def _check_answers(peer: ServedPeer, served: Served, client: LoadClient, reference: Reference) -> float | None:
    """Ask one by one for what our model has said in this process, too; also the server's first warm-up."""
    if len(reference.numbers) < MIN_CHECKED:
        return None
    try:
        rows = [read_row(client.ask(number), peer.answer, reference.labels) for number in reference.numbers]
        return compare_rows(rows, reference.rows_for(peer.answer), floor=FLOORS[peer.answer])
    except BenchError as error:
        try:
            served.check_alive(within_s=GRACE_S)
        except BenchError as ended:
            raise BenchError(f"{peer.name}, while it was checked: {ended}; the first failure: {error}") from error
        raise BenchError(f"{peer.name}: {error}") from error


def _drive(
    peer: ServedPeer, served: Served, client: LoadClient, *, n_clients: int, seconds: float, n_texts: int
) -> Json:
    """Ask with so many clients, and see that the server still stands; with what failed first, if anything did."""
    client.first_failure = ""
    before_s = served.read_cpu_s() or 0.0
    try:
        run = drive(client, n_clients=n_clients, seconds=seconds, n_texts=n_texts)
        served.check_alive()
    except BenchError as error:
        failed = f"; the first failure: {client.first_failure}" if client.first_failure else ""
        raise BenchError(f"{peer.name}, asked by {n_clients} clients: {error}{failed}") from error
    return run | {"cpu_s": (served.read_cpu_s() or 0.0) - before_s, "first_failure": client.first_failure or None}


def _run_round(
    peer: ServedPeer, texts: Sequence[str], *, reference: Reference, clients: Sequence[int], seconds: float
) -> Json:
    """Start one server, see that it answers rightly, warm it up, ask with each number of clients, end it."""
    health = None if peer.url is None else peer.url + peer.health
    with run_server(
        peer.command,
        timeout_s=180,
        marker="twohands serves",
        health_url=health,
        environment=peer.environment,
        folder=peer.folder,
    ) as served:
        client = LoadClient(served.url, _make_bodies(peer, texts), max_connections=_MAX_CONNECTIONS, path=peer.path)
        try:
            difference = _check_answers(peer, served, client, reference)
            _drive(peer, served, client, n_clients=4, seconds=min(2.0, seconds), n_texts=len(texts))
            if client.n_failed:
                raise BenchError(f"{peer.name} refuses what it is sent: {client.first_failure}")
            measured = {
                n_clients: _drive(peer, served, client, n_clients=n_clients, seconds=seconds, n_texts=len(texts))
                for n_clients in clients
            }
            idle_s = min(_IDLE_S, _IDLE_PER_LOAD * seconds)
            idle = served.measure_idle(idle_s)
            memory_mb = sum(served.read_memory_mb())
        finally:
            client.close()
        return {
            "clients": measured,
            "difference": difference,
            "idle": idle,
            "idle_seconds": idle_s,
            "memory_mb": memory_mb,
            "ready_s": served.ready_s,
        }


def _tell_load(run: Mapping[str, Any]) -> Json:
    """One load of one round."""
    return {
        "requests_per_s": run["n_answered"] / run["seconds"],
        "p50_ms": tell_percentiles(run["latencies_ms"])["p50_ms"],
        "p99_ms": None if run["n_failed"] else tell_percentiles(run["latencies_ms"])["p99_ms"],
        "cpu_ms_per_request": None if run["n_failed"] else 1e3 * run["cpu_s"] / run["n_answered"],
        "n_failed": run["n_failed"],
    }


def _sum_up(peer: ServedPeer, held: Sequence[Json], *, clients: Sequence[int]) -> Json:
    """Medians of the rounds of one server; latencies are pooled, so that there are enough for late percentiles.

    Where some requests failed there is neither a p99 nor a cost: a server that refuses is quick with what it takes.
    """
    by_clients: Json = {}
    for n_clients in clients:
        runs = [one["clients"][n_clients] for one in held]
        rounds = [_tell_load(run) for run in runs]
        n_answered, n_failed = (sum(run[key] for run in runs) for key in ("n_answered", "n_failed"))
        latency = tell_percentiles([value for run in runs for value in run["latencies_ms"]])
        by_clients[str(n_clients)] = {
            "requests_per_s": median([one["requests_per_s"] for one in rounds]),
            "latency": latency | ({"p99_ms": None} if n_failed else {}),
            "cpu_ms_per_request": None if n_failed else 1e3 * sum(run["cpu_s"] for run in runs) / n_answered,
            "n_failed": n_failed,
            "first_failure": next((run["first_failure"] for run in runs if run["first_failure"]), None),
            "rounds": rounds,
        }
    return {
        "name": peer.name,
        "configuration": peer.configuration,
        "clients": by_clients,
        "answers": str(peer.answer),
        "max_answer_difference": max(
            (one["difference"] for one in held if one["difference"] is not None), default=None
        ),
        "idle_cpu_share": median([one["idle"] for one in held]),
        "idle_seconds": held[0]["idle_seconds"],
        "memory_mb": median([one["memory_mb"] for one in held]),
        "memory_kind": MEMORY_KIND,
        "ready_s": median([one["ready_s"] for one in held]),
    }


def race_servers(
    peers: Sequence[ServedPeer],
    texts: Sequence[str],
    *,
    reference: Reference,
    clients: Sequence[int],
    n_rounds: int,
    seconds: float,
    advance: Advance,
) -> tuple[list[Json], list[Json]]:
    """Race servers: in each round every one is started, asked, and ended, so that none takes CPU from another.

    Each round begins with another server.

    Args:
        peers: ourselves first.
        texts: one a request, in turn.
        reference: what our model says of some of them; each server is asked for these before it is timed.
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
    for number in range(n_rounds):
        for peer in take_turns(peers, number):
            if peer.name not in broken:
                try:
                    held = _run_round(peer, texts, reference=reference, clients=clients, seconds=seconds)
                    rounds[peer.name].append(held)
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
    return figures, _list_broken(broken)
