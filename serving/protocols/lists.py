"""Owns the way of a request whose answer is one list of labels for each text: Hugging Face's and TEI's alike.

The two meet on the same paths and tell themselves apart by one key: a request with `parameters` is Hugging Face's and
is answered nested, one without is TEI's, where a single text is answered flat.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request

from serving.limits import check_media_type, read_body
from serving.models import Models
from serving.protocols.heads import Function, Ranked, apply_function, find_head, find_service, rank_labels
from serving.reading import Encoded
from serving.schemas import TEXT_SCHEMA, check_text_or_list, parse_as, read_whole
from serving.service import Answers
from serving.tei_metrics import TeiAnswer
from twohands.classifier import Classifier
from twohands.errors import (
    EmptyParagraphError,
    InputError,
    ProtocolError,
    TooManyInputsError,
    TooManyTokensError,
)
from twohands.prediction import Prediction
from twohands.taxonomy import Head

_ITEM_SCHEMA = {"anyOf": [TEXT_SCHEMA, {"type": "array", "items": TEXT_SCHEMA, "minItems": 1, "maxItems": 1}]}
_INPUTS_SCHEMA = {"anyOf": [TEXT_SCHEMA, {"type": "array", "items": _ITEM_SCHEMA, "minItems": 1}]}
# Two enums: in one of all four, a client's generator that names them in capitals finds each name twice, and stops.
_DIRECTION_SCHEMA = {
    "anyOf": [{"enum": list(names), "type": "string"} for names in (("Right", "Left"), ("right", "left"))]
}


# What other clients of Hugging Face's send by habit, and which values ask for no more than is done anyway.
_DONE_ANYWAY: dict[str, tuple[object, ...]] = {
    "truncation": (True, False, "longest_first", "only_first", "do_not_truncate"),
    "padding": (True, False, "longest", "max_length", "do_not_pad"),
    "return_all_scores": (True,),
}


def _check_habit(value: object, info: ValidationInfo) -> object:
    """Take what changes nothing; another value would change the answer, or mean nothing."""
    known = _DONE_ANYWAY[str(info.field_name)]
    # By type too: 1 equals True.
    if value is not None and not any(type(value) is type(one) and value == one for one in known):
        words = ", ".join("true" if one is True else "false" if one is False else f"'{one}'" for one in known)
        raise ValueError(f"only {words} {'is' if len(known) == 1 else 'are'} taken; top_k says how many labels")
    return value


_Habit = SkipJsonSchema[Annotated[Any, AfterValidator(_check_habit)]]


class ListParameters(BaseModel):
    """What the Hub's client sends beside the text; `candidate_labels` and `multi_label` are of zero-shot requests."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    function_to_apply: Function | None = None
    top_k: Annotated[int, Field(ge=1), BeforeValidator(read_whole)] | None = None
    truncation: _Habit = None
    padding: _Habit = None
    return_all_scores: _Habit = None
    max_length: SkipJsonSchema[Annotated[int, Field(ge=1), BeforeValidator(read_whole)] | None] = None
    # Read only to be refused in words that say why.
    candidate_labels: SkipJsonSchema[Any] = None
    multi_label: SkipJsonSchema[Any] = None
    hypothesis_template: SkipJsonSchema[Any] = None


class ListRequest(BaseModel):
    """Both protocols' request; unknown keys are ignored, as both do."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    inputs: Annotated[str | list[Any], BeforeValidator(check_text_or_list), WithJsonSchema(_INPUTS_SCHEMA)] = Field(
        description="a text, or a list of texts each of which may stand in a list of its own"
    )
    parameters: ListParameters | None = None
    truncate: bool | None = None
    truncation_direction: Annotated[Literal["Right", "right", "Left", "left"], WithJsonSchema(_DIRECTION_SCHEMA)] = (
        "Right"
    )
    raw_scores: bool = False

    @property
    def is_hugging_face(self) -> bool:
        """Whether the Hub's client, or one that speaks as it does, sent this."""
        return "parameters" in self.model_fields_set

    @property
    def refuses_cuts(self) -> bool:
        """Whether a text that is too long to be read whole is to be refused."""
        truncation = None if self.parameters is None else self.parameters.truncation
        return self.truncate is False or truncation in (False, "do_not_truncate")

    @property
    def function(self) -> Function | None:
        """What is wanted in place of the calibrated scores."""
        if self.parameters is not None and self.parameters.function_to_apply is not None:
            return self.parameters.function_to_apply
        return "none" if self.raw_scores else None


