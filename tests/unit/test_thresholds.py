"""Thresholds and calibration of any-of heads: the rule that models and baselines share."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from twohands.scores import sigmoid
from twohands.thresholds import best_threshold, fit_platt, fit_score_thresholds, fit_thresholds


def test_platt_is_recovered():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6000, 1)) * 2
    labels = (generator.random((6000, 1)) < sigmoid(2 * logits - 1)).astype(np.float32)
    fitted = fit_platt(logits, labels)
    assert fitted.slopes[0] == pytest.approx(2, rel=0.15)
    assert fitted.intercepts[0] == pytest.approx(-1, abs=0.2)


@pytest.mark.issue(3)
def test_logits_that_all_lie_far_out_are_calibrated_too():
    positive = np.arange(900) % 3 == 0
    is_wrong = np.arange(900) < 45
    logits = np.where(positive ^ is_wrong, 40.0, -40.0)[:, None]
    fitted = fit_platt(logits, positive[:, None].astype(np.float32))
    score = sigmoid(np.array([40 * fitted.slopes[0] + fitted.intercepts[0]]))
    assert score[0] == pytest.approx(positive[logits[:, 0] > 0].mean(), abs=0.02)


def find_optimum(logits, labels):
    """Slope and intercept where what `fit_platt` promises to make small is smallest, by its own gradient."""
    positive = labels == 1
    target = np.where(positive, (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2))

    def measure(parameters):
        log_odds = parameters[0] * logits + parameters[1]
        entropy = target * np.logaddexp(0, -log_odds) + (1 - target) * np.logaddexp(0, log_odds)
        slope, error = parameters[0] - 1, (expit(log_odds) - target) / len(logits)
        return entropy.mean() + 1e-3 * slope**2, np.array([error @ logits + 2e-3 * slope, error.sum()])

    exact = {"jac": True, "bounds": [(0.05, 20), (-20, 20)], "method": "SLSQP", "options": {"ftol": 1e-16}}
    return min(
        (minimize(measure, [slope, at], **exact) for slope in (0.3, 2) for at in (-9, 0, 9)), key=lambda f: f.fun
    ).x


@pytest.mark.issue(3)
@pytest.mark.parametrize(("scale", "centre"), [(1, 0), (3, -2), (8, 0), (40, 0), (300, 0), (2, 35), (2, -60)])
@pytest.mark.parametrize("noise", [0, 1])
def test_platt_is_the_optimum_of_ordinary_logits_and_of_those_far_out(scale, centre, noise):
    generator = np.random.default_rng(4)
    logits = centre + scale * generator.normal(size=400)
    labels = (logits - centre + noise * scale * generator.normal(size=400) > 0).astype(np.float32)
    fitted, (slope, intercept) = fit_platt(logits[:, None], labels[:, None]), find_optimum(logits, labels)
    scores = expit(fitted.slopes[0] * logits + fitted.intercepts[0])
    np.testing.assert_allclose(scores, expit(slope * logits + intercept), atol=1e-5)


def test_best_threshold_is_that_of_brute_force():
    generator = np.random.default_rng(1)
    for _ in range(20):
        scores = generator.random(30).round(1)
        positive = generator.random(30) < 0.4
        positive[0] = True

        def f1_at(threshold, scores=scores, positive=positive):
            given = scores >= threshold
            return 2 * (given & positive).sum() / (given.sum() + positive.sum())

        threshold, f1 = best_threshold(scores, positive)
        assert f1 == pytest.approx(max(f1_at(t) for t in scores))
        assert f1_at(threshold) == pytest.approx(f1)


def test_thresholds_stay_inside():
    generator = np.random.default_rng(2)
    scores = generator.random((50, 2))
    labels = (scores > 0.7).astype(np.float32)
    assert all(0.02 <= threshold <= 0.5 for threshold in fit_thresholds(scores, labels))


@pytest.mark.parametrize("distort", [lambda scores: scores, np.sqrt, lambda scores: 0.2 + 0.3 * scores])
def test_scores_of_any_scale_get_the_threshold_that_their_calibrated_ones_would(distort):
    generator = np.random.default_rng(4)
    log_odds = generator.normal(size=(4000, 1)) * 2 - 1
    labels = (generator.random((4000, 1)) < sigmoid(log_odds)).astype(np.float32)
    true_scores = sigmoid(log_odds)  # calibrated by how the labels were drawn
    (threshold,) = fit_score_thresholds(distort(true_scores), labels)
    _, best = best_threshold(true_scores[:, 0], labels[:, 0] == 1)
    given, wanted = distort(true_scores) >= threshold, true_scores >= best / 2
    assert (given == wanted).mean() > 0.97


def test_one_rule_for_models_and_baselines():
    generator = np.random.default_rng(5)
    log_odds = generator.normal(size=(300, 3)) * 3
    labels = (generator.random((300, 3)) < sigmoid(0.7 * log_odds - 1)).astype(np.float32)
    platt = fit_platt(log_odds, labels)
    calibrated = sigmoid(log_odds * platt.slopes + platt.intercepts)
    by_model = calibrated >= fit_thresholds(calibrated, labels)
    scores = sigmoid(log_odds)
    assert ((scores >= fit_score_thresholds(scores, labels)) == by_model).all()


def test_a_label_that_no_row_has_is_given_at_one_half_and_a_score_of_0_never():
    scores = np.stack([np.linspace(0, 1, 5), np.array([0, 0, 0.2, 0.9, 1.0])], axis=1)
    labels = np.array([[0, 1], [0, 1], [0, 1], [0, 1], [0, 1]], dtype=np.float32)
    none, all_rows = fit_score_thresholds(scores, labels)
    assert none == 0.5
    assert 0 < all_rows <= 0.5


@pytest.mark.issue(3)
def test_a_label_that_few_rows_lack_altogether_is_not_given_to_all():
    generator = np.random.default_rng(6)
    logits, labels = generator.normal(-3, 1, size=(20, 2)), np.zeros((20, 2), dtype=np.float32)
    labels[:8, 1] = 1
    platt = fit_platt(logits, labels)
    scores = sigmoid(logits * platt.slopes + platt.intercepts)
    none, some = fit_thresholds(scores, labels)
    assert none == 0.5
    assert some < 0.5
    assert not (scores[:, 0] >= none).any()
