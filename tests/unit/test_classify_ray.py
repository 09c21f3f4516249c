"""`twohands classify --engine ray`: the answers of the local engine, byte for byte, and what is told when it fails.

What needs Ray is skipped where it is not installed, which CI does not do: pip install 'twohands[ray]'.
"""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from twohands.bulk_ray import Pool
from twohands.errors import RayEngineError
from twohands.journal import journal_path

has_ray = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not has_ray, reason="ray is not installed (extra `ray`)")
# Starting Ray takes seconds, on a machine under load half a minute, so one test starts it and asks much.
BULK_S = 600


class FakeRay:
    """Runs a task when it is waited for, the last one first, so that answers come in the wrong order."""

    exceptions = SimpleNamespace(RayError=ZeroDivisionError)

    def __init__(self):
        self.n_most_waiting = 0

    def wait(self, refs, num_returns):
        self.n_most_waiting = max(self.n_most_waiting, len(refs))
        return refs[-num_returns:], refs[:-num_returns]

    def get(self, ref):
        return ref()


class FakeActor:
    def __init__(self):
        self.classify = SimpleNamespace(remote=lambda held, classify: lambda: classify(None, held))


def test_answers_keep_the_order_of_the_chunks_and_few_are_held():
    n_read = 0

    def read():
        nonlocal n_read
        for number in range(100):
            n_read += 1
            yield [number]

    ray = FakeRay()
    pool = Pool(ray, [FakeActor(), FakeActor()])
    for number, answers in enumerate(pool.classify(read(), lambda _, held: [{"id": held[0]}])):
        assert answers == [{"id": number}]
        assert n_read <= number + 8
    assert number == 99
    assert ray.n_most_waiting == 4


def test_no_items_are_no_answers():
    assert list(Pool(FakeRay(), [FakeActor()]).classify([], lambda _, held: held)) == []


def test_a_dead_actor_is_told_of():
    pool = Pool(FakeRay(), [FakeActor()])
    with pytest.raises(RayEngineError, match="an actor of Ray failed"):
        list(pool.classify([[0]], lambda _, held: [1 / held[0]]))


def test_an_error_of_the_model_keeps_its_code():
    pool = Pool(FakeRay(), [FakeActor()])
    with pytest.raises(Exception, match="NaN") as caught:
        list(pool.classify([[0]], lambda *_: ("non_finite_logits", "the model answered NaN")))
    assert caught.value.code == "non_finite_logits"


@pytest.mark.parametrize("options", [["--num-actors", "2"], ["--engine", "ray", "--threads", "2"]])
def test_options_of_the_other_engine_are_refused(classify, rows, options):
    assert classify(rows, *options).code == 2


@pytest.mark.skipif(has_ray, reason="ray is installed")
def test_without_ray_its_extra_is_named(classify, rows, tmp_path):
    finished = classify(rows, "--engine", "ray", "--output", tmp_path / "out.jsonl")
    assert finished.code == 1
    assert "pip install 'twohands[ray]'" in finished.stderr
    assert list(tmp_path.glob("out*")) == []


@needs_ray
@pytest.mark.parametrize("address", ["nowhere", "ray://127.0.0.1:10001", None])
def test_a_cluster_that_does_not_answer_is_told_of_at_once(classify, rows, monkeypatch, address):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, and nobody listens
        monkeypatch.setenv("RAY_ADDRESS", address or f"127.0.0.1:{unused.getsockname()[1]}")
        finished = classify(rows, "--engine", "ray")
    assert finished.code == 1
    assert "[ray_failed]" in finished.stderr
    assert "RAY_ADDRESS" in finished.stderr


def run(*arguments, **options):
    command = [sys.executable, "-m", "twohands", "classify", *map(str, arguments)]

    def heed_interrupts():
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_interrupts, **options
    )


def read(process):
    stdout, stderr = process.communicate(timeout=BULK_S)
    return process.returncode, stdout, stderr.decode()


@needs_ray
@pytest.mark.slow
def test_ray_answers_as_the_local_engine_does_and_goes_on_after_ctrl_c(classify, rows, tiny_model, tmp_path):
    options = [rows, "--model", tiny_model, "--explain", "--with-text", "--threshold", "stance=0.7"]
    code, stdout, stderr = read(run(*options, "--engine", "ray", "--num-actors", 2))
    assert (code, stderr) == (0, classify(*options).stderr)
    assert stdout == classify(*options).stdout

    many, output = tmp_path / "many.jsonl", tmp_path / "out.csv"
    many.write_bytes(rows.read_bytes() * 400)
    options = [many, "--model", tiny_model, "--format", "csv"]
    process = run(*options, "--engine", "ray", "--output", output, start_new_session=True)
    until = time.monotonic() + BULK_S
    while not (journal_path(output).exists() and journal_path(output).read_bytes().count(b"\n") > 200):
        assert time.monotonic() < until
        assert process.poll() is None, read(process)
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to Ray's own processes too
    code, _, stderr = read(process)
    assert code == 130
    assert "Traceback" not in stderr
    assert "the same command goes on from here" in stderr
    assert not output.exists()
    assert classify(*options, "--output", output).code == 0  # the engine makes no other run
    assert output.read_bytes() == classify(*options).stdout
