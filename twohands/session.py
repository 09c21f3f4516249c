"""Owns token ids -> logits: one ONNX Runtime session, run unpadded on as many threads as are free."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort

from twohands.encoding import EncodedParagraph, TokenIds
from twohands.errors import FileReadError, NonFiniteLogitsError
from twohands.threads import count_threads
from twohands.windows import Logits, aggregate_windows

RunBatch = Callable[[Sequence[TokenIds]], Logits]


class OnnxSession:
    """Runs a classifier graph with one output `logits`.

    Each window is its own run: nothing is padded, and a paragraph's logits cannot depend on its neighbours,
    which they would with dynamic int8 (one activation range for the whole batch). Runs go side by side, one
    thread each, since that beats several threads in one run at these sizes.
    """

    def __init__(self, path: Path, *, num_threads: int | None = None) -> None:
        """Load a graph.

        Args:
            path: `model.onnx`.
            num_threads: most threads; None for all that this process may use.

        Raises:
            FileReadError: the file is missing or is not a graph that ONNX Runtime can run.
        """
        self.num_threads = count_threads(num_threads)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning would burn the core of a neighbour run; there is nothing to wait for with one thread.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises its own untyped classes
            raise FileReadError(f"ONNX Runtime cannot load {path}: {error}") from error
        self.input_names = [graph_input.name for graph_input in self._session.get_inputs()]
        width = next((output.shape[-1] for output in self._session.get_outputs() if output.name == "logits"), None)
        self.n_labels = width if isinstance(width, int) else None  # None: the graph leaves it open
        self._pool = ThreadPoolExecutor(self.num_threads, "twohands") if self.num_threads > 1 else None

    def run_padded(self, input_ids: TokenIds, attention_mask: TokenIds) -> Logits:
        """Run one padded batch as it is; for parity checks and benchmarks.

        Args:
            input_ids: shape `(batch, length)`.
            attention_mask: shape `(batch, length)`, 1 for a token and 0 for padding.

        Returns:
            Shape `(batch, n_labels)`.
        """
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        if "token_type_ids" in self.input_names:
            feeds["token_type_ids"] = np.zeros_like(input_ids)
        (logits,) = self._session.run(["logits"], {name: feeds[name] for name in self.input_names})
        return np.asarray(logits, dtype=np.float32)

    def _run_one(self, token_ids: TokenIds) -> Logits:
        input_ids = token_ids[None, :]  # (1, length)
        return np.asarray(self.run_padded(input_ids, np.ones_like(input_ids))[0])

    def run_batch(self, token_ids: Sequence[TokenIds]) -> Logits:
        """Run windows.

        Args:
            token_ids: windows, shape `(length,)` each; at least one.

        Returns:
            Shape `(len(token_ids), n_labels)`, in the order given.

        Raises:
            NonFiniteLogitsError: a logit is NaN or infinite.
        """
        if self._pool is None or len(token_ids) == 1:
            rows = [self._run_one(ids) for ids in token_ids]
        else:
            # Longest first, so that the last run of a batch is a short one and no thread waits long.
            order = sorted(range(len(token_ids)), key=lambda index: -len(token_ids[index]))
            done = dict(zip(order, self._pool.map(lambda i: self._run_one(token_ids[i]), order), strict=True))
            rows = [done[index] for index in range(len(token_ids))]
        logits = np.stack(rows)
        if not np.isfinite(logits).all():
            raise NonFiniteLogitsError("the model answered NaN or infinity; its weights are damaged or do not fit")
        return logits

    def close(self) -> None:
        """End the threads; the session cannot run several windows afterwards."""
        if self._pool is not None:
            self._pool.shutdown()


def run_paragraphs(run_batch: RunBatch, paragraphs: Sequence[EncodedParagraph]) -> Logits:
    """Run every window and average per paragraph.

    Args:
        run_batch: windows to logits.
        paragraphs: at least one.

    Returns:
        Shape `(len(paragraphs), n_labels)`.
    """
    logits = run_batch([window for paragraph in paragraphs for window in paragraph.windows])
    return aggregate_windows(logits, [len(paragraph.windows) for paragraph in paragraphs])