@dataclass(frozen=True, slots=True)
class Lists:
    """Labels in order of score for each text, and what they cost."""

    head: Head
    rows: list[list[Ranked]]
    is_batch: bool
    is_hugging_face: bool
    is_calibrated: bool
    answers: Answers
    n_chars: int
    total_ms: float


def _is_batch(inputs: str | Sequence[object], *, is_pair_flat: bool) -> bool:
    """Whether inputs are a batch, not one text or, where a flat list is read as TEI does, the two halves of a pair."""
    if isinstance(inputs, str):
        return False
    return not (is_pair_flat and inputs and all(isinstance(item, str) for item in inputs))


def _read_texts(inputs: str | Sequence[object], *, is_batch: bool) -> list[object]:
    """The texts of a request.

    Args:
        inputs: a text, a flat list of texts, or a list with a list of one text for each.
        is_batch: as `_is_batch` has it.

    Returns:
        As said; each may still be of a wrong kind.

    Raises:
        EmptyParagraphError: the list is empty.
        ProtocolError: a pair; this model reads one text.
    """
    if isinstance(inputs, str):
        return [inputs]
    if not inputs:
        raise EmptyParagraphError("`inputs` cannot be empty")
    if not is_batch:
        if len(inputs) == 1:
            return [inputs[0]]
        raise ProtocolError(
            "`inputs`: a flat list is a pair here, and this model reads one text; send [[text], [text]]"
        )
    texts: list[object] = []
    for place, item in enumerate(inputs):
        if isinstance(item, list) and len(item) != 1:
            raise ProtocolError(f"`inputs[{place}]`: {len(item)} texts, but this model reads one text and no pairs")
        texts.append(item[0] if isinstance(item, list) else item)
    return texts


def _check_parameters(wanted: ListRequest) -> None:
    parameters = wanted.parameters
    if parameters is None:
        return
    if not parameters.model_fields_set.isdisjoint({"candidate_labels", "multi_label", "hypothesis_template"}):
        raise ProtocolError(
            "zero-shot classification is not served: this model knows its own labels only, which /info names; "
            "ask for text classification"
        )


def _check_length(encoded: Encoded, wanted: ListRequest, *, is_batch: bool, n_special: int) -> None:
    """Refuse what would be cut, or not be cut, against the caller's will, before the model is asked."""
    max_length = wanted.parameters.max_length if wanted.parameters is not None else None
    for place, item in enumerate(encoded):
        if isinstance(item, InputError):
            continue
        where = _name_place(place, is_batch=is_batch)
        if max_length is not None and item.n_tokens + n_special > max_length:
            raise TooManyTokensError(
                f"{where}: {item.n_tokens + n_special} tokens, and this service does not cut at max_length; leave it "
                "out to have longer text read too"
            )
        if not item.n_tokens_cut:
            continue
        if wanted.refuses_cuts:
            raise TooManyTokensError(
                f"{where} must have less than {item.n_tokens - item.n_tokens_cut + 1} tokens. Given: {item.n_tokens}"
            )
        if wanted.truncation_direction.lower() == "left":
            raise TooManyTokensError(
                f"{where}: too long, and this service only ever cuts the end of a text, not its start"
            )


