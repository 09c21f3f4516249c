"""The second runtime gives each window its own row, in order, whatever stands beside it, or says why it cannot."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from tests.support.runtimes import skip_without_openvino
from tests.support.tiny import make_graph
from twohands import Classifier
from twohands.errors import FileReadError, MissingExtraError, NonFiniteLogitsError
from twohands.manifest import GRAPH_NAME
from twohands.openvino_session import OpenVinoSession, import_openvino
from twohands.runtimes import choose_runtime, has_amx_bf16, open_session
from twohands.session import OnnxSession
from twohands.weight_only import make_weight_only, read_weight_only

skip_without_openvino()

WIDTH, N_LABELS = 64, 7


def make_network(seed=0):
    """Embedding, a feed-forward block, the masked mean, and a classifier: what int8 touches, without attention."""
    generator = np.random.default_rng(seed)
    shapes = {"table": (40, WIDTH), "up": (WIDTH, 2 * WIDTH), "down": (2 * WIDTH, WIDTH), "out": (WIDTH, N_LABELS)}
    weights = [
        numpy_helper.from_array(generator.normal(0, 0.3, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    weights += [
        numpy_helper.from_array(generator.normal(0, 0.3, N_LABELS).astype(np.float32), "bias"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "middle"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["found"]),
        helper.make_node("Tanh", ["found"], ["rows"]),  # as encoders have a norm there
        helper.make_node("MatMul", ["rows", "up"], ["upper"], name="up"),
        helper.make_node("Tanh", ["upper"], ["active"]),
        helper.make_node("MatMul", ["active", "down"], ["lower"], name="down"),
        helper.make_node("Add", ["lower", "rows"], ["summed"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["summed", "mask3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["sums"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["counts"], keepdims=1),
        helper.make_node("Div", ["sums", "counts"], ["pooled"]),
        helper.make_node("MatMul", ["pooled", "out"], ["product"], name="out"),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "s"]) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", N_LABELS])]
    model = helper.make_model(
        helper.make_graph(nodes, "network", inputs, outputs, weights), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """The network in fp32, and quantised as the exporter does it: all products, and all but some."""
    folder = tmp_path_factory.mktemp("graphs")
    onnx.save(make_network(), str(folder / "fp32.onnx"))
    for name, excluded, per_channel in (("int8", [], True), ("kept", ["down", "out"], True), ("tensor", [], False)):
        quantize_dynamic(
            str(folder / "fp32.onnx"), str(folder / f"{name}.onnx"), per_channel=per_channel,
            weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gather"], nodes_to_exclude=excluded,
            extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
    return folder


@pytest.fixture
def two_threads(monkeypatch):
    """Two threads even where the machine grants one."""
    for module in ("session", "openvino_session"):
        monkeypatch.setattr(f"twohands.{module}.count_threads", lambda requested=None: requested or 2)


@pytest.fixture
def session(graphs, two_threads):  # noqa: ARG001 - it changes what the session finds
    opened = OpenVinoSession(graphs / "int8.onnx", num_threads=2, max_tokens=56, precision="f32")
    yield opened
    opened.close()


def make_windows(n, seed=0, longest=50):
    generator = np.random.default_rng(seed)
    return [generator.integers(1, 39, size=int(length)) for length in generator.integers(1, longest, size=n)]


@pytest.mark.parametrize("recipe", ["int8", "kept", "tensor"])
def test_the_weights_are_those_of_int8_and_activations_are_float(graphs, recipe):
    model = onnx.load(str(graphs / f"{recipe}.onnx"))
    assert make_weight_only(model) == (1 if recipe == "kept" else 3)
    onnx.checker.check_model(model)
    kinds = {node.op_type for node in model.graph.node}
    assert not {"MatMulInteger", "DynamicQuantizeLinear"} & kinds
    read = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= read, "nothing is kept that nobody reads"

    windows = make_windows(30)
    fp32 = OnnxSession(graphs / "fp32.onnx", num_threads=1).run_batch(windows)
    dynamic = OnnxSession(graphs / f"{recipe}.onnx", num_threads=1).run_batch(windows)
    found = OpenVinoSession(graphs / f"{recipe}.onnx", num_threads=1).run_batch(windows)
    np.testing.assert_allclose(found, dynamic, atol=0.2)  # of logits of up to 8
    np.testing.assert_allclose(found, fp32, atol=0.2)


@pytest.mark.parametrize(("capabilities", "asked"), [(["FP32", "BF16", "INT8"], "bf16"), (["FP32", "INT8"], "f32")])
def test_bf16_is_asked_for_where_the_processor_multiplies_it(graphs, monkeypatch, capabilities, asked):
    openvino = import_openvino()
    options = []
    real = openvino.Core

    class Core:
        """Says what this processor can, and writes down what was asked for."""

        def __init__(self):
            self._core = real()

        def get_property(self, device, name):
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return capabilities

        def read_model(self, content):
            return self._core.read_model(content)

        def compile_model(self, model, device, given):
            options.append(given["INFERENCE_PRECISION_HINT"])
            return self._core.compile_model(model, device, given | {"INFERENCE_PRECISION_HINT": "f32"})

    monkeypatch.setattr(openvino, "Core", Core)
    OpenVinoSession(graphs / "int8.onnx", num_threads=1).close()
    assert options == [asked]


def test_a_float_graph_is_run_as_it_is(graphs, tiny_model):
    windows = make_windows(20)
    path = graphs / "fp32.onnx"
    assert make_weight_only(onnx.load(str(path))) == 0
    found = OpenVinoSession(path, num_threads=1, precision="f32").run_batch(windows)
    np.testing.assert_allclose(found, OnnxSession(path, num_threads=1).run_batch(windows), atol=1e-4)
    windows = [window % 15 for window in windows]
    found = OpenVinoSession(tiny_model / GRAPH_NAME, num_threads=1, precision="f32").run_batch(windows)
    expected = OnnxSession(tiny_model / GRAPH_NAME, num_threads=1).run_batch(windows)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_rows_keep_their_order_and_do_not_depend_on_neighbours(session):
    assert (session.num_threads, session.n_labels, session.precision) == (2, N_LABELS, "f32")
    assert session.input_names == ["input_ids", "attention_mask"]
    windows = make_windows(60)
    rows = session.run_batch(windows)
    assert rows.shape == (60, N_LABELS)
    assert rows.dtype == np.float32
    alone = np.concatenate([session.run_batch([window]) for window in windows])
    np.testing.assert_allclose(rows, alone, atol=1e-5)
    np.testing.assert_allclose(session.run_batch(windows[::-1])[::-1], alone, atol=1e-5)


def test_neighbours_move_a_row_by_the_rounding_of_bf16_alone(graphs):
    half = OpenVinoSession(graphs / "int8.onnx", num_threads=1, max_tokens=56)
    windows = make_windows(60, seed=3)
    rows = half.run_batch(windows)
    alone = np.concatenate([half.run_batch([window]) for window in windows])
    np.testing.assert_allclose(rows, alone, atol=2**-7 * np.abs(alone).max())


def test_padding_is_masked(session):
    windows = make_windows(5, seed=4)
    input_ids = np.full((5, 70), 3, dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, window in enumerate(windows):
        input_ids[row, : len(window)] = window
        attention_mask[row, : len(window)] = 1
    np.testing.assert_allclose(session.run_padded(input_ids, attention_mask), session.run_batch(windows), atol=1e-5)


def test_callers_in_several_threads_get_their_own_rows_and_no_more_run_than_threads(session, monkeypatch):
    batches = [make_windows(9, seed=seed) for seed in range(12)]
    expected = [session.run_batch(batch) for batch in batches]
    running, most = [0], [0]
    infer = session._infer

    def count(*feeds):
        running[0] += 1
        most[0] = max(most[0], running[0])
        try:
            return infer(*feeds)
        finally:
            running[0] -= 1

    monkeypatch.setattr(session, "_infer", count)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(session.run_batch, batches))
    for rows, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(rows, right, atol=1e-5)
    assert most[0] <= session.num_threads


def test_a_window_gets_all_threads_only_if_none_ran_beside_another_lately(session, monkeypatch):
    clock, took_all, during = [100.0], [], []
    monkeypatch.setattr("twohands.session.time.monotonic", lambda: clock[0])
    infer = session._infer

    def note(request, *feeds):
        took_all.append(request is session._wide)
        if during:
            during.pop()()
        return infer(request, *feeds)

    monkeypatch.setattr(session, "_infer", note)
    (window,) = make_windows(1)
    session.run_batch([window])
    during.append(lambda: session.run_batch([window]))  # another caller, while the first one's window runs
    session.run_batch([window])
    assert took_all == [True, True, False]
    clock[0] += 0.01
    session.run_batch([window])
    clock[0] += 1.0
    session.run_batch([window])
    assert took_all[3:] == [False, True]


BOTH_AT_ONCE = """
import sys, threading
from pathlib import Path
import numpy as np
from twohands.openvino_session import OpenVinoSession

