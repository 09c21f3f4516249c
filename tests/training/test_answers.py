"""Answers on dev that look better than they are: chance, every label for every row, no error to calibrate by."""

import numpy as np
import pytest

from training.answers import score_blind, warn_of_answers, warn_of_documents
from training.calibration import fit_rules
from twohands.decide import decide_all
from twohands.examples import NOT_LABELLED
from twohands.metrics import mcc, score_heads

N_ROWS = 200


@pytest.fixture
def labels(taxonomy):
    """Stance one in three, each topic in two rows of five."""
    generator = np.random.default_rng(5)
    drawn = np.zeros((N_ROWS, taxonomy.n_labels), dtype=np.float32)
    drawn[np.arange(N_ROWS), generator.integers(0, 3, N_ROWS)] = 1
    drawn[:, 3:] = generator.random((N_ROWS, 4)) < 0.4
    return drawn


def name_groups(labels, n_groups=N_ROWS):
    return [f"doc-{number % n_groups}" for number in range(len(labels))]


def tell(logits, labels, taxonomy, *, low):
    rules = fit_rules(logits, labels, taxonomy)
    scores = score_heads(decide_all(logits, taxonomy, rules), labels, taxonomy)
    found = {name: {"value": value, "low": low if low is not None else value} for name, value in scores.items()}
    return warn_of_answers(logits, labels, taxonomy, rules, found, name_groups(labels))


def test_logits_that_do_not_hang_on_the_text_are_found_out(taxonomy, labels):
    logits = np.random.default_rng(6).normal(size=labels.shape).astype(np.float32)
    told = tell(logits, labels, taxonomy, low=0.3)
    assert any(line.startswith("topics is not shown to beat answers without reading") for line in told)
    assert any(line.startswith("stance is not shown to beat answers without reading") for line in told)
    always = [line for line in told if "dev rows, and is true of" in line]
    assert any(line.startswith("topics: sanctions is given to ") for line in always)
    answers = decide_all(logits, taxonomy, fit_rules(logits, labels, taxonomy))
    assert abs(score_heads(answers, labels, taxonomy, measure=mcc)["topics"]) < 0.1
    assert score_heads(answers, labels, taxonomy)["topics"] > 0.5, "which is what macro-F1 hides"


def test_answers_that_hang_on_the_text_pass_in_silence(taxonomy, labels):
    logits = (3 * labels + np.random.default_rng(7).normal(size=labels.shape)).astype(np.float32)
    labels = np.concatenate([labels, np.full((5, taxonomy.n_labels), NOT_LABELLED, dtype=np.float32)])
    logits = np.concatenate([logits, np.zeros((5, taxonomy.n_labels), dtype=np.float32)])
    assert tell(logits, labels, taxonomy, low=None) == []


def test_a_label_that_is_never_given_is_named(taxonomy, labels):
    logits = (3 * labels + np.random.default_rng(7).normal(size=labels.shape)).astype(np.float32)
    logits[:, 1] = -20
    told = tell(logits, labels, taxonomy, low=None)
    assert [line for line in told if line.startswith("stance: market-led is given to 0 of 200 dev rows")]


def test_dev_without_an_error_is_pointed_out(taxonomy, labels):
    told = tell(10 * labels - 5, labels, taxonomy, low=1.0)
    assert [line.split(":")[0] for line in told] == [
        f"{head} is right on all {N_ROWS} dev rows" for head in ("stance", "topics")
    ]


def test_a_head_without_a_labelled_row_is_passed_over(taxonomy, labels):
    labels = labels.copy()
    labels[:, 3:] = NOT_LABELLED
    logits = np.random.default_rng(8).normal(size=labels.shape).astype(np.float32)
    whole = fit_rules(logits, np.where(labels == NOT_LABELLED, logits > 0, labels), taxonomy)
    found = {"stance": {"value": 0.3, "low": 0.2}}
    told = warn_of_answers(logits, labels, taxonomy, whole, found, name_groups(labels))
    assert not [line for line in told if "topics" in line]


def test_answers_without_reading_score_as_the_textbook_says(taxonomy, labels):
    stance, topics = taxonomy.heads
    shares = labels[:, 3:].mean(axis=0)
    assert score_blind(topics, labels[:, 3:]) == pytest.approx((2 * shares / (1 + shares)).mean())
    assert score_blind(stance, labels[:, :3]) == pytest.approx(1 / 3)


@pytest.mark.issue(3)
def test_a_head_without_an_interval_is_told_of_and_passes_for_nothing(taxonomy, labels):
    figures = {"dev": {"stance": {"n_groups": 1}, "topics": {"n_groups": 5}}, "test": {"topics": {"n_groups": 4}}}
    assert [line.split(" come ")[0] for line in warn_of_documents(figures)] == [
        "stance: its rows of dev",
        "topics: its rows of test",
    ]
    logits = np.random.default_rng(6).normal(size=labels.shape).astype(np.float32)
    rules = fit_rules(logits, labels, taxonomy)
    found = {head: {"value": 0.9, "low": None} for head in ("stance", "topics")}  # high, and shows nothing
    told = warn_of_answers(logits, labels, taxonomy, rules, found, name_groups(labels))
    assert sum("is not shown to beat answers without reading" in line for line in told) == 2


@pytest.mark.issue(3)
def test_a_label_of_few_documents_is_named_where_it_is_why_nothing_is_shown(taxonomy, labels):
    labels = labels.copy()
    labels[::20, :3] = NOT_LABELLED  # documents are counted among the rows that say something of the head
    rare = np.flatnonzero(labels[:, 0] == 1)[8:]
    labels[rare, :2] = [0, 1]
    logits = np.random.default_rng(6).normal(size=labels.shape).astype(np.float32)
    rules = fit_rules(logits, labels, taxonomy)
    found = {head: {"value": 0.9, "low": None} for head in ("stance", "topics")}
    groups = np.array(name_groups(labels))
    groups[labels[:, 0] == 1] = ["doc-0", "doc-1"] * 4
    stance, topics = (
        line
        for line in warn_of_answers(logits, labels, taxonomy, rules, found, groups.tolist())
        if "is not shown" in line
    )
    assert stance.endswith(
        "an interval needs 5 documents of dev with each label, and there are fewer with state-led (2)"
    )
    assert topics.endswith("more rows or steps (optim.min_steps) may mend it")
