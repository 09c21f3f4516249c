"""Owns what a measured run leaves when its checkpoints go: written whole, and read again for the same run alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.identity import LATER, list_changes
from training.restated import NONE_RESTATED
from training.room import make_whole
from training.upgrade import upgrade_dumped
from twohands.errors import RunConflictError

# As LATER, of what a run was asked afterwards.
_LATER_ASKED = ("asked_texts_sha256", "dev_texts_sha256")


def read_kept(path: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read what an earlier call kept of a run.

    Args:
        path: its file.
        identity: what the weights of the run that is asked for hang on, and what it is asked about.

    Returns:
        The content; None where there is no such file.

    Raises:
        RunConflictError: the file is of a run with other settings or rows.
    """
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    later = {key: identity[key] for key in (*LATER, *_LATER_ASKED) if key in identity}
    before = later | {"restated_sha256": NONE_RESTATED} | content["identity"]
    changed = list_changes(before | {"settings": upgrade_dumped(before["settings"])}, identity)
    if changed:
        raise RunConflictError(
            f"{path} was made with other settings ({'; '.join(changed.values())}); pass --restart to discard it, "
            "or another --output"
        )
    return content


def is_kept(path: Path, identity: Mapping[str, Any]) -> bool:
    """Say whether a file is of this run: where it is of one with other settings or rows, nothing is known of this one.

    Args:
        path: of the file, which may not be there.
        identity: as in `read_kept`.

    Returns:
        Whether `read_kept` gives its content.
    """
    try:
        return read_kept(path, identity) is not None
    except RunConflictError:
        return False


def write_kept(path: Path, content: Mapping[str, object]) -> None:
    """Write what is kept of a run, whole or not at all.

    Args:
        path: its file.
        content: JSON, which is or holds the run's identity.
    """
    with make_whole(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
