import errno
import http.client
import json
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from serving.server import TICK_S, make_server, make_url, open_socket
from serving.settings import ServeSettings
from tests.serving.support import JSON, Gate, with_session
from twohands.errors import AddressError


class Running:
    """A real server on a free port, in a thread of its own."""

    def __init__(self, settings, classifier):
        self.listener = open_socket("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        self.lines = []
        self.is_ready = threading.Event()
        self.server = make_server(settings, classifier, url=make_url(self.listener), announce=self._announce)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True)

    def _announce(self, line):
        self.lines.append(line)
        self.is_ready.set()

    def __enter__(self):
        self.thread.start()
        assert self.is_ready.wait(10)
        return self

    def __exit__(self, *_):
        self.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def stop(self):
        self.server.handle_exit(signal.SIGTERM, None)

    def post(self, content):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/v1/classify", body=content, headers=JSON)
            response = connection.getresponse()
            return response.status, response.headers, json.loads(response.read())
        finally:
            connection.close()

    def post_aside(self, content, answers):
        thread = threading.Thread(target=lambda: answers.append(self.post(content)))
        thread.start()
        return thread


BODY = json.dumps({"inputs": "plan"})


def wait_until(condition, seconds=10):
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_real_server_answers_and_says_once_that_it_does(settings, classifier):
    with Running(settings, classifier) as running:
        (line,) = running.lines
        assert make_url(running.listener) in line
        assert {"tiny", "0.0.1", str(classifier.session.num_threads)} <= set(line.split())
        assert classifier.sha256[:12] in line
        status, headers, answer = running.post(BODY)
        assert status == 200
        assert answer["predictions"][0]["stance"]["label"] == "state-led"
        assert "server" not in headers


@pytest.mark.parametrize(("lacks_it", "precision"), [(True, "int8"), (False, "int8"), (True, "fp32")])
def test_the_line_at_the_start_says_where_int8_gains_little(settings, classifier, monkeypatch, lacks_it, precision):
    monkeypatch.setattr("serving.server.lacks_vnni", lambda: lacks_it)
    graph = classifier.manifest.graph.model_copy(update={"precision": precision})
    monkeypatch.setattr(classifier, "manifest", classifier.manifest.model_copy(update={"graph": graph}))
    with Running(settings, classifier) as running:
        assert ("VNNI" in running.lines[0]) == (lacks_it and precision == "int8")


