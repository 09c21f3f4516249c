"""Owns the engines that are raced in bulk and one at a time: each in a process of its own, in whatever environment."""

import json
import queue
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twohands.errors import BenchError

PROGRAMS = Path(__file__).parent / "programs"
_ANSWER_TIMEOUT_S = 900.0
_PROBE = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_RUNTIMES = {
    "transformers": ("torch",),
    "infinity-emb": ("torch", "transformers", "optimum", "onnxruntime"),
    "openvino": (),
}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Peer:
    """Something to measure beside us: `package` must stand in the environment of `python`."""

    name: str
    package: str
    python: str
    words: tuple[str, ...]


def probe(python: str, *packages: str) -> dict[str, str]:
    """Say which versions of packages an environment has.

    Args:
        python: its interpreter.
        *packages: as registries call them.

    Returns:
        Versions by package; those that are not there are left out, which is all if there is no such interpreter.
    """
    try:
        done = subprocess.run(  # noqa: S603 - an interpreter that the user named
            [python, "-c", _PROBE, *packages], capture_output=True, text=True, check=True, timeout=60
        )
        found: dict[str, str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return found


def read_peer_versions(python: str, package: str) -> dict[str, str]:
    """Say which version of a peer an environment has, and of what computes for it there.

    Args:
        python: its interpreter.
        package: of the peer.

    Returns:
        Versions by package; none if the peer is not there.
    """
    found = probe(python, package, *_RUNTIMES.get(package, ("onnxruntime",)))
    return found if package in found else {}


class Engine:
    """A peer's process; asked with one JSON object a line, answers likewise."""

    def __init__(self, peer: Peer, texts: Sequence[str]) -> None:
        """Start it and wait until it has answered one text.

        Args:
            peer: program and interpreter.
            texts: what it will be asked to classify.

        Raises:
            BenchError: it ended or took too long; with the last lines it wrote.
        """
        self.peer = peer
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [peer.python, *peer.words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROGRAMS,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._tail: list[str] = []
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        try:
            for reader in self._readers:
                reader.start()
            self.configuration: Json = self._ask({"texts": list(texts)}, "configuration")["configuration"]
        except BaseException:  # the bench may be told to end meanwhile, and nobody else knows of this process yet (#5)
            self._process.kill()  # one that loads does not see that its input was closed
            self.close()
            raise

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        for line in self._process.stderr or ():
            self._tail[:] = [*self._tail[-8:], line.rstrip()]

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):  # it has ended, which its reader tells
            if self._process.stdin is not None:
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _ask(self, question: Json, *keys: str) -> Json:
        # On a thread of its own: a pipe holds 64 kB, and a peer that stalls while it loads takes no more (#5).
        writer = threading.Thread(target=self._write, args=(json.dumps(question) + "\n",), daemon=True)
        writer.start()
        try:
            line = self._lines.get(timeout=_ANSWER_TIMEOUT_S)
        except queue.Empty:
            line = None
        if line is None:
            self._process.kill()
            for thread in (*self._readers, writer):
                thread.join(timeout=5)
            raise BenchError(f"{self.peer.name} does not answer; it wrote:\n" + "\n".join(self._tail))
        try:
            answer: Json = json.loads(line)
            faults = [key for key in keys if key not in answer]
        except (ValueError, TypeError):
            faults = list(keys)
        if faults:
            raise BenchError(f"{self.peer.name} answers {line[:200]!r}; expected an object with {', '.join(keys)}")
        return answer

    def read_rows(self) -> np.ndarray[Any, Any]:
        """What it answers for every text, in order: logits, where it gives them; shape `(n, width)`."""
        rows = self._ask({"do": "bulk", "rows": True}, "rows")["rows"]
        try:
            return np.array(rows, dtype=np.float64)
        except (ValueError, TypeError) as error:
            raise BenchError(f"{self.peer.name} gives rows of different widths: {error}") from error

    def run_bulk(self) -> tuple[float, float]:
        """Classify all texts.

        Returns:
            Seconds, and CPU seconds of all its threads, by its own clocks.
        """
        answer = self._ask({"do": "bulk"}, "seconds", "cpu_s")
        return float(answer["seconds"]), float(answer["cpu_s"])

    def run_alone(self, numbers: Sequence[int]) -> tuple[list[float], list[float]]:
        """Classify some texts one at a time.

        Args:
            numbers: of the texts, in the order in which they are run.

        Returns:
            Milliseconds of each, and CPU milliseconds of each.
        """
        answer = self._ask({"do": "alone", "numbers": list(numbers)}, "latencies_ms", "cpu_ms")
        return answer["latencies_ms"], answer["cpu_ms"]

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            with suppress(OSError):  # what was not yet sent cannot be sent to one that has ended
                self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            if reader.is_alive():
                reader.join(timeout=5)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
