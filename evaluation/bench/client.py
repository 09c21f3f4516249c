"""Owns the HTTP client of the benches: many connections on one event loop in a thread of its own, and what it costs.

It is the load, so it measures itself: CPU a request, and how late it was to send. Knows nothing of LoadGen.
"""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from twohands.errors import BenchError
from twohands.extras import import_extra
from twohands.open_files import allow_open_files

Done = Callable[[int, bool], None]
_CLASSIFY_PATH = "/v1/classify"
_TIMEOUT_S = 120.0
_OTHER_FILES = 100  # of this process, beside its connections


def import_aiohttp() -> Any:  # noqa: ANN401 - a module
    """Import aiohttp, which sends requests.

    Returns:
        The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra("aiohttp", use="load", extra="bench")


def make_bodies(texts: Sequence[str]) -> list[bytes]:
    """Write the requests of /v1/classify beforehand, one text each, so that no clock sees it."""
    return [json.dumps({"inputs": text}).encode() for text in texts]


def part_url(url: str) -> tuple[str, str]:
    """Part the address of a server from the name and password in it, which belong in no message and no report.

    Args:
        url: as it was given; need not be one.

    Returns:
        The address without them, and `NAME:PASSWORD`, empty without such.
    """
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    end = next((place for place, letter in enumerate(rest) if letter in "/?#"), len(rest))
    userinfo, _, host = rest[:end].rpartition("@")
    return scheme + mark + host + rest[end:], userinfo


def _make_headers(key: str, userinfo: str) -> dict[str, str]:
    # Not as `authorization`, which is made of the name and password in an address, for a proxy on the way.
    headers = {"content-type": "application/json"} | ({"x-api-key": key} if key else {})
    if userinfo:
        name, _, password = userinfo.partition(":")
        token = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
        headers["authorization"] = f"Basic {token}"
    return headers


class LoadClient:
    """Sends requests as they are handed to it, from any thread; at most `max_connections` at once, then in order."""

    def __init__(
        self,
        url: str,
        bodies: Sequence[bytes],
        *,
        max_connections: int,
        path: str = _CLASSIFY_PATH,
        key: str = "",
        userinfo: str = "",
    ) -> None:
        """Start the thread.

        Args:
            url: of the server, without a path, and without a name and password, since messages quote it.
            bodies: what can be sent, by number.
            max_connections: how many requests are under way at once; the rest waits, and its time counts.
            path: where to post.
            key: of a service that asks for one; empty to send none.
            userinfo: `NAME:PASSWORD` for a proxy on the way, as `part_url` gives it; empty to send none.
        """
        self._aiohttp = import_aiohttp()
        allow_open_files(max_connections + _OTHER_FILES)
        self._url = url.rstrip("/") + path
        self._bodies = bodies
        self._max_connections = max_connections
        self._headers = _make_headers(key, userinfo)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bench-client", daemon=True)
        self._thread.start()
        self._session: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.n_failed = 0
        self.first_failure = ""
        self.lags_ms: list[float] = []
        """From being handed over until its own turn on the event loop: the client's own lateness."""
        self._call(self._open())

    def _call(self, work: Any) -> Any:  # noqa: ANN401 - whatever the coroutine returns
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)

    async def _open(self) -> None:
        connector = self._aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        timeout = self._aiohttp.ClientTimeout(total=_TIMEOUT_S)
        self._session = self._aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self._headers)
        self._free = asyncio.Semaphore(self._max_connections)

    def _post(self, number: int) -> Any:  # noqa: ANN401 - aiohttp's own context manager
        # Redirects are not followed: the key would go with the request, wherever it leads.
        return self._session.post(self._url, data=self._bodies[number], allow_redirects=False)

    async def _send(self, ticket: int, number: int, handed_s: float, done: Done) -> None:
        self.lags_ms.append(1e3 * (time.perf_counter() - handed_s))
        async with self._free:
            failure = ""
            try:
                async with self._post(number) as answer:
                    content = await answer.read()
                    if answer.status != 200:
                        failure = f"status {answer.status}: {content[:200].decode(errors='replace')}"
            except (self._aiohttp.ClientError, TimeoutError, OSError) as error:
                failure = f"{type(error).__name__}: {error}"
        if failure:
            self.n_failed += 1
            self.first_failure = self.first_failure or failure
        done(ticket, not failure)

    def _begin(self, tickets: Sequence[tuple[int, int]], handed_s: float, done: Done) -> None:
        for ticket, number in tickets:
            task = self._loop.create_task(self._send(ticket, number, handed_s, done))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def submit(self, tickets: Sequence[tuple[int, int]], done: Done) -> None:
        """Hand over requests; returns at once.

        Args:
            tickets: a name for each request, and the number of its body.
            done: called on the client's thread with the name and whether it was answered with 200.
        """
        self._loop.call_soon_threadsafe(self._begin, tickets, time.perf_counter(), done)

    def call_later(self, delay_s: float, call: Callable[[int], None], ticket: int) -> None:
        """Call on the client's thread, after a while; only from that thread, as `done` is called on it.

        Args:
            delay_s: from now.
            call: what to call.
            ticket: what with.
        """
        self._loop.call_later(delay_s, call, ticket)

    def ask(self, number: int) -> bytes:
        """Send one request and wait for its answer.

        Args:
            number: of the body.

        Returns:
            The content.

        Raises:
            BenchError: the server cannot be reached, or does not answer with 200.
        """

        async def send() -> tuple[int, bytes]:
            async with self._post(number) as answer:
                return answer.status, await answer.read()

        try:
            status, content = self._call(send())
        except (self._aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BenchError(f"{self._url} cannot be reached: {error}; is the server up?") from error
        if status != 200:
            found = content[:200].decode(errors="replace")
            raise BenchError(f"{self._url} answered {status} {found!r}; expected 200")
        return bytes(content)

    def check(self) -> None:
        """Send one request and look at its answer.

        Raises:
            BenchError: the server cannot be reached, or does not answer as this service does.
        """
        content = self.ask(0)
        try:
            predictions = json.loads(content)["predictions"]
        except (ValueError, KeyError, TypeError):
            predictions = None
        if not isinstance(predictions, list) or len(predictions) != 1:
            found = content[:200].decode(errors="replace")
            raise BenchError(f"{self._url} answered {found!r}; expected one prediction")

    def get_json(self, path: str) -> dict[str, Any]:
        """Ask a route of the server.

        Args:
            path: such as `/info`.

        Returns:
            The object.

        Raises:
            BenchError: it does not answer with one.
        """
        url = self._url.removesuffix(_CLASSIFY_PATH) + path
        try:
            status, text = self._call(self._get(url))
            content = json.loads(text)
        except (self._aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise BenchError(f"{url} does not answer with JSON: {error}; is a twohands server up there?") from error
        if status != 200 or not isinstance(content, dict):
            raise BenchError(f"{url} answered {status} and {type(content).__name__}; expected 200 and an object")
        return content

    async def _get(self, url: str) -> tuple[int, str]:
        async with self._session.get(url, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    def check_there(self) -> None:
        """See that something still listens there, whatever it answers.

        Raises:
            BenchError: no connection can be made.
        """
        try:
            self._call(self._get(self._url))
        except self._aiohttp.ClientConnectorError as error:
            raise BenchError(f"{self._url} is gone: {error}") from error
        except (self._aiohttp.ClientError, TimeoutError, OSError):
            return  # it may be busy, or break off; the next run tells

    def read_counter(self, name: str) -> float | None:
        """Ask the server for one of its metrics.

        Args:
            name: of a series without labels.

        Returns:
            Its value; None where the server shows no metrics, not to everybody, or not this one.
        """
        try:
            status, text = self._call(self._get(self._url.removesuffix(_CLASSIFY_PATH) + "/metrics"))
            lines = text.splitlines() if status == 200 else []
            return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), None)
        except (self._aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    def close(self) -> None:
        """End the thread."""

        async def shut() -> None:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._session.close()

        self._call(shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()


def measure_client(bodies: Sequence[bytes], *, n_requests: int, n_clients: int) -> dict[str, float]:
    """Measure what the client could send, against a server that only says yes and runs in this process too.

    Args:
        bodies: what is sent.
        n_requests: how many in all.
        n_clients: under way at once.

    Returns:
        Requests a second, and CPU milliseconds a request, of client and that server together: a lower bound.
    """
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"

    transports: list[asyncio.BaseTransport] = []

    class Yes(asyncio.Protocol):
        """Answers when as many bytes have come as the header says."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.seen = transport, b""
            transports.append(transport)

        def data_received(self, data: bytes) -> None:
            self.seen += data
            head, _, body = self.seen.partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), -1
            )
            if len(body) == length:
                self.seen = b""
                self.transport.write(answer)  # type: ignore[attr-defined]  # asyncio types it as its base

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Yes, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = server.sockets[0].getsockname()[1]
    client = LoadClient(f"http://127.0.0.1:{port}", bodies, max_connections=n_clients)
    finished, n_left = threading.Event(), n_requests

    def done(ticket: int, is_good: bool) -> None:
        nonlocal n_left
        del ticket, is_good
        n_left -= 1
        if not n_left:
            finished.set()

    try:
        started_s, cpu_s = time.perf_counter(), time.process_time()
        client.submit([(number, number % len(bodies)) for number in range(n_requests)], done)
        finished.wait(_TIMEOUT_S)
        spent_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
        if client.n_failed or n_left:
            raise BenchError(f"the client cannot even reach its own process: {client.first_failure or 'no answer'}")
    finally:
        client.close()

        async def shut() -> None:
            server.close()
            for transport in transports:  # the client's end is closed, but this one may not know yet
                transport.abort()  # type: ignore[attr-defined]  # asyncio types it as its base
            await asyncio.sleep(0)  # sockets are closed on the loop's next turn

        asyncio.run_coroutine_threadsafe(shut(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
    return {"requests_per_s": n_requests / spent_s, "cpu_ms_per_request": 1e3 * cpu_s / n_requests}
