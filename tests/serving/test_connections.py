"""What only raw connections show: answers to what is no request, what comes behind an answer, and what is not read."""

import json
import logging
import re
import socket
import threading
import time
from contextlib import suppress
from functools import partial

import h11
import pytest

from serving.clients import ClientLimits
from serving.connections import TimedConnection
from serving.keys import make_key, write_keys
from serving.rates import RateLimiter
from serving.request_lines import LenientConnection
from serving.settings import ServeSettings
from tests.serving.running import run_server
from tests.serving.test_slow_clients import BODY, connect, read_all, read_one

GET = b"GET /healthz HTTP/1.1\r\nhost: service\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def served(tiny_model, classifier):
    with run_server(ServeSettings(model=str(tiny_model)), classifier) as url:
        yield url


def exchange(url, *parts):
    """Everything that is answered until the service closes the connection."""
    with connect(url) as connection:
        with suppress(OSError):
            for part in parts:
                connection.sendall(part)
        return read_all(connection)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "bad_request"),
        (GET + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", 400, "bad_request"),
        (GET + b"x-a: " + b"a" * 20_000, 431, "headers_too_large"),
        (GET + b"transfer-encoding: gzip, chunked\r\n\r\n", 501, "not_implemented"),
    ],
)
def test_what_is_no_request_is_refused_in_our_own_words(served, sent, status, code):
    head, _, body = exchange(served, sent).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"x-content-type-options: nosniff" in head
    error = json.loads(body)["error"]
    assert error["code"] == code
    assert f"x-request-id: {error['request_id']}".encode() in head


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"transfer-encoding: gzip, chunked\r\n\r\n", "`transfer-encoding` is not `chunked` alone"),
        (b"x-a: a\r\n" * 120 + b"\r\n", "122 headers, at most 100 "),
        (b"".join(b"x-%d: %s\r\n" % (n, b"a" * 9000) for n in range(2)) + b"\r\n", "bytes, at most 16384 "),
    ],
)
def test_refusals_say_what_was_found_and_which_bound_was_broken(served, sent, words):
    body = exchange(served, GET + b"connection: close\r\n" + sent).partition(b"\r\n\r\n")[2]
    assert words in json.loads(body)["error"]["message"]


def test_what_is_no_request_is_told_with_the_id_that_its_sender_has(served, caplog):
    head = exchange(served, b"GET / HTTP/9\r\n\r\n").partition(b"\r\n\r\n")[0].decode()
    assert re.search(r"^date: \w{3}, \d\d ", head, flags=re.MULTILINE)
    request_id = re.search(r"^x-request-id: (\w+)", head, flags=re.MULTILINE)[1]
    facts = [record.facts for record in caplog.records if hasattr(record, "facts")]
    assert {"request_id": request_id, "status": 400} in facts


