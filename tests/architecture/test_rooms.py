"""Rooms import only what they may: read from every file's syntax, lazy and type-checking imports included."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"training", "serving", "evaluation"}
LEARNING = {"torch", "transformers", "datasets"}
FORBIDDEN = {
    "twohands": ROOMS | LEARNING | {"fastapi", "uvicorn", "sklearn", "tests"},
    "serving": (ROOMS - {"serving"}) | LEARNING | {"sklearn", "tests"},
    "training": (ROOMS - {"training"}) | {"fastapi", "uvicorn", "tests"},
    "evaluation": (ROOMS - {"evaluation"}) | LEARNING | {"fastapi", "tests"},
}
# Peers that a comparison may ask for need torch: only here, and only once they are asked for.
LAZY_LEARNING = {"evaluation": "neural/"}
MOST_LINES = 400
# Run as files by the interpreters of other people's environments, which have torch or a server; nothing imports them.
PROGRAMS = "bench/programs/"


@dataclass(frozen=True)
class Import:
    """One import: the package it reaches, its line, and whether it happens only when a function is called."""

    package: str
    line: int
    is_lazy: bool


def _packages(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        # A relative import stays in its room, unless it climbs out of it, which no package of ours can.
        return [node.module] if node.module and not node.level else []
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if function in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def find_imports(path: Path) -> list[Import]:
    """Every import of a file, wherever it stands, those by name of `importlib` too."""
    found = []
    stack: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text(encoding="utf-8")), False)]
    while stack:
        node, is_lazy = stack.pop()
        found += [Import(name.split(".")[0], node.lineno, is_lazy) for name in _packages(node)]
        inside = is_lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        stack += [(child, inside) for child in ast.iter_child_nodes(node)]
    return found


def find_violations(room: str, folder: Path) -> list[str]:
    """What a room imports and may not."""
    violations = []
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if room == "evaluation" and name.startswith(PROGRAMS):
            continue
        for found in find_imports(path):
            folder_of_peers = LAZY_LEARNING.get(room)
            may_learn = folder_of_peers is not None and name.startswith(folder_of_peers) and found.is_lazy
            may_click = room != "twohands" or name == "cli.py" or name.startswith("commands/")
            is_wrong = (
                (found.package in FORBIDDEN[room] and not (found.package in LEARNING and may_learn))
                or (found.package == "click" and not may_click)
                or (found.package == "pyarrow" and room == "twohands" and not found.is_lazy)
            )
            if is_wrong:
                violations.append(f"{room}/{name}:{found.line} imports {found.package}")
    return violations


def room_files():
    return sorted(path for room in FORBIDDEN for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_room_imports_only_what_it_may(room):
    assert list((ROOT / room).rglob("*.py"))
    assert find_violations(room, ROOT / room) == []


@pytest.mark.parametrize(
    "code",
    [
        "import torch",
        "import torch.nn as nn",
        "import json, torch",
        "from torch.nn import Module",
        "def load():\n    import torch",
        "class A:\n    def load(self):\n        from torch import nn",
        "async def load():\n    import torch",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
        "try:\n    import torch\nexcept ImportError:\n    torch = None",
        "import importlib\ntorch = importlib.import_module('torch')",
        "from importlib import import_module\nnn = import_module('torch.nn')",
        "torch = __import__('torch')",
        "load = lambda: __import__('torch')",
    ],
)
@pytest.mark.parametrize("room", ["twohands", "serving", "evaluation"])
def test_a_planted_violation_is_found(tmp_path, room, code):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "planted.py").write_text(code + "\n", encoding="utf-8")
    (violation,) = find_violations(room, tmp_path)
    assert violation.startswith(f"{room}/sub/planted.py:")


@pytest.mark.parametrize(
    ("room", "name", "code", "is_allowed"),
    [
        ("evaluation", "neural/peer.py", "def load():\n    import torch", True),
        ("evaluation", "neural/peer.py", "import torch", False),
        (
            "evaluation",
            "neural/peer.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
            False,
        ),
        ("evaluation", "neural/peer.py", "def load():\n    import fastapi", False),
        ("evaluation", "neural_peer.py", "def load():\n    import torch", False),
        ("serving", "neural/peer.py", "def load():\n    import torch", False),
        ("twohands", "neural/peer.py", "def load():\n    import transformers", False),
    ],
)
def test_only_the_peers_of_evaluation_may_learn_and_only_when_called(tmp_path, room, name, code, is_allowed):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(code + "\n", encoding="utf-8")
    assert (find_violations(room, tmp_path) == []) == is_allowed


def test_comparing_and_evaluating_import_no_torch_until_a_peer_is_asked_for():
    modules = ("evaluation.commands", "evaluation.compare_command", "evaluation.data_commands")
    program = f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
    program += f"sys.exit(' '.join(sorted({LEARNING!r} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_a_planted_import_of_another_room_is_found(tmp_path, room):
    for other in sorted(FORBIDDEN):
        (tmp_path / "planted.py").write_text(f"def f():\n    from {other}.part import name\n", encoding="utf-8")
        assert bool(find_violations(room, tmp_path)) == (other not in {room, "twohands"})


def test_the_contract_keeps_the_command_line_and_pyarrow_apart(tmp_path):
    (tmp_path / "commands").mkdir()
    for name in ("cli.py", "commands/a.py", "part.py"):
        (tmp_path / name).write_text("import click\n", encoding="utf-8")
    assert find_violations("twohands", tmp_path) == ["twohands/part.py:1 imports click"]
    (tmp_path / "part.py").write_text("import pyarrow\ndef f():\n    import pyarrow.parquet\n", encoding="utf-8")
    assert find_violations("twohands", tmp_path) == ["twohands/part.py:1 imports pyarrow"]


def test_programs_for_other_environments_need_no_room_and_are_imported_by_none(tmp_path):
    programs = sorted((ROOT / "evaluation" / PROGRAMS).glob("*.py"))
    stems = {path.stem for path in programs}
    assert len(stems) > 5
    for path in programs:
        assert not {found.package for found in find_imports(path)} & (ROOMS | {"tests"}), path
    for path in room_files():
        if path not in programs:
            code = path.read_text(encoding="utf-8")
            assert "bench.programs" not in code, path
            assert not {found.package for found in find_imports(path)} & stems, path
    (tmp_path / PROGRAMS).mkdir(parents=True)
    (tmp_path / PROGRAMS / "a.py").write_text("import torch\n", encoding="utf-8")
    (tmp_path / "bench" / "a.py").write_text("import torch\n", encoding="utf-8")
    assert find_violations("evaluation", tmp_path) == ["evaluation/bench/a.py:1 imports torch"]
    (tmp_path / "bench" / "a.py").unlink()
    assert find_violations("serving", tmp_path) == ["serving/bench/programs/a.py:1 imports torch"]


def test_words_that_are_no_imports_are_not_taken_for_some(tmp_path):
    code = '"""Knows nothing of torch."""\nfrom . import torch_free\nfrom .torch import name\ntorch = "import torch"\n'
    (tmp_path / "a.py").write_text(code, encoding="utf-8")
    assert find_violations("serving", tmp_path) == []


@pytest.mark.parametrize("path", room_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_says_what_it_owns_and_is_not_too_long(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    if text.strip():  # an empty __init__ owns nothing
        assert ast.get_docstring(ast.parse(text))
