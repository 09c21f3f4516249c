"""Owns how files of this machine are named where others read it: by their place in the project, never by a path."""

from collections.abc import Sequence
from pathlib import Path

from training.config import TrainConfig
from training.encoders import split_hub_folder

HUB_PREFIX = "hub:"


def name_file(path: Path, root: Path | None) -> str:
    """Name a file by its place under the root or the working folder.

    Args:
        path: the file.
        root: the folder that rows stand in.

    Returns:
        A relative path; for a file elsewhere its bare name.
    """
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return path.name if path.is_absolute() else path.as_posix()


def name_hub(name: str) -> str:
    """Name a dataset that `datasets` reads, which may be a folder.

    Args:
        name: `hub:NAME#SPLIT`.

    Returns:
        The same, with the last part of NAME alone where that is an absolute path.
    """
    place, sign, split = name.removeprefix(HUB_PREFIX).partition("#")
    return HUB_PREFIX + (Path(place).name if Path(place).is_absolute() else place) + sign + split


def _name_rows(names: Sequence[str] | None, root: Path | None) -> list[str] | None:
    if names is None:
        return None
    # Relative names stay as they are: "./" says that they do not start from the root.
    return [
        name_hub(name)
        if name.startswith(HUB_PREFIX)
        else name_file(Path(name), root)
        if Path(name).is_absolute()
        else name
        for name in names
    ]


def publish_config(config: TrainConfig) -> TrainConfig:
    """Take the paths of this machine out of a config, for a model folder; a replay names its own.

    Args:
        config: the run.

    Returns:
        The config without its data root, and with bare names where it had absolute paths.
    """
    data = config.data
    names: dict[str, object] = {
        key: _name_rows(getattr(data, key), data.root) for key in ("train", "labels", "dev", "test")
    }
    if data.repeat is not None:
        names["repeat"] = {
            public: times for name, times in data.repeat.items() for public in _name_rows([name], data.root) or ()
        }
    changes: dict[str, object] = {"data": data.model_copy(update=names | {"root": None})}
    if Path(config.taxonomy).is_absolute():
        changes["taxonomy"] = Path(config.taxonomy).name
    hub = split_hub_folder(config.encoder.name)
    if hub is not None:  # a replay can fetch it
        found = {"name": hub[0], "revision": config.encoder.revision or hub[1]}
        changes["encoder"] = config.encoder.model_copy(update=found)
    elif Path(config.encoder.name).is_absolute():
        changes["encoder"] = config.encoder.model_copy(update={"name": Path(config.encoder.name).name})
    if config.start is not None and config.start.checkpoint.is_absolute():
        # The last two say which run it was: every checkpoint's folder has the same name.
        changes["start"] = config.start.model_copy(update={"checkpoint": Path(*config.start.checkpoint.parts[-2:])})
    return config.model_copy(update=changes)
