"""Owns what a model folder is: `manifest.json`, its schema, its digests, and how a folder comes to be."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from twohands.cautions import Caution
from twohands.errors import ManifestError, ModelNotFoundError, RunConflictError
from twohands.hashing import find_altered, sha256_of_file
from twohands.scores import DecisionRule, Platt, Temperature
from twohands.scratch import bring_back, open_scratch, put_in_place
from twohands.taxonomy import Head, ProblemType, Taxonomy, describe_faults
from twohands.windows import WindowRule

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
GRAPH_NAME = "model.onnx"
TOKENIZER_NAME = "tokenizer.json"
REQUIRED_FILES = {
    GRAPH_NAME, TOKENIZER_NAME, "config.json", "README.md", "metrics.json", "parity.json", "train_config.yaml"
}  # fmt: skip

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderInfo(_Section):
    """Where the fine-tuned encoder came from."""

    name: str
    sha256: Sha256 = Field(description="of its weights before fine-tuning")
    license: str


class DataFile(_Section):
    """One file that the model was fitted, selected or reported on."""

    split: str
    name: str
    sha256: Sha256
    n_rows: int = Field(ge=0)


class TrainingData(_Section):
    """What the model learnt from."""

    fingerprint: Sha256 = Field(description="of all training rows, in a canonical order")
    files: list[DataFile]


class GraphInfo(_Section):
    """What `model.onnx` is."""

    precision: str = Field(description="int8 or fp32")
    recipe: str = Field(description="how it was fused and quantised")
    inputs: list[str]
    size_bytes: int = Field(gt=0)


class ExportMachine(_Section):
    """Where the gates were measured: int8 kernels differ by CPU."""

    cpu_model: str
    cpu_flags: list[str] = Field(description="those that matter for int8 and bf16")
    onnxruntime: str


class CascadeInfo(_Section):
    """The second model of a cascade, whose first is the graph of the folder itself."""

    name: FileName = Field(description="of its folder, which stands in this one, beside it, or among the models")
    version: str
    sha256: Sha256 = Field(description="of its manifest")
    doubt: float = Field(ge=0, le=1, description="of the first, from which on the second is asked, too")
    calibrations: dict[str, Annotated[Temperature | Platt, Field(discriminator="method")]] = Field(
        description="of the first model alone, by head; the decisions above are of what both say"
    )

    @property
    def identity(self) -> dict[str, str]:
        """The second model as answers name models."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


def _check_calibration(where: str, head: Head, calibration: Temperature | Platt) -> None:
    is_any_of = head.problem_type is ProblemType.ANY_OF
    if is_any_of != isinstance(calibration, Platt):
        raise ValueError(f"{where}: platt belongs to any-of heads, temperature to one-of heads")
    if isinstance(calibration, Platt) and any(
        len(values) != len(head.labels) for values in (calibration.slopes, calibration.intercepts)
    ):
        raise ValueError(f"{where}: one slope and intercept for each label")


class HeadEntry(Head):
    """A head and how its logits are decided."""

    decision: DecisionRule

    @model_validator(mode="after")
    def _check_decision(self) -> Self:
        where, thresholds = f"head {self.name!r}", self.decision.thresholds
        _check_calibration(where, self, self.decision.calibration)
        if (self.problem_type is ProblemType.ANY_OF) != (thresholds is not None):
            raise ValueError(f"{where}: any-of heads need thresholds, one-of heads have none")
        if thresholds is not None and len(thresholds) != len(self.labels):
            raise ValueError(f"{where}: one threshold for each label")
        return self


class Manifest(_Section):
    """The whole of what a model is; settings only say how to serve it."""

    schema_version: int
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    created: str = Field(description="UTC, ISO 8601")
    license: str
    encoder: EncoderInfo
    heads: list[HeadEntry] = Field(min_length=1)
    window: WindowRule
    graph: GraphInfo
    training_data: TrainingData
    metrics: dict[str, object] = Field(description="headline figures with intervals, by split; all in metrics.json")
    export_machine: ExportMachine
    files: dict[FileName, Sha256] = Field(description="every other file of the folder")
    usual_cautions: list[Caution] = Field(
        default=[], description="warnings that it does not give, as many of its training rows would get them"
    )
    cascade: CascadeInfo | None = Field(default=None, description="of a cascade: which model is asked second, and when")

    @model_validator(mode="after")
    def _check_cascade(self) -> Self:
        heads = {head.name: head for head in self.heads}
        if self.cascade is None:
            return self
        if self.cascade.calibrations.keys() != heads.keys():
            raise ValueError(f"cascade: calibrations are of {', '.join(self.cascade.calibrations)}; expected each head")
        for name, calibration in self.cascade.calibrations.items():
            _check_calibration(f"cascade: head {name!r}", heads[name], calibration)
        return self

    @property
    def taxonomy(self) -> Taxonomy:
        """The heads without their decisions."""
        return Taxonomy(heads=[Head.model_validate(head.model_dump(exclude={"decision"})) for head in self.heads])

    @property
    def rules(self) -> dict[str, DecisionRule]:
        """Decisions by head name."""
        return {head.name: head.decision for head in self.heads}


