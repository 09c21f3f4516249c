"""Owns how dev is held out of train: whole documents, drawn by a seed, with each label's share of rows.

Knows nothing of files and taxonomies.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from twohands.errors import DataError
from twohands.examples import Example

_Trait = tuple[str, str]  # a head and one of its labels, or no label where none of them applies
_NO_LABEL = ""
_EVERY_ROW: _Trait = ("", "every row")
_MOST = 0.5  # of the rows; a label that only a bigger document could bring stays out of dev


def _count_traits(examples: Iterable[Example], joined: Mapping[str, str]) -> dict[str, Counter[_Trait]]:
    """By document, how many of its rows have each label; in an order that that of the rows does not change."""
    counts: dict[str, Counter[_Trait]] = {}
    for example in examples:
        of_group = counts.setdefault(joined.get(example.group, example.group), Counter())
        of_group[_EVERY_ROW] += 1
        for head, words in example.labels.items():
            of_group.update((head, word) for word in (() if words is None else words or (_NO_LABEL,)))
    return {group: Counter(dict(sorted(counts[group].items()))) for group in sorted(counts)}


def _sum(counts: Iterable[Counter[_Trait]]) -> Counter[_Trait]:
    total: Counter[_Trait] = Counter()
    for of_group in counts:
        total.update(of_group)
    return total


def _draw(counts: Mapping[str, Counter[_Trait]], total: Counter[_Trait], fraction: float) -> set[str]:
    """Documents to hold out: each goes where it leaves the shares of its labels nearest to the fraction."""
    of_trait: dict[_Trait, list[str]] = {trait: [] for trait in total}
    for group, of_group in counts.items():
        for trait in of_group:
            of_trait[trait].append(group)
    held: set[str] = set()
    dealt: set[str] = set()
    n_dealt: Counter[_Trait] = Counter()
    n_held: Counter[_Trait] = Counter()
    for group in (group for groups in of_trait.values() for group in groups):
        if group in dealt:
            continue
        dealt.add(group)
        n_dealt.update(counts[group])
        gain = 0.0  # by how much holding the document out brings the shares nearer to the fraction
        for trait, n in counts[group].items():
            lacking = fraction * n_dealt[trait] - n_held[trait]
            gain += (lacking**2 - (lacking - n) ** 2) / total[trait] ** 2
        if gain > 0:
            held.add(group)
            n_held.update(counts[group])
    return held


def _complete(held: set[str], counts: Mapping[str, Counter[_Trait]], total: Counter[_Trait]) -> None:
    """Give each side the labels it lacks, by the smallest document that leaves the other side all of its own."""
    n_held = _sum(counts[group] for group in held)
    n_stay = total - n_held
    by_size = sorted(counts, key=lambda group: counts[group][_EVERY_ROW])  # stable: the seed's order among equals
    for trait in total:
        if trait[1] == _NO_LABEL or (n_held[trait] and n_stay[trait]):
            continue
        giver, taker = (n_stay, n_held) if n_stay[trait] else (n_held, n_stay)
        for group in by_size:
            of_group = counts[group]
            if trait not in of_group or (giver is n_held) != (group in held):
                continue
            keeps_all = all(giver[other] > n for other, n in of_group.items() if other[1] != _NO_LABEL)
            is_small = n_held[_EVERY_ROW] + of_group[_EVERY_ROW] <= _MOST * total[_EVERY_ROW]
            if keeps_all and (is_small or taker is n_stay):
                giver.subtract(of_group)
                taker.update(of_group)
                held ^= {group}
                break


def hold_out(
    examples: list[Example], *, fraction: float, seed: int, joined: Mapping[str, str] = MappingProxyType({})
) -> tuple[list[Example], list[Example]]:
    """Divide rows so that no document straddles the cut, and each label has its share on either side.

    A label of two documents and more is held out at least once, though dev becomes larger than asked for: it could
    not be calibrated otherwise.

    Args:
        examples: all rows.
        fraction: share of rows to hold out, met as nearly as whole documents and the labels allow.
        seed: the same seed gives the same cut, whatever the order of the rows.
        joined: by document the one that it must stay with, see `join_documents`; others go by themselves.

    Returns:
        What stays and what is held out.

    Raises:
        DataError: there are fewer than two documents.

    Source:
        Sechidis et al. 2011, *On the Stratification of Multi-label Data* (the rarest label is dealt first).
    """
    unordered = _count_traits(examples, joined)
    groups = list(unordered)
    if len(groups) < 2:
        shared = ", or of several that share texts, or nearly" if len({e.group for e in examples}) > 1 else ""
        raise DataError("dev cannot be held out", [f"all {len(examples)} rows are of one group (document){shared}"])
    np.random.default_rng(seed).shuffle(groups)
    counts = {group: unordered[group] for group in groups}
    n_rows = _sum(counts.values())
    total = Counter({trait: n_rows[trait] for trait in sorted(n_rows, key=lambda trait: (n_rows[trait], trait))})
    held = _draw(counts, total, fraction)
    _complete(held, counts, total)
    if not held:
        held.add(min(groups, key=lambda group: counts[group][_EVERY_ROW]))
    held |= {group for group, first in joined.items() if first in held}
    stay = [example for example in examples if example.group not in held]
    return stay, [example for example in examples if example.group in held]
