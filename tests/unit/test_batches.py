"""Windows of like length share a run, padding stays small, and none is lost."""

import numpy as np
import pytest

from twohands.batches import cut_batches, pad_length


def mixed_lengths(n, seed=0):
    """As the benches have them: log-normal, 32 to 254 tokens."""
    drawn = np.exp(np.random.default_rng(seed).normal(np.log(115), 0.5, n))
    return [int(length) for length in np.clip(drawn, 32, 254)]


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 64, 300])
@pytest.mark.parametrize("most", [1, 3, 8])
def test_each_window_stands_in_one_batch_and_none_is_too_large(n, most):
    lengths = mixed_lengths(n)
    batches = cut_batches(lengths, most_windows=most)
    assert sorted(place for batch in batches for place in batch) == list(range(n))
    assert max(map(len, batches)) <= most
    longest = [max(lengths[place] for place in batch) for batch in batches]
    assert longest == sorted(longest, reverse=True)


@pytest.mark.parametrize("seed", range(4))
def test_padding_of_a_large_mixed_call_is_little_more_than_that_of_full_tiles(seed):
    lengths = mixed_lengths(256, seed)
    padded = [pad_length(length, most=256) for length in lengths]
    batches = cut_batches(padded, most_windows=8)
    computed = sum(len(batch) * max(padded[place] for place in batch) for batch in batches)
    assert computed <= 1.02 * sum(padded)
    assert computed <= 1.08 * sum(lengths)
    assert len(batches) <= 42
    exact = sum(len(b) * max(lengths[place] for place in b) for b in cut_batches(lengths, most_windows=8))
    assert exact <= 1.03 * sum(lengths)


def test_windows_of_very_different_length_are_not_put_together():
    assert cut_batches([250, 10, 250, 12], most_windows=8) == [[0, 2], [3, 1]]
    assert cut_batches([], most_windows=8) == []


@pytest.mark.parametrize(
    ("length", "most", "padded"),
    [(128, 256, 128), (131, 256, 144), (1, 256, 16), (249, 250, 250), (250, 250, 250), (300, 250, 300), (13, 0, 13)],
)
def test_a_length_is_padded_to_a_full_tile_and_no_further_than_the_model_reads(length, most, padded):
    assert pad_length(length, most=most) == padded
