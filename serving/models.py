"""Owns the models in service: which there are by name, and how one is exchanged without a dropped request.

A new folder is loaded and warmed beside the one that serves; only then do new requests go to it. What a request
began with it ends with: the model before stays loaded for a rollback, and one before that is let go when no request
is left that got it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from serving.folders import name_folders
from serving.holding import Holdings
from serving.metrics import Metrics
from serving.pauses import settle_anew
from serving.service import Phase, Service
from serving.settings import ServeSettings
from serving.slots import Shared, Slot
from serving.watch import Shadow, Watch
from twohands.classifier import Classifier
from twohands.errors import EngineStoppedError, ReloadError, TwoHandsError, UnknownModelError
from twohands.locate import find_model

_LOGGER = logging.getLogger(__name__)
_SHADOW_NAME = "shadow"
_MOST_SHOWN = 10  # names in a refusal
_T = TypeVar("_T")


def _tell_nobody(name: str, sha256: str) -> None:
    del name, sha256


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
        self.holdings = Holdings()
        self._retiring: set[asyncio.Task[None]] = set()
        self._exchanging: set[asyncio.Task[Any]] = set()
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
            earlier = None if shared is None else shared.find_earlier(name)
            self._slots[name] = Slot(name, folder, service, watch, earlier=earlier)

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
        """Why a model could not be started, or answers no more."""
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
        service = self.get_slot(name).current
        self.holdings.hold(service)
        return service

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
            shown = ", ".join(list(self._slots)[:_MOST_SHOWN])
            more = f" and {len(self._slots) - _MOST_SHOWN} more" if len(self._slots) > _MOST_SHOWN else ""
            raise UnknownModelError(f"no model of this name is served, but {shown}{more}; /v1/models describes them")
        return slot

    def check_ready(self) -> None:
        """Refuse while any model is not ready.

        Raises:
            NotReadyError: a model is not warm yet.
            EngineStoppedError: the service is stopping.
        """
        for slot in self._slots.values():
            slot.current.check_ready()

    def note_death(self) -> bool:
        """Whether a model that is served died; if so that is the `failure` from now on."""
        dead = [slot.current for slot in self._slots.values() if slot.current.is_dead]
        for service in dead:
            service.failure = EngineStoppedError("a thread of the model died; the log above says of what")
        return bool(dead)

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
        ending = [*self._exchanging, *self._retiring]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
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

    async def see_through(self, exchange: Coroutine[Any, Any, _T]) -> _T:
        """Carry an exchange to its end, also where who asked for it leaves meanwhile.

        Args:
            exchange: ends with the models, or by itself.

        Returns:
            What it returns.
        """
        task = asyncio.get_running_loop().create_task(exchange)
        self._exchanging.add(task)
        task.add_done_callback(self._end_exchange)
        await asyncio.wait({task})
        return task.result()

    def _end_exchange(self, task: asyncio.Task[Any]) -> None:
        self._exchanging.discard(task)
        # `reload` told the log what went wrong; asyncio need not, where nobody waits for it any more.
        if not task.cancelled():
            task.exception()

    async def reload(self, name: str, *, is_counted: bool = True) -> bool:
        """Load a model's folder again, and let the new one answer once it is warm.

        Args:
            name: under which it is served.
            is_counted: whether it counts where it goes well, as of several workers that are told of one reload does one
                alone; a refusal always does, as another worker may not have had its cause.

        Returns:
            Whether there was anything new in the folder.

        Raises:
            UnknownModelError: there is none of this name.
            ReloadError: the folder cannot be served; the model that served goes on.
        """
        slot = self.get_slot(name)
        async with slot.lock:
            if await asyncio.to_thread(slot.holds_what_is_served):
                self._metrics.reloads.labels("unchanged").inc(is_counted)
                return False
            fresh = self._make_service(slot.folder, slot.watch)
            try:
                await fresh.start()
            except TwoHandsError as error:
                self._clear_up()
                self._metrics.reloads.labels("refused").inc()
                _LOGGER.warning("model %s was not reloaded: %s", name, error.code)
                raise ReloadError(
                    f"{name} goes on as it was; its folder cannot be served [{error.code}]: {error}"
                ) from error
            if fresh.classifier.sha256 == slot.current.classifier.sha256:
                await fresh.stop()
                self._clear_up()
                self._metrics.reloads.labels("unchanged").inc(is_counted)
                return False
            try:
                await self._keep(slot, fresh)
            except BaseException:
                await fresh.stop()
                raise
            self._exchange(slot, fresh, outcome="reloaded" if is_counted else None)
            return True

    async def _keep(self, slot: Slot, service: Service) -> None:
        """Keep a copy for workers that come later."""
        sha256 = service.classifier.sha256
        # It may be that copy which was loaded, and the folder gone.
        if self._shared is None or self._shared.archive.find(sha256) is not None:
            return
        try:
            folder = await asyncio.to_thread(find_model, slot.folder)
        except TwoHandsError as error:
            _LOGGER.warning("no copy of model %s is kept: %s", sha256, error.code)
            return
        await asyncio.to_thread(self._shared.archive.keep, folder, sha256)

    async def serve_version(self, name: str, sha256: str) -> None:
        """Serve what another worker serves.

        Args:
            name: under which it is served.
            sha256: which model.

        Raises:
            UnknownModelError: there is none of this name.
            ReloadError: it is not in memory, and neither a copy of it nor its folder can be served.
        """
        slot = self.get_slot(name)
        async with slot.lock:
            await self._serve_version(slot, sha256, outcome=None)

    async def _serve_version(self, slot: Slot, sha256: str, *, outcome: str | None) -> None:
        if slot.current.classifier.sha256 == sha256:
            return
        if slot.previous is not None and slot.previous.classifier.sha256 == sha256:
            back, slot.previous = slot.previous, None
            self._exchange(slot, back, outcome=outcome)
            return
        copy = None if self._shared is None else self._shared.archive.find(sha256)
        # Where there was no room for a copy, the folder holds it yet, unless something else came into it (#4).
        fresh = self._make_service(slot.folder if copy is None else str(copy), slot.watch)
        try:
            await fresh.start()
            if fresh.classifier.sha256 != sha256:
                await fresh.stop()
                raise ReloadError("no copy of it is kept, and its folder holds another by now")
        except TwoHandsError as error:
            self._clear_up()
            self._metrics.reloads.labels("refused").inc()
            # Who asked was answered by another worker, which serves it: nothing else tells that this one does not.
            told = "model %s goes on as it was in this process: %s cannot be served [%s]"
            _LOGGER.error(told, slot.name, sha256, error.code)  # noqa: TRY400 - a trace would say no more
            raise ReloadError(f"{slot.name} goes on as it was; the one wanted cannot be served: {error}") from error
        self._exchange(slot, fresh, outcome=outcome)

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
            if slot.previous_identity is None:
                raise ReloadError(f"{name} was not exchanged since the start; there is nothing to go back to")
            await self._serve_version(slot, slot.previous_identity["sha256"], outcome="rolled_back")

    async def reload_all(self, *, is_counted: bool = True) -> None:
        """Reload every model; a folder that cannot be served is logged, and its model goes on.

        Args:
            is_counted: as of `reload`.
        """
        for slot in self.slots:
            try:
                await self.reload(slot.name, is_counted=is_counted)
            except ReloadError:
                continue

    def _exchange(self, slot: Slot, fresh: Service, *, outcome: str | None) -> None:
        """Let another model answer; None does not count it, as the worker that was asked has (#7)."""
        if slot.current.phase is Phase.STOPPING:  # the signal to stop came while it was loading
            fresh.begin_stop()
        oldest, slot.previous = slot.previous, slot.current
        slot.watch.end(slot.current)
        slot.current = fresh
        slot.watch.begin(fresh)
        if outcome is not None:
            self._metrics.reloads.labels(outcome).inc()
        _LOGGER.info("model %s is now %s", slot.name, fresh.classifier.sha256)
        self._on_change(self)
        if oldest is not None:
            self._end_later(self._retire(oldest))

    def _end_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what nobody waits for, at the latest until the models stop."""
        task = asyncio.get_running_loop().create_task(work)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _clear_up(self) -> None:
        """Let the system have what was loaded for nothing, once nobody waits."""
        self._end_later(settle_anew(self._is_idle))

    def _is_idle(self) -> bool:
        return not any(each.n_pending for each in self._all_services())

    async def _retire(self, service: Service) -> None:
        """Let a model go when nobody is left who may still ask it."""
        try:
            await self.holdings.wait_free(service)
        finally:
            await service.stop()
            del service  # what a frame holds is not let go
        await settle_anew(self._is_idle)

    def tell_depth(self) -> None:
        """Show how much waits now; not what the shadow reads, whose requests are answered."""
        self._metrics.set_depth(sum(one.n_pending for one in self._all_services() if one is not self._shadow_service))
