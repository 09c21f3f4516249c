"""Owns how many threads there are to use: the container's quota and affinity, not the host's core count."""

import math
import os
from pathlib import Path
from typing import SupportsIndex

from twohands.misuse import ArgumentError

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def _read_quota(folder: Path) -> float | None:
    """CPUs that one control group grants, or None when it sets no bound (cgroup v2, then v1)."""
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:
        quota_us = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period_us = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if quota_us <= 0 or period_us <= 0 else quota_us / period_us


def read_cpu_quota(*, root: Path = _CGROUP_ROOT, own: Path = _OWN_CGROUP) -> float | None:
    """Say how many CPUs the control groups of this process grant.

    A bound on any ancestor binds, so the smallest from the process's own group up to the root counts.

    Args:
        root: where control groups are mounted.
        own: the file that names this process's group.

    Returns:
        CPUs, possibly a fraction; None when nothing is bounded.

    Source:
        Linux kernel, *Control Group v2*, `cpu.max`; *CFS Bandwidth Control* for v1.
    """
    folders = {root, root / "cpu"}
    try:
        for line in own.read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            base = root / "cpu" if controllers else root
            relative = Path(path.lstrip("/"))
            folders |= {base / relative, *(base / parent for parent in relative.parents)}
    except (OSError, ValueError):
        pass
    quotas = [quota for quota in map(_read_quota, folders) if quota is not None]
    return min(quotas, default=None)


def count_threads(requested: int | None = None, *, quota: float | None = None) -> int:
    """Say how many threads to use: those that are free to this process, never more than asked for.

    Args:
        requested: an upper bound by the user; None for all that are there.
        quota: CPUs granted, for tests; None reads the control groups.

    Returns:
        At least 1.

    Raises:
        ArgumentError: `requested` is no whole number of at least 1.
    """
    is_whole = isinstance(requested, SupportsIndex) and not isinstance(requested, bool)
    if requested is not None and (not is_whole or requested < 1):
        raise ArgumentError(f"num_threads is {requested!r}; expected a whole number from 1 on, or None for all")
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = quota if quota is not None else read_cpu_quota()
    n_free = affinity if granted is None else min(affinity, max(1, math.floor(granted)))
    return n_free if requested is None else min(n_free, int(requested))
