"""Owns what the sync and the async client share: batches, when to try again, how an answer is read. Sends nothing."""

import email.utils
import json
import random
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twohands import errors
from twohands.errors import InputError, InputTypeError, ServiceError
from twohands.prediction import Prediction, read_prediction
from twohands.scores import check_threshold

# 502 is a proxy's word for the broken connection that is tried again without one: nothing was answered. Its 504 is not
# among them: the service has worked on the request all that time, and would again.
RETRY_STATUSES = frozenset({429, 502, 503})
_TOO_COSTLY = "deadline_exceeded"
# What reading a foreign answer raises: it is no JSON, or of another shape, or has numbers or lists beyond all bounds.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_BACKOFF_S, _MAX_BACKOFF_S = 0.5, 20.0
_MAX_BATCH_BYTES = 1_000_000
# As bodies are written. Of a string it gives the same as `json.dumps`, which would make one such for each.
_JSON = json.JSONEncoder(ensure_ascii=False)


class Retries:
    """When one request is sent again: full jitter, and never before the service said.

    Source:
        M. Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015.
    """

    def __init__(self, *, max_retries: int, max_wait_s: float, is_halved: bool = False) -> None:
        """Begin with the first attempt.

        Args:
            max_retries: how often a request is sent again.
            max_wait_s: longest wait; a service that asks for more is given up at once.
            is_halved: whether less is sent, by `BatchSize`, in place of what took the service too long.
        """
        self._is_halved = is_halved
        self._n_left = max_retries
        self._max_wait_s = max_wait_s
        self._backoff_s = _BACKOFF_S

    def next_wait_s(self, failure: ServiceError) -> float:
        """Say how long to wait after a failed attempt.

        Args:
            failure: what came of it.

        Returns:
            Seconds.

        Raises:
            ServiceError: the failure itself, when sending it again would not help or has been tried enough.
        """
        asked_s = failure.retry_after_s or 0.0
        if self._is_halved and failure.code == _TOO_COSTLY:
            raise failure
        if not failure.is_passing or self._n_left <= 0 or asked_s > self._max_wait_s:
            raise failure
        self._n_left -= 1
        # Everybody was told the same time to come back: the jitter keeps them from coming back together.
        wait_s = asked_s + random.uniform(0, self._backoff_s)  # noqa: S311 - nobody gains by guessing it
        self._backoff_s = min(2 * self._backoff_s, _MAX_BACKOFF_S)
        return min(wait_s, self._max_wait_s)


