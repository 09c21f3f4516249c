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
from twohands.errors import TwoHandsError
from twohands.manifest import MANIFEST_NAME, Manifest, load_manifest

_LOGGER = logging.getLogger(__name__)


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
                if manifest.cascade is not None and not (copy / manifest.cascade.name).is_dir():
                    shutil.copytree(find_second(folder, manifest.cascade), copy / manifest.cascade.name)
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
