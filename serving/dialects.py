"""Owns in which shape a failure is told: each protocol's clients read their own, found by the path of the request.

Statuses too differ where a protocol has its own for the same fault. Knows nothing of exceptions.
"""

from collections.abc import Callable

Told = tuple[int, dict[str, object] | None]
"""Status and body; None is an empty body."""
Dialect = Callable[[int, str, str, str], Told]
"""Status, code, message and request id as this service has them -> as a protocol has them."""

_TEI_TYPE_BY_STATUS = {429: "Overloaded", 503: "Unhealthy", 500: "Backend"}
# Text-embeddings-inference answers a fault of the model with 424, not 500.
_TEI_STATUS_BY_TYPE = {"Backend": 424, "Empty": 400}


def _tell_own(status: int, code: str, message: str, request_id: str) -> Told:
    return status, {"error": {"code": code, "message": message, "request_id": request_id}}


def _tell_hugging_face(status: int, code: str, message: str, request_id: str) -> Told:
    """The shape of text-embeddings-inference; the Hub's client shows `error`, and the request id of the header."""
    del request_id
    error_type = "Empty" if code == "empty_paragraph" else _TEI_TYPE_BY_STATUS.get(status, "Validation")
    return _TEI_STATUS_BY_TYPE.get(error_type, status), {"error": message, "error_type": error_type}


def _tell_text_embeddings(status: int, code: str, message: str, request_id: str) -> Told:
    return (401, None) if status == 401 else _tell_hugging_face(status, code, message, request_id)


def _tell_inference_v2(status: int, code: str, message: str, request_id: str) -> Told:
    del code, request_id
    # Triton and KServe answer every wrong request with 400.
    return 400 if status == 422 else status, {"error": message}


def _tell_label_studio(status: int, code: str, message: str, request_id: str) -> Told:
    # Label Studio shows the body as it comes.
    return status, {"error": message, "code": code, "request_id": request_id}


# Routes of text-embeddings-inference for other kinds of models: what is not served here its clients read, too.
_NOT_SERVED = ("/decode", "/embed", "/embed_all", "/embed_sparse", "/rerank", "/similarity", "/tokenize", "/vertex")
_DIALECT_BY_PATH: dict[str, Dialect] = {
    "/": _tell_hugging_face,
    "/predict": _tell_text_embeddings,
    "/invocations": _tell_text_embeddings,
    "/health": _tell_text_embeddings,
    "/ping": _tell_text_embeddings,
    "/v2": _tell_inference_v2,
    "/label-studio": _tell_label_studio,
    **dict.fromkeys(_NOT_SERVED, _tell_text_embeddings),
}
_DIALECT_BY_PREFIX: dict[str, Dialect] = {
    "/models/": _tell_hugging_face,
    "/v2/": _tell_inference_v2,
    "/label-studio/": _tell_label_studio,
}


def is_of_protocol(path: str) -> bool:
    """Whether a path belongs to a protocol of other people's clients."""
    return path in _DIALECT_BY_PATH or path.startswith(tuple(_DIALECT_BY_PREFIX))


def tell_failure(path: str, *, status: int, code: str, message: str, request_id: str) -> Told:
    """Put a failure into the words of the protocol that a path belongs to.

    Args:
        path: of the request; one of no protocol gets this service's own shape.
        status: as this service has it.
        code: stable.
        message: for people.
        request_id: by which the log and the caller speak of the same request.

    Returns:
        Status and body.
    """
    by_prefix = (dialect for prefix, dialect in _DIALECT_BY_PREFIX.items() if path.startswith(prefix))
    dialect = _DIALECT_BY_PATH.get(path) or next(by_prefix, _tell_own)
    return dialect(status, code, message, request_id)
