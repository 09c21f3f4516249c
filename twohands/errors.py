"""Owns the one tree of errors: every fault that a caller can meet has a class and a stable `code`.

Callers match classes or codes, never the text. Messages say what was found, what was expected and what to do.
Knows nothing of HTTP: the status of each class stands in the serving room.
"""

from collections.abc import Mapping

from twohands.error_roots import FaultsError as FaultsError
from twohands.error_roots import TwoHandsError as TwoHandsError


class ConfigError(FaultsError):
    """A config, taxonomy or suite file does not fit its schema."""

    code = "invalid_config"


class DataError(FaultsError):
    """Rows of a data file cannot be used."""

    code = "invalid_data"


class LeakError(DataError):
    """A document or a near-duplicate text stands in two splits."""

    code = "leak_between_splits"


class UnknownColumnError(TwoHandsError):
    """Figures are asked for by a column that no row has."""

    code = "unknown_column"


class TaxonomyMismatchError(TwoHandsError):
    """Models, or a model and answers, do not go together: they share no head, or one has other labels."""

    code = "taxonomy_mismatch"


class FileReadError(TwoHandsError):
    """A file is missing, unreadable or of a kind that is not known."""

    code = "unreadable_file"


class FileWriteError(TwoHandsError):
    """An output cannot be written."""

    code = "unwritable_file"


class ModelNotFoundError(TwoHandsError):
    """No model folder stands at the given name or path."""

    code = "model_not_found"


class ManifestError(FaultsError):
    """A model folder is incomplete, altered or of an unknown schema version."""

    code = "invalid_model_folder"


class GateError(FaultsError):
    """An exported model failed a parity, accuracy or speed gate; no folder was written."""

    code = "export_gate_failed"


class ChecklistGateError(FaultsError):
    """A model fails more behaviour tests of a capability than its bar allows."""

    code = "checklist_gate_failed"


class EncoderError(TwoHandsError):
    """A pre-trained encoder is missing or its digest is not the pinned one."""

    code = "encoder_unavailable"


class RunConflictError(TwoHandsError):
    """The output already exists, or a run to be resumed had other settings."""

    code = "run_conflict"


class MissingExtraError(TwoHandsError):
    """A command needs packages that this installation does not have."""

    code = "missing_extra"


class RayEngineError(TwoHandsError):
    """Ray does not start or is not reached, its machines differ from this one, or an actor died."""

    code = "ray_failed"


class BenchError(TwoHandsError):
    """What is measured does not run, or does not answer as it must; no figure is made of it."""

    code = "bench_failed"


class InputError(TwoHandsError):
    """One paragraph cannot be classified; the others of its batch can."""

    code = "invalid_input"


class EmptyParagraphError(InputError):
    """Nothing is left of a paragraph after normalising, or it has no token."""

    code = "empty_paragraph"


class ParagraphTooLongError(InputError):
    """A paragraph has more characters than the limit."""

    code = "paragraph_too_long"


class InputTypeError(InputError):
    """An input is not a string."""

    code = "input_not_a_string"


class MissingTextError(InputError):
    """A row has no text to classify."""

    code = "missing_text"


class InvalidIdError(InputError):
    """The `id` of a row is neither a string nor a whole number."""

    code = "invalid_id"


class TooManyTokensError(InputError):
    """A paragraph is longer than the model reads, and the caller wants nothing cut."""

    code = "too_many_tokens"


class ProtocolError(TwoHandsError):
    """A request of another protocol does not fit it, or asks for what this service does not do."""

    code = "invalid_request"


class UnknownHeadError(TwoHandsError):
    """A request names a head that the model does not have."""

    code = "unknown_head"


class RowError(InputError):
    """A line of a stream is not JSON, or is neither an object nor a string."""

    code = "invalid_row"


class LineTooLongError(InputError):
    """A line of a stream has more bytes than are read as one row."""

    code = "line_too_long"


class ThresholdError(TwoHandsError):
    """A threshold names no label of the model or is not in [0, 1]."""

    code = "invalid_threshold"


class NonFiniteLogitsError(TwoHandsError):
    """The model answered NaN or an infinity."""

    code = "non_finite_logits"


class WrongAnswersError(TwoHandsError):
    """This machine computes a model's graph otherwise than the one that exported it."""

    code = "wrong_answers"


class BodyTooLargeError(TwoHandsError):
    """A request's body has more bytes than the service reads."""

    code = "body_too_large"


class MediaTypeError(TwoHandsError):
    """A request's body is not declared as JSON."""

    code = "unsupported_media_type"


