"""Owns which keys a config had not in older releases, so that what they dumped can be replayed."""

# Keys that older releases had not, with the value that stands for what they did: what they wrote can be replayed.
_KEYS_SINCE: dict[tuple[str, str], object] = {
    ("augmentation", "country_swap"): 0.0,
    ("augmentation", "framing"): 0.0,
    ("augmentation", "damaged"): 0.0,
    ("augmentation", "quotation"): 0.0,
    ("augmentation", "leader_swap"): 0.0,
    ("augmentation", "respelling"): 0.0,
    ("data", "labels"): None,
    ("data", "repeat"): None,
    ("encoder", "num_layers"): None,
    ("encoder", "layers"): None,
    ("encoder", "attention_dropout"): None,
    ("optim", "layer_decay"): 1.0,
    ("optim", "final_learning_rate"): 0.0,
    ("optim", "min_steps"): 0,
    ("optim", "quantization_aware"): False,
    ("loss", "teacher_weight"): 0.0,
    ("loss", "consistency_weight"): 0.0,
    ("loss", "label_smoothing"): 0.0,
}


def upgrade_dumped(content: dict[str, object]) -> dict[str, object]:
    """Fill in keys that came later than a config was dumped; a config that a person writes gets no such help.

    Args:
        content: a resolved config, as `TrainConfig.model_dump` gives it.

    Returns:
        The config with today's keys.
    """
    upgraded: dict[str, object] = {"augmentation": {}, "start": None}
    upgraded |= {name: dict(value) if isinstance(value, dict) else value for name, value in content.items()}
    for (section, key), value in _KEYS_SINCE.items():
        keys = upgraded.get(section)
        if isinstance(keys, dict):
            keys.setdefault(key, value)
    return upgraded