def _check_files(folder: Path, listed: Mapping[str, str]) -> list[str]:
    faults = [f"{name}: not listed in {MANIFEST_NAME}" for name in sorted(REQUIRED_FILES - set(listed))]
    return faults + find_altered(folder, listed)


def load_manifest(folder: Path) -> tuple[Manifest, str]:
    """Read and verify a model folder.

    Args:
        folder: `models/<name>`.

    Returns:
        The manifest, and the SHA-256 of `manifest.json`, which names this model exactly.

    Raises:
        ModelNotFoundError: there is no such folder, or it has no manifest.
        ManifestError: the manifest does not fit its schema, or files are missing or altered; all faults at once.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise ModelNotFoundError(f"{folder} is not a model folder: it has no {MANIFEST_NAME}")
    heading = f"{folder} is not a sound model folder; fetch or export it again"
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ManifestError(heading, [f"{MANIFEST_NAME} is not JSON: {error}"]) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        fault = f"schema_version is {version!r}, this release reads {SCHEMA_VERSION}"
        raise ManifestError(heading, [fault])
    faults: list[str] = []
    manifest = None
    try:
        manifest = Manifest.model_validate(content)
        _ = manifest.taxonomy
    except ValidationError as error:
        faults += [f"{MANIFEST_NAME}: {fault}" for fault in describe_faults(error)]
    listed = content.get("files")
    if isinstance(listed, dict):
        # Names are checked by the schema; only plain ones are opened, whatever the file says.
        plain = {name: str(digest) for name, digest in listed.items() if Path(name).name == name}
        faults += _check_files(folder, plain)
    if manifest is None or faults:
        raise ManifestError(heading, faults)
    return manifest, sha256_of_file(path)


def check_output_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse what no model folder may be written to, before hours of work for it.

    Args:
        folder: the model folder to be.
        overwrite: replace a folder that is already there.

    Raises:
        RunConflictError: `folder` exists and may not be replaced, or is something other than a model folder.
    """
    bring_back(folder, whole=MANIFEST_NAME)
    if folder.exists() and not overwrite:
        raise RunConflictError(f"{folder} already exists; choose another --output, or pass --overwrite to replace it")
    is_foreign = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if is_foreign and not (folder / MANIFEST_NAME).is_file():
        raise RunConflictError(
            f"{folder} holds something that is not a model folder; it is left alone: choose another --output"
        )


@contextmanager
def build_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder` when the block ends well, and vanishes when it does not.

    What a process that was killed left behind is removed by the next one that builds the same folder.

    Args:
        folder: the model folder to be; its parent is made.
        overwrite: replace a folder that is already there.

    Yields:
        A temporary folder beside it, on the same file system, so that the rename is one step.

    Raises:
        RunConflictError: `folder` exists and may not be replaced, or is something other than a model folder.
    """
    check_output_folder(folder, overwrite=overwrite)
    place = Path(os.path.realpath(folder))  # of a link what it points to: the link itself would be put away for good
    place.parent.mkdir(parents=True, exist_ok=True)
    with open_scratch(place) as temporary:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp keeps others out; a served folder is read by another user
        put_in_place(temporary, place, scratch=temporary)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, with the digests of the files as they now stand.

    Args:
        folder: holds every other file.
        manifest: its `files` are replaced.

    Raises:
        ManifestError: what was written does not load again.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != MANIFEST_NAME)
    full = manifest.model_copy(update={"files": {name: sha256_of_file(folder / name) for name in names}})
    # A key that came later stands only where it says something: older releases read all other folders as before.
    later = {name for name in ("usual_cautions", "cascade") if not getattr(full, name)}
    text = json.dumps(full.model_dump(mode="json", exclude=later), indent=2, ensure_ascii=False) + "\n"
    with (folder / MANIFEST_NAME).open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    load_manifest(folder)