class JsonError(TwoHandsError):
    """A request's body is not JSON as RFC 8259 has it."""

    code = "invalid_json"


class TooManyInputsError(TwoHandsError):
    """A request has more paragraphs than the service takes at once."""

    code = "too_many_inputs"


class OverloadedError(TwoHandsError):
    """So much work waits already that this request would only wait in vain; try again later."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        """Say what waits and what is too much, and in how many whole seconds there should be room."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineError(OverloadedError):
    """A request waited longer than a request may take; what was left of it was dropped."""

    code = "deadline_exceeded"


class NotReadyError(TwoHandsError):
    """The service runs, but its model is not loaded and warm yet."""

    code = "not_ready"


class EngineStoppedError(TwoHandsError):
    """The service is stopping; work that has not begun is handed back."""

    code = "engine_stopped"


class AddressError(TwoHandsError):
    """The service cannot listen on the address it was given."""

    code = "address_unavailable"


class CheckpointError(TwoHandsError):
    """A folder is not a checkpoint that this project made."""

    code = "no_checkpoint"


class RateLimitedError(OverloadedError):
    """A key asked more often than it may; `retry_after_s` says when it may again."""

    code = "rate_limited"


class UnauthorizedError(TwoHandsError):
    """A request carries no API key, or one that is not known."""

    code = "unauthorized"
    headers: Mapping[str, str] = {"www-authenticate": "Bearer"}


class UnknownKeyError(TwoHandsError):
    """A key file has no key of the id that was asked for."""

    code = "unknown_key"


class ForbiddenError(TwoHandsError):
    """A request may not do what it asks for, whoever sent it or with this key."""

    code = "forbidden"


class TooManyConnectionsError(TwoHandsError):
    """So many connections are open already that this one is answered only to be closed; try again later."""

    code = "too_many_connections"


class HeadersTooLargeError(TwoHandsError):
    """A request's headers have more bytes, or are more, than the service reads."""

    code = "headers_too_large"


class BodyTimeoutError(TwoHandsError):
    """A request's body came too slowly to be waited for."""

    code = "body_timeout"
    headers: Mapping[str, str] = {"connection": "close"}


class InsecureAddressError(TwoHandsError):
    """The service would listen beyond this machine without asking for keys."""

    code = "insecure_address"


class UnknownModelError(TwoHandsError):
    """A request names a model that is not served."""

    code = "unknown_model"


class ReloadError(TwoHandsError):
    """A model cannot be exchanged; the one that served goes on."""

    code = "reload_refused"


class DocumentError(TwoHandsError):
    """A document cannot be read, or holds no text."""

    code = "unreadable_document"


class DocumentReaderError(TwoHandsError):
    """The process that reads foreign documents does not start; no fault of the document."""

    code = "reader_failed"


class CorrectionsDisabledError(TwoHandsError):
    """The service keeps no corrections."""

    code = "corrections_disabled"


class CorrectionLabelsError(TwoHandsError):
    """A correction names a head or label that the model does not have, or none at all."""

    code = "invalid_labels"


class CorrectionNotFoundError(TwoHandsError):
    """No correction has the id that was asked for."""

    code = "correction_not_found"


class CorrectionsUnavailableError(TwoHandsError):
    """The database of corrections cannot be used; `reason` is for who runs it, not for who asks."""

    code = "corrections_unavailable"

    def __init__(self, message: str, *, reason: str) -> None:
        """Take a message for who asks, and a reason for who runs the service: files, hosts, revisions, never texts."""
        super().__init__(message)
        self.reason = reason


class CorrectionsFullError(TwoHandsError):
    """The corrections take up all the room that they may."""

    code = "corrections_full"


class ServiceError(TwoHandsError):
    """A service, asked by our own client, answered with an error; `code` is the service's own."""

    code = "service_error"

    def __init__(
        self, message: str, code: str, *, status: int | None = None, request_id: str | None = None,
        retry_after_s: float | None = None, is_passing: bool = False,
    ) -> None:  # fmt: skip
        """Keep what it said; its log names the `request_id`, and asking again may help if `is_passing`."""
        super().__init__(message)
        self.code, self.status, self.request_id = code, status, request_id
        self.retry_after_s, self.is_passing = retry_after_s, is_passing


class ServiceUnreachableError(ServiceError):
    """A service gave no answer."""

    code = "service_unreachable"

    def __init__(self, message: str, *, is_passing: bool) -> None:
        """Say why, and whether asking again may help."""
        super().__init__(message, self.code, is_passing=is_passing)
