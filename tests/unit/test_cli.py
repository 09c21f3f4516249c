"""The command line is composed from entry points, starts without heavy imports, and names what is missing."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import click
import pytest

from twohands import __version__
from twohands.cli import COMMANDS, GROUP, cli, main
from twohands.manifest import load_manifest, write_manifest

HEAVY = ["numpy", "onnxruntime", "tokenizers", "pydantic", "pyarrow", "rich", "torch", "transformers", "fastapi"]


def imported_after(code):
    program = f"{code}\nimport json, sys; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_twohands_imports_nothing_heavy():
    assert imported_after("import twohands; twohands.__version__") == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["classify", "--help"], ["models", "list", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = f"from twohands.cli import main\ntry: main({arguments!r})\nexcept SystemExit as end: assert not end.code"
    assert imported_after(code) == []


def test_classifier_and_prediction_are_imported_when_used():
    used = imported_after("from twohands import Classifier, Prediction")
    assert {"numpy", "onnxruntime", "tokenizers"} <= set(used)
    assert not {"torch", "transformers", "fastapi", "pyarrow"} & set(used)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(ImportError):
        from twohands import Clasifier  # noqa: F401


def test_python_m_runs_the_same():
    done = subprocess.run([sys.executable, "-m", "twohands", "--version"], capture_output=True, check=True, text=True)
    assert __version__ in done.stdout


def test_help_lists_every_command(run):
    finished = run("--help")
    assert finished.code == 0
    listed = [
        line.split()[0] for line in finished.stdout.decode().splitlines() if line.startswith("  ") and line.split()
    ]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)


def test_every_declared_command_is_known(run):
    declared = {point.name for point in importlib.metadata.entry_points(group=GROUP)}
    assert {"classify", "models"} <= declared <= set(COMMANDS)
    for name in ("classify", "models"):
        assert run(name, "--help").code == 0


def walk_commands(command, above=None, name="twohands"):
    context = click.Context(command, info_name=name, parent=above, terminal_width=80)
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            yield from walk_commands(command.get_command(context, each), context, each)


@pytest.mark.issue(6)
def test_help_is_whole_in_80_columns():
    contexts = list(walk_commands(cli))
    assert {"twohands models show", "twohands bench peers"} <= {context.command_path for context in contexts}
    for context in contexts:
        _, *lines = context.get_help().splitlines()  # usage ends in ARGS...
        assert [line for line in lines if len(line) > 80 or line.endswith("...")] == [], context.command_path
        # Words that are filled anew part a command that is to be copied, without the backslash it needs.
        assert "Example: twohands" not in (context.command.epilog or "")[:20] or len(context.command.epilog) <= 78


def test_an_unknown_command_is_wrong_usage(run):
    assert run("clasify").code == 2
    assert run("classify", "--no-such-option").code == 2


def fake_entry_points(monkeypatch, *points):
    found = [importlib.metadata.EntryPoint(name, value, GROUP) for name, value in points]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: found if group == GROUP else [])


def test_a_package_that_is_not_installed_is_named_with_its_extra(run, monkeypatch, tmp_path):
    (tmp_path / "a_room.py").write_text("import no_such_package.part\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    fake_entry_points(monkeypatch, ("serve", "a_room:serve"))
    finished = run("serve", "--port", "0")
    assert finished.code == 1
    assert "[missing_extra]" in finished.stderr
    assert "no_such_package" in finished.stderr
    assert "twohands[serve]" in finished.stderr


def test_a_package_that_is_missed_only_when_the_command_runs_is_named_too(run, monkeypatch, tmp_path):
    (tmp_path / "late_room.py").write_text(
        "import click\n"
        "@click.command()\n@click.option('--room', is_flag=True)\n"
        "def train(room):\n    __import__('training.no_such_part' if room else 'no_such_package.part')\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    fake_entry_points(monkeypatch, ("train", "late_room:train"))
    finished = run("train")
    assert finished.code == 1
    assert "[missing_extra]" in finished.stderr
    assert "no_such_package" in finished.stderr
    assert "twohands[train]" in finished.stderr
    with pytest.raises(ModuleNotFoundError):  # a fault of ours, which no extra mends
        run("train", "--room")


def test_a_room_that_is_absent_is_named_with_its_extra(run, monkeypatch):
    fake_entry_points(monkeypatch, ("classify", "twohands.commands.classify:command"))
    finished = run("train", "config.yaml", "--set", "a=1")
    assert finished.code == 1
    assert "twohands[train]" in finished.stderr
    assert run("train", "--help").code == 0
    assert run("--help").code == 0


def test_commands_of_other_packages_are_listed_and_run(run, monkeypatch, tmp_path):
    (tmp_path / "plugin.py").write_text(
        "import click\n@click.command()\ndef hello(): click.echo('hello there')\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    fake_entry_points(monkeypatch, ("hello", "plugin:hello"))
    assert b"  hello" in run("--help").stdout
    assert run("hello").stdout == b"hello there\n"


_PROCESS_1 = """
import os, signal
from twohands import cli

