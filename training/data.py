"""Owns the splits of a run: read, checked, divided by document, and proved to share nothing."""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from training.bars import open_bar
from training.config import DataConfig
from training.excerpts import cut_excerpts
from training.holdout import hold_out
from training.hub import read_hub, refuse_saved
from training.labels import (
    ONLY_SCORED,
    LabelsById,
    lay_labels,
    list_excerpts,
    list_overruled,
    match_labels,
    merge_labels,
    pass_over_open,
    read_labels,
)
from training.leaks import find_leaks, join_documents
from training.matching import is_written_as_float
from training.present import check_labels
from training.public import HUB_PREFIX, name_file, name_hub
from twohands.errors import DataError, FileReadError, LeakError
from twohands.examples import Example, Row, check_rows, expand_paths, finish_examples, read_rows
from twohands.hashing import sha256_of_file, sha256_of_list
from twohands.manifest import DataFile
from twohands.taxonomy import Taxonomy
from twohands.values import is_empty_cell


@dataclass(frozen=True, slots=True)
class Splits:
    """The rows of a run. `files` says where they came from, `n_left_out` how many of train have no label.

    `overruled` tells by labels file and head how many rows have another label of their own, which wins; `unmatched`
    tells by labels file how many of its ids are of no row of train, and how many it has; `unsourced` names the sources
    that are names of files, of rows without one; `misnamed` has what `nan` and the like stood for a document, by how
    many rows had it: each of these is a document of its own.
    """

    train: list[Example]
    dev: list[Example]
    test: list[Example]
    files: list[DataFile]
    n_left_out: int = 0
    overruled: Sequence[tuple[str, str, int]] = ()
    unmatched: Sequence[tuple[str, int, int]] = ()
    unsourced: Collection[str] = ()
    misnamed: Mapping[str, int] = field(default_factory=dict)


def place_name(name: str, root: Path | None) -> Path:
    """Say where a file of rows is that a config names: from its root, or from the working folder with `./`.

    Args:
        name: of a file or a folder, or `hub:` and the name of a folder.
        root: the config's `data.root`.

    Returns:
        Its path, whether something stands there or not.
    """
    is_hub = name.startswith(HUB_PREFIX)
    plain = name.removeprefix(HUB_PREFIX).partition("#")[0] if is_hub else name
    return Path(plain) if is_hub or name.startswith("./") else (root or Path()) / name


def _resolve(names: Iterable[str], root: Path | None) -> list[Path]:
    places = [place_name(name, root) for name in names]
    refuse_saved(places)
    return expand_paths(places)


def _name_rows(rows: Iterable[Row], path: Path, root: Path | None) -> Iterator[Row]:
    """Give rows without an id one that does not depend on where the root is: augmentation and replay draw by id."""
    inside = root is not None and path.is_relative_to(root)
    # Of a file of the root and its namesake in the working folder, rows would be of the same documents.
    twin = None if root is None or inside or path.is_absolute() else root / path
    is_namesake = twin is not None and twin.is_file() and not twin.samefile(path)
    for row in rows:
        if (inside or is_namesake) and row.cells.get("id") is None:
            line = row.place.removeprefix(str(path))
            cells = {**row.cells, "id": (name_file(path, root) if inside else f"./{path}") + line}
            yield Row(cells, row.place, row.list_columns())  # the made-up id is no column that a fault may tell of
        else:
            yield row


def _read_ids(config: DataConfig) -> dict[str, bool]:
    """Ids of all rows of train, labelled or not, and whether their file has them as 7.0; see `match_ids`."""
    ids: dict[str, bool] = {}

    def note(rows: Iterable[Row], *, are_floats: bool = False) -> None:
        for row in rows:
            if (identifier := row.cells.get("id")) is not None:
                ids[str(identifier)] = are_floats or ids.get(str(identifier), False)

    with suppress(FileReadError, OSError):  # told of when the rows are read
        for name in config.train:
            if name.startswith(HUB_PREFIX):
                note(read_hub(name))
                continue
            for path in _resolve([name], config.root):
                rows = read_rows(path, [], columns={"id", "text"})
                note(_name_rows(rows, path, config.root), are_floats=is_written_as_float(path))
    return ids


def _note_unsourced(rows: Iterable[Row], source: str, unsourced: set[str]) -> Iterator[Row]:
    for row in rows:
        if row.cells.get("source") is None:
            unsourced.add(source)
        yield row


def _show_rows(rows: Iterable[Row], name: str) -> Iterator[Row]:
    """Count rows on standard error, where they are so many that somebody waits for them."""
    with open_bar(f"reading {name}", total=None, unit="row", delay_s=5) as bar:
        for row in rows:
            yield row
            bar.update()


def _part_misnamed(rows: Iterable[Row], misnamed: Counter[str]) -> Iterator[Row]:
    """Leave rows of a document called `nan` to be documents of their own, as those of an empty cell are."""
    for row in rows:
        group = row.cells.get("group")
        if isinstance(group, str) and is_empty_cell(group):
            misnamed[group] += 1
            cells = {name: cell for name, cell in row.cells.items() if name != "group"}
            yield Row(cells, row.place, row.list_columns())
        else:
            yield row


