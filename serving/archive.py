"""Owns copies of the model folders that several workers serve, by digest, as long as their service runs.

A folder may hold another model than the one in service: it was replaced and not reloaded yet, or was rolled back from.
A worker that takes the place of a dead one must serve what the others serve, which only these copies still hold.
"""

import logging
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from twohands.cascade import find_second
from twohands.errors import ManifestError, TwoHandsError
from twohands.manifest import MANIFEST_NAME, CascadeInfo, Manifest, load_manifest

_LOGGER = logging.getLogger(__name__)


def _keep_second(folder: Path, wanted: CascadeInfo, copy: Path) -> None:
    """Copy the second model of a cascade into the copy of the first, which alone is of a known digest by now.

    A worker that comes later has the copy alone, so what is not whole now must not be kept: its manifest may be there
    before its graph is, and a folder of that name may hold another model, which is passed over for one elsewhere.
    """
    found, place = find_second(folder, wanted), copy / wanted.name
    if found.resolve() != (folder / wanted.name).resolve():
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(found, place)
    if load_manifest(place)[1] != wanted.sha256:
        raise ManifestError(f"{found} is no longer what it was", [f"expected sha256 {wanted.sha256}"])


class Archive:
    """A folder of model folders, which several processes share."""

    def __init__(self, root: Path) -> None:
        """Take over a folder.

        Args:
            root: made if it is missing.
        """
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def find(self, sha256: str | None) -> Path | None:
        """The copy of a model, or None where there is none.

        Args:
            sha256: digest of its manifest.

        Returns:
            Its folder.
        """
        return None if sha256 is None or not (self._root / sha256).is_dir() else self._root / sha256

    def identify(self, sha256: str | None) -> dict[str, str] | None:
        """Which model a copy is, or None where there is none.

        Args:
            sha256: digest of its manifest.

        Returns:
            Its name, version and digest.
        """
        copy = self.find(sha256)
        if copy is None or sha256 is None:
            return None
        try:  # the copy was checked when it was made; to hash all of it again for its name would take seconds
            manifest = Manifest.model_validate_json((copy / MANIFEST_NAME).read_bytes())
        except (OSError, ValueError):  # pruned meanwhile
            return None
        return {"name": manifest.name, "version": manifest.version, "sha256": sha256}

    def keep(self, folder: Path, sha256: str) -> None:
        """Keep a copy of what was loaded; without one the service goes on, and only says so.

        Args:
            folder: it was loaded from.
            sha256: digest of its manifest; a folder that holds another one by now is not kept.
        """
        if self.find(sha256) is not None:
            return
        try:
            with tempfile.TemporaryDirectory(dir=self._root, prefix=".new-") as temporary:
                copy = Path(temporary) / "model"
                # Not hard links: whoever copies a new model over the files of the old would alter the copy too.
                shutil.copytree(folder, copy)
                manifest, copied = load_manifest(copy)
                if manifest.cascade is not None:
                    _keep_second(folder, manifest.cascade, copy)
                if copied != sha256:
                    _LOGGER.warning("no copy of model %s is kept: its folder holds another by now", sha256)
                    return
                copy.rename(self._root / sha256)
        except (OSError, TwoHandsError) as error:  # another worker was first, the disk is full, it was replaced
            if self.find(sha256) is None:
                _LOGGER.warning("no copy of model %s is kept: %s", sha256, type(error).__name__)

    def prune(self, kept: Collection[str]) -> None:
        """Forget all models but some.

        Args:
            kept: their digests.
        """
        for copy in self._root.glob("[!.]*"):
            if copy.name not in kept:
                shutil.rmtree(copy, ignore_errors=True)