def load(**_):
    signal.raise_signal(signal.SIGTERM)
    print("went on")

os.getpid = lambda: 1
cli.cli.main = load
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as the system has it for process 1
cli.main(["serve"])
"""


@pytest.mark.issue(4)
def test_process_1_is_ended_by_a_signal_to_stop_whatever_it_does():
    # In a process of its own: one whose worker of pytest-xdist dies of a signal makes the others wait for ever.
    done = subprocess.run([sys.executable, "-c", _PROCESS_1], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (143, "")


@pytest.mark.issue(3)
def test_a_command_that_is_interrupted_ends_as_shells_know_it(monkeypatch, capsys):
    """With 1, which is every error's, and "Aborted!"."""

    def press():
        raise KeyboardInterrupt

    monkeypatch.setattr(type(cli), "get_command", lambda *_: click.Command("wait", callback=press))
    with pytest.raises(SystemExit) as ended:
        main(["wait"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_named_fault_is_one_message_and_exit_code_1(run, tmp_path):
    finished = run("classify", tmp_path / "none.jsonl")
    assert finished.code == 1
    assert finished.stderr.startswith("error [unreadable_file]: ")
    assert "Traceback" not in finished.stderr
    assert finished.stdout == b""


@pytest.mark.issue(2)
def test_names_of_files_and_models_steer_no_terminal(run, tmp_path, tiny_model, monkeypatch):
    monkeypatch.setenv("TWOHANDS_MODELS", str(tmp_path))
    folder = shutil.copytree(tiny_model, tmp_path / "tiny")
    write_manifest(folder, load_manifest(folder)[0].model_copy(update={"name": "a\x1b]0;b\x07", "license": "\x9b2J"}))
    rows = tmp_path / "c\x1b[2J.jsonl"
    rows.write_text("no row\n")
    told = [run("classify", "--model", folder, rows), run("classify", f"{rows}.txt"), run("models", "verify", folder)]
    told += [run("models", "list"), run("models", "show", folder), run("models", "show", f"{folder}\x1b[2J")]
    shown = "".join(each.stdout.decode() + each.stderr for each in told)
    assert not set("\x1b\x07\x9b") & set(shown)
    for name in (r"c\x1b[2J.jsonl:1", r"c\x1b[2J.jsonl.txt", r"a\x1b]0;b\x07", r"\x9b2J", r"tiny\x1b[2J"):
        assert name in shown


@pytest.mark.issue(2)
@pytest.mark.parametrize("command", ["classify", "models show"])
def test_a_path_that_cannot_be_looked_at_is_one_message(run, command):
    too_long = "m" * 300
    options = ["--model", too_long, "-"] if command == "classify" else [too_long]
    finished = run(*command.split(), *options)
    assert (finished.code, len(finished.stderr.splitlines())) == (1, 1)
    assert finished.stderr.startswith("error [unreadable_file]: ")


def run_shell(redirected, tmp_path, tiny_model, **environment):
    """Run `twohands` as a shell does with redirections; `{rows}` is a file of two rows."""
    rows = tmp_path / "a.csv"
    rows.write_text("id,text\na,plan\nb,market\n", encoding="utf-8")
    line = redirected.format(twohands=f"'{sys.executable}' -m twohands", rows=rows, model=tiny_model)
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=os.environ | environment)


@pytest.mark.issue(2)
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "redirected",
    [
        "{twohands} classify {rows} --model {model} > /dev/full",
        "{twohands} classify --help > /dev/full",
        "{twohands} models list > /dev/full",
        "{twohands} classify {rows} --model {model} >&-",
        "{twohands} --help >&-",
        "{twohands} classify - --model {model} <&-",
    ],
)
def test_streams_that_are_full_or_closed_are_one_line(redirected, unbuffered, tmp_path, tiny_model):
    if "/dev/full" in redirected and not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("needs /dev/full")
    done = run_shell(redirected, tmp_path, tiny_model, PYTHONUNBUFFERED=unbuffered)
    code = "unreadable_file" if "<&-" in redirected else "unwritable_file"
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr.startswith(f"error [{code}]: ")


@pytest.mark.issue(2)
@pytest.mark.parametrize("closed", ["2>&-", "2>&- <&-"])
def test_a_closed_standard_error_changes_nothing(closed, tmp_path, tiny_model):
    done = run_shell(f"{{twohands}} classify {{rows}} --model {{model}} {closed}", tmp_path, tiny_model)
    assert (done.returncode, [json.loads(line)["id"] for line in done.stdout.splitlines()]) == (0, ["a", "b"])


def test_a_reader_that_has_gone_is_no_fault(tmp_path, tiny_model):
    done = run_shell("( {twohands} --help; echo $? >&2 ) | true", tmp_path, tiny_model)
    assert done.stderr.split() == ["141"]
