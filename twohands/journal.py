"""Owns `OUTPUT.partial`: what a bulk run has done so far, so that a killed run goes on and never begins again.

Its first line says which run it is; each further line is one answer. Knows nothing of models or formats.
"""

import importlib
import importlib.util
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from twohands.bulk import Answer, Tally
from twohands.errors import FileWriteError, RunConflictError
from twohands.outputs import encode_line

_OWNERS = stat.S_IRUSR | stat.S_IWUSR
STANDARD_INPUT = "standard input"  # what stands first of the inputs, where they cannot be read again
LATER = "; the same command goes on later"  # how the message of an error ends where a journal stays
_SUFFIX = ".partial"
_MARK = b'{"twohands_journal": '


def _mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def journal_path(output: Path) -> Path:
    """Where the journal of an output stands."""
    return output.with_name(output.name + _SUFFIX)


def is_journal(path: Path) -> bool:
    """Say whether a file is what a run left, or has begun just now.

    Args:
        path: any file.

    Returns:
        Whether it has the name of a journal, and begins as one or holds nothing yet.
    """
    if path.suffix != _SUFFIX:
        return False
    try:
        with path.open("rb") as stream:
            return _MARK.startswith(stream.read(len(_MARK)))
    except OSError:
        return False


def check_output(output: Path, inputs: Sequence[Path], *, overwrite: bool, option: str = "--output") -> None:
    """Refuse an output that would destroy something.

    Args:
        output: the file to be.
        inputs: files that are read.
        overwrite: replace a file that is already there.
        option: which names it.

    Raises:
        RunConflictError: `output` exists and may not be replaced, is no plain file, or is one of the inputs.
        FileWriteError: its folder does not exist, or may not be written in.
    """
    if not output.parent.is_dir():
        raise FileWriteError(f"cannot write {output}: the folder {output.parent} does not exist")
    place = Path(os.path.realpath(output)).parent
    if not os.access(place, os.W_OK):  # hours of work would end with it
        raise FileWriteError(f"cannot write {output}: nothing may be written in the folder {place}")
    # The same file may have two names: a link, or other capitals on a disk that does not tell them apart.
    is_input = output.exists() and any(path.exists() and output.samefile(path) for path in inputs)
    if is_input or output.resolve() in {path.resolve() for path in inputs}:
        raise RunConflictError(f"{output} is one of the inputs; choose another {option}")
    if not output.exists():
        return
    if not output.is_file():
        raise RunConflictError(f"{output} is not a plain file; choose another {option}")
    if not overwrite:
        raise RunConflictError(f"{output} already exists; choose another {option}, or pass --overwrite to replace it")


def _scratch_path(output: Path) -> Path:
    place = Path(os.path.realpath(output))
    return place.with_name(f".{place.name}.tmp")


