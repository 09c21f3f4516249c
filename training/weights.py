"""Owns the question whether a checkpoint is there and its file of weights whole, before anything is read from it."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from training.encodercache import WEIGHTS_NAME
from twohands.errors import CheckpointError
from twohands.manifest import MANIFEST_NAME


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


def hint_of_weights(folder: Path) -> str | None:
    """Say how to come by weights where a folder without any is one of ours.

    Args:
        folder: that was given for a checkpoint or an encoder.

    Returns:
        What to do with a model folder or a run's; None for any other.
    """
    if (folder / MANIFEST_NAME).is_file():
        return f"it is a model folder, of which `twohands restore {folder} --output DIR` makes a checkpoint"
    inner = folder / "checkpoint"
    return f"give {inner}" if (inner / WEIGHTS_NAME).is_file() else None
