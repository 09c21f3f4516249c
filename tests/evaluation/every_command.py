"""Runs every command that writes JSON of a measurement, in one process: `python -m tests.evaluation.every_command`.

Benches are not among them: what they write is time, which no seed repeats.
"""

import sys
from pathlib import Path

from click.testing import CliRunner

from evaluation.agreement.commands import agreement
from evaluation.checklist.commands import checklist
from evaluation.commands import evaluate
from evaluation.compare_command import compare
from evaluation.data_commands import data
from evaluation.full.commands import report

BASELINES = ("majority", "keywords", "tfidf", "zero-shot", "neighbours", "frozen")


def list_calls(rows, model):
    """By name a command and its words; `rows` holds the files that `test_repeatable` writes."""
    train, dev, coded, suite = (rows / name for name in ("train.jsonl", "dev.jsonl", "coded.jsonl", "suite.yaml"))
    encoder = rows / "encoder"
    few = ("--replicates", 100, "--seed", 7)
    people = ("--data", coded, "--annotators", "ann", "ben")
    calls = {
        "evaluate": (evaluate, "--model", model, "--data", dev, "--by", "source", "--robustness", *few),
        "agreement": (agreement, "--model", model, *people, *few),
        "checklist": (checklist, "--model", model, "--no-shipped", "--suite", suite, "--rows", dev, "--seed", 7),
        "curve": (data, "curve", "--train", train, "--dev", dev, "--fits", 2, "--points", 2, *few),
        "audit": (data, "audit", "--data", train, dev, *few),
        "report": (
            *(report, "--model", model, "--data", dev, "--no-robustness", "--output", "full", *few),
            *("--no-shipped", "--suite", suite, "--people", "p=" + " ".join(map(str, people))),
        ),
    }
    for name in BASELINES:
        side = f"{name}:{encoder}" if name in BASELINES[3:] else name
        calls[f"compare-{name}"] = (compare, model, side, "--train", train, "--dev", dev, "--by", "source", *few)
    return calls


def main(rows, model, output):
    """Write what each prints with `--json`."""
    for name, (command, *words) in list_calls(Path(rows), model).items():
        done = CliRunner().invoke(command, [*map(str, words), "--json"], catch_exceptions=False)
        if done.exit_code:
            raise RuntimeError(f"{name}: {done.output}")
        Path(output, f"{name}.json").write_text(done.stdout, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
