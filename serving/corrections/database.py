"""Owns the connection to the database: how SQLite and PostgreSQL are opened, and the migrations under a lock.

Every writing transaction on SQLite begins IMMEDIATE: one that began by reading and then wants to write would fail at
once when another wrote between, whatever the timeout.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from serving.corrections.address import Address
from twohands.errors import CorrectionsUnavailableError

HEAD = "v0002"
"""The revision that this code knows; a test holds it against the revisions."""
N_CONNECTIONS = 4
_BUSY_TIMEOUT_S = 10
_CONNECT_TIMEOUT_S = 5
_LOCK_TIMEOUT_S = 60
_SET_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '{}s'"
_ADVISORY_LOCK = 0x74776F68616E6473  # "twohands"
# Alembic keeps its context in a global of the module.
_ALEMBIC_LOCK = threading.Lock()


def describe_database_error(error: Exception) -> str:
    """What a driver says of a failure, in one line; SQL and its parameters, which hold texts, are left out."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}"


@contextmanager
def translate_errors(*, is_telling: bool = False) -> Iterator[None]:
    """Turn what the database library raises into our own error.

    Args:
        is_telling: keep the driver's words also where they could repeat what was to be stored.

    Raises:
        CorrectionsUnavailableError: the database cannot be reached, is busy for too long, full, or not usable.
    """
    try:
        yield
    except (sa.exc.SQLAlchemyError, OSError) as error:
        # Words of these are of files, hosts and locks; those of others may be of rows.
        is_safe = is_telling or isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError | OSError)
        # The name at least tells what is missing: of PostgreSQL's, a right, a table, or that it is read-only.
        reason = describe_database_error(error) if is_safe else type(getattr(error, "orig", None) or error).__name__
        raise CorrectionsUnavailableError(
            "the database of corrections cannot be used now; nothing was changed", reason=reason
        ) from error


def _set_wal(connection: DBAPIConnection) -> None:
    """Switch the file to WAL once; who finds others at it waits, for SQLite's own timeout does not cover this."""
    cursor = connection.cursor()
    give_up_s = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.02)
    cursor.close()


class _File:
    """The file of an engine. SQLite goes on with one that was removed or replaced: what it saves then nobody finds."""

    def __init__(self, path: Path) -> None:
        """Know the path alone, until it is opened: some file systems copy a file when it is, and it is another then."""
        self._path = path
        self._opened: tuple[int, int] | None = None

    def note(self, *_: object) -> None:
        """Remember which file was opened first."""
        if self._opened is None:
            self._opened = self._find()

    def check(self, *_: object) -> None:
        """Refuse to go on where another stands at its place, or none.

        It is not opened anew: the log of the file before still stands beside it, and would be written into it.

        Raises:
            CorrectionsUnavailableError: as said.
        """
        if self._opened is not None and self._find() != self._opened:
            raise CorrectionsUnavailableError(
                "the database of corrections cannot be used now; nothing was changed",
                reason="the file was removed or replaced while it was in use; put it back, or start the service again",
            )

    def _find(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _open_sqlite_connection(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    del entry
    connection.isolation_level = None  # the driver begins no transaction; `_begin` does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_S * 1000}")
    # Each commit is on the disk before it is answered: NORMAL syncs a log in WAL mode only when it is written into the
    # file, so that a power cut lost what was saved last, after its 201.
    cursor.execute("PRAGMA synchronous=FULL")
    # What was deleted is overwritten: a purge leaves no text behind in free pages.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.execute("PRAGMA journal_mode")
    mode = cursor.fetchone()
    cursor.close()
    if mode != ("wal",):
        _set_wal(connection)


def _begin(connection: sa.Connection) -> None:
    is_reading = connection.get_execution_options().get("is_reading", False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _bound_locks(connection: sa.Connection) -> None:
    """Wait for who holds rows or the table as long as on SQLite, not without end.

    By each transaction: a pooler in between may refuse parameters of a connection, and hand its settings to others.
    """
    connection.exec_driver_sql(_SET_LOCK_TIMEOUT.format(_BUSY_TIMEOUT_S))


def _make_file(path: Path) -> None:
    """Make the file so that its owner alone can read it; its WAL takes over the mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return


def open_engine(address: Address) -> sa.Engine:
    """Make an engine; a SQLite file that is absent is made.

    Args:
        address: where.

    Returns:
        The engine, not connected yet.

    Raises:
        CorrectionsUnavailableError: the file cannot be made, or the URL is none.
    """
    with translate_errors():
        # Errors must not carry parameters, which are people's texts.
        if address.path is not None:
            _make_file(address.path)
            engine = sa.create_engine(
                sa.URL.create("sqlite", database=str(address.path)),
                hide_parameters=True,
                poolclass=sa.QueuePool,
                pool_size=N_CONNECTIONS,
                connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
            )
            file = _File(address.path)
            sa.event.listen(engine, "do_connect", file.check)  # SQLite would make one that is absent
            sa.event.listen(engine, "connect", file.note)
            sa.event.listen(engine, "checkout", file.check)
            sa.event.listen(engine, "connect", _open_sqlite_connection)
            sa.event.listen(engine, "begin", _begin)
            return engine
        url = sa.make_url(address.url or "")
        arguments = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_TIMEOUT_S}
        engine = sa.create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=N_CONNECTIONS, connect_args=arguments
        )
        sa.event.listen(engine, "begin", _bound_locks)
        return engine


def checkpoint(engine: sa.Engine) -> bool:
    """Write SQLite's log into its file and cut it to nothing, which makes both forget what was deleted.

    Args:
        engine: of a SQLite file.

    Returns:
        Whether it was done; somebody who reads what was there before prevents it.
    """
    try:
        with engine.connect() as connection:
            # Outside any transaction, which only the driver's own connection is.
            cursor = connection.connection.cursor()
            try:
                # At once or not at all: while it waits for readers, nobody can write.
                cursor.execute("PRAGMA busy_timeout=0")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                told = cursor.fetchone()
            finally:
                cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_S * 1000}")
                cursor.close()
    except (sqlite3.OperationalError, sa.exc.SQLAlchemyError):
        return False
    return told is not None and told[0] == 0


def read_revision(connection: sa.Connection) -> str | None:
    """The revision of a database; None for one without tables of ours."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def migrate(engine: sa.Engine) -> tuple[str | None, str]:
    """Bring a database to this code's revision; of several processes one does it and the others wait.

    Args:
        engine: of the database.

    Returns:
        The revision before and after.

    Raises:
        CorrectionsUnavailableError: it is of a later version, or cannot be changed.
    """
    with translate_errors(is_telling=True):
        with engine.connect().execution_options(is_reading=True) as connection:
            before = read_revision(connection)
        if before == HEAD:  # the usual case, which Alembic is not loaded for
            return before, HEAD
        # On SQLite the transaction itself is the lock: it begins IMMEDIATE.
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(_SET_LOCK_TIMEOUT.format(_LOCK_TIMEOUT_S))
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            before = read_revision(connection)
            _upgrade(connection)
    return before, HEAD


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # lazy: heavy, and needed once in the life of a database
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        with _ALEMBIC_LOCK:
            command.upgrade(config, HEAD)
    except CommandError as error:
        raise CorrectionsUnavailableError(
            "the database of corrections is of another version of twohands; nothing was changed",
            reason=f"it is at revision {read_revision(connection)}, this version knows {HEAD}",
        ) from error
