"""Owns token ids -> logits by OpenVINO: windows of nearly equal length in one run, in bf16 where the CPU has it.

Faster than `session.py` where the CPU multiplies bf16 in tiles (AMX), and slower elsewhere. Needs the extra
`openvino`; nothing is imported before a session is opened.
"""

import queue
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from twohands.batches import cut_batches, pad_length
from twohands.encoding import TokenIds
from twohands.errors import FileReadError, NonFiniteLogitsError
from twohands.extras import import_extra
from twohands.forks import never_free, tell_of_forks
from twohands.misuse import ForkError
from twohands.pages import huge_pages
from twohands.session import Crowd
from twohands.threads import count_threads
from twohands.weight_only import read_weight_only
from twohands.windows import Logits

Precision = Literal["bf16", "f32"]

# Beyond eight of 128 tokens a run gains 3% a window, and its scratch memory grows with it.
_MOST_WINDOWS = 8
_NAMES = {"bfloat16": "bf16", "float32": "f32", "float16": "f16"}


_TELEMETRY = "openvino_telemetry"
_FIRST_RUN = threading.Lock()


def import_openvino() -> ModuleType:
    """Import OpenVINO without telling anybody.

    Its mere import sends an event to its maker over the network, unless the package that sends is absent; then it
    takes a stub of its own. So that package is hidden meanwhile.

    Returns:
        The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    is_hidden = _TELEMETRY not in sys.modules
    if is_hidden:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # what Python takes for "cannot be imported"
    try:
        return import_extra("openvino", use="the runtime openvino", extra="openvino")
    finally:
        if is_hidden:
            del sys.modules[_TELEMETRY]


class OpenVinoSession:
    """Runs a classifier graph with one output `logits`, int8 weights made float on loading.

    Windows are sorted by length and run in batches of at most eight, each on one thread, as many side by side as
    there are threads; each length is padded to a full tile of the processor. Padding is masked, so neighbours and
    padding change a window's logits by the rounding of bf16 alone: by at most 0.011 of logits of up to 6.3, with 64
    windows of the released model; in f32 by 3e-6. A window that finds nothing else running, nor lately, gets all
    threads. A forked child is refused: OpenVINO's threads are not there, and loaded anew there it hung at the exit.
    """

    def __init__(
        self,
        path: Path,
        *,
        num_threads: int | None = None,
        max_tokens: int | None = None,
        precision: Precision | None = None,
    ) -> None:
        """Load a graph.

        Args:
            path: `model.onnx`, int8 as the exporter writes it, or float.
            num_threads: most threads; None for all that this process may use.
            max_tokens: of the model's window; up to there lengths are padded to full tiles, which is faster and
                bounds the memory. None pads nothing beyond the longest of a batch.
            precision: of activations and products; f32 for parity checks. None: bf16 where OpenVINO says that the CPU
                multiplies it, else f32. `precision` of the session says what was taken.

        Raises:
            FileReadError: the file is missing or is no ONNX graph, or holds what cannot be made float or what OpenVINO
                does not know.
            MissingExtraError: OpenVINO or onnx is not installed.
        """
        openvino = import_openvino()
        self.num_threads = count_threads(num_threads)
        self._max_tokens = 0 if max_tokens is None else max_tokens
        self._core = openvino.Core()
        with huge_pages():
            self._compiled, wide = self._load(path, precision=precision or self._choose_precision())
        self.input_names = [graph_input.any_name for graph_input in self._compiled.inputs]
        names = [output.any_name for output in self._compiled.outputs]
        if "logits" not in names:
            raise FileReadError(
                f"{path} has the outputs {', '.join(names) or 'none'}, expected logits; export it again"
            )
        self._output = names.index("logits")
        width = self._compiled.outputs[self._output].partial_shape[-1]
        self.n_labels = width.get_length() if width.is_static else None  # None: the graph leaves it open
        taken = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.precision: str = _NAMES.get(taken, taken)
        self.runtime = f"openvino {self.precision}"
        self.most_windows = _MOST_WINDOWS
        self.version: str = openvino.__version__
        # A request holds its scratch memory; as many as there are threads, so never more run than that.
        self._requests: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(self.num_threads):
            self._requests.put(self._compiled.create_infer_request())
        self._wide = None if wide is None else wide.create_infer_request()
        self._has_wide = threading.Lock()
        self.crowd = Crowd()
        self._pool = ThreadPoolExecutor(self.num_threads, "twohands") if self.num_threads > 1 else None
        self._is_forked = False
        self._run_first(path)
        tell_of_forks(self)

    def _run_first(self, path: Path) -> None:
        """Run a few tokens before any thread does.

        At the first run of a process OpenVINO's Python layer fills a table of types behind a guard of C++, and lets go
        of the interpreter meanwhile; a second thread then waits at the guard and holds the interpreter: both for ever.
        """
        input_ids = np.zeros((1, min(8, self._max_tokens or 8)), dtype=np.int64)
        try:
            with _FIRST_RUN:
                self.run_padded(input_ids, np.ones_like(input_ids))
        except RuntimeError as error:
            raise self._refuse(path, error) from error

    @staticmethod
    def _refuse(path: Path, error: RuntimeError) -> FileReadError:
        return FileReadError(
            f"OpenVINO cannot run {path}: {error}; take the runtime that reads every graph of this project: "
            "--runtime onnxruntime"
        )

    def leave_behind(self) -> None:
        """In a forked child: refuse from now on."""
        never_free(self._core, self._compiled, self._requests, self._wide, self._pool)
        self._is_forked = True

    def _check_process(self) -> None:
        if self._is_forked:
            raise ForkError(
                "OpenVINO was loaded before this process was forked, and does not work here; load the classifier in "
                'this process alone (start method "spawn"), or with runtime="onnxruntime"'
            )

    def _choose_precision(self) -> Precision:
        # OpenVINO emulates bf16 on a CPU with AVX-512 that does not multiply it: a paragraph takes over a second then.
        return "bf16" if "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"

    def _load(self, path: Path, *, precision: Precision) -> tuple[Any, Any]:
        """Compile the graph for windows side by side, and for one alone where there are threads for it.

        What was needed on the way is let go on return, before memory is counted or moved.
        """
        content = read_weight_only(path)
        try:
            model = self._core.read_model(content)
            narrow = self._compile(model, n_streams=self.num_threads, precision=precision)
            # For a window that has the machine to itself. Some 30 to 50 MB with MiniLM: weights are packed once more.
            wide = self._compile(model, n_streams=1, precision=precision) if self.num_threads > 1 else None
        except RuntimeError as error:  # OpenVINO raises nothing else
            raise self._refuse(path, error) from error
        return narrow, wide

    def _compile(self, model: Any, *, n_streams: int, precision: Precision) -> Any:  # noqa: ANN401 - untyped package
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": str(n_streams),
            "INFERENCE_NUM_THREADS": self.num_threads,
            # Pinned threads would share a core with a neighbour that is pinned to it, too, while another is free.
            "ENABLE_CPU_PINNING": False,
        }
        return self._core.compile_model(model, "CPU", options)

    def _infer(self, request: Any, input_ids: TokenIds, attention_mask: TokenIds) -> Logits:  # noqa: ANN401
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        if "token_type_ids" in self.input_names:
            feeds["token_type_ids"] = np.zeros_like(input_ids)
        request.infer({name: feeds[name] for name in self.input_names}, share_inputs=True)
        return np.array(request.get_output_tensor(self._output).data, dtype=np.float32)  # the tensor is used again

    def run_padded(self, input_ids: TokenIds, attention_mask: TokenIds) -> Logits:
        """Run one padded batch as it is; for parity checks and benchmarks.

        Args:
            input_ids: shape `(batch, length)`.
            attention_mask: shape `(batch, length)`, 1 for a token and 0 for padding.

        Returns:
            Shape `(batch, n_labels)`.

        Raises:
            ForkError: the session was opened before this process was forked.
        """
        self._check_process()
        request = self._requests.get()
        try:
            return self._infer(request, input_ids, attention_mask)
        finally:
            self._requests.put(request)

    def _pad(self, windows: Sequence[TokenIds]) -> tuple[TokenIds, TokenIds]:
        """Make one batch of windows: ids and mask of shape `(len(windows), length)`."""
        shape = len(windows), pad_length(max(map(len, windows)), most=self._max_tokens)
        input_ids, attention_mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, window in enumerate(windows):
            input_ids[row, : len(window)] = window
            attention_mask[row, : len(window)] = 1
        return input_ids, attention_mask

    def _run_alone(self, window: TokenIds) -> Logits:
        """Run one window, on all threads if nothing else wants them."""
        feeds = self._pad([window])
        with self.crowd.join() as is_alone:
            if self._wide is not None and is_alone and self._has_wide.acquire(blocking=False):
                try:
                    return self._infer(self._wide, *feeds)
                finally:
                    self._has_wide.release()
            return self.run_padded(*feeds)

    def _run_together(self, windows: Sequence[TokenIds]) -> Logits:
        """Run windows as one padded batch, on one thread."""
        feeds = self._pad(windows)
        with self.crowd.join():
            return self.run_padded(*feeds)

    def run_batch(self, token_ids: Sequence[TokenIds]) -> Logits:
        """Run windows.

        Args:
            token_ids: windows, shape `(length,)` each; at least one.

        Returns:
            Shape `(len(token_ids), n_labels)`, in the order given.

        Raises:
            ForkError: the session was opened before this process was forked.
            NonFiniteLogitsError: a logit is NaN or infinite.
        """
        self._check_process()
        if len(token_ids) == 1:
            logits = self._run_alone(token_ids[0])
        else:
            lengths = [pad_length(len(window), most=self._max_tokens) for window in token_ids]
            # Callers who run batches side by side need no second thread each; who is alone takes all.
            n_lanes = max(1, self.num_threads - self.crowd.n_running)
            batches = cut_batches(lengths, most_windows=min(_MOST_WINDOWS, -(-len(lengths) // n_lanes)))
            pieces = [[token_ids[index] for index in batch] for batch in batches]

            is_wide = self._pool is not None and n_lanes > 1 and len(pieces) > 1
            run_all = self._pool.map if self._pool is not None and is_wide else map
            rows = list(run_all(self._run_together, pieces))
            found = np.concatenate(rows)
            logits = np.empty_like(found)
            logits[[index for batch in batches for index in batch]] = found
        if not np.isfinite(logits).all():
            raise NonFiniteLogitsError("the model answered NaN or infinity; its weights are damaged or do not fit")
        return logits

    def close(self) -> None:
        """End the threads; the session cannot run several windows afterwards."""
        if self._pool is not None and not self._is_forked:
            self._pool.shutdown()
