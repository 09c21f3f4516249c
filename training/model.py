"""Owns the network: an encoder and one linear layer over all labels; heads are slices of its logits.

With first-token pooling it is the family's own sequence-classification model, so other tools load the checkpoint.
With mean pooling it is a model type that only this module registers: elsewhere loading fails, and cannot answer
from an untrained head.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from training.encodercache import WEIGHTS_NAME
from training.encoders import FoundEncoder, publish_encoder_name
from training.students import shorten_model
from training.weights import check_weights
from twohands.errors import CheckpointError, EncoderError
from twohands.taxonomy import Taxonomy

# Heads mix one-of and any-of. Other tools know one problem type a model; sigmoids keep every label's order.
_PROBLEM_TYPE = "multi_label_classification"


class MeanPoolingConfig(PretrainedConfig):
    """Config of `MeanPoolingClassifier`: the encoder's own config and the labels."""

    model_type = "twohands-mean-pooling"
    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012 - the library reads a plain class attribute
    has_no_defaults_at_init = True

    encoder: PretrainedConfig

    def __init__(self, encoder: dict[str, object] | PretrainedConfig | None = None, **kwargs: object) -> None:
        """Keep the encoder's config.

        Args:
            encoder: its config, or that as a dict with `model_type`.
            **kwargs: labels and whatever else a config holds.
        """
        if isinstance(encoder, dict):
            settings = dict(encoder)
            encoder = AutoConfig.for_model(settings.pop("model_type"), **settings)
        self.encoder = encoder
        super().__init__(**kwargs)


class MeanPoolingClassifier(PreTrainedModel):
    """Mean of the token vectors, dropout, one linear layer."""

    config_class = MeanPoolingConfig
    base_model_prefix = "encoder"

    def __init__(self, config: MeanPoolingConfig) -> None:
        """Build the network with random weights.

        Args:
            config: the encoder's config and the labels.
        """
        super().__init__(config)
        self.encoder = AutoModel.from_config(config.encoder)
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # it would get no gradient, which distributed training refuses
        self.dropout = nn.Dropout(getattr(config.encoder, "hidden_dropout_prob", 0.1))
        self.classifier = nn.Linear(config.encoder.hidden_size, config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        classifier: nn.Linear | None = getattr(self, "classifier", None)
        if classifier is not None and module is classifier:
            nn.init.normal_(classifier.weight, std=0.02)
            nn.init.zeros_(classifier.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SequenceClassifierOutput:
        """Classify a padded batch.

        Args:
            input_ids: shape `(batch, length)`.
            attention_mask: shape `(batch, length)`, 1 for a token.

        Returns:
            `logits` of shape `(batch, n_labels)`.
        """
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (batch, length, 1)
        pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1)  # (batch, hidden)
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(pooled)))


