"""Program part: a graph and its tokenizer as a function, for peers that bring no model code of their own."""

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

Run = Callable[[Sequence[str]], list[list[float]]]


def load(graph: str, tokenizer_path: str, *, threads: int, max_tokens: int) -> Run:
    """Load a graph with the runtime's own defaults.

    Args:
        graph: the file.
        tokenizer_path: `tokenizer.json`.
        threads: of one run.
        max_tokens: longer texts are cut.

    Returns:
        Texts to rows of logits, padded to the longest of the batch.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads  # all optimisations are on by default
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(tokenizer_path)
    tokenizer.enable_truncation(max_tokens)
    tokenizer.enable_padding()
    names = [value.name for value in session.get_inputs()]

    def run(texts: Sequence[str]) -> list[list[float]]:
        encodings = tokenizer.encode_batch(list(texts))
        ids = np.array([encoding.ids for encoding in encodings])
        feeds = {
            "input_ids": ids,
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
            "token_type_ids": np.zeros_like(ids),
        }
        rows: list[list[float]] = session.run(["logits"], {name: feeds[name] for name in names})[0].tolist()
        return rows

    return run
