"""Owns that memory which was freed goes back to the system. Knows nothing of what it held.

The C library keeps what lies between pieces that are still in use: of each model that was let go some tens of
megabytes, scattered over the heaps of the threads that loaded it.
"""

import ctypes
import sys


def give_back() -> None:
    """Give the system what is free, where the C library can; for some milliseconds threads wait that want memory."""
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; musl has none, and gives back by itself
    if trim is not None:
        trim(ctypes.c_size_t(0))
