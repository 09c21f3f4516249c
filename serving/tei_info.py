"""Owns the keys that clients of text-embeddings-inference (TEI) look for in `/info`."""

from pydantic import BaseModel, ConfigDict, Field


class TeiClassifier(BaseModel):
    """The labels of the default head by number, and the numbers by label."""

    id2label: dict[str, str]
    label2id: dict[str, int]


class TeiModelType(BaseModel):
    """What kind of model it is."""

    classifier: TeiClassifier


class TeiInfo(BaseModel):
    """The keys of TEI's `/info`; they stand beside this service's own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())

    model_id: str = Field(description="as served_model_name")
    model_sha: str | None = Field(description="digest of the model's manifest")
    model_dtype: str
    served_model_name: str = Field(description="for the field `model` of a request; its own name is `model.name`")
    model_type: TeiModelType
    max_concurrent_requests: int
    max_input_length: int = Field(description="tokens of all windows of a paragraph together")
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None
