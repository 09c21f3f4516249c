"""Owns the paired test: two models on the same rows, the same bootstrap draws for both, and McNemar's test."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.deciders import Decisions
from evaluation.progress import show_each
from evaluation.rows import HeadRows, Sample, macro_over, subtract
from evaluation.slices import count_slice, split_rows
from evaluation.swaps import swap_accuracy, swap_f1
from twohands.bounds import FEWEST_GROUPS, DrawnFigure, bound_head
from twohands.errors import TaxonomyMismatchError
from twohands.examples import Example
from twohands.metrics import Counts, Floats, Measure, accuracy, f1, macro_f1
from twohands.taxonomy import Taxonomy

Json = dict[str, object]


def share_heads(a: Taxonomy, b: Taxonomy) -> tuple[Taxonomy, list[str]]:
    """Find the heads that both decide.

    Args:
        a: of the first.
        b: of the second.

    Returns:
        The shared heads as `a` orders them, and the names of heads that only one of them has.

    Raises:
        TaxonomyMismatchError: no head is shared, or a head of one name differs in kind or labels.
    """
    heads_b = {head.name: head for head in b.heads}
    shared = [head for head in a.heads if head.name in heads_b]
    if not shared:
        raise TaxonomyMismatchError(
            f"nothing to compare: A decides {', '.join(head.name for head in a.heads)}, B {', '.join(heads_b)}"
        )
    for head in shared:
        other = heads_b[head.name]
        if head.problem_type is not other.problem_type or set(head.label_names) != set(other.label_names):
            raise TaxonomyMismatchError(
                f"head {head.name!r} is not the same: A has {', '.join(head.label_names)} ({head.problem_type}), "
                f"B has {', '.join(other.label_names)} ({other.problem_type})"
            )
    only_one = {head.name for head in a.heads} ^ set(heads_b)
    return Taxonomy(heads=shared), sorted(only_one)


def reorder_labels(decisions: Decisions, own: Taxonomy, wanted: Taxonomy) -> Decisions:
    """Lay decisions out in the label order of another taxonomy.

    Args:
        decisions: by head name.
        own: the order they are in.
        wanted: the order they shall have; each of its heads is in `own` with the same labels.

    Returns:
        Decisions for the heads of `wanted`.
    """
    names_of = {head.name: head.label_names for head in own.heads}
    reordered = {}
    for head in wanted.heads:
        scores, decided = decisions[head.name]
        columns = [names_of[head.name].index(name) for name in head.label_names]
        reordered[head.name] = (scores[:, columns], decided[:, columns])
    return reordered


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value that both are right equally often.

    Args:
        only_a: rows that A alone has right.
        only_b: rows that B alone has right.

    Returns:
        In (0, 1]; 1 when the two never differ, and the least float there is where it is smaller than any.

    Source:
        McNemar 1947, *Note on the sampling error of the difference between correlated proportions*; exact form:
        a binomial test of `only_a` in `only_a + only_b` at one half.
    """
    n = only_a + only_b
    term = tail = 1  # ways to choose 0 of n; whole numbers, which divide exactly however large
    for k in range(min(only_a, only_b)):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(1.0, max(float(2 * tail / 2**n), math.nextafter(0.0, 1.0)))


def _bootstrap_p(differences: Floats) -> tuple[float, bool]:
    """Two-sided p-value: twice the smaller share of draws on one side of 0; and whether it is the least possible.

    Never 0 from finitely many draws: where all lie on one side it is `2 / (n + 1)`, which says "at most".
    """
    defined = differences[np.isfinite(differences)]
    n_beyond = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (n_beyond + 1) / (len(defined) + 1)), n_beyond == 0


def _set_apart(
    of: Measure, a: Sample, b: Sample, *, sides: Sequence[DrawnFigure], n_groups: int, swaps: Mapping[str, object]
) -> Json:
    """Both sides and A minus B; no p where the difference has no interval."""
    difference: Json = {**subtract(of, a, b, n_groups=n_groups), "p": None, "p_is_least": None, "p_by_swaps": None}
    if difference["low"] is not None:
        drawn = of(a.drawn, whole=a.whole) - of(b.drawn, whole=b.whole)
        difference["p"], difference["p_is_least"] = _bootstrap_p(drawn)
        difference["p_by_swaps"] = swaps["p"]
    return {"a": sides[0], "b": sides[1], "difference": difference}


def _f1_of(number: int) -> Measure:
    def of(counts: Counts, *, whole: Counts | None = None) -> Floats:
        return f1(counts, whole=whole)[:, number]

    return of


def _test_rows(a: HeadRows, b: HeadRows) -> Json:
    """McNemar's test of the rows that only one of the two has right; no p where they come from few documents."""
    is_right_a = ((a.truth == 1) == a.decided).all(axis=1)
    is_right_b = ((b.truth == 1) == b.decided).all(axis=1)
    only_a, only_b = int((is_right_a & ~is_right_b).sum()), int((~is_right_a & is_right_b).sum())
    p = mcnemar_exact(only_a, only_b) if a.n_groups >= FEWEST_GROUPS else None
    return {"only_a_right": only_a, "only_b_right": only_b, "p": p}


