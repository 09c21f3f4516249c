"""Owns how many texts are classified a group at a time: cut so that each group finds room, and asked until it does.

Streams, documents and Label Studio's tasks are longer than one request may be. Knows nothing of what they look like.
"""

import asyncio
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import TypeVar

from serving.reading import estimate_tokens
from serving.service import Service
from twohands.errors import DeadlineError, InputError, OverloadedError
from twohands.prediction import Prediction

_TEXTS_AT_ONCE = 32
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0
T = TypeVar("T")


class PatientClassifier:
    """Classifies more texts than fit one request; others are answered between the groups."""

    def __init__(
        self,
        service: Service,
        *,
        thresholds: Mapping[str, object] | None = None,
        explain: bool = False,
        is_evidence_optional: bool = False,
        most_wait_s: float = math.inf,
    ) -> None:
        """Do nothing yet.

        Args:
            service: of the model.
            thresholds: overrides, as in `with_thresholds`.
            explain: also say which sentence carries each answer.
            is_evidence_optional: answer a text without evidence where that takes longer than a request may.
            most_wait_s: how long all waits for room together may take.
        """
        self._service = service
        self._thresholds = thresholds or {}
        self._explain = explain
        self._is_evidence_optional = is_evidence_optional
        # Tokens of the cheapest text whose evidence took too long: that of others as costly is not waited for again.
        self._too_costly: float = math.inf
        self._left_s = most_wait_s
        self._texts_at_once = min(_TEXTS_AT_ONCE, service.settings.max_inputs)
        # Of a stream three groups are in work, of which three quarters of the room may wait; a larger one would never
        # find any.
        self._tokens_at_once = service.settings.max_queue_tokens // 4

    def cut_groups(
        self, rows: Iterable[T], read_text: Callable[[T], object], read_raw: Callable[[T], str] = lambda _: ""
    ) -> Iterator[list[T]]:
        """Cut rows into groups that each find room beside others: so many rows, and so many tokens or one row.

        Args:
            rows: each with one text.
            read_text: finds it.
            read_raw: finds what it was before it was normalised, if it was.

        Yields:
            All rows, in order.
        """
        group: list[T] = []
        n_tokens = 0
        for row in rows:
            n_new = self._estimate(read_text(row), read_raw(row))
            # What is too costly to be explained is asked for alone: the others of its group still are explained.
            n_most = self._tokens_at_once if max(n_new, n_tokens) < self._too_costly else 0
            if group and (len(group) == self._texts_at_once or n_tokens + n_new > n_most):
                yield group
                group, n_tokens = [], 0
            group.append(row)
            n_tokens += n_new
        if group:
            yield group

    def _estimate(self, text: object, raw: str) -> int:
        """What a text costs, explained if that is wanted."""
        rule, limit_chars = self._service.classifier.encoder.rule, self._service.settings.limit_chars
        return estimate_tokens([text], rule, limit_chars=limit_chars, explain=self._explain, raws=[raw])

    def _is_too_costly(self, texts: Sequence[object], raws: Sequence[str] | None) -> bool:
        """Whether one of the texts costs as much as one whose evidence took too long."""
        pairs = zip(texts, raws or repeat(""), strict=False)
        return self._too_costly < math.inf and any(self._estimate(*pair) >= self._too_costly for pair in pairs)

    async def classify(
        self, texts: Sequence[object], *, is_first: bool, raws: Sequence[str] | None = None
    ) -> list[Prediction | InputError | DeadlineError]:
        """Classify one group; what takes longer than a request may is halved, as it would do so again, and for ever.

        Args:
            texts: of the group, unchecked.
            is_first: nothing was answered yet, so that a caller can still be told to come back.
            raws: what each was before it was normalised, if it was; evidence goes by it.

        Returns:
            One prediction or error for each text; `DeadlineError` for one that takes too long alone. Where evidence is
            optional, a prediction without it for one that takes too long, or finds no room, with evidence only.

        Raises:
            OverloadedError: there is no room for the first group, or it was waited for too long; the first group is
                one text that takes too long.
            EngineStoppedError: the service stopped before it was done.
            ThresholdError: an override is unknown or out of range.
            NonFiniteLogitsError: the model answered NaN or infinity.
        """
        return await self._classify(texts, is_first=is_first, raws=raws, explain=self._explain)

    async def _classify(
        self, texts: Sequence[object], *, is_first: bool, raws: Sequence[str] | None, explain: bool
    ) -> list[Prediction | InputError | DeadlineError]:
        is_alone, is_costly = len(texts) == 1, explain and self._is_too_costly(texts, raws)
        explain = explain and not (is_alone and is_costly)
        try:
            if is_alone or not is_costly:  # else the costly ones alone go without evidence, once they are parted
                return await self._classify_when_there_is_room(texts, is_first=is_first, raws=raws, explain=explain)
        except OverloadedError as error:
            is_late = isinstance(error, DeadlineError)
            if explain and self._is_evidence_optional and (is_alone if is_late else not is_first):
                if is_late:  # for want of room says nothing of a text
                    self._too_costly = min(self._too_costly, self._estimate(texts[0], raws[0] if raws else ""))
                return await self._classify(texts, is_first=is_first, raws=raws, explain=False)
            if not isinstance(error, DeadlineError) or (is_alone and is_first):
                raise
            if is_alone:
                return [error]
        middle = len(texts) // 2
        items: list[Prediction | InputError | DeadlineError] = []
        for half in slice(middle), slice(middle, None):
            items += await self._classify(texts[half], is_first=False, raws=raws and raws[half], explain=explain)
        return items

    async def _classify_when_there_is_room(
        self, texts: Sequence[object], *, is_first: bool, raws: Sequence[str] | None, explain: bool
    ) -> list[Prediction | InputError | DeadlineError]:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                answers = await self._service.classify(
                    texts, thresholds=self._thresholds, explain=explain, raws=raws, is_part=not is_first
                )
            except OverloadedError as error:
                if is_first or isinstance(error, DeadlineError) or self._left_s <= 0:
                    raise
                # The client cannot be told to come back: it is in the midst. Its share of the room is what is left.
                drawn_s = min(pause_s * random.uniform(0.5, 1.0), self._left_s)  # noqa: S311 - no secret
                self._left_s -= drawn_s
                await asyncio.sleep(drawn_s)
                pause_s = min(2 * pause_s, float(error.retry_after_s), _LONGEST_PAUSE_S)
            else:
                return [*answers.items]
