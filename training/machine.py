"""Owns what this machine can do: bf16, threads, and an allocator that keeps what it was given."""

import ctypes
import os

import torch

from twohands.cpu import multiplies_bf16
from twohands.threads import count_threads

_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1


def uses_bf16(precision: str) -> bool:
    """Say whether to train in bf16 autocast.

    Args:
        precision: `bf16`, `fp32`, or `auto` for bf16 where the hardware computes in it.

    Returns:
        Whether to.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return multiplies_bf16()


def keep_freed_memory() -> bool:
    """Tell glibc to keep large blocks instead of giving them back at every step.

    Otherwise most of a CPU training run's time goes to page faults; the environment variables of the same names
    would have to be set before the process starts.

    Returns:
        Whether the allocator took it; False elsewhere than glibc.

    Source:
        mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
    except (OSError, AttributeError):
        return False


def set_threads(requested: int | None) -> int:
    """Set torch's threads to what is free, shared among the processes of one machine.

    Args:
        requested: an upper bound by the user, or None.

    Returns:
        Threads of this process.
    """
    n_local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    n_threads = max(1, count_threads(requested) // n_local)
    torch.set_num_threads(n_threads)
    return n_threads
