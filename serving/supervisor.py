"""Owns several worker processes behind one address: starts them, again when they die or hang, and stops them.

All accept from one listening socket, so what waits there when a worker dies is answered by another.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from serving.archive import Archive
from serving.counting_room import give_back
from serving.folders import name_each, name_folders
from serving.logs import set_up_logs
from serving.metrics import MULTIPROCESS_VARIABLE
from serving.programs import make_command
from serving.pulse import BEAT_S, N_SILENT, Pulse, watch
from serving.server import CLOSE_GRACE_S, check_address, hold_hangup, make_url, open_socket, take_hangup
from serving.settings import ServeSettings
from serving.shared_folder import METRICS_FOLDER, MODELS_FOLDER, RATES_FOLDER, ensure_folder, open_shared_folder
from serving.worker import RELOAD_ALL
from twohands.errors import EngineStoppedError
from twohands.locate import find_model
from twohands.manifest import load_manifest
from twohands.runtimes import choose_runtime
from twohands.threads import count_threads

_LOGGER = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0
_STEADY_S = 60.0
_KILL_GRACE_S = 5.0
_N_KEPT = 3
_TOLD = {"ready", "alive", "exchanged", "serving", "failed"}
_MAX_SHOWN_BYTES = 200

Process = asyncio.subprocess.Process


class Supervisor:
    """Keeps a number of workers alive."""

    def __init__(
        self, settings: ServeSettings, *, socket_number: int, runtime: Path, served: Mapping[str, str]
    ) -> None:
        """Start nothing yet.

        Args:
            settings: of each worker.
            socket_number: of the listening socket.
            runtime: a folder that all workers share.
            served: digests of the models by name.
        """
        self._settings = settings
        self._socket_number = socket_number
        self._runtime = runtime
        self._metrics_folder = runtime / METRICS_FOLDER
        self._archive = Archive(runtime / MODELS_FOLDER)
        # By name, the newest first: a worker that comes later serves what the others do, whatever the folder holds.
        self._served = {name: [sha256] for name, sha256 in served.items()}
        self._processes: set[Process] = set()
        self._is_stopping = asyncio.Event()
        self._n_ready = 0  # of the places of workers, those in which one ever answered requests
        self.all_ready = asyncio.Event()
        self.failure: EngineStoppedError | None = None

    async def run(self) -> None:
        """Keep all workers alive until `stop`."""
        await asyncio.gather(*(self._keep() for _ in range(self._settings.workers)))

    def stop(self) -> None:
        """Tell all workers to stop in good order, once."""
        self._is_stopping.set()
        self._signal(signal.SIGTERM)

    def hurry(self) -> None:
        """Tell workers that stop to wait for nobody."""
        self._signal(signal.SIGINT)

    @property
    def is_stopping(self) -> bool:
        """Whether they were told to stop."""
        return self._is_stopping.is_set()

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            # One that has ended stays here until its output is read; the others must hear of it all the same.
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def order_reload(self) -> None:
        """Have all workers reload their models; it is one reload, so one of them counts it."""
        for place, process in enumerate(self._processes):
            _order(process, json.dumps({"event": RELOAD_ALL, "is_counted": place == 0}).encode() + b"\n")

    def _take_over(self, fact: Mapping[str, str], line: bytes, *, teller: Process) -> None:
        """Remember what a worker came to serve, and have the others serve it, unless they were told, too."""
        if fact["event"] in {"exchanged", "serving"}:
            self._note_served(fact["name"], fact["sha256"])
        if fact["event"] == "exchanged":
            for process in self._processes - {teller}:
                _order(process, line)

    def _note_served(self, name: str, sha256: str) -> None:
        """Remember what is served under a name, and what was before."""
        served = self._served.get(name, [])
        if served[:1] != [sha256]:
            self._served[name] = [sha256, *(each for each in served if each != sha256)][:_N_KEPT]
            self._archive.prune({each for kept in self._served.values() for each in kept})

    async def _keep(self) -> None:
        """One worker after the other, with a pause that grows while they do not last."""
        pause_s, is_counted = _FIRST_PAUSE_S, False
        while not self._is_stopping.is_set():
            started_s = time.monotonic()
            is_counted |= await self._run_one(is_counted=is_counted)
            if self._is_stopping.is_set():
                return
            if not self._has_served:  # what another answers already does not end with one that could not start
                self.stop()
                return
            pause_s = _FIRST_PAUSE_S if time.monotonic() - started_s > _STEADY_S else min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                await asyncio.wait_for(self._is_stopping.wait(), pause_s)
            except TimeoutError:
                continue

    @property
    def _has_served(self) -> bool:
        """Whether any worker ever answered requests; until then a fault ends the start."""
        return self._n_ready > 0

    async def _start_one(self) -> Process | None:
        """Start one worker, which is told at once if it comes too late; None where the system refuses it."""
        try:
            for name in (METRICS_FOLDER, RATES_FOLDER):  # a worker that finds them removed could not start
                ensure_folder(self._runtime / name)
            process = await asyncio.create_subprocess_exec(
                *make_command("serving.worker", str(self._socket_number), str(self._runtime)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=[self._socket_number],
                env=os.environ | {MULTIPROCESS_VARIABLE: str(self._metrics_folder)},
            )
        except OSError as error:  # too many processes, or no memory, for a moment: the other workers go on
            _LOGGER.error("a worker could not be started: %s", error.strerror)  # noqa: TRY400 - a trace would say no more
            if not self._has_served:
                self.failure = EngineStoppedError(f"a worker could not be started: {error.strerror}")
            return None
        self._processes.add(process)
        if self._is_stopping.is_set():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        return process

    async def _run_one(self, *, is_counted: bool) -> bool:
        """Run one worker to its end; whether it ever answered requests. Of each place one such is counted."""
        process = await self._start_one()
        if process is None:
            return False
        was_ready = False
        pulse, watching = Pulse(), asyncio.Future[None]()
        try:
            if process.stdin is None or process.stdout is None:
                raise EngineStoppedError("a worker has no pipes")
            process.stdin.write(self._settings.model_dump_json().encode() + b"\n")
            process.stdin.write(json.dumps(self._served).encode() + b"\n")
            async for line in _read_lines(process.stdout):
                fact = _read_fact(line)
                if fact["event"] == "ready":
                    was_ready = True
                    self._count_ready(is_counted=is_counted)
                    watching = asyncio.ensure_future(
                        watch(process.pid, pulse, on_death=partial(self._replace, process), beat_s=BEAT_S)
                    )
                elif fact["event"] == "alive":
                    pulse.beat()
                elif fact["event"] == "failed":
                    self._note_failure(fact)
                else:
                    self._take_over(fact, line, teller=process)
            code = await self._wait(process)
        finally:
            watching.cancel()
            self._processes.discard(process)
            mark_process_dead(process.pid, str(self._metrics_folder))  # type: ignore[no-untyped-call]  # so in the library
            await asyncio.to_thread(give_back, self._metrics_folder, process.pid)
        if self._is_stopping.is_set():
            return was_ready
        if self._has_served:  # else the start ends, and what it failed of is told then
            _LOGGER.error("worker %d ended with %d; another takes its place", process.pid, code)
        elif self.failure is None:
            self.failure = EngineStoppedError(f"a worker ended with {code} before it was ready; the log says why")
        return was_ready

    def _replace(self, process: Process, why: str) -> None:
        """End a worker that answers no more; another takes its place. While all stop, that has a time of its own."""
        if not self._is_stopping.is_set():
            _LOGGER.error(
                "worker %d gave no sign of life for %g s and %s; it is ended", process.pid, N_SILENT * BEAT_S, why
            )
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _note_failure(self, fact: Mapping[str, str]) -> None:
        why = f"a worker could not serve [{fact['code']}]: {fact['message']}"
        if self._has_served:  # the others go on
            _LOGGER.error("%s", why)
        else:
            self.failure = EngineStoppedError(why)

    async def _wait(self, process: Process) -> int:
        """Wait for the end of one that closed its output; while stopping, no longer than was asked for."""
        waiting = asyncio.ensure_future(process.wait())
        await asyncio.wait({waiting}, timeout=_KILL_GRACE_S)
        if not waiting.done():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return await waiting

    def _count_ready(self, *, is_counted: bool) -> None:
        if not is_counted:
            self._n_ready += 1
        if self._n_ready == self._settings.workers:
            self.all_ready.set()

    def kill(self) -> None:
        """End at once what did not end in time."""
        self._signal(signal.SIGKILL)


def _order(process: Process, line: bytes) -> None:
    if process.stdin is not None and not process.stdin.is_closing():
        process.stdin.write(line)


async def _read_lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What a worker wrote, line by line; of one longer than asyncio reads, none of ours, at most its end."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # it has let go of what it had read
            continue
        if not line:
            return
        yield line


def _read_fact(line: bytes) -> dict[str, str]:
    """What a worker told; of a line that is none of ours, as a library may print one, that it tells nothing."""
    try:
        fact = json.loads(line)
    except ValueError:
        fact = None
    if isinstance(fact, dict) and fact.get("event") in _TOLD:
        return fact
    _LOGGER.warning("a worker printed a line that tells nothing: %r", line[:_MAX_SHOWN_BYTES])
    return {"event": ""}


async def _supervise(
    supervisor: Supervisor, *, listener: socket.socket, stop_timeout_s: float, announce: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if supervisor.is_stopping and number is signal.SIGINT:
            supervisor.hurry()  # a terminal's Ctrl-C reaches the workers too, that of `kill` only us
            return
        # Held open it would take in connections that no worker accepts any more, and break them off at the end.
        listener.close()
        supervisor.stop()
        loop.call_later(stop_timeout_s, supervisor.kill)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    loop.add_signal_handler(signal.SIGHUP, supervisor.order_reload)
    if take_hangup():
        supervisor.order_reload()

    async def announce_once() -> None:
        await supervisor.all_ready.wait()
        announce()

    announcing = asyncio.create_task(announce_once())
    try:
        await supervisor.run()
    finally:
        announcing.cancel()


def run_workers(settings: ServeSettings, announce: Callable[[str], None]) -> None:
    """Serve with several processes until a signal comes.

    Args:
        settings: how to serve; `workers` says how many.
        announce: takes one line when all workers answer requests.

    Raises:
        InsecureAddressError: it would listen beyond this machine without keys.
        ConfigError: the models cannot be named.
        ModelNotFoundError: there is no such model.
        ManifestError: a model folder is incomplete or altered.
        AddressError: the address cannot be listened on.
        FileWriteError: there is no folder to share.
        EngineStoppedError: a worker could not serve.
    """
    check_address(settings)
    set_up_logs(level=settings.log_level, log_format=settings.log_format)
    hold_hangup()
    settings = name_each(settings)  # a worker that comes later must not find other names in a folder of models
    manifests = {name: load_manifest(find_model(folder)) for name, folder in name_folders(settings).items()}
    num_threads = max(1, count_threads(settings.num_threads) // settings.workers)
    each = settings.model_copy(update={"num_threads": num_threads})
    with open_socket(settings.host, settings.port) as listener, open_shared_folder() as runtime:
        manifest, sha256 = next(iter(manifests.values()))
        line = (
            f"twohands serves {manifest.name} {manifest.version} (sha256 {sha256[:12]}) at {make_url(listener)} "
            f"with {settings.workers} workers of {num_threads} thread{'s'[: num_threads != 1]}, "
            f"{choose_runtime(settings.runtime)}"
        )

        async def run() -> EngineStoppedError | None:
            served = {name: digest for name, (_, digest) in manifests.items()}
            supervisor = Supervisor(each, socket_number=listener.fileno(), runtime=runtime, served=served)
            stop_timeout_s = settings.drain_delay_s + settings.shutdown_timeout_s + CLOSE_GRACE_S + _KILL_GRACE_S
            await _supervise(
                supervisor, listener=listener, stop_timeout_s=stop_timeout_s, announce=lambda: announce(line)
            )
            return supervisor.failure

        failure = asyncio.run(run())
    if failure is not None:
        raise failure
