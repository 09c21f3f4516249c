"""Owns quantization-aware training: products of the encoder see their inputs rounded as the int8 graph rounds them.

The graph takes the range of all numbers that go into a product from the text itself, so one outlier makes all of its
steps coarse. An encoder that learns with that rounding learns to do without.
"""

import threading
from typing import Any, Protocol

import torch
from torch import nn
from transformers import PreTrainedModel

_STEPS = 255  # of an unsigned 8-bit number


class _RoundContext(Protocol):
    dtype: torch.dtype


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: _RoundContext, values: torch.Tensor, mask: torch.Tensor | None, dtype: torch.dtype
    ) -> torch.Tensor:
        ctx.dtype = values.dtype
        low, high = (range_.float() for range_ in _find_range(values, mask))
        low, high = low.clamp(max=0.0), high.clamp(min=0.0)
        scale = ((high - low) / _STEPS).clamp(min=torch.finfo(torch.float32).tiny)
        # What is no number goes through, for the loop to see that the run diverged: torch refuses it as a place.
        zero = (-low / scale).nan_to_num(0.0, 0.0, 0.0).round().to(torch.int32)
        return torch.fake_quantize_per_channel_affine(values.float(), scale, zero, 0, 0, _STEPS).to(dtype)

    @staticmethod
    def backward(ctx: _RoundContext, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return gradient.to(ctx.dtype), None, None


def _find_range(values: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Lowest and highest number of each text, shape `(batch,)`."""
    if mask is None or values.ndim < 3 or values.shape[:2] != mask.shape:  # such as a pooled vector
        flat = values.flatten(1)
        return flat.amin(dim=1), flat.amax(dim=1)
    by_token, is_padding = values.flatten(2), mask == 0
    low = by_token.amin(dim=2).masked_fill(is_padding, torch.inf)
    high = by_token.amax(dim=2).masked_fill(is_padding, -torch.inf)
    return low.amin(dim=1), high.amax(dim=1)


def round_activations(values: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Round each text's numbers to 256 steps between its lowest and its highest, zero among them.

    Args:
        values: shape `(batch, ...)`, float32 or bf16.
        mask: shape `(batch, length)`, 1 for a token: where values are of tokens, those of padding take no part in the
            range, since a served text has none. None where there is no padding.

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
    rounded: torch.Tensor = _Round.apply(values, mask, dtype)
    return rounded


class _Rounder(threading.local):  # DataParallel runs copies of one model side by side, whose hooks are the same
    """Query, key and value are products of one tensor, which is rounded once."""

    def __init__(self) -> None:
        self._mask: torch.Tensor | None = None
        self._seen: torch.Tensor | None = None
        self._rounded: torch.Tensor | None = None

    def take_mask(self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        del module, inputs
        self._mask, self._seen, self._rounded = named.get("attention_mask"), None, None

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        del module
        # Without gradients other numbers may be written into a tensor that was seen, and nothing tells.
        if self._rounded is None or inputs[0] is not self._seen or not torch.is_grad_enabled():
            self._seen, self._rounded = inputs[0], round_activations(inputs[0], self._mask)
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
    model.register_forward_pre_hook(rounder.take_mask, with_kwargs=True)
    for module in products:
        module.register_forward_pre_hook(rounder)
    return len(products)
