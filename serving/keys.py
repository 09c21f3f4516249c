"""Owns API keys: how one is made, what is kept of it, and whether a presented one is known. Knows nothing of HTTP.

A key is 256 random bits, so its SHA-256 says nothing about it and needs neither salt nor a slow hash: there is no
dictionary of such keys to try. Only the digest is ever written; the key itself is shown once.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from twohands.errors import ConfigError, FileReadError, FileWriteError, TwoHandsError, UnauthorizedError
from twohands.taxonomy import describe_faults

_LOGGER = logging.getLogger(__name__)
_PREFIX = "th"
_ID_BYTES, _SECRET_BYTES = 4, 32
_MAX_KEY_CHARS = 256
_LIKE_A_KEY = re.compile(rf"{_PREFIX}_[0-9a-f]{{{2 * _ID_BYTES}}}_[A-Za-z0-9_-]{{16,}}")  # one that was cut off, too
_CHECK_EVERY_S = 1.0
_READ_AT_ONCE = 500  # keys: some milliseconds in which no other thread runs

_Stamp = tuple[int, int, int] | None  # None: the file is not there
_NEVER: _Stamp = (-1, -1, -1)

KeyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
CorrectionsRight = Literal["none", "read", "write"]
_NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$"
KeyName = Annotated[str, StringConstraints(pattern=_NAME)]
_PATTERNS = {_NAME: "1 to 64 of the letters A to Z, digits, blanks, ., _, @ and -, with a letter or digit first"}


class ApiKey(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: KeyId = Field(description="by which logs and `twohands keys revoke` speak of it; no part of the secret")
    name: KeyName = Field(description="whose it is")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(description="of the whole key")
    is_admin: bool = Field(default=False, description="may reload models")
    requests_per_minute: int | None = Field(default=None, ge=1, description="None takes the service's own bound")
    corrections: CorrectionsRight = Field(
        default="write", description="what it may do with readers' corrections; older files say nothing of it"
    )
    created: str = Field(description="UTC, ISO 8601")


class KeyFile(BaseModel):
    """All keys of a service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    keys: list[ApiKey]


def digest_key(key: str) -> str:
    """The SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def holds_key(text: str) -> bool:
    """Whether a text holds what `make_key` makes, be it another service's key or one that was revoked."""
    return _LIKE_A_KEY.search(text) is not None


