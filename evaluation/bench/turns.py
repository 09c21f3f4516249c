"""Owns whose turn it is: in each round another begins, so that nobody is always first on a cool or a busy machine."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def take_turns(contestants: Sequence[T], number: int) -> list[T]:
    """Order those who are measured in turn.

    Args:
        contestants: in the order of round 0.
        number: of the round, from 0.

    Returns:
        All of them, begun with the next one in each round.
    """
    start = number % max(1, len(contestants))
    return [*contestants[start:], *contestants[:start]]