def _is_at(path: Path, stream: BinaryIO) -> bool:
    """Whether an open file is still what stands there."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    return False


def _open_held(output: Path) -> BinaryIO:
    """Open and lock the scratch file of an output."""
    scratch = _scratch_path(output)
    while True:
        try:
            stream = scratch.open("ab")
        except OSError as error:
            raise FileWriteError(f"cannot write {output}: {error}") from error
        try:
            _lock(stream, output)
            if _is_at(scratch, stream):
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()  # the run before gave it its name, or removed it, between the two


@contextmanager
def hold_output(output: Path) -> Iterator[None]:
    """Keep other runs from writing a file while the block lasts: two wrote into one scratch file.

    Args:
        output: what `open_whole` is to make within the block.

    Raises:
        RunConflictError: another run holds it.
        FileWriteError: nothing can be written beside it.
    """
    if importlib.util.find_spec("fcntl") is None:  # Windows, where a file that is open cannot be given its name either
        yield
        return
    stream = _open_held(output)
    try:
        yield
    finally:
        scratch = _scratch_path(output)
        if _is_at(scratch, stream):  # else it became the output, and what is there now is of another run
            scratch.unlink()
        stream.close()


@contextmanager
def open_whole(output: Path, *, remedy: str = "") -> Iterator[Path]:
    """Write a file whole or not at all.

    Args:
        output: replaced in one step at the end of the block, with its mode kept; of a symbolic link, what it points to.
        remedy: how the message of an error ends.

    Yields:
        The path at which to write it.

    Raises:
        FileWriteError: the disk is full or gone.
    """
    place, temporary = Path(os.path.realpath(output)), _scratch_path(output)
    is_in_place = False
    try:
        if place.exists():
            temporary.touch()
            temporary.chmod(_mode_of(place) | _OWNERS)  # before there is anything to read in it
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        if place.exists():
            temporary.chmod(_mode_of(place))
        temporary.replace(place)
        is_in_place = True
    except OSError as error:
        raise FileWriteError(f"cannot write {output}: {error}{remedy}") from error
    finally:
        if not is_in_place:  # else what has its name now is of another run
            temporary.unlink(missing_ok=True)


class Journal:
    """An open, locked journal."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        """Take over an open file; `open_journal` is the way to one.

        Args:
            path: where it stands.
            stream: open for reading and appending.
        """
        self.path = path
        self.done = Tally()
        self._stream = stream

    def append(self, answers: Sequence[Answer]) -> None:
        """Write answers down for good.

        Args:
            answers: the next ones.

        Raises:
            FileWriteError: the disk is full or gone.
        """
        try:
            self._stream.write(b"".join(encode_line(answer) for answer in answers))
            self._stream.flush()
        except OSError as error:
            raise FileWriteError(f"cannot write {self.path}: {error}{LATER}") from error
        self.done.add_all(answers)

    def lines(self) -> Iterator[bytes]:
        """All answers from the first on, one line each."""
        with self.path.open("rb") as stream:
            stream.readline()
            yield from stream

    def finish(self, output: Path, write: Callable[[Path], None]) -> None:
        """Make the output out of the journal, whole or not at all, and remove the journal.

        Args:
            output: replaced in one step, with its mode kept; of a symbolic link, what it points to.
            write: writes the file at the path that it is given.

        Raises:
            FileWriteError: the disk is full or gone, or there are more answers than such a file holds; the journal
                stays.
        """
        with open_whole(output, remedy=LATER) as temporary:
            try:
                write(temporary)
            except FileWriteError as error:
                other = output.with_suffix(".csv")
                raise FileWriteError(
                    f"cannot write {output}: {error}. Nothing is lost: rename {self.path} to {journal_path(other)}, "
                    f"and give the same command with --output {other}"
                ) from error
        self.path.unlink()

    def close(self) -> None:
        """Let go of the file; one that holds no answer is removed, since there is nothing to resume."""
        if self.done.n_items == 0:
            self.path.unlink(missing_ok=True)
        with suppress(OSError):  # of a full disk, of which `append` told: its hint to go on was lost to a second error
            self._stream.close()

    def recover(self, header: bytes) -> bool:
        """Count the whole lines, and cut off what a kill left after them.

        Args:
            header: the first line that is expected.

        Returns:
            Whether this is the journal of the run that is described by `header`.
        """
        self._stream.seek(0)
        if self._stream.readline() != header:
            return False
        end = self._stream.tell()
        for line in self._stream:
            try:
                answer = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(answer, dict):
                break
            self.done.add(answer)
            end += len(line)
        self._stream.truncate(end)
        self._stream.seek(end)
        return True

    def restart(self, header: bytes) -> None:
        """Begin anew: nothing but the header."""
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(header)
        self._stream.flush()

    def check_restart(self, run: dict[str, object]) -> None:
        """Refuse to throw away what another run did, or what is no journal at all.

        Args:
            run: this run.

        Raises:
            RunConflictError: something would be lost; the message says what is not as it was.
        """
        self._stream.seek(0)
        first = self._stream.readline()
        if not _MARK.startswith(first[: len(_MARK)]):
            raise RunConflictError(f"{self.path} is no journal of twohands; move it, or pass --overwrite to replace it")
        if not first.endswith(b"\n"):
            return  # killed before the first answer
        was = json.loads(first)
        if was.get("inputs") and was["inputs"][0][0] == STANDARD_INPUT:
            raise RunConflictError(
                f"{self.path} was left by a run that read standard input, which cannot go on; pass --overwrite to "
                "begin anew, and name a file instead of a pipe for a run that can"
            )
        changed = [name for name in run if was.get(name) != run[name]]
        raise RunConflictError(
            f"{self.path} was left by another run: not the same {', '.join(changed) or 'kind of journal'}. Repeat that "
            "run's command to go on with it, or pass --overwrite to begin anew"
        )


def _lock(stream: BinaryIO, path: Path) -> None:
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError:  # Windows, where two runs at once on one output are not noticed
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunConflictError(f"another run is writing {path}; wait for it or end it") from error


def open_journal(output: Path, run: dict[str, object], *, overwrite: bool) -> Journal:
    """Open the journal of an output, to begin or to go on.

    Args:
        output: the file to be; `OUTPUT.partial` is its journal.
        run: what makes the run what it is: model, inputs, options.
        overwrite: throw away the journal of another run.

    Returns:
        The journal; `done` tells what it holds already.

    Raises:
        RunConflictError: the journal belongs to another run or is in use, or the file is none.
        FileWriteError: the file cannot be opened.
    """
    path = journal_path(output)
    header = encode_line({"twohands_journal": 1, **run})
    try:
        stream = path.open("a+b")
        if output.exists():  # the answers that it gathers are as private as those that they replace
            path.chmod(_mode_of(output) | _OWNERS)
    except OSError as error:
        raise FileWriteError(f"cannot write {path}: {error}") from error
    journal = Journal(path, stream)
    try:
        _lock(stream, path)
        if journal.recover(header):
            return journal
        if not overwrite:
            journal.check_restart(run)
        journal.restart(header)
    except BaseException:
        stream.close()
        raise
    return journal
