"""What the exporter writes, run by OpenVINO: every family, every recipe, against ONNX Runtime."""

import numpy as np
import onnx
import pytest

from tests.support.encoders import FAMILIES, make_encoder
from tests.support.runtimes import skip_without_openvino
from training import graphs
from training.encoders import find_encoder
from training.model import build_model
from twohands.openvino_session import OpenVinoSession
from twohands.session import OnnxSession
from twohands.weight_only import make_weight_only

skip_without_openvino()

RECIPES = ["plain-int8", "plain-int8-ffn", "fused-int8", "fused-int8-early"]
INT8 = {"MatMulInteger", "DynamicQuantizeLinear"}
# The rest of them holds the same products; each export takes seconds.
FIRST = {"bert", "mpnet"}
LEAST_VOCABULARY = 390


@pytest.fixture(scope="module")
def export(tmp_path_factory, taxonomy):
    """The fp32 graph of each family, made when it is asked for."""
    made = {}

    def get(family):
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            encoder = find_encoder(str(make_encoder(folder / "encoder", family)))
            graphs.export_graph(build_model(encoder, taxonomy, pooling="mean").eval(), folder / "fp32.onnx", opset=18)
            made[family] = folder / "fp32.onnx"
        return made[family]

    return get


def make_windows(seed=0):
    generator = np.random.default_rng(seed)
    return [
        generator.integers(5, LEAST_VOCABULARY, size=int(length))
        for length in (3, 61, 16, 33, 60, 7, 59, 15, 17, 62, 31)
    ]


@pytest.mark.parametrize(
    "family", [family if family in FIRST else pytest.param(family, marks=pytest.mark.slow) for family in FAMILIES]
)
def test_each_family_answers_as_its_graph_does(family, export, tmp_path):
    windows = make_windows()
    fp32 = OnnxSession(export(family), num_threads=1).run_batch(windows)
    np.testing.assert_allclose(
        OpenVinoSession(export(family), num_threads=1, precision="f32").run_batch(windows), fp32, atol=1e-4
    )
    for recipe in RECIPES:
        path = graphs.make_candidate(export(family), tmp_path, recipe)
        model = onnx.load(str(path))
        tables = [
            tensor for tensor in model.graph.initializer if len(tensor.dims) == 2 and tensor.dims[0] >= LEAST_VOCABULARY
        ]
        assert [tensor.data_type for tensor in tables] == [onnx.TensorProto.UINT8], "embeddings are int8, too"
        assert make_weight_only(model) > 0
        assert not INT8 & {node.op_type for node in model.graph.node}
        onnx.save(model, str(tmp_path / "rewritten.onnx"))
        # The same float graph in both runtimes: what OpenVINO reads is what was meant.
        expected = OnnxSession(tmp_path / "rewritten.onnx", num_threads=1).run_batch(windows)
        found = OpenVinoSession(path, num_threads=1, precision="f32").run_batch(windows)
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=recipe)
        # int8 activations against float ones: apart by rounding, and no farther from fp32 than int8 itself.
        dynamic = OnnxSession(path, num_threads=1).run_batch(windows)
        spread = float(np.abs(fp32).max())
        assert np.abs(found - dynamic).max() < 0.15 * spread, recipe
        assert np.abs(found - fp32).mean() <= 1.1 * np.abs(dynamic - fp32).mean(), recipe
        half = OpenVinoSession(path, num_threads=1).run_batch(windows)
        assert np.abs(half - found).max() < 0.05 * spread, recipe
