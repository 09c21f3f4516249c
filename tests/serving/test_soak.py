"""Mixed load on a real server for a while: nothing but 200 and 429, a long stream in order, and memory that holds."""

import json
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil
import pytest

from serving.settings import ServeSettings
from tests.serving.running import run_server

WORDS = ["plan", "market", "weather", "embargo", "homemade", "subsidy", "licence", "the", "of", "unheard"]


@pytest.fixture
def url(tiny_model, classifier):
    with run_server(ServeSettings(model=str(tiny_model)), classifier) as url:
        yield url


def read_rss_bytes():
    return psutil.Process().memory_info().rss


def make_text(draw, n_words):
    return " ".join(draw.choices(WORDS, k=n_words)) + "."


def ask_until(url, end_s, seed):
    """One client that asks one thing after another; gives the statuses it saw."""
    draw, statuses = random.Random(seed), []
    address = urlsplit(url)
    # Longer than the service itself lets a request take.
    connection = HTTPConnection(address.hostname, address.port, timeout=90)
    while time.monotonic() < end_s:
        texts = [make_text(draw, draw.randint(1, 512)) for _ in range(draw.choice([1, 1, 1, 8, 40]))]
        body = {"inputs": texts, "explain": draw.random() < 0.05}
        connection.request("POST", "/v1/classify", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        statuses.append(response.status)
        if response.status == 200:
            assert len(answer["predictions"]) == len(texts)
    connection.close()
    return statuses


def run_clients(url, for_s, seed):
    """Four clients at once; gives the statuses that they saw."""
    end_s = time.monotonic() + for_s
    with ThreadPoolExecutor(4) as pool:
        return [status for seen in pool.map(lambda n: ask_until(url, end_s, seed + n), range(4)) for status in seen]


def soak(url, *, warm_s, duration_s):
    run_clients(url, warm_s, 0)
    warm_bytes = read_rss_bytes()
    statuses = run_clients(url, duration_s, 100)
    return set(statuses), read_rss_bytes() / warm_bytes


def test_a_short_soak(url):
    statuses, growth = soak(url, warm_s=2, duration_s=3)
    assert statuses <= {200, 429}
    assert growth < 1.15


def stream_rows(url, n_rows, *, on_line):
    """Send and read at once, as `curl -T` does; gives the number of answers."""
    address = urlsplit(url)
    draw = random.Random(5)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:

        def send():
            head = "POST /v1/classify/stream HTTP/1.1\r\nhost: service\r\ncontent-type: application/x-ndjson\r\n"
            connection.sendall(head.encode() + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n")
            for start in range(0, n_rows, 50):
                rows = [{"id": n, "text": make_text(draw, 30)} for n in range(start, min(start + 50, n_rows))]
                piece = "".join(json.dumps(row) + "\n" for row in rows).encode()
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.sendall(b"0\r\n\r\n")

        sender = threading.Thread(target=send)
        sender.start()
        n_lines = 0
        with connection.makefile("rb") as received:
            assert b"200" in received.readline()
            while received.readline() != b"\r\n":
                pass
            rest = b""
            while size := int(received.readline(), 16):
                *lines, rest = (rest + received.read(size)).split(b"\n")
                received.readline()
                for line in lines:
                    assert json.loads(line)["id"] == n_lines
                    n_lines += 1
                    on_line(n_lines)
        sender.join(30)
        assert rest == b""
    return n_lines


def check_stream(url, n_rows, *, warm_rows):
    marks = {}
    others = []

    def on_line(n_lines):
        if n_lines in {warm_rows, n_rows}:
            marks[n_lines] = read_rss_bytes()
        if n_lines == n_rows // 2:
            others.append(ask_until(url, time.monotonic() + 0.5, 1))

    assert stream_rows(url, n_rows, on_line=on_line) == n_rows
    assert set(others[0]) == {200}  # beside a stream, others are answered
    assert marks[n_rows] < 1.15 * marks[warm_rows]


def test_a_stream_is_in_order_in_constant_memory_and_beside_others(url):
    check_stream(url, 1500, warm_rows=500)


@pytest.mark.slow
def test_a_stream_of_half_a_million_rows(url):
    check_stream(url, 500_000, warm_rows=20_000)
