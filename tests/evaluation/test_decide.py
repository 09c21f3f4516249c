"""Decisions over arrays, which evaluation counts, are the decisions that the service gives row by row."""

import numpy as np
import pytest

from tests.support.tiny import make_rules
from twohands.decide import decide_all
from twohands.encoding import EncodedParagraph
from twohands.prediction import make_predictions

PARAGRAPH = EncodedParagraph(windows=(np.array([2, 4, 3]),), n_tokens=1, n_tokens_cut=0, n_tokens_unknown=0)


def both_ways(logits, taxonomy, rules):
    predictions = make_predictions(logits, [PARAGRAPH] * len(logits), taxonomy, rules)
    return predictions, decide_all(logits, taxonomy, rules)


def assert_same(predictions, decisions, taxonomy):
    stance, topics = taxonomy.heads
    for row, prediction in enumerate(predictions):
        scores, decided = decisions["stance"]
        assert [name for name, is_given in zip(stance.label_names, decided[row], strict=True) if is_given] == [
            prediction.stance.label
        ]
        assert prediction.stance.score == pytest.approx(scores[row].max(), abs=5.1e-7)
        scores, decided = decisions["topics"]
        assert [
            name for name, is_given in zip(topics.label_names, decided[row], strict=True) if is_given
        ] == prediction.topics.labels
        assert list(prediction.topics.scores.values()) == pytest.approx(scores[row].tolist(), abs=5.1e-7)


def test_random_logits_are_decided_alike(taxonomy):
    logits = np.random.default_rng(0).normal(scale=4, size=(2000, taxonomy.n_labels)).astype(np.float32)
    assert_same(*both_ways(logits, taxonomy, make_rules(taxonomy)), taxonomy)


def test_equal_scores_are_decided_alike(taxonomy):
    logits = np.random.default_rng(1).integers(-1, 2, size=(500, taxonomy.n_labels)).astype(np.float32)
    assert_same(*both_ways(logits, taxonomy, make_rules(taxonomy)), taxonomy)


def test_scores_within_rounding_of_a_threshold_are_decided_alike(taxonomy):
    # The tiny rule is sigmoid(logit - 2) against one half: these stand a hair to either side of it.
    logits = np.zeros((201, taxonomy.n_labels), dtype=np.float32)
    logits[:, taxonomy.slices["topics"]] = (2 + np.linspace(-4e-6, 4e-6, 201, dtype=np.float32))[:, None]
    predictions, decisions = both_ways(logits, taxonomy, make_rules(taxonomy))
    assert_same(predictions, decisions, taxonomy)
    given = decisions["topics"][1][:, 0]
    assert given.any()
    assert not given.all()
