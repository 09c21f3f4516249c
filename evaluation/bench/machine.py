"""Owns what a figure of speed must carry: the machine, its load, the versions and the commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from twohands.threads import count_threads, read_cpu_quota

_ROOT = Path(__file__).resolve().parents[2]
_FLAGS = ("avx2", "avx512", "avx_vnni", "amx_", "fma", "asimd", "sve", "i8mm", "bf16")
_PACKAGES = ("twohands", "numpy", "onnxruntime", "tokenizers")


def read_cpu() -> tuple[str, list[str]]:
    """Read the processor's name and those of its flags that matter to matrix products.

    Returns:
        The name, and the flags in order; both empty of content where the system does not tell.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine(), []
    fields = dict(
        reversed([[part.strip() for part in line.split(":", 1)] for line in text.splitlines() if ":" in line])
    )
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return fields.get("model name", platform.machine()), sorted(
        flag for flag in set(flags) if any(word in flag for word in _FLAGS)
    )


def has_bf16() -> bool:
    """Whether the processor multiplies matrices of bf16 itself (AMX, AVX-512, ARM), which changes what is fastest."""
    return not {"amx_bf16", "avx512_bf16", "bf16"}.isdisjoint(read_cpu()[1])


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


def read_versions(*packages: str) -> dict[str, str]:
    """Read the versions of what computes.

    Args:
        *packages: further ones; those that are absent are left out.

    Returns:
        Versions by package, Python's among them.
    """
    found = {"python": platform.python_version()}
    for package in (*_PACKAGES, *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_machine() -> dict[str, object]:
    """Say where this is measured, and how busy the machine is before anything is run.

    Returns:
        Processor, flags, CPUs granted, load over the last minute, system and commit.
    """
    cpu_model, cpu_flags = read_cpu()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu_model": cpu_model,
        "cpu_flags": cpu_flags,
        "cpus_granted": count_threads(),
        "cpu_quota": read_cpu_quota(),
        "load_1_min_before": load,
        "system": platform.platform(terse=True),
        "commit": read_commit(),
    }
