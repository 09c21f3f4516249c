"""Owns rows that say what another row says, in other words: which text each is shown beside, to be answered alike."""

from collections.abc import Sequence
from dataclasses import replace

from training.config import TrainConfig
from twohands.errors import ConfigError, DataError
from twohands.examples import Example
from twohands.hashing import sha256_of_value
from twohands.restating import RESTATES, list_pairs, read_restated


def find_restated(examples: Sequence[Example]) -> dict[str, Example]:
    """Find for each row that restates another what it restates.

    Args:
        examples: the rows of train, all of them; a column `restates` names a row by its id.

    Returns:
        By the id of the row, the other one. Rows whose other is not among them (held out, say) are left out.

    Raises:
        DataError: a row restates itself, or one that is labelled otherwise: they could not be answered alike and both
            be right. All faults at once.
    """
    found: dict[str, Example] = {}
    faults = []
    for example, other in list_pairs(examples):
        if other is example:
            faults.append(f"{example.place}: row {example.id!r} restates itself")
            continue
        for head, words in example.labels.items():
            theirs = other.labels[head]
            if words is not None and theirs is not None and set(words) != set(theirs):
                faults.append(
                    f"{example.place}: row {example.id!r} restates {other.id!r}, but its {head} is "
                    f"{', '.join(words) or 'none'} and that one's {', '.join(theirs) or 'none'}"
                )
        found[example.id] = other
    if faults:
        raise DataError("rows that restate others must have their labels", faults)
    return found


def describe_restated(examples: Sequence[Example], *, is_used: bool) -> list[str]:
    """Say what becomes of the rows that restate others.

    Args:
        examples: the rows of train.
        is_used: whether rows are shown beside one another at all (`loss.consistency_weight` above 0).

    Returns:
        A line where there are such rows.

    Raises:
        DataError: as `find_restated`, where they are used.
    """
    n_named = sum(read_restated(example.columns) is not None for example in examples)
    if not n_named:
        return []
    if not is_used:
        restate = "row restates another" if n_named == 1 else "rows restate others"
        return [f"{n_named} {restate}, of which nothing is made: loss.consistency_weight is 0"]
    n_found = len(find_restated(examples))
    n_alone = n_named - n_found
    restate = "restates a row that is" if n_alone == 1 else "restate rows that are"
    alone = f"; {n_alone} more {restate} not in train" if n_alone else ""
    shown = (
        "row is shown beside the one that it restates"
        if n_found == 1
        else "rows are shown beside those that they restate"
    )
    return [f"{n_found} {shown}{alone}"]


def check_consistency(config: TrainConfig, examples: Sequence[Example]) -> None:
    """Refuse a weight of answers to be drawn together where no row has another text.

    Args:
        config: of the run.
        examples: the rows of train.

    Raises:
        ConfigError: there is such a weight, augmentation changes no row, and none restates another.
        DataError: as `find_restated`.
    """
    changes = any(config.augmentation.model_dump().values())
    if config.loss.consistency_weight and not changes and not find_restated(examples):
        raise ConfigError(
            "loss.consistency_weight has nothing to draw together",
            [
                "augmentation changes no row and none restates another: give a share of rows to change, as --set "
                f"augmentation.damaged=0.35, or rows a column `{RESTATES}`, or --set loss.consistency_weight=0"
            ],
        )


def take_pair(few: Sequence[Example], examples: Sequence[Example], *, is_used: bool) -> list[Example]:
    """See that a few rows hold one that restates another, where there is such a pair: a smoke run draws it together.

    Args:
        few: some of the rows.
        examples: the rows of train.
        is_used: as in `describe_restated`.

    Returns:
        The few, and the first pair of all where there is none among them.

    Raises:
        DataError: as `find_restated`, where they are used.
    """
    found = find_restated(examples) if is_used else {}
    if not found or find_restated(few):
        return list(few)
    name, other = next(iter(found.items()))
    kept = {example.id for example in few} | {name, other.id}
    return [example for example in examples if example.id in kept]


def pair_restated(originals: Sequence[Example], restated: dict[str, Example]) -> list[Example]:
    """Give each row the text that it is shown beside.

    Args:
        originals: rows before augmentation.
        restated: of `find_restated`.

    Returns:
        The same rows in their order: those that restate another with its text, all others as they were.
    """
    return [
        replace(example, paragraph=restated[example.id].paragraph) if example.id in restated else example
        for example in originals
    ]


def fingerprint_restated(examples: Sequence[Example], *, is_used: bool) -> str:
    """Hash which rows are shown beside which.

    Args:
        examples: checked rows.
        is_used: as in `describe_restated`.

    Returns:
        64 hex digits, whatever the order of the rows.

    Raises:
        DataError: as `find_restated`, where they are used.
    """
    found = find_restated(examples) if is_used else {}
    return sha256_of_value(sorted((name, other.id) for name, other in found.items()))


NONE_RESTATED = fingerprint_restated((), is_used=False)  # of all runs of releases that do not say it
