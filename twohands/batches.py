"""Owns which windows are run together where a run of several is the faster one. Knows no runtime."""

from collections.abc import Sequence

# A run costs as much as this many tokens more, however few it has; measured on a CPU with AMX (docs/performance.md).
_TOKENS_OF_A_RUN = 64
# Other lengths leave part of a tile empty: they take longer than the next multiple. And each shape that ever came keeps
# memory of its own, so there must not be many.
_TILE = 16


def pad_length(length: int, *, most: int) -> int:
    """Say to what length a window is padded.

    Args:
        length: its tokens.
        most: the longest that the model is to read; one that is beyond it already stays as it is.

    Returns:
        The next multiple of a tile, or `most` where that comes first.
    """
    return max(length, min(length + -length % _TILE, most))


def cut_batches(lengths: Sequence[int], *, most_windows: int) -> list[list[int]]:
    """Cut windows into batches of nearly equal length, at the least cost of padding and runs together.

    Args:
        lengths: tokens of each window, padded as `pad_length` has it.
        most_windows: of one batch.

    Returns:
        Places in `lengths`, each in one batch; batches from the longest to the shortest, so that the last run on
        several threads is a short one.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    # cost[end]: of the first `end` windows in this order; a batch is as long as its first.
    cost, cut = [0], [0]
    for end in range(1, len(order) + 1):
        begins = range(max(0, end - most_windows), end)
        costs = [cost[begin] + _TOKENS_OF_A_RUN + lengths[order[begin]] * (end - begin) for begin in begins]
        best = min(range(len(costs)), key=costs.__getitem__)
        cost.append(costs[best])
        cut.append(begins[best])
    batches, end = [], len(order)
    while end:
        batches.append(order[cut[end] : end])
        end = cut[end]
    return batches[::-1]
