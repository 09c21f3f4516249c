"""Folders in the making: gone at their end, cleared after a kill, never taken from a process that lives."""

import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from twohands.scratch import open_scratch

WRITER = """
import pathlib, sys, time
from twohands.scratch import open_scratch
with open_scratch(pathlib.Path(sys.argv[1])) as folder:
    (folder / "half").write_text("")
    print(folder, flush=True)
    time.sleep(100)
"""


@pytest.mark.issue(3)
def test_what_a_killed_process_left_is_cleared_by_the_next_and_what_a_living_one_writes_is_not(tmp_path):
    target = tmp_path / "a[1]"
    old = tmp_path / ".a[1]-x.partial-old"  # a model that was being replaced may be the only one there is
    old.mkdir()
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    held = process.stdout.readline().strip()
    try:
        with open_scratch(target) as folder:
            assert {str(path) for path in tmp_path.iterdir()} == {held, str(folder), str(old)}
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert {str(path) for path in tmp_path.iterdir()} == {held, str(old)}
    with open_scratch(target) as folder:
        assert set(tmp_path.iterdir()) == {folder, old}
    assert list(tmp_path.iterdir()) == [old]


def test_a_folder_that_was_renamed_stays(tmp_path):
    with open_scratch(tmp_path / "a") as folder:
        (folder / "whole").write_text("")
        folder.rename(tmp_path / "a")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "whole"]
