"""Owns how to serve: address, threads, limits. What the model is stands in its manifest, never here."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from serving.corrections.address import check_address
from twohands.paragraphs import LIMIT_CHARS
from twohands.runtimes import DEFAULT_RUNTIME, Runtime

LogLevel = Literal["critical", "error", "warning", "info", "debug"]
LogFormat = Literal["json", "text"]
_ORIGIN = r"^https?://[A-Za-z0-9.\-\[\]:]+$"
Origin = Annotated[str, StringConstraints(pattern=_ORIGIN)]
PATTERNS = {_ORIGIN: "http:// or https://, a host, and its port if it has one, such as https://example.org:8443"}


class ServeSettings(BaseModel):
    """Settings of one service process."""

    # No time without end either: JSON cannot say it to workers and clients, and what waits for it could not be ended.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str | None = Field(
        default=None, description="a model folder or the name of one; the released model if not given"
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 is every one of this machine"
    )
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    num_threads: int | None = Field(
        default=None, ge=1, description="most threads; all CPUs granted to this process if not given"
    )
    runtime: Runtime = Field(
        default=DEFAULT_RUNTIME,
        description="what runs the models: onnxruntime, openvino (faster on CPUs with AMX; extra `openvino`), or auto, "
        "which takes openvino there",
    )
    max_body_bytes: int = Field(default=2_000_000, ge=1, description="largest request body")
    max_bodies_bytes: int = Field(
        default=128_000_000,
        ge=1,
        description="bytes of all bodies that each worker holds at once, beyond which requests are refused; the first "
        "64 kB of each do not count",
    )
    max_inputs: int = Field(default=128, ge=1, description="most paragraphs of one request")
    flat_list: Literal["batch", "pair"] = Field(
        default="batch",
        description="what a flat list of texts is to text-embeddings-inference clients: a batch, or a pair",
    )
    limit_chars: int = Field(default=LIMIT_CHARS, ge=1, le=LIMIT_CHARS, description="most characters of one paragraph")
    max_pending: int = Field(
        default=512, ge=1, description="paragraphs admitted and not yet answered, beyond which requests are refused"
    )
    max_queue_tokens: int = Field(
        default=32_768,
        ge=1,
        description="tokens that may wait to be run, beyond which requests are refused; two cores work off some 20,000 "
        "a second",
    )
    request_timeout_s: float = Field(
        default=30, gt=0, description="seconds that a request may wait and run, after which it is refused"
    )
    shutdown_timeout_s: int = Field(
        default=20, ge=1, description="seconds that running requests may take after a signal to stop"
    )
    drain_delay_s: float = Field(
        default=0,
        ge=0,
        description="seconds to go on serving after a signal to stop, with /readyz at 503, for load balancers to see",
    )
    keep_alive_timeout_s: int = Field(
        default=75,
        ge=1,
        description="seconds that a connection is kept on which nothing is asked; longer than the proxy before the "
        "service keeps it",
    )
    log_level: LogLevel = Field(default="warning", description="least level of what is logged to standard error")
    log_format: LogFormat = Field(default="json", description="one JSON object a line, or plain text")
    other_models: tuple[str, ...] = Field(
        default=(), description="further model folders, served under their folder's name or as NAME=DIR"
    )
    models_dir: Path | None = Field(
        default=None, description="a folder whose model folders are all served, each under its name"
    )
    shadow: str | None = Field(
        default=None, description="a model folder that sees a share of the traffic; only its disagreement is counted"
    )
    shadow_share: float = Field(default=0.1, gt=0, le=1, description="share of the requests that the shadow sees")
    api_keys_file: Path | None = Field(
        default=None, description="key file of `twohands keys`; without it no key is asked for, on loopback only"
    )
    insecure: bool = Field(default=False, description="listen beyond this machine without API keys")
    requests_per_minute: int = Field(default=6000, ge=1, description="of each API key that has no bound of its own")
    cors_origins: tuple[Origin, ...] = Field(
        default=(), description="sites whose pages may call the service, as scheme://host[:port]; none if not given"
    )
    max_connections: int = Field(
        default=800, ge=1, description="connections open at once, of each worker, beyond which requests are refused"
    )
    max_header_bytes: int = Field(default=16_384, ge=256, description="largest path and headers of a request")
    body_timeout_s: float = Field(
        default=20,
        gt=0,
        description="seconds for the next piece of a body, and for all of it beyond 500 bytes a second; all of it may "
        "take 600",
    )
    max_document_bytes: int = Field(default=10_000_000, ge=1, description="largest document")
    max_document_paragraphs: int = Field(default=2000, ge=1, description="most paragraphs of one document")
    document_timeout_s: float = Field(
        default=30,
        gt=0,
        description="seconds that the reading of a document may take, and again its waits for room to be classified",
    )
    workers: int = Field(default=1, ge=1, le=256, description="processes that share the address")
    corrections: str | None = Field(
        default=None,
        description="where corrections are kept: sqlite:///FILE, postgresql://USER@HOST/DATABASE, or off for nowhere; "
        "a SQLite file in the user's data folder if not given, made at the first save",
    )
    max_corrections_bytes: int = Field(
        default=1_000_000_000, ge=1, description="bytes that corrections may take up, beyond which none is saved"
    )
    tracing: bool = Field(default=False, description="send OpenTelemetry traces; OTEL_* variables say where to")

    @field_validator("corrections")
    @classmethod
    def _check_corrections(cls, corrections: str | None) -> str | None:
        return check_address(corrections)

    @field_validator("max_pending")
    @classmethod
    def _check_pending(cls, max_pending: int, fields: ValidationInfo) -> int:
        if max_pending < fields.data.get("max_inputs", 0):
            raise ValueError("at least as many as max_inputs, else a full request could never be admitted; raise both")
        return max_pending
