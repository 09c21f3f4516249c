"""Cheaper steps on a CPU in bf16: the same shares dropped, the same attention, and nothing of it in a checkpoint."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, MPNetConfig, MPNetForSequenceClassification

from training.model import MeanPoolingClassifier, MeanPoolingConfig, load_checkpoint
from training.speedups import BitDropout, attend, speed_up


@pytest.mark.parametrize("share", [0.1, 0.5, 0.03])
def test_the_share_is_dropped_and_the_rest_is_scaled_forwards_and_backwards(share):
    torch.manual_seed(4)
    values = torch.full((1000, 999), 2.0, dtype=torch.bfloat16, requires_grad=True)
    dropped = BitDropout(share).train()(values)
    (3 * dropped).sum().backward()
    is_kept = dropped != 0
    assert 1 - is_kept.float().mean().item() == pytest.approx(share, abs=1.5e-3)  # five standard errors of a half
    assert set(dropped[is_kept].tolist()) == {torch.tensor(2 / (1 - share)).bfloat16().item()}
    assert torch.equal(values.grad != 0, is_kept)
    assert values.grad.max().item() == pytest.approx(3 / (1 - share), rel=1e-2)
    # No pattern by place: neighbours are drawn apart.
    pairs = (~is_kept[:, :-1] & ~is_kept[:, 1:]).float().mean().item()
    assert pairs == pytest.approx(share**2, abs=2e-3)


def test_a_seed_repeats_what_is_dropped_and_a_transposed_input_keeps_its_places():
    values = torch.randn(64, 48).bfloat16()
    dropout = BitDropout(0.2).train()
    torch.manual_seed(1)
    first, second = dropout(values), dropout(values)
    torch.manual_seed(1)
    again = dropout(values)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    turned = dropout(values.t())
    assert torch.equal(turned[turned != 0], (values.t() / 0.8).bfloat16()[turned != 0]) or torch.allclose(
        turned[turned != 0].float(), (values.t() / 0.8)[turned != 0].float(), rtol=1e-2
    )


def test_where_nothing_is_to_be_dropped_or_values_are_wide_it_is_torchs_own():
    values = torch.randn(8, 8)
    assert BitDropout(0.5).eval()(values.bfloat16()).equal(values.bfloat16())
    assert BitDropout(0.0).train()(values.bfloat16()).equal(values.bfloat16())
    torch.manual_seed(2)
    ours = BitDropout(0.5).train()(values)
    torch.manual_seed(2)
    assert torch.equal(ours, nn.Dropout(0.5).train()(values))


def test_attention_is_the_textbooks_with_what_is_padded_left_out():
    torch.manual_seed(3)
    query, key, value = (torch.randn(2, 3, 5, 4) for _ in range(3))
    mask = torch.zeros(2, 1, 1, 5)
    mask[0, ..., 3:] = torch.finfo(torch.float32).min
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    given, weights = attend(nn.Identity(), query, key, value, mask)
    assert torch.allclose(given, expected.transpose(1, 2), atol=1e-6)
    assert weights[0, ..., 3:].abs().max() == 0
    half, _ = attend(nn.Identity(), query.bfloat16(), key.bfloat16(), value.bfloat16(), mask)
    assert half.dtype is torch.bfloat16
    assert torch.allclose(half.float(), given, atol=0.05)


def build(pooling, **settings):
    torch.manual_seed(6)
    sizes = {"vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(**sizes, intermediate_size=32, num_labels=7, attn_implementation="eager", **settings)
    if pooling == "first":
        return BertForSequenceClassification(config).eval()
    outer = MeanPoolingConfig(encoder=config, num_labels=7)
    outer._attn_implementation = "eager"
    return MeanPoolingClassifier(outer).eval()


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_model_answers_as_before_and_its_checkpoint_knows_nothing_of_it(pooling, tmp_path):
    model = build(pooling)
    ids, mask = torch.randint(5, 90, (3, 12)), torch.ones(3, 12, dtype=torch.int64)
    mask[1, 7:] = 0
    with torch.no_grad():
        before = model(input_ids=ids, attention_mask=mask).logits
    speed_up(model)
    assert not any(type(module) is nn.Dropout for module in model.modules())
    implementations = {part.config._attn_implementation for part in model.modules() if hasattr(part, "config")}
    assert "twohands-lean" in implementations
    with torch.no_grad():
        after = model(input_ids=ids, attention_mask=mask).logits
    assert torch.allclose(before, after, atol=1e-5)
    model.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(input_ids=ids, attention_mask=mask).logits.float().square().mean()
    loss.backward()
    assert all(torch.isfinite(value.grad).all() for value in model.parameters() if value.grad is not None)
    model.eval().save_pretrained(tmp_path)
    assert "twohands-lean" not in (tmp_path / "config.json").read_text(encoding="utf-8")
    with torch.no_grad():
        assert torch.allclose(load_checkpoint(tmp_path)(input_ids=ids, attention_mask=mask).logits, before, atol=1e-5)


def test_a_family_with_attention_of_its_own_keeps_it():
    config = MPNetConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        attn_implementation="eager",
    )  # fmt: skip
    model = MPNetForSequenceClassification(config)
    speed_up(model)
    assert model.config._attn_implementation == "eager"
    assert any(isinstance(module, BitDropout) for module in model.modules())


def test_positions_that_are_added_to_the_scores_are_not_lost():
    model = build("first", position_embedding_type="relative_key")
    speed_up(model)
    assert model.config._attn_implementation == "eager"


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("room", "given", "expected"),
    [
        ("training.commands", None, "passive"),
        ("training.commands", "active", "active"),
        ("evaluation.commands", None, ""),
    ],
    ids=["training", "training, as the user says", "not where others are measured"],
)
def test_threads_that_wait_for_each_other_do_not_spin_unless_the_user_says_so(room, given, expected):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = f"import sys, os, {room}; print('torch' in sys.modules, os.environ.get('OMP_WAIT_POLICY', ''))"
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment | ({"OMP_WAIT_POLICY": given} if given else {}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.split() == ["False", *([expected] if expected else [])]  # after torch is too late