def make_key(
    *,
    name: str,
    is_admin: bool = False,
    requests_per_minute: int | None = None,
    corrections: CorrectionsRight = "write",
) -> tuple[str, ApiKey]:
    """Make a new key.

    Args:
        name: whose it is.
        is_admin: whether it may reload models.
        requests_per_minute: None takes the service's own bound.
        corrections: what it may do with readers' corrections.

    Returns:
        The key, to be handed over and forgotten, and what is kept of it.

    Raises:
        ConfigError: the name or the bound is not one.
    """
    key_id = secrets.token_hex(_ID_BYTES)
    key = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    try:
        kept = ApiKey(
            id=key_id,
            name=name,
            sha256=digest_key(key),
            is_admin=is_admin,
            requests_per_minute=requests_per_minute,
            corrections=corrections,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    except ValidationError as error:
        raise ConfigError("no such key can be made", describe_faults(error, _PATTERNS)) from error
    return key, kept


def read_keys(path: Path) -> list[ApiKey]:
    """Read a key file.

    Args:
        path: as `write_keys` wrote it.

    Returns:
        The keys in order.

    Raises:
        FileReadError: it cannot be read.
        ConfigError: it is not a key file, or an id stands twice.
    """
    heading = f"{path} is not a key file; `twohands keys add` makes one"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        is_absent = isinstance(error, FileNotFoundError)
        remedy = f"; `twohands keys add NAME --file {path}` makes it" if is_absent else ""
        raise FileReadError(f"cannot read the key file {path}: {error.strerror}{remedy}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(heading, ["it is not JSON"]) from error
    try:
        keys = _check_keys(content)
    except ValidationError as error:
        raise ConfigError(heading, describe_faults(error, _PATTERNS)) from error
    n_by_id = Counter(key.id for key in keys)  # `list.count` of each took 20 s for 20,000 (#5)
    if repeated := sorted(key_id for key_id, n_found in n_by_id.items() if n_found > 1):
        raise ConfigError(heading, [f"the id {key_id} stands twice" for key_id in repeated])
    return keys


def _check_keys(content: object) -> list[ApiKey]:
    """The keys of a file's content, checked in pieces: whole it would hold up all other threads for its time."""
    kept = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(kept, list) or len(kept) <= _READ_AT_ONCE:
        return KeyFile.model_validate(content).keys
    keys: list[ApiKey] = []
    try:
        for start in range(0, len(kept), _READ_AT_ONCE):
            keys += KeyFile.model_validate({**content, "keys": kept[start : start + _READ_AT_ONCE]}).keys
    except ValidationError:
        return KeyFile.model_validate(content).keys  # raises, with the places of the faults in all of the file
    return keys


@contextlib.contextmanager
def lock_keys(path: Path) -> Iterator[None]:
    """Keep others from changing a key file between reading and writing it: of two that both add, one would be lost.

    Args:
        path: the key file, there or not.

    Yields:
        Once no other process of this kind is at it.

    Raises:
        FileReadError: its folder cannot be read.
    """
    # The folder is locked: the file itself is replaced, and a file of locks would be another's to open.
    folder = Path(os.path.realpath(path)).parent
    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise FileReadError(f"cannot read the folder of the key file {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
        except OSError as error:  # some network drives lock no folders
            _LOGGER.warning(
                "%s cannot be locked (%s); change its keys from one place at a time", folder, error.strerror
            )
        yield
    finally:
        os.close(number)  # and with it the lock


def write_keys(path: Path, keys: list[ApiKey]) -> None:
    """Write a key file, whole or not at all.

    A new one is readable by its owner alone. One that is replaced keeps its owner, group and mode, or the service that
    reads it could not any more, and would go on with a key that was revoked.

    Args:
        path: replaced if it exists; of a symbolic link, what it points to.
        keys: in order.

    Raises:
        FileWriteError: it cannot be written, or not so that it stays its owner's.
    """
    text = json.dumps(KeyFile(keys=keys).model_dump(mode="json"), indent=2) + "\n"
    place = Path(os.path.realpath(path))
    temporary = None
    try:
        number, temporary = tempfile.mkstemp(prefix=f".{place.name}-", dir=place.parent)  # mode 0600
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            _take_after(place, stream.fileno(), temporary)
            os.fsync(stream.fileno())
        Path(temporary).replace(place)
    except OSError as error:
        raise FileWriteError(f"cannot write the key file {path}: {error.strerror}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _take_after(place: Path, number: int, temporary: str) -> None:
    """Give a new file the owner, group, mode and access list of the one it will replace, if there is one."""
    try:
        before = place.stat()
    except FileNotFoundError:
        return
    made = os.fstat(number)
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(number, before.st_uid, before.st_gid)
        except PermissionError as error:
            raise FileWriteError(
                f"{place} belongs to user {before.st_uid} and group {before.st_gid}, which a file written by this user "
                "cannot; nothing was changed: do this as its owner, or as root"
            ) from error
    shutil.copystat(place, temporary)
    os.utime(temporary)  # its times are its own: by them a service sees that it changed


class Keyring:
    """The keys of a running service; a changed file counts within a second, a broken one changes nothing."""

    def __init__(self, path: Path) -> None:
        """Read the keys.

        Args:
            path: the key file.

        Raises:
            FileReadError: it cannot be read.
            ConfigError: it is not a key file.
        """
        self._path = path
        self._stamp = self._read_stamp()
        self._failed_stamp: _Stamp = _NEVER
        self._reading: asyncio.Task[None] | None = None
        self._keep(read_keys(path))
        self._next_check_s = time.monotonic() + _CHECK_EVERY_S

    def find(self, presented: str) -> ApiKey | None:
        """Look a key up among those that were read last, in a time that says nothing about how much of it was right.

        What is looked up is a digest, of which nobody can choose how it begins; and how many keys there are costs no
        request anything.

        Args:
            presented: as a client sent it.

        Returns:
            What is kept of it, or None when it is unknown.
        """
        found = self._by_digest.get(digest_key(presented[:_MAX_KEY_CHARS]))
        return found if len(presented) <= _MAX_KEY_CHARS else None

    async def keep_up(self) -> None:
        """See that what `find` goes by is no older than a second, in a thread: only who needs a key waits for that.

        All of them wait, also those that come while it is read: after an hour in which nobody asked, the keys that
        were known may have been revoked for as long.
        """
        if self._reading is None:
            if time.monotonic() < self._next_check_s:
                return
            self._reading = asyncio.get_running_loop().create_task(asyncio.to_thread(self.refresh))
            self._reading.add_done_callback(self._end_reading)
        await asyncio.shield(self._reading)  # of who leaves meanwhile the others do not hear

    async def check_known(self, key_id: str) -> None:
        """Refuse to go on for a key that was revoked since its request began.

        Args:
            key_id: of the key that the request came with.

        Raises:
            UnauthorizedError: there is no such key any more.
        """
        await self.keep_up()
        if key_id not in self._ids:
            raise UnauthorizedError("this API key was revoked")

    def _end_reading(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    def refresh(self) -> None:
        """Read the file again if it changed."""
        self._next_check_s = time.monotonic() + _CHECK_EVERY_S
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return
        try:
            keys = read_keys(self._path)
        except FileReadError as error:
            # Too many open files, say: tried again at the next check, or a key revoked by now would stay valid.
            if stamp != self._failed_stamp:  # told once
                self._tell_failure(error)
            self._failed_stamp = stamp
            return
        except ConfigError as error:
            self._tell_failure(error)
        else:
            self._keep(keys)
            _LOGGER.info("read %d keys anew", len(keys))
        self._stamp, self._failed_stamp = stamp, _NEVER

    def _keep(self, keys: Iterable[ApiKey]) -> None:
        self._by_digest = {key.sha256: key for key in keys}
        self._ids = frozenset(key.id for key in self._by_digest.values())

    def _tell_failure(self, error: TwoHandsError) -> None:
        cause = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None
        _LOGGER.error(
            "the keys stay as they were, one that was revoked among them: %s: %s%s",
            self._path,
            error.code,
            f" ({cause})" if cause else "",
        )

    def _read_stamp(self) -> _Stamp:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
