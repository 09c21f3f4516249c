"""Models are exchanged in a running service of two processes while clients of several kinds ask: none may fail."""

import http.client
import json
import threading
from contextlib import closing

from tests.serving.processes import ask, start_serve
from tests.serving.test_workers import BODY, find_versions, wait_until
from tests.support.tiny import build_tiny_model
from twohands.client import Client


class Crowd:
    """Clients that ask until they are stopped; keeps what became of it."""

    def __init__(self, port):
        self.port = port
        self.failures, self.versions, self.n_answers = [], set(), 0
        self._is_over = threading.Event()
        clients = (self.ask_by_connection, self.ask_by_connection, self.ask_anew, self.ask_by_own_client)
        self._threads = [threading.Thread(target=self._run, args=(client,)) for client in clients]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)

    def _run(self, client):
        try:
            client()
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a request that failed
            self.failures.append(error)

    def note(self, status, answer):
        self.n_answers += 1
        if status == 200:
            self.versions.add(answer["model"]["version"])
        else:
            self.failures.append(status)

    def ask_by_connection(self):
        """One connection kept open, as a pool does."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            while not self._is_over.is_set():
                connection.request("POST", "/v1/classify", BODY, {"content-type": "application/json"})
                response = connection.getresponse()
                self.note(response.status, json.loads(response.read()))

    def ask_anew(self):
        """A connection for each request."""
        while not self._is_over.is_set():
            self.note(*ask(self.port, "POST", "/v1/classify", BODY))

    def ask_by_own_client(self):
        """Lists and streams, without trying again."""
        with Client(f"http://127.0.0.1:{self.port}", max_retries=0) as client:
            while not self._is_over.is_set():
                assert len(client.classify(["plan", "market"])) == 2
                assert len(list(client.stream(["plan"] * 40))) == 40


def exchange(port, verb):
    status, answer = ask(port, "POST", f"/admin/models/mine/{verb}", "{}", host="localhost")
    assert status == 200
    return answer["outcome"]


def test_no_request_of_any_client_fails_while_models_are_exchanged(tmp_path):
    folder = build_tiny_model(tmp_path / "mine", version="1")
    with start_serve(folder, "--workers", "2", seconds=200) as (_, port):
        with Crowd(port) as crowd:
            for number in ("2", "3"):
                build_tiny_model(folder, version=number)
                assert exchange(port, "reload") == "reloaded"
                wait_until(lambda number=number: find_versions(port) == {number})
            assert exchange(port, "rollback") == "rolled_back"
            wait_until(lambda: find_versions(port) == {"2"})
        assert crowd.failures == []
        assert crowd.versions >= {"2", "3"}
        assert crowd.n_answers > 50