def compare_rows(a: HeadRows, b: HeadRows, *, n_replicates: int, seed: int) -> Json:
    """Compare two models on one head.

    Args:
        a: rows as A decides them.
        b: the same rows as B decides them, in the same label order.
        n_replicates: bootstrap draws.
        seed: of the draws.

    Returns:
        `macro_f1`, `accuracy` and per label `f1` as `{"a", "b", "difference"}`, sides as `bound_head` has them. The
        difference is A minus B, with interval, bootstrap p-value (`p_is_least`: no draws of this number give a lower
        one) and `p_by_swaps` (see `swap_counts`), which are None where the figure of no draw differs and from fewer
        than 5 documents, for F1 from fewer that have the label, for macro-F1 from fewer that have the rarest.
        `mcnemar`, `swaps` of macro-F1 as `swap_f1` has it, `n`, `n_groups`.
    """
    weights = a.draw(n_replicates=n_replicates, seed=seed)
    samples = Sample.of(a, weights), Sample.of(b, weights)
    counted = a.count(), b.count()
    measured: list[Any] = [bound_head(a.head, counts, weights) for counts in counted]
    swap = partial(swap_f1, *counted, n_replicates=n_replicates, seed=seed)
    swaps, right = swap(), swap_accuracy(*counted, n_replicates=n_replicates, seed=seed)

    def set_apart(of: Measure, sides: Sequence[DrawnFigure], n_groups: int, swaps: Json) -> Json:
        return _set_apart(of, *samples, sides=sides, n_groups=n_groups, swaps=swaps)

    return {
        "n": len(a.groups),
        "n_groups": a.n_groups,
        "macro_f1": set_apart(macro_f1, [side["macro_f1"] for side in measured], samples[0].n_rarest, swaps),
        "accuracy": set_apart(accuracy, [side["accuracy"] for side in measured], a.n_groups, right),
        "mcnemar": _test_rows(a, b),
        "swaps": swaps,
        "labels": {
            name: {
                "f1": set_apart(
                    _f1_of(number), [side["labels"][name]["f1"] for side in measured], n_with, swap([number])
                ),
                "support": int(np.sum(a.truth[:, number] == 1)),
            }
            for number, (name, n_with) in enumerate(zip(a.head.label_names, samples[0].n_with, strict=True))
        },
    }


def _compare_slice(
    labels: npt.NDArray[np.int64],
    counted: tuple[Counts, Counts],
    samples: tuple[Sample, Sample],
    *,
    n_replicates: int,
    seed: int,
) -> Json:
    """Macro-F1 over the labels that occur, None where none does, and accuracy; `counted` by document."""
    of, macro = macro_over(labels), None
    if len(labels):
        swaps = swap_f1(*counted, labels.tolist(), n_replicates=n_replicates, seed=seed)
        sides = [side.macro(labels) for side in samples]
        macro = _set_apart(of, *samples, sides=sides, n_groups=samples[0].n_rarest, swaps=swaps)
    right = swap_accuracy(*counted, n_replicates=n_replicates, seed=seed)
    shares = [side.rate(accuracy) for side in samples]
    n_groups = samples[0].n_groups
    return {
        "macro_f1": macro,
        "accuracy": _set_apart(accuracy, *samples, sides=shares, n_groups=n_groups, swaps=right),
    }


def compare_slices(
    examples: Sequence[Example],
    a: Mapping[str, HeadRows],
    b: Mapping[str, HeadRows],
    column: str,
    *,
    n_replicates: int,
    seed: int,
) -> Json:
    """Compare two models on each slice of one column.

    Args:
        examples: all rows.
        a: rows by head as A decides them.
        b: the same rows as B decides them.
        column: what to slice by, as `split_rows`.
        n_replicates: bootstrap draws.
        seed: of the draws.

    Returns:
        By value `n` and `n_groups`, and by head `n`, `n_groups`, `macro_f1` (over the labels that occur in the slice,
        None where none does), `accuracy` and `mcnemar`, as `compare_rows`.

    Raises:
        UnknownColumnError: no row has the column.
    """
    slices: Json = {}
    parts = split_rows(examples, column)
    for value in show_each("comparing slices", parts):
        has_value, heads = parts[value], {}
        for name, rows in a.items():
            chosen = has_value[rows.places]
            if not chosen.any():
                continue
            of_a, of_b = rows.take(chosen), b[name].take(chosen)
            weights = of_a.draw(n_replicates=n_replicates, seed=seed)
            samples = Sample.of(of_a, weights), Sample.of(of_b, weights)
            occurs = np.flatnonzero((of_a.truth == 1).any(axis=0))
            heads[name] = {
                "n": len(of_a.groups),
                "n_groups": of_a.n_groups,
                **_compare_slice(occurs, (of_a.count(), of_b.count()), samples, n_replicates=n_replicates, seed=seed),
                "mcnemar": _test_rows(of_a, of_b),
            }
        slices[value] = {**count_slice(examples, has_value), "heads": heads}
    return slices