@pytest.mark.parametrize("size", [10_000_000, 5_000])
def test_real_server_answers_a_body_that_is_too_large(settings, classifier, size):
    with Running(settings, classifier) as running:
        status, _, answer = running.post(b" " * size)
        assert (status, answer["error"]["code"]) == (413, "body_too_large")
        status, _, answer = running.post(iter([b" " * 1000] * (size // 1000)))  # sent in chunks, without a length
        assert (status, answer["error"]["code"]) == (413, "body_too_large")
        assert running.post(BODY)[0] == 200


def test_idle_server_sleeps_and_still_stops_at_once(settings, classifier):
    with Running(settings, classifier) as running:
        running.post(BODY)
        n_ticks = 0
        tick = running.server.on_tick

        async def count(counter):
            nonlocal n_ticks
            n_ticks += 1
            return await tick(counter)

        running.server.on_tick = count
        time.sleep(2.5)
        assert 1 <= n_ticks <= 4  # uvicorn's own loop makes 25 of them
        # Just after a tick, when the next is farthest.
        seen = n_ticks
        while n_ticks == seen:
            time.sleep(0.005)
        started = time.perf_counter()
        running.stop()
        running.thread.join(10)
        assert time.perf_counter() - started < TICK_S / 2


@pytest.mark.issue(4)
def test_what_waits_is_shown_though_nobody_asks_this_process_for_the_metrics(settings, classifier, monkeypatch):
    monkeypatch.setattr("serving.server.TICK_S", 0.02)
    gate = Gate(7, n_free=2)
    with Running(settings, with_session(classifier, gate.run_batch)) as running:

        def show():
            return running.server.config.app.state.metrics.show().decode()

        answers = []
        thread = running.post_aside(BODY, answers)
        try:
            assert gate.reached.wait(10)
            wait_until(lambda: "\ntwohands_queue_depth 1.0\n" in show())
        finally:
            gate.opened.set()
            thread.join(10)
        wait_until(lambda: "\ntwohands_queue_depth 0.0\n" in show())
    assert answers[0][0] == 200


def test_date_of_the_answers_moves_on(settings, classifier):
    with Running(settings, classifier) as running:
        first = running.post(BODY)[1]["date"]
        time.sleep(2 * TICK_S + 0.2)
        assert running.post(BODY)[1]["date"] != first


def test_request_that_was_taken_in_is_answered_before_the_end(settings, classifier):
    gate = Gate(7, n_free=2)
    answers = []
    with Running(settings, with_session(classifier, gate.run_batch)) as running:
        waiting = running.post_aside(BODY, answers)
        assert gate.reached.wait(10)
        running.stop()
        gate.opened.set()
        waiting.join(10)
    ((status, _, answer),) = answers
    assert status == 200
    assert len(answer["predictions"]) == 1


def test_request_that_takes_too_long_at_the_end_is_answered_with_an_error(tiny_model, classifier):
    gate = Gate(7, n_free=2)
    answers = []
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=1)
    with Running(settings, with_session(classifier, gate.run_batch)) as running:
        waiting = running.post_aside(BODY, answers)
        assert gate.reached.wait(10)
        running.stop()
        waiting.join(10)
        assert not waiting.is_alive()
        gate.opened.set()
    ((status, _, answer),) = answers
    assert (status, answer["error"]["code"]) == (503, "engine_stopped")


def test_a_body_that_does_not_end_is_answered_at_the_end_as_all_else_is(tiny_model, classifier, caplog):
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=1)
    head = b"POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
    with Running(settings, classifier) as running, socket.create_connection(("127.0.0.1", running.port), 20) as client:
        client.sendall(head + b"{")
        time.sleep(0.2)
        running.stop()
        response = http.client.HTTPResponse(client)
        response.begin()
        error = json.loads(response.read())["error"]
    assert (response.status, error["code"]) == (503, "engine_stopped")
    assert response.headers["x-request-id"] == error["request_id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers.get_all("connection") == ["close"]
    assert int(response.headers["retry-after"]) >= 1
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_stop_is_seen_from_outside_before_it_begins_where_a_delay_is_set(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), drain_delay_s=30)
    with Running(settings, classifier) as running:
        running.stop()
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", running.port), 20) as probe:  # a new one is still taken in
                probe.sendall(b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                assert probe.recv(12) == b"HTTP/1.1 503"
            status, headers, _ = running.post(BODY)
            assert (status, headers["connection"]) == (200, "close")
        running.server.handle_exit(signal.SIGINT, None)  # who cannot wait
        running.thread.join(10)
        assert not running.thread.is_alive()


def test_a_delay_before_a_stop_ends(tiny_model, classifier):
    with Running(ServeSettings(model=str(tiny_model), drain_delay_s=1), classifier) as running:
        started_s = time.monotonic()
        running.stop()
        running.thread.join(10)
        assert 1 <= time.monotonic() - started_s < 8


def test_a_connection_is_kept_for_longer_than_proxies_keep_theirs(settings, classifier):
    assert settings.keep_alive_timeout_s > 60
    assert make_server(settings, classifier, url="", announce=str).config.timeout_keep_alive > 60
    hurried = settings.model_copy(update={"keep_alive_timeout_s": 1})
    with Running(hurried, classifier) as running, socket.create_connection(("127.0.0.1", running.port), 20) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        response.read()
        started_s = time.monotonic()
        assert client.recv(1) == b""
        assert 0.8 < time.monotonic() - started_s < 4


def test_address_that_is_taken_or_not_ours_or_no_name_is_refused():
    with open_socket("127.0.0.1", 0) as taken, pytest.raises(AddressError):
        open_socket("127.0.0.1", taken.getsockname()[1])
    for host in ("192.0.2.1", "a" * 300):
        with pytest.raises(AddressError):
            open_socket(host, 0)


def test_a_server_out_of_files_says_so_once_a_second_and_not_for_each_connection_it_might_accept(
    settings, classifier, monkeypatch, caplog
):
    with Running(settings, classifier) as running:

        def accept(*_):
            raise OSError(errno.EMFILE, "Too many open files")

        with monkeypatch.context() as patched, socket.socket() as connection:
            patched.setattr(socket.socket, "accept", accept)
            connection.connect(("127.0.0.1", running.port))
            end_s = time.monotonic() + 10
            while not caplog.records and time.monotonic() < end_s:
                time.sleep(0.01)
            time.sleep(0.2)  # the next attempt is made after a second
            assert len([record for record in caplog.records if record.exc_info]) == 1
        assert running.post(BODY)[0] == 200  # as soon as there are files again


def test_as_many_connections_may_wait_for_a_server_as_before_it_began_to_accept():
    with open_socket("127.0.0.1", 0) as listener, ExitStack() as opened:
        listener.listen(1)  # as asyncio does
        for _ in range(50):
            opened.enter_context(socket.create_connection(listener.getsockname(), timeout=5))


def test_how_many_workers_others_are_to_start_is_no_matter_of_ours(settings, classifier, monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "auto")
    with open_socket("127.0.0.1", 0) as listener:
        assert make_server(settings, classifier, url=make_url(listener), announce=print).config.workers == 1


@pytest.mark.issue(5)
def test_connections_may_wait_where_another_package_brought_uvloop_too(settings, classifier, monkeypatch):
    # Its loop listens by itself, with as many as uvicorn asks for: one.
    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=None))
    with open_socket("127.0.0.1", 0) as listener:
        server = make_server(settings, classifier, url=make_url(listener), announce=print)
        assert server.config.get_loop_factory() is not sys.modules["uvloop"].new_event_loop


def test_a_name_of_both_versions_is_served_where_127_0_0_1_is_looked_for(monkeypatch):
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with open_socket("localhost", 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.issue(4)
@pytest.mark.parametrize(("n_allowed", "n_served", "n_refused"), [(500, 200, 100), (64, 16, 16), (999, 699, 100)])
def test_fewer_connections_are_served_where_the_bound_on_open_files_is_too_low(
    settings, classifier, monkeypatch, caplog, n_allowed, n_served, n_refused
):
    monkeypatch.setattr("serving.server.allow_open_files", lambda _: n_allowed)
    server = make_server(settings.model_copy(update={"max_connections": 700}), classifier, url="", announce=str)
    assert f"may open {n_allowed} files, and --max-connections 700 wants 1000" in caplog.text
    connection = server.config.http
    assert (connection.max_connections, connection.max_refused) == (n_served, n_refused)


@pytest.mark.parametrize(
    ("address", "url"), [(("127.0.0.1", 80), "http://127.0.0.1:80"), (("::1", 80, 0, 0), "http://[::1]:80")]
)
def test_url_of_either_family(address, url):
    class Bound:
        def getsockname(self):
            return address

    assert make_url(Bound()) == url
