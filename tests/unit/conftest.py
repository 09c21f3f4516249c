"""Runs the command line in this process, as a shell would see it."""

import io
import sys
from dataclasses import dataclass

import pytest

from twohands.cli import main


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
