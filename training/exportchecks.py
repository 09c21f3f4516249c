"""Owns what an export refuses: settings that are facts, and checkpoints that rows or taxonomy do not fit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.config import TrainConfig
from training.data import Splits
from training.matching import find_name, index_names
from training.stages import check_not_learnt, read_run, tell_heads
from twohands.errors import CheckpointError, ConfigError, DataError
from twohands.examples import fingerprint
from twohands.taxonomy import Taxonomy

# What of a config an export goes by: the rest says how the checkpoint was trained, and is written down as a fact.
_OF_EXPORT = ("data", "export", "compute", "window", "version", "license", "card_notes", "run_name")


def refuse_overrides(overrides: Sequence[str], facts: Mapping[str, Any], config: Path) -> None:
    """Refuse to change by `--set` what a checkpoint was trained by.

    Args:
        overrides: `a.b=value` each.
        facts: what the run wrote of itself; one of an older release does not say where its encoder came from, so it
            may be told where that is now.
        config: the checkpoint's `train_config.yaml`.

    Raises:
        ConfigError: such keys; all at once.
    """
    keys = [override.partition("=")[0].strip() for override in overrides]
    taken = set() if "encoder" in facts else {"encoder.name"}
    sections = [(key, key.split(".")[0]) for key in keys if key not in taken]
    refused = [(key, section) for key, section in sections if section in TrainConfig.model_fields.keys() - _OF_EXPORT]
    if refused:
        faults = [
            f"--set {key}: "
            + (
                f"the taxonomy stands in {config}, under `taxonomy`"
                if section == "taxonomy"
                else "only training has it"
            )
            for key, section in refused
        ]
        raise ConfigError(f"an export takes keys of {', '.join(_OF_EXPORT)}; train again to change others", faults)


def refuse_restored(checkpoint: Path) -> dict[str, Any]:
    """Refuse a checkpoint that was made of a model folder: a card would name rows that it did not learn from.

    Args:
        checkpoint: its folder.

    Returns:
        What the run wrote of itself.

    Raises:
        CheckpointError: it was restored, and no run has gone on from it.
    """
    facts = read_run(checkpoint)
    if "restored_from" in facts:
        raise CheckpointError(
            f"{checkpoint} was restored from a model folder and has learnt nothing since, so a card would name rows "
            "that it did not learn from; go on from it by `start` of `twohands train`"
        )
    return facts


def check_rows(checkpoint: Path, facts: Mapping[str, Any], splits: Splits) -> None:
    """Refuse rows of which gates, calibration and card would say what does not hold of this checkpoint.

    Args:
        checkpoint: its folder.
        facts: what the run wrote of itself.
        splits: of the export.

    Raises:
        LeakError: it learnt from a document or a text of dev or test.
        DataError: it learnt from other rows than those of train.
    """
    check_not_learnt(checkpoint, {"dev": splits.dev, "test": splits.test})
    learnt, here = facts.get("train_fingerprint"), fingerprint(splits.train)
    if learnt is not None and learnt != here:  # a checkpoint of other making does not say it
        fault = (
            f"{checkpoint} learnt from rows with fingerprint {learnt[:12]}…, those of data.train here have {here[:12]}…"
            "; point data.root, data.train and data.labels to what it learnt from, or train again"
        )
        raise DataError("the rows are not those of the checkpoint, and its card would name them", [fault])
    if "averaged" in facts:  # of several runs, which have no fingerprint in common
        learnt_ids = index_names(facts.get("train_ids", ()))
        strange = sorted({row.id for row in splits.train if find_name(row.id, learnt_ids) is None})
        if strange:
            faults = [f"{row} was learnt from by none of them" for row in strange]
            raise DataError(
                f"{checkpoint} did not learn from all rows of data.train, and its card would name them", faults
            )


def check_heads(checkpoint: Path, answered: list[str], facts: Mapping[str, Any], taxonomy: Taxonomy) -> None:
    """Refuse a checkpoint that answers otherwise than its taxonomy says.

    Args:
        checkpoint: its folder.
        answered: its labels, in order.
        facts: what the run wrote of itself.
        taxonomy: the heads.

    Raises:
        CheckpointError: its labels are others, stand in another order or are decided otherwise.
    """
    if answered != list(taxonomy.label_names):  # else one label would get another's logits
        raise CheckpointError(
            f"{checkpoint} answers {', '.join(answered)}, in this order; the taxonomy of its train_config.yaml has "
            f"{', '.join(taxonomy.label_names)}: give it the same labels in the same order"
        )
    if (told := tell_heads(facts, taxonomy)) is not None:  # else softmax would be served where sigmoid was learnt
        raise CheckpointError(f"{checkpoint} {told}, as the taxonomy of its train_config.yaml has them")
