import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from contextlib import ExitStack
from http.client import HTTPResponse

import psutil
import pytest

from serving.keys import make_key, write_keys
from serving.rates import RateLimiter
from serving.worker import follow
from tests.serving.processes import ask, start_serve
from tests.serving.test_process import run_serve
from tests.support.tiny import build_tiny_model

BODY = json.dumps({"inputs": "plan"})


def children(process):
    return [child.pid for child in psutil.Process(process.pid).children()]


def wait_until(condition, seconds=40):
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.1)


def count_requests(port, **headers):
    shown = ask(port, "GET", "/metrics", **headers)[1]
    return sum(
        float(line.split()[-1])
        for line in shown.splitlines()
        if line.startswith("twohands_requests_total") and 'route="/v1/classify"' in line
    )


def test_several_workers_share_an_address_and_survive_each_other(tmp_path):
    folder = build_tiny_model(tmp_path / "mine", version="1")
    key, kept = make_key(name="a", is_admin=True, requests_per_minute=1000)
    other, bounded = make_key(name="b", requests_per_minute=8)
    write_keys(tmp_path / "keys.json", [kept, bounded])
    with start_serve(folder, "--workers", "2", "--api-keys-file", str(tmp_path / "keys.json"), seconds=150) as (
        process,
        port,
    ):
        headers = {"x-api-key": key}
        first = children(process)
        assert len(first) == 2
        assert [ask(port, "POST", "/v1/classify", BODY, **headers)[0] for _ in range(12)] == [200] * 12
        assert count_requests(port, **headers) == 12  # whichever worker answered, and whichever was asked

        # The bound of a key is one for all workers.
        statuses = [ask(port, "POST", "/v1/classify", BODY, **{"x-api-key": other})[0] for _ in range(12)]
        assert statuses.count(429) >= 3
        assert statuses.count(200) <= 9

        # What is done to a model in one is done in all.
        build_tiny_model(folder, version="2")
        status, answer = ask(port, "POST", "/admin/models/mine/reload", "{}", **headers)
        assert (status, answer["outcome"]) == (200, "reloaded")

        def versions():
            asked = [ask(port, "POST", "/v1/classify", BODY, **headers)[1] for _ in range(10)]
            return {answer["model"]["version"] for answer in asked}

        wait_until(lambda: versions() == {"2"})

        os.kill(first[0], signal.SIGKILL)
        for _ in range(10):
            assert ask(port, "POST", "/v1/classify", BODY, **headers)[0] == 200
        wait_until(lambda: len(children(process)) == 2 and first[0] not in children(process))
        assert first[1] in children(process)

        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert not any(psutil.pid_exists(pid) for pid in first)


def test_ctrl_c_while_workers_serve_on_ends_them_at_once(tiny_model):
    with start_serve(tiny_model, "--workers", "2", "--drain-delay", "300", seconds=150) as (process, port):
        for number in (signal.SIGTERM, signal.SIGINT):
            assert ask(port, "POST", "/v1/classify", BODY)[0] == 200
            process.send_signal(number)
            time.sleep(1)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")


# What starts a service in the background may close what nobody would read.
_WITHOUT_ERRORS = (
    "import os, sys; os.close(2); os.execv(sys.executable, [sys.executable, '-m', 'twohands', 'serve', *sys.argv[1:]])"
)


@pytest.mark.issue(7)
def test_workers_serve_without_a_standard_error(tiny_model):
    with start_serve(tiny_model, "--workers", "2", program=("-c", _WITHOUT_ERRORS)) as (_, port):
        assert ask(port, "POST", "/v1/classify", BODY)[0] == 200


def find_versions(port, n=10):
    return {ask(port, "POST", "/v1/classify", BODY)[1]["model"]["version"] for _ in range(n)}


def replace_worker(process):
    """Kill one of two; the one that stays."""
    first, other = children(process)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(children(process)) == 2 and first not in children(process))
    return other


