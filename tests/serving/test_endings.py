"""What is under way at the end of the service is told so in its own shape, however the end came."""

import http.client
import json
import logging
import signal
import socket
import time

import pytest

from serving import document_routes, stream_routes
from serving.settings import ServeSettings
from tests.serving.support import Gate, with_session
from tests.serving.test_server import BODY, Running

HEAD = b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n"


def ask_in_part(running, path, media_type, piece):
    """A request whose body goes on, for as long as the connection is open."""
    client = socket.create_connection(("127.0.0.1", running.port), 20)
    client.sendall(HEAD % (path, media_type) + (b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""))
    return client


def read_answer(client):
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.status, response.headers, response.read()  # of an answer without its end this would raise


def list_errors(caplog):
    return [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


@pytest.mark.parametrize(
    ("signals", "delay_s"), [((signal.SIGINT, signal.SIGINT), 0), ((signal.SIGTERM, signal.SIGINT), 60)]
)
def test_who_cannot_wait_leaves_nobody_without_an_answer(tiny_model, classifier, caplog, signals, delay_s):
    caplog.set_level(logging.INFO)
    gate, answers = Gate(7, n_free=2), []
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=60, drain_delay_s=delay_s, log_level="info")
    with (
        Running(settings, with_session(classifier, gate.run_batch)) as running,
        ask_in_part(running, b"/v1/classify", b"application/json", b"{") as sends,
    ):
        waiting = running.post_aside(BODY, answers)
        assert gate.reached.wait(10)
        for number in signals:
            running.server.handle_exit(number, None)
            time.sleep(0.3)
        waiting.join(15)
        assert not waiting.is_alive()
        status, headers, content = read_answer(sends)
        gate.opened.set()  # what the model runs, it runs to the end
        running.thread.join(15)
        assert not running.thread.is_alive()
    for found in (answers[0], (status, headers, json.loads(content))):
        assert (found[0], found[2]["error"]["code"]) == (503, "engine_stopped")
        assert found[1]["x-request-id"] == found[2]["error"]["request_id"]
        assert int(found[1]["retry-after"]) >= 1
    assert list_errors(caplog) == []
    assert "Application shutdown complete." in caplog.text


def test_who_cannot_wait_does_not_wait_for_those_who_do_not_read(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=60)
    with Running(settings, classifier) as running, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", running.port))
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n" * 200)
        n_came, deadline_s = -1, time.monotonic() + 30
        while n_came < (n_came := len(client.recv(1 << 20, socket.MSG_PEEK))):  # until no more fits in
            assert time.monotonic() < deadline_s
            time.sleep(1)
        running.stop()
        time.sleep(0.3)
        assert running.thread.is_alive()
        running.server.handle_exit(signal.SIGINT, None)
        running.thread.join(15)
        assert not running.thread.is_alive()


def open_stream(running, row=b'"plan"\n'):
    return ask_in_part(running, stream_routes.STREAM_PATH.encode(), b"application/x-ndjson", row)


def test_a_stream_that_owes_no_row_ends_soon_and_says_why(tiny_model, classifier, caplog):
    caplog.set_level(logging.INFO, "serving.access")
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=60)
    with Running(settings, classifier) as running, open_stream(running) as client:
        assert b"200" in client.recv(12)
        started_s = time.monotonic()
        running.stop()
        answer = b""
        while part := client.recv(65536):
            answer += part
        assert time.monotonic() - started_s < 15
    lines = [json.loads(line) for line in answer.split(b"\r\n") if line.startswith(b"{")]
    assert [line["id"] for line in lines] == [1, None]
    assert "stance" in lines[0]
    assert lines[1]["error"]["code"] == "engine_stopped"
    assert answer.endswith(b"\r\n0\r\n\r\n")
    assert list_errors(caplog) == []
    (told,) = [record.facts for record in caplog.records if getattr(record, "facts", None)]
    assert (told["status"], told["code"]) == (200, "engine_stopped")


