"""Owns the process: the listening socket, uvicorn around the app, and what signals do."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from serving.access import is_loopback
from serving.app import create_app
from serving.connections import N_REFUSED_AT_ONCE, bound_connections
from serving.endings import Unfinished
from serving.folders import name_folders
from serving.freed import give_back
from serving.logs import set_up_logs
from serving.merging import Merged
from serving.metrics import count_alone
from serving.models import Models
from serving.pauses import settle
from serving.settings import ServeSettings
from serving.slots import Shared
from twohands.classifier import Classifier
from twohands.errors import AddressError, EngineStoppedError, InsecureAddressError
from twohands.open_files import allow_open_files
from twohands.pages import move_to_huge_pages
from twohands.runtimes import lacks_vnni

_LOGGER = logging.getLogger(__name__)

BACKLOG = 2048
# Beyond our own bound, uvicorn's is only there for connections that never end.
CLOSE_GRACE_S = 3
# For those who waited on the engine, and are answered by its end, to say so in their own way.
_BREAK_OFF_GRACE_S = 1
TICK_S = 1.0
_OTHER_FILES = 200  # of this process, beside its connections


class Listener(socket.socket):
    """A socket to accept from; how many connections wait there has nothing to do with how many are accepted in one go.

    asyncio has one number for both. Of several workers the first to wake would take all of a burst, and one without a
    file left to open would log as many errors as it may accept, each second.
    """

    def listen(self, backlog: int = BACKLOG, /) -> None:
        """Listen; what asyncio asks for is what it accepts in one go."""
        super().listen(max(backlog, BACKLOG))


def open_socket(host: str, port: int) -> Listener:
    """Listen; from here on clients can connect, and wait until the service is ready.

    Args:
        host: name or address, of either family.
        port: 0 takes any free one.

    Returns:
        The listening socket.

    Raises:
        AddressError: the name is unknown, or the address is not ours, taken or forbidden.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # A name of both versions, as `localhost` is, is served where clients look that were given 127.0.0.1.
        family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        # `::` means every address of a container, those of version 4 among them.
        is_dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        opened = socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=is_dual)
        return Listener(fileno=opened.detach())
    except (OSError, UnicodeError) as error:
        # Positive numbers are the system's; those of name resolution are negative and have words of their own.
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)
        raise AddressError(
            f"cannot listen on {host} port {port}: {reason}; choose another with --host and --port (0: any free port)"
        ) from error


