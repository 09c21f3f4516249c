"""The parts of a run: loss, batches, calibration, encoders."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.tiny import build_tiny_model
from training.batches import WindowCollator, average_windows, describe_cut, make_dataset
from training.calibration import fit_abstention, fit_rules, fit_temperature, warn_of_rules
from training.card import compare_served, decision_lines, describe_recipe
from training.config import load_config
from training.encoders import find_encoder
from training.export import weigh_refusal
from training.gates import Candidate
from training.losses import MultiHeadLoss, weigh_classes
from training.machine import set_threads
from training.order import EpochOrder
from twohands.encoding import ParagraphEncoder
from twohands.errors import EncoderError
from twohands.examples import NOT_LABELLED, Example
from twohands.inspection import _describe_heads
from twohands.manifest import load_manifest
from twohands.scores import DecisionRule, Platt, Temperature, softmax
from twohands.windows import WindowRule, aggregate_windows


@pytest.fixture
def loss(taxonomy):
    ones = {"stance": torch.ones(3), "topics": torch.ones(4)}
    return MultiHeadLoss(taxonomy, head_weights={"stance": 1.0, "topics": 2.0}, class_weights=ones)


def test_loss_is_the_sum_of_the_heads_textbook_losses(loss):
    logits = torch.tensor([[1.0, 2.0, 0.5, 0.3, -0.2, 1.5, 0.0]])
    labels = torch.tensor([[0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]])
    cross = math.log(math.e + math.e**2 + math.e**0.5) - 2.0
    binary = [-math.log(1 / (1 + math.exp(-s * z))) for s, z in zip((1, -1, -1, 1), (0.3, -0.2, 1.5, 0.0), strict=True)]
    assert loss(logits, labels).item() == pytest.approx(cross + 2 * sum(binary) / 4, abs=1e-6)


def test_two_answers_are_as_far_apart_as_the_textbook_says(loss):
    torch.manual_seed(3)
    first, second = torch.randn(5, 7), torch.randn(5, 7)
    one_of, another = (torch.distributions.Categorical(logits=of[:, :3]) for of in (first, second))
    both = torch.distributions.kl_divergence(one_of, another) + torch.distributions.kl_divergence(another, one_of)
    one, other = (torch.distributions.Bernoulli(logits=of[:, 3:]) for of in (first, second))
    binary = torch.distributions.kl_divergence(one, other) + torch.distributions.kl_divergence(other, one)
    assert loss.compare(first, second).item() == pytest.approx(
        (both.mean() / 2 + 2 * binary.mean() / 2).item(), abs=1e-6
    )
    assert loss.compare(first, second).item() == pytest.approx(loss.compare(second, first).item(), abs=1e-6)
    assert loss.compare(first, first).item() == 0.0
    assert loss.compare(first[:0], first[:0]).item() == 0.0


def test_sure_answers_that_differ_leave_a_finite_gradient(loss):
    first = torch.full((1, 7), 80.0).requires_grad_()
    value = loss.compare(first, torch.tensor([[-80.0, 80.0, 0.0, -80.0, 80.0, -80.0, 80.0]]))
    value.backward()
    assert torch.isfinite(value)
    assert first.grad is not None
    assert torch.isfinite(first.grad).all()


def test_a_head_without_a_label_teaches_nothing(loss):
    logits = torch.randn(3, 7, requires_grad=True)
    labels = torch.tensor(
        [[0.0, 1.0, 0.0, *[NOT_LABELLED] * 4], [*[NOT_LABELLED] * 3, 1.0, 0, 0, 0], [NOT_LABELLED] * 7]
    )
    loss(logits, labels).backward()
    assert logits.grad is not None
    assert (logits.grad[0, :3] != 0).all()
    assert (logits.grad[0, 3:] == 0).all()
    assert (logits.grad[1, :3] == 0).all()
    assert (logits.grad[2] == 0).all()


def test_a_batch_without_any_label_has_a_gradient_of_zero(loss):
    logits = torch.randn(2, 7, requires_grad=True)
    value = loss(logits, torch.full((2, 7), NOT_LABELLED))
    value.backward()
    assert value.item() == 0.0
    assert logits.grad is not None


def test_class_weights_favour_rare_labels_and_keep_their_mean(taxonomy):
    labels = np.zeros((100, 7), dtype=np.float32)
    labels[:10, 0], labels[10:30, 1], labels[30:, 2] = 1, 1, 1
    labels[:5, 3:] = 1
    even = weigh_classes(labels, taxonomy, powers={"stance": 0.0, "topics": 0.0})
    full = weigh_classes(labels, taxonomy, powers={"stance": 1.0, "topics": 1.0})
    assert even["stance"].tolist() == [1, 1, 1]
    assert (full["stance"] * torch.tensor([0.1, 0.2, 0.7])).sum().item() == pytest.approx(1)
    assert full["stance"][0] > full["stance"][1] > full["stance"][2]
    assert full["topics"].tolist() == pytest.approx([19.0] * 4)


@pytest.mark.issue(3)
def test_a_label_that_each_row_has_is_not_unlearnt_by_smoothing(taxonomy):
    labels = np.zeros((8, 7), dtype=np.float32)
    labels[:, 0] = 1
    labels[:, 3] = 1
    labels[:4, 4:] = 1
    weights = weigh_classes(labels, taxonomy, powers={"stance": 0.25, "topics": 0.25})
    assert weights["topics"].tolist() == pytest.approx([(1 / 8) ** 0.25, 1, 1, 1])
    loss = MultiHeadLoss(taxonomy, head_weights={"stance": 1.0, "topics": 1.0}, class_weights=weights)
    logits = torch.zeros(8, 7, requires_grad=True)
    loss(logits, torch.tensor(0.9 * labels + 0.05)).backward()
    assert logits.grad is not None
    assert (logits.grad[:, 3] < 0).all(), "a step down the gradient raises the label"


def test_windows_are_averaged_in_training_as_in_serving():
    logits = torch.randn(7, 3)
    counts = [2, 1, 4]
    expected = aggregate_windows(logits.numpy(), counts)
    np.testing.assert_allclose(average_windows(logits, torch.tensor(counts)).numpy(), expected, atol=1e-6)


def test_training_ids_are_serving_ids(tiny_encoder, taxonomy):
    encoder = ParagraphEncoder(
        find_encoder(str(tiny_encoder)).read_tokenizer(), WindowRule(max_tokens=32, overlap_tokens=8, max_windows=4)
    )
    texts = ["Short one.", "The council met again about the mill and the price of bread. " * 8]
    rows = [
        Example(str(n), text.strip(), {"stance": ("neutral",), "topics": None}, "s", str(n))
        for n, text in enumerate(texts)
    ]
    table = make_dataset(rows, encoder, taxonomy)
    for row, text in zip(table, texts, strict=True):
        assert row["windows"] == [window.tolist() for window in encoder.encode(text).windows]
    batch = WindowCollator(0)(list(table))
    assert batch["n_windows"].tolist() == [1, len(table[1]["windows"])]
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    assert batch["attention_mask"].sum(dim=1).tolist() == [len(w) for row in table for w in row["windows"]]
    assert batch["labels"][0].tolist() == [0, 0, 1, *[NOT_LABELLED] * 4]


@pytest.mark.issue(3)
def test_an_epochs_order_hangs_on_its_seed_and_number_alone():
    lengths = torch.randint(5, 60, (300,)).tolist()

    def draw(seed: int, epoch: int) -> list[int]:
        torch.rand(int(torch.randint(1, 50, ())))  # as dropout draws
        return list(EpochOrder(lengths, batch_size=8, seed=seed, read_epoch=lambda: epoch))

    orders = [draw(1, 0), draw(1, 1), draw(2, 0)]
    assert all(sorted(order) == list(range(300)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert [draw(1, 0), draw(1, 1), draw(2, 0)] == orders
    spread = [max(lengths[row] for row in batch) - min(lengths[row] for row in batch)
              for batch in (orders[1][start : start + 8] for start in range(8, 296, 8))]  # fmt: skip
    assert np.median(spread) < 15, "rows of like length go together"


def test_a_changed_row_comes_a_second_time_as_it_was(tiny_encoder, taxonomy):
    encoder = ParagraphEncoder(
        find_encoder(str(tiny_encoder)).read_tokenizer(), WindowRule(max_tokens=32, overlap_tokens=8, max_windows=4)
    )
    labels = [{"stance": (word,), "topics": None} for word in ("neutral", "state-led", "market-led")]
    before = [Example(str(n), f"The mill of town {n}.", labels[n], "s", str(n)) for n in range(3)]
    after = [before[0], dataclasses.replace(before[1], paragraph="The mi1l of town 1. " * 8), before[2]]
    rows = list(make_dataset(after, encoder, taxonomy, originals=before))
    batch = WindowCollator(0)([rows[2], rows[1], rows[0]])
    assert batch["changed"].tolist() == [1]
    n_windows = len(encoder.encode(after[1].paragraph).windows)
    assert n_windows > 1
    assert batch["n_windows"].tolist() == [1, n_windows, 1, 1]
    (shown,) = encoder.encode(before[1].paragraph).windows
    assert batch["input_ids"][-1][: len(shown)].tolist() == shown.tolist()
    assert batch["labels"].shape == (4, 7)
    assert batch["labels"][3].tolist() == batch["labels"][1].tolist()
    assert WindowCollator(0)(list(make_dataset(after, encoder, taxonomy)))["changed"].tolist() == []


@pytest.mark.issue(3)
def test_rows_that_are_cut_are_counted_and_the_remedy_named(tiny_encoder, taxonomy):
    encoder = find_encoder(str(tiny_encoder)).read_tokenizer()
    rule = WindowRule(max_tokens=16, overlap_tokens=4, max_windows=2)
    rows = [Example(str(n), "the mill " * 20**n, {"stance": ("neutral",), "topics": ()}, "s", "g") for n in range(3)]
    table = make_dataset(rows, ParagraphEncoder(encoder, rule), taxonomy)
    n_cut = list(table["n_tokens_cut"])
    assert (n_cut[0], n_cut[2] - n_cut[1]) == (0, 2 * (400 - 20))
    (line,) = describe_cut("train", n_cut, max_windows=2)
    assert line == (
        f"2 rows are not read to the end, of 3 of train: {sum(n_cut)} tokens are cut; a larger window.max_windows "
        "reads more (it is 2)"
    )
    assert describe_cut("dev", [0, 0], max_windows=2) == []


def test_temperature_is_recovered():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, 3)) * 2
    labels = np.array([generator.multinomial(1, p) for p in softmax(logits)], dtype=np.float32)
    assert fit_temperature(logits * 3, labels).temperature == pytest.approx(3, rel=0.1)


def test_a_temperature_of_few_rows_without_an_error_does_not_make_scores_certain():
    """Fifty dev rows, all right, once gave the lowest temperature that there is, and scores of 1.000."""
    generator = np.random.default_rng(0)
    for scale in (2, 4, 8):
        logits = generator.normal(size=(50, 3)) * scale
        labels = np.eye(3, dtype=np.float32)[logits.argmax(axis=1)]
        fitted = fit_temperature(logits, labels).temperature
        assert 0.3 < fitted < 2
        assert softmax(logits / fitted).max(axis=1).mean() < 0.98
    assert fit_temperature(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.float32)).temperature == pytest.approx(1)


def test_a_temperature_of_many_rows_is_that_of_the_likelihood():
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(958, 3)) * 2
    labels = np.array([generator.multinomial(1, p) for p in softmax(logits)], dtype=np.float32)
    grid = np.linspace(0.8, 1.3, 2001)
    chosen = (logits * labels).sum(axis=1)
    loss = [np.log(np.exp(logits / t).sum(axis=1)).mean() - (chosen / t).mean() for t in grid]
    assert fit_temperature(logits, labels).temperature == pytest.approx(grid[int(np.argmin(loss))], rel=0.02)


def test_a_fit_at_the_end_of_its_range_is_pointed_out():
    rules = {
        "stance": DecisionRule(calibration=Temperature(temperature=0.0501), thresholds=None, abstention=0.5),
        "topics": DecisionRule(
            calibration=Platt(slopes=[1.0, 20.0, 1.0, 1.0], intercepts=[0.0] * 4), thresholds=[0.5] * 4, abstention=None
        ),
    }
    stance, topics = warn_of_rules(rules, {"stance": 6, "topics": 50})
    assert " 6 dev rows" in stance, "those that say something of the head"
    assert " 50 dev rows" in topics
    assert stance.startswith("stance: the temperature of its calibration is at the end")
    assert topics.startswith("topics: the slope of its calibration is at the end")


def test_abstention_level_is_where_answers_become_reliable():
    generator = np.random.default_rng(3)
    top = generator.uniform(1 / 3, 1, 5000)
    hit = generator.random(5000) < np.where(top < 0.6, 0.4, 0.9)
    scores = np.stack([top, 1 - top], axis=1)
    labels = np.stack([hit, ~hit], axis=1).astype(np.float32)
    labels[top < 0.5] = labels[top < 0.5][:, ::-1]
    assert fit_abstention(scores, labels) == pytest.approx(0.6, abs=0.05)
    always = np.stack([np.ones(5000), np.zeros(5000)], axis=1).astype(np.float32)
    always[top < 0.5] = always[top < 0.5][:, ::-1]
    assert fit_abstention(scores, always) == 0.0


@pytest.mark.issue(2)
def test_a_head_that_would_never_answer_is_pointed_out(taxonomy):
    """Of a handful of dev rows no score may be right often enough: then every answer is marked as abstained."""
    generator = np.random.default_rng(3)
    logits = generator.normal(size=(60, taxonomy.n_labels)).astype(np.float32)
    labels = np.zeros_like(logits)
    for head in taxonomy.heads:
        columns = taxonomy.slices[head.name]
        wrong = logits[:, columns].argmin(axis=1)
        labels[np.arange(60), columns.start + wrong] = 1
    n_dev = {"stance": 60, "topics": 50}
    told, *at_bounds = warn_of_rules(fit_rules(logits, labels, taxonomy), n_dev)
    assert told.startswith("stance abstains")
    assert "of 60 dev rows" in told
    assert all("at the end of its range" in line for line in at_bounds)
    right = np.zeros_like(logits)
    for head in taxonomy.heads:
        columns = taxonomy.slices[head.name]
        right[np.arange(60), columns.start + logits[:, columns].argmax(axis=1)] = 1
    assert warn_of_rules(fit_rules(logits, right, taxonomy), n_dev) == []


@pytest.mark.issue(3)
def test_a_level_of_0_is_no_score_below_which_anything_lies(tmp_path):
    manifest, _ = load_manifest(build_tiny_model(tmp_path / "tiny", abstention=0.0))
    assert decision_lines(manifest)[0].endswith("; never abstains")
    assert "  abstains below: never" in list(_describe_heads(manifest))


def test_rules_leave_out_rows_without_a_label(taxonomy):
    generator = np.random.default_rng(4)
    logits = generator.normal(size=(200, 7)).astype(np.float32)
    labels = np.zeros((200, 7), dtype=np.float32)
    labels[np.arange(200), generator.integers(0, 3, 200)] = 1
    labels[:, 3:] = generator.random((200, 4)) < 0.3
    blind = labels.copy()
    blind = np.concatenate([blind, np.full((50, 7), NOT_LABELLED, dtype=np.float32)])
    wide = np.concatenate([logits, 100 * np.ones((50, 7), dtype=np.float32)])
    assert fit_rules(wide, blind, taxonomy) == fit_rules(logits, labels, taxonomy)


def test_an_altered_encoder_is_refused(tiny_encoder, tmp_path):
    found = find_encoder(str(tiny_encoder))
    assert find_encoder(str(tiny_encoder), sha256=found.sha256).sha256 == found.sha256
    with pytest.raises(EncoderError):
        find_encoder(str(tiny_encoder), sha256="0" * 64)
    with pytest.raises(EncoderError):
        find_encoder(str(tmp_path))
    with pytest.raises(EncoderError):
        find_encoder("someone/some-encoder")


def test_the_pinned_encoder_is_the_pinned_one():
    assert find_encoder("all-MiniLM-L6-v2").sha256.startswith("53aa51172d14")


def test_threads_are_shared_among_local_processes(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    try:
        assert set_threads(None) == 1
    finally:
        torch.set_num_threads(before)


def make_candidate(recipe, *, latency_ms, speedup, reference, macro_f1=0.7):
    return Candidate(
        recipe=recipe, path=Path("graph.onnx"), size_bytes=23_000_000, inputs=[], logits=np.zeros((1, 7)),
        macro_f1={"stance": macro_f1}, latency_ms=latency_ms, fp32_latency_ms=20.0, speedup=speedup,
        max_logit_change=0.5, max_score_change=0.1, flips={"stance": 2}, reference=reference,
    )  # fmt: skip


def test_who_gets_fp32_for_want_of_rows_learns_what_int8_would_save():
    reference = make_candidate("fp32", latency_ms=20.0, speedup=0.0, reference=None)
    gates = load_config("minilm")[0].export
    near = make_candidate("fused-int8", latency_ms=10.0, speedup=2.0, reference="fp32", macro_f1=0.67)
    far = make_candidate("plain-int8", latency_ms=9.0, speedup=2.2, reference="fp32", macro_f1=0.4)
    slow = make_candidate("plain-int8", latency_ms=19.0, speedup=1.05, reference="fp32", macro_f1=0.7)
    hint = weigh_refusal(reference, [far, near, slow], gates, {"stance": 57, "topics": 958})
    assert "57 rows" in hint
    assert "max_int8_f1_drop=0.05, fused-int8 would take 23 MB" in hint
    assert "2.00 times as fast" in hint
    assert weigh_refusal(reference, [far, near, slow], gates, {"stance": 958, "topics": 57}) is None
    assert (
        weigh_refusal(reference, [far, slow], gates, {"stance": 57, "topics": 958}) is None
    )  # another gate, or too great a loss


def test_the_card_tells_how_far_labels_were_smoothed():
    assert describe_recipe(load_config("minilm")[0], []) == []
    (told,) = describe_recipe(load_config("minilm", overrides=["loss.label_smoothing=0.1"])[0], [])
    assert told.startswith("10% of each label")


def test_the_card_names_the_model_that_the_first_stage_went_on_from():
    origin = {"name": "twohands", "version": "0.4.0", "sha256": "ab" * 32}
    config = load_config("minilm", overrides=["start={checkpoint: runs/second/checkpoint, replay: 0.3}"])[0]
    told = " ".join(describe_recipe(config, [], restored_from=origin))
    assert "twohands 0.4.0" in told
    assert "went on from second" in told
    assert "unknown" in " ".join(describe_recipe(config, [], restored_from={"name": "twohands", "version": "0.4.0"}))
    assert "weights of" not in " ".join(describe_recipe(config, []))


def test_the_card_compares_the_served_graph_only_where_it_is_another():
    served = compare_served(make_candidate("fused-int8", latency_ms=10.0, speedup=2.0, reference="fp32"))
    assert "2 answers of stance" in served
    one = make_candidate("fused-int8", latency_ms=10.0, speedup=2.0, reference="fp32")
    assert "1 answer of stance" in compare_served(dataclasses.replace(one, flips={"stance": 1}))
    assert "2.00 times as fast" in served
    assert "times" not in compare_served(make_candidate("fp32", latency_ms=20.0, speedup=0.0, reference=None))
