from pathlib import Path

import psutil

from serving.rates import RateLimiter


def test_no_file_stays_open_for_a_key_that_processes_count_together(tmp_path: Path):
    ours, theirs = RateLimiter(tmp_path), RateLimiter(tmp_path)
    n_before = psutil.Process().num_fds()
    for number in range(50):
        assert ours.take(f"key{number}", per_minute=1) == 0
        assert theirs.take(f"key{number}", per_minute=1) > 0
    assert psutil.Process().num_fds() == n_before
