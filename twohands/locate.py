"""Owns where models, configs and their rows are found: beside the user, in the checkout, or in the package."""

import os
from pathlib import Path
from typing import Literal

from twohands.errors import FileReadError, ModelNotFoundError
from twohands.manifest import MANIFEST_NAME

DEFAULT_MODEL = "twohands"
_PACKAGE = Path(__file__).resolve().parent


def model_roots() -> list[Path]:
    """Folders that may hold model folders, first match first.

    `TWOHANDS_MODELS`, then `models` in the working folder, then the checkout this package runs from, then the
    models that travel in the package.

    Returns:
        Folders that exist.

    Raises:
        ModelNotFoundError: `TWOHANDS_MODELS` is set, and no folder.
    """
    named = os.environ.get("TWOHANDS_MODELS")
    if named and not Path(named).is_dir():  # another place may have another model of the same name
        raise ModelNotFoundError(
            f"TWOHANDS_MODELS is {named!r}, which is no folder; set it to one that holds model folders, or to nothing"
        )
    roots = [Path(named)] if named else []
    roots += [Path("models"), _PACKAGE.parent / "models", _PACKAGE / "released" / "models"]
    unique: dict[Path, Path] = {}
    for root in roots:
        if root.is_dir():
            unique.setdefault(root.resolve(), root)
    return list(unique.values())


def find_model(name_or_path: str | Path | None = None) -> Path:
    """Find a model folder.

    Args:
        name_or_path: a folder, or the name of one; None is the released model.

    Returns:
        A folder that has a manifest.

    Raises:
        ModelNotFoundError: there is none, and the message says where was looked; or `TWOHANDS_MODELS` is no folder.
    """
    wanted = str(name_or_path or DEFAULT_MODEL)
    candidates = [Path(wanted)] if name_or_path else []
    if Path(wanted).name == wanted:
        candidates += [root / wanted for root in model_roots()]
    for candidate in candidates:
        if (candidate / MANIFEST_NAME).is_file():
            return candidate
    looked = "\n".join(f"  - {candidate}" for candidate in candidates)
    raise ModelNotFoundError(
        f"no model {wanted!r}; a model folder holds a {MANIFEST_NAME}. Looked at:\n{looked}\n"
        "`twohands models list` shows what there is; `twohands train` makes one. The package carries the default "
        "alone; further released models stand in models/ of a checkout."
    )


def list_models() -> list[Path]:
    """Every model folder in the known places, one for each name, first match first."""
    found: dict[str, Path] = {}
    for root in model_roots():
        for manifest in sorted(root.glob(f"[!.]*/{MANIFEST_NAME}")):
            found.setdefault(manifest.parent.name, manifest.parent)
    return list(found.values())


def _config_roots() -> list[Path]:
    return [_PACKAGE.parent / "configs", _PACKAGE / "released" / "configs"]


def find_config(
    name_or_path: str | Path, *, beside: Path | None = None, what: Literal["config", "taxonomy"] = "config"
) -> Path:
    """Find a config or taxonomy file.

    Args:
        name_or_path: a path, or the name of one that is shipped (`minilm` or `minilm.yaml`).
        beside: a file in whose folder to look first.
        what: which of the two is looked for, for the message.

    Returns:
        A file that exists.

    Raises:
        FileReadError: there is none; the message names those of the kind that are shipped.
    """
    roots = _config_roots()
    wanted = Path(name_or_path)
    candidates = [wanted] if beside is None else [beside.parent / wanted, wanted]
    if wanted.name == str(wanted):
        candidates += [root / wanted.with_suffix(".yaml") for root in roots]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    found = {path.name for root in roots for path in root.glob("*.yaml")}
    shipped = sorted(name for name in found if name.startswith("taxonomy") == (what == "taxonomy"))
    raise FileReadError(f"no {what} {str(wanted)!r}; give a path, or one that is shipped: {', '.join(shipped)}")


def find_rows(root: Path, *, config: Path) -> Path:
    """Find the folder of rows that a shipped config names: in the working folder, else where the rows travel with it.

    Args:
        root: as the config names it.
        config: the file.

    Returns:
        The folder; `root` as it is where the config is none of those shipped, or has none beside it.
    """
    folder = config.resolve().parent
    if root.is_dir() or folder not in [place.resolve() for place in _config_roots()]:
        return root
    beside = folder.parent / root
    return beside if beside.is_dir() else root
