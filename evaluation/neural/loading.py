"""Owns how transformers loads a folder here: offline, without its code, without its bars, and telling what it lacks."""

from pathlib import Path
from typing import Any


def load_quietly(loader: Any, folder: Path) -> tuple[Any, dict[str, Any]]:  # noqa: ANN401 - a class of transformers
    """Load a model; nothing is written to standard error, which belongs to our own bars and errors.

    Args:
        loader: `AutoModel` or one of its kin.
        folder: holds `config.json` and `model.safetensors`.

    Returns:
        The model, and what transformers says of the loading: `missing_keys` and the like.

    Raises:
        OSError: the folder cannot be read.
        ValueError: its architecture is not known.
    """
    from transformers.utils import logging

    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model, loading = loader.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    finally:
        if was_shown:
            logging.enable_progress_bar()
    return model, loading


def first_line(error: Exception) -> str:
    """What went wrong, without the advice to install another version that transformers adds in further lines."""
    return str(error).strip().split("\n", 1)[0]
