"""Owns which parameters learn at which rate: lower layers of an encoder may move less than what is new above them."""

from typing import Any

import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments

from training.students import LAYER_KEY


def group_parameters(
    model: PreTrainedModel, *, learning_rate: float, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Give each layer its rate: `layer_decay` times that of the layer above, and the new linear layer the whole one.

    Embeddings, which stand below all layers, have the lowest; what an encoder has behind its layers that of the last.

    Args:
        model: an encoder with a head.
        learning_rate: peak, of the head.
        weight_decay: of matrices; biases and norms have none.
        layer_decay: in (0, 1].

    Returns:
        Groups for an optimizer, which hold each parameter that learns once.

    Source:
        Howard and Ruder 2018, *Universal Language Model Fine-tuning for Text Classification*, section 3.2; by a factor
        from layer to layer: Sun et al. 2019, *How to Fine-Tune BERT for Text Classification?*
    """
    encoder: PreTrainedModel = model.base_model
    n_layers = encoder.config.num_hidden_layers
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    of_encoder = {id(value) for value in encoder.parameters()}
    is_below = True
    for name, value in model.named_parameters():
        match = LAYER_KEY.match(name)
        is_below = is_below and match is None
        depth = 0
        if id(value) in of_encoder:
            depth = n_layers - int(match["number"]) if match else n_layers + 1 if is_below else 1
        if value.requires_grad:
            is_matrix = value.ndim > 1
            group = groups.setdefault((depth, is_matrix), {"params": []})
            group |= {"lr": learning_rate * layer_decay**depth, "weight_decay": weight_decay * is_matrix}
            group["params"].append(value)
    return list(groups.values())


def choose_optimizer(
    model: PreTrainedModel, arguments: TrainingArguments, *, layer_decay: float
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]] | None:
    """Choose what the Trainer takes as `optimizer_cls_and_kwargs`.

    Args:
        model: what is trained.
        arguments: of the Trainer; name optimizer, rate and weight decay.
        layer_decay: in (0, 1].

    Returns:
        Class and arguments; None where all layers learn alike, which is the Trainer's own way.
    """
    if layer_decay == 1:
        return None
    optimizer_class, settings = Trainer.get_optimizer_cls_and_kwargs(arguments, model)
    groups = group_parameters(
        model,
        learning_rate=arguments.learning_rate,
        weight_decay=arguments.weight_decay,
        layer_decay=layer_decay,
    )
    return optimizer_class, settings | {"params": groups}
