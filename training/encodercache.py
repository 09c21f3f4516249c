"""Owns the user's cache of encoders: where it is, what stands in it, and whether that is what was put there."""

import json
import os
from pathlib import Path
from typing import Annotated

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from twohands.errors import EncoderError
from twohands.hashing import find_altered, sha256_of_file

RECORD_NAME = "encoder.json"
WEIGHTS_NAME = "model.safetensors"

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Record(BaseModel):
    """What was fetched; stands beside the files as `encoder.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="as configs name it")
    revision: str | None = Field(description="commit of a hub name")
    license: str
    sources: list[str] = Field(description="packages with their versions, or the hub's name")
    fetched: str = Field(description="UTC, ISO 8601")
    files: dict[str, Sha256]


def cache_root() -> Path:
    """The folder of all that is fetched: `TWOHANDS_CACHE`, or the user's cache by the platform's convention."""
    override = os.environ.get("TWOHANDS_CACHE")
    return Path(override) if override else user_cache_path("twohands", appauthor=False)


def locate_encoder(name: str, revision: str | None = None) -> Path:
    """Where an encoder stands in the cache, or would.

    Args:
        name: as configs name it.
        revision: commit of a hub name.

    Returns:
        A folder that need not exist.
    """
    slug = name.replace("/", "--").strip(".")
    return cache_root() / "encoders" / (f"{slug}@{revision}" if revision else slug)


def read_record(folder: Path) -> Record:
    """Read what a folder of the cache says about itself.

    Args:
        folder: of `locate_encoder`.

    Returns:
        The record.

    Raises:
        EncoderError: there is none, or it is damaged.
    """
    try:
        return Record.model_validate(json.loads((folder / RECORD_NAME).read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        raise EncoderError(f"{folder} is no fetched encoder: its {RECORD_NAME} cannot be read ({error})") from error


def write_record(folder: Path, record: Record) -> None:
    """Write the record, with the digests of the files as they now stand.

    Args:
        folder: holds every other file.
        record: its `files` are replaced.
    """
    files = {path.name: sha256_of_file(path) for path in sorted(folder.iterdir()) if path.name != RECORD_NAME}
    full = record.model_copy(update={"files": files})
    (folder / RECORD_NAME).write_text(json.dumps(full.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")


def list_cached() -> list[Path]:
    """Folders of the cache, in order of name; unfinished ones, whose names begin with a dot, are left out."""
    root = cache_root() / "encoders"
    return sorted(path.parent for path in root.glob(f"[!.]*/{RECORD_NAME}"))


def find_faults(folder: Path) -> list[str]:
    """Compare a folder of the cache with its record.

    Args:
        folder: of `list_cached`.

    Returns:
        One line a fault; empty when every file has its digest.
    """
    try:
        return find_altered(folder, read_record(folder).files)
    except EncoderError as error:
        return [str(error)]