# Of `Example.columns`: how often an epoch shows the row, where that is more than once.
_TIMES = "twohands.times"


def _mark(example: Example, times: int) -> Example:
    """Note how often an epoch is to show a row."""
    return example if times == 1 else dataclasses.replace(example, columns={**example.columns, _TIMES: times})


def _load_split(
    names: Sequence[str],
    root: Path | None,
    taxonomy: Taxonomy,
    split: str,
    unsourced: set[str],
    misnamed: Counter[str],
    labels: LabelsById | None = None,
    repeat: Mapping[str, int] = MappingProxyType({}),
    excerpt_times: Mapping[str, int] = MappingProxyType({}),
) -> tuple[list[Example], list[DataFile], list[str]]:
    """Examples, files, and the places of rows that stayed without a label, in a sheet or where `labels` were laid."""
    hub = [name for name in names if name.startswith(HUB_PREFIX)]
    plain = [name for name in names if not name.startswith(HUB_PREFIX)]
    paths = _resolve(plain, root)
    times = {path: n for name, n in repeat.items() if name in plain for path in _resolve([name], root)}
    examples: list[Example] = []
    files: list[DataFile] = []
    faults: list[str] = []
    left_out: list[str] = []

    excerpts = {} if labels is None else list_excerpts(labels)

    def check(raw: Iterable[Row], source: str) -> list[Example]:
        raw = laid = _part_misnamed(_note_unsourced(raw, source, unsourced), misnamed)
        if labels is not None:
            laid = lay_labels(cut_excerpts(raw, excerpts, faults), labels, taxonomy, left_out)
        elif split == "train":
            laid = pass_over_open(raw, taxonomy, left_out)
        return check_rows(laid, taxonomy, faults, default_source=source, taxonomy_option="--set taxonomy=FILE")

    def add(rows: list[Example], name: str, digest: str, times: int) -> None:
        n_rows = sum(row.id not in excerpt_times for row in rows)
        files.append(DataFile(split=split, name=name, sha256=digest, n_rows=n_rows))
        examples.extend(_mark(row, excerpt_times.get(row.id, times)) for row in rows)

    for name in hub:
        public = name_hub(name)
        rows = check(read_hub(name), public.removeprefix(HUB_PREFIX).partition("#")[0])
        digest = sha256_of_list([row.id, row.paragraph, str(dict(row.labels))] for row in rows)
        add(rows, public, digest, repeat.get(name, 1))
    for path in paths:
        rows = check(_name_rows(_show_rows(read_rows(path, faults), path.name), path, root), path.stem)
        add(rows, name_file(path, root), sha256_of_file(path), times.get(path, 1))
    finish_examples(examples, faults, f"data.{split}")
    return examples, files, left_out


_WITHOUT = {
    "dev": "without such a file, --set data.dev=null --set data.dev_fraction=0.2 holds out a fifth of train",
    "test": "without such a file, --set data.test=null",
}
# Of a checkpoint. Dev drawn anew would be rows that it learnt from, which is refused (#3).
_ROOT = "--set data.root=FOLDER says where the rows are now"
_MOVED = {"train": _ROOT, "dev": _ROOT, "test": f"{_ROOT}, --set data.test=null does without this file"}


def _load_row_splits(
    config: DataConfig,
    taxonomy: Taxonomy,
    labels: LabelsById | None,
    excerpt_times: Mapping[str, int],
    unsourced: set[str],
    misnamed: Counter[str],
    hints: Mapping[str, str],
) -> tuple[dict[str, list[Example]], dict[str, list[DataFile]], list[str]]:
    """Rows and files by split, and the places of rows of train that stay without a label.

    What is wrong with any split is told at once: whoever mends train should not learn of dev afterwards.
    """
    rows: dict[str, list[Example]] = {"train": [], "dev": [], "test": []}
    files: dict[str, list[DataFile]] = {"train": [], "dev": [], "test": []}
    left_out: list[str] = []
    wrong: list[FileReadError | DataError] = []
    for split, names in (("train", config.train), ("dev", config.dev), ("test", config.test)):
        if names is None:
            continue
        try:
            found, files[split], without = _load_split(
                names,
                config.root,
                taxonomy,
                split,
                unsourced,
                misnamed,
                labels if split == "train" else None,
                (config.repeat if split == "train" else None) or {},
                excerpt_times if split == "train" else {},
            )
        except DataError as error:
            wrong.append(error)
        except FileReadError as error:
            hint = f"; {hints[split]}" if split in hints else ""
            wrong.append(FileReadError(f"data.{split}: {error}{hint}"))
        else:
            rows[split] = found
            left_out += without
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        faults = [
            fault for error in wrong for fault in (error.faults if isinstance(error, DataError) else [str(error)])
        ]
        if all(isinstance(error, FileReadError) for error in wrong):
            raise FileReadError("\n".join(["the splits cannot be read:", *(f"  - {fault}" for fault in faults)]))
        raise DataError("the splits cannot be used; nothing was read", faults)
    return rows, files, left_out


