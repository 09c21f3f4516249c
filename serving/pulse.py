"""Owns how a worker that answers no more is told from one that has much to do, waits for its turn or loads a model.

Its event loop gives a sign of life every few seconds. Silence alone is no proof: on a machine that is starved of CPU
or memory there is silence too. So what the system tells of the process must say the same all that time: stopped, or
asleep without any use of CPU, or at work in the thread of its event loop, where nothing takes so long.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BEAT_S = 5.0
N_SILENT = 6
# Of the time watched: what the thread of an event loop that hangs in an endless loop takes at the least.
_LEAST_BUSY = 0.5
# Less than this a process does that does nothing at all.
_IDLE_CPU_S = 0.05


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the system tells of a process: the state and CPU time of its first thread, and the CPU time of all."""

    state: str
    loop_cpu_s: float
    all_cpu_s: float


def read_vitals(pid: int) -> Vitals | None:
    """Read what the system tells of a process.

    Args:
        pid: of the process.

    Returns:
        Its vitals; None where the system tells none, as on macOS, or the process has ended.
    """
    try:
        state, loop_cpu_s = _read_stat(Path(f"/proc/{pid}/task/{pid}/stat"))
        return Vitals(state, loop_cpu_s, _read_stat(Path(f"/proc/{pid}/stat"))[1])
    except (OSError, ValueError, IndexError):
        return None


def _read_stat(path: Path) -> tuple[str, float]:
    # The name of the program, which may hold anything, stands in brackets before the rest.
    fields = path.read_text().rpartition(")")[2].split()
    return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Pulse:
    """One worker's signs of life."""

    def __init__(self) -> None:
        """Begin with one."""
        self._silent: deque[Vitals] = deque(maxlen=N_SILENT + 1)

    def beat(self) -> None:
        """Take note of a sign of life."""
        self._silent.clear()

    def judge(self, vitals: Vitals | None, *, beat_s: float = BEAT_S) -> str | None:
        """Take note that there was none since the last time, and say whether there will be none.

        Args:
            vitals: of now; None if they are not known.
            beat_s: between two judgements, in seconds.

        Returns:
            What is wrong with it; None if that cannot be said.
        """
        if vitals is None:
            self._silent.clear()
            return None
        self._silent.append(vitals)
        if len(self._silent) <= N_SILENT:
            return None
        first = self._silent[0]
        # T is stopped; t, which a debugger does, and D, which waits for a disk, are not among these.
        is_still = all(each.state in {"S", "T"} for each in self._silent)
        if is_still and vitals.all_cpu_s - first.all_cpu_s < _IDLE_CPU_S:
            return "is stopped" if vitals.state == "T" else "is asleep"
        if vitals.loop_cpu_s - first.loop_cpu_s >= _LEAST_BUSY * N_SILENT * beat_s:
            return "is caught in one piece of work"
        return None


async def watch(pid: int, pulse: Pulse, *, on_death: Callable[[str], None], beat_s: float = BEAT_S) -> None:
    """Wait until a worker can be said to answer no more.

    Counts its own waits, not the time: what stops or starves this process as well is no fault of the worker's.

    Args:
        pid: of the worker.
        pulse: of the worker.
        on_death: is told what is wrong with it, once.
        beat_s: between two judgements, in seconds.
    """
    while True:
        await asyncio.sleep(beat_s)
        if why := pulse.judge(read_vitals(pid), beat_s=beat_s):
            on_death(why)
            return
