"""Owns asking the kernel for huge pages: weights of tens of megabytes are read whole for each paragraph.

On 4 kB pages each run misses the processor's table of addresses thousands of times, which costs some 5% of all time
and more on a virtual machine. Knows nothing of models.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE_BYTES = 2 * 1024 * 1024
_MAPS = Path("/proc/self/maps")
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MADV_COLLAPSE = 25  # Linux 6.1; an older kernel refuses it, and all stays as it was

Range = tuple[int, int]


def read_memory(maps: str) -> list[Range]:
    """Read which memory a process has that is no file, no stack and can be written.

    Args:
        maps: `/proc/PID/maps`.

    Returns:
        Half-open ranges of addresses in bytes, rising.
    """
    found: list[Range] = []
    below = ("", 0)  # rights and end of the mapping before
    for line in maps.splitlines():
        addresses, rights, *_, last = line.split(maxsplit=5)
        start, end = (int(address, 16) for address in addresses.split("-"))
        # A thread's stack stands on a guard page: most of it is never touched, and would be filled.
        is_stack = below == ("---p", start)
        if rights == "rw-p" and not is_stack and (last == "0" or last.strip() == "[heap]"):
            found.append((start, end))
        below = (rights, end)
    return found


def subtract(ranges: list[Range], others: list[Range]) -> Iterator[Range]:
    """Say what is in some ranges and not in others.

    Args:
        ranges: half-open.
        others: half-open, rising.

    Yields:
        Parts of `ranges`, none empty.
    """
    for start, end in ranges:
        at = start
        for taken, free in others:
            if taken < end and free > at:
                if taken > at:
                    yield at, taken
                at = free
        if at < end:
            yield at, end


def _collapse(ranges: Iterator[Range]) -> int:
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    n_bytes = 0
    for start, end in ranges:
        first, last = -(-start // PAGE_BYTES) * PAGE_BYTES, end // PAGE_BYTES * PAGE_BYTES
        if first < last and madvise(first, last - first, _MADV_COLLAPSE) == 0:
            n_bytes += last - first
    return n_bytes


def _read_own() -> list[Range]:
    return read_memory(_MAPS.read_text(encoding="utf-8", errors="replace"))


def _is_allowed() -> bool:
    try:
        return sys.platform == "linux" and "[never]" not in _SETTING.read_text(encoding="ascii")
    except OSError:
        return False


@contextmanager
def huge_pages() -> Iterator[None]:
    """Put the memory that is taken within on huge pages, where the system lets a program ask for them.

    It is a wish: where it cannot be had (not Linux, switched off, no memory in one piece) nothing is changed.
    """
    is_allowed = _is_allowed()
    before = _read_own() if is_allowed else []
    yield
    if is_allowed:
        _collapse(subtract(_read_own(), before))


def move_to_huge_pages() -> None:
    """Put all memory of this process on huge pages, that of Python itself too; for a process that is to stay.

    A wish, as `huge_pages`.
    """
    if _is_allowed():
        _collapse(iter(_read_own()))
