"""Owns rows that say what another row says, in other words: which text each is shown beside, to be answered alike."""

from collections.abc import Sequence
from dataclasses import replace

from training.config import TrainConfig
from twohands.errors import ConfigError, DataError
from twohands.examples import Example
from twohands.hashing import sha256_of_value

RESTATES = "restates"  # a column of rows and of labels files: the id of the row whose statement this one repeats


def _restated_id(example: Example) -> str | None:
    value = example.columns.get(RESTATES)
    return None if value is None or value == "" else str(value)


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
    by_id = {example.id: example for example in examples}
    found: dict[str, Example] = {}
    faults = []
    for example in by_id.values():
        identifier = _restated_id(example)
        other = None if identifier is None else by_id.get(identifier)
        if other is None:
            continue
        if other is example:
            faults.append(f"{example.place}: row {example.id!r} restates itself")
            continue
        for head, words in example.labels.items():
            theirs = other.labels[head]
            if words is not None and theirs is not None and set(words) != set(theirs):
                faults.append(
                    f"{example.place}: row {example.id!r} restates {identifier!r}, but its {head} is "
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
        DataError: as `find_restated`.
    """
    n_named = sum(_restated_id(example) is not None for example in examples)
    n_found = len(find_restated(examples))
    if not n_named:
        return []
    if not is_used:
        return [f"{n_named} rows restate others, of which nothing is made: loss.consistency_weight is 0"]
    alone = f"; {n_named - n_found} more restate rows that are not in train" if n_named > n_found else ""
    return [f"{n_found} rows are shown beside those that they restate{alone}"]


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


def fingerprint_restated(examples: Sequence[Example]) -> str:
    """Hash which rows are shown beside which.

    Args:
        examples: checked rows.

    Returns:
        64 hex digits, whatever the order of the rows.
    """
    return sha256_of_value(sorted((name, other.id) for name, other in find_restated(examples).items()))
