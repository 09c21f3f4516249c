"""Owns how much the corrections of one database may take up; who may save could fill the disk otherwise."""

from collections.abc import Callable

import sqlalchemy as sa

from serving.corrections.table import CORRECTIONS
from twohands.errors import CorrectionsFullError

_NAME = CORRECTIONS.name
# All that is of a caller's length.
_LONG = ("text", "note", "source", "group", "labels", "prediction", "model")


def _count_sqlite(connection: sa.Connection) -> int:
    """Bytes of the file that hold something: what was deleted is free for what is saved next."""
    size_bytes, n_pages, n_free = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_size", "page_count", "freelist_count")
    )
    return (n_pages - n_free) * size_bytes


def _count_postgresql(connection: sa.Connection, max_bytes: int) -> int:
    """Bytes of the table; where it is too large, those of its rows, as deleting makes no table smaller at once."""
    n_bytes = int(connection.exec_driver_sql(f"SELECT pg_total_relation_size('{_NAME}')").scalar_one())
    if n_bytes < max_bytes:
        return n_bytes
    in_row = sum(
        (sa.func.coalesce(sa.func.pg_column_size(CORRECTIONS.c[name]), 0) for name in _LONG), start=sa.literal(0)
    )
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(in_row), 0))).scalar_one())


class Room:
    """A bound, and who is told how near it is."""

    def __init__(self, max_bytes: int, tell_used: Callable[[float], object]) -> None:
        """Measure nothing yet.

        Args:
            max_bytes: that corrections may take up.
            tell_used: takes which share of them they do.
        """
        self._max_bytes = max_bytes
        self._tell_used = tell_used

    def measure(self, connection: sa.Connection) -> int:
        """Count what is taken up, and tell it.

        Args:
            connection: within a transaction, the table there.

        Returns:
            Bytes.
        """
        is_file = connection.dialect.name == "sqlite"
        n_bytes = _count_sqlite(connection) if is_file else _count_postgresql(connection, self._max_bytes)
        self._tell_used(n_bytes / self._max_bytes)
        return n_bytes

    def check(self, connection: sa.Connection) -> None:
        """Refuse to save more where there is no room.

        Args:
            connection: within the transaction that saves.

        Raises:
            CorrectionsFullError: as much is taken up as may be.
        """
        n_bytes = self.measure(connection)
        if n_bytes >= self._max_bytes:
            raise CorrectionsFullError(
                f"the corrections take up {n_bytes} bytes, and may {self._max_bytes}; nothing was saved: export and "
                "delete some (`twohands corrections purge`), or start the service with more --max-corrections-bytes"
            )
