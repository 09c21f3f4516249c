"""Owns the test by swaps: whether A and B could change places in each document and differ as much in a figure."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from twohands.metrics import Counts, Floats, accuracy, macro_f1

BOLDEST_P = 0.05  # of a difference that is called one
# With n documents that differ, p is at least 2^(1 - n): .063 for five, .031 for six.
FEWEST_DIFFERING = 6
_MOST_ALL = 12  # documents whose swaps are all tried, 2,048 of them; of more they are drawn
_SWAPPED_CELLS = 1_000_000  # at once: 8 MB
_ROUNDING = 1e-12  # the same counts in another order of adding are no smaller a difference


def _list_all(n: int) -> Floats:
    """Every way to swap `n` documents or not, as 1 and -1, but for the swap of all, which says the same again."""
    numbers = np.arange(2 ** (n - 1))[:, None]
    return np.asarray((numbers >> np.arange(n)) % 2 * 2.0 - 1)


def swap_f1(
    a: Counts, b: Counts, labels: Sequence[int] | None = None, *, n_replicates: int, seed: int
) -> dict[str, object]:
    """Test by documents whether A and B differ in the mean of F1 over labels: `swap_counts` of what F1 is made of.

    Args:
        a: counts of A, one entry for each document.
        b: of B, for the same documents.
        labels: places of the labels; None for all of the head, whose mean is macro-F1.
        n_replicates: see `swap_counts`.
        seed: of the swaps.

    Returns:
        As `swap_counts`.
    """
    of_a, of_b = (counts.binary if labels is None else counts.binary[:, labels] for counts in (a, b))

    def measure(binary: Floats) -> Floats:
        return macro_f1(replace(a, binary=binary))

    return swap_counts(of_a, of_b, measure, n_replicates=n_replicates, seed=seed)


def swap_accuracy(a: Counts, b: Counts, *, n_replicates: int, seed: int) -> dict[str, object]:
    """Test by documents whether A and B differ in accuracy.

    Args:
        a: see `swap_f1`.
        b: alike.
        n_replicates: see `swap_counts`.
        seed: of the swaps.

    Returns:
        As `swap_counts`.
    """

    def measure(exact: Floats) -> Floats:
        return accuracy(replace(a, exact=exact))

    return swap_counts(a.exact, b.exact, measure, n_replicates=n_replicates, seed=seed)


def swap_counts(
    a: Floats, b: Floats, measure: Callable[[Floats], Floats], *, n_replicates: int, seed: int
) -> dict[str, object]:
    """Test by documents whether A and B differ in a figure: how often swapped counts are as far apart as the real.

    The bootstrap draws documents anew, and of four that the two answer otherwise and all for the better it seldom draws
    none: its interval then lies beyond 0, however often chance alone gives four of four. This test knows how few these
    are.

    Args:
        a: what A counts in each document, shape `(n_documents, ...)`.
        b: what B does, alike.
        measure: the figure of counts that are summed over documents, shape `(n, ...)` to `(n,)`. Where it is not
            defined, NaN, a swap counts as one that is as far apart.
        n_replicates: swaps that are drawn where more than 12 documents differ; of fewer all are tried.
        seed: of the swaps.

    Returns:
        `n_differ`: documents in which the two count otherwise, the only ones that a swap changes. `p`, two-sided, in
        (0, 1]; 1 where none differs.

    Source:
        Yeh 2000, *More accurate tests for the statistical significance of result differences* (COLING), after Noreen
        1989, *Computer-Intensive Methods for Testing Hypotheses*: approximate randomisation, here by whole documents.
    """
    differs = (a != b).any(axis=tuple(range(1, a.ndim)))
    n_differ = int(differs.sum())
    if not n_differ:
        return {"n_differ": 0, "p": 1.0}
    middle = (a.sum(axis=0) + b.sum(axis=0)) / 2
    halves = (a[differs] - b[differs]) / 2

    def set_apart(signs: Floats) -> Floats:
        shift = np.tensordot(signs, halves, axes=1)  # (n_swaps, ...)
        return np.asarray(np.abs(measure(middle + shift) - measure(middle - shift)))

    least = set_apart(np.ones((1, n_differ))) - _ROUNDING
    if n_differ <= _MOST_ALL:
        return {"n_differ": n_differ, "p": float((~(set_apart(_list_all(n_differ)) < least)).mean())}
    generator = np.random.default_rng(seed)
    n_as_far, step = 0, max(1, _SWAPPED_CELLS // n_differ)
    for start in range(0, n_replicates, step):
        drawn = generator.integers(2, size=(min(step, n_replicates - start), n_differ))
        signs = np.where(drawn == 1, 1.0, -1.0)
        n_as_far += int((~(set_apart(signs) < least)).sum())
    return {"n_differ": n_differ, "p": (n_as_far + 1) / (n_replicates + 1)}
