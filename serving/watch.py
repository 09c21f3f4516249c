"""Owns what is seen of each answer of a model: counts, drift, and what a shadow model would have said.

Sits at the seam of `Service`, so that every protocol is seen; the engine knows nothing of it.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from serving.drift import Drift
from serving.metrics import Metrics
from serving.service import Answers, Phase, Service
from twohands.cascade import CascadeSession
from twohands.encoding import EncodedParagraph, TokenIds
from twohands.errors import InputError, TwoHandsError
from twohands.prediction import OneOf, Prediction
from twohands.reference import read_reference
from twohands.session import RunBatch
from twohands.windows import Logits

_LOGGER = logging.getLogger(__name__)
_MAX_SHADOW_TASKS = 2


class Shadow:
    """A second model that sees a share of the traffic, when there is time; nobody waits for it."""

    def __init__(
        self, service: Service, *, name: str, share: float, metrics: Metrics, draw: Callable[[], float] = random.random
    ) -> None:
        """Take over a service.

        Args:
            service: of the shadow model; started and stopped by its owner.
            name: by which its metrics speak of it.
            share: of the requests.
            metrics: where disagreement is counted.
            draw: uniform in [0, 1).
        """
        self._service, self._name, self._share, self._metrics = service, name, share, metrics
        self._draw = draw
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(self, texts: Sequence[object], items: Sequence[object], thresholds: Mapping[str, object]) -> None:
        """Let the shadow see a request that was answered, perhaps.

        Args:
            texts: as they came.
            items: a prediction or an error for each.
            thresholds: of the request.
        """
        if self._draw() >= self._share:
            return
        if len(self._tasks) >= _MAX_SHADOW_TASKS:
            self._metrics.shadow_skipped.inc()
            return
        task = asyncio.get_running_loop().create_task(self._compare(texts, items, thresholds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Leave what is not compared yet."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _compare(
        self, texts: Sequence[object], items: Sequence[object], thresholds: Mapping[str, object]
    ) -> None:
        try:
            answers = await self._service.classify(texts, thresholds=thresholds)
        except TwoHandsError as error:
            self._metrics.shadow_skipped.inc()
            _LOGGER.info("the shadow did not answer: %s", error.code)
            return
        for first, second in zip(items, answers.items, strict=True):
            if isinstance(first, Prediction) and isinstance(second, Prediction):
                self._count(first, second)

    def _count(self, first: Prediction, second: Prediction) -> None:
        for head in first.heads.keys() & second.heads.keys():
            self._metrics.shadow_compared.labels(head, self._name).inc()
            one, other = first.heads[head], second.heads[head]
            labels = [
                set(answer.labels) if not isinstance(answer, OneOf) else {answer.label} for answer in (one, other)
            ]
            self._metrics.shadow_disagreed.labels(head, self._name).inc(labels[0] != labels[1])


class Watch:
    """Sees what one served model answers."""

    def __init__(self, *, metrics: Metrics, model: str, shadow: Shadow | None = None) -> None:
        """See nothing yet.

        Args:
            metrics: where all is counted.
            model: the name it is served under.
            shadow: sees what this model answered.
        """
        self._metrics, self._model, self._shadow = metrics, model, shadow
        self._drift: Drift | None = None

    def attach(self, service: Service) -> None:
        """Watch a service; before it is started."""
        service.on_answers = self.see
        service.wrap_run = partial(self._count_runs, service)

    def begin(self, service: Service) -> None:
        """Tell which model answers from now on, and set drift against its training data."""
        manifest, identity = service.classifier.manifest, service.classifier.identity
        labels = (self._model, identity["version"], identity["sha256"], str(manifest.graph.precision != "fp32").lower())
        self._metrics.model_info.labels(*labels).set(1)
        self._metrics.expect_answers(service.classifier.taxonomy.heads, model=self._model)
        session = service.classifier.session
        if isinstance(session, CascadeSession):
            session.on_asked = self._metrics.expect_asked(self._model)
        reference = read_reference(manifest.metrics)
        self._drift = None
        if reference is not None:
            heads = service.classifier.taxonomy.heads
            self._drift = Drift(reference, heads=heads, metrics=self._metrics, model=self._model)

    def end(self, service: Service) -> None:
        """Tell that a model answers no longer, and nothing more of how traffic differs from its data."""
        manifest, identity = service.classifier.manifest, service.classifier.identity
        labels = (self._model, identity["version"], identity["sha256"], str(manifest.graph.precision != "fp32").lower())
        self._metrics.model_info.labels(*labels).set(0)
        if self._drift is not None:
            self._drift.end()
            self._drift = None

    def see(
        self,
        texts: Sequence[object],
        encoded: Sequence[EncodedParagraph | InputError],
        answers: Answers,
        thresholds: Mapping[str, object],
    ) -> None:
        """Count one request's answers.

        Args:
            texts: as they came.
            encoded: what was read of each, or its error.
            answers: what was answered.
            thresholds: of the request.
        """
        timing = answers.timing
        self._metrics.count_timing(tokenize_ms=timing.tokenize_ms, queue_ms=timing.queue_ms, infer_ms=timing.infer_ms)
        for paragraph, item in zip(encoded, answers.items, strict=True):
            if isinstance(item, InputError):
                self._metrics.failed_inputs.labels(item.code).inc()
            elif isinstance(paragraph, EncodedParagraph):
                self._metrics.count_prediction(item, paragraph, model=self._model)
                if self._drift is not None:
                    self._drift.see(item, paragraph, thresholds)
        if self._shadow is not None:
            self._shadow.offer(texts, answers.items, thresholds)

    def _count_runs(self, service: Service, run_batch: RunBatch) -> RunBatch:
        def run_counted(windows: Sequence[TokenIds]) -> Logits:
            if service.phase is Phase.STARTING:  # nobody asked for these, and they are as long as can be (#5)
                return run_batch(windows)
            began_s = time.thread_time()
            try:
                return run_batch(windows)
            finally:
                self._metrics.count_run(windows, cpu_s=time.thread_time() - began_s)

        return run_counted
