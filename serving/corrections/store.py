"""Owns the corrections in a database: save, find, change, delete. Blocking; knows nothing of HTTP."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from serving.corrections.address import Address
from serving.corrections.clashes import find_clashes
from serving.corrections.cutting import Connections
from serving.corrections.database import checkpoint, migrate, open_engine, translate_errors
from serving.corrections.ids import make_id
from serving.corrections.latest import ANNOTATOR, is_latest
from serving.corrections.room import Room
from serving.corrections.schemas import Clash, Correction, Status
from serving.corrections.table import CORRECTIONS, LABELS_TEXT
from twohands.errors import CorrectionNotFoundError, CorrectionsUnavailableError
from twohands.paragraphs import normalise

PURGE_TIMEOUT_S = 10.0
_CHECKPOINT_PAUSE_S = 0.1
_COLUMNS = [ANNOTATOR if name == ANNOTATOR.name else CORRECTIONS.c[name] for name in Correction.model_fields]


def _read(row: sa.Row[Any]) -> Correction:
    return Correction.model_validate(dict(row._mapping))  # SQLAlchemy's public name for it


def _find(correction_id: str) -> sa.ColumnElement[bool]:
    return CORRECTIONS.c.id == correction_id


class Store:
    """The corrections of one database; usable from several threads, beside other processes."""

    def __init__(self, address: Address, room: Room | None = None) -> None:
        """Connect to nothing yet.

        Args:
            address: where the database is.
            room: how much it may hold; None is without end.
        """
        self.address = address
        self._room = room
        self._engine: sa.Engine | None = None
        self.connections = Connections()
        self._lock = threading.Lock()
        self._is_log_due = False

    def prepare(self) -> tuple[str | None, str]:
        """Open the database, making a SQLite file that is absent, and bring it to this version.

        Returns:
            The revision before and after.

        Raises:
            CorrectionsUnavailableError: it cannot be reached, or is of a later version.
        """
        with self._lock:
            engine = self._engine
            if engine is None:
                engine = open_engine(self.address)
                self.connections.note_those_of(engine)
            try:
                revisions = migrate(engine)
                if self._room is not None:
                    with translate_errors(), engine.connect().execution_options(is_reading=True) as connection:
                        self._room.measure(connection)
            except BaseException:
                engine.dispose()
                raise
            self._engine = engine
            return revisions

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        """One transaction that reads; None where there is no database yet, and reading is no reason to make one."""
        if self._engine is None and not self.address.exists:
            yield None
            return
        engine = self._get_engine()
        with translate_errors(), engine.connect() as connection:
            connection.execution_options(is_reading=True)
            yield connection
        if self._is_log_due:
            self._empty_log()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        engine = self._get_engine()
        with translate_errors(), engine.begin() as connection:
            yield connection
        if self._is_log_due:
            self._empty_log()

    def _check_room(self, connection: sa.Connection) -> None:
        if self._room is not None:
            self._room.check(connection)

    def _empty_log(self, *, timeout_s: float = 0) -> bool:
        """Overwrite what SQLite's file and its log still hold of deleted rows; nobody may be reading meanwhile.

        Args:
            timeout_s: how long to wait for those who read.

        Returns:
            Whether it was done; if not, it is tried again after whatever is read or written next.
        """
        give_up_s = time.monotonic() + timeout_s
        while not checkpoint(self._get_engine()):
            self._is_log_due = True
            if time.monotonic() >= give_up_s:
                return False
            time.sleep(_CHECKPOINT_PAUSE_S)
        self._is_log_due = False
        return True

    def _get_engine(self) -> sa.Engine:
        engine = self._engine
        if engine is None:
            self.prepare()
            engine = self._engine
        if engine is None:
            raise CorrectionNotFoundError("the store was closed")
        return engine

    def add(
        self, *, text: str, labels: Mapping[str, object], key_id: str | None = None, **others: object
    ) -> Correction:
        """Keep a correction.

        Args:
            text: the paragraph.
            labels: checked, by head.
            key_id: of who saves it.
            **others: the other fields of `CorrectionRequest`.

        Returns:
            What is kept, pending.

        Raises:
            CorrectionsFullError: there is no room for more.
            CorrectionsUnavailableError: the database cannot be used.
        """
        now_ns = time.time_ns()
        now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        row = {
            "id": make_id(now_ns),
            "created": now,
            "updated": now,
            "status": "pending",
            "text": text,
            "labels": dict(labels),
            "created_by": key_id,
            "updated_by": key_id,
        } | others
        kept = Correction.model_validate(row | {"annotator": key_id})
        text_sha256 = hashlib.sha256(normalise(text).encode()).hexdigest()
        extra = {"labelled": now, "labelled_by": key_id, "attributed": now, "text_sha256": text_sha256}
        with self._writing() as connection:
            self._check_room(connection)
            connection.execute(CORRECTIONS.insert().values(row | extra))
        return kept

    def get(self, correction_id: str) -> Correction:
        """Find one.

        Args:
            correction_id: which.

        Returns:
            It.

        Raises:
            CorrectionNotFoundError: there is none with this id.
            CorrectionsUnavailableError: the database cannot be used.
        """
        with self._reading() as connection:
            row = (
                None
                if connection is None
                else connection.execute(sa.select(*_COLUMNS).where(_find(correction_id))).first()
            )
        if row is None:
            raise CorrectionNotFoundError("no correction has this id")
        return _read(row)

    def list_page(
        self, *, status: Status | None, limit: int, after: str | None
    ) -> tuple[list[Correction], int, str | None]:
        """List some, the latest first.

        Args:
            status: only these; None is all.
            limit: most of one page.
            after: id of the last one of the page before.

        Returns:
            The corrections, how many there are on all pages, and the `after` of the next page, None on the last.

        Raises:
            CorrectionsUnavailableError: the database cannot be used.
        """
        wanted = [] if status is None else [CORRECTIONS.c.status == status]
        before = [] if after is None else [CORRECTIONS.c.id < after]
        with self._reading() as connection:
            if connection is None:
                return [], 0, None
            counted = sa.select(sa.func.count()).select_from(CORRECTIONS).where(*wanted)
            listed = sa.select(*_COLUMNS).where(*wanted, *before).order_by(CORRECTIONS.c.id.desc()).limit(limit + 1)
            total = connection.execute(counted).scalar_one()
            found = [_read(row) for row in connection.execute(listed)]
        return found[:limit], total, found[limit - 1].id if len(found) > limit else None

    def find_clashes(self, ids: Sequence[str]) -> dict[str, Clash]:
        """Find which corrections others of the same text contradict; see `clashes.find_clashes`."""
        with self._reading() as connection:
            return {} if connection is None else find_clashes(connection, ids)

    def change(self, correction_id: str, changes: Mapping[str, object], *, key_id: str | None = None) -> Correction:
        """Change one.

        Args:
            correction_id: which.
            changes: any of `status`, `labels` (checked, all of them), `note` and `confidence`.
            key_id: of who changes it.

        Returns:
            It, changed.

        Raises:
            CorrectionNotFoundError: there is none with this id.
            CorrectionsFullError: there is no room for a note; all else is at most as long as it was, or nearly so.
            CorrectionsUnavailableError: the database cannot be used.
        """
        now = datetime.now(UTC)
        values = dict(changes) | {"updated": now, "updated_by": key_id}
        if "labels" in changes:
            values |= {"labelled": now, "labelled_by": key_id, "attributed": now}
        with self._writing() as connection:
            if changes.get("note"):
                self._check_room(connection)
            connection.execute(CORRECTIONS.update().where(_find(correction_id)).values(values))
            row = connection.execute(sa.select(*_COLUMNS).where(_find(correction_id))).first()
        if row is None:
            raise CorrectionNotFoundError("no correction has this id")
        return _read(row)

    def delete(self, correction_id: str) -> None:
        """Delete one for good; while somebody reads, SQLite's log keeps it until they are done.

        Args:
            correction_id: which.

        Raises:
            CorrectionNotFoundError: there is none with this id.
            CorrectionsUnavailableError: the database cannot be used.
        """
        with self._writing() as connection:
            deleted = connection.execute(CORRECTIONS.delete().where(_find(correction_id))).rowcount
            self._is_log_due |= bool(deleted) and self.address.path is not None
        if not deleted:
            raise CorrectionNotFoundError("no correction has this id")

    def iterate_latest(
        self, *, status: Status | None, by_reader: bool = False, n_at_once: int = 500
    ) -> Iterator[Correction]:
        """Go through the corrections as one moment has them, one for each text: that whose labels were set last.

        Texts that are equal once normalised count as one, since training would read them so.

        Args:
            status: only these; None is all.
            by_reader: one for each text and reader, by the API key that set its labels.
            n_at_once: rows that are held in memory.

        Yields:
            Corrections, the oldest first.

        Raises:
            CorrectionsUnavailableError: the database cannot be used.
        """
        wanted = [is_latest(status=status, by_reader=by_reader), *_choose(status, None)]
        chosen = sa.select(*_COLUMNS).where(*wanted).order_by(CORRECTIONS.c.id)
        with self._reading() as connection:
            if connection is None:
                return
            for rows in connection.execute(chosen, execution_options={"yield_per": n_at_once}).partitions():
                yield from map(_read, rows)

    def list_labels(self) -> list[dict[str, object]]:
        """List the labels, by head and each set once, of all that an export of any status would hold."""
        chosen = sa.select(LABELS_TEXT).where(is_latest(status=None, within_status=True)).distinct()
        with self._reading() as connection:
            return [] if connection is None else [json.loads(each) for each in connection.execute(chosen).scalars()]

    def count(self, *, status: Status | None = None, before: datetime | None = None) -> int:
        """Count corrections; see `purge`."""
        with self._reading() as connection:
            if connection is None:
                return 0
            counted = sa.select(sa.func.count()).select_from(CORRECTIONS).where(*_choose(status, before))
            return int(connection.execute(counted).scalar_one())

    def purge(self, *, status: Status | None = None, before: datetime | None = None) -> int:
        """Delete many for good; SQLite's file and its log keep nothing of them.

        Args:
            status: only these; None is all.
            before: only those that were saved before this time; None is all.

        Returns:
            How many were deleted.

        Raises:
            CorrectionsUnavailableError: the database cannot be used, or SQLite's log keeps what was deleted, as
                somebody has been reading it all the while.
        """
        if not self.address.exists:
            return 0
        with self._writing() as connection:
            n_deleted = connection.execute(CORRECTIONS.delete().where(*_choose(status, before))).rowcount
        if self.address.path is not None and not self._empty_log(timeout_s=PURGE_TIMEOUT_S):
            raise CorrectionsUnavailableError(
                f"{n_deleted} corrections were deleted, but the log beside the database still holds their text, as "
                "somebody is reading it (an export?); purge again once that is done",
                reason="the log is in use",
            )
        return n_deleted

    def set_status(self, ids: Sequence[str], status: Status) -> list[str]:
        """Accept or reject several, all or none.

        Args:
            ids: which.
            status: the new one.

        Returns:
            The ids that are unknown; nothing is changed when there are any.

        Raises:
            CorrectionsUnavailableError: the database cannot be used.
        """
        if not self.address.exists:
            return list(ids)
        with self._writing() as connection:
            known = set(connection.execute(sa.select(CORRECTIONS.c.id).where(CORRECTIONS.c.id.in_(ids))).scalars())
            if unknown := [correction_id for correction_id in ids if correction_id not in known]:
                return unknown
            values = {"status": status, "updated": datetime.now(UTC), "updated_by": None}
            connection.execute(CORRECTIONS.update().where(CORRECTIONS.c.id.in_(ids)).values(values))
        return []

    def decide_pending(self, status: Status) -> int:
        """Accept or reject all that are pending.

        Args:
            status: the new one.

        Returns:
            How many there were.

        Raises:
            CorrectionsUnavailableError: the database cannot be used.
        """
        if not self.address.exists:
            return 0
        values = {"status": status, "updated": datetime.now(UTC), "updated_by": None}
        with self._writing() as connection:
            changed = connection.execute(CORRECTIONS.update().where(CORRECTIONS.c.status == "pending").values(values))
            return changed.rowcount


def _choose(status: Status | None, before: datetime | None) -> list[sa.ColumnElement[bool]]:
    chosen: list[sa.ColumnElement[bool]] = []
    if status is not None:
        chosen.append(CORRECTIONS.c.status == status)
    if before is not None:
        chosen.append(CORRECTIONS.c.created < before)
    return chosen
