"""The released model in a process of its own: a long soak, and four times as much as it can do. One command runs both:

    pytest -m slow -s tests/serving/test_released_under_load.py

TWOHANDS_SOAK_S says how long the soak lasts (600 s after a tenth of it to warm up), TWOHANDS_OVERLOAD_S the overload.
"""

import asyncio
import json
import os
import random
import re
import time

import psutil
import pytest

from tests.serving.processes import ask, start_serve
from tests.serving.test_soak import run_clients
from twohands.locate import find_model

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
SOAK_S = float(os.environ.get("TWOHANDS_SOAK_S", "600"))
OVERLOAD_S = float(os.environ.get("TWOHANDS_OVERLOAD_S", "60"))
# The server closes a connection that is not used for five seconds.
KEPT_S = 2.0
PARAGRAPH = (
    "The ministry will buy the first three years of output from any domestic maker of lithography tools, and banks "
    "have been told to price their loans to the sector below the benchmark rate. Carriers may set their own rates. "
)


def read_rss_bytes(pid):
    return psutil.Process(pid).memory_info().rss


def test_a_soak_of_mixed_lengths_grows_by_no_more_than_15_percent():
    with start_serve(find_model(), "--threads", "2", seconds=1.2 * SOAK_S + 120) as (process, port):
        url = f"http://127.0.0.1:{port}"
        run_clients(url, max(10.0, SOAK_S / 10), seed=0)
        warm_bytes = read_rss_bytes(process.pid)
        statuses = run_clients(url, SOAK_S, seed=100)
        growth = read_rss_bytes(process.pid) / warm_bytes
    counts = {status: statuses.count(status) for status in set(statuses)}
    print(  # noqa: T201 - what this is run for
        f"soak of {SOAK_S:g} s: {counts}, {warm_bytes / 1e6:.0f} MB when warm, {growth:.3f} of it at the end"
    )
    assert set(counts) <= {200, 429}
    assert counts[200] > SOAK_S / 4
    assert growth < 1.15


class Pool:
    """Connections that are kept open; as light as can be, since the clients share the CPUs with the server."""

    def __init__(self, port):
        self._port = port
        self._free = []

    async def _open(self):
        while self._free:
            reader, writer, used_s = self._free.pop()
            if time.monotonic() - used_s < KEPT_S and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def post(self, content):
        reader, writer = await self._open()
        writer.write(
            b"POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(content), content)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
        self._free.append((reader, writer, time.monotonic()))
        return int(head[9:12])

    async def close(self):
        for _, writer, _ in self._free:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer, _ in self._free), return_exceptions=True)


def draw_contents(seed):
    draw = random.Random(seed)
    words = PARAGRAPH.split()
    while True:
        yield json.dumps({"inputs": " ".join(draw.choices(words, k=draw.randint(20, 200)))}).encode()


async def measure_capacity(pool, *, duration_s, n_clients=8):
    """Requests a second that are answered when clients wait for their answers."""
    n_done, end_s = 0, time.monotonic() + duration_s

    async def ask_until_end(seed):
        nonlocal n_done
        for content in draw_contents(seed):
            if time.monotonic() > end_s:
                return
            assert await pool.post(content) == 200
            n_done += 1

    await asyncio.gather(*(ask_until_end(seed) for seed in range(n_clients)))
    return n_done / duration_s


async def overload(pool, *, per_s, duration_s):
    """Open arrivals; status and latency of each from the time at which it was due."""
    answers, contents = [], draw_contents(99)

    async def ask_one(due_s, content):
        status = await pool.post(content)
        answers.append((status, time.monotonic() - due_s))

    started_s, tasks = time.monotonic(), set()
    for number in range(int(per_s * duration_s)):
        due_s = started_s + number / per_s
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        task = asyncio.create_task(ask_one(due_s, next(contents)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return answers, time.monotonic() - started_s


async def test_four_times_capacity_keeps_the_answered_ones_quick():
    # Seconds that the queue may hold: what waits longest waits for about so long.
    queue_tokens = 8192
    arguments = ("--threads", "2", "--max-queue-tokens", str(queue_tokens))
    with start_serve(find_model(), *arguments, seconds=OVERLOAD_S + 200) as (_, port):
        pool = Pool(port)
        await measure_capacity(pool, duration_s=3)
        capacity_per_s = await measure_capacity(pool, duration_s=10)
        answers, spent_s = await overload(pool, per_s=4 * capacity_per_s, duration_s=OVERLOAD_S)
        started_s = time.monotonic()
        while "\ntwohands_queue_depth 0.0\n" not in await asyncio.to_thread(lambda: ask(port, "GET", "/metrics")[1]):
            assert time.monotonic() - started_s < 10
            await asyncio.sleep(0.1)
        await pool.close()
    statuses = [status for status, _ in answers]
    answered_s = sorted(spent for status, spent in answers if status == 200)
    p50_s, p99_s = (answered_s[int(share * len(answered_s))] for share in (0.5, 0.99))
    per_s = len(answered_s) / spent_s
    print(  # noqa: T201 - what this is run for
        f"capacity {capacity_per_s:.0f}/s; at 4 times {statuses.count(200)} x 200 ({per_s:.0f}/s), "
        f"{statuses.count(429)} x 429; 200s: p50 {p50_s:.2f} s, p99 {p99_s:.2f} s, n {len(answered_s)}"
    )
    assert set(statuses) == {200, 429}
    assert len(answered_s) >= 662, "too few for a p99; raise TWOHANDS_OVERLOAD_S"
    assert per_s > 0.4 * capacity_per_s  # the clients themselves, and the refusals, take their share of the CPUs
    # A full queue of some 130 tokens a paragraph is worked off at the rate that was answered; turns go by tokens, so
    # that the longest paragraphs wait for twice as long as the mean one.
    assert p99_s < 3 * queue_tokens / 130 / per_s + 2
