"""Owns the folder of a run: whose it is, that one process trains in it, and the last whole checkpoint there."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import is_zipfile

from filelock import FileLock, Timeout

from training.encodercache import WEIGHTS_NAME
from training.encoders import RUN_NAME
from training.identity import LATER, hint_of_export, list_changes
from training.kept import write_kept
from training.restated import NONE_RESTATED
from training.room import name_partial
from training.upgrade import upgrade_dumped
from training.weights import check_weights
from twohands.errors import CheckpointError, RunConflictError, TwoHandsError

CHECKPOINT = "checkpoint"
CONFIG_NAME = "train_config.yaml"
TRAINER = "trainer"  # holds the checkpoints to go on from
_LOCK_NAME = ".lock"


def _is_whole(checkpoint: Path) -> bool:
    """Whether the file that the Trainer writes last is there to its end, and those before it, as after a power cut."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        check_weights(checkpoint / WEIGHTS_NAME)
    except (OSError, ValueError, CheckpointError):
        return False
    # What torch writes is a ZIP file, whose directory stands at its end.
    return is_zipfile(checkpoint / "optimizer.pt")


def find_last_whole(run_dir: Path) -> Path | None:
    """Find what a run goes on from; checkpoints that a kill cut off are removed.

    Args:
        run_dir: of the run, held by this process.

    Returns:
        The newest Trainer checkpoint that was written to its end, if there is one.
    """
    found = sorted((run_dir / TRAINER).glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = [path for path in found if _is_whole(path)]
    for path in set(found) - set(whole):
        shutil.rmtree(path)
    return whole[-1] if whole else None


@contextmanager
def claim_run(run_dir: Path, identity: dict[str, object], *, restart: bool) -> Iterator[None]:
    """Make the run's folder, or see that the one that is there belongs to the same run, and keep others out of it.

    A run of other settings that was ended before its first checkpoint leaves nothing to lose: it makes way.

    Args:
        run_dir: the folder.
        identity: of the run that is asked for.
        restart: discard what is there.

    Yields:
        Nothing. A run that is refused within, before its first checkpoint, leaves no trace.

    Raises:
        RunConflictError: the folder holds another run, or what is none, or another process trains in it.
    """
    path, lock = run_dir / RUN_NAME, run_dir / _LOCK_NAME
    own = {lock, name_partial(path)}  # a kill may leave either behind alone
    held = [entry for entry in run_dir.iterdir() if entry not in own] if run_dir.exists() else []
    # Without --restart, too: a checkpoint that was put here by other means would pass for this run's result.
    if held and not path.is_file():
        raise RunConflictError(
            f"{run_dir} holds something that is not a run; it is left alone; give --set run_name=... for another"
        )
    run_dir.mkdir(parents=True, exist_ok=True)
    try:
        # Two at once would write their checkpoints over one another. A kill lets go of the lock.
        with FileLock(lock, blocking=False):
            # What says that this is a run goes last: a kill in between leaves one that can be restarted again.
            for entry in sorted(held, key=lambda entry: entry == path) if restart else ():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            is_new = not path.is_file() or not _is_same_run(run_dir, identity)
            if is_new:
                shutil.rmtree(run_dir / TRAINER, ignore_errors=True)  # of a checkpoint that a kill cut off
                write_kept(path, identity)
            try:
                yield
            except TwoHandsError:
                # Refused with nothing to go on from: what is left would be a run conflict for the mended command (#3).
                if is_new and not any((run_dir / TRAINER).glob("checkpoint-*")):
                    shutil.rmtree(run_dir / TRAINER, ignore_errors=True)
                    path.unlink()
                raise
    except Timeout as error:
        raise RunConflictError(
            f"another process is training in {run_dir}; wait for it, or give --set run_name=... for a run beside it"
        ) from error


def _is_same_run(run_dir: Path, identity: dict[str, object]) -> bool:
    """False of another one that left nothing to go on from; raises RunConflictError of one that did."""
    try:
        before = json.loads((run_dir / RUN_NAME).read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunConflictError(
            f"{run_dir / RUN_NAME} is not JSON ({error}), so nobody knows which run this is; pass --restart to discard "
            "it, or --set run_name=... for a new one"
        ) from error
    before["settings"] = upgrade_dumped(before.get("settings", {}))
    before.setdefault("restated_sha256", NONE_RESTATED)
    for key in LATER:
        before.setdefault(key, identity[key])
    if (run_dir / CHECKPOINT / CONFIG_NAME).is_file():
        before["n_processes"] = identity["n_processes"]  # nothing is left to train: one alone may export it
    changed = list_changes(before, identity)
    checkpoint = run_dir / CHECKPOINT
    is_bare = not checkpoint.exists() and not any(map(_is_whole, (run_dir / TRAINER).glob("checkpoint-*")))
    if changed and is_bare:
        sys.stderr.write(
            f"train: the run in {run_dir} was ended before its first checkpoint; begun anew with other settings "
            f"({'; '.join(changed.values())})\n"
        )
        return False
    if changed:
        hint = hint_of_export(changed, checkpoint) if (checkpoint / CONFIG_NAME).is_file() else ""
        raise RunConflictError(
            f"{run_dir} holds a run with other settings ({'; '.join(changed.values())}); pass --restart to discard it, "
            f"or --set run_name=... for a new one{hint}"
        )
    return True
