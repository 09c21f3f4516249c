"""Owns quantization-aware training: products of the encoder see their inputs rounded as the int8 graph rounds them.

The graph takes the range of all numbers that go into a product from the text itself, so one outlier makes all of its
steps coarse. An encoder that learns with that rounding learns to do without.
"""

from typing import Protocol

import torch
from torch import nn
from transformers import PreTrainedModel

_STEPS = 255  # of an unsigned 8-bit number


class _RoundContext(Protocol):
    dtype: torch.dtype


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _RoundContext, values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        ctx.dtype = values.dtype
        flat = values.flatten(1)
        low, high = flat.amin(dim=1).float().clamp(max=0.0), flat.amax(dim=1).float().clamp(min=0.0)
        scale = ((high - low) / _STEPS).clamp(min=torch.finfo(torch.float32).tiny)
        zero = (-low / scale).round().to(torch.int32)
        return torch.fake_quantize_per_channel_affine(values.float(), scale, zero, 0, 0, _STEPS).to(dtype)

    @staticmethod
    def backward(ctx: _RoundContext, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient.to(ctx.dtype), None


def round_activations(values: torch.Tensor) -> torch.Tensor:
    """Round each text's numbers to 256 steps between its lowest and its highest, zero among them.

    Args:
        values: shape `(batch, ...)`, float32 or bf16.

    Returns:
        The same shape, in the kind that a product takes: bf16 under autocast. Gradients pass as if nothing had been
        rounded (straight-through).

    Source:
        ONNX, operator DynamicQuantizeLinear; Bengio et al. 2013, *Estimating or Propagating Gradients Through
        Stochastic Neurons for Conditional Computation*; Jacob et al. 2018, *Quantization and Training of Neural
        Networks for Efficient Integer-Arithmetic-Only Inference*.
    """
    kind = values.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else values.dtype
    rounded: torch.Tensor = _Round.apply(values, dtype)
    return rounded


class _Rounder:
    """Query, key and value are products of one tensor, which is rounded once."""

    def __init__(self) -> None:
        self._seen: torch.Tensor | None = None
        self._rounded: torch.Tensor | None = None

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        del module
        # Without gradients other numbers may be written into a tensor that was seen, and nothing tells.
        if self._rounded is None or inputs[0] is not self._seen or not torch.is_grad_enabled():
            self._seen, self._rounded = inputs[0], round_activations(inputs[0])
        return self._rounded, *inputs[1:]


def make_aware(model: PreTrainedModel) -> int:
    """Have every product of the encoder take its input rounded, in training and in evaluation. Changes the model.

    The weights are not rounded: theirs are steps of each row of a matrix, which cost little. A saved checkpoint knows
    nothing of it.

    Args:
        model: as `build_model` or `load_checkpoint` gives it.

    Returns:
        How many products that are; the heads' are not among them.
    """
    products = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith(("classifier", "score"))
    ]
    rounder = _Rounder()
    for module in products:
        module.register_forward_pre_hook(rounder)
    return len(products)
