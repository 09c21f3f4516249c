"""Owns what is wrong with the texts of a data set: repeats, leaks between files, odd rows and unusable ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluation.options import TAXONOMY_OPTION
from twohands.cautions import find_cautions
from twohands.examples import Example, check_rows, expand_paths, read_rows
from twohands.taxonomy import Taxonomy
from twohands.values import is_empty_cell, spell_whole

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Json = dict[str, object]
_SHINGLE_WORDS = 3
_BLOCK = 500
_PAIRS = 50_000  # compared at once
_MANY_WORDS = 400
_MOST_PLACES = 5  # of one repeated id


@dataclass(frozen=True, slots=True)
class AuditedRows:
    """All rows of all files that can be used; `files` holds the file of each, `faults` what cannot be used.

    `n_left_out` rows cannot be used: several that share a fault are told of in one line, so it is not the number of
    faults. A file that breaks off counts as one. `repeated_ids` holds the places of rows, all used, that share an id.
    `n_misnamed` rows have the name of an empty cell where their document should stand.
    """

    examples: list[Example]
    files: list[str]
    faults: list[str]
    n_left_out: int
    repeated_ids: dict[str, list[str]]
    n_misnamed: int

    @property
    def all_faults(self) -> list[str]:
        """Those of rows left out, then one for each id that stands more than once."""
        return [*self.faults, *(_tell_repeated(*repeated) for repeated in self.repeated_ids.items())]


def _tell_repeated(identifier: str, places: Sequence[str]) -> str:
    shown = ", ".join(places[:_MOST_PLACES])
    more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
    return f"id {identifier!r} stands {len(places)} times: {shown}{more}"


def read_all(paths: Sequence[Path], taxonomy: Taxonomy) -> AuditedRows:
    """Read labelled files, and keep going past rows that cannot be used.

    Args:
        paths: files, or folders of them.
        taxonomy: which heads and labels there are.

    Returns:
        What can be used, and every fault with file and line. A row whose `id` is repeated is kept. A row whose document
        is called `nan`, as pandas may write an empty cell, is its own document, as for every other command.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
    """
    examples: list[Example] = []
    files: list[str] = []
    faults: list[str] = []
    n_left_out = n_misnamed = 0
    for path in expand_paths(paths):
        unread: list[str] = []
        rows = list(read_rows(path, unread))
        faults += unread
        found = check_rows(rows, taxonomy, faults, default_source=path.stem, taxonomy_option=TAXONOMY_OPTION)
        n_left_out += len(unread) + len(rows) - len(found)
        n_misnamed += sum(is_empty_cell(each.group) for each in found)
        examples += [replace(each, group=each.id) if is_empty_cell(each.group) else each for each in found]
        files += [str(path)] * len(found)
    places: dict[str, list[str]] = {}
    for example in examples:
        places.setdefault(example.id, []).append(example.place)
    repeated = {identifier: found for identifier, found in places.items() if len(found) > 1}
    return AuditedRows(examples, files, faults, n_left_out, repeated, n_misnamed)


def note_misnamed(rows: AuditedRows) -> list[str]:
    """Say how many rows have the name of an empty cell as their document, if several have."""
    if rows.n_misnamed < 2:
        return []
    return [
        f"{rows.n_misnamed} rows have nan or the like as their `group`, as pandas may write an empty cell: each is "
        "taken as a document of its own."
    ]


def find_odd(rows: AuditedRows) -> list[Json]:
    """Find rows that a person should look at: another language, markup, no sentence, all capitals, very long.

    Args:
        rows: what was read.

    Returns:
        `id`, `file` and `why`, a list.
    """
    odd: list[Json] = []
    for example, file in zip(rows.examples, rows.files, strict=True):
        n_words = len(example.paragraph.split())
        why = [str(caution) for caution in find_cautions(example.paragraph, n_tokens=n_words, n_tokens_unknown=0)]
        letters = [letter for letter in example.paragraph if letter.isalpha()]
        if len(letters) > 20 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters):
            why.append("capitals")
        if n_words > _MANY_WORDS:
            why.append("very_long")
        if why:
            odd.append({"id": example.id, "file": file, "why": why})
    return odd


def _keep_rare(found: "csr_matrix", least: float) -> "csr_matrix":
    """Keep of each text its rarer sequences, all but the share that counts; two that are so alike have one in common.

    What many texts share, as forms do, is left out of nearly all: by it, each of them would be compared with each.

    Args:
        found: which text has which sequence, shape `(n, n_sequences)`.
        least: share from which a pair counts, above 0.

    Returns:
        The same shape.

    Source:
        Chaudhuri et al. 2006, *A Primitive Operator for Similarity Joins in Data Cleaning* (prefix filter).
    """
    n_with = np.bincount(found.indices, minlength=found.shape[1])
    ranks = np.empty(len(n_with), np.int64)
    ranks[np.argsort(n_with, kind="stable")] = np.arange(len(n_with))
    sizes, texts = np.diff(found.indptr), np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    order = np.lexsort((ranks[found.indices], texts))  # of a text after the other, the rarest sequence first
    places = np.arange(len(order)) - np.repeat(found.indptr[:-1], sizes)
    # A hair less than the share: it must not be lost to rounding.
    n_rare = sizes - np.ceil(least * sizes - 1e-9).astype(np.int64) + 1
    columns = found.indices[order]
    kept = (places < np.repeat(n_rare, sizes)) & (n_with[columns] > 1)
    ends = np.cumsum(np.bincount(texts[kept], minlength=found.shape[0]))
    indptr = np.concatenate([[0], ends])
    return type(found)((found.data[order][kept], columns[kept], indptr), shape=found.shape)


def find_repeats(paragraphs: Sequence[str], *, least: float) -> list[tuple[int, int, float]]:
    """Find pairs of texts that are the same or nearly.

    Two texts are as alike as the share of their three-word sequences that they have in common (Jaccard), whatever
    their case.

    Args:
        paragraphs: at least one.
        least: share from which a pair counts, above 0.

    Returns:
        Places of both, the earlier first, and the share; pairs in order.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    # Texts shorter than a sequence are one sequence of their own.
    def shingle(text: str) -> list[str]:
        words = text.lower().split()
        return [" ".join(words[at : at + _SHINGLE_WORDS]) for at in range(max(1, len(words) - _SHINGLE_WORDS + 1))]

    found = CountVectorizer(analyzer=shingle, binary=True, dtype=np.int32).fit_transform(paragraphs).tocsr()
    sizes = np.diff(found.indptr)
    rare = _keep_rare(found, least)
    turned = rare.T.tocsr()
    pairs = []
    for start in range(0, len(paragraphs), _BLOCK):
        met = (rare[start : start + _BLOCK] @ turned).tocoo()
        later = met.row + start < met.col
        all_first, all_second = met.row[later] + start, met.col[later]
        for at in range(0, len(all_first), _PAIRS):
            first, second = all_first[at : at + _PAIRS], all_second[at : at + _PAIRS]
            shared = np.asarray(found[first].multiply(found[second]).sum(axis=1)).ravel()
            alike = shared / (sizes[first] + sizes[second] - shared)
            kept = alike >= least
            pairs += list(zip(first[kept].tolist(), second[kept].tolist(), alike[kept].tolist(), strict=True))
    return sorted(pairs)


