import errno
import fcntl
import os
import resource
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from serving import counting_room, shared_folder
from serving.counting_room import ROOM_BYTES, give_back, hold_still, take_room
from serving.shared_folder import ensure_folder, open_shared_folder
from twohands.errors import FileWriteError

pytestmark = [pytest.mark.issue(4), pytest.mark.anyio]


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch):
    """What tests open removes nothing in the machine's own temporary folder."""
    monkeypatch.setattr(shared_folder.tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


def test_the_service_managers_folder_is_taken_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}:/elsewhere")
    with open_shared_folder() as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "absent"))
    with open_shared_folder() as folder:
        assert folder.is_dir()
    assert not folder.exists()


@pytest.mark.issue(5)
def test_that_no_folder_can_be_made_is_one_clear_error(tmp_path, monkeypatch):
    # As in a container whose file system is read-only and that was given no /tmp.
    monkeypatch.setattr(shared_folder.tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(FileWriteError), open_shared_folder():
        pass


def test_the_folder_is_locked_as_those_who_sweep_temporary_folders_ask_for():
    with open_shared_folder() as folder:
        number = os.open(folder, os.O_RDONLY)
        for wanted in (fcntl.LOCK_SH, fcntl.LOCK_EX):
            with pytest.raises(BlockingIOError):
                fcntl.flock(number, wanted | fcntl.LOCK_NB)
        os.close(number)


def leave_folder(folder, *, age_s=100, parts=("metrics", "models", "rates")):
    """As a service leaves it that was killed."""
    for part in parts:
        (folder / part).mkdir(parents=True)
        (folder / part / "kept").write_bytes(b"kept")
    changed_s = time.time() - age_s
    os.utime(folder, (changed_s, changed_s))
    return folder


def test_what_a_killed_service_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    parent = tmp_path / "run"
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(parent))
    left = leave_folder(parent / "twohands-le_ft007")
    elsewhere = leave_folder(tmp_path / "elsewhere")
    (left / "models" / "link").symlink_to(elsewhere)
    (parent / "twohands-link0007").symlink_to(elsewhere)
    (parent / "twohands-file0007").write_bytes(b"")
    leave_folder(parent / "twohands-new00007", age_s=10)
    leave_folder(parent / "twohands-mine0007", parts=("models", "notes"))
    leave_folder(parent / "twohands-mine0008", parts=("models", "metrics", "notes"))
    leave_folder(parent / "twohands-experiments")
    leave_folder(parent / "other")
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(left)}
    held = os.open(leave_folder(parent / "twohands-held0007"), os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with open_shared_folder() as folder:
        after = {*tmp_path.rglob("*")} - {folder, *(parent / "twohands-held0007").rglob("*")}
        assert after == before | {parent / "twohands-held0007"}
    os.close(held)  # as the system does for who is killed
    with open_shared_folder(), open_shared_folder():
        assert {*tmp_path.rglob("*")} >= before
        assert not (parent / "twohands-held0007").exists()


def test_what_another_user_left_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    left = leave_folder(tmp_path / "twohands-le_ft007")
    user = os.geteuid()
    monkeypatch.setattr(shared_folder.os, "geteuid", lambda: user + 1)
    with open_shared_folder():
        assert (left / "models" / "kept").exists()


def test_a_folder_of_another_user_is_not_taken_for_ours(tmp_path, monkeypatch):
    ensure_folder(tmp_path / "shared" / "rates")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o700
    user = os.geteuid()
    monkeypatch.setattr(shared_folder.os, "geteuid", lambda: user + 1)
    with pytest.raises(PermissionError):
        ensure_folder(tmp_path / "shared" / "rates")


def test_metrics_are_shown_after_the_folder_was_cleaned_away(tmp_path):
    code = (
        "import os, shutil, sys\nfrom serving.metrics import Metrics\nmetrics = Metrics()\n"
        "print(*os.listdir(os.environ['PROMETHEUS_MULTIPROC_DIR']), file=sys.stderr)\n"
        "shutil.rmtree(sys.argv[1])\nprint(metrics.show().decode())\n"
    )
    folder = tmp_path / "shared" / "metrics"
    folder.mkdir(parents=True)
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    ended = subprocess.run(
        [sys.executable, "-c", code, str(folder.parent)], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert str(folder) in ended.stderr
    assert folder.is_dir()
    # Of each file that was made, room is taken before it is used.
    made = {name.rpartition("_")[0] for name in ended.stderr.splitlines()[0].split()}
    assert {"counter", "histogram"} <= made <= set(ROOM_BYTES)


def test_room_for_counts_is_taken_before_they_come_and_given_back_without_them(tmp_path):
    take_room(tmp_path)
    files = {kind: tmp_path / f"{kind}_{os.getpid()}.db" for kind in ROOM_BYTES}
    for kind, path in files.items():
        assert path.stat().st_blocks * 512 >= path.stat().st_size == ROOM_BYTES[kind]
    counts = MmapedDict(str(files["counter"]))
    for number in range(100):
        counts.write_value(f"count {number}", float(number), 0.0)
    counts.close()
    assert files["counter"].stat().st_size == ROOM_BYTES["counter"]
    give_back(tmp_path, os.getpid())
    (ended,) = tmp_path.iterdir()
    assert ended.stat().st_size < 10_000
    take_room(tmp_path)  # a later process of the same number
    kept = [(name, value) for name, value, *_ in MmapedDict.read_all_values_from_file(str(ended))]
    assert kept == [(f"count {number}".ljust(len(name)), number) for number, (name, _) in enumerate(kept)]
    assert len(kept) == 100


def count(folder, pid, number):
    """What a process leaves: a series that all have, one of its own, a histogram."""
    counters = MmapedDict(str(folder / f"counter_{pid}.db"))
    for name, label in (("a_total", "all"), ("a_total", str(pid))):
        counters.write_value(mmap_key("a", name, ["label"], [label], ""), float(number), 0.0)
    counters.close()
    histograms = MmapedDict(str(folder / f"histogram_{pid}.db"))
    for name, label, value in (("b_bucket", "1.0", number), ("b_bucket", "+Inf", 1), ("b_sum", None, number / 2)):
        key = mmap_key("b", name, ["le"] if label else [], [label] if label else [], "")
        histograms.write_value(key, float(value), 0.0)
    histograms.close()
    gauges = MmapedDict(str(folder / f"gauge_sum_{pid}.db"))
    gauges.write_value(mmap_key("c", "c", [], [], ""), float(number), 0.0)
    gauges.close()


def read_counts(folder):
    with hold_still(folder):
        metrics = MultiProcessCollector(None, str(folder)).collect()
    return {(each.name, *each.labels.values()): each.value for metric in metrics for each in metric.samples}


def test_counts_of_all_that_have_ended_stand_in_one_file_of_each_kind(tmp_path):
    for pid in range(1, 41):
        count(tmp_path, pid, pid)
    before = read_counts(tmp_path)
    assert before["a_total", "all"] == 820
    assert before["b_bucket", "+Inf"] == 860
    assert before["c",] == 820
    for pid in range(1, 41):
        give_back(tmp_path, pid)
        assert read_counts(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 3
    count(tmp_path, 7, 100)  # of a number that was there before
    give_back(tmp_path, 7)
    assert read_counts(tmp_path)["a_total", "all"] == 920
    assert read_counts(tmp_path)["a_total", "7"] == 107


def test_counts_are_neither_lost_nor_read_twice_while_a_process_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(counting_room, "_PAUSE_S", 0.002)
    for pid in range(1, 51):
        count(tmp_path, pid, 1)
    before = read_counts(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(lambda: [give_back(tmp_path, pid) for pid in range(1, 51)])
        n_read = 0
        while not ending.done() or not n_read:
            assert read_counts(tmp_path) == before
            n_read += 1
            time.sleep(0.01)  # or nothing would ever be moved
        ending.result()
    assert read_counts(tmp_path) == before
    assert len(list(tmp_path.iterdir())) < 150


def test_who_reads_counts_and_stands_still_holds_up_nobody_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(counting_room, "_PAUSE_S", 0.001)
    count(tmp_path, 1, 1)
    before = read_counts(tmp_path)
    with hold_still(tmp_path):
        give_back(tmp_path, 1)
        assert {path.stem.rpartition("_")[2] for path in tmp_path.iterdir()} == {"1"}
    assert read_counts(tmp_path) == before


def test_counts_stay_where_a_full_disk_lets_none_be_moved(tmp_path, caplog):
    count(tmp_path, 1, 1)
    count(tmp_path, 2, 1)
    give_back(tmp_path, 1)
    before = read_counts(tmp_path)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limit[1]))
    try:
        give_back(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert read_counts(tmp_path) == before
    assert "OSError" in caplog.text
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.issue(4)
def test_a_broken_file_of_counts_stays_and_ends_nothing(tmp_path, caplog):
    for content in struct.pack("iii", 24, 0, 100) + bytes(12), struct.pack("iii", 20, 0, 8) + bytes(8):
        (tmp_path / "counter_7.db").write_bytes(content)
        give_back(tmp_path, 7)
        assert (tmp_path / "counter_7.db").exists()
    assert "keeps files of its own" in caplog.text


async def test_metrics_are_read_beside_the_event_loop(app, client, monkeypatch):
    threads = []
    monkeypatch.setattr(app.state.metrics, "show", lambda: threads.append(threading.get_ident()) or b"")
    assert (await client.get("/metrics")).status_code == 200
    assert threads != [threading.get_ident()]


def test_who_finds_no_room_for_counts_says_so_and_leaves_nothing(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(FileWriteError, match=os.strerror(errno.EFBIG)):
            take_room(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
