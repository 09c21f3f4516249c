import errno
import fcntl
import os
import resource
import subprocess
import sys

import pytest
from prometheus_client.mmap_dict import MmapedDict

from serving import shared_folder
from serving.counting_room import ROOM_BYTES, give_back, take_room
from serving.shared_folder import ensure_folder, open_shared_folder
from twohands.errors import FileWriteError

pytestmark = pytest.mark.issue(4)


def test_the_service_managers_folder_is_taken_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}:/elsewhere")
    with open_shared_folder() as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "absent"))
    with open_shared_folder() as folder:
        assert folder.is_dir()
    assert not folder.exists()


def test_the_folder_is_locked_as_those_who_sweep_temporary_folders_ask_for():
    with open_shared_folder() as folder:
        number = os.open(folder, os.O_RDONLY)
        for wanted in (fcntl.LOCK_SH, fcntl.LOCK_EX):
            with pytest.raises(BlockingIOError):
                fcntl.flock(number, wanted | fcntl.LOCK_NB)
        os.close(number)


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
    assert {path.name for path in tmp_path.iterdir()} == {files["counter"].name}
    assert files["counter"].stat().st_size < 10_000
    take_room(tmp_path)  # a later process of the same number
    kept = [(name, value) for name, value, *_ in MmapedDict.read_all_values_from_file(str(files["counter"]))]
    assert kept == [(f"count {number}".ljust(len(name)), number) for number, (name, _) in enumerate(kept)]


def test_who_finds_no_room_for_counts_says_so_and_leaves_nothing(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(FileWriteError, match=os.strerror(errno.EFBIG)):
            take_room(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
