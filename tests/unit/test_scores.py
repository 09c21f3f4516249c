"""Scores are stable at any size of logit, agree with a reference, and thresholds can be overridden but not misspelt."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from tests.support.tiny import make_rules
from twohands.errors import NonFiniteLogitsError, ThresholdError
from twohands.scores import DecisionRule, Platt, Temperature, calibrate, sigmoid, softmax, with_thresholds

ROWS = [[0.0, 0.0, 0.0], [-1000, 1000, 0], [-50, 45, -50], [1e-9, 2e-9, -3e-9], [-1000, -1001, -1002], [700, 710, 5]]


def reference_softmax(row):
    top = max(row)
    powers = [math.exp(value - top) for value in row]
    return [power / math.fsum(powers) for power in powers]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_is_stable_and_right(dtype):
    logits = np.array(ROWS, dtype=dtype)
    scores = softmax(logits)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, [reference_softmax(row) for row in logits.tolist()], rtol=1e-12)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_stable_and_right(dtype):
    logits = np.array([-1000, -30, -1, 0, 1e-9, 1, 30, 1000], dtype=dtype)
    expected = [1 / (1 + math.exp(-v)) if v > -700 else math.exp(v) for v in logits.tolist()]
    np.testing.assert_allclose(sigmoid(logits), expected, rtol=1e-12)
    np.testing.assert_allclose(sigmoid(logits) + sigmoid(-logits), 1, atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [softmax, sigmoid])
def test_no_number_is_an_error(function, value):
    with pytest.raises(NonFiniteLogitsError):
        function(np.array([[0.0, value]]))


def test_temperature_softens_and_keeps_the_order():
    logits = np.array([[2.0, 1.0, -1.0]], dtype=np.float32)
    plain = calibrate(logits, Temperature(temperature=1.0))[0]
    soft = calibrate(logits, Temperature(temperature=4.0))[0]
    np.testing.assert_allclose(soft, reference_softmax([0.5, 0.25, -0.25]), rtol=1e-7)
    assert plain[0] > soft[0] > soft[1] > soft[2] > plain[2]


def test_platt_is_per_label():
    logits = np.array([[1.0, 1.0], [-2.0, 0.5]], dtype=np.float32)
    scores = calibrate(logits, Platt(slopes=[2.0, 0.5], intercepts=[-1.0, 0.25]))
    np.testing.assert_allclose(scores, [[1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-0.75))],
                                        [1 / (1 + math.exp(5)), 1 / (1 + math.exp(-0.5))]], rtol=1e-7)  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda: Temperature(temperature=0),
        lambda: Temperature(temperature=-1),
        lambda: Temperature(temperature=math.nan),
        lambda: Platt(slopes=[0.0], intercepts=[0.0]),
        lambda: DecisionRule(calibration=Temperature(temperature=1), thresholds=[1.1], abstention=None),
        lambda: DecisionRule(calibration=Temperature(temperature=1), thresholds=None, abstention=-0.1),
    ],
)
def test_rules_that_make_no_sense_are_refused(make):
    with pytest.raises(ValidationError):
        make()


def test_thresholds_override_what_they_name_and_nothing_else(taxonomy):
    rules = make_rules(taxonomy)
    changed = with_thresholds(taxonomy.heads, rules, {"stance": 0.9, "regulation": 0, "sanctions": 1.0})
    assert changed["stance"].abstention == 0.9
    assert changed["topics"].thresholds == [1.0, 0.5, 0.5, 0.0]
    assert changed["topics"].calibration == rules["topics"].calibration
    assert rules == make_rules(taxonomy)  # the manifest's own are left alone
    assert with_thresholds(taxonomy.heads, rules, {}) == rules


@pytest.mark.parametrize(
    "overrides",
    [
        {"tariffs": 0.5},
        {"state-led": 0.5},
        {"topics": 0.5},
        {"": 0.5},
        {"regulation": 1.01},
        {"regulation": -0.01},
        {"regulation": math.nan},
        {"regulation": math.inf},
        {"regulation": True},
        {"regulation": "0.5"},
        {"regulation": None},
        {"regulation": [0.5]},
    ],
)
def test_unknown_labels_and_numbers_out_of_range_are_refused(taxonomy, overrides):
    with pytest.raises(ThresholdError):
        with_thresholds(taxonomy.heads, make_rules(taxonomy), {"stance": 0.5, **overrides})
