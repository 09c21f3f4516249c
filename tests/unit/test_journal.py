"""A journal goes on after its last whole line, belongs to one run, and is never thrown away unasked."""

import os
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from twohands.errors import FileWriteError, RunConflictError
from twohands.journal import LATER, check_output, hold_output, journal_path, open_journal, open_whole

RUN = {"model": {"sha256": "m"}, "inputs": [["a.jsonl", "d"]], "thresholds": {}}
ANSWERS = [{"id": "0", "text": "\ud800 caf\u00e9"}, {"id": "1", "error": {"code": "missing_text"}}, {"id": "2"}]


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out.jsonl"


def begin(output, answers=ANSWERS, run=RUN, *, overwrite=False):
    journal = open_journal(output, run, overwrite=overwrite)
    journal.append(answers)
    journal.close()
    return journal_path(output).read_bytes()


def test_it_goes_on_where_it_stopped(output):
    begin(output)
    journal = open_journal(output, RUN, overwrite=False)
    assert (journal.done.n_items, journal.done.n_classified, dict(journal.done.errors)) == (3, 2, {"missing_text": 1})
    journal.append([{"id": "3"}])
    assert len(list(journal.lines())) == 4
    journal.close()


def test_a_cut_at_any_byte_keeps_the_whole_lines(output):
    whole = begin(output)
    header = whole.index(b"\n") + 1
    for length in range(len(whole) + 1):
        journal_path(output).write_bytes(whole[:length])
        journal = open_journal(output, RUN, overwrite=False)
        n_done = whole[header:length].count(b"\n")
        assert journal.done.n_items == n_done
        journal.append(ANSWERS[n_done:])
        journal.close()
        assert journal_path(output).read_bytes() == whole


@pytest.mark.parametrize("tail", [b"\x00\x00\x00\n", b"null\n", b'{"id": "3"', b"\n{}\n"])
def test_what_a_crash_left_is_cut_off(output, tail):
    whole = begin(output)
    journal_path(output).write_bytes(whole + tail)
    assert begin(output, []) == whole


@pytest.mark.parametrize(
    "change", [{"model": {"sha256": "n"}}, {"inputs": [["a.jsonl", "e"]]}, {"thresholds": {"stance": 0.5}}, {"more": 1}]
)
def test_the_journal_of_another_run_is_refused_and_kept(output, change):
    whole = begin(output)
    with pytest.raises(RunConflictError) as caught:
        open_journal(output, RUN | change, overwrite=False)
    assert next(iter(change)) in str(caught.value)
    assert "--overwrite" in str(caught.value)
    assert journal_path(output).read_bytes() == whole
    journal = open_journal(output, RUN | change, overwrite=True)
    assert journal.done.n_items == 0
    journal.close()


def test_overwrite_goes_on_with_its_own_journal(output):
    begin(output)
    journal = open_journal(output, RUN, overwrite=True)
    assert journal.done.n_items == 3
    journal.close()


def test_a_file_that_is_no_journal_is_refused_and_kept(output):
    journal_path(output).write_text("chapter one\n", encoding="utf-8")
    with pytest.raises(RunConflictError):
        open_journal(output, RUN, overwrite=False)
    assert journal_path(output).read_text(encoding="utf-8") == "chapter one\n"


def test_two_runs_at_once_do_not_mix(output):
    first = open_journal(output, RUN, overwrite=False)
    first.append(ANSWERS)
    for overwrite in (False, True):
        with pytest.raises(RunConflictError):
            open_journal(output, RUN, overwrite=overwrite)
    assert len(list(first.lines())) == 3
    first.close()


def test_a_journal_without_answers_is_removed(output):
    open_journal(output, RUN, overwrite=False).close()
    assert not journal_path(output).exists()


def test_finishing_gives_the_output_and_removes_the_journal(output):
    journal = open_journal(output, RUN, overwrite=False)
    journal.append(ANSWERS)
    journal.finish(output, lambda path: path.write_bytes(b"".join(journal.lines())))
    journal.close()
    assert output.read_bytes().count(b"\n") == 3
    assert [path.name for path in output.parent.iterdir()] == ["out.jsonl"]


@pytest.mark.issue(3)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full is a device of Linux")
def test_of_a_full_disk_it_is_told_that_the_command_goes_on(output):
    """The journal was closed by a second error, which took the place of the first and its hint."""

    def run_out():
        with closing(open_journal(output, RUN, overwrite=False)) as journal:
            journal.append(ANSWERS[:1])
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, journal._stream.fileno())
            os.close(full)
            journal.append(ANSWERS[1:])

    with pytest.raises(FileWriteError) as told:
        run_out()
    assert str(told.value).endswith(LATER)
    with closing(open_journal(output, RUN, overwrite=False)) as journal:
        assert journal.done.n_items == 1


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(28, "full"), FileWriteError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_a_failed_finish_leaves_the_journal_and_the_old_output(output, error, raised):
    output.write_text("old", encoding="utf-8")
    whole = begin(output)
    journal = open_journal(output, RUN, overwrite=True)

    def write(path):
        path.write_text("half", encoding="utf-8")
        raise error

    with pytest.raises(raised):
        journal.finish(output, write)
    journal.close()
    assert output.read_text(encoding="utf-8") == "old"
    assert journal_path(output).read_bytes() == whole
    assert len(list(output.parent.iterdir())) == 2


def test_outputs_that_would_destroy_something_are_refused(tmp_path):
    existing = tmp_path / "a.jsonl"
    existing.write_text("x", encoding="utf-8")
    check_output(tmp_path / "new.jsonl", [existing], overwrite=False)
    check_output(existing, [], overwrite=True)
    with pytest.raises(RunConflictError):
        check_output(existing, [], overwrite=False)
    (tmp_path / "link.jsonl").symlink_to(existing)
    (tmp_path / "A.jsonl").hardlink_to(existing)  # as a disk that tells no capitals apart has it
    for target in (existing, tmp_path / "link.jsonl", tmp_path / "A.jsonl"):  # one of the inputs
        with pytest.raises(RunConflictError):
            check_output(target, [existing], overwrite=True)
    for target in (tmp_path, tmp_path / "pipe"):  # no plain files
        if target.name == "pipe":
            os.mkfifo(target)
        with pytest.raises(RunConflictError):
            check_output(target, [], overwrite=True)
    with pytest.raises(FileWriteError):
        check_output(tmp_path / "none" / "a.jsonl", [], overwrite=True)


def test_a_file_is_held_by_one_run_at_a_time(output, monkeypatch):
    with hold_output(output):
        with pytest.raises(RunConflictError, match="another run is writing"), hold_output(output):
            pytest.fail("two hold it")
        with open_whole(output) as path:
            path.write_bytes(b"whole")
        with hold_output(output):  # it is done, though the block lasts
            pass
    assert output.read_bytes() == b"whole"
    with pytest.raises(ValueError, match="stop"), hold_output(output):
        raise ValueError("stop")
    with ExitStack() as other:
        replace = Path.replace

        def give_its_name(path, target):
            replace(path, target)
            other.enter_context(hold_output(output))  # the next run, at once

        with monkeypatch.context() as patch, hold_output(output), open_whole(output) as path:
            path.write_bytes(b"anew")
            patch.setattr(Path, "replace", give_its_name)
        with pytest.raises(RunConflictError), hold_output(output):
            pytest.fail("its scratch file was taken from it")
    assert list(output.parent.iterdir()) == [output]
