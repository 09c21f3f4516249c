import fcntl
import os
import subprocess
import sys

import pytest

from serving import shared_folder
from serving.shared_folder import ensure_folder, open_shared_folder

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
        "import shutil, sys\nfrom serving.metrics import Metrics\nmetrics = Metrics()\n"
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
