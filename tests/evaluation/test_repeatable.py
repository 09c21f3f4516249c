"""One seed, one JSON: every command that writes figures, in two processes that hash differently."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation.every_command import list_calls
from tests.evaluation.peers import make_word_encoder
from tests.evaluation.support import make_rows, write_rows

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
suite: mine
description: What the tiny model knows.
lexicons:
  port: [Mombasa, Santos, Gdansk]
tests:
  - name: renamed
    capability: names
    kind: invariance
    description: Another port changes nothing.
    changes: [typos, "swap:port"]
    rows: true
    cases:
      - text: The plan of Santos is the plan.
"""


@pytest.fixture(scope="module")
def written(tiny_model, tmp_path_factory):
    """What each command printed, in each of the two processes."""
    rows = tmp_path_factory.mktemp("rows")
    write_rows(rows / "train.jsonl", make_rows(120, seed=1, first=1000))
    write_rows(rows / "dev.jsonl", make_rows(80, seed=2))
    coded = make_rows(40, seed=3)
    for number, row in enumerate(coded):
        row["ann"], row["ben"] = row["stance"], row["stance"] if number % 5 else "neutral"
    write_rows(rows / "coded.jsonl", coded)
    (rows / "suite.yaml").write_text(SUITE, encoding="utf-8")
    make_word_encoder(rows / "encoder")
    outputs = {hash_seed: tmp_path_factory.mktemp(f"hash-{hash_seed}") for hash_seed in ("1", "2")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.evaluation.every_command", rows, tiny_model, output],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
            cwd=output,
        )
        for hash_seed, output in outputs.items()
    ]
    assert [process.wait() for process in processes] == [0, 0]
    return list(outputs.values())


@pytest.mark.parametrize("name", sorted(list_calls(Path(), "")))
def test_the_same_seed_gives_the_same_json(written, name):
    first, second = ((folder / f"{name}.json").read_bytes() for folder in written)
    assert first == second
    assert json.loads(first)["seed"] == 7