def test_a_worker_that_comes_later_serves_what_the_others_serve(tmp_path):
    folder = build_tiny_model(tmp_path / "mine", version="1")
    headers = {"host": "localhost"}
    with start_serve(folder, "--workers", "2", seconds=200) as (process, port):
        build_tiny_model(folder, version="2")  # replaced, and not asked for yet

        def find_versions_of_new():
            """Only the new one answers, once it does."""
            other = replace_worker(process)
            os.kill(other, signal.SIGSTOP)
            try:
                return find_versions(port, 3)
            finally:
                os.kill(other, signal.SIGCONT)

        assert find_versions_of_new() == {"1"}
        assert ask(port, "POST", "/admin/models/mine/reload", "{}", **headers)[1]["outcome"] == "reloaded"
        wait_until(lambda: find_versions(port) == {"2"})
        assert ask(port, "POST", "/admin/models/mine/rollback", "{}", **headers)[1]["outcome"] == "rolled_back"
        wait_until(lambda: find_versions(port) == {"1"})
        assert find_versions_of_new() == {"1"}  # though the folder holds 2
        # And it can go back to what the others have in memory, whichever worker is asked.
        for version in ("2", "1"):
            assert ask(port, "POST", "/admin/models/mine/rollback", "{}", **headers)[0] == 200
            wait_until(lambda version=version: find_versions(port) == {version})
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: find_versions(port) == {"2"})


def count_sockets(pid):
    """Of a process."""
    return len(psutil.Process(pid).net_connections())


def test_workers_share_a_burst_of_connections_and_refuse_new_ones_once_they_stop(tmp_path):
    folder = build_tiny_model(tmp_path / "mine")
    with start_serve(folder, "--workers", "2", "--body-timeout", "60") as (process, port), ExitStack() as opened:
        workers = children(process)
        before = [count_sockets(pid) for pid in workers]
        n_burst = 60
        for pid in workers:  # all are waiting when the first of them wakes
            os.kill(pid, signal.SIGSTOP)
        burst = [opened.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(n_burst)]
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        taken = [0, 0]

        def are_taken():
            taken[:] = [count_sockets(pid) - n for pid, n in zip(workers, before, strict=True)]
            return sum(taken) == n_burst

        wait_until(are_taken, seconds=12)
        assert min(taken) >= n_burst // 10, taken

        head = f"POST /v1/classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}"
        under_way, *others = burst
        for connection in others:
            connection.close()
        under_way.sendall(f"{head}\r\n\r\n{BODY[:3]}".encode())
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)

        def is_refused():
            try:
                socket.create_connection(("127.0.0.1", port), 20).close()
            except OSError:
                return True
            return False

        wait_until(is_refused, seconds=10)
        assert process.poll() is None  # it still waits for the one that is under way
        under_way.sendall(BODY[3:].encode())
        response = HTTPResponse(under_way)
        response.begin()
        assert (response.status, response.headers["connection"]) == (200, "close")
        assert process.wait(40) == 0


def test_workers_end_when_their_supervisor_is_killed(tmp_path):
    folder = build_tiny_model(tmp_path / "mine")
    with start_serve(folder, "--workers", "2") as (process, _):
        workers = children(process)
        process.kill()
        process.wait(10)
        wait_until(lambda: not any(psutil.pid_exists(pid) for pid in workers))


def test_workers_end_when_their_supervisor_is_killed_while_they_reload(tmp_path):
    folder = build_tiny_model(tmp_path / "mine")
    with start_serve(folder, "--workers", "2", seconds=150) as (process, _):
        workers = children(process)
        for pid in workers:  # so that nobody is left to be told of the reload once it is done
            os.kill(pid, signal.SIGSTOP)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        process.kill()
        process.wait(10)
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        try:
            wait_until(lambda: not any(psutil.pid_exists(pid) for pid in workers))
        finally:
            for pid in workers:
                if psutil.pid_exists(pid):
                    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("order", [b"no order\n", b'{"event": "exchanged"}\n', b""])
