"""Owns several checkpoints -> one with the mean of their weights, of runs that went on from one start."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from training.checkpoints import NETWORK_NAME, build_checkpoint, check_output
from training.config import TrainConfig, dump_config
from training.encodercache import WEIGHTS_NAME
from training.encoders import RUN_NAME
from training.loop import CHECKPOINT, CONFIG_NAME
from training.stages import outline_heads, read_run, tell_heads
from training.upgrade import upgrade_dumped
from training.weights import check_there, check_weights
from twohands.errors import CheckpointError
from twohands.hashing import sha256_of_file
from twohands.manifest import TOKENIZER_NAME
from twohands.taxonomy import Taxonomy

# What must be the same in all of them, or the mean of their weights would be that of unlike networks.
_ALIKE = ("encoder_sha256", "dev_fingerprint")
_NOT_THE_NETWORK = {"_name_or_path", "transformers_version", "use_cache"}
# True of the first run alone; `averaged` tells of each.
_ONE_RUNS_OWN = {
    "train_fingerprint", "scores_sha256", "restated_sha256", "order_sha256", "texts_sha256", "log", "best_dev",
    "best_step", "steps", "resumed", "seconds_since_start_or_resume",
}  # fmt: skip
_LISTS = ("train_ids", "train_groups", "train_texts")


def _read_network(checkpoint: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((checkpoint / NETWORK_NAME).read_text(encoding="utf-8"))
    return {key: value for key, value in facts.items() if key not in _NOT_THE_NETWORK}


def _check_alike(checkpoints: Sequence[Path]) -> list[dict[str, Any]]:
    """See that all are checkpoints of one network, labels, tokenizer and dev rows; returns what each run wrote."""
    for checkpoint in checkpoints:
        check_there(checkpoint)
        missing = [
            name for name in (WEIGHTS_NAME, RUN_NAME, NETWORK_NAME, TOKENIZER_NAME) if not (checkpoint / name).is_file()
        ]
        if missing:
            raise CheckpointError(
                f"{checkpoint} is no checkpoint of twohands train: it has no {', '.join(missing)}; give …/checkpoint"
            )
    runs = [read_run(checkpoint) for checkpoint in checkpoints]
    first, facts = checkpoints[0], runs[0]
    if "restored_from" in facts:
        raise CheckpointError(
            f"{first} was restored from a model folder, which names no rows: give a run that went on from it first"
        )
    for checkpoint, run in zip(checkpoints[1:], runs[1:], strict=True):
        # A restored checkpoint knows no dev; of older releases neither its heads, whose labels stand in its network.
        known = [key for key in _ALIKE if key in run or "restored_from" not in run]
        unlike = [key for key in known if run.get(key) != facts.get(key)]
        if "taxonomy" in run and outline_heads(run["taxonomy"]) != outline_heads(facts["taxonomy"]):
            unlike.append("taxonomy")
        if _read_network(checkpoint) != _read_network(first):
            unlike.append(NETWORK_NAME)
        if sha256_of_file(checkpoint / TOKENIZER_NAME) != sha256_of_file(first / TOKENIZER_NAME):
            unlike.append(TOKENIZER_NAME)
        if unlike:
            raise CheckpointError(
                f"{checkpoint} and {first} differ in {', '.join(unlike)}; only runs of one network, with the same "
                "labels and dev rows, have a mean that is a model"
            )
    return runs


def _mean_weights(checkpoints: Sequence[Path]) -> dict[str, torch.Tensor]:
    total: dict[str, torch.Tensor] = {}
    for number, checkpoint in enumerate(checkpoints):
        check_weights(checkpoint / WEIGHTS_NAME)
        weights = load_file(checkpoint / WEIGHTS_NAME)
        if number and {name: value.shape for name, value in weights.items()} != {
            name: value.shape for name, value in total.items()
        }:
            raise CheckpointError(f"{checkpoint / WEIGHTS_NAME} holds other weights than {checkpoints[0]}")
        for name, value in weights.items():
            # Summed in double precision, so that the order of the checkpoints moves nothing.
            total[name] = value.double() if number == 0 else total[name] + value.double()
    return {name: (value / len(checkpoints)).float() for name, value in total.items()}


def _check_config(config: TrainConfig, taxonomy: Taxonomy, run: dict[str, Any]) -> None:
    """See that a config describes the network that was trained; rows, notes and names are its own matter."""
    settings, chosen = upgrade_dumped(run["settings"]), config.model_dump(mode="json")
    unlike = [key for key in ("window", "encoder") if settings.get(key) != chosen[key]]
    if tell_heads(run, taxonomy) is not None:
        unlike.append("taxonomy")
    if unlike:
        raise CheckpointError(f"the config and the checkpoints differ in {', '.join(unlike)}, expected the same")


def _have_one_start(weights_sha256: Sequence[str], runs: Sequence[dict[str, Any]]) -> bool:
    """Whether all went on from the same weights, which may be those of one of them, or from the encoder by one seed."""
    begins: list[set[str]] = []
    for digest, run in zip(weights_sha256, runs, strict=True):
        settings = run.get("settings", {})
        begin = run.get("start_sha256") or f"seed {settings.get('seed')}"
        # As many layers, but others of them, are other weights to begin from; nothing in a network tells.
        layers = settings.get("encoder", {}).get("layers")
        begins.append({digest, f"{begin} layers {layers}" if layers else begin})
    return bool(set.intersection(*begins))


def average_checkpoints(
    checkpoints: Sequence[Path], output: Path, *, overwrite: bool, described: tuple[TrainConfig, Taxonomy] | None = None
) -> bool:
    """Write a checkpoint whose weights are the mean of others'.

    Args:
        checkpoints: at least two folders, of runs that went on from one start: the mean of runs that began apart is
            no model. Behind the first, the start itself may be among them, one that `restore` made too.
        output: the checkpoint's folder. Its `run.json` lists the rows of all of them, so that none of these can be
            held out by an export or a later stage.
        overwrite: replace it.
        described: what the mean is exported by: the rows that any of them learnt from, name, version and notes; the
            settings of the first run where there is none.

    Returns:
        Whether the runs went on from one start.

    Raises:
        CheckpointError: one of them is no checkpoint, the first was restored from a model folder, or they differ in
            network, labels, tokenizer or dev rows, or from what describes them.
        RunConflictError: `output` is in the way, is something other than a checkpoint, or is or holds one of them.

    Source:
        Wortsman et al. 2022, *Model soups: averaging weights of multiple fine-tuned models improves accuracy without
        increasing inference time* (the uniform soup).
    """
    if len(checkpoints) < 2:
        raise CheckpointError("one checkpoint has no mean with others; give two or more")
    check_output(output, overwrite=overwrite, inputs=checkpoints)
    runs = _check_alike(checkpoints)
    if described is not None:
        _check_config(*described, runs[0])
    weights_sha256 = [sha256_of_file(checkpoint / WEIGHTS_NAME) for checkpoint in checkpoints]
    facts = {
        **{key: value for key, value in runs[0].items() if key not in _ONE_RUNS_OWN},
        **{
            key: sorted({value for run in runs for value in run[key]})
            for key in _LISTS
            if all(key in run for run in runs)
        },
        "averaged": [
            {
                "run_name": run.get("settings", {}).get("run_name"),
                "weights_sha256": digest,
                "train_fingerprint": run.get("train_fingerprint"),
                "best_dev": run.get("best_dev"),
            }
            | ({"restored_from": run["restored_from"]} if "restored_from" in run else {})
            for digest, run in zip(weights_sha256, runs, strict=True)
        ],
    }
    if described is not None:
        facts["settings"] = described[0].model_dump(mode="json")
        facts["taxonomy"] = described[1].model_dump(mode="json")  # whose words for the labels may be others
    with safe_open(checkpoints[0] / WEIGHTS_NAME, framework="pt") as held:
        metadata = held.metadata()
    with build_checkpoint(output) as held:
        partial = held / CHECKPOINT
        shutil.copytree(checkpoints[0], partial)
        save_file(_mean_weights(checkpoints), partial / WEIGHTS_NAME, metadata=metadata)
        (partial / RUN_NAME).write_text(json.dumps(facts, indent=2), encoding="utf-8")
        if described is not None:
            (partial / CONFIG_NAME).write_text(dump_config(*described), encoding="utf-8")
    return _have_one_start(weights_sha256, runs)
