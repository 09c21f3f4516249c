"""Owns the folder of a checkpoint that no run makes: what it may replace, and that it is there whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from training.encodercache import WEIGHTS_NAME
from training.encoders import RUN_NAME
from training.loop import CHECKPOINT
from twohands.errors import RunConflictError
from twohands.scratch import bring_back, open_scratch, put_in_place

NETWORK_NAME = "config.json"


def check_output(output: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse a checkpoint that would take the place of something else.

    Args:
        output: the checkpoint's folder.
        overwrite: replace a checkpoint that is there.
        inputs: checkpoints that it is made of.

    Raises:
        RunConflictError: `output` is in the way, is something other than a checkpoint, such as the folder of a run,
            which has a `run.json`, too; or it is one of the inputs, holds one, or stands in one.
    """
    bring_back(output, whole=RUN_NAME)
    place = output.resolve()
    for path in inputs:
        source = path.resolve()
        if place == source or place in source.parents or source in place.parents:
            what = "is" if place == source else "holds" if place in source.parents else "stands in"
            raise RunConflictError(f"{output} {what} one of the inputs, {path}; choose another --output")
    is_checkpoint = all((output / name).is_file() for name in (RUN_NAME, NETWORK_NAME, WEIGHTS_NAME))
    if output.exists() and not is_checkpoint:
        raise RunConflictError(f"{output} holds something that is not a checkpoint; it is left alone")
    if output.exists() and not overwrite:
        raise RunConflictError(f"{output} already exists; choose another --output, or pass --overwrite to replace it")


@contextmanager
def build_checkpoint(output: Path) -> Iterator[Path]:
    """Give a hidden folder whose `checkpoint` becomes `output` when the block ends well.

    Args:
        output: the checkpoint's folder, as `check_output` let it through; its parent is made. Of a symbolic link,
            what it points to is replaced.

    Yields:
        The folder, empty and on the same file system; what else is put into it vanishes.
    """
    place = Path(os.path.realpath(output))  # of a link what it points to: the link itself would be put away for good
    place.parent.mkdir(parents=True, exist_ok=True)
    with open_scratch(place) as held:
        yield held
        put_in_place(held / CHECKPOINT, place, scratch=held)
