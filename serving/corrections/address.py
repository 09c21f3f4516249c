"""Owns where corrections are kept: the words of a setting -> a SQLite file, a PostgreSQL URL, or nowhere.

Standard library only: a service that nobody corrects never loads a database library.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from twohands.errors import MissingExtraError

OFF = "off"
FILE_NAME = "corrections.sqlite3"
_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql+psycopg://", "postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Address:
    """A SQLite file, or a PostgreSQL URL for SQLAlchemy; exactly one of the two is there."""

    path: Path | None
    url: str | None

    @property
    def exists(self) -> bool:
        """Whether there may be a database: a SQLite file is made at the first save, not before."""
        return self.path is None or self.path.exists()

    def describe(self) -> str:
        """For people, without the password."""
        if self.path is not None:
            return str(self.path)
        scheme, _, rest = (self.url or "").partition("://")
        return f"{scheme.partition('+')[0]}://{rest.rpartition('@')[2]}"


def check_address(value: str | None) -> str | None:
    """Refuse what is no address; its words are not repeated, for they may hold a password.

    Args:
        value: as the setting has it.

    Returns:
        The same.

    Raises:
        ValueError: it is none.
    """
    if value is None or value == OFF or value.startswith(_POSTGRESQL):
        return value
    is_file = value.startswith(_SQLITE) and value != _SQLITE and not value.endswith("/")
    if not is_file or "?" in value or ":memory:" in value:
        raise ValueError(
            "expected sqlite:///FILE (four slashes before an absolute path), postgresql://USER@HOST/DATABASE, or off"
        )
    return value


def find_default_path() -> Path:
    """The SQLite file in the user's data folder."""
    from platformdirs import user_data_path  # lazy: only who reads corrections needs it

    return user_data_path("twohands", appauthor=False) / FILE_NAME


def read_address(value: str | None) -> Address | None:
    """Make an address of a checked setting.

    Args:
        value: as `check_address` let it through; None is the file in the user's data folder.

    Returns:
        The address, or None where corrections are off.

    Raises:
        MissingExtraError: PostgreSQL without its driver.
    """
    if value == OFF:
        return None
    if value is None:
        return Address(find_default_path(), None)
    if value.startswith(_SQLITE):
        return Address(Path(value.removeprefix(_SQLITE)).expanduser().absolute(), None)
    if importlib.util.find_spec("psycopg") is None:
        raise MissingExtraError("corrections in PostgreSQL need psycopg: pip install 'twohands[serve,postgres]'")
    return Address(None, f"{_POSTGRESQL[0]}{value.partition('://')[2]}")
