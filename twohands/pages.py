"""Owns asking the kernel for huge pages: weights of tens of megabytes are read whole for each paragraph.

On 4 kB pages each run misses the processor's table of addresses thousands of times, which costs some 5% of all time
and more on a virtual machine. Knows nothing of models.
"""

import ctypes
import sys
from collections.abc import Collection, Iterator
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


def _collapse(ranges: Collection[Range]) -> None:
    if not ranges:  # elsewhere than on Linux there may be no such call
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in ranges:
        first, last = -(-start // PAGE_BYTES) * PAGE_BYTES, end // PAGE_BYTES * PAGE_BYTES
        if first < last:
            madvise(first, last - first, _MADV_COLLAPSE)  # what it answers is of no use: some of it may have moved


def _read_own() -> list[Range]:
    """The memory of this process that may be moved; none where the system has no huge pages or does not tell."""
    try:
        if sys.platform != "linux" or "[never]" in _SETTING.read_text(encoding="ascii"):
            return []
        return read_memory(_MAPS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


@contextmanager
def huge_pages() -> Iterator[None]:
    """Put what is loaded within on huge pages, where the system lets a program ask for them.

    That is every piece of memory that has grown or is new; the heap, where weights also go, moves as a whole.
    It is a wish: where it cannot be had (not Linux, switched off, no memory in one piece) nothing is changed.
    """
    before = set(_read_own())
    yield
    _collapse(set(_read_own()) - before)


def move_to_huge_pages() -> None:
    """Put all memory of this process on huge pages, that of Python itself too; for a process that is to stay.

    A wish, as `huge_pages`.
    """
    _collapse(_read_own())
