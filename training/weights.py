"""Owns the question whether a checkpoint is there and its file of weights whole, before anything is read from it."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from twohands.errors import CheckpointError


def check_there(checkpoint: Path) -> None:
    """Refuse a folder that is not there: what it lacks would be told of, as if it were another one (#3).

    Args:
        checkpoint: its folder.

    Raises:
        CheckpointError: there is none.
    """
    if not checkpoint.is_dir():
        what = "is a file" if checkpoint.is_file() else f"does not exist in {Path.cwd()}"
        raise CheckpointError(f"{checkpoint} {what}; `twohands train` leaves a checkpoint in runs/RUN_NAME/checkpoint")


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
