"""Nothing tells anybody anything: ONNX Runtime's telemetry, which is on in its builds for Linux, is off in ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLASSIFIES = "from twohands import Classifier; Classifier.load('models/twohands').classify(['A plan.'])"


def run(code: str, home: Path, **variables: str) -> list[str]:
    """What a fresh process leaves in an empty home."""
    home.mkdir()
    dropped = {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    environment = kept | {"HOME": str(home)} | variables
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True, capture_output=True)
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_a_classifier_leaves_no_number_of_the_machine_and_no_events(tmp_path):
    assert run(CLASSIFIES, tmp_path / "home") == []


@pytest.mark.parametrize("room", ["training", "serving", "evaluation"])
def test_each_room_keeps_the_runtime_quiet_before_it_imports_it(room, tmp_path):
    code = (
        f"import {room}, os, sys; assert 'onnxruntime' not in sys.modules; "
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'"
    )
    assert run(code, tmp_path / "home") == []


def test_who_wants_it_may_have_it(tmp_path):
    code = "import os, twohands; assert os.environ['ORT_DISABLE_TELEMETRY'] == '0'"
    assert run(code, tmp_path / "home", ORT_DISABLE_TELEMETRY="0") == []
