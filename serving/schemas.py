"""Owns what requests and answers look like, whatever heads a model has; `openapi.py` adds those of a loaded one."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar, get_args

from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from serving.failures import MAX_FAULTS
from serving.strict_json import Mend, Place, TooManyValuesError, read_json
from serving.tei_info import TeiInfo
from twohands.cautions import Caution
from twohands.errors import BodyTooLargeError, InputTypeError, JsonError
from twohands.taxonomy import ProblemType

SchemaT = TypeVar("SchemaT", bound=BaseModel)
# More are only counted: a small body may have a million, and to list them takes seconds, on the event loop (#4).
_MOST_LISTED = 2000
Score = Annotated[float, Field(ge=0, le=1)]
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]


_WORD_BY_TYPE = {
    type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"
}  # fmt: skip


def name_kind(value: object) -> str:
    """What a value of a body is, in JSON's words and not Python's."""
    return _WORD_BY_TYPE.get(type(value), "an object")


def check_text_or_list(value: object) -> object:
    """Refuse what is neither, in one sentence; pydantic would tell of each of the two, and name them its own way."""
    if not isinstance(value, str | list):
        found = name_kind(value)
        raise ValueError(f"expected a string or a list of strings, found {found}")  # noqa: TRY004 - pydantic's own
    return value


def _check_inputs(value: object) -> object:
    check_text_or_list(value)
    if value == []:
        raise ValueError("the list is empty; send at least one text")
    return value


def read_whole(value: object) -> object:
    """Take 3.0 for 3, as JSON Schema does; anything else stays as it is, for pydantic to judge."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WholeNumber = Annotated[int, BeforeValidator(read_whole)]
"""An integer as JSON Schema has it: 3.0 is one too."""


# Items are checked one by one where they are encoded: a bad one answers in its place and the others succeed.
# A character of a common script at the least, all of them assigned: `\S` would also promise to take private and
# unassigned ones, of which `normalise` leaves nothing. Rarer scripts are read too; a class that named them all is one
# that tools which draw texts from it are slow with.
_READABLE = (
    r"[!-~\u00a1-\u00ac\u00ae-\u024f\u0391-\u03a1\u03a3-\u03ff\u0400-\u052f\u05d0-\u05ea\u0620-\u064a\u0905-\u0939"
    r"\u0e01-\u0e30\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fef\uac00-\ud7a3]"
)
READABLE: dict[str, Any] = {"minLength": 1, "pattern": _READABLE}
TEXT_SCHEMA: dict[str, Any] = {"type": "string", **READABLE}
_ITEM_SCHEMA = {"description": "a text; anything else answers with an error in its place"}
_INPUTS_SCHEMA = {"anyOf": [TEXT_SCHEMA, {"type": "array", "items": _ITEM_SCHEMA, "minItems": 1}]}
Inputs = Annotated[str | list[Any], BeforeValidator(_check_inputs), WithJsonSchema(_INPUTS_SCHEMA, mode="validation")]


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ClassifyRequest(_Schema):
    """Paragraphs to classify: one, or a list."""

    inputs: Inputs = Field(description="one paragraph, or a list of them; a bad item of a list answers in its place")
    explain: bool = Field(
        default=False, description="also say which sentence carries each answer; up to 17 times the work"
    )
    model: str | None = Field(
        default=None, max_length=256, description="which of the models in /v1/models; the default one if not given"
    )
    thresholds: dict[LabelName, Score] = Field(
        default_factory=dict,
        max_length=256,
        description="label of an any-of head -> score from which it is given; name of a one-of head -> score below "
        "which the answer is marked as abstained; what is absent keeps the model's own value",
    )


class ModelIdentity(_Schema):
    """Which model answered."""

    name: str
    version: str
    sha256: str = Field(description="digest of the model's manifest, which holds the digests of all its files")


class ItemFailure(_Schema):
    """Why one paragraph was not classified."""

    code: str
    message: str


class FailedItem(_Schema):
    """Stands in the place of a paragraph that could not be classified."""

    error: ItemFailure


class OneOfAnswer(_Schema):
    """Exactly one label."""

    label: str
    score: Score = Field(description="of the label, calibrated")
    scores: dict[str, Score] = Field(description="of every label; they sum to 1")
    abstained: bool = Field(description="the score is below the abstention level: better leave it to a reader")


class AnyOfAnswer(_Schema):
    """Any number of labels, none among them."""

    labels: list[str]
    scores: dict[str, Score] = Field(description="of every label, each on its own, calibrated")


class Evidence(_Schema):
    """The sentence that carries an answer; neighbours stand together where a paragraph has more than 16."""

    sentence: str
    start: int = Field(ge=0, description="its first character in the text that was sent")
    end: int = Field(ge=1, description="the character after its last")
    drop: Score | None = Field(
        description="how far the score falls when it is left out; null when there is no other sentence"
    )


