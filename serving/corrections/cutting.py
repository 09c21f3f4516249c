"""Owns that a PostgreSQL which no longer answers holds nobody for ever: its connections can be ended from here.

A driver waits for an answer without end. A server that froze, or a host that vanished, gives none, and refuses nothing.
"""

import contextlib
import os
import socket
import threading

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry


class Connections:
    """The open connections of a store."""

    def __init__(self) -> None:
        """Note none yet."""
        self._open: set[DBAPIConnection] = set()
        # The number of a connection that is just being closed could be another file's by the time that it is cut.
        self._lock = threading.Lock()
        self._is_over = False

    def note_those_of(self, engine: sa.Engine) -> None:
        """Begin to note those of an engine; of SQLite none is, for all its waits have an end.

        Args:
            engine: not connected yet.
        """
        if engine.dialect.name == "sqlite":
            return
        sa.event.listen(engine, "do_connect", self._check)
        # Before what SQLAlchemy asks of its first connection, which can be left without an answer, too.
        sa.event.listen(engine, "connect", self._note, insert=True)
        sa.event.listen(engine, "close", self._forget)

    def _check(self, *_: object) -> None:
        if self._is_over:
            raise OSError("the service is stopping")

    def _note(self, connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        del entry
        with self._lock:
            self._open.add(connection)

    def _forget(self, connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        del entry
        with self._lock:
            self._open.discard(connection)

    def cut(self, *, for_good: bool) -> None:
        """End all of them: whoever waits for an answer gets the driver's error instead, in its own thread.

        Args:
            for_good: let none be opened from now on.
        """
        self._is_over |= for_good
        with self._lock:
            for connection in self._open:
                # Of one that is closed already, the driver or the system says so.
                with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)
