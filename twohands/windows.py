"""Owns the rule by which long text is cut into overlapping windows, and by which their logits become one row.

Training, evaluation and serving share it: a second rule would show as a parity bug on long paragraphs only.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Logits = npt.NDArray[np.float32]


class WindowRule(BaseModel):
    """How long text is read: as few windows as fit, all of nearly one length, their logits averaged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int = Field(ge=8, description="most tokens of one window, the encoder's special tokens among them")
    overlap_tokens: int = Field(ge=0, description="tokens that two neighbouring windows share")
    max_windows: int = Field(ge=1, description="windows per paragraph; tokens beyond them are cut and counted")

    @model_validator(mode="after")
    def _check(self) -> "WindowRule":
        if self.overlap_tokens * 2 > self.max_tokens:
            raise ValueError(
                f"overlap_tokens is {self.overlap_tokens}, expected at most {self.max_tokens // 2}, half of "
                "max_tokens, else windows would hardly advance"
            )
        return self


def cut_windows(n_tokens: int, *, capacity: int, overlap_tokens: int, max_windows: int) -> list[tuple[int, int]]:
    """Say which tokens each window holds.

    Windows have nearly equal length instead of one full and one short: equal weights are then fair, and no
    window is padded to a much longer one.

    Args:
        n_tokens: tokens of the text, special tokens not counted; at least 1.
        capacity: most text tokens of one window.
        overlap_tokens: tokens that neighbours share; less than `capacity`.
        max_windows: most windows.

    Returns:
        Half-open token ranges in order; they cover the text, or its beginning when `max_windows` binds.
    """
    if n_tokens <= capacity:
        return [(0, n_tokens)]
    stride = capacity - overlap_tokens
    n_windows = min(-(-(n_tokens - overlap_tokens) // stride), max_windows)
    n_kept = min(n_tokens, overlap_tokens + n_windows * stride)
    length = -(-(n_kept + (n_windows - 1) * overlap_tokens) // n_windows)
    starts = [index * (length - overlap_tokens) for index in range(n_windows)]
    return [(start, min(start + length, n_kept)) for start in starts]


def aggregate_windows(logits: Logits, n_windows: Sequence[int]) -> Logits:
    """Average the logits of each paragraph's windows.

    Args:
        logits: shape `(sum(n_windows), n_labels)`, the windows of the first paragraph first.
        n_windows: windows per paragraph, each at least 1.

    Returns:
        Shape `(len(n_windows), n_labels)`.
    """
    if len(logits) == len(n_windows):
        return logits
    counts = np.asarray(n_windows)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(logits, starts, axis=0)
    return np.asarray(sums / counts[:, None], dtype=np.float32)
