"""A model whose thread died: the process ends, so that whoever started it starts another."""

import json
import os
import signal

import pytest

from tests.serving.processes import ask, start_serve
from tests.serving.test_workers import children, wait_until
from tests.support.tiny import build_tiny_model

BODY = json.dumps({"inputs": "plan"})
# What no runner expects, once a file is there; loaded by Python itself, so that workers have it, too.
DEADLY = """
import os
import onnxruntime
from twohands.session import OnnxSession

run_batch = OnnxSession.run_batch

class Died(BaseException):
    pass

def die(self, token_ids):
    if os.path.exists(os.environ["DEADLY"]):
        raise Died
    return run_batch(self, token_ids)

OnnxSession.run_batch = die
"""


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(DEADLY, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("DEADLY", str(tmp_path / "deadly"))
    return tmp_path / "deadly"


@pytest.mark.issue(4)
def test_a_service_whose_model_died_ends_with_an_error(tmp_path, deadly):
    # No drain: it would go on to take requests, and workers that live have the same address.
    with start_serve(build_tiny_model(tmp_path / "mine"), "--drain-delay", "600") as (process, port):
        assert ask(port, "POST", "/v1/classify", BODY)[0] == 200
        deadly.touch()
        assert ask(port, "POST", "/v1/classify", BODY)[0] == 503
        assert process.wait(20) not in (0, -signal.SIGTERM)


@pytest.mark.issue(4)
def test_a_worker_whose_model_died_is_replaced(tmp_path, deadly):
    with start_serve(build_tiny_model(tmp_path / "mine"), "--workers", "2", seconds=150) as (process, port):
        first = set(children(process))
        deadly.touch()
        assert ask(port, "POST", "/v1/classify", BODY)[0] == 503
        deadly.unlink()
        wait_until(lambda: len(set(children(process)) & first) == 1 and len(children(process)) == 2)
        assert process.poll() is None
        wait_until(lambda: {ask(port, "POST", "/v1/classify", BODY)[0] for _ in range(10)} == {200})