def _check_items(answers: Answers, *, is_batch: bool) -> list[Prediction]:
    """Both protocols fail a request as a whole: their answer has no place for the error of one text."""
    predictions = []
    for place, item in enumerate(answers.items):
        if isinstance(item, InputError):
            raise type(item)(f"{_name_place(place, is_batch=is_batch)}: {item}")
        predictions.append(item)
    return predictions


def _name_place(place: int, *, is_batch: bool) -> str:
    return f"`inputs[{place}]`" if is_batch else "`inputs`"


def _rank_all(
    classifier: Classifier, head: Head, wanted: ListRequest, answers: Answers, kept: list[Prediction]
) -> list[list[Ranked]]:
    function = wanted.function
    rule = classifier.manifest.rules[head.name]
    top_k = wanted.parameters.top_k if wanted.parameters is not None else None
    rows = []
    for place, prediction in enumerate(kept):
        scores = None
        if function is not None:
            logits = np.asarray(answers.logits)[place]  # there are some: every text was classified
            scores = apply_function(logits[classifier.taxonomy.slices[head.name]], function)
        rows.append(rank_labels(head, rule, prediction, scores)[:top_k])
    return rows


async def answer_lists(request: Request, *, model: str | None = None, head: str | None = None) -> Lists:
    """Read, classify and rank.

    Args:
        request: of either protocol.
        model: its name; None is the default model.
        head: its name; None for `?head=`, or the default head.

    Returns:
        A list of labels for each text.

    Raises:
        MediaTypeError: the body is not declared as JSON.
        JsonError: it is not JSON.
        RequestValidationError: it is JSON of another shape.
        ProtocolError: it asks for what is not served: a pair, zero-shot labels.
        UnknownModelError: no such model is served.
        UnknownHeadError: the model has no such head.
        TooManyInputsError: it has too many texts.
        InputError: a text cannot be classified.
        TooManyTokensError: a text is longer than is read, and the caller wants none cut; or longer than the caller's
            `max_length`, at which none is cut.
    """
    started_s = time.perf_counter()
    check_media_type(request.headers)
    wanted = parse_as(ListRequest, await read_body(request))
    models: Models = request.app.state.models
    is_pair_flat = models.settings.flat_list == "pair" and not wanted.is_hugging_face
    is_batch = _is_batch(wanted.inputs, is_pair_flat=is_pair_flat)
    tei = None if wanted.is_hugging_face else request.app.state.metrics.tei
    if tei is not None:
        tei.count_request(is_batch=is_batch)
        request.state.tei_is_counted = True  # and so will its end be, however it ends
    _check_parameters(wanted)
    service = find_service(request, model)
    found = find_head(service.classifier, head if head is not None else request.query_params.get("head"))
    texts = _read_texts(wanted.inputs, is_batch=is_batch)
    if len(texts) > service.settings.max_inputs:
        most = service.settings.max_inputs
        raise TooManyInputsError(f"batch size {len(texts)} > maximum allowed batch size {most}")
    if tei is not None:
        tei.count_texts(len(texts))
    encoder = service.classifier.encoder
    n_special = encoder.rule.max_tokens - encoder.capacity
    check_length = partial(_check_length, wanted=wanted, is_batch=is_batch, n_special=n_special)
    answers = await service.classify(texts, check_read=check_length)
    kept = _check_items(answers, is_batch=is_batch)
    lists = Lists(
        head=found,
        rows=_rank_all(service.classifier, found, wanted, answers, kept),
        is_batch=is_batch,
        is_hugging_face=wanted.is_hugging_face,
        is_calibrated=wanted.function is None,
        answers=answers,
        n_chars=sum(len(text) for text in texts if isinstance(text, str)),
        total_ms=1e3 * (time.perf_counter() - started_s),
    )
    if tei is not None:
        n_tokens = [item.n_tokens for item in answers.items if isinstance(item, Prediction)]
        # Metrics read it once the answer is sent.
        request.state.tei_answer = TeiAnswer(lists.is_batch, answers.timing, lists.total_ms, n_tokens)
    return lists
