"""Owns the random choices of a run: each depends on the seed and on what it is for, never on the order of work."""

import hashlib
import random


def make_generator(seed: int, *what: object) -> random.Random:
    """A generator of its own for one purpose, so that a test added in front changes no other test's texts.

    Args:
        seed: of the run.
        *what: names the purpose.

    Returns:
        A generator.
    """
    digest = hashlib.sha256("\x1f".join([str(seed), *map(str, what)]).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))  # noqa: S311 - choices for a test, no secret
