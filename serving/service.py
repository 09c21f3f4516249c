"""Owns one model in service: loaded, warmed, asked and let go. Every protocol of this room answers through it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np

from serving.asking import name_caller
from serving.engine import Engine
from serving.reading import Encoded, estimate_tokens, is_brief, read_in_place, read_texts
from serving.settings import ServeSettings
from twohands.cascade import CascadeSession
from twohands.classifier import Classifier
from twohands.encoding import EncodedParagraph
from twohands.errors import EngineStoppedError, InputError, NotReadyError, TwoHandsError
from twohands.evidence import list_runs, make_explained_predictions
from twohands.prediction import Prediction, make_predictions
from twohands.scores import with_thresholds
from twohands.session import RunBatch
from twohands.windows import Logits

_LOGGER = logging.getLogger(__name__)
_WARM_UP_S = 120.0
_WARM_UP_TEXT = "The first sentence is read before anybody asks."


class Phase(StrEnum):
    """Where a service stands."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one request went, in milliseconds."""

    tokenize_ms: float
    queue_ms: float
    infer_ms: float


@dataclass(frozen=True, slots=True)
class Answers:
    """One prediction or error for each text, in order, and which model gave them."""

    identity: dict[str, str]
    items: list[Prediction | InputError]
    timing: Timing
    logits: Logits | None = None
    """Uncalibrated, shape `(n_predictions, n_labels)`; None when no text could be classified."""


# Texts as they came, what was read of each, the answers, and the request's thresholds.
OnAnswers = Callable[[Sequence[object], Encoded, Answers, Mapping[str, object]], None]


def _unchanged(run_batch: RunBatch) -> RunBatch:
    return run_batch


