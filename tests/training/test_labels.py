"""Labels that stand apart from their texts, and what a student learns from a teacher's scores."""

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional

from tests.training.test_data import full_rows, make_config, write_rows
from training.commands import pseudo_label
from training.data import load_splits
from training.labels import make_targets, read_labels
from training.losses import MultiHeadLoss
from twohands import Classifier
from twohands.errors import DataError, RunConflictError
from twohands.examples import NOT_LABELLED

STANCE = {"state-led": 0.7, "market-led": 0.1, "neutral": 0.2}
TOPICS = {"sanctions": 0.0, "self-reliance": 0.9, "industrial-policy": 0.6, "regulation": 0.2}


@pytest.fixture
def folder(tmp_path):
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    pool = [{"id": f"p{n}", "text": f"a pool row that nobody has read, number {n}"} for n in range(4)]
    write_rows(tmp_path / "pool.jsonl", pool)
    return tmp_path


@pytest.fixture
def other_model(tiny_model, tmp_path):
    """The same graph with another calibration, so that the mean is neither model's own answer."""
    copy = tmp_path / "other"
    shutil.copytree(tiny_model, copy)
    content = json.loads((copy / "manifest.json").read_text("utf-8"))
    content["heads"][0]["decision"]["calibration"]["temperature"] = 7.0
    (copy / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return copy


def load(folder, taxonomy, labels):
    write_rows(folder / "labels.jsonl", labels)
    config = make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=["labels.jsonl"])
    return load_splits(config, taxonomy, seed=1)


def test_labels_are_laid_over_rows_by_id_and_unknown_rows_are_left_out(folder, taxonomy):
    splits = load(
        folder,
        taxonomy,
        [
            {"id": "p1", "stance": "market-led", "topics": ["regulation"], "reader": "second", "confidence": 3},
            {"id": "p2", "scores": {"stance": STANCE, "topics": TOPICS}},
            {"id": "t0", "stance": "neutral", "topics": []},
        ],
    )
    found = {example.id: example for example in splits.train}
    assert sorted(found) == ["p1", "p2", "t0", "t1", "t2"]
    assert found["p1"].labels == {"stance": ("market-led",), "topics": ("regulation",)}
    assert found["p2"].labels == {"stance": ("state-led",), "topics": ("self-reliance", "industrial-policy")}
    assert found["t0"].labels["stance"] == ("state-led",), "what stands in the row itself wins"
    assert [(file.split, file.name, file.n_rows) for file in splits.files] == [
        ("train", "train.jsonl", 3),
        ("train", "pool.jsonl", 2),
        ("labels", "labels.jsonl", 3),
        ("dev", "dev.jsonl", 3),
    ]


def test_without_labels_files_an_unlabelled_row_is_still_a_fault(folder, taxonomy):
    with pytest.raises(DataError) as caught:
        load_splits(make_config(folder, train=["train.jsonl", "pool.jsonl"]), taxonomy, seed=1)
    assert "pool.jsonl:1" in "\n".join(caught.value.faults)


def test_targets_blend_labels_and_scores_by_weight(folder, taxonomy):
    splits = load(
        folder,
        taxonomy,
        [
            {"id": "p0", "scores": {"stance": STANCE}},
            {"id": "p1", "stance": "neutral", "topics": [], "scores": {"stance": STANCE, "topics": TOPICS}},
            {"id": "p2", "stance": "neutral"},
        ],
    )
    pool = [example for example in splits.train if example.id.startswith("p")]
    targets = make_targets(pool, taxonomy, teacher_weight=0.25)
    assert targets[0] == pytest.approx([0.7, 0.1, 0.2, *[NOT_LABELLED] * 4])
    assert targets[1] == pytest.approx([0.175, 0.025, 0.8, 0.0, 0.225, 0.15, 0.05])
    assert targets[2] == pytest.approx([0, 0, 1, *[NOT_LABELLED] * 4])
    assert make_targets(pool, taxonomy, teacher_weight=0.0)[1] == pytest.approx([0, 0, 1, 0, 0, 0, 0])


