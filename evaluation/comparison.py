"""Owns the paired test: two models on the same rows, the same bootstrap draws for both, and McNemar's test."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from evaluation.deciders import Decisions
from evaluation.rows import HeadRows, Sample, draw_macro_difference, macro_over
from evaluation.slices import count_slice, split_rows
from twohands.bounds import FEWEST_GROUPS, DrawnFigure, bound_figure
from twohands.errors import TaxonomyMismatchError
from twohands.examples import Example
from twohands.metrics import Counts, Floats, Measure, accuracy, f1
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
        In (0, 1]; 1 when the two never differ.

    Source:
        McNemar 1947, *Note on the sampling error of the difference between correlated proportions*; exact form:
        a binomial test of `only_a` in `only_a + only_b` at one half.
    """
    n = only_a + only_b
    term = tail = 1  # ways to choose 0 of n; whole numbers, which divide exactly however large
    for k in range(min(only_a, only_b)):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(1.0, float(2 * tail / 2**n))


def _bootstrap_p(differences: Floats) -> float | None:
    """Two-sided p-value: twice the smaller share of draws on one side of 0, never 0 from finitely many draws."""
    defined = differences[np.isfinite(differences)]
    n = len(defined)
    at_most, at_least = (defined <= 0).sum(), (defined >= 0).sum()
    return min(1.0, 2 * (min(int(at_most), int(at_least)) + 1) / (n + 1)) if n else None


def _set_apart(a: DrawnFigure, b: DrawnFigure, differences: Floats, *, n_groups: int) -> Json:
    """Both sides and A minus B; a draw that does not define the figure for both is left out of the difference."""
    value = float(a["value"] or 0) - float(b["value"] or 0)
    difference = bound_figure(value, differences, n_groups=n_groups)
    difference["p"] = _bootstrap_p(differences) if n_groups >= FEWEST_GROUPS else None
    return {"a": a, "b": b, "difference": difference}


def _compare_macro(a: Sample, b: Sample, labels: npt.NDArray[np.int64]) -> Json:
    of = macro_over(labels)
    return _set_apart(a.figure(of), b.figure(of), draw_macro_difference(a, b, labels), n_groups=a.n_groups)


def _subtract(of: Measure, a: Sample, b: Sample) -> Floats:
    return of(a.drawn, whole=a.whole) - of(b.drawn, whole=b.whole)


def _compare_accuracy(a: Sample, b: Sample) -> Json:
    return _set_apart(a.rate(accuracy), b.rate(accuracy), _subtract(accuracy, a, b), n_groups=a.n_groups)


def _compare_label(a: Sample, b: Sample, number: int) -> Json:
    def of(counts: Counts, *, whole: Counts | None = None) -> Floats:
        return f1(counts, whole=whole)[:, number]

    return _set_apart(a.figure(of), b.figure(of), _subtract(of, a, b), n_groups=a.n_groups)


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
        `macro_f1`, `accuracy` and per label `f1` as `{"a", "b", "difference"}` (A minus B, with interval and
        bootstrap p-value, which are None from fewer than 5 documents), `mcnemar`, `n`, `n_groups`.
    """
    weights = a.draw(n_replicates=n_replicates, seed=seed)
    sample_a, sample_b = Sample.of(a, weights), Sample.of(b, weights)
    return {
        "n": len(a.groups),
        "n_groups": a.n_groups,
        "macro_f1": _compare_macro(sample_a, sample_b, np.arange(len(a.head.label_names))),
        "accuracy": _compare_accuracy(sample_a, sample_b),
        "mcnemar": _test_rows(a, b),
        "labels": {
            name: {
                "f1": _compare_label(sample_a, sample_b, number),
                "support": int(np.sum(a.truth[:, number] == 1)),
            }
            for number, name in enumerate(a.head.label_names)
        },
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
    for value, has_value in split_rows(examples, column).items():
        heads: Json = {}
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
                "macro_f1": _compare_macro(*samples, occurs) if len(occurs) else None,
                "accuracy": _compare_accuracy(*samples),
                "mcnemar": _test_rows(of_a, of_b),
            }
        slices[value] = {**count_slice(examples, has_value), "heads": heads}
    return slices
