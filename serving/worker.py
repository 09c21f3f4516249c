"""Owns one of several worker processes: it serves on a socket that its supervisor opened.

Settings come as the first line of standard input, and as the second which models the other workers serve. Later lines
are what these came to serve; the end of input means that the supervisor is gone, and so must we be. Standard output
says when requests are answered, that they still are, and what is served here from now on.
"""

import asyncio
import contextlib
import io
import json
import logging
import os
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.archive import Archive
from serving.counting_room import take_room
from serving.folders import name_folders
from serving.logs import set_up_logs
from serving.pulse import BEAT_S
from serving.server import Listener, ModelServer, hold_hangup, make_server, make_url, run_on
from serving.settings import ServeSettings
from serving.shared_folder import METRICS_FOLDER, MODELS_FOLDER
from serving.slots import Shared
from twohands.classifier import Classifier
from twohands.errors import ReloadError, TwoHandsError, UnknownModelError

_LOGGER = logging.getLogger(__name__)

RELOAD_ALL = "reload_all"


def tell(**fact: object) -> None:
    """Write one line to the supervisor; to one that is gone, nothing: the end of its orders is what ends us."""
    with contextlib.suppress(BrokenPipeError):
        # Not through a buffer, which would keep what could not be written and fail with it again at the end.
        os.write(sys.stdout.fileno(), json.dumps(fact).encode() + b"\n")


async def live() -> None:
    """Give signs of life, for as long as the event loop runs."""
    while True:
        # To a supervisor that reads nothing for hours, none: what has no room in the pipe would be waited for.
        if select.select([], [sys.stdout.fileno()], [], 0)[1]:
            tell(event="alive")
        await asyncio.sleep(BEAT_S)


async def follow(server: ModelServer) -> None:
    """Do what the other workers did, and stop when the supervisor is gone.

    Whatever ends this stops the server: nobody could stop it otherwise once the supervisor is gone, and one that no
    longer hears its orders would serve what the others do not.

    Args:
        server: of this process.
    """
    reader = asyncio.StreamReader()
    orders: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    try:
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        with contextlib.closing(pipe):
            async with asyncio.TaskGroup() as group:
                obeying = group.create_task(_obey_all(server, orders))
                while line := await reader.readline():
                    orders.put_nowait(json.loads(line))
                obeying.cancel()
    except Exception:
        _LOGGER.exception("the supervisor's orders could not be followed; this worker stops")
    finally:
        server.handle_exit(signal.SIGTERM, None)


async def _obey_all(server: ModelServer, orders: asyncio.Queue[Mapping[str, Any]]) -> None:
    """One after the other; of the reloads that came while one ran only the last, which loads what all would."""
    while True:
        waiting = [await orders.get()]
        while not orders.empty():
            waiting.append(orders.get_nowait())
        places = [place for place, order in enumerate(waiting) if order["event"] == RELOAD_ALL]
        for place, order in enumerate(waiting):
            if place not in places[:-1]:
                await _obey(server, order)


async def _obey(server: ModelServer, order: Mapping[str, Any]) -> None:
    try:
        if order["event"] == RELOAD_ALL:
            await server.service.reload_all(is_counted=order["is_counted"])
            for slot in server.service.slots:  # all workers were told, so these need not tell each other
                tell(event="serving", name=slot.name, sha256=slot.current.classifier.sha256)
        else:
            await server.service.serve_version(order["name"], order["sha256"])
    except (ReloadError, UnknownModelError):
        return  # logged and counted where it happened


def serve(number: int, runtime: Path) -> None:
    """Serve until told to stop.

    Args:
        number: of the listening socket.
        runtime: a folder that all workers share.

    Raises:
        TwoHandsError: the model cannot be served.
    """
    hold_hangup()
    orders = io.FileIO(sys.stdin.fileno(), closefd=False)  # unbuffered: what follows is the event loop's to read
    settings = ServeSettings.model_validate_json(orders.readline())
    shared = Shared(Archive(runtime / MODELS_FOLDER), json.loads(orders.readline()))
    set_up_logs(level=settings.log_level, log_format=settings.log_format)
    take_room(runtime / METRICS_FOLDER)
    name, folder = next(iter(name_folders(settings).items()))
    classifier = Classifier.load(
        shared.find_folder(name) or folder, num_threads=settings.num_threads, runtime=settings.runtime
    )
    tasks: list[asyncio.Task[None]] = []
    with Listener(fileno=number) as listener:

        def begin(_: str) -> None:
            tasks.append(asyncio.get_running_loop().create_task(follow(server)))
            tell(event="ready")
            tasks.append(asyncio.get_running_loop().create_task(live()))

        server = make_server(
            settings, classifier, url=make_url(listener), announce=begin, runtime=runtime, shared=shared
        )
        server.service.tell_others = lambda name, sha256: tell(event="exchanged", name=name, sha256=sha256)
        run_on(server, listener, classifier)


def main() -> int:
    """Run a worker; a fault that has a name is told to the supervisor.

    Returns:
        The exit code.
    """
    try:
        serve(int(sys.argv[1]), Path(sys.argv[2]))
    except TwoHandsError as error:
        tell(event="failed", code=error.code, message=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