@pytest.mark.parametrize(
    "line",
    [
        {"stance": "neutral"},
        {"id": "p0"},
        {"id": "p0", "scores": {}},
        {"id": "p0", "scores": 3},
        {"id": "p0", "scores": {"stance": STANCE | {"neutral": 0.9}}},
        {"id": "p0", "scores": {"stance": {"state-led": 1.0}}},
        {"id": "p0", "scores": {"topics": TOPICS | {"sanctions": 1.5}}},
        {"id": "p0", "scores": {"topics": TOPICS | {"sanctions": "much"}}},
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path, taxonomy, line):
    write_rows(tmp_path / "labels.jsonl", [{"id": "ok", "stance": "neutral"}, line])
    with pytest.raises(DataError) as caught:
        read_labels([tmp_path / "labels.jsonl"], taxonomy)
    assert len(caught.value.faults) == 1
    assert "labels.jsonl:2" in caught.value.faults[0]


def test_loss_of_soft_targets_is_the_cross_entropy_to_them(taxonomy):
    ones = {"stance": torch.ones(3), "topics": torch.ones(4)}
    loss = MultiHeadLoss(taxonomy, head_weights={"stance": 1.0, "topics": 2.0}, class_weights=ones)
    torch.manual_seed(1)
    logits = torch.randn(2, 7)
    targets = torch.tensor([[*STANCE.values(), *TOPICS.values()], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    expected = functional.cross_entropy(
        logits[:, :3], targets[:, :3]
    ) + 2 * functional.binary_cross_entropy_with_logits(logits[:, 3:], targets[:, 3:])
    assert loss(logits, targets).item() == pytest.approx(expected.item(), abs=1e-6)


def test_weighted_loss_of_hard_labels_is_torchs_own(taxonomy):
    weights = {"stance": torch.tensor([2.0, 1.0, 0.5]), "topics": torch.ones(4)}
    loss = MultiHeadLoss(taxonomy, head_weights={"stance": 1.0, "topics": 1.0}, class_weights=weights)
    torch.manual_seed(2)
    logits = torch.randn(3, 7)
    labels = torch.full((3, 7), NOT_LABELLED)
    labels[:, :3] = torch.eye(3)
    expected = functional.cross_entropy(logits[:, :3], torch.tensor([0, 1, 2]), weight=weights["stance"])
    assert loss(logits, labels).item() == pytest.approx(expected.item(), abs=1e-6)


def test_pseudo_labels_are_the_teachers_mean_scores_and_train_a_student(folder, tiny_model, other_model, taxonomy):
    output = folder / "scores.jsonl"
    arguments = [str(tiny_model), str(other_model), "--data", str(folder / "pool.jsonl"), "--output", str(output)]
    outcome = CliRunner().invoke(pseudo_label, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0
    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["p0", "p1", "p2", "p3"]
    assert "text" not in lines[0]
    texts = [json.loads(line)["text"] for line in (folder / "pool.jsonl").read_text("utf-8").splitlines()]
    answers = [Classifier.load(model).classify(texts) for model in (tiny_model, other_model)]
    expected = np.mean([[answer.stance.scores["neutral"] for answer in one] for one in answers], axis=0)
    assert [line["scores"]["stance"]["neutral"] for line in lines] == pytest.approx(expected.tolist(), abs=1e-3)
    config = make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=["scores.jsonl"])
    assert len(load_splits(config, taxonomy, seed=1).train) == 7
    with pytest.raises(RunConflictError):
        CliRunner().invoke(pseudo_label, arguments, catch_exceptions=False)


def test_rows_without_ids_cannot_be_scored(folder, tiny_model):
    write_rows(folder / "bare.jsonl", [{"text": "one"}, {"id": "a", "text": "two"}, {"id": "a", "text": "three"}])
    output = folder / "scores.jsonl"
    with pytest.raises(DataError) as caught:
        CliRunner().invoke(
            pseudo_label,
            [str(tiny_model), "--data", str(folder / "bare.jsonl"), "--output", str(output)],
            catch_exceptions=False,
        )
    assert len(caught.value.faults) == 2
    assert not output.exists()