class BatchSize:
    """How many texts one call sends at once: half as many once the service said that a request takes too long.

    The same request would take as long again. What was learnt holds for the rest of the call.
    """

    def __init__(self, most: int, begin: Callable[[], Retries]) -> None:
        """Begin with whole batches.

        Args:
            most: texts of one request.
            begin: gives what says how long to wait before less is sent.
        """
        self.most = most
        self._begin = begin

    def halve(self, n_texts: int, failure: ServiceError) -> float:
        """Send less from now on.

        Args:
            n_texts: of the request that failed.
            failure: what came of it.

        Returns:
            Seconds to wait before.

        Raises:
            ServiceError: the failure itself, when less would not help, or nothing is to be sent again.
        """
        if failure.code != _TOO_COSTLY or n_texts == 1:
            raise failure
        wait_s = self._begin().next_wait_s(failure)
        self.most = min(self.most, (n_texts + 1) // 2)
        return wait_s


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as either client sends it."""

    method: str
    path: str
    body: bytes | None = None
    media_type: str = "application/json"
    query: tuple[tuple[str, str], ...] = ()

    @property
    def headers(self) -> dict[str, str] | None:
        """Of the request alone."""
        return None if self.body is None else {"content-type": self.media_type}


def encode_text(text: object, *, where: str) -> bytes:
    """Check that a request can carry a text.

    Args:
        text: anything.
        where: it stands, for the message.

    Returns:
        Its bytes in UTF-8.

    Raises:
        InputTypeError: it is no string, or has half a surrogate pair, which no JSON can carry.
    """
    if not isinstance(text, str):
        raise InputTypeError(f"{where}: found {type(text).__name__}, expected a string")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputTypeError(f"{where}: has half a surrogate pair; it was decoded wrongly") from error


def read_thresholds(thresholds: object) -> dict[str, float]:
    """Check thresholds as `Classifier` does, but for which labels there are, which the service knows.

    Args:
        thresholds: by label or head; any real numbers, as of numpy.

    Returns:
        The same as JSON can carry them.

    Raises:
        ThresholdError: a value is no real number in [0, 1], or there is no mapping at all.
    """
    if not thresholds:
        return {}
    if not isinstance(thresholds, Mapping):
        found = type(thresholds).__name__
        raise errors.ThresholdError(f"thresholds are {found}; expected a mapping of label to number")
    given: Mapping[str, object] = thresholds
    for key, value in given.items():
        check_threshold(key, value)
    return {key: float(value) for key, value in thresholds.items()}


def cut_batches(texts: Iterable[str], *, max_texts: int, faults: dict[int, InputTypeError]) -> Iterator[list[str]]:
    """Cut a long list into requests that a service takes.

    Args:
        texts: any number.
        max_texts: of one request.
        faults: takes those of texts that no request can carry, by their places; see `put_back`.

    Yields:
        All other texts in order; a request of several stays below a megabyte as JSON.
    """
    batch: list[str] = []
    n_bytes = 0
    for place, text in enumerate(texts):
        try:
            n_new = len(encode_text(text, where=f"text {place}"))
        except InputTypeError as fault:
            faults[place] = fault
            continue
        # What JSON adds is ASCII, so it is as many bytes as characters: quotes, and up to five for each that it
        # escapes, by which a text of tabs or control characters is more than the service takes (#7).
        n_new += len(_JSON.encode(text)) - len(text) + len(", ")
        if batch and (len(batch) == max_texts or n_bytes + n_new > _MAX_BATCH_BYTES):
            yield batch
            batch, n_bytes = [], 0
        batch.append(text)
        n_bytes += n_new
    if batch:
        yield batch


def put_back(
    items: Sequence[Prediction | InputError], faults: Mapping[int, InputError]
) -> list[Prediction | InputError]:
    """Put faults of texts that were not sent among the answers to all others, each in its place."""
    answers = iter(items)
    return [faults[place] if place in faults else next(answers) for place in range(len(items) + len(faults))]


def make_classify_call(
    texts: Sequence[str], *, thresholds: Mapping[str, float] | None, explain: bool, model: str | None
) -> Call:
    """The request for one batch."""
    wanted: dict[str, object] = {"inputs": list(texts)}
    if thresholds:
        wanted["thresholds"] = read_thresholds(thresholds)
    if explain:
        wanted["explain"] = True
    if model is not None:
        wanted["model"] = model
    return Call("POST", "/v1/classify", _JSON.encode(wanted).encode())


def _list_kinds(kind: type[InputError]) -> Iterator[type[InputError]]:
    yield kind
    for further in kind.__subclasses__():
        yield from _list_kinds(further)


def read_item(item: Mapping[str, Any]) -> Prediction | InputError:
    """Read one prediction, or the error in its place, of parsed JSON; KeyError or TypeError where it is neither."""
    if "error" not in item:
        return read_prediction(item)
    code, message = item["error"]["code"], item["error"]["message"]
    kind = next((kind for kind in _list_kinds(InputError) if kind.code == code), None)
    if kind is not None:
        return kind(message)
    failure = InputError(message)  # of a newer service than this client knows
    failure.code = code
    return failure


def read_items(content: bytes, *, n_texts: int) -> list[Prediction | InputError]:
    """Read an answer of POST /v1/classify.

    Args:
        content: its body.
        n_texts: how many were sent.

    Returns:
        One prediction or error for each text, in order.

    Raises:
        ServiceError: it is no such answer; its code is `invalid_answer`.
    """
    try:
        items = [read_item(item) for item in json.loads(content)["predictions"]]
    except UNREADABLE as error:
        raise make_invalid_answer() from error
    if len(items) != n_texts:
        raise ServiceError(f"{n_texts} texts were sent and {len(items)} answers came", "invalid_answer")
    return items


def read_retry_after(value: str | None) -> float | None:
    """The header `Retry-After` in seconds from now, as a number or a date; None when it is neither."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except UNREADABLE:
        return None


def _tell_redirect(location: str) -> str:
    """Say where a redirect leads, which is not followed: its host alone, as the rest may hold a ticket of a login."""
    try:
        found = urllib.parse.urlsplit(location)
    except ValueError:
        return ""
    where = f" to {found.scheme}://{found.netloc.rpartition('@')[2]}" if found.scheme and found.netloc else ""
    return f", a redirect{where}; none is followed, as the key would go along: pass the address of the service itself"


def read_failure(status: int, headers: Mapping[str, str], content: bytes) -> ServiceError:
    """Read the answer to a request that failed.

    Args:
        status: other than 2xx.
        headers: of the answer, found by names in lower case.
        content: its body, of this service or of a proxy before it.

    Returns:
        The error to raise, with the service's own code where it has one.
    """
    code, message = f"http_{status}", f"the service answered with status {status}"
    if location := headers.get("location") if 300 <= status < 400 else None:  # often from http:// to https://
        message += _tell_redirect(location)
    try:
        told = json.loads(content)["error"]
        code, message = str(told["code"]), str(told["message"])
    except UNREADABLE:
        pass  # a proxy's page: the status says enough
    return ServiceError(
        message,
        code,
        status=status,
        request_id=headers.get("x-request-id"),
        retry_after_s=read_retry_after(headers.get("retry-after")),
        is_passing=status in RETRY_STATUSES,
    )


def make_invalid_answer() -> ServiceError:
    """Say that what answered is no service of ours."""
    return ServiceError("the answer is not one of this service; is the address right?", "invalid_answer")


def make_unreachable(error: Exception, *, is_passing: bool) -> errors.ServiceUnreachableError:
    """Say that no answer came.

    Args:
        error: the transport's own, whose words may hold an address but no text.
        is_passing: whether to try again.

    Returns:
        The error to raise.
    """
    reason = str(error) or type(error).__name__
    return errors.ServiceUnreachableError(f"no answer from the service: {reason}", is_passing=is_passing)
