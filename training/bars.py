"""Owns bars of long work on standard error: drawn in place on a terminal, a line now and then in a file or a pipe."""

import sys
from typing import NoReturn

from tqdm import tqdm


class _Lines:
    """A stream for tqdm, which goes back to the start of a line to draw it again: here each drawing is a line."""

    def write(self, text: str) -> int:
        for drawn in text.split("\r"):
            if line := drawn.strip():
                sys.stderr.write(line + "\n")
        return len(text)

    def flush(self) -> None:
        sys.stderr.flush()


def open_bar(
    description: str, *, total: int | None, unit: str, n_done: int = 0, scaled: bool = False, delay_s: float = 0
) -> "tqdm[NoReturn]":
    """Open a bar.

    Args:
        description: what is being done, in a word or two.
        total: units in all; None where nobody knows.
        unit: what is counted.
        n_done: units that were done before.
        scaled: whether to write k, M, G for thousands.
        delay_s: before which nothing is shown: of what is done by then nobody waits for the end.

    Returns:
        To be told of what is done by `update`, and closed.
    """
    is_watched = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        initial=n_done,
        unit_scale=scaled,
        delay=delay_s,
        dynamic_ncols=True,
        mininterval=0.2 if is_watched else 60,
        file=None if is_watched else _Lines(),
    )
