"""A paragraph's scores do not depend on what is asked beside it, with a model where in one batch they would."""

import asyncio

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from serving.engine import Engine
from twohands.encoding import EncodedParagraph
from twohands.session import OnnxSession

pytestmark = pytest.mark.anyio

N_WORDS, WIDTH, N_LABELS = 50, 32, 7


def write_model(path):
    """Embeddings whose sizes differ much, a product, and the mean over tokens."""
    rng = np.random.default_rng(7)
    table = rng.normal(size=(N_WORDS, WIDTH)).astype(np.float32) * np.logspace(-1, 1, N_WORDS)[:, None]
    weights = [
        numpy_helper.from_array(table.astype(np.float32), "table"),
        numpy_helper.from_array(rng.normal(size=(WIDTH, N_LABELS)).astype(np.float32), "weight"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "middle"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weight"], ["products"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["products", "mask3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["sums"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["counts"], keepdims=1),
        helper.make_node("Div", ["sums", "counts"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "s"]) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", N_LABELS])]
    model = helper.make_model(
        helper.make_graph(nodes, "mixed", inputs, outputs, weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 9
    onnx.save(model, str(path))


@pytest.fixture(scope="module", params=["fp32", "int8"])
def session(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    path = folder / "fp32.onnx"
    write_model(path)
    if request.param == "int8":
        options = {"weight_type": QuantType.QInt8, "op_types_to_quantize": ["MatMul"]}
        quantize_dynamic(str(path), str(folder / "int8.onnx"), **options)
        path = folder / "int8.onnx"
    session = OnnxSession(path, num_threads=2)
    session.precision = request.param
    yield session
    session.close()


def make_paragraphs(n):
    rng = np.random.default_rng(3)
    windows = [rng.integers(0, N_WORDS, size=int(rng.integers(1, 60)), dtype=np.int64) for _ in range(n)]
    return [EncodedParagraph((window,), len(window), 0, 0) for window in windows]


def test_in_one_batch_int8_scores_do_depend_on_their_neighbours(session):
    """Why each window is run alone; without this the test below would prove nothing."""
    short, large = np.zeros((1, 8), dtype=np.int64), np.full((1, 8), N_WORDS - 1)
    alone = session.run_padded(short, np.ones_like(short))[0]
    both = np.concatenate([short, large])
    beside = session.run_padded(both, np.ones_like(both))[0]
    assert np.allclose(alone, beside, atol=1e-5) == (session.precision == "fp32")


async def test_alone_and_among_many_requests_the_scores_are_the_same_to_the_bit(session):
    paragraphs = make_paragraphs(60)
    alone = [session.run_batch([paragraph.windows[0]])[0] for paragraph in paragraphs]
    engine = Engine(
        run_batch=session.run_batch, num_threads=2, max_pending=1000, max_queue_tokens=100_000, timeout_s=30
    )
    together = (await engine.run(paragraphs)).value
    singles = await asyncio.gather(*(engine.run([paragraph]) for paragraph in paragraphs))
    await engine.stop()
    assert np.array_equal(together, np.stack(alone))
    assert np.array_equal(np.concatenate([single.value for single in singles]), np.stack(alone))
