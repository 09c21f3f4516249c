import asyncio
import gc
import logging
import re
import socket
import time
import weakref
from urllib.parse import urlsplit

import httpx
import pytest

from serving.app import create_app
from serving.connections import TimedConnection
from serving.departures import CALLS_LOSE_CONNECTION, LOSE_CONNECTION, CancelWhenGone
from serving.settings import ServeSettings
from tests.serving.running import run_server
from tests.serving.support import Gate, open_client, with_session

pytestmark = pytest.mark.anyio

BODY = b'{"inputs": ["plan", "market", "weather"]}'


def make_scope(path="/v1/classify"):
    return {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
        "query_string": b"", "http_version": "1.1", "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip


class Client:
    """Sends a body and leaves when it is told to."""

    def __init__(self, body=BODY):
        self._messages = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.sent = []

    def leave(self):
        self._messages.put_nowait({"type": "http.disconnect"})

    async def receive(self):
        return await self._messages.get()

    async def send(self, message):
        self.sent.append(message)


async def test_client_that_leaves_costs_no_more_than_what_runs(settings, classifier, caplog):
    caplog.set_level(logging.INFO, "serving.access")
    gate = Gate(7, n_free=1)
    app = create_app(settings, with_session(classifier, gate.run_batch, num_threads=1))
    async with open_client(app) as other:
        client = Client()
        task = asyncio.create_task(app(make_scope(), client.receive, client.send))
        await asyncio.to_thread(gate.reached.wait, 5)
        client.leave()
        await asyncio.wait_for(task, 5)  # at once, though the model still runs
        assert app.state.service.n_pending == 0
        gate.opened.set()
        assert (await other.post("/v1/classify", json={"inputs": "plan"})).status_code == 200
    assert gate.n_begun == 3  # the warm-up, the first paragraph of who left, and the one of who stayed
    assert client.sent[0]["status"] == 400  # which nobody reads; counts and log tell it from a bad request
    shown = app.state.metrics.show().decode()
    assert '\ntwohands_requests_total{code="499",route="/v1/classify"} 1.0\n' in shown
    assert 'code="400"' not in shown
    (told,) = [record.facts for record in caplog.records if getattr(record, "facts", {}).get("status") == 499]
    assert told["code"] == "client_disconnected"
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


async def test_client_that_stays_is_answered(app, client):
    waiting = Client()
    await asyncio.wait_for(app(make_scope(), waiting.receive, waiting.send), 5)
    assert waiting.sent[0]["status"] == 200
    assert (await client.get("/healthz")).status_code == 200


async def run(app, client):
    await CancelWhenGone(app)(make_scope(), client.receive, client.send)


async def test_server_that_tells_of_the_loss_is_believed_without_a_task_that_watches():
    n_tasks = []

    async def app(_scope, receive, _send):
        n_before = len(asyncio.all_tasks())
        await receive()
        n_tasks.append(len(asyncio.all_tasks()) - n_before)
        scope["state"][LOSE_CONNECTION]()
        await asyncio.sleep(60)

    scope = make_scope() | {"state": {CALLS_LOSE_CONNECTION: True}, "app": None}
    client = Client()
    await asyncio.wait_for(CancelWhenGone(app)(scope, client.receive, client.send), 5)
    assert n_tasks == [0]
    assert client.sent[0]["status"] == 400  # which nobody reads


async def test_end_of_the_server_is_not_taken_for_a_departure():
    has_begun = asyncio.Event()

    async def app(_scope, receive, _send):
        await receive()
        has_begun.set()
        await asyncio.sleep(60)

    client = Client()
    task = asyncio.create_task(run(app, client))
    await asyncio.wait_for(has_begun.wait(), 5)  # cancelled before, it would never come to what is tested here
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.sent == []


async def test_app_that_asks_again_learns_of_the_departure_itself():
    seen = []
    has_begun = asyncio.Event()

    async def app(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        has_begun.set()
        try:
            seen.append(await receive())
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    client = Client()
    task = asyncio.create_task(run(app, client))
    await asyncio.wait_for(has_begun.wait(), 5)
    assert seen == []
    client.leave()
    await asyncio.wait_for(task, 5)
    assert len(seen) == 1
    assert [message["type"] for message in client.sent] == ["http.response.start"]  # no second answer


async def test_departure_after_the_answer_cancels_nothing():
    ended = []

    async def app(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        client.leave()
        await asyncio.sleep(0.05)
        ended.append(True)

    client = Client()
    await asyncio.wait_for(run(app, client), 5)
    assert ended == [True]


@pytest.mark.issue(5)
async def test_what_a_request_held_is_freed_at_once_and_not_by_the_garbage_collector():
    async def app(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    gc.disable()
    try:
        client = Client()
        held = weakref.ref(client)
        await run(app, client)
        for _ in range(5):  # the task that watched the connection ends within a few turns of the loop
            await asyncio.sleep(0)
        del client
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.issue(7)
async def test_loss_amid_a_body_of_which_nobody_asks_for_more_is_a_departure_before_the_answer_too():
    has_begun = asyncio.Event()

    async def app(_scope, receive, _send):
        await receive()
        has_begun.set()
        await asyncio.sleep(60)

    async def receive():
        return {"type": "http.request", "body": b"plan", "more_body": True}

    scope = make_scope() | {"state": {CALLS_LOSE_CONNECTION: True}, "app": None}
    client = Client()
    task = asyncio.create_task(CancelWhenGone(app)(scope, receive, client.send))
    await asyncio.wait_for(has_begun.wait(), 5)
    scope["state"][LOSE_CONNECTION]()
    await asyncio.wait_for(task, 5)
    assert client.sent[0]["status"] == 400  # which nobody reads


async def test_loss_amid_a_body_that_is_asked_for_is_told_by_its_end():
    seen, messages = [], asyncio.Queue()

    async def app(_scope, receive, _send):
        seen.append((await receive())["type"])

    scope = make_scope() | {"state": {CALLS_LOSE_CONNECTION: True}, "app": None}
    task = asyncio.create_task(CancelWhenGone(app)(scope, messages.get, Client().send))
    await asyncio.sleep(0)
    scope["state"][LOSE_CONNECTION]()
    messages.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(task, 5)
    assert seen == ["http.disconnect"]


def test_broken_connection_to_a_real_server_ends_the_work(tiny_model, classifier):
    gate = Gate(7, n_free=1)
    slow = with_session(classifier, gate.run_batch, num_threads=1)
    with run_server(ServeSettings(model=str(tiny_model)), slow) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            head = "POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
            head += f"content-length: {len(BODY)}"
            connection.sendall(head.encode() + b"\r\n\r\n" + BODY)
            assert gate.reached.wait(10)
        time.sleep(0.3)  # the service learns of it; its model still holds the first paragraph
        gate.opened.set()
        headers = {"content-type": "application/json"}
        assert httpx.post(f"{url}/v1/classify", content=BODY, headers=headers).status_code == 200
    assert gate.n_begun == 1 + 1 + 3  # the warm-up, one of who left, three of who came after


def post(body, more=b""):
    head = b"POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    return head + more + b"content-length: %d\r\n\r\n" % len(body) + body


def count_in_flight(url):
    """How many requests are, the one that asks among them."""
    shown = httpx.get(f"{url}/metrics").text
    return float(re.search(r"^twohands_requests_in_flight (.+)", shown, flags=re.MULTILINE)[1])


def wait_for_departure(url):
    """How many requests are in flight once all but the one that asks are gone, or after some seconds."""
    waited_until_s = time.monotonic() + 10
    while (n_in_flight := count_in_flight(url)) > 1 and time.monotonic() < waited_until_s:
        time.sleep(0.05)
    return n_in_flight


@pytest.mark.issue(4)
@pytest.mark.parametrize("more", [b"", b"connection: close\r\n"])
def test_broken_connection_behind_a_large_body_ends_the_work(tiny_model, classifier, more):
    gate = Gate(7, n_free=1)
    slow = with_session(classifier, gate.run_batch, num_threads=1)
    with run_server(ServeSettings(model=str(tiny_model)), slow) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(post(BODY + b" " * 400_000, more))
            assert gate.reached.wait(10)
        n_in_flight = wait_for_departure(url)
        gate.opened.set()  # or the server would never stop
    assert n_in_flight == 1


def fill(connection, piece, *, n_bytes):
    n_sent = 0
    while n_sent < n_bytes:
        n_sent += connection.send(piece)


@pytest.mark.issue(4)
def test_no_more_is_read_behind_a_large_body_than_one_request_that_waits(tiny_model, classifier):
    gate = Gate(7, n_free=1)
    slow = with_session(classifier, gate.run_batch, num_threads=1)
    with run_server(ServeSettings(model=str(tiny_model)), slow) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(post(BODY + b" " * 400_000))
            assert gate.reached.wait(10)
            connection.settimeout(1)
            with pytest.raises(TimeoutError):  # what the system itself buffers is some megabytes
                fill(connection, post(BODY + b" " * 400_000), n_bytes=100_000_000)
            gate.opened.set()
            connection.settimeout(10)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_broken_connection_amid_a_stream_ends_the_work(tiny_model, classifier):
    gate = Gate(7, n_free=2)
    slow = with_session(classifier, gate.run_batch, num_threads=1)
    rows = b"".join(b'{"id": %d, "text": "plan"}\n' % number for number in range(2000))
    with run_server(ServeSettings(model=str(tiny_model)), slow) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            head = b"POST /v1/classify/stream HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\n"
            connection.sendall(head + b"content-length: 1000000000\r\n\r\n" + rows[:26])
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")  # the answer has begun
            connection.sendall(rows[26:] + b'"more"\n' * 50_000)  # more than is read ahead
            assert gate.reached.wait(10)
        n_begun = gate.n_begun
        gate.opened.set()
        waited_until_s = time.monotonic() + 10
        while "twohands_queue_depth 0.0" not in httpx.get(f"{url}/metrics").text:
            assert time.monotonic() < waited_until_s
        assert gate.n_begun < n_begun + 500  # of the 2,000 and more that were read


STREAM = b"POST /v1/classify/stream HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\n"
ROWS = b'"plan"\n' * 3000


@pytest.mark.issue(7)
@pytest.mark.parametrize("n_pieces", [3, 7])  # less than makes the service read no more, and more
def test_broken_connection_amid_a_stream_before_its_first_answer_ends_the_work(
    tiny_model, classifier, monkeypatch, n_pieces
):
    monkeypatch.setattr(TimedConnection, "look_s", 0.2)
    gate = Gate(7, n_free=1)
    slow = with_session(classifier, gate.run_batch, num_threads=1)
    with run_server(ServeSettings(model=str(tiny_model)), slow) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(STREAM + b"content-length: 1000000000\r\n\r\n" + ROWS)
            assert gate.reached.wait(10)
            for _ in range(n_pieces - 1):
                time.sleep(0.1)  # so that each is read by itself
                connection.sendall(ROWS)
            time.sleep(1)
            assert count_in_flight(url) == 2  # who only waits is not taken for one who left
        n_in_flight = wait_for_departure(url)
        gate.opened.set()  # or the server would never stop
    assert n_in_flight == 1
