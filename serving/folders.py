"""Owns the names under which model folders are served: their own, or those that the settings give them."""

from pathlib import Path

from serving.settings import ServeSettings
from twohands.errors import ConfigError, ModelNotFoundError
from twohands.locate import DEFAULT_MODEL, find_model
from twohands.manifest import MANIFEST_NAME


def name_folders(settings: ServeSettings) -> dict[str, str | None]:
    """Give each model folder of the settings its name: the folder's own, or that of NAME=DIR.

    Args:
        settings: how to serve.

    Returns:
        Folders by name, the default one first; None for the released model.

    Raises:
        ConfigError: a name stands for two folders, or the folder of models holds none.
    """
    wanted: list[str | None] = [settings.model, *settings.other_models]
    if settings.models_dir is not None:
        found = sorted(path.parent for path in settings.models_dir.glob(f"[!.]*/{MANIFEST_NAME}"))
        if not found:
            raise ConfigError("these models cannot be served", [f"{settings.models_dir} holds no model folder"])
        wanted = [*(entry for entry in wanted if entry is not None), *map(str, found)]
    named: dict[str, str | None] = {}
    for entry in wanted:
        name, is_named, folder = (entry or DEFAULT_MODEL).partition("=")
        if not is_named or "/" in name:
            name, folder = Path(entry or DEFAULT_MODEL).resolve().name, entry or ""
        if name not in named:
            named[name] = folder or None
        elif not _is_same(named[name], folder or None):
            raise ConfigError("these models cannot be served", [f"two are called {name!r}; name one as NAME=DIR"])
    return named


def _is_same(one: str | None, other: str | None) -> bool:
    """Whether two entries mean one folder, as one of a folder of models does that is named as the default, too."""
    if one == other:
        return True
    try:
        return find_model(one).resolve() == find_model(other).resolve()
    except ModelNotFoundError:
        return False


def name_each(settings: ServeSettings) -> ServeSettings:
    """Settings that give the same names to the same folders later, whatever then lies in a folder of models.

    Args:
        settings: how to serve.

    Returns:
        The settings with each model as NAME=DIR.

    Raises:
        ConfigError: as `name_folders`.
    """
    # A name with `=` in it cannot be said so; such a folder has its name from its own path.
    entries = [
        f"{name}={folder or ''}" if "=" not in name else str(folder) for name, folder in name_folders(settings).items()
    ]
    return settings.model_copy(update={"model": entries[0], "other_models": tuple(entries[1:]), "models_dir": None})
