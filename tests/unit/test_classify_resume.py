"""`twohands classify` that is killed, interrupted or left by its reader: nothing is lost, and it goes on."""

import signal
import subprocess
import sys
import time

import pytest

from twohands import Classifier
from twohands.journal import journal_path


def stop_early(monkeypatch, error, n_chunks=1):
    """Makes the model fail after some chunks, as a kill would."""
    run_batch = Classifier.predict
    left = [n_chunks]

    def predict(self, *arguments, **options):
        if not left[0]:
            raise error
        left[0] -= 1
        return run_batch(self, *arguments, **options)

    monkeypatch.setattr(Classifier, "predict", predict)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_run_goes_on_from_any_cut_and_ends_as_if_it_had_not_stopped(classify, rows, tmp_path, monkeypatch, kind):
    whole, output = tmp_path / f"whole.{kind}", tmp_path / f"out.{kind}"
    assert classify(rows, "--output", whole).code == 0
    with monkeypatch.context() as patched:
        stop_early(patched, KeyboardInterrupt)
        finished = classify(rows, "--output", output)
    assert finished.code == 130
    assert not output.exists()
    journal = journal_path(output).read_bytes()
    for length in (len(journal), len(journal) - 7, journal.index(b"\n") + 1, journal.index(b"\n") // 2, 0):
        output.unlink(missing_ok=True)
        journal_path(output).write_bytes(journal[:length])
        finished = classify(rows, "--output", output)
        assert finished.code == 0
        assert ("going on" in finished.stderr) == (length > journal.index(b"\n") + 1)
        assert output.read_bytes() == whole.read_bytes()
        assert not journal_path(output).exists()


def test_a_resumed_run_tells_of_bad_rows_again(classify, tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    path.write_text("broken\n" + '{"text": "plan"}\n' * 300, encoding="utf-8")
    with monkeypatch.context() as patched:
        stop_early(patched, KeyboardInterrupt)
        assert classify(path, "--output", tmp_path / "out.jsonl").code == 130
    finished = classify(path, "--output", tmp_path / "out.jsonl")
    assert finished.code == 1
    assert f"{path}:1:" in finished.stderr


def test_a_changed_run_is_not_resumed(classify, rows, tmp_path, monkeypatch):
    output = tmp_path / "out.jsonl"
    with monkeypatch.context() as patched:
        stop_early(patched, KeyboardInterrupt)
        classify(rows, "--output", output)
    journal = journal_path(output).read_bytes()
    rows_before = rows.read_bytes()
    for extra in (["--threshold", "stance=0.9"], ["--with-text"]):
        finished = classify(rows, "--output", output, *extra)
        assert finished.code == 1
        assert "[run_conflict]" in finished.stderr
    rows.write_bytes(rows_before.replace(b"weather", b"climate"))
    assert classify(rows, "--output", output).code == 1
    assert journal_path(output).read_bytes() == journal
    assert not output.exists()
    assert classify(rows, "--output", output, "--overwrite").code == 0
    assert output.read_bytes() == classify(rows).stdout


def test_standard_input_is_not_resumed(classify, rows, tmp_path, monkeypatch):
    output = tmp_path / "out.jsonl"
    with monkeypatch.context() as patched:
        stop_early(patched, KeyboardInterrupt)
        assert classify("--output", output, stdin=rows.read_bytes()).code == 130
    for arguments in (["--output", output], [rows, "--output", output]):
        finished = classify(*arguments, stdin=rows.read_bytes())
        assert finished.code == 1
        assert "[run_conflict]" in finished.stderr
        assert "Repeat" not in finished.stderr
    assert classify("--output", output, "--overwrite", stdin=rows.read_bytes()).code == 0
    assert output.read_bytes() == classify(rows).stdout


SLOW = """
import sys, time
from twohands.cli import main
from twohands.session import OnnxSession
run_batch = OnnxSession.run_batch
def slow(self, token_ids):
    time.sleep(0.1)
    return run_batch(self, token_ids)
OnnxSession.run_batch = slow
main(sys.argv[1:])
"""


def start(*arguments):
    command = [sys.executable, "-c", SLOW, "classify", *map(str, arguments)]

    def heed_interrupts():
        # A test run in the background of a shell ignores SIGINT, and its children would inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_interrupts)


@pytest.mark.parametrize(("kind", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_killed_process_goes_on(classify, tiny_model, tmp_path, kind, code):
    path, output = tmp_path / "rows.jsonl", tmp_path / "out.csv"
    path.write_text("".join(f'{{"text": "the plan {n} market"}}\n' for n in range(2000)), encoding="utf-8")
    process = start(path, "--model", tiny_model, "--output", output)
    until = time.monotonic() + 30
    while not (journal_path(output).exists() and journal_path(output).read_bytes().count(b"\n") > 200):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(kind)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"Traceback" not in stderr
    n_lines = journal_path(output).read_bytes().count(b"\n")
    assert 200 < n_lines < 2000
    assert not output.exists()
    assert classify(path, "--output", output).code == 0
    assert output.read_bytes() == classify(path, "--format", "csv").stdout


@pytest.mark.parametrize("n_rows", [130, 300])  # a last chunk that fits into Python's buffer, and one that does not
def test_a_reader_that_leaves_is_no_error(tiny_model, tmp_path, n_rows):
    (tmp_path / "rows.jsonl").write_text('{"text": "the plan"}\n' * n_rows, encoding="utf-8")
    process = start(tmp_path / "rows.jsonl", "--model", tiny_model)
    process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 141
