import pytest

from serving.backpressure import DrainRate, has_room


@pytest.mark.parametrize(
    ("n_waiting", "n_new", "is_in"),
    [
        (0, 1, True),
        (0, 5000, True),  # larger than all of the room, but nothing waits
        (1, 5000, False),
        (700, 50, True),
        (700, 100, False),  # the last quarter is for small ones
        (900, 62, True),
        (900, 63, False),
        (999, 1, True),
        (1000, 1, False),
    ],
)
def test_room_is_bounded_and_kept_for_small_requests(n_waiting, n_new, is_in):
    assert has_room(n_waiting=n_waiting, n_new=n_new, most=1000) is is_in


def test_rate_is_that_of_all_threads_over_the_last_runs():
    rate = DrainRate(2)
    assert rate.tokens_per_s is None
    assert rate.estimate_s(10**9) == 1
    rate.note(1, 100.0)
    for _ in range(64):  # the slow one is forgotten
        rate.note(100, 0.01)
    assert rate.tokens_per_s == pytest.approx(20_000)


@pytest.mark.parametrize(("n_tokens", "expected_s"), [(0, 1), (999, 1), (2500, 3), (59_001, 60), (10**9, 60)])
def test_estimate_is_in_whole_seconds_and_bounded(n_tokens, expected_s):
    rate = DrainRate(1)
    rate.note(1000, 1.0)
    assert rate.estimate_s(n_tokens) == expected_s
