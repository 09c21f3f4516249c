"""Owns the network that a run begins with: a new one or an earlier run's, and what training alone changes of it."""

import torch
from transformers import AutoConfig, PreTrainedModel

from training.config import TrainConfig
from training.encoders import FoundEncoder
from training.machine import uses_bf16
from training.model import build_model, set_attention_dropout
from training.rounding import make_aware
from training.speedups import speed_up
from training.stages import load_start
from training.students import name_width, read_width
from twohands.taxonomy import Taxonomy


def begin_network(config: TrainConfig, encoder: FoundEncoder, taxonomy: Taxonomy) -> PreTrainedModel:
    """Make the network of a run, in training mode.

    Args:
        config: of the run.
        encoder: that it names.
        taxonomy: of its heads.

    Returns:
        The network.

    Raises:
        CheckpointError: the first stage's labels are not those of the taxonomy.
        EncoderError: the encoder cannot be shortened or changed as the config says.
    """
    num_layers, layers = config.encoder.num_layers, config.encoder.layers
    if config.start is None:
        pooling = config.encoder.pooling
        model = build_model(encoder, taxonomy, pooling=pooling, num_layers=num_layers, layers=layers)
    else:
        model = load_start(config.start.checkpoint, taxonomy, num_layers=num_layers, layers=layers).train()
    if config.encoder.attention_dropout is not None:
        model = set_attention_dropout(model, config.encoder.attention_dropout)
    if uses_bf16(config.compute.precision) and not torch.cuda.is_available():
        speed_up(model)
    if config.optim.quantization_aware:
        make_aware(model)
    return model


def identify_encoder(encoder: FoundEncoder, num_layers: int | None, model: PreTrainedModel) -> dict[str, str]:
    """What manifest and card say of the encoder, and of what is left of it in a network.

    Args:
        encoder: that the run names.
        num_layers: how many of its layers are used; None for all.
        model: the run's network, which may have gone on from a narrower one.

    Returns:
        `name`, `sha256` and `license`.
    """
    found = encoder.identify(num_layers)
    width = read_width(model.config)
    if width is None or width == read_width(AutoConfig.from_pretrained(encoder.folder, local_files_only=True)):
        return found
    return found | {"name": name_width(found["name"], width)}
