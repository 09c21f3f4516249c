"""What a document says as a whole: shares and balance, their intervals, and what of them is held."""

import json

import numpy as np
import pytest

from tests.support.shares import estimate_balance, estimate_share
from twohands.summary import DrawSum, add_label


def test_distribution_is_that_of_every_outcome_counted_out():
    chances = np.array([0.1, 0.5, 0.9])
    expected = np.zeros(4)
    for outcome in range(8):
        hits = [bool(outcome >> i & 1) for i in range(3)]
        expected[sum(hits)] += np.prod([p if hit else 1 - p for p, hit in zip(chances, hits, strict=True)])
    total = DrawSum()
    for chance in chances:
        add_label(total, chance)
    least, distribution = total.distribution
    assert least == 0
    assert distribution == pytest.approx(expected)


def test_intervals_are_narrow_where_paragraphs_are_certain_and_wide_where_they_are_not():
    certain, torn = estimate_share([1.0] * 10 + [0.0] * 10), estimate_share([0.5] * 20)
    assert (certain.low, certain.value, certain.high) == pytest.approx((0.475, 0.5, 0.525))  # half of one of 20
    assert torn.value == pytest.approx(0.5)
    assert torn.high - torn.low == pytest.approx(0.4)  # 6 to 14 of 20
    balance = estimate_balance([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    assert (balance.low, balance.value, balance.high) == pytest.approx((-1 / 6, 0, 1 / 6))
    alone = estimate_balance([1.0], [0.0])
    assert (alone.low, alone.value, alone.high) == pytest.approx((0.5, 1, 1))


@pytest.mark.issue(7)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_sure_paragraphs_leave_half_of_one_on_either_side_and_no_value_lies_outside(n):
    sure = estimate_share([0.995] * n)
    assert (sure.low, sure.high) == (pytest.approx(0.995 - 0.5 / n), 1.0)
    assert sure.low < sure.value < sure.high
    never = estimate_share([0.002] * n)
    assert (never.low, never.high) == (0.0, pytest.approx(0.002 + 0.5 / n))
    balance = estimate_balance([0.995] * n, [0.002] * n)
    assert (balance.low, balance.high) == (pytest.approx(0.993 - 0.5 / n), 1.0)
    assert balance.low < balance.value < balance.high


def test_which_side_an_interval_reaches_to_hangs_on_no_rounding():
    told = [estimate_share([score, score, 0.001, 0.001, 0.001, 0.001]) for score in (0.997, 1.0)]
    for one in told:
        assert one.value - one.low == pytest.approx(one.high - one.value)


def test_interval_holds_what_it_promises():
    rng = np.random.default_rng(7)
    scores = rng.uniform(size=60)
    told = estimate_share(list(scores))
    drawn = (rng.uniform(size=(4000, 60)) < scores).mean(axis=1)
    inside = np.mean((drawn >= told.low - 1e-9) & (drawn <= told.high + 1e-9))
    assert 0.94 < inside < 0.99


def test_large_document_is_summed_up_without_loss():
    told = estimate_share([0.5] * 2000)
    assert json.dumps(told.to_dict()) == json.dumps({"value": 0.5, "low": 0.478, "high": 0.522})


def test_what_is_held_of_many_draws_is_little_and_no_figure_is_another_for_it():
    scores = np.random.default_rng(3).uniform(size=5000) ** 3
    whole, total = np.ones(1), DrawSum()
    for score in scores:
        whole = np.convolve(whole, [1 - score, score])
        add_label(total, score)
    least, held = total.distribution
    assert len(held) < 800
    assert held == pytest.approx(whole[least : least + len(held)], rel=1e-9)
    rising = np.cumsum(whole)
    told = total.estimate(lowest=0.0)
    assert (told.low, told.high) == tuple(np.searchsorted(rising, [0.025, 0.975]) / 5000)
    assert told.value == pytest.approx(scores.mean())