class Prediction(BaseModel):
    """One classified paragraph: an answer for each head, and what was read."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, OneOfAnswer | AnyOfAnswer]

    n_tokens: int = Field(ge=1, description="tokens of the whole paragraph")
    n_windows: int = Field(ge=1, description="overlapping pieces it was read in")
    truncated: bool = Field(description="whether tokens at its end were not read")
    n_tokens_cut: int = Field(ge=0, description="how many were not read")
    evidence: dict[str, Evidence | dict[str, Evidence | None] | None] | None = Field(
        description="null unless asked for; by head, and for any-of heads by each given label; null where no single "
        "sentence lowers the score by 0.02 or more"
    )
    warnings: list[Caution] = Field(description="signs that the text is not what the model was made for")


class ClassifyResponse(_Schema):
    """One prediction or error for each input, in order."""

    model: ModelIdentity
    predictions: list[Prediction | FailedItem]


class Failure(_Schema):
    """Why a request failed."""

    code: str = Field(description="stable; match this, not the message")
    message: str
    request_id: str


class FailureResponse(_Schema):
    """The answer to every request that fails as a whole."""

    error: Failure


class StatusResponse(_Schema):
    """A sign of life."""

    status: Literal["alive", "ready"]


class LabelInfo(_Schema):
    """A label of the model."""

    name: str
    description: str
    threshold: Score | None = Field(description="any-of: the label is given from this score on; null for one-of")


class HeadInfo(_Schema):
    """A head of the model."""

    name: str
    problem_type: ProblemType
    labels: list[LabelInfo]
    abstention: Score | None = Field(description="one-of: below this score the answer is marked as abstained")
    poles: list[str] | None = Field(description="labels that a document is weighed between, 1 and -1; null for none")


class WindowInfo(_Schema):
    """How long text is read."""

    max_tokens: int
    overlap_tokens: int
    max_windows: int


class LimitsInfo(_Schema):
    """What a request may hold."""

    max_body_bytes: int
    max_inputs: int
    limit_chars: int
    max_pending: int
    max_queue_tokens: int
    request_timeout_s: float
    max_document_bytes: int
    max_document_paragraphs: int


class InfoResponse(TeiInfo):
    """What is served, and how; with it the keys that clients of text-embeddings-inference look for."""

    model: ModelIdentity
    license: str
    created: str
    encoder: str
    precision: str
    second: ModelIdentity | None = Field(description="of a cascade: the model asked where the first is in doubt")
    heads: list[HeadInfo]
    window: WindowInfo
    metrics: dict[str, Any] = Field(description="headline figures of the model's own report, by split")
    threads: int
    runtime: str = Field(description="what runs the model, and where it is not the graph's own, in what precision")
    corrections: bool = Field(description="whether /v1/corrections keeps what readers save")
    limits: LimitsInfo
    versions: dict[str, str]


def _find_schemas(annotation: object) -> Iterator[type[BaseModel]]:
    """The schemas of objects that a field, or each of its items, may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _find_schemas(part)


def _tell_object(schema: type[BaseModel], fault: ErrorDetails) -> dict[str, Any]:
    """Add to a fault what the object that it is of may hold and must hold, where it holds another field or is none."""
    told: dict[str, Any] = {**fault}
    place = fault["loc"][:-1] if fault["type"] == "extra_forbidden" else fault["loc"]
    if fault["type"] not in {"extra_forbidden", "model_type"}:
        return told
    found: type[BaseModel] | None = schema
    for part in place:
        if isinstance(part, str) and found is not None:
            field = found.model_fields.get(part)
            found = next(_find_schemas(field.annotation), None) if field is not None else None
    return told if found is None else told | _name_fields(found)


def _name_fields(schema: type[BaseModel]) -> dict[str, list[str]]:
    described = schema.model_json_schema()
    return {"known": [*described.get("properties", {})], "required": described.get("required", [])}


def _list_faults(schema: type[BaseModel], error: ValidationError) -> list[Any]:
    """The faults of a body; only those that are told say what an object may hold, which takes a millisecond each."""
    n_faults = error.error_count()
    if n_faults > _MOST_LISTED:
        message = f"{n_faults} faults, too many to name"
        return [{"type": "too_many_faults", "loc": (), "msg": message} | _name_fields(schema)]
    faults = error.errors(include_url=False, include_input=False)
    return [*(_tell_object(schema, fault) for fault in faults[:MAX_FAULTS]), *faults[MAX_FAULTS:]]


def _mend_input(place: Place, fault: str) -> InputTypeError | None:
    """Let an item of `inputs` that has half a surrogate pair answer in its place, as other bad items do."""
    if place == ("inputs",):
        raise InputTypeError(fault)  # a single bad text fails the request
    return InputTypeError(fault) if place[:1] == ("inputs",) and len(place) == 2 else None


def parse_request(body: bytes) -> ClassifyRequest:
    """Read the body of /v1/classify.

    Args:
        body: bytes as they came.

    Returns:
        The checked request; among its `inputs`, an error stands for an item that has half a surrogate pair.

    Raises:
        InputTypeError: its only text has one.
        BodyTooLargeError: see `parse_as`.
        JsonError: likewise.
        RequestValidationError: likewise.
    """
    return parse_as(ClassifyRequest, body, mend=_mend_input)


def parse_as(schema: type[SchemaT], body: bytes, *, mend: Mend | None = None) -> SchemaT:
    """Read a body as strictly as `read_json` does.

    Args:
        schema: what the body must be.
        body: bytes as they came.
        mend: as in `read_json`.

    Returns:
        The checked request.

    Raises:
        BodyTooLargeError: it has more values than are read, whatever its bytes.
        JsonError: the body is not JSON; the message says where, not what.
        RequestValidationError: it is JSON of another shape.
    """
    try:
        # Some editors and shells put a byte order mark before what they write; RFC 8259 lets a reader pass over it.
        content = read_json(body.removeprefix(b"\xef\xbb\xbf"), name="the body", mend=mend)
    except TooManyValuesError as error:
        raise BodyTooLargeError(str(error)) from error
    except ValueError as error:
        raise JsonError(str(error)) from error
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise RequestValidationError(_list_faults(schema, error)) from error