def count_copies(example: Example) -> int:
    """Say how often an epoch is to show a row."""
    times = example.columns.get(_TIMES, 1)
    return times if isinstance(times, int) else 1


def repeat_examples(examples: Sequence[Example]) -> list[Example]:
    """Give each row as often as an epoch is to show it.

    Args:
        examples: rows as `load_splits` reads them.

    Returns:
        The rows in their order, then the second copies of those that come twice and more, then the third, and so on.
    """
    repeated = list(examples)
    number = 2
    while again := [example for example in examples if count_copies(example) >= number]:
        repeated += again
        number += 1
    return repeated


def _count_excerpts(config: DataConfig, by_file: Mapping[Path, LabelsById]) -> dict[str, int]:
    """How often an epoch shows each excerpt that the labels files name."""
    times: dict[str, int] = {}
    for name in config.labels or ():
        named = [of_row for path in _resolve([name], config.root) for of_row in list_excerpts(by_file[path]).values()]
        n_times = (config.repeat or {}).get(name)
        if n_times is not None and not named:
            raise DataError(
                "data.repeat cannot be followed",
                [f"{name} is a file of labels and holds no excerpt; name the rows of data.train that are to be shown"],
            )
        for identifier in (identifier for of_row in named for identifier, _ in of_row):
            # A later file that is not to be repeated, as one of scores, may speak of the same excerpt.
            times[identifier] = max(times.get(identifier, 1), n_times or 1)
    return times


def load_splits(config: DataConfig, taxonomy: Taxonomy, *, seed: int, is_trained: bool = False) -> Splits:
    """Read every split of a run, whole or not at all.

    Args:
        config: where the rows are.
        taxonomy: which heads and labels there are.
        seed: for holding out dev where it has no files; rows that only a teacher scored are never held out.
        is_trained: the rows are those of a checkpoint, which may have moved since.

    Returns:
        Rows that share no document and no text between splits.

    Raises:
        FileReadError: a file is missing or of an unknown kind.
        DataError: rows cannot be used, a split is empty, train lacks a label, or a labels file speaks of none of its
            rows; all faults at once.
        LeakError: two splits share a document or a text; the pairs are named, and the labels that train or dev lack.
    """
    labels = None
    by_file: dict[Path, LabelsById] = {}
    row_ids: dict[str, bool] = {}
    files: list[DataFile] = []
    if config.labels is not None:
        paths = _resolve(config.labels, config.root)
        row_ids = _read_ids(config)
        by_file = match_labels(read_labels(paths, taxonomy), row_ids)
        labels = merge_labels(by_file.values())
        files += [
            DataFile(
                split="labels",
                name=name_file(path, config.root),
                sha256=sha256_of_file(path),
                n_rows=len(by_file[path]),
            )
            for path in paths
        ]
    excerpt_times = _count_excerpts(config, by_file)
    unsourced: set[str] = set()
    misnamed: Counter[str] = Counter()
    hints = _MOVED if is_trained else _WITHOUT
    rows, row_files, left_out = _load_row_splits(config, taxonomy, labels, excerpt_times, unsourced, misnamed, hints)
    train, dev, test = rows["train"], rows["dev"], rows["test"]
    files = row_files["train"] + files + row_files["dev"] + row_files["test"]
    ids = {example.id for example in train}.union(row_ids)  # a row that stays without a label is one, too
    strange = [path for path, by_id in by_file.items() if not by_id.keys() & ids]
    if strange:
        faults = [f"{path}: none of its {len(by_file[path])} ids is one of a row in data.train" for path in strange]
        raise DataError("labels are laid over no row", faults)
    matched = {path: len(by_id.keys() & ids) for path, by_id in by_file.items()}
    unmatched = [
        (name_file(path, config.root), len(by_id) - matched[path], len(by_id))
        for path, by_id in by_file.items()
        if matched[path] < len(by_id)
    ]
    overruled = [(name_file(p, config.root), head, n) for p, head, n in list_overruled(train, by_file, taxonomy)]
    if config.dev_fraction is not None:
        # A teacher's guess is no truth to select and calibrate by; its row leaves with the document all the same.
        known = [example for example in train if not example.columns.get(ONLY_SCORED)]
        joined = join_documents(train, near_duplicate_jaccard=config.near_duplicate_jaccard)
        _, dev = hold_out(known, fraction=config.dev_fraction, seed=seed, joined=joined)
        held = {joined[example.group] for example in dev}
        train = [example for example in train if joined[example.group] not in held]
    shared, leaks = find_leaks(
        {"train": train, "dev": dev, "test": test}, near_duplicate_jaccard=config.near_duplicate_jaccard
    )
    try:
        check_labels(train, dev, taxonomy, is_dev_held_out=config.dev_fraction is not None)
    except DataError as error:
        if leaks:  # a misspelt column should not be learnt of only after them
            raise LeakError(f"{shared}; and {error.heading}", [*error.faults, *leaks]) from error
        raise
    if leaks:
        raise LeakError(shared, leaks)
    return Splits(train, dev, test, files, len(left_out), overruled, unmatched, sorted(unsourced), misnamed)
