"""Threads come from the control groups and affinity, and are never more than asked for."""

import os

import pytest

from twohands.misuse import ArgumentError
from twohands.threads import count_threads, read_cpu_quota

N_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


@pytest.fixture
def groups(tmp_path):
    """Gives a function that writes control groups and reads the quota from them."""
    root = tmp_path / "cgroup"
    root.mkdir()

    def read(files, own=None):
        for name, text in files.items():
            write(root / name, text)
        if own is not None:
            write(tmp_path / "own", own)
        return read_cpu_quota(root=root, own=tmp_path / "own")

    return read


def test_no_control_groups_bound_nothing(groups):
    assert groups({}) is None


@pytest.mark.parametrize(
    ("cpu_max", "quota"),
    [("200000 100000\n", 2), ("max 100000\n", None), ("150000 100000\n", 1.5), ("5000 100000\n", 0.05)],
)
def test_version_2_at_the_root(groups, cpu_max, quota):
    assert groups({"cpu.max": cpu_max}, own="0::/\n") == quota


def test_version_2_takes_the_smallest_of_all_ancestors(groups):
    files = {"cpu.max": "max 100000", "a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}
    assert groups(files | {"a/b/c/cpu.max": "800000 100000", "z/cpu.max": "1000 100000"}, own="0::/a/b/c\n") == 3


@pytest.mark.parametrize(("quota_us", "quota"), [("250000", 2.5), ("-1", None), ("0", None)])
def test_version_1(groups, quota_us, quota):
    files = {"cpu/cpu.cfs_quota_us": quota_us, "cpu/cpu.cfs_period_us": "100000"}
    assert groups(files, own="4:memory:/x\n3:cpu,cpuacct:/\n") == quota


def test_version_1_nested(groups):
    files = {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}
    files |= {"cpu/pod/box/cpu.cfs_quota_us": "400000", "cpu/pod/box/cpu.cfs_period_us": "100000"}
    assert groups(files, own="9:memory:/other\n3:cpu,cpuacct:/pod/box\n0::/system\n") == 4


@pytest.mark.parametrize("text", ["", "words\n", "1 2 3\n", "100000 0\n", "x 100000\n", "\n\n"])
def test_garbage_bounds_nothing(groups, text):
    assert groups({"cpu.max": text, "cpu/cpu.cfs_quota_us": text, "cpu/cpu.cfs_period_us": "0"}, own="0::/\n") is None


@pytest.mark.parametrize("own", ["", "nonsense\n", "1:2\n"])
def test_garbage_about_the_own_group_leaves_the_root(groups, own):
    assert groups({"cpu.max": "100000 100000"}, own=own) == 1


def test_a_group_outside_the_mount_is_harmless(groups):
    assert groups({"cpu.max": "100000 100000"}, own="0::/../../etc\n") == 1


@pytest.mark.parametrize(
    ("requested", "quota", "expected"),
    [
        (None, 1.0, 1),
        (None, 0.2, 1),
        (None, 1.9, 1),
        (1, 64.0, 1),
        (1000, 1.0, 1),
        (1000, 1e9, N_CORES),
        (None, 1e9, N_CORES),
    ],
)
def test_never_more_than_asked_for_or_granted(requested, quota, expected):
    assert count_threads(requested, quota=quota) == expected


@pytest.mark.issue(2)
@pytest.mark.parametrize("requested", [0, -3, 1.5, "2", True])
def test_what_is_no_number_of_threads_is_refused(requested):
    with pytest.raises(ArgumentError):
        count_threads(requested)


def test_affinity_binds(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert count_threads(None, quota=8.0) == 3
    assert count_threads(2, quota=8.0) == 2
    assert count_threads(None, quota=2.5) == 2
