"""Owns tensors of the Open Inference Protocol v2: as JSON, and as bytes behind the JSON (the binary extension).

Knows nothing of models: BYTES come in as texts; BYTES, FP32, INT64 and BOOL go out.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from serving.schemas import WholeNumber
from twohands.errors import ProtocolError

_NUMPY_BY_DATATYPE = {"FP32": "<f4", "INT64": "<i8", "BOOL": "?"}
_LENGTH = struct.Struct("<I")
_MAX_RANK = 8
_CONTENT_TYPE = "content_type"
_READ = {"binary_data_size", _CONTENT_TYPE}  # parameters of an input

Datatype = Literal["BYTES", "FP32", "INT64", "BOOL"]


def _read_parameters(value: object) -> object:
    """Null is not given, be it of all parameters or of one: some clients write all their fields down."""
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if each is not None}
    return {} if value is None else value


Parameters = Annotated[
    dict[str, Any],
    BeforeValidator(_read_parameters),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]}, mode="validation"),
]
"""What goes with a request, an input or an output."""


class TensorIn(BaseModel):
    """An input tensor; `data` is absent when it comes as bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(json_schema_extra={"const": "text"})
    shape: list[WholeNumber] = Field(
        min_length=1, max_length=_MAX_RANK, description="as many elements as `data` has, or the bytes behind the JSON"
    )
    datatype: str = Field(json_schema_extra={"const": "BYTES"})
    parameters: Parameters = Field(default_factory=dict)
    data: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class TensorOut:
    """An output tensor, its values row by row."""

    name: str
    datatype: Datatype
    shape: list[int]
    values: Sequence[Any]
    parameters: dict[str, object]

    def to_json(self) -> dict[str, object]:
        """The tensor with its values in JSON."""
        return self.describe() | {"data": list(self.values)}

    def describe(self) -> dict[str, object]:
        """The tensor without its values."""
        described: dict[str, object] = {"name": self.name, "datatype": self.datatype, "shape": self.shape}
        return described | ({"parameters": self.parameters} if self.parameters else {})

    def to_bytes(self) -> bytes:
        """The values alone: a length and UTF-8 for each text, little-endian numbers, one byte for a truth value."""
        if self.datatype == "BYTES":
            encoded = [str(value).encode() for value in self.values]
            return b"".join(_LENGTH.pack(len(text)) + text for text in encoded)
        return np.asarray(self.values, dtype=_NUMPY_BY_DATATYPE[self.datatype]).tobytes()


def split_body(body: bytes, json_length: str | None) -> tuple[bytes, bytes]:
    """Take the JSON and the bytes behind it apart.

    Args:
        body: of the request.
        json_length: the header `Inference-Header-Content-Length`; None when all is JSON.

    Returns:
        The JSON and the rest.

    Raises:
        ProtocolError: the header is no number of bytes of this body.
    """
    if json_length is None:
        return body, b""
    if not (
        json_length.isascii() and json_length.isdigit() and len(json_length) < 12 and int(json_length) <= len(body)
    ):
        raise ProtocolError(f"Inference-Header-Content-Length must be a number of bytes from 0 to {len(body)}")
    return body[: int(json_length)], body[int(json_length) :]


def check_content_type(parameters: Mapping[str, Any], place: str) -> None:
    """Refuse what is no plain text by its own word: base64 would be classified as it stands.

    Args:
        parameters: of a request or an input.
        place: how to call it.

    Raises:
        ProtocolError: it declares another content than text.
    """
    if parameters.get(_CONTENT_TYPE) not in (None, "str"):  # of any type
        raise ProtocolError(f"{place}: content_type must be 'str' or left out; send the text itself")


def _read_binary(tensor: TensorIn, raw: bytes) -> list[object]:
    texts: list[object] = []
    at = 0
    while at < len(raw):
        if at + _LENGTH.size > len(raw):
            raise ProtocolError(f"input '{tensor.name}': its bytes end within a length")
        (n_bytes,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if n_bytes > len(raw) - at:
            raise ProtocolError(f"input '{tensor.name}': element {len(texts)} has fewer bytes than it declares")
        try:
            texts.append(raw[at : at + n_bytes].decode())
        except UnicodeDecodeError as error:
            raise ProtocolError(f"input '{tensor.name}': element {len(texts)} is not UTF-8") from error
        at += n_bytes
    return texts


def _flatten(tensor: TensorIn, values: list[Any]) -> list[object]:
    """Elements row by row; flat values are those already, and nested ones must nest as the shape says."""
    if not any(isinstance(value, list) for value in values):
        return values
    flat: list[Any] = [values]
    for size in tensor.shape:
        if not all(isinstance(value, list) and len(value) == size for value in flat):
            break
        flat = [value for row in flat for value in row]
    else:
        if not any(isinstance(value, list) for value in flat):
            return flat
    raise ProtocolError(f"input '{tensor.name}': its data nest otherwise than its shape says; nest them so, or not")


def read_texts(tensor: TensorIn, raw: bytes) -> list[object]:
    """Read the one BYTES tensor of a request.

    Args:
        tensor: as declared.
        raw: all bytes behind the JSON.

    Returns:
        Its elements, row by row, unchecked but for being as many as the shape says.

    Raises:
        ProtocolError: another datatype, a shape that does not fit, data that nest otherwise, bytes too many or too few,
            or a parameter that would have it read otherwise.
    """
    if tensor.datatype != "BYTES":
        raise ProtocolError(f"input '{tensor.name}': expected datatype BYTES")
    if any(size < 0 for size in tensor.shape):
        raise ProtocolError(f"input '{tensor.name}': a shape has no negative size")
    if "shared_memory_region" in tensor.parameters:
        raise ProtocolError("shared memory is not supported; send the data with the request")
    check_content_type(tensor.parameters, f"input '{tensor.name}'")
    if tensor.parameters.keys() - _READ:
        raise ProtocolError(
            f"input '{tensor.name}': other parameters not supported; only {' and '.join(sorted(_READ))} are"
        )
    declared = tensor.parameters.get("binary_data_size")
    if declared is None:
        if tensor.data is None:
            raise ProtocolError(f"input '{tensor.name}': no data")
        texts, declared = _flatten(tensor, tensor.data), 0
    elif tensor.data is not None:
        raise ProtocolError(f"input '{tensor.name}': data comes as JSON or as bytes, not both")
    else:
        texts = _read_binary(tensor, raw)
    if isinstance(declared, bool) or declared != len(raw):
        raise ProtocolError(f"input '{tensor.name}': {len(raw)} bytes behind the JSON are not what is declared")
    if prod(tensor.shape) != len(texts):
        raise ProtocolError(f"input '{tensor.name}': {len(texts)} elements do not fit its shape")
    return texts