session = OpenVinoSession(Path(sys.argv[1]), num_threads=2)
sys.setswitchinterval(1e-6)
ready = threading.Barrier(2)

def run():
    ready.wait()
    session.run_batch([np.arange(5, 9), np.arange(5, 8)])

threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_runs_of_two_threads_do_not_wait_for_each_other_for_ever(tiny_model):
    # Where OpenVINO had not run before, about every third of these processes hung.
    for _ in range(6):
        command = [sys.executable, "-c", BOTH_AT_ONCE, str(tiny_model / GRAPH_NAME)]
        subprocess.run(command, check=True, timeout=60)


def test_a_model_that_answers_no_number_is_an_error(tmp_path):
    graph = make_graph(7)
    table = numpy_helper.to_array(graph.graph.initializer[0]).copy()
    table[5, 3] = np.nan
    graph.graph.initializer[0].CopyFrom(numpy_helper.from_array(table, "table"))
    onnx.save(graph, str(tmp_path / "bad.onnx"))
    session = OpenVinoSession(tmp_path / "bad.onnx", num_threads=1)
    with pytest.raises(NonFiniteLogitsError):
        session.run_batch([np.array([2, 4, 3]), np.array([2, 5, 3])])
    assert np.isfinite(session.run_batch([np.array([2, 4, 3])] * 3)).all()