def test_a_worker_that_cannot_follow_orders_stops(monkeypatch, caplog, order):
    signals = []

    class Server:
        def handle_exit(self, number, _):
            signals.append(number)

    orders, ours = os.pipe()
    with os.fdopen(orders) as stdin, os.fdopen(ours, "wb", buffering=0) as stream:
        monkeypatch.setattr(sys, "stdin", stdin)
        if order:
            stream.write(order)
        else:
            stream.close()
        asyncio.run(asyncio.wait_for(follow(Server()), 10))
    assert signals == [signal.SIGTERM]
    assert bool(caplog.records) == bool(order)  # a supervisor that is gone is no fault


@pytest.mark.issue(5)
def test_a_hangup_counts_as_one_reload_of_all_workers(tmp_path):
    folder = build_tiny_model(tmp_path / "mine", version="1")
    with start_serve(folder, "--workers", "3") as (process, port):

        def count(outcome):
            shown = ask(port, "GET", "/metrics")[1]
            return float(
                re.search(rf'^twohands_model_reloads_total{{outcome="{outcome}"}} (.+)', shown, re.MULTILINE)[1]
            )

        build_tiny_model(folder, version="2")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: count("reloaded") == 1 and find_versions(port) == {"2"})
        (folder / "tokenizer.json").write_text("{}")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: count("refused") == 3)  # each of which goes on with what it had
        assert (count("reloaded"), count("unchanged")) == (1, 0)


@pytest.mark.issue(4)
def test_reloads_asked_for_while_one_runs_are_done_as_one(monkeypatch):
    done = []
    orders, ours = os.pipe()

    class Service:
        slots = ()

        async def reload_all(self, *, is_counted):
            assert is_counted
            done.append("reload")

        async def serve_version(self, name, sha256):
            done.append(name + sha256)
            if sha256 == "c":
                os.close(ours)

    class Server:
        service = Service()

        def handle_exit(self, *_):
            done.append("end")

    told = {"event": "reload_all", "is_counted": True}, {"event": "exchanged", "name": "mine", "sha256": "b"}
    last = {"event": "exchanged", "name": "mine", "sha256": "c"}
    with os.fdopen(orders) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        for order in (*[told[0]] * 9, told[1], *[told[0]] * 9, last):
            os.write(ours, json.dumps(order).encode() + b"\n")
        asyncio.run(asyncio.wait_for(follow(Server()), 10))
    assert done[-4:] == ["mineb", "reload", "minec", "end"]
    assert done.count("reload") <= 2


def test_workers_go_on_for_the_delay_that_is_set(tmp_path):
    folder = build_tiny_model(tmp_path / "mine")
    with start_serve(folder, "--workers", "2", "--drain-delay", "3") as (process, port):
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: ask(port, "GET", "/readyz")[0] == 503, seconds=3)  # each time on a new connection
        assert ask(port, "POST", "/v1/classify", BODY)[0] == 200
        assert process.wait(40) == 0


def test_a_model_that_no_worker_can_serve_ends_with_one_message(tmp_path):
    folder = build_tiny_model(tmp_path / "mine")
    bad = tmp_path / "keys.json"
    bad.write_text("{")
    ended = run_serve("--model", str(folder), "--workers", "2", "--port", "0", "--api-keys-file", str(bad))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "invalid_config" in ended.stderr
    assert "Traceback" not in ended.stderr
    (folder / "tokenizer.json").write_text("{}")
    ended = run_serve("--model", str(folder), "--workers", "2", "--port", "0")
    assert ended.stderr.startswith("error [invalid_model_folder]")


def test_processes_count_a_key_together(tmp_path):
    now_s = 5.0
    first, second = (RateLimiter(tmp_path, clock=lambda: now_s) for _ in range(2))
    assert [limiter.take("a", per_minute=2) for limiter in (first, second)] == [0, 0]
    assert first.take("a", per_minute=2) == pytest.approx(30)
    assert second.take("a", per_minute=2) == pytest.approx(30)
    now_s = 36.0
    assert second.take("a", per_minute=2) == 0
