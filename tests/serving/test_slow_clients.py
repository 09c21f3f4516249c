import asyncio
import json
import socket
import threading
import time
from contextlib import ExitStack, suppress
from http.client import HTTPResponse

import pytest

from serving.clients import ClientLimits
from serving.connections import TimedConnection
from serving.keys import make_key, write_keys
from serving.settings import ServeSettings
from tests.serving.running import run_server
from twohands.errors import TwoHandsError

pytestmark = pytest.mark.anyio
BODY = json.dumps({"inputs": "plan"}).encode()
HEAD = b"POST /v1/classify HTTP/1.1\r\nhost: service\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
# Asked by kubelets, load balancers and SageMaker, which restart who does not answer, and by Prometheus.
PROBED = [
    "/healthz", "/readyz", "/metrics", "/health", "/ping", "/v2/health/live", "/v2/health/ready",
    "/v2/models/tiny/ready", "/v2/models/tiny/versions/0.0.1/ready", "/label-studio/health", "/label-studio",
    "/label-studio/",
]  # fmt: skip


def connect(url):
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def read_all(connection):
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_one(connection):
    """The status and the body of one answer, to its end, on a connection that stays open."""
    response = HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


@pytest.fixture
def impatient(tiny_model, classifier):
    with run_server(ServeSettings(model=str(tiny_model), body_timeout_s=1), classifier) as url:
        yield url


def test_a_body_that_stops_is_cut_with_an_answer(impatient):
    with connect(impatient) as connection:
        started_s = time.monotonic()
        connection.sendall(HEAD % len(BODY) + BODY[:5])
        answer = read_all(connection)
    assert 0.9 < time.monotonic() - started_s < 15
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"body_timeout"' in answer
    assert b"connection: close" in answer


def test_a_body_that_trickles_is_cut_though_it_never_stops(impatient):
    with connect(impatient) as connection:
        started_s = time.monotonic()
        connection.sendall(HEAD % 5000)
        answers = []
        reader = threading.Thread(target=lambda: answers.append(read_all(connection)))
        reader.start()
        try:
            while reader.is_alive() and time.monotonic() - started_s < 20:
                connection.sendall(b" ")
                time.sleep(0.1)  # always within the time for the next piece
        except OSError:
            pass
        reader.join(10)
    assert time.monotonic() - started_s < 15
    assert answers[0].startswith(b"HTTP/1.1 408")


