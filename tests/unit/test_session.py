"""The session gives each window its own row, in order, from one thread or many."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.tiny import make_graph
from twohands.errors import FileReadError, NonFiniteLogitsError
from twohands.manifest import GRAPH_NAME
from twohands.runtimes import lacks_vnni
from twohands.session import OnnxSession, run_paragraphs


@pytest.fixture
def two_threads(monkeypatch):
    """Two threads even where the machine grants one."""
    monkeypatch.setattr("twohands.session.count_threads", lambda requested: requested or 2)


@pytest.fixture
def session(tiny_model, two_threads):  # noqa: ARG001 - it changes what the session finds
    opened = OnnxSession(tiny_model / GRAPH_NAME, num_threads=2)
    yield opened
    opened.close()


def make_windows(n, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(1, 15, size=int(length)) for length in generator.integers(1, 16, size=n)]


def test_rows_keep_their_order_when_run_side_by_side(session, tiny_model):
    windows = make_windows(60)
    single = OnnxSession(tiny_model / GRAPH_NAME, num_threads=1)
    assert (session.num_threads, single.num_threads) == (2, 1)
    rows = session.run_batch(windows)
    assert rows.shape == (60, 7)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, single.run_batch(windows))
    for window, row in zip(windows, rows, strict=True):
        np.testing.assert_array_equal(session.run_batch([window])[0], row)


def test_a_row_does_not_depend_on_its_neighbours_or_on_padding(session):
    windows = make_windows(5, seed=4)
    input_ids = np.zeros((5, 20), dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, window in enumerate(windows):
        input_ids[row, : len(window)] = window
        attention_mask[row, : len(window)] = 1
    np.testing.assert_allclose(session.run_padded(input_ids, attention_mask), session.run_batch(windows), atol=1e-5)


def test_callers_in_several_threads_get_their_own_rows(session):
    batches = [make_windows(9, seed=seed) for seed in range(12)]
    expected = [session.run_batch(batch) for batch in batches]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(session.run_batch, batches))
    for rows, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, right)


def test_a_window_gets_all_threads_only_if_none_ran_beside_another_lately(session, monkeypatch):
    clock, took_all, during = [100.0], [], []
    monkeypatch.setattr("twohands.session.time.monotonic", lambda: clock[0])
    run = session._run

    def note(chosen, *feeds):
        took_all.append(chosen is session._wide)
        if during:
            during.pop()()
        return run(chosen, *feeds)

    monkeypatch.setattr(session, "_run", note)
    (window,) = make_windows(1)
    session.run_batch([window])
    during.append(lambda: session.run_batch([window]))  # another caller, while the first one's window runs
    session.run_batch([window])
    assert took_all == [True, True, False]
    clock[0] += 0.01  # both threads are between two windows, yet more come
    session.run_batch([window])
    clock[0] += 1.0
    session.run_batch([window])
    assert took_all[3:] == [False, True]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_that_answers_no_number_is_an_error(tmp_path, value):
    graph = make_graph(7)
    table = onnx.numpy_helper.to_array(graph.graph.initializer[0]).copy()
    table[5, 3] = value
    graph.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(table, "table"))
    onnx.save(graph, str(tmp_path / "bad.onnx"))
    session = OnnxSession(tmp_path / "bad.onnx", num_threads=2)
    assert np.isfinite(session.run_batch([np.array([2, 4, 3])])).all()
    with pytest.raises(NonFiniteLogitsError):
        session.run_batch([np.array([2, 4, 3]), np.array([2, 5, 3])])
    session.run_batch([np.array([2, 4, 3])] * 3)  # it goes on after a bad batch
    session.close()


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x09"])
def test_a_file_that_is_no_graph_is_unreadable(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(FileReadError):
        OnnxSession(path)
    with pytest.raises(FileReadError):
        OnnxSession(tmp_path / "none.onnx")


def test_windows_of_a_paragraph_are_averaged():
    class Paragraph:
        def __init__(self, *windows):
            self.windows = windows

    def run_batch(windows):
        return np.array([[float(ids.sum()), 1.0] for ids in windows], dtype=np.float32)

    paragraphs = [Paragraph(np.array([1]), np.array([3])), Paragraph(np.array([10]))]
    assert run_paragraphs(run_batch, paragraphs).tolist() == [[2.0, 1.0], [10.0, 1.0]]


def test_a_sum_and_a_layer_norm_stay_two_kernels(tmp_path, monkeypatch):
    """The runtime's one kernel for both takes several times as long as the two (docs/performance.md)."""
    rows = np.eye(8, 16, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["rows", "input_ids"], ["embedded"]),
            helper.make_node("Softmax", ["embedded"], ["changed"]),
            helper.make_node("Add", ["embedded", "changed"], ["sum"]),
            helper.make_node("LayerNormalization", ["sum", "scale", "bias"], ["normed"]),
            helper.make_node("ReduceMax", ["normed", "axes"], ["logits"], keepdims=0),
        ],
        "residual",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "s"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 16])],
        [
            numpy_helper.from_array(rows, "rows"),
            numpy_helper.from_array(np.ones(16, dtype=np.float32), "scale"),
            numpy_helper.from_array(np.zeros(16, dtype=np.float32), "bias"),
            numpy_helper.from_array(np.array([1]), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, str(tmp_path / "residual.onnx"))
    make_session, as_run = onnxruntime.InferenceSession, tmp_path / "as-run.onnx"

    def write_what_is_run(path, options, **others):
        options.optimized_model_filepath = str(as_run)
        return make_session(path, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", write_what_is_run)
    session = OnnxSession(tmp_path / "residual.onnx", num_threads=1)
    assert session.run_batch([np.array([1, 2])]).shape == (1, 16)
    kernels = {node.op_type for node in onnx.load(str(as_run)).graph.node}
    assert "LayerNormalization" in kernels
    assert "SkipLayerNormalization" not in kernels


def test_int8_products_do_not_overflow_where_the_cpu_adds_them_in_16_bits(tmp_path):
    """x86 without VNNI cuts sums of two products at 32,767; a released model answered neutral to everything there."""
    weights = np.full((64, 7), 127, np.int8)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["input_ids"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["floats", "last"], ["tokens"]),
            helper.make_node("Expand", ["tokens", "width"], ["wide"]),
            helper.make_node("ReduceMax", ["wide", "length"], ["hidden"], keepdims=0),
            helper.make_node("DynamicQuantizeLinear", ["hidden"], ["quantised", "scale", "zero"]),
            helper.make_node("MatMulInteger", ["quantised", "weights", "zero"], ["sums"]),
            helper.make_node("Cast", ["sums"], ["float_sums"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["float_sums", "scale"], ["logits"]),
        ],
        "overflow",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 7])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([2]), "last"),
            numpy_helper.from_array(np.array([1, 1, 64]), "width"),
            numpy_helper.from_array(np.array([1]), "length"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(tmp_path / "overflow.onnx"))
    session = OnnxSession(tmp_path / "overflow.onnx", num_threads=1)
    (row,) = session.run_batch([np.array([3, 9, 255])])
    np.testing.assert_allclose(row, 64 * 127 * 255.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("flags", "lacks_it"),
    [
        ("fpu avx2 fma", True),
        ("fpu avx2 avx512f avx512bw", True),
        ("fpu avx2 avx_vnni", False),
        ("fpu avx2 avx512f avx512_vnni", False),
        ("fp asimd i8mm", False),
    ],
)
def test_a_cpu_on_which_int8_gains_little_is_known_by_its_flags(tmp_path, flags, lacks_it):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nflags\t\t: {flags}\nbugs : none\n", encoding="utf-8")
    assert lacks_vnni(path) == lacks_it
    assert not lacks_vnni(tmp_path / "none")