class Service:
    """A classifier behind an engine, with the phases of a process around it."""

    def __init__(self, settings: ServeSettings, classifier: Classifier | None = None) -> None:
        """Do nothing yet; `start` does.

        Args:
            settings: how to serve.
            classifier: a loaded model, which stays the caller's to close; None loads the one of the settings.
        """
        self.settings = settings
        self.phase = Phase.STARTING
        self.failure: TwoHandsError | None = None
        self._given = classifier
        self._classifier: Classifier | None = None
        self._engine: Engine | None = None
        # Seams for who counts: set before `start`.
        self.wrap_run: Callable[[RunBatch], RunBatch] = _unchanged
        self.on_answers: OnAnswers | None = None

    @property
    def n_pending(self) -> int:
        """How many paragraphs were admitted and are not yet answered."""
        return 0 if self._engine is None else self._engine.n_pending

    @property
    def is_dead(self) -> bool:
        """Whether its model can answer nothing any more, which only another process mends."""
        return self._engine is not None and self._engine.is_dead

    async def start(self) -> None:
        """Load and warm up the model; only then is the service ready.

        Raises:
            TwoHandsError: the model cannot be loaded, or does not answer with numbers; kept in `failure`.
        """
        try:
            await self._start()
        except TwoHandsError as error:
            self.failure = error
            raise

    async def _start(self) -> None:
        settings = self.settings
        classifier = self._given
        if classifier is None:
            classifier = await asyncio.to_thread(
                Classifier.load, settings.model, num_threads=settings.num_threads, runtime=settings.runtime
            )
        engine = Engine(
            run_batch=self.wrap_run(classifier.session.run_batch),
            num_threads=classifier.session.num_threads,
            max_pending=settings.max_pending,
            max_queue_tokens=settings.max_queue_tokens,
            timeout_s=settings.request_timeout_s,
            most_windows=classifier.session.most_windows,
        )
        self._classifier, self._engine = classifier, engine
        try:
            await self._warm_up(classifier, engine)
        except BaseException:
            await self.stop()
            raise
        if self.phase is Phase.STARTING:  # a signal may have come meanwhile
            self.phase = Phase.READY
        _LOGGER.info("model %(name)s %(version)s %(sha256)s is warm", classifier.identity)

    async def _warm_up(self, classifier: Classifier, engine: Engine) -> None:
        """Run the longest windows once on every thread, so that no first caller pays for the memory."""
        await engine.aside(partial(classifier.try_encode, [_WARM_UP_TEXT]))
        longest = np.zeros(classifier.encoder.rule.max_tokens, dtype=np.int64)
        paragraph = EncodedParagraph(windows=(longest,), n_tokens=1, n_tokens_cut=0, n_tokens_unknown=0)
        paragraphs = [paragraph] * (classifier.session.num_threads * classifier.session.most_windows)
        # Not within a request's time: that may be short, and a machine is slowest when it starts.
        deadline_s = asyncio.get_running_loop().time() + max(_WARM_UP_S, self.settings.request_timeout_s)
        logits = await engine.run(paragraphs, deadline_s=deadline_s)
        if isinstance(classifier.session, CascadeSession):  # which the first model may not have doubted
            await engine.aside(partial(classifier.session.ask_second, [longest] * len(paragraphs)))
        make_predictions(logits.value, paragraphs, classifier.taxonomy, classifier.manifest.rules)

    def _require(self) -> tuple[Classifier, Engine]:
        # While stopping, what still comes in is answered: the engine refuses when it must.
        if self.phase is Phase.STARTING or self._classifier is None or self._engine is None:
            raise NotReadyError("the model is not loaded yet; /readyz says when it is")
        return self._classifier, self._engine

    def check_ready(self) -> None:
        """Refuse while the service is not ready.

        Raises:
            NotReadyError: the model is not warm yet.
            EngineStoppedError: the service is stopping.
        """
        if self.phase is Phase.STOPPING:
            raise EngineStoppedError("the service is stopping; send the request again elsewhere")
        self._require()[1].check_alive()

    @property
    def classifier(self) -> Classifier:
        """The model, once it is warm.

        Raises:
            NotReadyError: it is not warm yet.
        """
        return self._require()[0]

    async def classify(
        self,
        texts: Sequence[object],
        *,
        thresholds: Mapping[str, object] | None = None,
        explain: bool = False,
        raws: Sequence[str] | None = None,
        check_read: Callable[[Encoded], None] | None = None,
        is_part: bool = False,
    ) -> Answers:
        """Classify paragraphs; a bad one answers with its error in its place.

        Args:
            texts: raw texts, unchecked, or in the place of one the `InputError` why it cannot be read.
            thresholds: overrides, as in `with_thresholds`.
            explain: also say which sentence carries each answer.
            raws: for that, what each text was before it was normalised; None where texts are raw.
            check_read: is shown what was read of each text before the model is asked, and raises to refuse it.
            is_part: they are a later part of something long, and take nothing of the room for small requests.

        Returns:
            One prediction or error for each text.

        Raises:
            NotReadyError: the model is not loaded yet.
            EngineStoppedError: the service stopped before it was done.
            OverloadedError: too much waits already, or it took too long.
            ThresholdError: an override is unknown or out of range.
            NonFiniteLogitsError: the model answered NaN or infinity.
        """
        classifier, engine = self._require()
        rules = with_thresholds(classifier.taxonomy.heads, classifier.manifest.rules, thresholds or {})
        deadline_s = asyncio.get_running_loop().time() + self.settings.request_timeout_s
        limit_chars = self.settings.limit_chars
        rule = classifier.encoder.rule
        n_tokens = estimate_tokens(texts, rule, limit_chars=limit_chars, explain=explain, raws=raws)
        with engine.admit(len(texts), n_tokens=n_tokens, caller=name_caller(), is_part=is_part) as place:
            if is_brief(texts) and not explain:
                read = read_in_place(classifier, texts, limit_chars=limit_chars)
            else:
                # A thread that reads goes on to the end of its piece; the next piece waits for it, not beside it.
                async with engine.within(deadline_s):
                    read = await read_texts(
                        engine, classifier, texts, limit_chars=limit_chars, explain=explain, raws=raws
                    )
            if check_read is not None:
                check_read(read.encoded)
            sound = read.sound
            if not sound:
                faults = [item for item in read.encoded if isinstance(item, InputError)]
                timing = Timing(read.tokenize_ms, read.queue_ms, 0.0)
                return self._tell(texts, read.encoded, Answers(classifier.identity, [*faults], timing), thresholds)
            logits = await engine.run(list_runs(sound, read.plans), deadline_s=deadline_s, place=place)
        predictions = iter(make_explained_predictions(logits.value, sound, read.plans, classifier.taxonomy, rules))
        items = [item if isinstance(item, InputError) else next(predictions) for item in read.encoded]
        timing = Timing(read.tokenize_ms, read.queue_ms + logits.queue_ms, logits.work_ms)
        answers = Answers(classifier.identity, items, timing, logits.value[: len(sound)])
        return self._tell(texts, read.encoded, answers, thresholds)

    def _tell(
        self, texts: Sequence[object], encoded: Encoded, answers: Answers, thresholds: Mapping[str, object] | None
    ) -> Answers:
        if self.on_answers is not None:
            self.on_answers(texts, encoded, answers, thresholds or {})
        return answers

    def begin_stop(self) -> None:
        """Turn /readyz to 503; what was admitted goes on. Safe to call from a signal handler."""
        self.phase = Phase.STOPPING

    def abandon(self) -> None:
        """Answer everything that still waits with `EngineStoppedError`."""
        self.begin_stop()
        if self._engine is not None:
            self._engine.abandon()

    async def stop(self) -> None:
        """Answer what waits, end the threads, and close the model if it was loaded here."""
        self.begin_stop()
        if self._engine is not None:
            await self._engine.stop()
        if self._classifier is not None and self._given is None:
            self._classifier.close()
