"""Owns what a figure of speed must carry: the machine, its load and the commit."""

import os
import platform
import subprocess
from pathlib import Path

from twohands.cpu import read_cpu
from twohands.threads import count_threads, read_cpu_quota

_ROOT = Path(__file__).resolve().parents[2]


def read_commit() -> str | None:
    """Name the commit that is measured, with `-dirty` if files differ from it; None outside a checkout of this project.

    An installed copy in a virtual environment stands within whatever checkout holds that: its commit is not ours.
    """

    def ask(*words: str) -> str:
        return subprocess.run(  # noqa: S603 - fixed words
            ["git", "-C", str(_ROOT), *words],  # noqa: S607 - git from the user's path, as the user calls it
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        if Path(ask("rev-parse", "--show-toplevel")).resolve() != _ROOT:
            return None
        commit = ask("rev-parse", "HEAD")
        return commit + ("-dirty" if ask("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def read_load() -> float | None:
    """How many processes ran or waited for a CPU over the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def describe_machine() -> dict[str, object]:
    """Say where this is measured, and how busy the machine is before anything is run.

    Returns:
        Processor, flags, CPUs granted, load over the last minute, system and commit.
    """
    cpu_model, cpu_flags = read_cpu()
    return {
        "cpu_model": cpu_model,
        "cpu_flags": cpu_flags,
        "cpus_granted": count_threads(),
        "cpu_quota": read_cpu_quota(),
        "load_1_min_before": read_load(),
        "system": platform.platform(terse=True),
        "commit": read_commit(),
    }


def add_load_after(machine: dict[str, object]) -> dict[str, object]:
    """Say of a machine, as it was described before a run, how busy it is after it."""
    return machine | {"load_1_min_after": read_load()}