def make_url(listener: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


_HUNG_UP = threading.Event()


def can_hang_up() -> bool:
    """Whether SIGHUP can be handled here: in the main thread, on a system that has it."""
    return threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP")


def hold_hangup() -> None:
    """Let SIGHUP wait for `take_hangup`: its default is to end the process, and one may come before all is loaded."""
    if can_hang_up():
        # Blocking it would not do: the threads that libraries start on import take it in our place, and end us.
        signal.signal(signal.SIGHUP, lambda *_: _HUNG_UP.set())


def take_hangup() -> bool:
    """Whether one has waited; it waits no longer."""
    was_set = _HUNG_UP.is_set()
    _HUNG_UP.clear()
    return was_set


class ModelServer(uvicorn.Server):
    """uvicorn, which has no hooks for these: say when ready, sleep when idle, stop so that every waiter is answered."""

    def __init__(
        self, config: uvicorn.Config, *, service: Models, unfinished: Unfinished, on_ready: Callable[[], None]
    ) -> None:
        """Take over a service.

        Args:
            config: around the app of the service.
            service: its models, told when a signal comes.
            unfinished: its requests, broken off when they take too long at the end.
            on_ready: called once requests are answered.
        """
        super().__init__(config)
        self.service = service
        self._unfinished = unfinished
        self._on_ready = on_ready
        self._reloading = Merged(service.reload_all)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping, self._hurrying = asyncio.Event(), asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start up, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            # Before anybody is told that the service is there: who is told may send the signal at once.
            self._reload_on_hangup()
            settle()
            # Before all moves to huge pages, among which what is free would be again.
            give_back()
            self._on_ready()
            # All is loaded and warm: what lies in memory now is what each request will touch. Nobody waits for it.
            asyncio.get_running_loop().run_in_executor(None, move_to_huge_pages)

    def _reload_on_hangup(self) -> None:
        """On SIGHUP, load every model again; changed keys count by themselves."""
        if not can_hang_up():
            return
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reloading.ask)
        if take_hangup():
            self._reloading.ask()

    async def main_loop(self) -> None:
        """Renew the answers' date, and what of the metrics hangs on no request, once a second, until told to stop.

        uvicorn wakes ten times a second to see whether it should stop, which is all that an idle server of ours costs.
        """
        self._loop = asyncio.get_running_loop()
        try:
            # `on_tick` renews the date on every tenth count only.
            while not await self.on_tick(counter=0):
                self.service.tell_depth()  # another worker, which is asked for the metrics, knows no better
                if self.service.note_death():
                    # To answer 503 for good would look like a service; whoever started it starts another.
                    _LOGGER.critical("a model answers nothing any more; the service ends, to be started again")
                    self.handle_exit(signal.SIGTERM, None)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), TICK_S)
        finally:
            self._loop = None  # from here on nobody sleeps, and a closed loop takes no call

    async def _go_on(self) -> None:
        """Serve for a while longer, so that load balancers see /readyz at 503; not where nothing else is answered."""
        if self.service.failure is not None:
            return
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self.service.settings.drain_delay_s
        while (left_s := ends_s - loop.time()) > 0 and not self._hurrying.is_set():
            await self.on_tick(counter=0)
            self.service.tell_depth()
            await self._sleep(min(left_s, TICK_S))

    async def _sleep(self, seconds: float) -> None:
        """Sleep until somebody cannot wait any longer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurrying.wait(), seconds)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; Ctrl-C while it stops answers what is left with an error, at once."""
        del frame
        # uvicorn would raise the signal again once it is done, and a stop in good order would not exit with 0.
        self.service.begin_stop()
        # Not by uvicorn's `force_exit`, which leaves all that runs to be cancelled with the loop: answered by nobody.
        told = self._hurrying if self.should_exit and sig == signal.SIGINT else self._stopping
        self.should_exit = True
        if self._loop is None:
            told.set()  # for who will look at it; nobody waits for it
        else:
            # A signal's handler runs between two steps of the loop, which may be asleep.
            self._loop.call_soon_threadsafe(told.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for what was taken in, and when that takes too long answer it with an error rather than not at all."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._go_on()
            ending = self._loop.create_task(self._end_requests())
            try:
                await super().shutdown(sockets=sockets)
            finally:
                ending.cancel()
        finally:
            self._loop = None

    async def _end_requests(self) -> None:
        """End what does not end in time, beside uvicorn, which waits for it."""
        self._unfinished.ask_to_end()
        await self._sleep(self.service.settings.shutdown_timeout_s)
        self.service.abandon()
        await asyncio.sleep(_BREAK_OFF_GRACE_S)
        self._unfinished.break_off()
        if self._hurrying.is_set():
            # uvicorn's own time for those who do not read their answer is counted from the first signal.
            await asyncio.sleep(_BREAK_OFF_GRACE_S)
            for connection in list(self.server_state.connections):
                connection.transport.abort()


def check_address(settings: ServeSettings) -> None:
    """Refuse to listen beyond this machine without API keys, unless that is asked for in so many words.

    Args:
        settings: how to serve.

    Raises:
        InsecureAddressError: as said.
    """
    if settings.api_keys_file is None and not settings.insecure and not is_loopback(settings.host):
        raise InsecureAddressError(
            f"{settings.host} can be reached from other machines and no API keys are given; make one with "
            "`twohands keys add NAME` and pass --api-keys-file, or pass --insecure if something else keeps others out"
        )


def _bound_by_files(max_connections: int) -> tuple[int, int]:
    """How many connections are served, of those that are wanted, and how many beyond them are told that they are not.

    Fewer where the system grants too few open files: once those are used up nobody is accepted, probes neither, and
    idle connections make room for nobody.
    """
    n_others = N_REFUSED_AT_ONCE + _OTHER_FILES
    n_wanted = max_connections + n_others
    n_allowed = allow_open_files(n_wanted)
    if n_allowed >= n_wanted:
        return max_connections, N_REFUSED_AT_ONCE
    n_served = min(max_connections, max(n_allowed - n_others, n_allowed // 4, 1))
    _LOGGER.warning(
        "this process may open %d files, and --max-connections %d wants %d; it serves %d connections at once",
        n_allowed,
        max_connections,
        n_wanted,
        n_served,
    )
    return n_served, min(N_REFUSED_AT_ONCE, n_allowed // 4)


def make_server(
    settings: ServeSettings,
    classifier: Classifier,
    *,
    url: str,
    announce: Callable[[str], None],
    runtime: Path | None = None,
    shared: Shared | None = None,
) -> ModelServer:
    """Put uvicorn around the app of a loaded model.

    Args:
        settings: how to serve.
        classifier: the model; stays the caller's to close.
        url: where it will be reached.
        announce: takes one line when requests are answered.
        runtime: a folder that this process shares with others that serve the same; None when it is alone.
        shared: which models the others serve; None when it is alone.

    Returns:
        The server; its `run` takes the listening socket.
    """
    max_connections, max_refused = _bound_by_files(settings.max_connections)
    app = create_app(settings, classifier, runtime=runtime, shared=shared)
    identity, num_threads = classifier.identity, classifier.session.num_threads
    line = (
        f"twohands serves {identity['name']} {identity['version']} (sha256 {identity['sha256'][:12]}) "
        f"at {url} with {num_threads} thread{'s'[: num_threads != 1]}, "
        f"{classifier.session.runtime}"
    )
    if classifier.manifest.graph.precision == "int8" and lacks_vnni():
        line += "; this CPU has no VNNI, with which int8 is several times as fast"
    config = uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        # Not uvloop, which uvicorn takes wherever another package brought it: it listens past `Listener`, and one
        # connection alone could wait.
        loop="asyncio",
        workers=1,  # else uvicorn reads `WEB_CONCURRENCY`, and ends in a traceback where it says `auto`
        log_config=None,
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        backlog=1,  # what asyncio accepts in one go; see `Listener`
        http=bound_connections(max_connections, max_refused),
        h11_max_incomplete_event_size=settings.max_header_bytes,
        timeout_keep_alive=settings.keep_alive_timeout_s,
        timeout_graceful_shutdown=settings.shutdown_timeout_s + CLOSE_GRACE_S,
    )
    return ModelServer(
        config, service=app.state.models, unfinished=app.state.unfinished, on_ready=lambda: announce(line)
    )


def run_on(server: ModelServer, listener: socket.socket, classifier: Classifier) -> None:
    """Serve on a socket until told to stop.

    Args:
        server: made for it.
        listener: which stays the caller's to close.
        classifier: closed at the end.

    Raises:
        TwoHandsError: what the service failed by.
    """
    try:
        server.run(sockets=[listener])
    except SystemExit:
        # uvicorn's way to say that the lifespan failed; our error says why.
        if server.service.failure is None:
            raise
    finally:
        classifier.close()
    if server.service.failure is not None:
        raise server.service.failure


def run_server(settings: ServeSettings, announce: Callable[[str], None]) -> None:
    """Serve until a signal comes.

    Args:
        settings: how to serve.
        announce: takes one line when requests are answered.

    Raises:
        InsecureAddressError: it would listen beyond this machine without keys.
        ConfigError: the key file is not one, or the models cannot be named.
        ModelNotFoundError: there is no such model.
        ManifestError: the model folder is incomplete or altered.
        FileReadError: the graph or the tokenizer cannot be read.
        AddressError: the address cannot be listened on.
        NonFiniteLogitsError: the model does not answer with numbers.
        WrongAnswersError: the model answers otherwise here than where it was exported.
        EngineStoppedError: the service ended before it was ready, or a thread of a model died.
    """
    check_address(settings)
    set_up_logs(level=settings.log_level, log_format=settings.log_format)
    hold_hangup()
    count_alone()
    # The model comes first: a folder that cannot be served must not take a port for even a moment.
    folder = next(iter(name_folders(settings).values()))
    classifier = Classifier.load(folder, num_threads=settings.num_threads, runtime=settings.runtime)
    with open_socket(settings.host, settings.port) as listener:
        server = make_server(settings, classifier, url=make_url(listener), announce=announce)
        run_on(server, listener, classifier)
    if not server.started:
        raise EngineStoppedError("the service ended before it was ready; the log above says why")
