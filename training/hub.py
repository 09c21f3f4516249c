"""Owns sets that `datasets` reads: of the Hub, a folder, or as it saved them; labels kept as numbers by their names."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from training.public import HUB_PREFIX, name_hub
from twohands.errors import FileReadError
from twohands.examples import Row
from twohands.values import read_names

# What `save_to_disk` leaves: the first of a set with splits, the others of one split.
_OF_SPLITS, _OF_ONE = "dataset_dict.json", ("dataset_info.json", "state.json")


def _is_one_saved(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _OF_ONE)


def _name_classes(value: object, feature: object) -> object:
    """Labels that `datasets` keeps as numbers, alone or in lists, by their names; -1 is its word for not labelled."""
    names = getattr(feature, "names", None)  # of a ClassLabel
    if names is not None and isinstance(value, int) and -1 <= value < len(names):
        return None if value < 0 else names[value]
    # A list of features is how releases before 4 also have it.
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if inner is None or not isinstance(value, list):
        return value
    words = [_name_classes(each, inner) for each in value]
    return None if words and all(word is None for word in words) else words


def refuse_saved(places: Iterable[Path]) -> None:
    """Refuse a folder that `save_to_disk` wrote, whose files are Arrow's, where plain files are named.

    Args:
        places: files and folders.

    Raises:
        FileReadError: one is such a folder; it is told how to name it.
    """
    for place in places:
        if (place / _OF_SPLITS).is_file() or _is_one_saved(place):
            raise FileReadError(f"{place} is a set that `datasets` saved; name it {HUB_PREFIX}{place}#train")


def read_hub(name: str) -> Iterator[Row]:
    """Read a set by `datasets`.

    Args:
        name: `hub:NAME#SPLIT`; NAME may also be a folder that it can read, or that `save_to_disk` wrote.

    Yields:
        Raw rows.

    Raises:
        FileReadError: it cannot be loaded.
    """
    import datasets  # noqa: PLC0415, RUF100 - slow to import, and only for hub names

    path, _, split = name.removeprefix(HUB_PREFIX).partition("#")
    split = split or "train"
    saved = Path(path) / split if (Path(path) / _OF_SPLITS).is_file() else Path(path)
    try:
        # Of a set with no splits, `load_dataset` says no more than that another function is to be called (#3).
        is_saved = _is_one_saved(saved)
        table = datasets.load_from_disk(str(saved)) if is_saved else datasets.load_dataset(path, split=split)
    except Exception as error:  # the library raises many classes, none of them ours
        raise FileReadError(f"datasets cannot load {path!r} split {split!r}: {error}") from error
    public = name_hub(name)
    for number, raw in enumerate(table, start=1):
        cells = {column: _name_classes(value, table.features[column]) for column, value in raw.items()}
        yield Row(read_names(cells), f"{public}:row {number}")