def _labels_differ(a: Example, b: Example) -> list[str]:
    return [
        head
        for head, words in a.labels.items()
        if words is not None and b.labels.get(head) is not None and set(words) != set(b.labels[head] or ())
    ]


def describe_repeats(rows: AuditedRows, pairs: Sequence[tuple[int, int, float]]) -> list[Json]:
    """Say of each pair what matters about it.

    Args:
        rows: what was read.
        pairs: from `find_repeats`.

    Returns:
        `a` and `b` (ids), `files` of both, `alike`, `differs` (heads whose labels differ), the most alike first and
        those in two files before others.
    """
    described: list[Json] = []
    # Those in two files first: they are leaks.
    ranked = sorted(pairs, key=lambda pair: (rows.files[pair[0]] == rows.files[pair[1]], -pair[2], pair[:2]))
    for first, second, alike in ranked:
        a, b = rows.examples[first], rows.examples[second]
        described.append(
            {
                "a": a.id,
                "b": b.id,
                "files": [rows.files[first], rows.files[second]],
                "alike": round(alike, 4),
                "differs": _labels_differ(a, b),
            }
        )
    return described


def find_leaks(rows: AuditedRows, pairs: Sequence[tuple[int, int, float]]) -> Json:
    """Find what two files share: a model that learns from one would be measured on what it knows.

    Args:
        rows: what was read.
        pairs: from `find_repeats`.

    Returns:
        `groups`: documents that stand in several files, with these (7.0 of one is 7 of another, as pandas may write it,
        and as commands that learn from one and measure on the other refuse it); `n_texts`: pairs of alike texts across
        files.
    """
    files_of: dict[str, set[str]] = {}
    for example, file in zip(rows.examples, rows.files, strict=True):
        files_of.setdefault(spell_whole(example.group), set()).add(file)
    groups = {group: sorted(files) for group, files in sorted(files_of.items()) if len(files) > 1}
    n_texts = sum(rows.files[first] != rows.files[second] for first, second, _ in pairs)
    return {"groups": groups, "n_texts": n_texts}
