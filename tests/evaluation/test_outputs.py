"""One rule for every command: no file that it reads, and none that it wrote, is replaced by what it writes."""

import os
import shlex
import shutil

import pytest
from click.testing import CliRunner

from evaluation.agreement.commands import agreement
from evaluation.checklist.commands import checklist
from evaluation.commands import evaluate
from evaluation.compare_command import compare
from evaluation.data_commands import data
from evaluation.full.commands import report
from evaluation.output import check_outputs
from tests.evaluation.support import make_rows, write_rows
from twohands.errors import FileWriteError, RunConflictError

COMMANDS = {"agreement": agreement, "checklist": checklist, "compare": compare, "data": data, "evaluate": evaluate}
COMMANDS |= {"report": report}
SUITE = """
suite: mine
description: None.
tests:
  - name: only
    capability: only
    kind: minimum-functionality
    description: None.
    cases: [{text: the plan, expect: {stance: state-led}}]
"""
AGREE = "agreement --no-model --annotators ann ben"
REPORT = "report --model model --data dev.jsonl --output out --no-robustness --no-shipped"


@pytest.fixture(scope="module")
def kept(tiny_model, tmp_path_factory):
    """What commands read, some of it under the names that they write."""
    folder = tmp_path_factory.mktemp("kept")
    shutil.copytree(tiny_model, folder / "model")
    for name in ("audit/suspects.jsonl", "dev.jsonl", "train.jsonl"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_rows(folder / name, make_rows(20, first=20 * (name == "train.jsonl")))
    write_rows(folder / "coded.jsonl", [row | dict.fromkeys(("ann", "ben"), "neutral") for row in make_rows(20)])
    (folder / "suite.yaml").write_text(SUITE, encoding="utf-8")
    for name in ("agreement/agreement.json", "compare/comparison.json", "curve/curve.svg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(folder / ("coded.jsonl" if name.startswith("agreement") else "dev.jsonl"))
    return folder


@pytest.mark.issue(6)
@pytest.mark.parametrize(
    "call",
    [
        # over what is read
        f"{AGREE} --data coded.jsonl --report agreement",
        "compare majority majority --train train.jsonl --data dev.jsonl --report compare",
        "data audit --data audit --report audit",
        "data curve --train train.jsonl --dev dev.jsonl --report curve",
        "evaluate --model model --data dev.jsonl --predictions dev.jsonl",
        "checklist --model model --no-shipped --suite suite.yaml --outcomes suite.yaml",
        f"{REPORT} --people 'p=--data coded.jsonl --annotators ann ben' --page coded.jsonl",
        f"{REPORT} --train train.jsonl --baseline keywords:dev.jsonl --page dev.jsonl",
        # over the model, which was then refused as altered
        "evaluate --model model --data dev.jsonl --report model",
        "evaluate --model model --data dev.jsonl --predictions model/parity.json",
        "checklist --model model --no-shipped --suite suite.yaml --outcomes model/manifest.json",
        f"{REPORT} --page model/README.md",
        # over one another
        "evaluate --model model --data dev.jsonl --report out --predictions out/metrics.json",
        "checklist --model model --no-shipped --suite suite.yaml --report out --outcomes out/../out/checklist.html",
        f"{REPORT} --page out/index.html",
        f"{REPORT} --page out/figures/metrics.json",
        f"{REPORT} --train train.jsonl --baseline frozen:a/b --baseline frozen:a-b",
        f"{REPORT.replace('--output out', '--output model/out')} --card",
        # where a folder is, or will be
        "evaluate --model model --data dev.jsonl --predictions model",
        "evaluate --model model --data dev.jsonl --report out --predictions out",
        f"{REPORT} --page out",
    ],
)
def test_an_output_replaces_nothing_that_is_read_or_was_written(kept, monkeypatch, call):
    monkeypatch.chdir(kept)
    before = {path: path.stat().st_mtime_ns for path in sorted(kept.rglob("*"))}
    command, *words = shlex.split(call)
    found = CliRunner().invoke(COMMANDS[command], words)
    assert isinstance(found.exception, RunConflictError), found.output
    assert {path: path.stat().st_mtime_ns for path in sorted(kept.rglob("*"))} == before  # nor anything run


@pytest.mark.issue(6)
def test_a_report_may_stand_beside_the_files_of_a_model_and_come_again(kept, tmp_path):
    model = shutil.copytree(kept / "model", tmp_path / "model")
    words = ["--model", model, "--suite", kept / "suite.yaml", "--no-shipped", "--report", model]
    for _ in range(2):
        assert CliRunner().invoke(checklist, [*map(str, words)]).exit_code == 0


@pytest.mark.issue(6)
@pytest.mark.parametrize(
    "call",
    [
        f"{AGREE} --data coded.jsonl --report dev.jsonl/out",
        "checklist --model model --no-shipped --suite suite.yaml --report dev.jsonl",
        "compare majority majority --train train.jsonl --data dev.jsonl --report dev.jsonl/out",
        "data audit --data dev.jsonl --report dev.jsonl/out",
        "data curve --train train.jsonl --dev dev.jsonl --report dev.jsonl/out",
        "evaluate --model model --data dev.jsonl --report dev.jsonl/out",
        f"{REPORT} --page dev.jsonl/page.md",
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_measured(kept, monkeypatch, call):
    # After minutes of work the first file could not be written, and all of it was lost.
    monkeypatch.chdir(kept)
    name, *words = shlex.split(call)
    done = CliRunner().invoke(COMMANDS[name], words)
    assert isinstance(done.exception, FileWriteError)
    assert "is no folder" in str(done.exception)  # which nothing but the check says


@pytest.mark.issue(6)
def test_a_folder_that_may_not_be_written_in_is_told_too(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.output.os.access", lambda place, _: place != tmp_path)
    with pytest.raises(FileWriteError, match="nothing may be written in"):
        check_outputs([tmp_path / "new" / "page.html"], [])


ROWS_OUTPUTS = [
    "evaluate --model model --data dev.jsonl --replicates 100 --predictions",
    "checklist --model model --no-shipped --suite suite.yaml --outcomes",
]


@pytest.mark.issue(6)
@pytest.mark.parametrize("call", ROWS_OUTPUTS)
def test_rows_are_not_written_over_another_file_nor_as_a_table(kept, tmp_path, monkeypatch, call):
    monkeypatch.chdir(kept)
    command, *words = shlex.split(call)
    mine = tmp_path / "mine.jsonl"
    for held in (b"my notes", b'{"id": "a", "text": "A."}\n', b"[]", b"\xff\n", b"[" * 100_000):
        mine.write_bytes(held)
        found = CliRunner().invoke(COMMANDS[command], [*words, str(mine)])
        assert isinstance(found.exception, RunConflictError)
        assert words[-1] in str(found.exception)
        assert mine.read_bytes() == held
    os.mkfifo(tmp_path / "pipe")
    found = CliRunner().invoke(COMMANDS[command], [*words, str(tmp_path / "pipe")])
    assert "is not a plain file" in str(found.exception)
    for suffix in (".csv", ".TSV", ".xlsx", ".parquet", ".json", ".xls", ".ods", ".csv.gz", ".jsonl.gz"):
        found = CliRunner().invoke(COMMANDS[command], [*words, str(tmp_path / f"new{suffix}")])
        assert isinstance(found.exception, FileWriteError)
        assert "JSON lines" in str(found.exception)


@pytest.mark.issue(6)
@pytest.mark.parametrize("call", ROWS_OUTPUTS)
def test_rows_of_the_same_command_are_written_again(kept, tmp_path, monkeypatch, call):
    monkeypatch.chdir(kept)
    command, *words = shlex.split(call)
    written = []
    for _ in range(2):
        done = CliRunner().invoke(COMMANDS[command], [*words, str(tmp_path / "rows.jsonl")])
        assert done.exit_code == 0, done.output
        written.append((tmp_path / "rows.jsonl").read_bytes())
    assert written[0] == written[1] != b""
