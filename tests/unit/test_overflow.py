"""The exact way of adding int8 products costs twice the time where it is not needed: it is taken where it is."""

from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from twohands import overflow, session
from twohands.overflow import sums_overflow
from twohands.runtimes import lacks_vnni

CPU_FILE = Path("/proc/cpuinfo")
OPTION = "session.x64quantprecision"


def test_the_graph_is_one_product_of_unsigned_with_signed_bytes():
    graph = onnx.load_from_string(overflow._PRODUCT).graph
    assert [node.op_type for node in graph.node] == ["MatMulInteger"]
    assert [value.type.tensor_type.elem_type for value in graph.input] == [TensorProto.UINT8, TensorProto.INT8]
    onnx.checker.check_model(onnx.load_from_string(overflow._PRODUCT))


@pytest.mark.skipif(
    not CPU_FILE.is_file() or "avx2" not in CPU_FILE.read_text(encoding="utf-8").split(),
    reason="only Linux tells the flags of an x86 CPU",
)
def test_the_runtime_says_what_the_flags_say():
    assert sums_overflow() == lacks_vnni()


def test_sums_that_are_cut_off_are_seen(monkeypatch):
    """What the product gives is changed behind the runtime's back, as this CPU may have no way to be wrong."""
    make_session = onnxruntime.InferenceSession

    class Saturating:
        def __init__(self, *args, **kwargs):
            self._session = make_session(*args, **kwargs)

        def run(self, names, feeds):
            (sums,) = self._session.run(names, feeds)
            return [sums.clip(max=32 * 32767)]  # 32 pairs, each cut off at what 16 bits hold

    monkeypatch.setattr(overflow.ort, "InferenceSession", Saturating)
    assert sums_overflow.__wrapped__()


@pytest.mark.parametrize("overflows", [True, False])
def test_the_exact_way_is_taken_where_sums_overflow_and_only_there(tmp_path, monkeypatch, overflows):
    graph = helper.make_graph(
        [helper.make_node("Cast", ["input_ids"], ["logits"], to=TensorProto.FLOAT)],
        "cast",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", 7])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 7])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, str(tmp_path / "model.onnx"))
    monkeypatch.setattr(session, "sums_overflow", lambda: overflows)
    made = []
    make_session = onnxruntime.InferenceSession

    def note(path, options, **others):
        made.append(read(options))
        return make_session(path, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", note)
    session.OnnxSession(tmp_path / "model.onnx", num_threads=1)
    assert made == ["1" if overflows else None]


def read(options):
    try:
        return options.get_session_config_entry(OPTION)
    except Exception:  # noqa: BLE001, RUF100 - the runtime's own and untyped: the option is not set
        return None
