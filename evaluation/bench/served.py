"""Owns a server that a bench starts itself, or one that is up already: its URL, its processes, and what they cost."""

import http.client
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twohands.errors import BenchError
from twohands.extras import import_extra

MEMORY_KIND = "pss" if sys.platform == "linux" else "rss"
_URL = re.compile(r"https?://\S+:\d+")
_STOP_S = 30
_TENTHS_FROM_S = 10.0
_POLL_S = 0.1
_TAIL_LINES = 20
GRACE_S = 1.0
"""How long after a failed request a server may still be ending: its connections are gone before it is."""


def import_psutil() -> Any:  # noqa: ANN401 - an untyped module
    """Import psutil, which reads what processes cost.

    Returns:
        The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra("psutil", use="the cost of a process", extra="bench")


@dataclass(frozen=True, slots=True)
class Served:
    """A server; `process` and `ready_s` are None for one that was up already, whose cost cannot be seen."""

    url: str
    process: Any | None = None
    ready_s: float | None = None
    tail: Sequence[str] = ()
    """The last lines that it wrote, so far."""

    def _tree(self) -> list[Any]:
        if self.process is None:
            return []
        try:
            return [self.process, *self.process.children(recursive=True)]
        except import_psutil().NoSuchProcess:
            return []

    def _has_ended(self) -> bool:
        psutil = import_psutil()
        try:
            return self.process is not None and bool(self.process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def check_alive(self, *, within_s: float = 0) -> None:
        """See that it still runs; of one that was up already that cannot be seen.

        Args:
            within_s: how long it is watched, where something says that it may be ending.

        Raises:
            BenchError: it has ended; with the last lines it wrote.
        """
        watched_until_s = time.monotonic() + within_s
        while self.process is not None:
            if self._has_ended():
                time.sleep(_POLL_S)  # a thread reads what it wrote, and may not be at its end
                raise BenchError("the server has ended; it wrote:\n" + "\n".join(self.tail))
            if time.monotonic() >= watched_until_s:
                return
            time.sleep(_POLL_S)

    def read_cpu_s(self) -> float | None:
        """CPU seconds of all its processes so far."""
        if self.process is None:
            return None
        gone = import_psutil().NoSuchProcess
        total = 0.0
        for process in self._tree():
            try:
                spent = process.cpu_times()
            except gone:
                continue
            total += spent.user + spent.system
        return total

    def read_memory_mb(self) -> list[float]:
        """Memory of each of its processes in MB (10^6 bytes), the largest first.

        A page that several processes share is parted among them (PSS), so that the sum is what the server takes; a
        sum of resident memory would count it once for each. Where the system does not tell that it is resident memory:
        `MEMORY_KIND` says which.
        """
        psutil = import_psutil()
        sizes = []
        for process in self._tree():
            try:
                sizes.append(_read_memory(psutil, process) / 1e6)
            except psutil.NoSuchProcess:  # it has ended since it was listed
                continue
        return sorted(sizes, reverse=True)

    def measure_idle(self, seconds: float) -> float | None:
        """Share of one CPU that it spends while nobody asks anything; the system counts in ticks of 10 ms."""
        before_s = self.read_cpu_s()
        time.sleep(seconds)
        after_s = self.read_cpu_s()
        return None if before_s is None or after_s is None else (after_s - before_s) / seconds


def describe_idle(share: float, seconds: float) -> str:
    """Write what an idle server spends, with no more digits than ticks of 10 ms allow.

    Args:
        share: of one CPU.
        seconds: that were watched.

    Returns:
        Such as `0.3% of a CPU`; from ten seconds on a tenth of a percent is a tick or more.
    """
    return f"{share:.1%} of a CPU" if seconds >= _TENTHS_FROM_S else f"{share:.0%} of a CPU (in {seconds:g} s)"


def _read_memory(psutil: Any, process: Any) -> int:  # noqa: ANN401 - an untyped module and its class
    if MEMORY_KIND == "pss":
        try:
            return int(process.memory_full_info().pss)
        except psutil.AccessDenied:  # of another user; what is ours can be read
            pass
    return int(process.memory_info().rss)


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - http, on this machine
            return bool(answer.status == 200)
    except (OSError, ValueError, http.client.HTTPException):  # half an answer, while it starts or ends
        return False


def _stop(process: "subprocess.Popen[str]") -> None:
    """End a server and what it started; its own processes only, by their ids.

    Its children are found in two ways: those whose parent has died are nobody's children, but still of its group; and
    those that made a group of their own are still children.
    """
    psutil = import_psutil()
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)
    gone, alive = psutil.wait_procs(children, timeout=2)
    del gone
    for child in alive:
        child.kill()
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # none is left; or, on macOS, only dead ones are
            os.killpg(process.pid, signal.SIGKILL)  # a group has the id of its first process, which is not given anew


@contextmanager
def run_server(
    command: Sequence[str],
    *,
    timeout_s: float = 120,
    marker: str = "",
    health_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Served]:
    """Start a server, wait until it is ready, and end it afterwards.

    Args:
        command: program and arguments.
        timeout_s: how long it may take to be ready.
        marker: what the line of its output holds in which it tells its URL once it is ready.
        health_url: is asked instead until it answers with 200; the server's URL is then its beginning.
        environment: variables of its own, beside those of this process.
        folder: where it is started; None for here.

    Yields:
        The server.

    Raises:
        BenchError: it ends, or says nothing; with the last lines it wrote.
        MissingExtraError: psutil is not installed.
    """
    psutil = import_psutil()
    started_s = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own words
        list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env=os.environ | dict(environment or {}), cwd=folder,
    )  # fmt: skip
    lines: queue.Queue[str | None] = queue.Queue()
    tail: list[str] = []

    def read() -> None:
        # To the end, for as long as it lives: a server that nobody reads from blocks on a full pipe.
        for line in process.stdout or ():
            lines.put(line)
            tail[:] = [*tail[-_TAIL_LINES:], line.rstrip()]
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        url = None
        while url is None:
            left_s = timeout_s - (time.perf_counter() - started_s)
            try:
                line = lines.get(timeout=min(_POLL_S, max(0.0, left_s)))
            except queue.Empty:
                # A child that lives on keeps the pipe open, so its end does not tell that the server has ended.
                line = "" if left_s > 0 and process.poll() is None else None
            if line is None:
                code = process.poll()
                ended = f"was not ready within {timeout_s:g} s" if code is None else f"ended with exit code {code}"
                raise BenchError(f"{command[0]} {ended}; it wrote:\n" + "\n".join(tail))
            found = _URL.search(line) if health_url is None and marker in line else None
            url = found.group() if found else None
            if health_url is not None and _is_healthy(health_url):
                url = _URL.match(health_url).group()  # type: ignore[union-attr]  # our own URL, with a port
        yield Served(url, psutil.Process(process.pid), time.perf_counter() - started_s, tail)
    finally:
        _stop(process)
        reader.join(timeout=5)
        if process.stdout is not None and not reader.is_alive():  # closing waits for who reads from it
            process.stdout.close()


def make_serve_command(model: str, *, threads: int | None, workers: int, runtime: str | None = None) -> list[str]:
    """The command that serves a model on a free port.

    Args:
        model: folder.
        threads: most threads; None for the default.
        workers: processes.
        runtime: as `--runtime` has it; None for the default.

    Returns:
        Words.
    """
    words = [sys.executable, "-m", "twohands", "serve", "--port", "0", "--model", model, "--workers", str(workers)]
    words += [] if threads is None else ["--threads", str(threads)]
    return words + ([] if runtime is None else ["--runtime", runtime])
