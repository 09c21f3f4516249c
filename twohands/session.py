"""Owns token ids -> logits: one ONNX Runtime session, run unpadded on as many threads as are free."""

import functools
import mmap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import onnxruntime as ort

from twohands.encoding import EncodedParagraph, TokenIds
from twohands.errors import FileReadError, NonFiniteLogitsError
from twohands.forks import check_same, never_free, stamp_file, tell_of_forks
from twohands.overflow import sums_overflow
from twohands.pages import huge_pages
from twohands.threads import count_threads
from twohands.windows import Logits, aggregate_windows

# Kernels that the runtime would put in place of two, and that take longer than those two do on CPUs: a fifth of all
# time goes to the first (docs/performance.md).
_SLOWER_FUSIONS = ["SkipLayerNormFusion", "BiasGeluFusion"]

# Under load both threads can be between two windows at one moment; a window that then took both would run beside the
# next one, three threads on two cores. So a window is alone only if none has been run beside another for this long.
CROWDED_FOR_S = 0.05

RunBatch = Callable[[Sequence[TokenIds]], Logits]


class Session(Protocol):
    """Token ids -> logits, by whatever runtime; `run_batch` may be called from several threads at once.

    Attributes:
        num_threads: most threads that run side by side.
        input_names: of the graph.
        n_labels: logits of one window; None where the graph leaves it open.
        runtime: which it is and in what precision, for people.
        version: of the runtime's package.
        most_windows: how many windows one run takes; 1 where each is best run alone.
    """

    num_threads: int
    input_names: list[str]
    n_labels: int | None
    runtime: str
    version: str
    most_windows: int

    def run_padded(self, input_ids: TokenIds, attention_mask: TokenIds) -> Logits:
        """Run one padded batch as it is, shapes `(batch, length)`, into `(batch, n_labels)`."""
        ...

    def run_batch(self, token_ids: Sequence[TokenIds]) -> Logits:
        """Run windows, shape `(length,)` each, into `(len(token_ids), n_labels)` in the order given."""
        ...

    def close(self) -> None:
        """End the threads."""
        ...


class Crowd:
    """Counts what runs now, and remembers when runs last went side by side."""

    def __init__(self) -> None:
        """Begin with nothing running, and nothing that ever ran."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all runs, in a forked child: threads of the parent never come back to say that theirs ended."""
        self.n_running = 0
        self._crowded_s = -CROWDED_FOR_S  # by the monotonic clock
        self._counting = threading.Lock()

    @contextmanager
    def join(self) -> Iterator[bool]:
        """Count a run while it lasts.

        Yields:
            Whether nothing else runs, and none has been run beside another lately.
        """
        with self._counting:
            self.n_running += 1
            now_s = time.monotonic()
            if self.n_running > 1:
                self._crowded_s = now_s
            is_alone = self.n_running == 1 and now_s - self._crowded_s >= CROWDED_FOR_S
        try:
            yield is_alone
        finally:
            with self._counting:
                self.n_running -= 1


@runtime_checkable
class Crowded(Protocol):
    """A session that counts its runs, in a crowd of its own until it is given another one's."""

    crowd: Crowd


@functools.cache
def _share_arena() -> None:
    """Let all sessions of this process take scratch memory from one arena: each of its own would keep its peak."""
    where = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(where, None)


