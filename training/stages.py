"""Owns the second stage of a run: the checkpoint it goes on from, and which of the rows seen there come again."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel

from training.model import load_checkpoint
from twohands.errors import CheckpointError
from twohands.examples import Example
from twohands.hashing import sha256_of_file
from twohands.taxonomy import Taxonomy

_RUN_NAME = "run.json"
_WEIGHTS_NAME = "model.safetensors"


def sha256_of_start(checkpoint: Path) -> str:
    """Digest of the weights that a second stage goes on from.

    Args:
        checkpoint: its folder.

    Returns:
        64 hex digits.

    Raises:
        CheckpointError: there are none.
    """
    if not (checkpoint / _WEIGHTS_NAME).is_file():
        raise CheckpointError(f"start.checkpoint: {checkpoint} holds no {_WEIGHTS_NAME}; train the first stage first")
    return sha256_of_file(checkpoint / _WEIGHTS_NAME)


def load_start(checkpoint: Path, taxonomy: Taxonomy) -> PreTrainedModel:
    """Load what an earlier run left.

    Args:
        checkpoint: its folder.
        taxonomy: the heads of this run.

    Returns:
        The model, with its heads.

    Raises:
        CheckpointError: its labels are not those of the taxonomy.
    """
    model = load_checkpoint(checkpoint)
    labels = [model.config.id2label[number] for number in range(model.config.num_labels)]
    if labels != list(taxonomy.label_names):
        raise CheckpointError(
            f"start.checkpoint: {checkpoint} answers {', '.join(labels)}; "
            f"this run has {', '.join(taxonomy.label_names)}"
        )
    return model


def draw_replay(examples: Sequence[Example], checkpoint: Path, *, share: float, seed: int) -> list[Example]:
    """Keep every row that the first stage did not learn from, and some of those it did, so that it forgets little.

    Args:
        examples: all rows of this run.
        checkpoint: of the first stage; its `run.json` lists what it learnt from.
        share: of the old rows, in (0, 1].
        seed: of the draw.

    Returns:
        Rows in the order given.

    Raises:
        CheckpointError: the first stage does not say which rows it learnt from.
    """
    path = checkpoint / _RUN_NAME
    facts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if "train_ids" not in facts:
        raise CheckpointError(f"{path} does not list its rows (train_ids); train the first stage again")
    old = set(facts["train_ids"])
    generator = random.Random(seed)  # noqa: S311 - no secret, and it must repeat
    drawn = {id_ for id_ in sorted(old) if generator.random() < share}
    return [example for example in examples if example.id not in old or example.id in drawn]
