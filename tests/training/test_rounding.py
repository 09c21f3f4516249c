"""Quantization-aware training: what is rounded, as the runtime rounds it, and what is learnt by it."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import load_file

from tests.support.encoders import make_encoder
from tests.training.test_run import run_fit
from training.encoders import find_encoder
from training.model import build_model
from training.rounding import make_aware, round_activations

pytestmark = pytest.mark.issue(3)


def as_the_runtime_rounds(row):
    """What is left of one text's numbers after ONNX Runtime has put them into 8 bits and taken them out again."""
    kinds = {"y": TensorProto.UINT8, "scale": TensorProto.FLOAT, "zero": TensorProto.UINT8}
    graph = helper.make_graph(
        [helper.make_node("DynamicQuantizeLinear", ["x"], list(kinds))],
        "rounding",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(row.shape))],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    steps, scale, zero = session.run(None, {"x": row})
    return (steps.astype(np.float32) - zero) * scale


@pytest.mark.parametrize(("low", "high"), [(-3.0, 5.0), (0.5, 2.0), (-4.0, -1.0), (0.0, 0.0)])
def test_each_text_is_rounded_as_the_runtime_rounds_it(low, high):
    drawn = torch.rand(3, 7, 16, generator=torch.Generator().manual_seed(2)) * (high - low) + low
    drawn[1] *= 100  # one text's outliers are none of another's business
    rounded = round_activations(drawn)
    for row, found in zip(drawn.numpy(), rounded.numpy(), strict=True):
        step = (max(row.max(), 0) - min(row.min(), 0)) / 255
        # A number between two steps may go to either, by the last bit of a division.
        np.testing.assert_allclose(found, as_the_runtime_rounds(row), atol=step * 1.01)
        assert np.mean(np.isclose(found, as_the_runtime_rounds(row), rtol=1e-5, atol=1e-7)) > 0.98
        assert len(np.unique(found)) <= 256


def test_padding_takes_no_part_in_the_range_of_a_text():
    drawn = torch.randn(2, 7, 16, generator=torch.Generator().manual_seed(3))
    drawn[0, 4:] *= 50
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[0, 4:] = 0
    rounded = round_activations(drawn, mask)
    torch.testing.assert_close(rounded[:1, :4], round_activations(drawn[:1, :4]))
    torch.testing.assert_close(rounded[1:], round_activations(drawn[1:]))
    pooled = drawn[:, 0]  # not of tokens, though it may be as wide as a text is long
    torch.testing.assert_close(round_activations(pooled, mask), round_activations(pooled))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_goes_through_to_where_the_run_is_ended(bad):
    values = torch.zeros(2, 3, 4)
    values[0, 1, 2] = bad
    rounded = round_activations(values)
    assert not torch.isfinite(rounded[0]).all()
    assert torch.isfinite(rounded[1]).all()


def test_gradients_pass_as_if_nothing_had_been_rounded():
    values = torch.randn(2, 3, 4, requires_grad=True)
    weights = torch.randn(2, 3, 4)
    (round_activations(values) * weights).sum().backward()
    torch.testing.assert_close(values.grad, weights)
    halved = round_activations(values.detach().to(torch.bfloat16))
    assert halved.dtype is torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert round_activations(values).dtype is torch.bfloat16


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_products_of_the_encoder_are_rounded_and_the_heads_are_not(tiny_encoder, taxonomy, pooling):
    torch.manual_seed(1)
    model = build_model(find_encoder(str(tiny_encoder)), taxonomy, pooling=pooling).eval()
    ids = torch.randint(5, 60, (2, 12), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        assert make_aware(model) >= 12  # two layers of six
        after = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        alone = torch.cat([model(input_ids=row[None], attention_mask=torch.ones_like(row[None])).logits for row in ids])
    assert not torch.equal(before, after)
    assert float((before - after).abs().max()) < 0.1
    torch.testing.assert_close(after, alone)
    assert not model.classifier._forward_pre_hooks


@pytest.mark.parametrize("family", ["bert", "mpnet", "modernbert"])
def test_a_short_text_beside_a_long_one_is_answered_as_it_is_alone(family, taxonomy, tmp_path):
    torch.manual_seed(4)
    encoder = find_encoder(str(make_encoder(tmp_path / family, family)))
    model = build_model(encoder, taxonomy, pooling="mean").eval()
    make_aware(model)
    ids = torch.randint(5, 60, (2, 40), generator=torch.Generator().manual_seed(5))
    mask = torch.ones_like(ids)
    mask[0, 9:], ids[0, 9:] = 0, 1
    with torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask).logits
        alone = model(input_ids=ids[:1, :9], attention_mask=mask[:1, :9]).logits
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=1e-4)


def test_a_run_learns_with_it_and_leaves_an_ordinary_checkpoint(write_run, tmp_path):
    found = {}
    for aware in (False, True):
        run_fit(write_run(n_rows=32, epochs=1, optim__quantization_aware=aware), tmp_path / str(aware))
        found[aware] = load_file(tmp_path / str(aware) / "checkpoint" / "model.safetensors")
    assert found[False].keys() == found[True].keys()
    assert any(not torch.equal(found[False][name], found[True][name]) for name in found[False])


def test_what_goes_into_query_key_and_value_is_rounded_once(tiny_encoder, taxonomy, monkeypatch):
    model = build_model(find_encoder(str(tiny_encoder)), taxonomy, pooling="mean").train()
    n_products, rounded = make_aware(model), []
    monkeypatch.setattr("training.rounding.round_activations", lambda values, _: rounded.append(values) or values)
    ids = torch.randint(5, 60, (2, 12), generator=torch.Generator().manual_seed(1))
    for n_steps in (1, 2):
        model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.sum().backward()
        assert len(rounded) == n_steps * n_products * 4 // 6
