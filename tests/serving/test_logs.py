"""Nobody waits for the log: not when its reader stalls, and not when nothing of it can be written."""

import asyncio
import gc
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import pytest

from serving.commands import announce
from serving.logs import JsonFormatter, PatientHandler, TextFormatter
from serving.server import open_socket
from tests.serving.processes import start_serve
from tests.serving.test_process import clean_environment


@pytest.fixture
def pipe():
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w", encoding="utf-8") as writer:
        yield reader, writer


def make_handler(stream, **options):
    handler = PatientHandler(stream, **options)
    handler.setFormatter(JsonFormatter())
    return handler


def tell(handler, text):
    handler.handle(logging.makeLogRecord({"msg": text, "levelname": "INFO", "name": "a"}))


def test_lines_come_in_order_and_whole(pipe):
    reader, writer = pipe
    with closing(make_handler(writer)) as handler:
        for number in range(200):
            tell(handler, f"{number} é")
    writer.close()
    assert [json.loads(line)["message"] for line in reader] == [f"{number} é" for number in range(200)]


def fail(text):
    raise ValueError(f"cannot read {text}")


async def fail_later(text):
    fail(text)


@pytest.mark.issue(5)
def test_what_people_read_of_a_service_steers_no_terminal(capsys):
    said = "model x\x1b[31m\x9b31m\u202e\r\ny is warm"
    record = logging.LogRecord("serving.service", logging.INFO, __file__, 1, said, None, None)
    announce(said)
    for told in (TextFormatter().format(record), capsys.readouterr().out.rstrip("\n")):
        assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(told)
        assert "model x\\x1b[31m" in told
    assert "\n" not in TextFormatter().format(record)


@pytest.mark.issue(4)
@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_what_asyncio_tells_of_an_exception_repeats_none_of_its_words(caplog, formatter):
    async def leave_two_behind():
        tasks = [asyncio.create_task(fail_later("the secret plan"))]
        asyncio.get_running_loop().call_soon(fail, "the secret plan")
        await asyncio.sleep(0.01)
        tasks.clear()
        gc.collect()

    asyncio.run(leave_two_behind())
    told = [formatter.format(record) for record in caplog.records if record.name == "asyncio"]
    assert len(told) == 2
    for line in told:
        assert "ValueError" in line
        assert "fail" in line  # its frames
        assert "secret" not in line


def test_a_reader_who_stalls_loses_lines_and_is_told_how_many(pipe):
    reader, writer = pipe
    with closing(make_handler(writer, most_waiting=10)) as handler:
        started_s = time.monotonic()
        for number in range(400):  # far more than fits into the pipe
            tell(handler, f"{number} " + "a" * 1000)
        assert time.monotonic() - started_s < 5
        lines = []
        wakes = threading.Thread(target=lambda: lines.extend(map(json.loads, reader)))
        wakes.start()
        handler.flush()
        tell(handler, "last")
    writer.close()
    wakes.join(10)
    said = [line["message"] for line in lines]
    # How many is told whenever there is room again.
    told = [line["message"] for line in lines if line["level"] == "warning"]
    n_lost = sum(int("".join(filter(str.isdigit, text))) for text in told)
    assert n_lost > 0
    assert sum(text.endswith("a") for text in said) + n_lost == 400
    assert said[-1] == "last"


def wait_until_ready(port, process):
    end_s = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end_s:
        with suppress(OSError), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110 - it is a device
def test_a_full_disk_ends_neither_the_service_nor_its_start(tiny_model):
    with open_socket("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]  # it cannot be told which one it took
    command = [sys.executable, "-m", "twohands", "serve", "--port", str(port), "--threads", "1", "--log-level", "info"]
    with (
        open("/dev/full", "wb") as full,  # noqa: PTH123 - a device
        subprocess.Popen(
            [*command, "--model", str(tiny_model)], env=clean_environment(), stdout=full, stderr=full
        ) as process,
    ):
        try:
            assert wait_until_ready(port, process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_a_service_whose_log_is_not_read_goes_on_and_ends_in_good_order(tiny_model):
    command = [sys.executable, "-m", "twohands", "serve", "--port", "0", "--threads", "1", "--log-level", "info"]
    with subprocess.Popen(
        [*command, "--model", str(tiny_model)],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            port = int(process.stdout.readline().split(" with ")[0].rpartition(":")[2])
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
                for _ in range(300):  # each tells some 300 bytes; a pipe holds 65536
                    connection.request("GET", "/v1/models")
                    assert connection.getresponse().read()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_what_is_no_http_is_told_once_and_by_its_id(tiny_model):
    with start_serve(tiny_model) as (process, port):
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            connection.sendall(b"\x16\x03\x01\r\n\r\n")
            answer = b""
            while part := connection.recv(65536):
                answer += part
        process.send_signal(signal.SIGTERM)
        (line,) = process.communicate(timeout=30)[1].splitlines()
    assert f"x-request-id: {json.loads(line)['request_id']}".encode() in answer