@pytest.mark.parametrize(
    "target", [b"http://service/healthz", b"HTTP://service:80/healthz?a=b", b"https://[::1]/healthz"]
)
def test_a_target_with_a_host_is_one_of_ours(served, target):
    answer = exchange(served, GET.replace(b"/healthz", target) + b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


def test_the_host_of_a_target_is_that_of_the_request_whatever_the_header_says(served):
    reload = b"POST %s HTTP/1.1\r\nhost: %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    path = b"/admin/models/nowhere/reload"
    assert exchange(served, reload % (path, b"localhost")).startswith(b"HTTP/1.1 404")  # may ask; there is no such one
    for host in (b"rebound.example", b"localhost.example:80"):
        assert exchange(served, reload % (b"http://" + host + path, b"localhost")).startswith(b"HTTP/1.1 403")
    assert exchange(served, reload % (b"http://localhost" + path, b"a")).startswith(b"HTTP/1.1 404")


def test_a_target_with_a_host_alone_asks_for_the_root(served):
    for target in (b"http://service", b"http://service/", b"http://service?a=b"):
        answer = exchange(served, GET.replace(b"/healthz", target) + b"connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
    # No form of a target, or with a password in it.
    for target in (b"ftp://service/healthz", b"http:///healthz", b"http://a:b@service/healthz", b"service:80"):
        answer = exchange(served, GET.replace(b"/healthz", target) + b"connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("parts", [(b"\r\n" + GET,), (b"\r", b"\n" + GET), (b"\r\n", GET)])
def test_one_empty_line_before_a_request_is_passed_over(served, parts):
    with connect(served) as connection:
        for _ in range(2):
            for part in (*parts, b"\r\n"):
                connection.sendall(part)
                time.sleep(0.05)
            assert read_one(connection)[0] == 200
    assert exchange(served, b"\r\n\r\n" + GET + b"\r\n").startswith(b"HTTP/1.1 400")


def test_an_empty_line_behind_a_body_is_no_request(served):
    post = b"POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    posted = post + b"content-length: %d\r\n\r\n%s\r\n" % (len(BODY), BODY)
    answer = exchange(served, posted + posted + GET + b"connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 3


def test_a_stream_whose_body_breaks_is_cut_and_logged_as_no_fault_of_ours(served, caplog):
    row = json.dumps("plan").encode() + b"\n"
    head = b"POST /v1/classify/stream HTTP/1.1\r\nhost: service\r\ncontent-type: application/x-ndjson\r\n" + CHUNKED
    with connect(served) as connection:
        connection.sendall(head + b"%x\r\n%s\r\n" % (len(row), row))
        assert connection.recv(20).startswith(b"HTTP/1.1 200")
        connection.sendall(b"zz\r\n")
        assert not read_all(connection).endswith(b"0\r\n\r\n")  # what broke off must not look whole
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.issue(5)
def test_what_is_no_request_fills_no_log(tiny_model, classifier, caplog, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr("serving.telling.RateLimiter", partial(RateLimiter, clock=lambda: now_s))
    with run_server(ServeSettings(model=str(tiny_model)), classifier) as url:
        for _ in range(100):
            assert exchange(url, b"\x16\x03\x01\x02\x00\r\n\r\n").startswith(b"HTTP/1.1 400")
        now_s = 1.0
        exchange(url, b"\x16\x03\x01\x02\x00\r\n\r\n")
    told = [record.facts for record in caplog.records if record.name == "serving.connections"]
    assert [facts.get("n_untold") for facts in told] == [None] * 60 + [40]


@pytest.mark.issue(4)
@pytest.mark.parametrize("media_type", [b"text/plain", b"application/json"])  # the one is refused by its headers
def test_a_body_that_breaks_with_its_headers_is_answered_once_and_no_fault_of_ours(served, caplog, media_type):
    head = b"POST /v1/classify HTTP/1.1\r\nhost: service\r\ncontent-type: " + media_type + b"\r\n" + CHUNKED
    answer = exchange(served, head + b"-1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    # Answered behind it on the loop of the service: by then the request's own task is done.
    assert exchange(served, GET + b"connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_body_that_goes_on_behind_its_answer_is_cut(served, monkeypatch):
    monkeypatch.setattr(TimedConnection, "header_timeout_s", 0.5)
    with connect(served) as connection:
        started_s = time.monotonic()
        connection.sendall(GET + CHUNKED)
        assert read_one(connection)[0] == 200
        with suppress(OSError):
            while time.monotonic() - started_s < 20:
                connection.sendall(b"1\r\na\r\n")
                time.sleep(0.1)
    assert time.monotonic() - started_s < 10


def test_a_body_that_ends_behind_its_answer_costs_no_connection(served, monkeypatch):
    monkeypatch.setattr(TimedConnection, "header_timeout_s", 1.5)
    with connect(served) as connection:
        connection.sendall(GET + CHUNKED)
        assert read_one(connection)[0] == 200
        time.sleep(0.9)  # more than the time in all, less than it each
        connection.sendall(b"1\r\na\r\n0\r\n\r\n")
        time.sleep(0.9)
        connection.sendall(GET + b"\r\n")
        assert read_one(connection)[0] == 200


def test_what_is_left_unread_of_an_answer_is_cut_however_little(served, monkeypatch):
    monkeypatch.setattr(TimedConnection, "write_timeout_s", 0.5)
    # The system's own buffers are filled first; then less than what makes the service stop writing is left.
    monkeypatch.setattr(TimedConnection, "pause_writing", lambda _: None)
    is_cut, left = threading.Event(), []
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = served.removeprefix("http://").split(":")
        connection.connect((host, int(port)))
        ours = connection.getsockname()
        complete, lose = TimedConnection.on_response_complete, TimedConnection.connection_lost

        def note_rest(self):
            complete(self)
            left.append(self.transport.get_write_buffer_size())

        def note_end(self, exc):
            lose(self, exc)
            if self.client == ours:  # and not what another test left
                is_cut.set()

        monkeypatch.setattr(TimedConnection, "on_response_complete", note_rest)
        monkeypatch.setattr(TimedConnection, "connection_lost", note_end)
        ask = b"GET /openapi.json HTTP/1.1\r\nhost: service\r\n"
        connection.sendall((ask + b"\r\n") * 120 + ask + b"connection: close\r\n\r\n")
        assert is_cut.wait(60)
    assert left[-1] > 0


def test_a_body_of_two_lengths_is_the_last_of_its_connection(served):
    head = b"POST /v1/classify HTTP/1.1\r\nhost: service\r\ncontent-type: application/json\r\ncontent-length: 4\r\n"
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    answer = exchange(served, head + CHUNKED + chunk + GET + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1 ") == 1  # what a proxy may have taken for a part of the body was not answered


@pytest.mark.issue(5)
def test_a_body_in_tiny_chunks_lets_others_between(served, monkeypatch):
    read, handle, counts = LenientConnection.next_event, TimedConnection.data_received, [0]

    def count_event(self):
        counts[-1] += 1
        return read(self)

    def begin_count(self, data):
        counts.append(0)
        handle(self, data)

    monkeypatch.setattr(LenientConnection, "next_event", count_event)
    monkeypatch.setattr(TimedConnection, "data_received", begin_count)
    head = GET.replace(b"GET /healthz", b"POST /v1/classify") + b"content-type: application/json\r\n"
    answer = exchange(served, head + b"connection: close\r\n" + CHUNKED, b"1\r\n1\r\n" * 50_000 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert sum(counts) > 50_000
    assert max(counts) < 2500  # each takes ten microseconds, in which nobody else is answered


def test_asking_for_another_protocol_is_passed_over_in_silence(served, caplog):
    with connect(served) as connection:
        connection.sendall(
            GET + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n"
        )
        assert read_one(connection)[0] == 200
    assert caplog.records == []


def test_no_answer_waits_for_an_acknowledgement(tiny_model, classifier, monkeypatch):
    begin, options = TimedConnection.connection_made, []

    def note_option(self, transport):
        begin(self, transport)
        options.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(TimedConnection, "connection_made", note_option)
    # A listener whose protocol number is not known, so that asyncio does not set the option itself.
    monkeypatch.setattr("tests.serving.running.open_socket", lambda *address: socket.create_server(address))
    with run_server(ServeSettings(model=str(tiny_model)), classifier) as url, connect(url) as connection:
        connection.sendall(GET + b"\r\n")
        assert read_one(connection)[0] == 200
    assert options  # without it each answer but the first few takes 40 ms
    assert 0 not in options


def test_a_question_by_head_is_answered_without_a_body(served):
    with connect(served) as connection:
        for path in ("healthz", "readyz", "info", "metrics", "health", "v2/health/ready"):
            connection.sendall(b"HEAD /%s HTTP/1.1\r\nhost: service\r\n\r\n" % path.encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1)  # nothing may follow, else the next answer is no answer
            assert head.startswith(b"HTTP/1.1 200 OK")
        connection.sendall(GET + b"\r\n")
        assert read_one(connection) == (200, b'{"status":"alive"}')
    assert exchange(served, b"HEAD /v1/classify HTTP/1.1\r\nhost: service\r\nconnection: close\r\n\r\n").startswith(
        b"HTTP/1.1 405"
    )


def test_a_client_that_has_gone_already_is_no_fault_of_ours(served, monkeypatch, caplog):
    refused = []
    real = TimedConnection.connection_made

    class Gone:
        """As macOS has a socket that is shut both ways: no option of it can be set."""

        def __init__(self, real):
            self._real = real

        def __getattr__(self, name):
            return getattr(self._real, name)

        def setsockopt(self, *option):
            refused.append(option)
            raise OSError(22, "Invalid argument")

    def connection_made(self, transport):
        info = transport.get_extra_info
        monkeypatch.setattr(
            transport, "get_extra_info", lambda name, *more: Gone(info(name)) if name == "socket" else info(name, *more)
        )
        real(self, transport)

    monkeypatch.setattr(TimedConnection, "connection_made", connection_made)
    with caplog.at_level(logging.WARNING):
        assert exchange(served, GET + b"connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert refused == [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    assert not caplog.records


def await_word(path, *, length=100, headers=b""):
    """A request of a client that sends its body only once it is told to go on."""
    head = b"POST %s HTTP/1.1\r\nhost: service\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n" % path
    return head + headers + b"content-length: %d\r\n\r\n" % length


@pytest.fixture(scope="module")
def guarded(tiny_model, classifier, tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    write_keys(keys, [make_key(name="a")[1]])
    with run_server(ServeSettings(model=str(tiny_model), api_keys_file=keys), classifier) as url:
        yield url


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (await_word(b"/v1/classify", length=9_000_000), 413),
        (await_word(b"/nowhere"), 404),
        (await_word(b"/v1/classify").replace(b"application/json", b"text/html"), 415),
        (await_word(b"/v1/classify", headers=b"origin: http://evil.example\r\n"), 403),
        (await_word(b"/v1/classify", headers=b"x-a: a\r\n" * 120), 431),
        (await_word(b"/v1/documents?model=absent").replace(b"application/json", b"application/pdf"), 404),
        (await_word(b"/v1/documents?threshold=stance=2").replace(b"application/json", b"text/plain"), 422),
        (await_word(b"/v1/documents?threshold=stance"), 422),
        (await_word(b"/v1/documents?explain=perhaps"), 422),
    ],
)
def test_who_waits_to_be_told_is_told_at_once_and_asked_for_no_body(served, sent, status):
    started_s = time.monotonic()
    answer = exchange(served, sent)  # which ends with the connection: what would come on it could be body or request
    assert time.monotonic() - started_s < 5
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"connection: close\r\n") == 1


def test_who_waits_to_be_told_and_has_no_key_is_asked_for_no_body(guarded):
    started_s = time.monotonic()
    answer = exchange(guarded, await_word(b"/v1/classify", length=1_000_000))
    assert time.monotonic() - started_s < 5
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close\r\n" in answer


def test_who_waits_to_be_told_and_may_is_told_and_keeps_the_connection(served):
    with connect(served) as connection:
        for _ in range(2):
            connection.sendall(await_word(b"/v1/classify", length=len(BODY)))
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(BODY)
            assert read_one(connection)[0] == 200
        for _ in range(2):  # who has no body to send waits for nothing
            connection.sendall(GET + b"expect: 100-continue\r\n\r\n")
            assert read_one(connection)[0] == 200


def ask(connection):
    connection.receive_data(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    while type(connection.next_event()) is not h11.EndOfMessage:
        pass


def test_the_head_of_a_whole_answer_is_written_with_its_body():
    connection = LenientConnection(h11.SERVER)
    ask(connection)
    assert connection.send(h11.Response(status_code=200, headers=[("Content-Length", "4")])) == b""
    assert connection.send(h11.Data(data=b"plan")) == b"HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\nplan"
    assert connection.send(h11.EndOfMessage()) == b""


def test_the_head_of_a_stream_is_written_at_once():
    connection = LenientConnection(h11.SERVER)
    ask(connection)
    assert connection.send(h11.Response(status_code=200, headers=[])).startswith(b"HTTP/1.1 200 ")
    assert connection.send(h11.Data(data=b"plan")).endswith(b"4\r\nplan\r\n")


def test_only_a_body_that_is_still_to_come_is_waited_for_by_a_clock(served, monkeypatch):
    n_hurried = []
    hurry = ClientLimits._hurry
    monkeypatch.setattr(ClientLimits, "_hurry", lambda *given, **named: n_hurried.append(1) or hurry(*given, **named))
    body = b'{"inputs": "plan"}'
    head = b"POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n"
    for parts, n_wanted in (([head + body], 0), ([head, body], 1)):
        with connect(served) as connection:
            for part in parts:
                connection.sendall(part)
                time.sleep(0.2)
            assert read_one(connection)[0] == 200
        assert len(n_hurried) == n_wanted