def test_an_unknown_order_of_quantised_operators_says_what_to_do(graphs, tmp_path):
    model = onnx.load(str(graphs / "int8.onnx"))
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0].endswith("_output_quantized"):
            node.op_type = "Identity"
            break
    onnx.save(model, str(tmp_path / "odd.onnx"))
    with pytest.raises(match=r"1 DynamicQuantizeLinear, 1 MatMulInteger.*--runtime onnxruntime"):
        OpenVinoSession(tmp_path / "odd.onnx", num_threads=1)


def test_an_operator_that_openvino_does_not_know_says_what_to_do(tmp_path):
    model = make_network()
    tanh = next(node for node in model.graph.node if node.op_type == "Tanh")
    tanh.op_type, tanh.domain = "QuickTanh", "example.com"
    model.opset_import.append(helper.make_opsetid("example.com", 1))
    onnx.save(model, str(tmp_path / "odd.onnx"))
    with pytest.raises(match=r"(?s)QuickTanh.*--runtime onnxruntime"):
        OpenVinoSession(tmp_path / "odd.onnx", num_threads=1)


@pytest.mark.parametrize("content", [b"not a graph", b"\x08\x09", b"", None])
def test_a_file_that_is_no_graph_is_unreadable(tmp_path, content):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileReadError):
        OpenVinoSession(path)


def test_a_missing_package_is_named_with_its_extra(monkeypatch, graphs):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'twohands\[openvino\]'"):
        open_session(graphs / "int8.onnx", runtime="openvino")
    monkeypatch.delitem(sys.modules, "openvino")
    import_openvino()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"needs onnx.*twohands\[openvino\]"):
        read_weight_only(graphs / "int8.onnx")


@pytest.mark.parametrize(
    ("flags", "has_it"), [("fpu avx512_bf16 amx_tile amx_bf16 amx_int8", True), ("fpu avx512_bf16", False), ("", False)]
)
def test_auto_takes_openvino_only_where_the_cpu_has_amx(tmp_path, monkeypatch, flags, has_it):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nflags\t\t: {flags}\nbugs : none\n", encoding="utf-8")
    assert has_amx_bf16(path) == has_it
    monkeypatch.setattr("twohands.runtimes.has_amx_bf16", lambda: has_amx_bf16(path))
    assert choose_runtime("auto") == ("openvino" if has_it else "onnxruntime")
    assert (choose_runtime("openvino"), choose_runtime("onnxruntime")) == ("openvino", "onnxruntime")
    monkeypatch.setattr("twohands.runtimes.importlib.util.find_spec", lambda _: None)
    assert choose_runtime("auto") == "onnxruntime"
    assert not has_amx_bf16(tmp_path / "none")


def test_a_classifier_answers_alike_in_both_runtimes(tiny_model):
    texts = ["the plan of the market", "weather", "a subsidy . a licence", "embargo " * 30]
    ours, other = Classifier.load(tiny_model), Classifier.load(tiny_model, runtime="openvino")
    assert ours.session.runtime == "onnxruntime"
    assert other.session.runtime.startswith("openvino ")
    for one, two in zip(ours.classify(texts), other.classify(texts), strict=True):
        assert [list(head.scores) for head in two.heads.values()] == [list(head.scores) for head in one.heads.values()]
        for name, head in one.heads.items():
            for label, score in head.scores.items():
                assert two.heads[name].scores[label] == pytest.approx(score, abs=0.02)
    other.close()


def test_the_usual_runtime_imports_neither_openvino_nor_onnx(tiny_model):
    program = (
        "import sys; from twohands import Classifier; "
        f"Classifier.load({str(tiny_model)!r}, num_threads=1).classify(['plan']); "
        "sys.exit(' '.join({'openvino', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_importing_openvino_tells_nobody(tiny_model):
    program = (
        "import sys; from twohands import Classifier; "
        f"Classifier.load({str(tiny_model)!r}, num_threads=1, runtime='openvino').classify(['plan']); "
        "sys.exit(' '.join({'openvino_telemetry'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""
