"""Owns bulk classification by Ray: a pool of actors, one thread each -> the same answers, in the order of the input.

Ray is imported only once it is asked for. Knows nothing of files, formats or journals.
"""

import logging
import os
import secrets
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from twohands import __version__
from twohands.bulk import Answer
from twohands.classifier import Classifier
from twohands.errors import ModelNotFoundError, RayEngineError, TwoHandsError
from twohands.extras import import_extra
from twohands.items import Item
from twohands.locate import find_model
from twohands.runtimes import Runtime
from twohands.threads import count_threads

Classify = Callable[[Classifier, Sequence[Item]], list[Answer]]
_ADDRESS = "RAY_ADDRESS"
_CONNECT_S = 5
_READY_S = 120  # for a machine under load to start a process and load a model of some 100 MB
_MOST_WAITING = 2  # chunks of one actor: one that it works on, one so that it never waits for us
# Chunks between the first that is not answered and the last that is sent, for each actor: the bound of the memory,
# and how far the others may run ahead of the slowest.
_MOST_HELD = 4


def import_ray() -> ModuleType:
    """Import Ray, with its usage statistics off.

    Returns:
        The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if not os.environ.get(_ADDRESS) and "ray" not in sys.modules:
        # The processes of a local cluster listen on every address of this machine and run what they are sent: only
        # who knows this word is heard.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    return import_extra("ray", use="`--engine ray`", extra="ray")


class Worker:
    """What an actor does: it holds one classifier."""

    def __init__(self) -> None:
        """Begin without a model, so that whatever is wrong with it can be answered instead of ending the actor."""
        self._classifier: Classifier | None = None

    def load(self, places: Sequence[str | None], runtime: Runtime, sha256: str, release: str) -> str | None:
        """Load the model.

        Args:
            places: folders or names, the first that is found here counts; None is the released model.
            runtime: which runs it.
            sha256: digest of the manifest that it must have.
            release: of this package, that it must be.

        Returns:
            What is wrong on this machine, or None.
        """
        here = socket.gethostname()
        if release != __version__:
            return f"{here} has twohands {__version__}, this machine {release}; install the same on each"
        try:
            self._classifier = Classifier.load(self._find(places), num_threads=1, runtime=runtime)
        except TwoHandsError as error:
            return f"{here}: [{error.code}] {error}"
        if self._classifier.sha256 != sha256:
            found = self._classifier.sha256[:12]
            return f"{here} has another model ({found}) than this machine ({sha256[:12]}); put the same on each"
        return None

    @staticmethod
    def _find(places: Sequence[str | None]) -> Path:
        for place in places[:-1]:
            try:
                return find_model(place)
            except ModelNotFoundError:
                continue
        return find_model(places[-1])

    def classify(self, held: Sequence[Item], classify: Classify) -> list[Answer] | tuple[str, str]:
        """Classify a chunk.

        Args:
            held: the items.
            classify: the one to do it with.

        Returns:
            The answers, or code and words of the error: the classes themselves do not all survive the way.

        Raises:
            RayEngineError: no model was loaded.
        """
        if self._classifier is None:
            raise RayEngineError("the actor has no model")
        try:
            return classify(self._classifier, held)
        except TwoHandsError as error:
            return error.code, str(error)


class Pool:
    """Actors that have loaded the model."""

    def __init__(self, ray: ModuleType, actors: Sequence[Any]) -> None:
        """Take over actors; `open_pool` is the way to one.

        Args:
            ray: the module, joined to a cluster.
            actors: of `Worker`; at least one.
        """
        self._ray = ray
        self._actors = actors

    def classify(self, chunks: Iterable[Sequence[Item]], classify: Classify) -> Iterator[list[Answer]]:
        """Classify chunks, several at once; at most four an actor are held.

        Args:
            chunks: read as there is room for them.
            classify: `classify_chunk` with its options, which goes to the actors.

        Yields:
            The answers of each chunk, in the order of the chunks.

        Raises:
            RayEngineError: an actor died.
            TwoHandsError: as in `classify_chunk`.
        """
        stream = iter(chunks)
        order: deque[Any] = deque()  # of all that is held
        worker_by_ref: dict[Any, int] = {}  # of what is not answered
        n_waiting = [0] * len(self._actors)
        is_more = True
        while True:
            while is_more and len(order) < _MOST_HELD * len(self._actors) and min(n_waiting) < _MOST_WAITING:
                held = next(stream, None)
                if held is None:
                    is_more = False
                    break
                number = n_waiting.index(min(n_waiting))
                ref = self._actors[number].classify.remote(held, classify)
                order.append(ref)
                worker_by_ref[ref] = number
                n_waiting[number] += 1
            if not order:
                return
            answered, _ = self._ray.wait(list(worker_by_ref), num_returns=1)
            for ref in answered:
                n_waiting[worker_by_ref.pop(ref)] -= 1
            while order and order[0] not in worker_by_ref:
                yield self._take(order.popleft())

    def _take(self, ref: object) -> list[Answer]:
        try:
            answers: list[Answer] | tuple[str, str] = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            raise RayEngineError(
                f"an actor of Ray failed: {_shorten(error)}; what is answered is kept with --output, and the same "
                "command goes on from there"
            ) from error
        if isinstance(answers, tuple):
            failed = TwoHandsError(answers[1])
            failed.code = answers[0]
            raise failed
        return answers


def _shorten(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines)[:600] or type(error).__name__


def _check_address(address: str) -> None:
    """Refuse in seconds what Ray itself tries for minutes, and then ends this process over."""
    remedy = f"start Ray here (`ray start`), set {_ADDRESS} to the head's HOST:PORT, or unset it for this machine alone"
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise RayEngineError(f"{_ADDRESS} is {address!r}, expected HOST:PORT or auto; {remedy}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise RayEngineError(f"no cluster of Ray answers at {address} ({error}); {remedy}") from error


def _join(ray: ModuleType, num_actors: int | None) -> None:
    """Join the cluster that is named, else start one here, without dashboard."""
    address = os.environ.get(_ADDRESS)
    options: dict[str, object] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        _check_address(address)
    else:
        options |= {"num_cpus": num_actors or count_threads(), "include_dashboard": False}
    try:
        ray.init(address=address or "local", **options)
    except Exception as error:  # Ray raises bare Exception, among others, where a machine under load starts slowly
        where = f"is not joined at {address}" if address else "does not start on this machine"
        hint = "set its RAY_AUTH_MODE and token here too" if address else "try again, or take --engine local"
        raise RayEngineError(f"Ray {where}: {_shorten(error)}; {hint}") from error


def _count_actors(ray: ModuleType, num_actors: int | None) -> int:
    n_cpus = int(ray.cluster_resources().get("CPU", 0))
    if num_actors is not None and num_actors > n_cpus:
        raise RayEngineError(f"--num-actors is {num_actors}, and the cluster has {n_cpus} CPUs; ask for fewer")
    if n_cpus == 0:
        raise RayEngineError("the cluster has no CPU for actors; add a machine to it")
    return num_actors or n_cpus


def _load_all(ray: ModuleType, actors: Sequence[Any], arguments: Sequence[object]) -> list[Any]:
    """Actors that have the model, and all of them unless the cluster has no room for some."""
    refs = [actor.load.remote(*arguments) for actor in actors]
    loaded, _ = ray.wait(refs, num_returns=len(refs), timeout=_READY_S)
    try:
        faults = sorted({fault for fault in ray.get(loaded) if fault})
    except ray.exceptions.RayError as error:
        hint = "each machine needs `pip install 'twohands[ray]'` of this release"
        raise RayEngineError(f"an actor of Ray did not start: {_shorten(error)}; {hint}") from error
    if faults:
        raise RayEngineError("\n".join(["actors of Ray cannot load the model:", *(f"  - {fault}" for fault in faults)]))
    if not loaded:
        raise RayEngineError(f"no CPU of the cluster came free within {_READY_S} s; wait for what runs there")
    for actor, ref in zip(actors, refs, strict=True):
        if ref not in loaded:
            ray.kill(actor)
    return [actor for actor, ref in zip(actors, refs, strict=True) if ref in loaded]


@contextmanager
def open_pool(classifier: Classifier, model: str | None, *, num_actors: int | None) -> Iterator[Pool]:
    """Start actors, and end them with the block.

    A cluster is joined where `RAY_ADDRESS` names one; else one is started here and ended again. One that this process
    has joined already is used and left as it is.

    Args:
        classifier: the model as it is loaded here, which each actor must have too.
        model: a folder, the name of one, or None for the released model; looked for on each machine.
        num_actors: how many; None for one a CPU of the cluster.

    Yields:
        The pool.

    Raises:
        MissingExtraError: Ray is not installed.
        RayEngineError: no cluster answers, it is too small, or an actor cannot load this very model.
    """
    ray = import_ray()
    is_ours = not ray.is_initialized()
    actors: list[Any] = []
    runtime = "openvino" if "openvino" in classifier.session.runtime else "onnxruntime"
    places = [str(find_model(model).resolve()), model]
    try:
        if is_ours:
            _join(ray, num_actors)
        remote = ray.remote(num_cpus=1, max_restarts=0)(Worker)
        actors += [remote.remote() for _ in range(_count_actors(ray, num_actors))]
        yield Pool(ray, _load_all(ray, actors, [places, runtime, classifier.sha256, __version__]))
    finally:
        if is_ours:
            ray.shutdown()
        else:
            for actor in actors:
                ray.kill(actor)
