import json
import subprocess
import sys
from pathlib import Path

import pytest

import serving
from serving.programs import make_command


@pytest.mark.issue(4)
def test_a_worker_is_found_where_this_process_was_whatever_the_current_folder_holds(tmp_path):
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "__init__.py").write_text("")
    program = make_command("serving.worker", "no number", str(tmp_path))
    ended = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "invalid literal for int()" in ended.stderr  # its own words, of its own first argument


def test_the_current_folder_is_no_place_to_look_in_and_ours_always_is(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "elsewhere"])
    _, is_safe, _, _, path, module, *arguments = make_command("serving.extract", ".pdf", "5")
    assert is_safe == "-P"
    assert json.loads(path) == [str(Path(serving.__file__).parent.parent), "elsewhere"]
    assert [module, *arguments] == ["serving.extract", ".pdf", "5"]
