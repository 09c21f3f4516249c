"""Owns what makes a step cheaper on a CPU that trains in bf16, and leaves what is learnt as it was: dropout, attention.

Both stand in for the library's own in training alone; a checkpoint and its export know nothing of them.
"""

from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface, PretrainedConfig, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, eager_mask

_ATTENTION = "twohands-lean"
# Their attention is the plain one, which the function below computes; others add terms to the scores or have code of
# their own, and stay as they are.
_PLAIN_FAMILIES = {"bert", "roberta", "xlm-roberta"}
_BITS = 15  # of randomness for each value: a share is off by at most 2**-16


class _DropContext(Protocol):
    scale: float
    saved_tensors: tuple[torch.Tensor, ...]

    def save_for_backward(self, *tensors: torch.Tensor) -> None: ...


class _DropBits(torch.autograd.Function):
    """Dropout of 16-bit floats by masks of bits: torch draws a double for each value, which is a tenth of a step."""

    @staticmethod
    def forward(ctx: _DropContext, values: torch.Tensor, share: float) -> torch.Tensor:
        n_values = values.numel()
        # From torch's generator, whose state a checkpoint keeps: a run that goes on drops what it would have.
        seed = int(torch.randint(2**62, ()))
        words = np.random.Generator(np.random.SFC64(seed)).integers(0, 2**64, -(-n_values // 4), dtype=np.uint64)
        mask = torch.from_numpy(words.view(np.int16)[:n_values])
        # A number below the bound turns negative; its sign fills all bits; and what was not negative is kept.
        bound = round(share * 2**_BITS) - 2 ** (_BITS - 1)
        mask = mask.bitwise_right_shift_(1).sub_(bound).bitwise_right_shift_(15).bitwise_not_().view(values.shape)
        ctx.save_for_backward(mask)
        ctx.scale = 1 / (1 - share)
        return _keep(values, mask, ctx.scale)

    @staticmethod
    def backward(ctx: _DropContext, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (mask,) = ctx.saved_tensors
        return _keep(gradient, mask, ctx.scale), None


def _keep(values: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
    return values.contiguous().view(torch.int16).bitwise_and(mask).view(values.dtype).mul_(scale)


class BitDropout(nn.Dropout):
    """Dropout whose random numbers are cheap for bf16; of any other kind of values it is torch's own."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Drop values in training, and scale those that are kept.

        Args:
            values: any shape.

        Returns:
            The same shape and kind.

        Source:
            Srivastava et al. 2014, *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*.
        """
        if not self.training or not self.p or values.dtype is not torch.bfloat16:
            return super().forward(values)
        dropped: torch.Tensor = _DropBits.apply(values, self.p)
        return dropped


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: object,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attend as the library's eager attention does, with fewer passes over the scores.

    The scores are as many as pairs of tokens, of 32 products each in a small encoder, so that each pass over them
    costs as much as their product: the query is scaled instead, and autocast is kept from widening them to float32.

    Args:
        module: the layer, for whether it trains.
        query: shape `(batch, n_heads, length, head size)`.
        key: the same shape.
        value: the same shape.
        attention_mask: to be added to the scores, shape `(batch, 1, length or 1, length)`, or None.
        scaling: of the scores; None for one over the root of the head size.
        dropout: share of the weights that are dropped in training.
        **kwargs: what other kinds of attention are given.

    Returns:
        Shape `(batch, length, n_heads, head size)`, and the weights.

    Source:
        Vaswani et al. 2017, *Attention Is All You Need* (equation 1).
    """
    del kwargs
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.matmul(query * factor, key.transpose(2, 3))
    if attention_mask is not None:
        # The lowest float32 is beyond bf16, and a row of which all is minus infinity would come to NaN.
        scores = scores + attention_mask.clamp(min=torch.finfo(scores.dtype).min).to(scores.dtype)
    with torch.autocast(scores.device.type, enabled=False):
        weights = functional.softmax(scores, dim=-1)
    weights = functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


AttentionInterface.register(_ATTENTION, attend)
AttentionMaskInterface.register(_ATTENTION, eager_mask)


def _is_plain(config: PretrainedConfig) -> bool:
    # Before version 5 of the library BERT may add the distance of tokens to the scores, within its eager attention.
    is_absolute = getattr(config, "position_embedding_type", "absolute") == "absolute"
    return is_absolute and config.model_type in _PLAIN_FAMILIES


def speed_up(model: PreTrainedModel) -> None:
    """Have a model that is trained in bf16 on a CPU take both, where its family allows it. Changes the model.

    Args:
        model: with the library's eager attention.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Dropout:
                setattr(module, name, BitDropout(child.p).train(child.training))
        if isinstance(module, PreTrainedModel) and _is_plain(module.config):
            module.config._attn_implementation = _ATTENTION
