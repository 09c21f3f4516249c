"""Starts a PostgreSQL server of its own on a free port, where Debian's package is installed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

OWNER = "postgres"


def find_programs():
    """The folder of `initdb` and `postgres`, or None."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "postgres").exists()), None)


def _pick_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def why_not():
    """Why there can be no server here, or None."""
    if find_programs() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError:
        return "pip install 'twohands[postgres]'"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(OWNER)
        except KeyError:
            return "root cannot run PostgreSQL, and there is no user postgres"
    return None


@contextmanager
def run_postgres():
    """Yields the URL of a server with an empty database."""
    programs = find_programs()
    # Not pytest's folder, which is root's alone when root runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="twohands-postgres-"))
    identity = {}
    if os.geteuid() == 0:
        owner = pwd.getpwnam(OWNER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    try:
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "reader", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            **identity,
        )
        port = _pick_port()
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "port": port}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", *arguments],
                cwd=folder,
                stderr=log,
                stdout=log,
                **identity,
            )
        try:
            _wait(server, port, folder / "log")
            yield f"postgresql://reader@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: what it holds is thrown away
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server, port, log):
    import psycopg

    for _ in range(300):
        if server.poll() is not None:
            raise AssertionError(log.read_text())
        try:
            psycopg.connect(f"postgresql://reader@127.0.0.1:{port}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server never answered: " + log.read_text())
