"""Owns one of several worker processes: it serves on a socket that its supervisor opened.

Settings come as the first line of standard input. Later lines are what the other workers did to their models; the
end of input means that the supervisor is gone, and so must we be. Standard output says when requests are answered,
and what was done to the models here.
"""

import asyncio
import io
import json
import signal
import socket
import sys
from pathlib import Path

from serving.logs import set_up_logs
from serving.models import name_folders
from serving.server import ModelServer, make_server, make_url
from serving.settings import ServeSettings
from twohands.classifier import Classifier
from twohands.errors import ReloadError, TwoHandsError, UnknownModelError

RELOAD_ALL = "reload_all"


def tell(**fact: object) -> None:
    """Write one line to the supervisor."""
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


async def _follow(server: ModelServer) -> None:
    """Do what the other workers did, and stop when the supervisor is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        try:
            if order["action"] == RELOAD_ALL:
                await server.service.reload_all()
            elif order["action"] == "reload":
                await server.service.reload(order["name"])
            else:
                await server.service.rollback(order["name"])
        except (ReloadError, UnknownModelError):
            continue  # logged and counted where it happened
    server.handle_exit(signal.SIGTERM, None)


def serve(number: int, runtime: Path) -> None:
    """Serve until told to stop.

    Args:
        number: of the listening socket.
        runtime: a folder that all workers share.

    Raises:
        TwoHandsError: the model cannot be served.
    """
    settings = ServeSettings.model_validate_json(io.FileIO(sys.stdin.fileno(), closefd=False).readline())
    set_up_logs(level=settings.log_level, log_format=settings.log_format)
    classifier = Classifier.load(next(iter(name_folders(settings).values())), num_threads=settings.num_threads)
    tasks = []
    with socket.socket(fileno=number) as listener:

        def begin(_: str) -> None:
            tasks.append(asyncio.get_running_loop().create_task(_follow(server)))
            tell(event="ready")

        server = make_server(settings, classifier, url=make_url(listener), announce=begin, runtime=runtime)
        server.service.tell_others = lambda action, name: tell(event="exchanged", action=action, name=name)
        try:
            server.run(sockets=[listener])
        except SystemExit:
            if server.service.failure is None:
                raise
        finally:
            classifier.close()
    if server.service.failure is not None:
        raise server.service.failure


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
