"""Owns a closed loop: so many clients, each of whom asks again as soon as it is answered. For races between servers."""

import threading
import time
from typing import Any

from evaluation.bench.client import LoadClient
from twohands.errors import BenchError

_END_TIMEOUT_S = 180.0


def drive(client: LoadClient, *, n_clients: int, seconds: float, n_texts: int) -> dict[str, Any]:
    """Ask for a while.

    Args:
        client: sends the requests.
        n_clients: how many ask at the same time.
        seconds: how long they go on asking; what is under way then is waited for.
        n_texts: bodies that the client has, sent in turn.

    Returns:
        `latencies_ms` of what was answered, `n_requests` in all, of them `n_answered` and `n_failed`, and `seconds`.

    Raises:
        BenchError: the server answers nothing any more.
    """
    latencies_ms: list[float] = []
    begun: dict[int, float] = {}
    ended = threading.Event()
    n_failed, n_next = 0, n_clients
    started_s = time.perf_counter()
    stops_s = started_s + seconds

    def done(ticket: int, is_answered: bool) -> None:
        nonlocal n_failed, n_next  # on the client's one thread only
        now_s = time.perf_counter()
        latency_ms = 1e3 * (now_s - begun.pop(ticket))
        if is_answered:
            latencies_ms.append(latency_ms)
        else:
            n_failed += 1  # a refusal is quick and is no answer: counted as one, it would make a full server win
        if now_s < stops_s:
            begun[n_next] = now_s
            client.submit([(n_next, n_next % n_texts)], done)
            n_next += 1
        elif not begun:
            ended.set()

    begun.update(dict.fromkeys(range(n_clients), started_s))
    client.submit([(number, number % n_texts) for number in range(n_clients)], done)
    if not ended.wait(seconds + _END_TIMEOUT_S):
        raise BenchError(f"{len(begun)} requests were never answered")
    spent_s = time.perf_counter() - started_s
    return {
        "latencies_ms": latencies_ms,
        "n_requests": len(latencies_ms) + n_failed,
        "n_answered": len(latencies_ms),
        "n_failed": n_failed,
        "seconds": spent_s,
    }