def test_one_who_stalls_amid_a_body_is_not_noticed_by_the_others(impatient):
    with connect(impatient) as stalled:
        stalled.sendall(HEAD % len(BODY) + BODY[:5])
        took_s = []
        for _ in range(20):
            started_s = time.monotonic()
            with connect(impatient) as connection:
                connection.sendall((HEAD % len(BODY)).replace(b"host", b"connection: close\r\nhost") + BODY)
                assert read_all(connection).startswith(b"HTTP/1.1 200")
            took_s.append(time.monotonic() - started_s)
    assert sorted(took_s)[len(took_s) // 2] < 0.8  # the one who stalls is held for a second


def test_two_hundred_at_once_do_not_notice_one_who_stalls(tiny_model, classifier):
    n_others = 200
    answers = []

    def ask(url):
        with connect(url) as connection:
            for _ in range(3):
                connection.sendall(HEAD % len(BODY) + BODY)
                answers.append(read_one(connection)[0])

    settings = ServeSettings(model=str(tiny_model), body_timeout_s=60)
    with run_server(settings, classifier) as url, connect(url) as stalled:
        stalled.sendall(HEAD % len(BODY) + BODY[:5])
        threads = [threading.Thread(target=ask, args=(url,)) for _ in range(n_others)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)  # half of what the one who stalls is given
        assert answers == [200] * (3 * n_others)
        stalled.sendall(BODY[5:])  # and it is still there, and answered
        assert read_one(stalled)[0] == 200


def test_connections_beyond_the_bound_are_told_so_and_those_within_do_not_notice(tiny_model, classifier, monkeypatch):
    monkeypatch.setattr("serving.server.N_REFUSED_AT_ONCE", 2)
    get = b"GET %s HTTP/1.1\r\nhost: service\r\n\r\n"
    settings = ServeSettings(model=str(tiny_model), max_connections=3)
    with run_server(settings, classifier) as url, ExitStack() as opened:
        first, *others = [opened.enter_context(connect(url)) for _ in range(5)]
        for connection in (first, *others):  # all of them are there when the last two ask
            connection.sendall(b"POST /v1/classify HTTP/1.1\r\n")
        time.sleep(0.3)
        rest = (HEAD % len(BODY)).partition(b"\r\n")[2] + BODY
        for connection in others[2:]:
            connection.sendall(rest)
            response = HTTPResponse(connection)
            response.begin()
            assert (response.status, json.loads(response.read())["error"]["code"]) == (503, "too_many_connections")
            assert int(response.headers["retry-after"]) >= 1
            assert response.headers["connection"] == "close"
            connection.close()
        for _ in range(2):
            first.sendall(rest)
            assert read_one(first)[0] == 200
            first.sendall(b"POST /v1/classify HTTP/1.1\r\n")
        with connect(url) as probe:
            for path in PROBED:
                probe.sendall(get % path.encode())
                assert read_one(probe)[0] == 200, path
        more = [opened.enter_context(connect(url)) for _ in range(3)]
        assert more[-1].recv(1) == b""  # no answer is owed to a flood
        for connection in (*others[:2], *more):
            connection.close()
        time.sleep(0.3)
        with connect(url) as again:
            again.sendall(HEAD % len(BODY) + BODY)
            assert read_one(again)[0] == 200


def test_connections_on_which_nothing_is_asked_make_room_for_others(tiny_model, classifier, monkeypatch):
    monkeypatch.setattr(TimedConnection, "least_idle_s", 0.3)
    get = b"GET /info HTTP/1.1\r\nhost: service\r\n\r\n"
    settings = ServeSettings(model=str(tiny_model), max_connections=3)
    with run_server(settings, classifier) as url, ExitStack() as opened:

        def ask_anew():
            connection = opened.enter_context(connect(url))
            connection.sendall(get)
            return connection, read_one(connection)[0]

        busy = opened.enter_context(connect(url))
        busy.sendall(HEAD % len(BODY) + BODY[:5])
        (longest, _), (other, _) = ask_anew(), ask_anew()
        assert ask_anew()[1] == 503  # a client may be about to ask again: for so long nobody is cut off
        time.sleep(0.5)
        assert ask_anew()[1] == 200
        assert longest.recv(1) == b""
        other.sendall(get)
        assert read_one(other)[0] == 200
        assert ask_anew()[1] == 503
        busy.sendall(BODY[5:])
        assert read_one(busy)[0] == 200


@pytest.mark.issue(4)
def test_probes_beyond_the_bound_that_are_kept_open_keep_nobody_out(tiny_model, classifier, monkeypatch):
    monkeypatch.setattr(TimedConnection, "least_idle_s", 0.0)
    settings = ServeSettings(model=str(tiny_model), max_connections=2)
    with run_server(settings, classifier) as url, ExitStack() as opened:
        for probe in [opened.enter_context(connect(url)) for _ in range(5)]:
            probe.sendall(b"GET /healthz HTTP/1.1\r\nhost: service\r\n\r\n")
            assert read_one(probe)[0] == 200
        with connect(url) as connection:
            connection.sendall(HEAD % len(BODY) + BODY)
            assert read_one(connection)[0] == 200


@pytest.mark.issue(7)
def test_a_connection_that_came_amid_a_crowd_is_served_once_that_is_gone(tiny_model, classifier, monkeypatch):
    monkeypatch.setattr("serving.connections._REFUSED_HEADER_TIMEOUT_S", 0.5)
    ask, probe = HEAD % len(BODY) + BODY, b"GET /readyz HTTP/1.1\r\nhost: service\r\n\r\n"
    settings = ServeSettings(model=str(tiny_model), max_connections=2)
    with run_server(settings, classifier) as url, ExitStack() as opened:
        crowd = [opened.enter_context(connect(url)) for _ in range(2)]
        for connection in crowd:
            connection.sendall(probe)
            assert read_one(connection)[0] == 200
        kept, other = (opened.enter_context(connect(url)) for _ in range(2))
        for connection in (kept, other):
            connection.sendall(probe)
            assert read_one(connection)[0] == 200
        other.sendall(ask)
        assert read_one(other)[0] == 503
        assert other.recv(1) == b""
        for connection in crowd:
            connection.close()
        time.sleep(0.5)  # the service learns of it
        kept.sendall(ask[:20])
        time.sleep(1)  # as long as others may take for their headers
        kept.sendall(ask[20:])
        assert read_one(kept)[0] == 200


def test_a_refused_body_that_stops_is_answered_all_the_same(impatient, caplog, monkeypatch):
    monkeypatch.setattr(TimedConnection, "header_timeout_s", 0.5)  # behind the answer as before a request
    with connect(impatient) as connection:
        connection.sendall(HEAD % 9_000_000 + b" " * 100)
        assert read_all(connection).startswith(b"HTTP/1.1 413")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("POST /v1/classify/stream HTTP/1.1\r\ntransfer-encoding: chunked", 401),
        ("POST /v1/classify HTTP/1.1\r\ncontent-length: 10", 401),
        ("POST /v1/classify/stream HTTP/1.1\r\ntransfer-encoding: chunked\r\norigin: http://evil.example", 403),
        ("POST /v1/classify HTTP/1.1\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\nx-api-key: {key}", 415),
        ("POST /v1/classify HTTP/1.1\r\ncontent-length: 9000000\r\nx-api-key: {key}", 413),
    ],
)
def test_who_is_refused_by_the_headers_hears_it_before_the_body(tiny_model, classifier, tmp_path, sent, status):
    key, kept = make_key(name="a")
    write_keys(tmp_path / "keys.json", [kept])
    settings = ServeSettings(model=str(tiny_model), api_keys_file=tmp_path / "keys.json")
    with run_server(settings, classifier) as url, connect(url) as connection:
        started_s = time.monotonic()
        connection.sendall(sent.format(key=key).encode() + b"\r\nhost: service\r\n\r\n")
        assert read_one(connection)[0] == status
        assert time.monotonic() - started_s < 5


