"""Owns the question whether a file of weights is whole, before anything is read from it."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from twohands.errors import CheckpointError


def check_weights(path: Path) -> None:
    """Read the head of a safetensors file, which says how long the file must be; no weight is read.

    Args:
        path: `model.safetensors` of a checkpoint.

    Raises:
        CheckpointError: it is cut off, as a full disk or a broken copy leaves it, or is no such file.
        OSError: it cannot be opened.
    """
    try:
        with safe_open(path, framework="pt"):
            pass
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); copy the checkpoint again, or train it again (--restart)"
        ) from error
