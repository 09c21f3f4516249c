"""Owns whether rows that say the same in other words (the column `restates`) are answered alike."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console

from evaluation.checklist.rates import check_scipy, rate_of
from evaluation.deciders import Decisions
from evaluation.tables import WIDTH, make_table, show_figure, show_text
from twohands.examples import NOT_LABELLED, Example, encode_labels
from twohands.restating import list_pairs
from twohands.taxonomy import Taxonomy

Json = dict[str, object]


def check_restated(examples: Sequence[Example]) -> None:
    """Check that what the figures of restated rows need is there, before minutes are spent.

    Args:
        examples: checked rows.

    Raises:
        MissingExtraError: rows restate others, and scipy is not installed.
    """
    if next(list_pairs(examples), None) is not None:
        check_scipy()


def measure_restated(examples: Sequence[Example], taxonomy: Taxonomy, decisions: Decisions) -> Json | None:
    """Measure how often a row and the one that it restates are answered otherwise.

    A pair whose two rows have other labels for a head does not count for it: to answer them alike would be wrong. One
    of which a row is not labelled for it does, as what is measured needs no label.

    Args:
        examples: checked rows.
        taxonomy: the heads.
        decisions: for all examples, by head name.

    Returns:
        By head name `n_pairs`, `n_groups`, `otherwise`, the share of pairs that are answered otherwise, and
        `one_right`, the share in which just one of the two is right, of the `n_labelled` pairs that are labelled twice
        (None where there are none); intervals take the pairs of a group (document) as one cluster. None where no
        row restates another; heads without a pair are absent.
    """
    number = {example.id: place for place, example in enumerate(examples)}
    pairs = [(number[row.id], number[other.id]) for row, other in list_pairs(examples) if row.id != other.id]
    if not pairs:
        return None
    truth = encode_labels(examples, taxonomy)
    measured: Json = {}
    for head in taxonomy.heads:
        given = truth[:, taxonomy.slices[head.name]]
        decided = decisions[head.name][1]
        is_labelled = given[:, 0] != NOT_LABELLED
        is_right = (decided == (given == 1)).all(axis=1)
        counted = [
            (one, other)
            for one, other in pairs
            if not (is_labelled[one] and is_labelled[other] and (given[one] != given[other]).any())
        ]
        if not counted:
            continue
        groups = [examples[one].group for one, _ in counted]
        apart = [bool((decided[one] != decided[other]).any()) for one, other in counted]
        is_twice = np.array([bool(is_labelled[one] and is_labelled[other]) for one, other in counted])
        is_split = np.array([bool(is_right[one] != is_right[other]) for one, other in counted])
        measured[head.name] = {
            "n_pairs": len(counted),
            "n_groups": len(set(groups)),
            "otherwise": rate_of(apart, groups),
            "n_labelled": int(is_twice.sum()),
            "one_right": rate_of(
                is_split[is_twice].tolist(), [group for group, keep in zip(groups, is_twice, strict=True) if keep]
            )
            if is_twice.any()
            else None,
        }
    return measured or None


def print_restated(restated: Mapping[str, Any]) -> None:
    """Print the figures in a terminal of 80 columns.

    Args:
        restated: as `measure_restated` gives them.
    """
    console = Console(width=WIDTH, highlight=False)
    console.print()
    console.print(show_text("Rows beside those that they restate", "bold"))
    table = make_table("head", "pairs", "groups", "answered otherwise", "one of two right")
    for head, found in restated.items():
        table.add_row(
            show_text(head),
            str(found["n_pairs"]),
            str(found["n_groups"]),
            show_figure(found["otherwise"]),
            show_figure(found["one_right"]) if found["one_right"] is not None else "-",
        )
    console.print(table)
    console.print(show_text("Shares of pairs; pairs of one group are one cluster. Both figures are best at 0."))