@pytest.mark.issue(4)
@pytest.mark.parametrize("is_last", [False, True])
def test_who_sends_all_before_reading_gets_the_refusal_and_may_ask_again(impatient, is_last):
    n_bytes = 9_000_000
    with connect(impatient) as connection:
        head = HEAD % n_bytes
        connection.sendall(head.replace(b"host:", b"connection: close\r\nhost:") if is_last else head)
        for _ in range(9):
            connection.sendall(b" " * (n_bytes // 9))
            time.sleep(0.02)
        assert read_one(connection)[0] == 413
        if is_last:
            assert connection.recv(1) == b""
        else:
            connection.sendall(HEAD % len(BODY) + BODY)
            assert read_one(connection)[0] == 200


def test_headers_that_trickle_are_cut(impatient, monkeypatch):
    monkeypatch.setattr(TimedConnection, "header_timeout_s", 0.5)
    for first in (b"", b"GET /heal"):
        with connect(impatient) as connection:
            started_s = time.monotonic()
            connection.sendall(first)
            assert read_all(connection) == b""
        assert 0.3 < time.monotonic() - started_s < 10
    with connect(impatient) as connection:
        started_s = time.monotonic()
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        with suppress(OSError):
            while time.monotonic() - started_s < 20:
                connection.sendall(b"x-a: b\r\n")
                time.sleep(0.1)
    assert time.monotonic() - started_s < 10


def test_a_connection_may_be_used_again_after_the_time_for_headers(impatient, monkeypatch):
    monkeypatch.setattr(TimedConnection, "header_timeout_s", 0.3)
    with connect(impatient) as connection:
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: service\r\n\r\n")
            assert read_one(connection) == (200, b'{"status":"alive"}')
            time.sleep(0.4)


def test_one_who_does_not_read_the_answer_is_cut(tiny_model, classifier, monkeypatch):
    is_cut = threading.Event()
    monkeypatch.setattr(TimedConnection, "write_timeout_s", 0.5)
    lost = TimedConnection.connection_lost
    monkeypatch.setattr(TimedConnection, "connection_lost", lambda self, exc: (lost(self, exc), is_cut.set()))
    with run_server(ServeSettings(model=str(tiny_model)), classifier) as url, connect(url) as connection:
        # Answers so many that they fill every buffer between us.
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: service\r\n\r\n" * 400)
        assert is_cut.wait(60)


async def run_limits(messages, *, is_streamed, body_timeout_s=0.4, app_pause_s=0.0, longest_body_s=9.0):
    """What an app, itself pausing for each, gets of a body whose pieces come after pauses; a code when it is cut."""
    pieces = iter(messages)

    async def receive():
        pause_s, size, more = next(pieces)
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": b"a" * size, "more_body": more}

    got = []

    async def app(_scope, receive, _send):
        while True:
            message = await receive()
            got.append(len(message["body"]))
            if not message["more_body"]:
                return
            await asyncio.sleep(app_pause_s)

    async def send(_):
        pass

    streamed = frozenset({"/stream"} if is_streamed else set())
    limits = ClientLimits(
        app,
        max_header_bytes=1000,
        body_timeout_s=body_timeout_s,
        streamed_paths=streamed,
        longest_body_s=longest_body_s,
    )
    scope = {"type": "http", "method": "POST", "path": "/stream", "headers": []}
    try:
        await limits(scope, receive, send)
    except TwoHandsError as error:
        return f"{error.code}: {error}" if "longer than" in str(error) else error.code
    return sum(got)


async def test_pace_is_asked_of_a_body_but_not_of_a_stream():
    slow = [(0.15, 1, True)] * 5 + [(0, 1, False)]
    assert await run_limits(slow, is_streamed=False) == "body_timeout"
    assert await run_limits(slow, is_streamed=True) == 6
    assert await run_limits([(0.15, 1000, True)] * 5 + [(0, 1, False)], is_streamed=False) == 5001
    assert await run_limits([(5, 1, False)], is_streamed=True) == "body_timeout"


@pytest.mark.issue(4)
async def test_a_body_has_an_end_though_its_size_would_pay_for_hours_but_a_stream_has_none():
    fast_at_first = [(0, 1_000_000, True)] + [(0.08, 1, True)] * 7 + [(0, 1, False)]
    bounds = {"body_timeout_s": 0.4, "longest_body_s": 0.4}  # a busy machine may take a while over one piece
    assert "longer than 0.4 s" in await run_limits(fast_at_first, is_streamed=False, **bounds)
    assert await run_limits(fast_at_first, is_streamed=True, **bounds) == 1_000_008
    # What the service's operator grants for one piece is granted for all of it.
    bounds["body_timeout_s"] = 5
    assert await run_limits(fast_at_first, is_streamed=False, **bounds) == 1_000_008


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_time_that_the_service_took_is_not_the_clients(is_streamed):
    brief = [(0.01, 1, True)] * 2 + [(0.01, 1, False)]
    assert await run_limits(brief, is_streamed=is_streamed, app_pause_s=0.6) == 3