def _may_name_files(path: Path) -> bool:
    """Whether a graph may keep weights in other files: it names such a one behind this word, which others hold, too."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"location") >= 0


def _load(path: Path, *, num_threads: int, shares_arena: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A pattern is kept for every length that ever came: some 25 MB a session, and no time is saved by it.
    options.enable_mem_pattern = False
    if shares_arena:
        _share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
    if sums_overflow():  # a model whose weights are large answered neutral to everything on such a CPU
        options.add_session_config_entry("session.x64quantprecision", "1")
    # Spinning would burn the core of a neighbour run, and of an idle service.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    graph: str | bytes = str(path)
    try:
        if _may_name_files(path):
            # The manifest vouches for none of them: the weights could change, and the model's digest would not. So they
            # are looked for where nothing can be, which the runtime only does for a graph that it is given in memory.
            graph = path.read_bytes()
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path))
        return ort.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER_FUSIONS
        )
    except Exception as error:  # ONNX Runtime raises its own untyped classes
        hint = "; weights that are kept in other files are not read" if isinstance(graph, bytes) else ""
        raise FileReadError(f"ONNX Runtime cannot load {path}: {error}{hint}") from error


class OnnxSession:
    """Runs a classifier graph with one output `logits`.

    Each window is its own run: nothing is padded, and a paragraph's logits cannot depend on its neighbours,
    which they would with dynamic int8 (one activation range for the whole batch). Runs go side by side, one
    thread each, since that beats several threads in one run; a window that finds nothing else running, nor lately,
    gets all threads, since then latency is all that counts. In a forked child the graph is loaded anew on first use.
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
        self.runtime, self.version, self.most_windows = "onnxruntime", str(ort.__version__), 1
        self._path, self._stamp = path.absolute(), stamp_file(path)
        self.crowd = Crowd()
        self._open(shares_arena=True)
        self.input_names = [graph_input.name for graph_input in self._session.get_inputs()]
        width = next((output.shape[-1] for output in self._session.get_outputs() if output.name == "logits"), None)
        self.n_labels = width if isinstance(width, int) else None  # None: the graph leaves it open
        self._is_left_behind, self._renewing = False, threading.Lock()
        tell_of_forks(self)

    def _open(self, *, shares_arena: bool) -> None:
        with huge_pages():
            self._session = _load(self._path, num_threads=1, shares_arena=shares_arena)
            # For a window that has the machine to itself: two threads answer it in some 0.65 of the time of one.
            self._wide = (
                _load(self._path, num_threads=self.num_threads, shares_arena=shares_arena)
                if self.num_threads > 1
                else self._session
            )
        self._pool = ThreadPoolExecutor(self.num_threads, "twohands") if self.num_threads > 1 else None

    def leave_behind(self) -> None:
        """In a forked child: have the graph loaded anew on first use."""
        never_free(self._session, self._wide, self._pool)
        self.crowd.begin_anew()
        self._is_left_behind, self._renewing = True, threading.Lock()

    def _renew(self) -> None:
        with self._renewing:
            if self._is_left_behind:
                check_same(self._path, self._stamp)
                # Another thread of the parent may have held the lock of the shared arena when it was forked.
                self._open(shares_arena=False)
                self._is_left_behind = False

    def run_padded(self, input_ids: TokenIds, attention_mask: TokenIds) -> Logits:
        """Run one padded batch as it is; for parity checks and benchmarks.

        Args:
            input_ids: shape `(batch, length)`.
            attention_mask: shape `(batch, length)`, 1 for a token and 0 for padding.

        Returns:
            Shape `(batch, n_labels)`.
        """
        if self._is_left_behind:
            self._renew()
        return self._run(self._session, input_ids, attention_mask)

    def _run(self, session: ort.InferenceSession, input_ids: TokenIds, attention_mask: TokenIds) -> Logits:
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        if "token_type_ids" in self.input_names:
            feeds["token_type_ids"] = np.zeros_like(input_ids)
        (logits,) = session.run(["logits"], {name: feeds[name] for name in self.input_names})
        return np.asarray(logits, dtype=np.float32)

    def _run_one(self, token_ids: TokenIds, *, may_be_wide: bool) -> Logits:
        input_ids = token_ids[None, :]  # (1, length)
        with self.crowd.join() as is_alone:
            session = self._wide if may_be_wide and is_alone else self._session
            return np.asarray(self._run(session, input_ids, np.ones_like(input_ids))[0])

    def run_batch(self, token_ids: Sequence[TokenIds]) -> Logits:
        """Run windows.

        Args:
            token_ids: windows, shape `(length,)` each; at least one.

        Returns:
            Shape `(len(token_ids), n_labels)`, in the order given.

        Raises:
            FileReadError: this process was forked, and the graph cannot be loaded anew.
            NonFiniteLogitsError: a logit is NaN or infinite.
        """
        if self._is_left_behind:
            self._renew()
        if self._pool is None or len(token_ids) == 1:
            rows = [self._run_one(ids, may_be_wide=True) for ids in token_ids]
        else:
            # Longest first, so that the last run of a batch is a short one and no thread waits long.
            order = sorted(range(len(token_ids)), key=lambda index: -len(token_ids[index]))
            runs = self._pool.map(lambda index: self._run_one(token_ids[index], may_be_wide=False), order)
            done = dict(zip(order, runs, strict=True))
            rows = [done[index] for index in range(len(token_ids))]
        logits = np.array(rows)
        if not np.isfinite(logits).all():
            raise NonFiniteLogitsError("the model answered NaN or infinity; its weights are damaged or do not fit")
        return logits

    def close(self) -> None:
        """End the threads; the session cannot run several windows afterwards."""
        if self._pool is not None and not self._is_left_behind:
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
