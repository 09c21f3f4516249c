"""Owns what rows share: documents, texts and nearly the same texts of two sets, and texts of one that disagree."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.labels import ONLY_SCORED
from training.shingles import Shingles, count_rare, digest_words, read_texts
from twohands.examples import Example
from twohands.restating import list_pairs
from twohands.values import spell_whole


@dataclass(frozen=True, slots=True)
class Leak:
    """Two rows of two splits that must not stand in both."""

    what: str
    first_split: str
    first: Example
    second_split: str
    second: Example
    is_of_id: bool = False  # both rows have no group, and their id, which is the same, stands for it
    is_of_group: bool = False
    is_near: bool = False

    def __str__(self) -> str:
        """One line with ids and splits; texts are not shown."""
        return f"{self.what} is in {self.first_split} ({self.first.id}) and in {self.second_split} ({self.second.id})"


def count_contradictions(examples: Iterable[Example]) -> int:
    """Count texts that stand under different labels.

    Args:
        examples: rows of one set.

    Returns:
        How many texts have two labellings of a head; a head that nobody looked at contradicts none, nor does a row
        that only a teacher scored.
    """
    given: dict[tuple[bytes, str], tuple[str, ...]] = {}
    found: set[bytes] = set()
    for example in examples:
        if example.columns.get(ONLY_SCORED):
            continue
        key = digest_words(example.paragraph)
        for head, words in example.labels.items():
            if words is not None and given.setdefault((key, head), words) != words:
                found.add(key)
    return len(found)


def find_shared(splits: Mapping[str, Sequence[Example]], *, near_duplicate_jaccard: float | None) -> list[Leak]:
    """Find documents and texts that stand in two splits.

    Args:
        splits: rows by the name of the split.
        near_duplicate_jaccard: overlap of word 5-grams from which two texts count as one; None to skip.

    Returns:
        One leak for each document, and one for each text that an earlier split holds.
    """
    found: list[Leak] = []
    rows = [(split, example) for split, examples in splits.items() for example in examples]
    groups: dict[str, dict[str, Example]] = {}
    texts: dict[bytes, tuple[str, Example]] = {}
    exact: set[tuple[str, str]] = set()
    shingles = None if near_duplicate_jaccard is None else Shingles()
    read = read_texts((example for _, example in rows), len(rows), shingles)
    for (split, _), (example, key) in zip(rows, read, strict=True):
        of_group = groups.setdefault(spell_whole(example.group), {})
        first = of_group.setdefault(split, example)
        if first is example and len(of_group) == 2:
            (split_a, example_a), (split_b, example_b) = of_group.items()
            is_of_id = example_a.id == example_b.id == example.group
            is_spelt_so = example_a.group == example_b.group  # else pandas wrote 7 as 7.0 in one of the files
            what = f"group {example_a.group!r}" + ("" if is_spelt_so else f", or {example_b.group!r},")
            found.append(Leak(what, split_a, example_a, split_b, example_b, is_of_id, is_of_group=True))
        split_a, example_a = texts.setdefault(key, (split, example))
        if split_a != split:
            exact.add((example_a.id, example.id))
            found.append(Leak("the same text", split_a, example_a, split, example))
    if near_duplicate_jaccard is not None and shingles is not None:
        examples = [example for _, example in rows]
        near = _find_near_duplicates(shingles, near_duplicate_jaccard, lambda number: rows[number][0])
        for b, a, overlap in sorted((b, a, overlap) for a, b, overlap in near):
            if (examples[a].id, examples[b].id) not in exact:
                what = f"nearly the same text (overlap {overlap:.2f})"
                found.append(Leak(what, rows[a][0], examples[a], rows[b][0], examples[b], is_near=True))
    return found


def join_documents(examples: Sequence[Example], *, near_duplicate_jaccard: float | None) -> dict[str, str]:
    """Find documents that no cut may part, as they share a text, which `find_shared` would call a leak, or restate one.

    Args:
        examples: rows of one set.
        near_duplicate_jaccard: as in `find_shared`.

    Returns:
        By document the first by name of all that it must stay with: those that share or restate a text, or are written
        as 7 and as 7.0, and theirs in turn.
    """
    joined = {example.group: example.group for example in examples}
    places = {group: place for place, group in enumerate(joined)}

    def find(group: str) -> str:
        while joined[group] != group:
            joined[group] = group = joined[joined[group]]
        return group

    def join(a: Example, b: Example) -> None:
        # The earlier one goes on, so that a set which grows row by row keeps its name.
        first, later = sorted((find(a.group), find(b.group)), key=places.__getitem__)
        joined[later] = first

    first_with: dict[bytes, Example] = {}
    first_named: dict[str, Example] = {}
    shingles = None if near_duplicate_jaccard is None else Shingles()
    for example, key in read_texts(examples, len(examples), shingles):
        join(first_named.setdefault(spell_whole(example.group), example), example)
        join(first_with.setdefault(key, example), example)
    for example, restated in list_pairs(examples):
        join(restated, example)
    if near_duplicate_jaccard is not None and shingles is not None:
        near = _find_near_duplicates(shingles, near_duplicate_jaccard, lambda number: find(examples[number].group))
        for a, b, _ in near:
            join(examples[a], examples[b])
    named: dict[str, str] = {}
    for group in sorted(joined):
        named.setdefault(find(group), group)
    return {group: named[find(group)] for group in joined}


def _find_near_duplicates(
    texts: Shingles, jaccard: float, family: Callable[[int], str]
) -> Iterator[tuple[int, int, float]]:
    """Places of two texts and their overlap, but for pairs of one family, in no order.

    Families, by the place of a text, may become one while pairs are told, but never part: of a family that a text has
    joined no more is compared. All other pairs are found: of two texts that share enough, the rarer shingles of each,
    all but the share that counts, have one in common. Only these are looked up, so that what many texts share, as forms
    and templates do, costs little.

    Source:
        Chaudhuri et al. 2006, *A Primitive Operator for Similarity Joins in Data Cleaning* (prefix filter).
    """
    shared = texts.share(jaccard)
    sizes = shared.sizes
    n_rare = count_rare(np.array(sizes, np.int64), jaccard).tolist()
    index: dict[int, dict[str, list[int]]] = {}  # by shingle, then by the family's name when a text came
    for number, ranks in shared.ranks.items():
        # Those that are of one text alone would come first.
        rare = ranks[: n_rare[number] - (sizes[number] - len(ranks))].tolist()
        own = set(ranks.tolist())
        asked: set[int] = set()
        for members in (members for rank in rare for members in index.get(rank, {}).values()):
            for other in members:
                if other in asked:
                    continue
                if family(other) == family(number):
                    break  # and so are all that came under this name
                asked.add(other)
                longer, shorter = sorted((sizes[number], sizes[other]), reverse=True)
                if shorter / longer < jaccard:
                    continue
                n_shared = len(own.intersection(shared.ranks[other].tolist()))
                overlap = n_shared / (longer + shorter - n_shared)
                if overlap >= jaccard:
                    yield other, number, overlap
        for rank in rare:
            index.setdefault(rank, {}).setdefault(family(number), []).append(number)


def _count_touched(found: Sequence[Leak], splits: Mapping[str, Sequence[Example]]) -> list[str]:
    """How many rows a later split shares: pairs do not say, as a document is one, and one text may be a hundred."""
    groups = {(leak.second_split, leak.second.group) for leak in found if leak.is_of_group}
    rows = {id(leak.second) for leak in found if not leak.is_of_group}
    counted = [
        (sum(id(row) in rows or (split, row.group) in groups for row in examples), len(examples), split)
        for split, examples in splits.items()
    ]
    return [f"{n} of {n_rows:,} rows of {split}" for n, n_rows, split in counted if n]


def find_leaks(
    splits: Mapping[str, Sequence[Example]], *, near_duplicate_jaccard: float | None
) -> tuple[str, list[str]]:
    """Say what `find_shared` found.

    Args:
        splits: rows by the name of the split.
        near_duplicate_jaccard: as there.

    Returns:
        A heading, and one line a leak, after one for all ids that two splits share: files that count their rows from 0
        share them all. No line where nothing is shared.
    """
    found = find_shared(splits, near_duplicate_jaccard=near_duplicate_jaccard)
    heading = "the splits share rows; a document or a text may stand in one of them alone: take it out of the other"
    heading += f". Shared are {' and '.join(_count_touched(found, splits))}"
    if any(leak.is_near for leak in found):
        heading += (
            f"; texts are nearly the same from data.near_duplicate_jaccard on, which is {near_duplicate_jaccard}. "
            "Where forms make many of them alike, a higher one finds fewer; data.dev_fraction holds dev out of train "
            "without parting them"
        )
    return heading, _list_leaks(found)


def _list_leaks(found: Sequence[Leak]) -> list[str]:
    of_ids: dict[tuple[str, str], list[str]] = {}
    for leak in found:
        if leak.is_of_id:
            of_ids.setdefault((leak.first_split, leak.second_split), []).append(leak.second.id)
    lines = []
    for (first, second), ids in of_ids.items():
        named = f"id {ids[0]!r} stands" if len(ids) == 1 else f"id {ids[0]!r} and {len(ids) - 1} more stand"
        lines.append(
            f"{named} in {first} and in {second}, and an id names the document where there is no `group`: make ids "
            "differ across files, drop the column, or give `group`"
        )
    return lines + [str(leak) for leak in found if not leak.is_of_id]
