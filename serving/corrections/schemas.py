"""Owns what a correction is: as it is sent, changed, kept and answered. Knows nothing of databases."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from serving.schemas import READABLE, LabelName, ModelIdentity, read_whole
from twohands.prediction import AnyOf, OneOf, read_prediction
from twohands.taxonomy import Head, Label, ProblemType

Status = Literal["pending", "accepted", "rejected"]
STATUSES: tuple[Status, ...] = ("pending", "accepted", "rejected")
MAX_NOTE_CHARS, MAX_NAME_CHARS = 4000, 500
MAX_PREDICTION_BYTES = 200_000
MAX_MODEL_CHARS = 256


def _drop_nul(text: str) -> str:
    """PostgreSQL keeps no NUL; it is no part of a text, and the model never sees it."""
    return text.replace("\x00", "")


def make_head(name: str, answer: OneOf | AnyOf) -> Head:
    """The head that an answer is of, as far as the answer tells it.

    Args:
        name: of the head.
        answer: kept beside a correction.

    Returns:
        The head, whose labels are their own descriptions.

    Raises:
        ValueError: no model can have given this answer.
    """
    problem_type = ProblemType.ANY_OF if isinstance(answer, AnyOf) else ProblemType.ONE_OF
    labels = [Label(name=label, description=label) for label in answer.scores]
    return Head(name=name, problem_type=problem_type, labels=labels)


def _check_prediction(prediction: dict[str, Any]) -> dict[str, Any]:
    # 1e400 is JSON and is read as infinity, which is none when written again: one such row would spoil every list.
    n_bytes = len(json.dumps(prediction, ensure_ascii=False, allow_nan=False).encode())
    if n_bytes > MAX_PREDICTION_BYTES:
        raise ValueError(f"{n_bytes} bytes, at most {MAX_PREDICTION_BYTES} are kept")
    try:
        heads = read_prediction(prediction).heads
        for name, answer in heads.items():
            make_head(name, answer)  # the export makes it again, and one that fails there would fail all
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError("expected a prediction as the service answered it, or null") from error
    if not heads:
        raise ValueError("the prediction answers no head")
    return prediction


LabelWord = Annotated[str, StringConstraints(max_length=64)]
_LabelWords = Annotated[list[LabelWord], Field(max_length=1000)]
# That there must be one is said here and checked with the taxonomy, whose fault names the heads.
Labels = Annotated[
    dict[LabelName, LabelWord | _LabelWords | None], Field(max_length=64, json_schema_extra={"minProperties": 1})
]
Note = Annotated[str, StringConstraints(max_length=MAX_NOTE_CHARS), AfterValidator(_drop_nul)]
Origin = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARS), AfterValidator(_drop_nul)]
Prediction = Annotated[dict[str, Any], AfterValidator(_check_prediction)]
Confidence = Annotated[int, Field(ge=1, le=3), BeforeValidator(read_whole)]
_LABELS = "head -> its right label, or list of labels for an any-of head; null where nothing is said"
_CONFIDENCE = "how sure the reader is, 3 the surest"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CorrectedModel(_Strict):
    """Which model answered; names are bounded, since they are kept."""

    name: str = Field(min_length=1, max_length=MAX_MODEL_CHARS)
    version: str = Field(max_length=MAX_MODEL_CHARS)
    sha256: str = Field(max_length=MAX_MODEL_CHARS)


class CorrectionRequest(_Strict):
    """A paragraph and its right labels, to be kept."""

    text: Annotated[str, AfterValidator(_drop_nul)] = Field(
        description="the paragraph as it was classified", json_schema_extra=READABLE
    )
    labels: Labels = Field(description=_LABELS)
    confidence: Confidence | None = Field(default=None, description=_CONFIDENCE)
    note: Note | None = Field(default=None, description="why, in the reader's words")
    source: Origin | None = Field(default=None, description="where the text is from")
    group: Origin | None = Field(
        default=None, description="the document; paragraphs of one never straddle two splits of training data"
    )
    prediction: Prediction | None = Field(default=None, description="what the model answered, as it answered it")
    model: CorrectedModel | None = Field(default=None, description="the `model` of that answer")


def _describe_change(schema: dict[str, Any]) -> None:
    """Say in the schema what the validator asks for: something to change, and no null where null means nothing."""
    schema["minProperties"] = 1
    for name in ("status", "labels"):
        told = schema["properties"][name]
        (kept,) = [option for option in told.pop("anyOf") if option.get("type") != "null"]
        told.pop("default", None)
        schema["properties"][name] = kept | told


class CorrectionChange(_Strict):
    """What a reviewer changes; what is absent stays."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra=_describe_change)

    status: Status | None = None
    labels: Labels | None = Field(default=None, description=f"all of them anew: {_LABELS}")
    confidence: Confidence | None = Field(default=None, description=f"{_CONFIDENCE}; null takes it back")
    note: Note | None = Field(default=None, description="null takes it back")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change; send status, labels, confidence or note")
        for name in ("status", "labels"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null; leave it out to keep it")
        return self


class Correction(BaseModel):
    """A correction that is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(description="a UUID that begins with the time: later ones sort behind")
    created: datetime
    updated: datetime = Field(description="of the last change")
    status: Status
    text: str
    labels: dict[str, str | list[str] | None] = Field(description=_LABELS)
    confidence: int | None = Field(description=_CONFIDENCE)
    note: str | None
    source: str | None
    group: str | None
    prediction: dict[str, Any] | None
    model: ModelIdentity | None
    created_by: str | None = Field(description="id of the API key that saved it; null where none was asked for")
    updated_by: str | None = Field(description="id of the API key that changed it last")
    annotator: str | None = Field(
        default=None, description="id of the API key that set these labels; null where none was asked for, or not known"
    )


class Clash(BaseModel):
    """How many of the newest 1,000 corrections of the same text give a head other labels, rejected ones left aside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_newer: int = Field(description="labelled later, pending ones too; training rows take the newest accepted one")
    n_older: int = Field(description="labelled before, pending ones too")


class CorrectionsResponse(BaseModel):
    """One page of corrections, the latest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corrections: list[Correction]
    next: str | None = Field(description="`after` of the next page; null on the last")
    total: int = Field(description="all with this status, on whatever page")
    clashes: dict[str, Clash] = Field(description="by id, those of the page that others of the same text contradict")
