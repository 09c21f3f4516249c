import shutil
from pathlib import Path

import psutil
import pytest

from serving.rates import RateLimiter


def test_no_file_stays_open_for_a_key_that_processes_count_together(tmp_path: Path):
    ours, theirs = RateLimiter(tmp_path), RateLimiter(tmp_path)
    n_before = psutil.Process().num_fds()
    for number in range(50):
        assert ours.take(f"key{number}", per_minute=1) == 0
        assert theirs.take(f"key{number}", per_minute=1) > 0
    assert psutil.Process().num_fds() == n_before


@pytest.mark.issue(4)
def test_a_folder_that_was_cleaned_away_is_made_again(tmp_path: Path):
    folder = tmp_path / "shared" / "rates"
    ours, theirs = RateLimiter(folder), RateLimiter(folder)
    assert ours.take("a", per_minute=1) == 0
    assert theirs.take("a", per_minute=1) > 0
    shutil.rmtree(tmp_path / "shared")
    assert ours.take("a", per_minute=1) == 0
    assert theirs.take("a", per_minute=1) > 0


@pytest.mark.issue(4)
def test_a_process_that_cannot_count_with_the_others_counts_alone(tmp_path: Path, caplog):
    (tmp_path / "rates").write_text("no folder")
    limiter = RateLimiter(tmp_path / "rates")
    assert [limiter.take("a", per_minute=2) > 0 for _ in range(3)] == [False, False, True]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
