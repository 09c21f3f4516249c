"""Owns what is kept of each name that is served: its folder, its models, and what workers share of them."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from serving.archive import Archive
from serving.service import Service
from serving.watch import Watch
from twohands.cascade import find_second
from twohands.errors import TwoHandsError
from twohands.hashing import sha256_of_file
from twohands.locate import find_model
from twohands.manifest import MANIFEST_NAME, load_manifest


@dataclass(slots=True)
class Slot:
    """One name, the folder behind it, and the models that were loaded from it."""

    name: str
    folder: str | None
    current: Service
    watch: Watch
    previous: Service | None = None
    # What other workers could roll back to, where this one came later and has not loaded it: the identity of the copy.
    earlier: dict[str, str] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def previous_identity(self) -> dict[str, str] | None:
        """What a rollback would bring back."""
        return self.earlier if self.previous is None else self.previous.classifier.identity

    def holds_what_is_served(self) -> bool:
        """Whether the folder, of a cascade both, is sound and of what answers now, to be loaded no more; blocking."""
        sha256 = self.current.classifier.sha256
        try:
            folder = find_model(self.folder)
            # The manifest alone first: of another model, all files are read as it is loaded.
            if sha256_of_file(folder / MANIFEST_NAME) != sha256:
                return False
            manifest, found = load_manifest(folder)
            if manifest.cascade is not None:
                load_manifest(find_second(folder, manifest.cascade))
        except (TwoHandsError, OSError):
            return False  # loading it says why
        return found == sha256


@dataclass(frozen=True, slots=True)
class Shared:
    """What a worker shares with the others: copies of models, and by name which are served, the newest first."""

    archive: Archive
    served: dict[str, list[str]] = field(default_factory=dict)

    def find_folder(self, name: str) -> Path | None:
        """The copy of what the others serve under a name, if there is one."""
        return self.archive.find(next(iter(self.served.get(name, [])), None))

    def find_earlier(self, name: str) -> dict[str, str] | None:
        """The identity of what the others served before under a name, if there is a copy."""
        return self.archive.identify(next(iter(self.served.get(name, [])[1:]), None))