AutoConfig.register(MeanPoolingConfig.model_type, MeanPoolingConfig)
AutoModelForSequenceClassification.register(MeanPoolingConfig, MeanPoolingClassifier)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back the library's bars, and its report on a new classifier layer: it is expected, and reads like a fault.

    Yields:
        Nothing.
    """
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity(logging.ERROR)
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)


def _load_bare(folder: Path) -> PreTrainedModel:
    """The encoder without a head; of a checkpoint with mean pooling, the fine-tuned encoder in it."""
    settings = {"attn_implementation": "eager", "dtype": torch.float32, "local_files_only": True}
    if AutoConfig.from_pretrained(folder).model_type == MeanPoolingConfig.model_type:
        return MeanPoolingClassifier.from_pretrained(folder, **settings).encoder
    return AutoModel.from_pretrained(folder, **settings)


def build_model(
    encoder: FoundEncoder,
    taxonomy: Taxonomy,
    *,
    pooling: str,
    num_layers: int | None = None,
    layers: Sequence[int] | None = None,
) -> PreTrainedModel:
    """Put a new linear layer on a pre-trained encoder.

    Args:
        encoder: checked weights on disk.
        taxonomy: the order of the logits.
        pooling: `first` or `mean`.
        num_layers: how many of its layers are kept; None for all.
        layers: which, as many; None for evenly spaced ones.

    Returns:
        A model in float32 with eager attention, which beats the fused kernels in bf16 on CPU.

    Raises:
        EncoderError: it cannot be shortened, or it was fine-tuned with the other pooling.
    """
    labels = dict(enumerate(taxonomy.label_names))
    settings = {
        "num_labels": len(labels),
        "id2label": labels,
        "label2id": {name: number for number, name in labels.items()},
        "problem_type": _PROBLEM_TYPE,
    }
    with quiet():
        if pooling == "first":
            if AutoConfig.from_pretrained(encoder.folder).model_type == MeanPoolingConfig.model_type:
                raise EncoderError(f"{encoder.name} was fine-tuned with mean pooling; set encoder.pooling to mean")
            model = AutoModelForSequenceClassification.from_pretrained(
                encoder.folder, attn_implementation="eager", dtype=torch.float32, local_files_only=True, **settings
            )
            model = model if num_layers is None else shorten_model(model, num_layers, layers=layers)
            model.config._name_or_path = publish_encoder_name(encoder.name)  # not a path of this machine
            return model
        bare = _load_bare(encoder.folder)
        bare = bare if num_layers is None else shorten_model(bare, num_layers, layers=layers)
        bare.config._name_or_path = publish_encoder_name(encoder.name)
        config = MeanPoolingConfig(encoder=bare.config, pad_token_id=bare.config.pad_token_id, **settings)
        config._attn_implementation = "eager"
        model = MeanPoolingClassifier(config)
        # The pooler, where the family has one, is left behind: strict=False passes over it alone.
        missing = model.encoder.load_state_dict(bare.state_dict(), strict=False).missing_keys
        if missing:
            raise ValueError(f"the encoder lacks weights {missing[:5]}")
        return model


# Under which name a family's config holds it.
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")


def set_attention_dropout(model: PreTrainedModel, share: float) -> PreTrainedModel:
    """Make the same network with another dropout of its attention weights.

    Drawing it costs a sixth of a training step on a CPU: there are as many attention weights as pairs of tokens.

    Args:
        model: as `build_model` or `load_checkpoint` gives it.
        share: of attention weights that are dropped in training, in [0, 1).

    Returns:
        A new model of the same class and mode, which shares the weights.

    Raises:
        EncoderError: the family has no such setting.
    """
    inner = getattr(model.config, "encoder", model.config)
    names = [name for name in _ATTENTION_DROPOUT if hasattr(inner, name)]
    if not names:
        raise EncoderError(
            f"encoders of the family {inner.model_type} have no attention dropout; "
            "set encoder.attention_dropout to null"
        )
    for name in names:
        setattr(inner, name, share)
    changed = type(model)(model.config).to(model.dtype)
    changed.load_state_dict(model.state_dict(), assign=True)
    return changed.train(model.training)


def load_checkpoint(folder: Path) -> PreTrainedModel:
    """Load a fine-tuned checkpoint of either pooling, in evaluation mode.

    Args:
        folder: with `config.json` and `model.safetensors`.

    Returns:
        The model.

    Raises:
        CheckpointError: its weights are cut off.
    """
    if (weights := folder / WEIGHTS_NAME).is_file():
        check_weights(weights)
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="eager", dtype=torch.float32, local_files_only=True
        )
    return model.eval()


def read_network_config(folder: Path) -> PretrainedConfig:
    """Read which network a checkpoint is of; its weights are not read.

    Args:
        folder: with `config.json`.

    Returns:
        Its config.

    Raises:
        CheckpointError: there is none, or it is not one that transformers reads.
    """
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        path = folder / "config.json"
        fault = f"{path} cannot be read ({error})" if path.is_file() else f"{folder} holds no config.json"
        raise CheckpointError(f"{fault}; copy the checkpoint again, or train it again") from error


def count_layers(folder: Path) -> int:
    """Read from its config how many layers the encoder of a checkpoint has.

    Args:
        folder: with `config.json`.

    Returns:
        1 or more.

    Raises:
        CheckpointError: its config cannot be read.
    """
    config = read_network_config(folder)
    n_layers: int = getattr(config, "encoder", config).num_hidden_layers
    return n_layers


def shorten_classifier(
    model: PreTrainedModel, num_layers: int, *, layers: Sequence[int] | None = None
) -> PreTrainedModel:
    """Make the same network, its heads with it, with fewer layers.

    Args:
        model: as `load_checkpoint` gives it.
        num_layers: layers to keep, from 1 to what it has.
        layers: which, as many; None for evenly spaced ones.

    Returns:
        The model itself where it has no more of them; else a new one of the same class and mode, which shares the
        weights that it keeps.

    Raises:
        EncoderError: its layers cannot be told apart.
    """
    inner = model.encoder if isinstance(model, MeanPoolingClassifier) else model
    if num_layers == inner.config.num_hidden_layers:
        return model
    short = shorten_model(inner, num_layers, layers=layers)
    if isinstance(model, MeanPoolingClassifier):
        config = type(model.config).from_dict(model.config.to_dict() | {"encoder": short.config.to_dict()})
        config._attn_implementation = "eager"
        whole = MeanPoolingClassifier(config)
        whole.encoder.load_state_dict(short.state_dict(), assign=True)
        whole.classifier.load_state_dict(model.classifier.state_dict(), assign=True)
        short = whole.to(model.dtype)
    return short.train(model.training)


def list_labels(config: PretrainedConfig) -> list[str]:
    """Name the labels of a checkpoint, by its config, in the order of its logits."""
    return [config.id2label[number] for number in range(config.num_labels)]


def build_blank(folder: Path) -> PreTrainedModel:
    """Build the network that a folder's config describes, with random weights, in evaluation mode.

    Args:
        folder: with `config.json`.

    Returns:
        The model.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    return AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").float().eval()
