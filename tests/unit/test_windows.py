"""Windows cover a text evenly and without gaps, and their logits are averaged per paragraph."""

import itertools

import numpy as np
import pytest
from pydantic import ValidationError

from twohands.windows import WindowRule, aggregate_windows, cut_windows

RULES = [(6, 4), (14, 4), (14, 0), (126, 32), (254, 48), (510, 64)]


@pytest.mark.parametrize(("capacity", "overlap"), RULES)
def test_windows_cover_the_text_and_overlap_as_asked(capacity, overlap):
    for n_tokens in [*range(1, 3 * capacity), 10 * capacity, 10 * capacity + 1]:
        ranges = cut_windows(n_tokens, capacity=capacity, overlap_tokens=overlap, max_windows=10_000)
        assert ranges[0][0] == 0
        assert ranges[-1][1] == n_tokens
        assert all(0 < end - start <= capacity for start, end in ranges)
        shared = [left_end - start for (_, left_end), (start, _) in itertools.pairwise(ranges)]
        assert all(count == overlap for count in shared)


@pytest.mark.parametrize(("capacity", "overlap"), RULES)
def test_windows_are_of_nearly_one_length_and_as_few_as_fit(capacity, overlap):
    for n_tokens in range(capacity + 1, 6 * capacity):
        ranges = cut_windows(n_tokens, capacity=capacity, overlap_tokens=overlap, max_windows=10_000)
        lengths = [end - start for start, end in ranges]
        assert max(lengths) - min(lengths) < len(lengths)
        n_fewer = len(ranges) - 1
        assert overlap + n_fewer * (capacity - overlap) < n_tokens


def test_text_that_fits_is_one_window():
    assert cut_windows(14, capacity=14, overlap_tokens=4, max_windows=3) == [(0, 14)]
    assert cut_windows(1, capacity=14, overlap_tokens=4, max_windows=3) == [(0, 1)]


@pytest.mark.parametrize("max_windows", [1, 2, 3, 7])
def test_the_cap_keeps_the_beginning_in_full_windows(max_windows):
    ranges = cut_windows(100_000, capacity=14, overlap_tokens=4, max_windows=max_windows)
    assert len(ranges) == max_windows
    assert all(end - start == 14 for start, end in ranges)
    assert ranges[-1][1] == 4 + max_windows * 10


def test_a_cap_that_does_not_bind_changes_nothing():
    free = cut_windows(40, capacity=14, overlap_tokens=4, max_windows=100)
    assert cut_windows(40, capacity=14, overlap_tokens=4, max_windows=len(free)) == free


def test_logits_of_windows_are_averaged_per_paragraph():
    logits = np.array([[1, 10], [3, 30], [5, 50], [100, 200], [7, 7], [9, 11]], dtype=np.float32)
    rows = aggregate_windows(logits, [3, 1, 2])
    assert rows.tolist() == [[3, 30], [100, 200], [8, 9]]
    assert rows.dtype == np.float32


def test_single_windows_are_passed_on_unchanged():
    logits = np.array([[1.5, 2.5], [3.5, 4.5]], dtype=np.float32)
    assert aggregate_windows(logits, [1, 1]).tolist() == logits.tolist()


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 16, "overlap_tokens": 9, "max_windows": 3},
        {"max_tokens": 7, "overlap_tokens": 0, "max_windows": 3},
        {"max_tokens": 16, "overlap_tokens": -1, "max_windows": 3},
        {"max_tokens": 16, "overlap_tokens": 4, "max_windows": 0},
        {"max_tokens": 16, "overlap_tokens": 4},
        {"max_tokens": 16, "overlap_tokens": 4, "max_windows": 3, "stride": 2},
    ],
)
def test_a_rule_that_cannot_work_is_refused(fields):
    with pytest.raises(ValidationError):
        WindowRule.model_validate(fields)


@pytest.mark.issue(3)
def test_too_great_an_overlap_is_told_with_what_would_do():
    with pytest.raises(ValidationError, match="overlap_tokens is 64, expected at most 50, half of max_tokens"):
        WindowRule(max_tokens=101, overlap_tokens=64, max_windows=3)
