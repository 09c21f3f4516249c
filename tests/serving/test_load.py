"""The service under more load than it can bear, with a model of known speed: what is answered, how fast, and after."""

import asyncio
import threading
import time

import numpy as np
import pytest

from serving.app import create_app
from serving.keys import make_key, write_keys
from serving.settings import ServeSettings
from tests.serving.support import open_client, with_session

pytestmark = pytest.mark.anyio

N_THREADS = 2
RUN_S = 0.05


def slow_model(run_s=RUN_S):
    def run_batch(windows):
        time.sleep(run_s)
        return np.zeros((len(windows), 7), dtype=np.float32)

    return run_batch


@pytest.fixture
async def loaded(tiny_model, classifier):
    """A service with a slow model and room for some large requests."""
    settings = ServeSettings(model=str(tiny_model), max_queue_tokens=4000)
    app = create_app(settings, with_session(classifier, slow_model(), num_threads=N_THREADS))
    async with open_client(app) as client:
        yield client


TEXT = "the plan of the market the of"


async def ask(client, inputs=TEXT):
    started_s = time.monotonic()
    response = await client.post("/v1/classify", json={"inputs": inputs})
    return response, time.monotonic() - started_s


async def send_at_rate(client, *, per_s, duration_s):
    """Open arrivals: the next comes at its time whatever became of those before."""
    tasks = []
    started_s = time.monotonic()
    for number in range(int(per_s * duration_s)):
        await asyncio.sleep(max(0.0, started_s + number / per_s - time.monotonic()))
        tasks.append(asyncio.create_task(ask(client)))
    return await asyncio.gather(*tasks)


async def test_four_times_capacity_is_answered_or_refused_and_the_queue_empties(tiny_model, classifier):
    # A model so slow that even a starved machine can send four times as much: two in work, four waiting.
    run_s = 0.5
    settings = ServeSettings(model=str(tiny_model), max_queue_tokens=36, max_inputs=2, max_pending=6)
    app = create_app(settings, with_session(classifier, slow_model(run_s), num_threads=N_THREADS))
    async with open_client(app) as client:
        await check_overload(client, capacity_per_s=N_THREADS / run_s)


async def check_overload(client, *, capacity_per_s):
    answers = await send_at_rate(client, per_s=4 * capacity_per_s, duration_s=4)
    statuses = [response.status_code for response, _ in answers]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) > 0.5 * capacity_per_s * 4  # what can be done is done
    latencies_s = sorted(spent_s for response, spent_s in answers if response.status_code == 200)
    # 1.5 s by the bound, 12 s without it; and a busy machine.
    assert latencies_s[int(0.99 * len(latencies_s))] < 8
    for response, _ in answers:
        if response.status_code == 429:
            assert response.json()["error"]["code"] == "overloaded"
            assert 1 <= int(response.headers["retry-after"]) <= 60
    before_s = time.monotonic()
    response, _ = await ask(client)
    assert response.status_code == 200
    assert time.monotonic() - before_s < 10


async def test_large_requests_do_not_starve_single_ones(loaded):
    large = [asyncio.create_task(ask(loaded, [TEXT] * 64)) for _ in range(2)]
    await asyncio.sleep(0.3)
    spent_s = [(await ask(loaded))[1] for _ in range(3)]
    large_s = [spent for response, spent in await asyncio.gather(*large) if response.status_code == 200]
    # Both large ones take 128 / 2 * 0.05 = 3.2 s; a single one waits for a few windows.
    assert len(large_s) == 2
    assert min(spent_s) < min(large_s) / 2


async def test_a_burst_is_refused_before_its_texts_are_read(tiny_model, classifier, monkeypatch):
    n_read = 0
    encode = classifier.encoder.encode

    def count(text):
        nonlocal n_read
        n_read += 1
        return encode(text)

    settings = ServeSettings(model=str(tiny_model), max_queue_tokens=60)
    app = create_app(settings, with_session(classifier, slow_model(0.2), num_threads=1))
    async with open_client(app) as client:
        monkeypatch.setattr(classifier.encoder, "encode", count)
        answers = await asyncio.gather(*(ask(client) for _ in range(60)))
    statuses = [response.status_code for response, _ in answers]
    assert set(statuses) == {200, 429}
    # Nine tokens each: five or six at once. All sixty arrive before the first was read, and that alone admitted all.
    assert n_read == statuses.count(200) < 12


async def test_keys_share_the_service_whatever_each_sends(tiny_model, classifier, tmp_path):
    (busy, kept), (modest, also) = make_key(name="busy"), make_key(name="modest")
    write_keys(tmp_path / "keys.json", [kept, also])
    settings = ServeSettings(model=str(tiny_model), api_keys_file=tmp_path / "keys.json", max_queue_tokens=4000)
    app = create_app(settings, with_session(classifier, slow_model(0.03), num_threads=1))
    async with open_client(app) as client:
        done = []

        async def send(key, name):
            response = await client.post("/v1/classify", json={"inputs": TEXT}, headers={"x-api-key": key})
            assert response.status_code == 200
            done.append(name)

        many = [asyncio.create_task(send(busy, "busy")) for _ in range(80)]
        await asyncio.wait(many, return_when=asyncio.FIRST_COMPLETED)
        before = len(done)
        await asyncio.gather(*(send(modest, "modest") for _ in range(8)))
        assert len(done) - before < 40  # alternating it takes 16, in order of arrival 85
        await asyncio.gather(*many)


async def test_retry_after_follows_the_drain_rate(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), max_queue_tokens=50, request_timeout_s=60)

    n_runs, is_under_way = 0, threading.Event()

    def crawl(windows):
        nonlocal n_runs
        n_runs += 1
        if n_runs > 1:  # the first warms up
            is_under_way.set()
        time.sleep(0.3)
        return np.zeros((len(windows), 7), dtype=np.float32)

    app = create_app(settings, with_session(classifier, crawl, num_threads=1))
    async with open_client(app) as client:  # the warm-up: 16 tokens in 0.3 s
        gone = asyncio.create_task(ask(client, [TEXT] * 60))
        await asyncio.to_thread(is_under_way.wait, 20)
        response, _ = await ask(client)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    assert response.status_code == 429
    # 59 windows of 9 tokens wait, about 50 of which must go first: at 53 tokens a second some nine seconds.
    assert 4 <= int(response.headers["retry-after"]) <= 60


async def test_deadline_refuses_with_its_own_code(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), request_timeout_s=0.3)
    app = create_app(settings, with_session(classifier, slow_model(), num_threads=1))
    async with open_client(app) as client:
        response, spent_s = await ask(client, [TEXT] * 100)
        assert (response.status_code, response.json()["error"]["code"]) == (429, "deadline_exceeded")
        assert int(response.headers["retry-after"]) >= 1
        assert spent_s < 8
        assert (await ask(client))[0].status_code == 200


async def test_dead_worker_turns_readiness_off(settings, classifier):
    class Died(BaseException):
        pass

    n_runs = 0

    def run_batch(windows):
        nonlocal n_runs
        n_runs += 1
        if n_runs > 2:
            raise Died
        return np.zeros((len(windows), 7), dtype=np.float32)

    async with open_client(create_app(settings, with_session(classifier, run_batch))) as client:
        assert (await client.get("/readyz")).status_code == 200
        response, _ = await ask(client)
        assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_stopped")
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_stopped")
        assert (await client.get("/healthz")).status_code == 200
