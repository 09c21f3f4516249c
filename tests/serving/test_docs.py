"""Runs the examples of docs/serving.md as they stand, against a real server."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving.settings import ServeSettings
from tests.serving.running import run_server
from tests.support.tiny import build_tiny_model
from twohands.classifier import Classifier

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "serving.md"
HEADINGS = ["Serving", "Our own client", "Other people's clients", "Under load", "Streams of any length"]
HEADINGS += ["Evidence, abstention, warnings", "Documents", "Corrections"]
NEEDS = {"huggingface_hub": "huggingface_hub", "tritonclient": "tritonclient.http"}


def list_examples():
    """The blocks of the sections whose examples need nothing but a running service."""
    for section in re.split(r"^#{1,2} ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if section.partition("\n")[0] in HEADINGS:
            yield from re.findall(r"```(bash|python)\n(.*?)```", section, flags=re.DOTALL)


EXAMPLES = list(list_examples())


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = build_tiny_model(tmp_path_factory.mktemp("served") / "twohands")
    classifier = Classifier.load(folder, num_threads=1)
    kept_in = f"sqlite:///{folder.parent}/corrections.sqlite3"
    with run_server(ServeSettings(model=str(folder), corrections=kept_in), classifier) as url:
        yield url.removeprefix("http://")
    classifier.close()


def test_examples_are_found():
    assert len(EXAMPLES) >= 8
    assert {language for language, _ in EXAMPLES} == {"bash", "python"}


@pytest.mark.parametrize(("language", "code"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_runs(address, language, code, monkeypatch):
    for package, module in NEEDS.items():
        if package in code:
            pytest.importorskip(module, reason="pip install twohands[clients]")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # the client would not even reach this machine
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    code = code.replace("127.0.0.1:8000", address)
    command = ["bash", "-euo", "pipefail", "-c", code.replace("curl -s", "curl -s --fail-with-body")]
    if language == "python":
        command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"error"' not in done.stdout
