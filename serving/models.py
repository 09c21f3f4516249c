"""Owns the models in service: which there are by name, and how one is exchanged without a dropped request.

A new folder is loaded and warmed beside the one that serves; only then do new requests go to it. What a request
began with it ends with: the model before stays loaded for a rollback, and one before that is let go when no request
is left that began while it served.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from serving.archive import Archive
from serving.metrics import Metrics
from serving.service import Phase, Service
from serving.settings import ServeSettings
from serving.watch import Shadow, Watch
from twohands.classifier import Classifier
from twohands.errors import ConfigError, ReloadError, TwoHandsError, UnknownModelError
from twohands.locate import DEFAULT_MODEL, find_model
from twohands.manifest import MANIFEST_NAME

_LOGGER = logging.getLogger(__name__)
_SHADOW_NAME = "shadow"


@dataclass(slots=True)
class Slot:
    """One name, the folder behind it, and the models that were loaded from it."""

    name: str
    folder: str | None
    current: Service
    watch: Watch
    previous: Service | None = None
    # What other workers could roll back to, where this one came later and has not loaded it.
    earlier_sha256: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def name_folders(settings: ServeSettings) -> dict[str, str | None]:
    """Give each model folder of the settings its name: the folder's own, or that of NAME=DIR.

    Args:
        settings: how to serve.

    Returns:
        Folders by name, the default one first; None for the released model.

    Raises:
        ConfigError: a name stands for two folders, or the folder of models holds none.
    """
    wanted: list[str | None] = [settings.model, *settings.other_models]
    if settings.models_dir is not None:
        found = sorted(path.parent for path in settings.models_dir.glob(f"[!.]*/{MANIFEST_NAME}"))
        if not found:
            raise ConfigError("these models cannot be served", [f"{settings.models_dir} holds no model folder"])
        wanted = [*(entry for entry in wanted if entry is not None), *map(str, found)]
    named: dict[str, str | None] = {}
    for entry in wanted:
        name, is_named, folder = (entry or DEFAULT_MODEL).partition("=")
        if not is_named or "/" in name:
            name, folder = Path(entry or DEFAULT_MODEL).resolve().name, entry or ""
        if name in named and named[name] != folder:
            raise ConfigError("these models cannot be served", [f"two are called {name!r}; name one as NAME=DIR"])
        named[name] = folder or None
    return named


def _tell_nobody(name: str, sha256: str) -> None:
    del name, sha256


@dataclass(frozen=True, slots=True)
class Shared:
    """What a worker shares with the others: copies of models, and by name which are served, the newest first."""

    archive: Archive
    served: dict[str, list[str]] = field(default_factory=dict)

    def find_folder(self, name: str) -> Path | None:
        """The copy of what the others serve under a name, if there is one."""
        return self.archive.find(next(iter(self.served.get(name, [])), None))


class Models:
    """Every model in service, and the shadow."""

    def __init__(
        self,
        settings: ServeSettings,
        classifier: Classifier | None = None,
        *,
        metrics: Metrics,
        on_change: Callable[["Models"], None],
        shared: Shared | None = None,
    ) -> None:
        """Do nothing yet; `start` does.

        Args:
            settings: how to serve.
            classifier: a loaded default model, which stays the caller's to close; None loads that of the settings.
            metrics: where all is counted.
            on_change: called when another model answers under a name.
            shared: with the other processes that serve the same; None for one alone.

        Raises:
            ConfigError: the settings' models cannot be named.
        """
        self.settings = settings
        self._metrics = metrics
        self._on_change = on_change
        self._shared = shared
        # What is served here from now on, for the other processes that serve the same: the name and the digest.
        self.tell_others: Callable[[str, str], None] = _tell_nobody
        self._epoch = 0
        self._running: Counter[int] = Counter()
        self._epoch_ended = asyncio.Event()
        self._retiring: set[asyncio.Task[None]] = set()
        self._shadow_service: Service | None = None
        self._shadow: Shadow | None = None
        if settings.shadow is not None:
            self._shadow_service = Service(settings.model_copy(update={"model": settings.shadow}))
            self._shadow = Shadow(self._shadow_service, name=_SHADOW_NAME, share=settings.shadow_share, metrics=metrics)
        folders = name_folders(settings)
        self.default_name = next(iter(folders))
        self._slots: dict[str, Slot] = {}
        for name, folder in folders.items():
            # The shadow sees what the default model answers.
            watch = Watch(metrics=metrics, model=name, shadow=self._shadow if name == self.default_name else None)
            kept = None if shared is None else shared.find_folder(name)
            service = self._make_service(
                folder if kept is None else str(kept), watch, classifier if name == self.default_name else None
            )
            earlier = [] if shared is None else shared.served.get(name, [])[1:2]
            self._slots[name] = Slot(name, folder, service, watch, earlier_sha256=next(iter(earlier), None))

    def _make_service(self, folder: str | None, watch: Watch, classifier: Classifier | None = None) -> Service:
        service = Service(self.settings.model_copy(update={"model": folder}), classifier)
        watch.attach(service)
        return service

    @property
    def default(self) -> Service:
        """The model that answers who names none."""
        return self._slots[self.default_name].current

    @property
    def failure(self) -> TwoHandsError | None:
        """Why a model could not be started."""
        services = [slot.current for slot in self._slots.values()]
        services += [self._shadow_service] if self._shadow_service else []
        return next((service.failure for service in services if service.failure is not None), None)

    @property
    def slots(self) -> list[Slot]:
        """All names, the default first."""
        return list(self._slots.values())

    def get(self, name: str | None = None) -> Service:
        """The model that answers under a name.

        Args:
            name: None is the default.

        Returns:
            Its service; a request that got one may use it to its end.

        Raises:
            UnknownModelError: there is none of this name.
        """
        return self.get_slot(name).current

    def get_slot(self, name: str | None = None) -> Slot:
        """The slot of a name.

        Args:
            name: None is the default.

        Returns:
            The slot.

        Raises:
            UnknownModelError: there is none of this name.
        """
        slot = self._slots.get(self.default_name if name is None else name)
        if slot is None:
            raise UnknownModelError("no model of this name is served; GET /v1/models lists those that are")
        return slot

    def check_ready(self) -> None:
        """Refuse while any model is not ready.

        Raises:
            NotReadyError: a model is not warm yet.
            EngineStoppedError: the service is stopping.
        """
        for slot in self._slots.values():
            slot.current.check_ready()

    async def start(self) -> None:
        """Load and warm up every model.

        Raises:
            TwoHandsError: one cannot be loaded; all are let go again.
        """
        try:
            for slot in self._slots.values():
                await slot.current.start()
                slot.watch.begin(slot.current)
                await self._keep(slot, slot.current)
            if self._shadow_service is not None:
                await self._shadow_service.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Answer what waits, and let every model go."""
        if self._shadow is not None:
            await self._shadow.stop()
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        for service in self._all_services():
            await service.stop()

    def begin_stop(self) -> None:
        """Turn /readyz to 503; what was admitted goes on. Safe to call from a signal handler."""
        for service in self._all_services():
            service.begin_stop()

    def abandon(self) -> None:
        """Answer everything that still waits with `EngineStoppedError`."""
        for service in self._all_services():
            service.abandon()

    def _all_services(self) -> list[Service]:
        services = [slot.current for slot in self._slots.values()]
        services += [slot.previous for slot in self._slots.values() if slot.previous is not None]
        return services + ([self._shadow_service] if self._shadow_service is not None else [])

    async def reload(self, name: str) -> bool:
        """Load a model's folder again, and let the new one answer once it is warm.

        Args:
            name: under which it is served.

        Returns:
            Whether there was anything new in the folder.

        Raises:
            UnknownModelError: there is none of this name.
            ReloadError: the folder cannot be served; the model that served goes on.
        """
        slot = self.get_slot(name)
        async with slot.lock:
            fresh = self._make_service(slot.folder, slot.watch)
            try:
                await fresh.start()
            except TwoHandsError as error:
                self._metrics.reloads.labels("refused").inc()
                _LOGGER.warning("model %s was not reloaded: %s", name, error.code)
                raise ReloadError(
                    f"{name} goes on as it was; its folder cannot be served [{error.code}]: {error}"
                ) from error
            if fresh.classifier.sha256 == slot.current.classifier.sha256:
                await fresh.stop()
                self._metrics.reloads.labels("unchanged").inc()
                return False
            await self._keep(slot, fresh)
            self._exchange(slot, fresh, outcome="reloaded")
            return True

    async def _keep(self, slot: Slot, service: Service) -> None:
        """Keep a copy for workers that come later."""
        if self._shared is not None:
            folder = await asyncio.to_thread(find_model, slot.folder)
            await asyncio.to_thread(self._shared.archive.keep, folder, service.classifier.sha256)

    async def serve_version(self, name: str, sha256: str) -> None:
        """Serve what another worker serves.

        Args:
            name: under which it is served.
            sha256: which model.

        Raises:
            UnknownModelError: there is none of this name.
            ReloadError: it is not in memory, and no copy of it can be served.
        """
        slot = self.get_slot(name)
        async with slot.lock:
            await self._serve_version(slot, sha256)

    async def _serve_version(self, slot: Slot, sha256: str) -> None:
        if slot.current.classifier.sha256 == sha256:
            return
        if slot.previous is not None and slot.previous.classifier.sha256 == sha256:
            back, slot.previous = slot.previous, None
            self._exchange(slot, back, outcome="rolled_back")
            return
        folder = None if self._shared is None else self._shared.archive.find(sha256)
        if folder is None:
            raise ReloadError(f"{slot.name} goes on as it was; no copy of the model wanted is kept")
        fresh = self._make_service(str(folder), slot.watch)
        try:
            await fresh.start()
        except TwoHandsError as error:
            self._metrics.reloads.labels("refused").inc()
            raise ReloadError(f"{slot.name} goes on as it was; its copy cannot be served [{error.code}]") from error
        self._exchange(slot, fresh, outcome="reloaded")

    async def rollback(self, name: str) -> None:
        """Let the model before answer again.

        Args:
            name: under which it is served.

        Raises:
            UnknownModelError: there is none of this name.
            ReloadError: it was not exchanged since the start.
        """
        slot = self.get_slot(name)
        async with slot.lock:
            wanted = slot.earlier_sha256 if slot.previous is None else slot.previous.classifier.sha256
            if wanted is None:
                raise ReloadError(f"{name} was not exchanged since the start; there is nothing to go back to")
            await self._serve_version(slot, wanted)

    async def reload_all(self) -> None:
        """Reload every model; a folder that cannot be served is logged, and its model goes on."""
        for slot in self.slots:
            try:
                await self.reload(slot.name)
            except ReloadError:
                continue

    def _exchange(self, slot: Slot, fresh: Service, *, outcome: str) -> None:
        if slot.current.phase is Phase.STOPPING:  # the signal to stop came while it was loading
            fresh.begin_stop()
        oldest, slot.previous = slot.previous, slot.current
        slot.watch.end(slot.current)
        slot.current = fresh
        slot.watch.begin(fresh)
        self._epoch += 1
        self._metrics.reloads.labels(outcome).inc()
        _LOGGER.info("model %s is now %s", slot.name, fresh.classifier.sha256)
        self._on_change(self)
        if oldest is not None:
            task = asyncio.get_running_loop().create_task(self._retire(oldest, before_epoch=self._epoch))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _retire(self, service: Service, *, before_epoch: int) -> None:
        """Let a model go when nobody is left who may still ask it."""
        try:
            while any(epoch < before_epoch for epoch in self._running):
                self._epoch_ended.clear()
                await self._epoch_ended.wait()
        finally:
            await service.stop()

    def request_begins(self) -> int:
        """Note that a request begins; the number is for `request_ends`."""
        self._running[self._epoch] += 1
        return self._epoch

    def tell_depth(self) -> None:
        """Show how much waits now."""
        self._metrics.set_depth(sum(service.n_pending for service in self._all_services()))

    def request_ends(self, epoch: int) -> None:
        """Note that a request of this number ended."""
        self.tell_depth()
        self._running[epoch] -= 1
        if not self._running[epoch]:
            del self._running[epoch]
            self._epoch_ended.set()
