"""Intervals of one model's figures: none where there is none, and wide where a few documents are all right."""

import numpy as np
import pytest
from scipy.stats import beta

from evaluation.comparison import compare_rows
from evaluation.growth import _Fits, extrapolate
from evaluation.measure import note_few
from evaluation.plots_growth import draw_growth
from evaluation.ranking import measure_ranking
from evaluation.rows import HeadRows, share_of
from evaluation.tables import list_labels, show_figure, show_range
from twohands.bounds import bound_head
from twohands.metrics import draw_weights

NO_BOUNDS = {"low": None, "high": None}


def make_rows(taxonomy, truth, given, *, n_of_document=1):
    hot = [np.arange(3) == np.asarray(column)[:, None] for column in (truth, given)]
    groups = [f"d{number // n_of_document}" for number in range(len(truth))]
    scores = np.full((len(truth), 3), 1 / 3)
    return HeadRows(taxonomy.heads[0], np.arange(len(truth)), hot[0].astype(np.float32), hot[1], scores, groups)


def measure(rows):
    return bound_head(rows.head, rows.count(), rows.draw(n_replicates=200, seed=0))


def test_rates_of_1_have_the_bounds_of_clopper_and_pearson(taxonomy):
    truth = [0] * 40 + [1] * 2 + [2] * 2
    measured = measure(make_rows(taxonomy, truth, truth))
    assert measured["accuracy"] == {"value": 1, "low": pytest.approx(beta.ppf(0.025, 44, 1)), "high": 1}
    rare = list(measured["labels"].values())[1]
    assert rare["recall"]["low"] == rare["precision"]["low"] == pytest.approx(beta.ppf(0.025, 2, 1))
    assert rare["recall"]["low"] < rare["f1"]["low"] < 0.3
    assert measured["macro_f1"] == {"value": 1, **NO_BOUNDS}  # no draw differs, and that proves nothing
    wrong = measure(make_rows(taxonomy, truth, [0] * 44))
    missed = list(wrong["labels"].values())[1]["recall"]
    assert missed == {"value": 0, "low": 0, "high": pytest.approx(beta.ppf(0.975, 1, 2))}


def test_recall_of_few_positives_is_covered():
    generator = np.random.default_rng(0)
    weights = draw_weights(100, n_replicates=200, seed=1)
    covered = []
    for _ in range(300):
        is_true = np.arange(100) < 8
        hits = is_true & (generator.random(100) < 0.9)
        recall = share_of(hits.astype(float), is_true.astype(float), weights)
        covered.append(recall["low"] <= 0.9 <= recall["high"])
    assert np.mean(covered) > 0.9  # .57 by draws alone


def test_what_is_not_defined_has_no_interval_and_is_a_dash_to_a_reader(taxonomy):
    truth, given = [0, 1] * 30, [0, 1, 0, 0] * 15
    measured = measure(make_rows(taxonomy, truth, given))
    names = taxonomy.heads[0].label_names
    absent = measured["labels"][names[2]]
    for key in ("precision", "recall", "f1"):
        assert absent[key] == {"value": 0, **NO_BOUNDS}
    confusion = {name: dict.fromkeys(names, 0) for name in names}
    confusion[names[0]][names[0]] = confusion[names[1]][names[1]] = 1
    shown = list_labels(measured | {"confusion": confusion})
    assert [show_figure(shown[names[2]][key]) for key in ("precision", "recall", "f1")] == ["-"] * 3
    assert shown[names[0]]["f1"] == measured["labels"][names[0]]["f1"]


def test_fewer_than_five_documents_give_no_interval_to_any_figure(taxonomy):
    truth, given = [0, 1, 2] * 20, [0, 1, 2, 0, 1, 1] * 10
    rows = make_rows(taxonomy, truth, given, n_of_document=60)
    measured = measure(rows)
    figures = [measured[key] for key in ("macro_f1", "accuracy", "mcc", "ece")]
    figures += [label[key] for label in measured["labels"].values() for key in ("precision", "recall", "f1")]
    figures += measure_ranking(rows, n_replicates=50, seed=0).values()
    assert all(figure["low"] is figure["high"] is None for figure in figures)
    assert show_range(figures[0]) == "-"
    assert len(note_few(1)) == len(note_few(20)) == 1
    assert note_few(50) == []


def test_a_learning_curve_measured_on_one_document_has_no_interval_and_is_drawn():
    fits = [_Fits(np.array([score]), np.full((1, 30), score), 1) for score in (0.4, 0.5, 0.56, 0.6)]
    assert fits[0].figure() == {"value": pytest.approx(0.4), **NO_BOUNDS}
    beyond = extrapolate([50, 100, 200, 400], fits, seed=0)
    assert beyond["points"][0]["macro_f1"]["low"] is None
    points = [
        {"n_rows": n, "heads": {"stance": {"macro_f1": fit.figure()}}}
        for n, fit in zip((50, 100, 200, 400), fits, strict=True)
    ]
    assert draw_growth(points, {"stance": {"extrapolation": beyond}}).startswith("<svg")


def test_draws_that_lack_a_label_are_dropped_on_both_sides(taxonomy):
    truth = np.array([0] * 58 + [1] * 2)
    slips = truth.copy()
    slips[0] = 1  # wrong in a row of the frequent label, so that some draws define the rare one for B alone
    compared = compare_rows(
        make_rows(taxonomy, truth, truth), make_rows(taxonomy, truth, slips), n_replicates=500, seed=0
    )
    rare = compared["labels"][taxonomy.heads[0].label_names[1]]["f1"]["difference"]
    assert compared["macro_f1"]["difference"]["low"] >= 0  # a draw without the rare label does not favour B
    assert 0 <= rare["low"] <= rare["value"] <= rare["high"] < 1