def test_a_stream_whose_rows_go_on_to_come_ends_once_those_that_came_are_answered(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=60)
    answer = b""
    with Running(settings, classifier) as running, open_stream(running) as client:
        assert b"200" in client.recv(12)
        started_s = time.monotonic()
        running.stop()
        client.settimeout(0.3)  # a row each third of a second, less than a stream is waited for
        while time.monotonic() - started_s < 30:
            try:
                if not (part := client.recv(65536)):
                    break
                answer += part
            except TimeoutError:
                client.sendall(b'9\r\n"market"\n\r\n')
        assert time.monotonic() - started_s < 15
    lines = [json.loads(line) for line in answer.split(b"\r\n") if line.startswith(b"{")]
    assert lines[-1]["error"]["code"] == "engine_stopped"
    assert all("stance" in line for line in lines[:-1])


def test_a_stream_that_owes_rows_until_the_time_is_over_ends_in_its_own_shape(
    tiny_model, classifier, caplog, monkeypatch
):
    monkeypatch.setattr(stream_routes, "QUIET_S", 60)  # so that it is broken off
    gate = Gate(7, n_free=3)
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=1)
    with (
        Running(settings, with_session(classifier, gate.run_batch)) as running,
        open_stream(running) as client,
    ):
        time.sleep(0.5)
        client.sendall(b'9\r\n"market"\n\r\n')
        assert gate.reached.wait(10)
        running.stop()
        status, _, content = read_answer(client)
        gate.opened.set()
    lines = [json.loads(line) for line in content.splitlines()]
    assert status == 200
    assert [(line["id"], line.get("error", {}).get("code")) for line in lines] == [
        (1, None),
        (2, "engine_stopped"),
        (None, "engine_stopped"),
    ]
    assert list_errors(caplog) == []


def ask_for_lines(running, text):
    """A document whose paragraphs are answered as they are done, one by one."""
    client = socket.create_connection(("127.0.0.1", running.port), 20)
    head = b"POST /v1/documents HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\naccept: application/x-ndjson\r\n"
    client.sendall(head + b"content-length: %d\r\n\r\n%b" % (len(text), text))
    return client


@pytest.mark.issue(4)
@pytest.mark.parametrize("waits_for", ["model", "summary"])
def test_a_document_that_breaks_off_says_so_by_its_last_line_and_in_the_log(
    tiny_model, classifier, caplog, monkeypatch, waits_for
):
    caplog.set_level(logging.INFO, "serving.access")
    gate = Gate(7, n_free=3 if waits_for == "model" else 4)
    if waits_for == "summary":  # what waits for no model is not answered by its end, but broken off

        def summarise(*_):
            gate.reached.set()
            gate.opened.wait(20)

        monkeypatch.setattr(document_routes, "summarise", summarise)
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=1, max_inputs=1)
    with (
        Running(settings, with_session(classifier, gate.run_batch)) as running,
        ask_for_lines(running, b"The plan of the plan.\n\nA market.") as client,
    ):
        assert gate.reached.wait(10)
        running.stop()
        status, _, content = read_answer(client)
        gate.opened.set()
    head, *paragraphs, last = [json.loads(line) for line in content.splitlines()]
    assert (status, head["document"]["n_paragraphs"]) == (200, 2)
    assert [each["paragraph"] for each in paragraphs] == [0, 1][: 1 if waits_for == "model" else 2]
    assert list(last) == ["error"]
    assert last["error"]["code"] == "engine_stopped"
    assert list_errors(caplog) == []
    (told,) = [record.facts for record in caplog.records if getattr(record, "facts", None)]
    assert (told["status"], told["code"]) == (200, "engine_stopped")


def test_a_stream_without_a_row_is_refused_at_the_end(tiny_model, classifier, caplog):
    settings = ServeSettings(model=str(tiny_model), shutdown_timeout_s=60)
    with Running(settings, classifier) as running, open_stream(running, b"") as client:
        time.sleep(0.5)
        running.stop()
        status, headers, content = read_answer(client)
    assert (status, json.loads(content)["error"]["code"]) == (503, "engine_stopped")
    assert "retry-after" in headers
    assert list_errors(caplog) == []
