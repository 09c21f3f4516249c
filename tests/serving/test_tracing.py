"""Traces as they leave the process: by the OTLP exporter, to a receiver that reads the protobuf."""

import gzip
import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from serving.tracing import open_tracing
from tests.serving.processes import ask, start_serve

pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter", reason="pip install twohands[tracing]")
TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextmanager
def collect():
    """A collector of traces; yields its address and the bodies that came."""
    bodies = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            is_zipped = self.headers.get("content-encoding") == "gzip"
            bodies.append((self.path, self.headers["content-type"], gzip.decompress(body) if is_zipped else body))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", bodies
        finally:
            server.shutdown()
            thread.join(10)


def read_spans(body):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    def read(attributes):
        return {each.key: each.value.string_value or each.value.int_value for each in attributes}

    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield read(resource.resource.attributes), span, read(span.attributes)


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_spans_reach_a_collector_and_none_is_lost_when_the_service_stops(tiny_model, monkeypatch, workers):
    with collect() as (address, bodies):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        with start_serve(tiny_model, "--tracing", "--workers", workers) as (process, port):
            headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "x-request-id": "job-1"}
            assert ask(port, "POST", "/v1/classify", json.dumps({"inputs": "Zanzibar"}), **headers)[0] == 200
            assert ask(port, "POST", "/v1/classify", json.dumps({"inputs": 7}))[0] == 422
            process.terminate()  # what was not sent yet goes out first
            assert process.wait(40) == 0
    assert {(path, kind) for path, kind, _ in bodies} == {("/v1/traces", "application/x-protobuf")}
    assert not any(b"Zanzibar" in body for _, _, body in bodies)
    spans = [found for _, _, body in bodies for found in read_spans(body)]
    assert len(spans) == 2
    for resource, span, _ in spans:
        assert resource["service.name"] == "twohands"
        assert resource["deployment.environment.name"] == "test"
        assert span.name == "POST /v1/classify"
        assert span.kind == 2  # of a server
        assert span.end_time_unix_nano > span.start_time_unix_nano
    (mine,) = [found for found in spans if found[2].get("twohands.request_id") == "job-1"]
    assert (mine[1].trace_id.hex(), mine[1].parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert {found[2]["http.response.status_code"] for found in spans} == {200, 422}


def test_the_operators_name_of_the_service_wins(monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "classifier-blue")
    spans = open_tracing()
    try:
        assert spans.provider.resource.attributes["service.name"] == "classifier-blue"
    finally:
        spans.provider.shutdown()


def test_a_collector_that_is_not_there_costs_no_request(tiny_model, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with start_serve(tiny_model, "--tracing") as (process, port):
        for _ in range(5):
            assert ask(port, "POST", "/v1/classify", json.dumps({"inputs": "plan"}))[0] == 200
        process.terminate()
        assert process.wait(40) == 0


@pytest.mark.issue(4)
def test_a_collector_that_does_not_answer_holds_up_no_end(monkeypatch, caplog):
    at_exit = []
    monkeypatch.setattr("atexit.register", at_exit.append)
    monkeypatch.setattr("serving.tracing._END_S", 0.02)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        spans = open_tracing()
        with spans.open({"method": "GET", "headers": []}) as span:
            span.close(route="/info", status=200, request_id="job-1")
        spans.end()
        assert "the last spans are lost" in caplog.text
        assert spans.provider.shutdown not in at_exit
        for thread in threading.enumerate():
            if thread.name == "twohands-spans":
                thread.join(10)
