"""Owns the loading of what the bare install leaves out, and the one message that says which extra brings it."""

import importlib
from types import ModuleType

from twohands.errors import MissingExtraError


def import_extra(module: str, *, use: str, extra: str, package: str | None = None) -> ModuleType:
    """Import an optional module at the moment of its use.

    Args:
        module: its name.
        use: what it is needed for, as a message begins.
        extra: of this project, which installs it.
        package: its name on the index, where it is another one than the module's.

    Returns:
        The module.

    Raises:
        MissingExtraError: it, or something that it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        absent = error.name if error.name and error.name != module else package or module
        raise MissingExtraError(f"{use} needs {absent}: pip install 'twohands[{extra}]'") from error


def import_pyarrow(use: str) -> ModuleType:
    """Import pyarrow, which the bare install leaves out.

    Args:
        use: what it is needed for, for the message.

    Returns:
        The module `pyarrow.parquet`.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    return import_extra("pyarrow.parquet", use=use, extra="eval", package="pyarrow")
