"""Folders in the making: gone at their end, cleared after a kill, never taken from a process that lives."""

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from twohands.scratch import bring_back, open_scratch, put_in_place

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


KILLED = """
import os, pathlib, signal, sys
from twohands.scratch import open_scratch, put_in_place
target, what = pathlib.Path(sys.argv[1]), sys.argv[2]
rename = pathlib.Path.rename
def kill(self, other):
    if self.name == what:
        os.kill(os.getpid(), signal.SIGKILL if sys.argv[3] == "kill" else signal.SIGSTOP)
    return rename(self, other)
pathlib.Path.rename = kill
with open_scratch(target) as held:
    (held / "new").mkdir()
    print(flush=True)
    put_in_place(held / "new", target, scratch=held)
"""


def write_target(target, content):
    with open_scratch(target) as held:
        (held / "new").mkdir()
        (held / "new" / content).touch()
        put_in_place(held / "new", target, scratch=held)


@pytest.mark.issue(3)
def test_what_was_being_replaced_comes_back_after_a_kill_between_the_two_renames(tmp_path):
    target = tmp_path / "a[1]"
    write_target(target, "old")
    subprocess.run([sys.executable, "-c", KILLED, str(target), "new", "kill"], cwd=ROOT, check=False)
    assert not target.exists()
    bring_back(target, whole="old")
    assert [path.name for path in target.iterdir()] == ["old"]
    write_target(target, "new")
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.issue(3)
def test_what_a_living_process_is_replacing_is_left_to_it_and_what_a_dead_one_left_behind_is_cleared(tmp_path):
    target = tmp_path / "a"
    write_target(target, "old")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(target), "new", "stop"], stdout=subprocess.PIPE,
                               cwd=ROOT)  # fmt: skip
    process.stdout.readline()
    try:
        os.waitpid(process.pid, os.WUNTRACED)  # between the two renames
        bring_back(target, whole="old")
        assert not target.exists()
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate()
    assert list(tmp_path.iterdir()) == [target]
    assert list(target.iterdir()) == []
    left = tmp_path / ".a-x.partial-old"
    left.mkdir()
    bring_back(target, whole="old")
    assert left.exists()
    with open_scratch(target):
        assert not left.exists()


@pytest.mark.issue(3)
def test_what_was_left_of_a_folder_whose_name_goes_on_is_not_of_this_one_and_half_a_folder_is_not_put_back(tmp_path):
    target, other = tmp_path / "a", tmp_path / ".a-b-x.partial-old"
    other.mkdir()
    (other / "old").touch()
    bring_back(target, whole="old")
    assert not target.exists()
    write_target(target, "old")
    write_target(target, "old")
    assert other.exists()
    half = tmp_path / ".c-x.partial-old"
    half.mkdir()
    bring_back(tmp_path / "c", whole="old")
    assert half.exists()
    bring_back(tmp_path / "a-b", whole="old")
    assert [path.name for path in (tmp_path / "a-b").iterdir()] == ["old"]


def test_a_folder_that_was_renamed_stays(tmp_path):
    with open_scratch(tmp_path / "a") as folder:
        (folder / "whole").write_text("")
        folder.rename(tmp_path / "a")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "whole"]
