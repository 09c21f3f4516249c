"""Owns how a part of this service is started as a process of its own: as what runs here, whatever the folder holds."""

import json
import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parent.parent)
_BEGIN = (
    "import json, runpy, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def make_command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of ours as a program.

    `python -m` would look into the current folder first, and find another package there that is called as ours. So
    modules are found where this process finds them, installed or in a checkout.

    Args:
        module: by its full name.
        *arguments: of the program, its `sys.argv[1:]`.

    Returns:
        The program and its arguments.
    """
    path = [entry for entry in sys.path if entry]  # an empty entry is the current folder
    if _ROOT not in path:
        path.insert(0, _ROOT)
    return (sys.executable, "-P", "-c", _BEGIN, json.dumps(path), module, *arguments)
