"""Owns how an encoder becomes a shorter one: which layers are kept, and that nothing else of it changes.

The short encoder is an ordinary one of its family: its own config says how many layers it has.
"""

import re
from collections.abc import Mapping, Sequence

import torch
from transformers import PretrainedConfig, PreTrainedModel

from twohands.errors import EncoderError

LAYER_KEY = re.compile(r"^(?P<before>(?:.*\.)?layers?\.)(?P<number>\d+)(?P<after>\..*)$")


# Under which name a family's config holds how many units a feed-forward part has.
_WIDTH = ("intermediate_size", "hidden_dim")
_NAMED_WIDTH = re.compile(r"(?:, | \()feed-forward \d+\)?$")


def read_width(config: PretrainedConfig) -> int | None:
    """Read how many units the feed-forward parts of a network have.

    Args:
        config: of an encoder, or of a classifier with mean pooling.

    Returns:
        1 or more; None where its family does not say it by a name that is known.
    """
    inner = getattr(config, "encoder", config)
    widths = (getattr(inner, name, None) for name in _WIDTH)
    return next((width for width in widths if isinstance(width, int)), None)


def write_width(config: PretrainedConfig, width: int) -> None:
    """Say that the feed-forward parts of a network have so many units.

    Args:
        config: as for `read_width`, changed in place.
        width: units.
    """
    inner = getattr(config, "encoder", config)
    for name in _WIDTH:
        if hasattr(inner, name):
            setattr(inner, name, width)


def name_width(name: str, width: int) -> str:
    """Say in an encoder's name that its feed-forward parts were made narrower.

    Args:
        name: such as `all-mpnet-base-v2 (9 of its 12 layers)`.
        width: units that are left.

    Returns:
        Such as `all-mpnet-base-v2 (9 of its 12 layers, feed-forward 1024)`.
    """
    bare = _NAMED_WIDTH.sub(")" if ", feed-forward" in name else "", name)
    return f"{bare[:-1]}, feed-forward {width})" if bare.endswith(")") else f"{bare} (feed-forward {width})"


def choose_layers(n_layers: int, n_kept: int) -> list[int]:
    """Choose layers evenly, the last one included, and the first one where there is more than one.

    Args:
        n_layers: of the whole encoder.
        n_kept: from 1 to `n_layers`.

    Returns:
        Numbers of layers, rising.

    Source:
        Sanh et al. 2019, *DistilBERT*: 12 layers to 6 keep 0, 2, 4, 7, 9, 11.
    """
    if n_kept == 1:
        return [n_layers - 1]
    return [(place * (n_layers - 1) * 2 + n_kept - 1) // (2 * (n_kept - 1)) for place in range(n_kept)]


def _shorten_config(config: PretrainedConfig, kept: list[int]) -> PretrainedConfig:
    n_layers = config.num_hidden_layers
    short = type(config).from_dict(config.to_dict())
    short.num_hidden_layers = len(kept)
    # What is said layer by layer, as ModernBERT's kind of attention, follows the layers.
    for name, value in config.to_dict().items():
        if isinstance(value, list) and len(value) == n_layers:
            setattr(short, name, [value[number] for number in kept])
    short._attn_implementation = config._attn_implementation
    return short


def _shorten_state(state: Mapping[str, torch.Tensor], kept: list[int], n_layers: int) -> dict[str, torch.Tensor]:
    """Keep and renumber the layers' weights; raises EncoderError where they are not `n_layers` layers."""
    places = {number: place for place, number in enumerate(kept)}
    found: set[int] = set()
    short: dict[str, torch.Tensor] = {}
    for key, tensor in state.items():
        match = LAYER_KEY.match(key)
        if match is None:
            short[key] = tensor
            continue
        number = int(match["number"])
        found.add(number)
        if number in places:
            short[f"{match['before']}{places[number]}{match['after']}"] = tensor
    if found != set(range(n_layers)):
        raise EncoderError(
            f"the encoder says it has {n_layers} layers, its weights hold {len(found)}; layers of this family cannot "
            "be dropped: set encoder.num_layers and encoder.layers to null"
        )
    return short


def shorten_model(model: PreTrainedModel, n_kept: int, *, layers: Sequence[int] | None = None) -> PreTrainedModel:
    """Make the same network with fewer layers.

    Args:
        model: an encoder, bare or with a head.
        n_kept: layers to keep, from 1 to what it has.
        layers: which, as many numbers from 0, rising; None for evenly spaced ones.

    Returns:
        A new model of the same class, which shares the weights that it keeps.

    Raises:
        EncoderError: the family's layers cannot be told apart, or differ in kind so that they cannot be renumbered.
    """
    n_layers = model.config.num_hidden_layers
    kept = choose_layers(n_layers, n_kept) if layers is None else list(layers)
    if kept[-1] >= n_layers:
        raise EncoderError(f"encoder.layers names layer {kept[-1]}; there are {n_layers}, numbered from 0")
    short = type(model)(_shorten_config(model.config, kept)).to(model.dtype)
    loaded = short.load_state_dict(_shorten_state(model.state_dict(), kept, n_layers), strict=False, assign=True)
    # What `model` itself lacks, as a pooler that was taken off, may be missing; a layer's weights may not.
    odd = [*loaded.unexpected_keys, *(key for key in loaded.missing_keys if LAYER_KEY.match(key))]
    if odd:
        raise EncoderError(
            f"layers {', '.join(map(str, kept))} of {n_layers} cannot stand as an encoder of their own: "
            f"{', '.join(odd[:3])} do not fit their new place; keep layer 0 and more of the others, or set "
            "encoder.num_layers and encoder.layers to null"
        )
    return short
