"""Average precision is scikit-learn's, weights and ties included; curves and histograms count every row once."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from evaluation.ranking import average_precision, count_scores, measure_ranking, trace_precision_recall
from evaluation.rows import HeadRows


def draw_rows(taxonomy, *, n=200, seed=0):
    generator = np.random.default_rng(seed)
    truth = (generator.random((n, 4)) < 0.3).astype(np.float32)
    scores = np.round(np.clip(0.3 * truth + 0.7 * generator.random((n, 4)), 0, 1), 1)  # with ties
    groups = [f"d{number // 2}" for number in range(n)]
    return HeadRows(taxonomy.heads[1], np.arange(n), truth, scores >= 0.5, scores, groups)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_scikit_learns(monkeypatch, seed):
    generator = np.random.default_rng(seed)
    truth, scores = (generator.random(90) < 0.3).astype(float), np.round(generator.random(90), 1)
    weights = generator.integers(0, 4, size=(7, 90)).astype(float)
    monkeypatch.setattr("evaluation.ranking._MAX_CELLS", 200)  # two draws a block
    expected = [average_precision_score(truth, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(average_precision(truth, scores, weights), expected, atol=1e-9)


def test_average_precision_of_a_label_that_no_row_has_is_zero_in_a_draw_and_absent_in_the_figures(taxonomy):
    assert average_precision(np.zeros(5), np.linspace(0, 1, 5), np.ones((2, 5))).tolist() == [0, 0]
    rows = draw_rows(taxonomy)
    rows.truth[:, 2] = 0
    figures = measure_ranking(rows, n_replicates=100, seed=0)
    assert figures[taxonomy.heads[1].label_names[2]] is None
    for name in ("sanctions", "self-reliance", "regulation"):
        assert figures[name]["low"] < figures[name]["value"] < figures[name]["high"]


@pytest.mark.issue(6)
def test_no_matrix_of_draws_by_rows_is_held(monkeypatch, taxonomy):
    rows = draw_rows(taxonomy, n=2000)
    rows = replace(rows, groups=[f"d{number // 50}" for number in range(2000)])
    whole = measure_ranking(rows, n_replicates=300, seed=0)
    monkeypatch.setattr("evaluation.ranking._MAX_CELLS", 10_000)
    tracemalloc.start()
    assert measure_ranking(rows, n_replicates=300, seed=0) == whole
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000  # 300 draws of 2,000 rows are 4.8 MB


def test_the_curve_ends_at_full_recall_and_holds_the_point_of_the_threshold(taxonomy):
    rows = draw_rows(taxonomy)
    traced = trace_precision_recall(rows)["sanctions"]
    assert traced["points"][-1]["recall"] == 1
    assert traced["points"][-1]["precision"] == pytest.approx(traced["share_true"])
    (at_threshold,) = [point for point in traced["points"] if point["level"] == 0.5]
    assert traced["chosen"] == {name: at_threshold[name] for name in ("recall", "precision")}


def test_histograms_count_each_row_once(taxonomy):
    rows = draw_rows(taxonomy)
    rows.scores[0] = 1.0  # falls into the last bin, not beyond it
    for number, counts in enumerate(count_scores(rows).values()):
        assert sum(counts["true"]) == rows.truth[:, number].sum()
        assert sum(counts["true"]) + sum(counts["false"]) == 200
