"""Owns the labelled rows that a model is measured on: which files, how many rows, and what may not overlap."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from twohands.errors import DataError, LeakError
from twohands.examples import Example, check_rows, expand_paths, fingerprint, finish_examples, read_rows
from twohands.hashing import sha256_of_file
from twohands.open_cells import is_unlabelled
from twohands.row_faults import advise_taxonomy
from twohands.taxonomy import Taxonomy
from twohands.values import is_empty_cell, spell_whole

Json = dict[str, object]
HALVED = "Without --data, one half of the documents of --dev tunes and the other measures."
SKIP_OPTION = "--skip-unlabelled"


@dataclass(frozen=True, slots=True)
class LabelledFiles:
    """Checked examples in the order of their files; `n_skipped` rows had no label and were asked to be passed over.

    `named` are the ids of rows that name their document; `misnamed` has those, by id with what stood there, whose
    document bears the name of an empty cell.
    """

    examples: list[Example]
    files: list[Json]
    n_skipped: int
    named: frozenset[str]
    misnamed: Mapping[str, str]

    @property
    def n_read(self) -> int:
        """How many rows there are with those passed over."""
        return len(self.examples) + self.n_skipped

    def describe(self) -> Json:
        """Name what was read, so that a figure can be traced to its rows."""
        return {
            "files": self.files,
            "n_rows": len(self.examples),
            "n_groups": len({example.group for example in self.examples}),
            "n_skipped": self.n_skipped,
            "fingerprint": fingerprint(self.examples),
        }


def _part_misnamed(examples: Sequence[Example], named: Collection[str]) -> tuple[list[Example], dict[str, str]]:
    """Make rows of a document called `nan` documents of their own, as those of an empty cell are.

    Else all rows whose cell was empty would be one document, and intervals too wide.

    Args:
        examples: checked rows.
        named: places of rows whose cell is not empty.

    Returns:
        The rows, and what stood there by the id of each that was changed.
    """
    misnamed = {
        example.id: example.group for example in examples if example.place in named and is_empty_cell(example.group)
    }
    return [replace(each, group=each.id) if each.id in misnamed else each for each in examples], misnamed


def load_labelled(
    paths: Sequence[Path],
    taxonomy: Taxonomy,
    *,
    skip_unlabelled: bool | None = None,
    taxonomy_option: str | None = None,
) -> LabelledFiles:
    """Read labelled files, whole or not at all.

    Args:
        paths: files, or folders of them.
        taxonomy: which heads and labels there are.
        skip_unlabelled: pass over rows that are labelled for no head, instead of refusing them; None where the command
            has no such option.
        taxonomy_option: how the command takes other labels, to be told where no row has any of these; None if it
            takes none.

    Returns:
        The examples and their files. A row whose document is called `nan`, as pandas may write an empty cell, is its
        own document, as one without a name is.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
        DataError: a row cannot be used, an `id` stands twice, or there is no row; all faults at once.
    """
    faults: list[str] = []
    examples: list[Example] = []
    files: list[Json] = []
    n_skipped = 0
    named: set[str] = set()
    names = [head.name for head in taxonomy.heads]
    options = {"taxonomy_option": taxonomy_option, "skip_option": None if skip_unlabelled is None else SKIP_OPTION}
    paths = expand_paths(paths)
    for path in paths:
        rows = list(read_rows(path, faults))
        kept = [row for row in rows if any(not is_unlabelled(row.cells, head) for head in taxonomy.heads)]
        if skip_unlabelled:
            n_skipped += len(rows) - len(kept)
            rows = kept
        named.update(row.place for row in rows if row.cells.get("group") is not None)
        examples += check_rows(rows, taxonomy, faults, default_source=path.stem, **options)
        files.append({"name": str(path), "sha256": sha256_of_file(path), "n_rows": len(rows)})
    if n_skipped and not examples and not faults:
        advice = "" if taxonomy_option is None else f"; {advise_taxonomy(taxonomy_option)}"
        faults.append(f"all {n_skipped} rows are unlabelled: none has {' or '.join(names)}{advice}")
    finish_examples(examples, faults, ", ".join(map(str, paths)))
    examples, misnamed = _part_misnamed(examples, named)
    of_named = frozenset(example.id for example in examples if example.place in named) - misnamed.keys()
    return LabelledFiles(examples, files, n_skipped, of_named, misnamed)


def _join_groups(examples: Sequence[Example]) -> dict[str, str]:
    """By document the first of all that it must stay with: those that share a text, or are 7 and 7.0, and theirs."""
    joined: dict[str, str] = {}

    def find(group: str) -> str:
        while joined[group] != group:
            group = joined[group]
        return group

    place = {group: number for number, group in enumerate(dict.fromkeys(example.group for example in examples))}
    first_with: dict[tuple[str, str], str] = {}
    for example in examples:
        joined.setdefault(example.group, example.group)
        for key in (("text", example.paragraph), ("group", spell_whole(example.group))):
            its, other = find(example.group), find(first_with.setdefault(key, example.group))
            first, later = sorted((its, other), key=place.__getitem__)
            joined[later] = first
    return {group: find(group) for group in joined}


def halve(part: LabelledFiles, *, seed: int) -> tuple[LabelledFiles, LabelledFiles]:
    """Part rows into two halves of whole documents; documents that share a text go into one half.

    Args:
        part: rows of several documents.
        seed: of the draw.

    Returns:
        The halves, rows in the order of the file.

    Raises:
        DataError: there is one document only, or all are tied together by texts that they share.
    """
    together = _join_groups(part.examples)
    groups = list(dict.fromkeys(together[example.group] for example in part.examples))
    if len(groups) < 2:
        found = f"{groups[0]!r}" if len(together) == 1 else f"{len(together)} documents that share texts"
        raise DataError(
            "rows that tune and rows that measure are parted by document",
            [f"there is only one, {found}; give --data, or rows of more documents"],
        )
    order = np.random.default_rng(seed).permutation(len(groups))
    chosen = {groups[number] for number in order[: len(groups) // 2]}

    def take(is_chosen: bool) -> LabelledFiles:
        kept = [example for example in part.examples if (together[example.group] in chosen) == is_chosen]
        return replace(part, examples=kept, n_skipped=0)

    return take(True), take(False)


def cut_taxonomy(
    taxonomy: Taxonomy, splits: Mapping[str, Sequence[Example]], *, advice: str = ""
) -> tuple[Taxonomy, list[str]]:
    """Keep the heads that can be learnt and measured: rows are often labelled for one head only.

    Args:
        taxonomy: all heads.
        splits: examples by the name of the split.
        advice: what else to do, for the end of the sentences.

    Returns:
        The heads for which each split has a labelled row, and a sentence for each that is left out.

    Raises:
        DataError: no head is left.
    """
    kept, notes = [], []
    for head in taxonomy.heads:
        lacking = [
            split
            for split, examples in splits.items()
            if all(example.labels.get(head.name) is None for example in examples)
        ]
        if lacking:
            notes.append(f"{head.name} is left out: no row of {' and of '.join(lacking)} is labelled for it{advice}.")
        else:
            kept.append(head)
    if not kept:
        raise DataError(f"no head is labelled in all of {', '.join(splits)}", notes)
    return Taxonomy(heads=kept), notes


def refuse_overlap(splits: Mapping[str, Sequence[Example]]) -> None:
    """Refuse a document or a text that stands in two splits: a baseline would be measured on what it learnt.

    Args:
        splits: examples by the name of the split.

    Raises:
        LeakError: every document and text that two splits share.
    """

    def name(example: Example) -> str:
        return spell_whole(example.group)  # which pandas may have written as 7.0 in one of the files

    faults = []
    for kind in ("group", "paragraph"):
        first_seen: dict[str, str] = {}
        for split, examples in splits.items():
            for value in sorted({name(each) if kind == "group" else each.paragraph for each in examples}):
                if value in first_seen:
                    faults.append(f"{kind} {value[:80]!r} stands in {first_seen[value]} and in {split}")
                first_seen.setdefault(value, split)
    if faults:
        counted = []
        for place, (split, examples) in enumerate(splits.items()):
            earlier = [example for before in list(splits.values())[:place] for example in before]
            groups, texts = {name(example) for example in earlier}, {example.paragraph for example in earlier}
            n_shared = sum(name(example) in groups or example.paragraph in texts for example in examples)
            counted += [f"{n_shared} of {len(examples):,} rows of {split}"] if n_shared else []
        shared = f"shared are {' and '.join(counted)}"
        raise LeakError(f"{', '.join(splits)} overlap; a document belongs to one of them; {shared}", faults)
