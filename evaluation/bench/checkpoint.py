"""Owns the folder that peers load: the checkpoint's own weights, in the form that `transformers` can read anywhere.

A checkpoint with first-token pooling is an ordinary one already. Mean pooling is a model type of this project, so its
code goes beside the weights, and peers load it with `trust_remote_code`, as their documentation says.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from twohands.errors import FileReadError
from twohands.hashing import sha256_of_file

_CODE = Path(__file__).parent / "programs" / "mean_pooling.py"
_CLASS = "MeanPoolingForSequenceClassification"
_MEAN_POOLING = "twohands-mean-pooling"
_FILES = ("config.json", "model.safetensors", "tokenizer.json")


def read_config(checkpoint: Path) -> dict[str, Any]:
    """Read what a checkpoint says of itself.

    Args:
        checkpoint: as `twohands train` leaves it in `runs/<name>/checkpoint`.

    Returns:
        Its `config.json`.

    Raises:
        FileReadError: the checkpoint is incomplete.
    """
    for name in _FILES:
        if not (checkpoint / name).is_file():
            raise FileReadError(f"{checkpoint} is no checkpoint: it has no {name}; expected runs/<name>/checkpoint")
    try:
        config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileReadError(f"{checkpoint / 'config.json'} is no JSON: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("id2label"), dict):
        raise FileReadError(f"{checkpoint / 'config.json'} names no labels; expected a classifier's, with id2label")
    return config


def lay_graph_beside(folder: Path, graph: Path, target: Path) -> Path:
    """Copy a folder of `prepare_checkpoint`, with the checkpoint's graph in it, for peers that want both.

    It is a copy, since such a peer may write what it optimized beside the graph.

    Args:
        folder: what is copied.
        graph: an ONNX file.
        target: where to; must not be there.

    Returns:
        `target`.
    """
    shutil.copytree(folder, target)
    shutil.copyfile(graph, target / "model.onnx")
    return target


def is_ordinary(folder: Path) -> bool:
    """Whether a folder of `prepare_checkpoint` is read by transformers alone, without code beside the weights."""
    return "auto_map" not in read_config(folder)


def prepare_checkpoint(checkpoint: Path, folder: Path, *, max_tokens: int) -> dict[str, Any]:
    """Make the folder that peers load.

    Args:
        checkpoint: as `twohands train` leaves it in `runs/<name>/checkpoint`.
        folder: where to; must be empty.
        max_tokens: the model's window, at which peers cut.

    Returns:
        The pooling, and the digest of the weights.

    Raises:
        FileReadError: the checkpoint is incomplete.
    """
    config = read_config(checkpoint)
    has_mean_pooling = config.get("model_type") == _MEAN_POOLING
    if has_mean_pooling:
        config["architectures"] = [_CLASS]  # by the word in it infinity knows a classifier
        config["auto_map"] = {
            "AutoConfig": f"{_CODE.stem}.MeanPoolingConfig",
            "AutoModelForSequenceClassification": f"{_CODE.stem}.{_CLASS}",
        }
        shutil.copyfile(_CODE, folder / _CODE.name)
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    shutil.copyfile(checkpoint / "model.safetensors", folder / "model.safetensors")
    shutil.copyfile(checkpoint / "tokenizer.json", folder / "tokenizer.json")
    special = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
    vocabulary = json.loads((checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
    known = {entry["content"] for entry in vocabulary.get("added_tokens", [])}
    if "<pad>" in known:
        special = {"unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_tokens, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return {
        "pooling": "mean, by code beside the weights (trust_remote_code)" if has_mean_pooling else "first token",
        "weights_sha256": sha256_of_file(checkpoint / "model.safetensors"),
    }
