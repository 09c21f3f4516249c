"""Owns what this machine can do: CPU flags, bf16, threads, and an allocator that keeps what it was given."""

import ctypes
import os
import platform
from pathlib import Path

import torch

from twohands.threads import count_threads

# Those that decide between int8 and bf16 kernels; the whole list would be noise in a manifest.
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")
_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1


def read_cpu() -> tuple[str, list[str]]:
    """Name the CPU and its flags that matter here.

    Returns:
        The model's name, and flags in a fixed order; empty where the system does not tell.
    """
    model, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() in {"flags", "Features"}:
                flags |= set(value.split())
    except OSError:
        pass
    return model, [flag for flag in _FLAGS if flag in flags]


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
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(read_cpu()[1]))


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
