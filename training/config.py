"""Owns the schema of a run: one YAML file is one run. No value has a default here; the values stand in YAML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from training.overrides import apply_override
from training.upgrade import upgrade_dumped
from twohands.errors import ConfigError
from twohands.locate import find_config, find_rows
from twohands.taxonomy import Taxonomy, describe_faults, load_taxonomy, read_yaml
from twohands.windows import WindowRule

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Recipe = Literal["plain-int8", "fused-int8", "fused-int8-early", "plain-int8-ffn", "fused-int8-ffn"]


_COMMIT, _SHA256 = r"^[0-9a-f]{40}$", r"^[0-9a-f]{64}$"
_RUN_NAME, _VERSION = r"^[a-z0-9][a-z0-9._-]*$", r"^\d+\.\d+\.\d+$"
_PATTERNS = {
    _COMMIT: "a commit of 40 hex digits",
    _SHA256: "64 hex digits in small letters",
    _RUN_NAME: "small letters, digits, ., _ and -, with a letter or digit first",
    _VERSION: "three numbers, such as 1.0.0",
}


def _expand_home(path: Path) -> Path:
    """A shell leaves the ~ of `--set data.root=~/rows` as it is."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path.parts[0]} has no home folder here; write the path out") from error


def _spell_version(value: object) -> object:
    """The number that YAML reads 0.2 as, as its word: quotation marks alone would not make a version of it."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


HomePath = Annotated[Path, AfterValidator(_expand_home)]


class _Section(BaseModel):
    # YAML has words for infinity and no number, and a gate of infinity would never fail.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(_Section):
    """Where labelled rows are."""

    root: HomePath | None = Field(description="folder that the paths below start from; null for the working folder")
    train: list[str] = Field(
        min_length=1,
        description="files, folders, or hub:NAME#SPLIT; relative to root, or to the working folder with ./",
    )
    labels: list[str] | None = Field(
        description="files of labels or a teacher's scores by row id, laid over rows of train that have none; rows "
        "that stay without one are left out; or of excerpts of rows; null where labels stand in the rows alone"
    )
    repeat: dict[str, Annotated[int, Field(ge=2, le=20)]] | None = Field(
        description="entry of train, or of labels if it holds excerpts -> how often an epoch shows its rows, each time "
        "changed anew by augmentation; rows of other entries come once; null for once each"
    )
    dev: list[str] | None = Field(description="as train; null to hold out dev_fraction of train, whole documents")
    test: list[str] | None = Field(description="measured once, at the end, with the exported model; null for none")
    dev_fraction: Annotated[float, Field(gt=0, lt=0.5)] | None = Field(
        description="only where dev is null; a share of the rows that a reader labelled"
    )
    near_duplicate_jaccard: Annotated[float, Field(gt=0.3, le=1)] | None = Field(
        description="word 5-gram overlap from which two texts in different splits are a leak; null to skip the check"
    )

    @model_validator(mode="after")
    def _check(self) -> "DataConfig":
        if (self.dev is None) == (self.dev_fraction is None):
            raise ValueError(
                "give either dev (files) or dev_fraction (a share of train, as --set data.dev_fraction=0.2), the other "
                "null"
            )
        if strange := [name for name in self.repeat or {} if name not in (*self.train, *(self.labels or ()))]:
            raise ValueError(
                f"repeat names {', '.join(strange)}, which neither train nor labels does; write it as it stands there"
            )
        return self


class AugmentationConfig(_Section):
    """Training rows changed in ways that must not change their labels; shares of rows, at most one way each."""

    country_swap: Fraction = Field(description="of the rows that name a country: another in its place")
    framing: Fraction = Field(description="an opening or closing line, as pages and records have them")
    damaged: Fraction = Field(description="typing and scanning errors")
    quotation: Fraction = Field(description="the whole text in quotation marks")
    leader_swap: Fraction = Field(description="of the rows that name somebody behind a title: another surname")
    respelling: Fraction = Field(description="American or British spelling, contractions and other marks")


class StartConfig(_Section):
    """A run that goes on from another one, with its heads: a second stage."""

    checkpoint: HomePath = Field(description="what an earlier run left: runs/RUN_NAME/checkpoint")
    replay: Annotated[float, Field(gt=0, le=1)] = Field(
        description="share of the rows that the earlier run learnt from that is learnt again, drawn by the seed; rows "
        "that are new to it are all used"
    )


class EncoderConfig(_Section):
    """Which pre-trained encoder is fine-tuned."""

    name: str = Field(min_length=1, description="a pinned name, a local folder, or a hub name")
    revision: Annotated[str, StringConstraints(pattern=_COMMIT)] | None = Field(
        description="commit of a hub name, 40 hex digits; null for a pinned name or a folder"
    )
    sha256: Annotated[str, StringConstraints(pattern=_SHA256)] | None = Field(
        description="of its weights; null takes the pinned digest, or records what was found"
    )
    num_layers: int | None = Field(
        ge=1,
        description="keep that many of its layers, or of those of `start`, evenly spaced, first and last included; "
        "null for all",
    )
    layers: list[Annotated[int, Field(ge=0)]] | None = Field(
        min_length=1,
        description="which, as many as `num_layers` says: numbers from 0, rising; null for evenly spaced ones",
    )
    attention_dropout: float | None = Field(
        ge=0, lt=1, description="of attention weights in training; null for what it or `start` has, 0 is faster"
    )
    pooling: Literal["first", "mean"] = Field(
        description="first: the family's own head, loadable everywhere; mean: over tokens, loadable only by this code"
    )

    @model_validator(mode="after")
    def _check(self) -> "EncoderConfig":
        if self.layers is None:
            return self
        if self.layers != sorted(set(self.layers)):
            raise ValueError(f"layers are {self.layers}; give each number once, in rising order")
        if self.num_layers != len(self.layers):
            raise ValueError(
                f"layers names {len(self.layers)} of them, num_layers says {self.num_layers}; set num_layers to "
                f"{len(self.layers)}, or layers to null for evenly spaced ones"
            )
        return self


class OptimConfig(_Section):
    """AdamW with linear warm-up and decay."""

    learning_rate: Positive = Field(description="peak, per step")
    final_learning_rate: float = Field(
        ge=0,
        description="where the decay ends, per step, below the peak; 0 as a rule, more for a stage that another goes "
        "on from at that rate",
    )
    layer_decay: float = Field(
        gt=0, le=1, description="each layer learns at so much of the rate of the one above; 1 lets all learn alike"
    )
    weight_decay: float = Field(ge=0)
    warmup_fraction: Fraction = Field(description="share of all optimizer steps")
    num_epochs: Positive = Field(le=1_000_000)
    min_steps: int = Field(
        ge=0,
        description="where num_epochs come to fewer optimizer steps, the run is made that long, with as many "
        "evaluations further apart, and is not stopped before; 0 for no such floor",
    )
    quantization_aware: bool = Field(
        description="products of the encoder take their inputs rounded to 8 bits for each text, as in the int8 graph"
    )
    batch_size: int = Field(ge=1, description="paragraphs per step and process")
    gradient_accumulation_steps: int = Field(ge=1)
    max_grad_norm: Positive

    @model_validator(mode="after")
    def _check(self) -> "OptimConfig":
        if self.final_learning_rate >= self.learning_rate:
            raise ValueError(
                f"final_learning_rate is {self.final_learning_rate:g}, the peak {self.learning_rate:g}; set it to less "
                "than that, or to 0"
            )
        if self.final_learning_rate and self.warmup_fraction == 1:
            raise ValueError("warmup_fraction is 1, so that no step is left to decay to final_learning_rate in")
        return self


class LossConfig(_Section):
    """One loss per head, summed."""

    head_weights: dict[str, Positive] = Field(description="by head name; every head of the taxonomy")
    class_weight_power: dict[str, Fraction] = Field(
        description="by head name: 0 counts rows alike, 1 weighs labels by inverse frequency"
    )
    teacher_weight: Fraction = Field(
        description="share of a teacher's scores in the target of a row that has labels and scores; a row with scores "
        "only is learnt from them alone"
    )
    label_smoothing: Fraction = Field(
        description="share of each label that goes to all answers alike (Szegedy et al. 2016); a teacher's scores stay "
        "as they are; 0 takes labels as they stand"
    )
    consistency_weight: float = Field(
        ge=0,
        le=100,
        description="weight of how far the answers to a row changed by augmentation and to the row as it was are "
        "apart, both of which are then shown, and so for a row and the one that it restates; 0 shows each row alone",
    )


class SelectionConfig(_Section):
    """Which step of a run is kept: the best mean macro-F1 over heads on dev."""

    evaluations_per_epoch: int = Field(ge=1)
    patience: int = Field(ge=1, description="evaluations without gain after which training stops")


class ComputeConfig(_Section):
    """How to use the machine."""

    precision: Literal["auto", "bf16", "fp32"] = Field(description="auto: bf16 where the CPU or GPU computes in it")
    num_threads: int | None = Field(ge=1, description="null: all that this process may use")


class ExportConfig(_Section):
    """What is tried and what must hold before a folder is written."""

    opset: int = Field(ge=17)
    candidates: list[Recipe] = Field(
        description="int8 graphs to measure; of those that pass and are within a fifth of the fastest the first is "
        "kept; -ffn keeps contracting matmuls in fp32, -early those of the first third of the layers; empty for fp32"
    )
    max_fp32_logit_change: Positive = Field(description="ONNX against PyTorch, absolute; above it the export fails")
    max_int8_f1_drop: Fraction = Field(description="macro-F1 of any head on dev, int8 against fp32")
    min_int8_speedup: Positive = Field(description="at batch 1, against the fp32 graph, here")


class TrainConfig(_Section):
    """One run."""

    run_name: Annotated[str, StringConstraints(pattern=_RUN_NAME)]
    version: Annotated[str, StringConstraints(pattern=_VERSION), BeforeValidator(_spell_version)]
    license: str = Field(min_length=1, description="SPDX name of the model's licence")
    seed: int = Field(ge=0, le=2**32 - 1)
    taxonomy: str = Field(description="path beside this file, or the name of a shipped one")
    data: DataConfig
    augmentation: AugmentationConfig
    start: StartConfig | None = Field(description="null: from the pre-trained encoder")
    encoder: EncoderConfig
    window: WindowRule
    optim: OptimConfig
    loss: LossConfig
    selection: SelectionConfig
    compute: ComputeConfig
    export: ExportConfig
    card_notes: list[str] = Field(description="sentences on known limits, for the model card")


def load_config(name_or_path: str | Path, *, overrides: Sequence[str] = ()) -> tuple[TrainConfig, Taxonomy]:
    """Read a run's config and its taxonomy.

    Args:
        name_or_path: a YAML file, or the name of a shipped config.
        overrides: `a.b=value` with YAML values, applied in order.

    Returns:
        The checked config and the taxonomy it names.

    Raises:
        FileReadError: a file is missing or is not YAML.
        ConfigError: keys stand twice; or are missing, misspelt or out of range, or do not fit the taxonomy, all faults
            at once.
    """
    path = find_config(name_or_path)
    config = _validate(read_yaml(path), overrides, str(path))
    own = {override.partition("=")[0].strip() for override in overrides}
    # A folder that the user names is theirs; only the config's own may be the one that travels with it.
    if config.data.root is not None and not own & {"data", "data.root"}:
        found = config.data.model_copy(update={"root": find_rows(config.data.root, config=path)})
        config = config.model_copy(update={"data": found})
    # A shipped config has a taxonomy.yaml beside it, which must not win over the user's own of that name.
    here = "taxonomy" in own and Path(config.taxonomy).is_file()
    taxonomy = load_taxonomy(
        Path(config.taxonomy) if here else find_config(config.taxonomy, beside=path, what="taxonomy")
    )
    check_against_taxonomy(config, taxonomy, str(path))
    return config, taxonomy


def _validate(content: object, overrides: Sequence[str], place: str) -> TrainConfig:
    """Apply overrides and check; all faults at once."""
    if not isinstance(content, dict):
        found = "nothing" if content is None else type(content).__name__
        raise ConfigError(f"{place} is not a run's config", [f"found {found}, expected keys"])
    what = f"{place}, with what --set changes," if any(overrides) else place
    faults: list[str] = []
    for override in overrides:
        try:
            apply_override(content, override)
        except ValueError as error:
            faults.append(str(error))
    try:
        config = TrainConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{what} is not a run's config", faults + describe_faults(error, _PATTERNS)) from error
    if faults:
        raise ConfigError(f"{what} is not a run's config", faults)
    return config


def check_against_taxonomy(config: TrainConfig, taxonomy: Taxonomy, place: str) -> None:
    """Refuse loss settings that name other heads than the taxonomy has.

    Args:
        config: the run.
        taxonomy: its heads.
        place: where the config stands, for the message.

    Raises:
        ConfigError: a head is missing or unknown; all faults at once.
    """
    names = [head.name for head in taxonomy.heads]
    faults = []
    for key in ("head_weights", "class_weight_power"):
        found: dict[str, float] = getattr(config.loss, key)
        if set(found) != set(names):
            whole = ", ".join(f"{name}: {found.get(name, 1.0 if key == 'head_weights' else 0.25)}" for name in names)
            faults.append(
                f"loss.{key} is of the heads {', '.join(found)}; those of {config.taxonomy} are {', '.join(names)}: "
                f"--set 'loss.{key}={{{whole}}}'"
            )
    if faults:
        raise ConfigError(f"{place} does not fit its taxonomy", faults)


def dump_config(config: TrainConfig, taxonomy: Taxonomy) -> str:
    """Write the resolved config, with the taxonomy in it, as YAML that `load_dumped_config` reads back."""
    content = {"config": config.model_dump(mode="json"), "taxonomy": taxonomy.model_dump(mode="json")}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def load_dumped_config(path: Path, *, overrides: Sequence[str] = ()) -> tuple[TrainConfig, Taxonomy]:
    """Read what `dump_config` wrote.

    Args:
        path: `train_config.yaml` of a checkpoint or model folder.
        overrides: `a.b=value` with YAML values, applied in order.

    Returns:
        The config and the taxonomy.

    Raises:
        FileReadError: the file is missing or is not YAML.
        ConfigError: the content does not fit.
    """
    content = read_yaml(path)
    if not isinstance(content, dict) or set(content) != {"config", "taxonomy"}:
        raise ConfigError(f"{path} is not a resolved config", ["expected the keys config and taxonomy"])
    try:
        taxonomy = Taxonomy.model_validate(content["taxonomy"])
    except ValidationError as error:
        raise ConfigError(f"{path} is not a resolved config", describe_faults(error)) from error
    written = content["config"]
    config = _validate(upgrade_dumped(written) if isinstance(written, dict) else written, overrides, str(path))
    check_against_taxonomy(config, taxonomy, str(path))
    return config, taxonomy
