"""Room on the disk: asked for before a run, and told of by name when it ends."""

import errno
import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tests.conftest import ROOT
from training.commands import train
from training.pseudo import write_pseudo_labels
from training.room import check_room, folder_bytes, telling_full_disk, unwinding_on_sigterm
from training.select import read_candidates, write_sheet
from twohands.errors import FileWriteError


def test_a_folder_with_room_is_taken_and_left_as_it_was(tmp_path):
    check_room(tmp_path / "not/yet/there", needed_bytes=1, option="--output")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_full_is_refused(tmp_path):
    with pytest.raises(FileWriteError, match="--runs"):
        check_room(tmp_path, needed_bytes=2**60, option="--runs")


@pytest.mark.parametrize("option", ["--runs", "--output"])
def test_a_place_that_cannot_hold_a_folder_is_refused_before_training(write_run, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    ran = CliRunner().invoke(train, [str(write_run()), option, "notes/below"])
    assert isinstance(ran.exception, FileWriteError)
    assert option in str(ran.exception)
    assert not (tmp_path / "runs").exists()
    assert (tmp_path / "notes").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "told", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("I/O error: ... (os error 28)")]
)
def test_a_disk_that_fills_up_is_named(tmp_path, told):
    with pytest.raises(FileWriteError), telling_full_disk(tmp_path / "run"):
        raise told


@pytest.mark.issue(3)
def test_a_file_that_a_full_disk_cut_off_is_not_left(tmp_path, monkeypatch, tiny_model, taxonomy):
    def fill(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.pseudo.score_in_chunks", fill)
    monkeypatch.setattr("training.select._join_words", fill)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": "a", "text": "The bridge was closed."}) + "\n", "utf-8")
    with pytest.raises(FileWriteError):
        write_pseudo_labels([tiny_model], [rows], tmp_path / "scores.jsonl")
    candidates, _ = read_candidates([rows], taxonomy)
    (tmp_path / "sheet.csv").write_text("as it was", "utf-8")
    with pytest.raises(FileWriteError):
        write_sheet(tmp_path / "sheet.csv", [(candidates[0], "random")], taxonomy)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "sheet.csv"]
    assert (tmp_path / "sheet.csv").read_text("utf-8") == "as it was"


def test_other_faults_pass_as_they_were(tmp_path):
    with pytest.raises(ZeroDivisionError), telling_full_disk(tmp_path / "run"):
        raise ZeroDivisionError


def test_bytes_of_a_folder_are_those_of_all_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_bytes(b"12345")
    (tmp_path / "c").write_bytes(b"678")
    assert folder_bytes(tmp_path) == 8
    assert folder_bytes(tmp_path / "absent") == 0


@pytest.mark.issue(3)
def test_a_write_that_is_asked_to_end_leaves_nothing_half_written(tmp_path):
    # In a process of its own: the signal ends the one that runs the tests if anything about it goes wrong.
    script = (
        "import signal, sys, pathlib\n"
        "from training.room import unwinding_on_sigterm\n"
        "from twohands.manifest import build_folder\n"
        "with unwinding_on_sigterm(), build_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').write_text('', encoding='utf-8')\n"
        "    print(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, flush=True)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model")],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "True\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.issue(3)
def test_the_signal_is_handled_as_before_once_all_is_written():
    before = signal.getsignal(signal.SIGTERM)
    with unwinding_on_sigterm():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before
