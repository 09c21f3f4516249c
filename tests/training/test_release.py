"""`make release`: refuses without rows, and runs commands that the command line understands."""

import shlex
import shutil
import subprocess
from itertools import pairwise

import click
import pytest

from tests.conftest import ROOT
from training.config import load_config
from twohands.cli import cli

_ORDINALS = ("base", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
STAGES = [f"twohands-{which}" for which in _ORDINALS]
LATER = ["twohands-tenth", "twohands-eleventh"]
LARGE = ["twohands-large-base", "twohands-large-second", "twohands-large-third", "twohands-large"]

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or not (ROOT / "Makefile").is_file(), reason="needs make and a checkout"
)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # .venv/.done is taken as done: the test must not install anything.
    command = ["make", "-C", str(ROOT), "-o", ".venv/.done", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_rows_it_is_refused_before_anything_runs():
    outcome = make("release")
    assert outcome.returncode == 2
    assert "DATA=folder" in outcome.stderr
    assert "twohands train" not in outcome.stdout


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    outcome = make("release", f"DATA={tmp_path / 'nowhere'}")
    assert outcome.returncode == 2
    assert "nowhere" in outcome.stderr
    assert "twohands train" not in outcome.stdout


def test_what_it_runs_is_understood_by_the_command_line(tmp_path):
    rows = tmp_path / "my rows"
    rows.mkdir()
    (rows / "dev.jsonl").write_text("{}\n", encoding="utf-8")
    lines = make("-n", "release", f"DATA={rows}", "ARGS=--set seed=14", "HUMAN=people").stdout.splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/twohands ")]
    n_stages = len(STAGES)
    told = [*["train"] * n_stages, "average", *["train"] * len(LATER), "average", "export", "models", "report"]
    assert [command[0] for command in commands] == told
    stages, (start, *later, mean, last, _, report) = commands[:n_stages], commands[n_stages:]
    assert [stage[1] for stage in (*stages, *later)] == [f"configs/{name}.yaml" for name in (*STAGES, *LATER)]
    assert all("--no-export" in stage for stage in (*stages, *later))
    assert all({f"data.root={rows}", "seed=14"} <= set(command) for command in (*stages, start, *later, mean))
    assert start[1:3] == [f"runs/{name}/checkpoint" for name in STAGES[-2:]]
    assert mean[1:3] == [f"runs/{name}/checkpoint" for name in reversed(LATER)]
    begun = load_config(ROOT / later[0][1])[0].start
    assert begun is not None
    assert begun.checkpoint.as_posix() == start[start.index("--output") + 1]
    assert last[1] == mean[mean.index("--output") + 1]
    assert "--overwrite" in last
    assert str(rows / "dev.jsonl") in report
    assert {"--card", "--page", str(rows / "train.jsonl")} <= set(report)
    assert report.count("--people") == 4
    for name, *arguments in commands:
        context = cli.make_context("twohands", [name, *arguments])
        found = cli.get_command(context, name)
        if isinstance(found, click.Group):
            found = found.get_command(context, arguments.pop(0))
        assert found is not None
        with found.make_context(name, arguments, parent=context) as understood:  # fails at what it does not know
            assert understood.params


def test_a_last_stage_is_released_itself_where_no_mean_is_asked_for(tmp_path):
    lines = make(
        "-n", "release", f"DATA={tmp_path}", "STAGES=", "MEAN=", "CONFIG=configs/minilm.yaml"
    ).stdout.splitlines()
    assert [shlex.split(line)[1] for line in lines if line.startswith(".venv/bin/twohands ")] == [
        "train",
        "models",
        "report",
    ]


@pytest.mark.issue(3)
def test_another_config_takes_nothing_of_the_release(tmp_path):
    """It was trained after our own stages, left out of the mean of two of ours, and put in our model's place."""
    shown = make("-n", "release", f"DATA={tmp_path}", "CONFIG=my/mails.yaml", "STAGES=my/first.yaml").stdout
    first, last, verify, report = (
        shlex.split(line)[1:] for line in shown.splitlines() if line.startswith(".venv/bin/twohands ")
    )
    assert (first[1], last[1]) == ("my/first.yaml", "my/mails.yaml")
    assert last[last.index("--output") + 1] == verify[-1] == report[report.index("--model") + 1] == "models/mails"
    assert not {"keywords", "--page"} & set(report)
    mean = make("-n", "release", f"DATA={tmp_path}", "CONFIG=my/mails.yaml", "MEAN=a/checkpoint b/checkpoint").stdout
    assert "average a/checkpoint b/checkpoint --output runs/mails-mean/checkpoint" in mean
    assert "runs/mails-start" not in mean
    begun = ["START_MEAN=a/checkpoint b/checkpoint", "START_CONFIG=my/mean.yaml"]
    start = make("-n", "release", f"DATA={tmp_path}", "CONFIG=my/mails.yaml", *begun).stdout.replace("\\\n", "")
    assert "average a/checkpoint b/checkpoint --overwrite --output runs/mails-start/checkpoint" in start
    assert start.index("--config my/mean.yaml") < start.index("train my/mails.yaml")
    copied = make("-n", "release", f"DATA={tmp_path}", "CONFIG=my/twohands.yaml")
    assert (copied.returncode, "pass OUTPUT=" in copied.stderr) == (2, True)
    assert make("-n", "release", f"DATA={tmp_path}", "CONFIG=my/twohands.yaml", "OUTPUT=models/mine").returncode == 0
    release, same = (
        make("-n", "release", f"DATA={tmp_path}", *config).stdout for config in ([], ["CONFIG=./configs/twohands.yaml"])
    )
    assert same.replace("./configs", "configs") == release


@pytest.mark.issue(3)
def test_a_narrower_checkpoint_is_made_before_the_stage_that_goes_on_from_it(tmp_path):
    given = ("-n", "release", f"DATA={tmp_path}", "NARROW=runs/first/checkpoint --width 768")
    shown = make(*given, "CONFIG=my/mails.yaml", "STAGES=my/first.yaml").stdout.replace("\\\n", "").splitlines()
    calls = [shlex.split(line)[1:] for line in shown if line.startswith(".venv/bin/twohands ")]
    assert [call[0] for call in calls] == ["train", "narrow", "train", "models", "report"]
    with cli.get_command(click.Context(cli), "narrow").make_context("narrow", calls[1][1:]) as understood:
        assert understood.params["width"] == 768
        assert understood.params["output"].as_posix() == "runs/mails-start/checkpoint"
        assert understood.params["overwrite"]
    both = make(*given)  # the release's own mean is written to the same folder
    assert (both.returncode, "give one of them" in both.stderr) == (2, True)
    assert "twohands train" not in both.stdout


@pytest.mark.parametrize("names", [("twohands-mean", *STAGES[-2:]), ("twohands", *LATER)], ids=["start", "released"])
def test_the_mean_is_described_by_the_rows_of_its_stages(names):
    mean, *stages = (load_config(ROOT / f"configs/{name}.yaml")[0] for name in names)
    assert set(mean.data.train) == {name for stage in stages for name in stage.data.train}
    assert set(mean.data.labels) == {name for stage in stages for name in stage.data.labels}
    assert all((stage.window, stage.encoder) == (mean.window, mean.encoder) for stage in stages)


@pytest.mark.parametrize(
    "names",
    [STAGES[:-1], [*STAGES[:-2], STAGES[-1]], LARGE],
    ids=["eighth", "ninth", "twohands-large"],
)
def test_each_stage_goes_on_from_the_one_before(names):
    configs = [load_config(ROOT / f"configs/{name}.yaml")[0] for name in names]
    assert [config.run_name for config in configs] == names
    assert configs[0].start is None
    for before, config in pairwise(configs):
        assert config.start is not None
        assert config.start.checkpoint.as_posix() == f"runs/{before.run_name}/checkpoint"
        assert set(before.data.train) <= set(config.data.train)


@pytest.mark.issue(3)
def test_a_slash_at_the_end_of_the_output_changes_nothing(tmp_path):
    """The mean and the report were written to `runs/-mean` and `runs/-report`, and the page was not written at all."""
    for folder in ("models/twohands", "x"):
        call = ("-n", "release", f"DATA={tmp_path}", "CONFIG=configs/twohands.yaml")
        plain, slashed = (make(*call, f"OUTPUT={folder}{end}").stdout for end in ("", "/"))
        assert slashed == plain
        assert f"runs/{folder.rpartition('/')[2]}-report" in plain
