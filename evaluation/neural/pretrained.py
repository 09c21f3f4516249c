"""Owns loading somebody's sequence classifier from a folder, without a network and without running its code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.neural.loading import first_line, load_quietly
from evaluation.progress import Advance
from twohands.errors import EncoderError, MissingExtraError
from twohands.hashing import sha256_of_file
from twohands.metrics import Floats
from twohands.threads import count_threads

_BATCH = 16
_MOST_TOKENS = 512


@dataclass(frozen=True, slots=True)
class SequenceClassifier:
    """A loaded model with its tokenizer; `labels` in the order of its logits.

    `is_exclusive` says that one of its labels applies, so that its scores are a softmax over all of them.
    """

    name: str
    sha256: str
    labels: list[str]
    max_tokens: int
    is_exclusive: bool
    batch_size: int
    _model: Any
    _tokenizer: Any

    @classmethod
    def load(cls, folder: str, *, num_threads: int | None = None) -> "SequenceClassifier":
        """Load a folder that `save_pretrained` wrote.

        Args:
            folder: holds `config.json`, `model.safetensors` and a tokenizer.
            num_threads: most threads; None for all that are free.

        Returns:
            The model.

        Raises:
            EncoderError: the folder is not a sequence classifier that transformers can load.
            MissingExtraError: transformers or torch is not installed.
        """
        try:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError(f"{folder} needs {error.name}: pip install 'twohands[train]'") from error
        path = Path(folder)
        weights = path / "model.safetensors"
        if not weights.is_file() or not (path / "config.json").is_file():
            raise EncoderError(f"{path} holds no model.safetensors with a config.json; pickled weights are not read")
        torch.set_num_threads(count_threads(num_threads))
        try:
            model, loading = load_quietly(AutoModelForSequenceClassification, path)
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise EncoderError(
                f"transformers cannot load {path} as a sequence classifier: {first_line(error)}"
            ) from error
        # An encoder without a head loads, too: transformers would draw the head at random and say so in a log only.
        if loading["missing_keys"]:
            missing = sorted(loading["missing_keys"])
            raise EncoderError(
                f"{path} is no finished classifier: its weights lack {', '.join(missing[:5])}, which would be random"
            )
        config = model.config
        positions = getattr(config, "max_position_embeddings", _MOST_TOKENS)
        if positions <= 0:  # relative positions, as XLNet's: -1 once cut every text to 8 tokens (#6)
            positions = _MOST_TOKENS
        # Where a config is of several parts, as Gemma 3's, its text's says so; some say nothing at all.
        pad_id = getattr(config.get_text_config(), "pad_token_id", None)
        reserved = config.pad_token_id + 1 if config.model_type in {"roberta", "xlm-roberta"} else 0
        return cls(
            name=path.name,
            sha256=sha256_of_file(weights),
            labels=[str(config.id2label[number]) for number in range(config.num_labels)],
            max_tokens=max(8, min(_MOST_TOKENS, positions - reserved)),
            # As transformers' pipeline, where the config does not say.
            is_exclusive=config.num_labels > 1 and config.problem_type in {None, "single_label_classification"},
            # Decoders often have no token to pad with, and then run one text at a time only.
            batch_size=1 if pad_id is None or tokenizer.pad_token is None else _BATCH,
            _model=model.eval(),
            _tokenizer=tokenizer,
        )

    def count_cut(self, texts: Sequence[str], second: str | None = None) -> int:
        """Count the texts that `run` cuts at `max_tokens`.

        Args:
            texts: as those of `run`.
            second: of every pair; None for single texts.

        Returns:
            A number of texts.
        """
        pair = None if second is None else [second] * len(texts)
        encoded = self._tokenizer(list(texts), pair, truncation=False, verbose=False)
        return sum(len(token_ids) > self.max_tokens for token_ids in encoded["input_ids"])

    def run(self, texts: Sequence[str], seconds: Sequence[str] | None = None, *, advance: Advance) -> Floats:
        """Run texts, or pairs of texts.

        Args:
            texts: the first of each pair is cut where the pair is too long, as such models are used.
            seconds: the second of each pair; None runs single texts.
            advance: called with the number of texts done.

        Returns:
            Logits, shape `(n, n_labels)`.
        """
        import torch

        logits = []
        order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), place))
        for start in range(0, len(order), self.batch_size):
            places = order[start : start + self.batch_size]
            pair = None if seconds is None else [seconds[place] for place in places]
            encoded = self._tokenizer(
                [texts[place] for place in places],
                pair,
                truncation=True if pair is None else "only_first",
                max_length=self.max_tokens,
                padding=self.batch_size > 1,
                return_tensors="pt",
            )
            with torch.inference_mode():
                logits.append(self._model(**encoded).logits.numpy().astype(np.float64))
            advance(len(places))
        stacked = np.concatenate(logits)
        back = np.empty(len(order), dtype=int)
        back[order] = np.arange(len(order))
        return np.asarray(stacked[back])
