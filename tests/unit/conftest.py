"""Runs the command line in this process, as a shell would see it."""

import io
import json
import sys
from dataclasses import dataclass

import pytest

from twohands.cli import main

WORDS = ["plan", "market", "weather", "embargo plan", "subsidy plan", "licence market"]


@dataclass
class Finished:
    code: int
    stdout: bytes
    stderr: str


class _Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.fixture
def run(capsysbinary, monkeypatch):
    """Gives a function that runs `twohands` with arguments and standard input; output is no terminal."""

    def run_command(*arguments, stdin=b"", is_terminal=False):
        kind = _Terminal if is_terminal else io.TextIOWrapper
        monkeypatch.setattr(sys, "stdin", kind(io.BytesIO(stdin), encoding="utf-8"))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsysbinary.readouterr()
        return Finished(int(caught.value.code or 0), captured.out, captured.err.decode())

    return run_command


@pytest.fixture
def rows(tmp_path):
    """300 rows, every tenth of them bad."""
    path = tmp_path / "rows.jsonl"
    cells = [
        {"id": f"r{n}", "text": "" if n % 10 == 9 else f"the {WORDS[n % 6]} {n} " * (1 + n % 7)} for n in range(300)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in cells), encoding="utf-8")
    return path


@pytest.fixture
def classify(run, tiny_model):
    """Gives a function that runs `twohands classify` with the tiny model."""
    return lambda *arguments, stdin=b"": run("classify", "--model", tiny_model, *arguments, stdin=stdin)
