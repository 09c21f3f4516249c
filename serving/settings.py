"""Owns how to serve: address, threads, limits. What the model is stands in its manifest, never here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from twohands.paragraphs import LIMIT_CHARS

LogLevel = Literal["critical", "error", "warning", "info", "debug"]


class ServeSettings(BaseModel):
    """Settings of one service process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    max_body_bytes: int = Field(default=2_000_000, ge=1, description="largest request body")
    max_inputs: int = Field(default=128, ge=1, description="most paragraphs of one request")
    limit_chars: int = Field(default=LIMIT_CHARS, ge=1, le=LIMIT_CHARS, description="most characters of one paragraph")
    max_pending: int = Field(
        default=512, ge=1, description="paragraphs admitted and not yet answered, beyond which requests are refused"
    )
    shutdown_timeout_s: int = Field(
        default=20, ge=1, description="seconds that running requests may take after a signal to stop"
    )
    log_level: LogLevel = Field(default="warning", description="least level of what is logged to standard error")

    @field_validator("max_pending")
    @classmethod
    def _check_pending(cls, max_pending: int, fields: ValidationInfo) -> int:
        if max_pending < fields.data.get("max_inputs", 0):
            raise ValueError("at least as many as max_inputs, else a full request could never be admitted; raise both")
        return max_pending
