"""Owns this process's bound on open files: each connection is one, and macOS grants 256 unless more are asked for."""

import resource


def allow_open_files(n_files: int) -> int:
    """Raise the bound where it is lower and may be raised.

    Args:
        n_files: how many will be open at once.

    Returns:
        The bound that holds now; lower than `n_files` where the system grants no more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= n_files:
        return n_files
    most = n_files if hard == resource.RLIM_INFINITY else min(n_files, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    except (ValueError, OSError):  # macOS calls its hard bound infinite and still refuses what its kernel does not hold
        return soft
    return max(soft, most)
