"""Owns the layouts in which people's codes come: a column each, a row each, or a list in one cell.

Wide: one row an item, one column an annotator or panel. Long: one row a code. Nested: one row an item, with a list of
objects, each of which is a code.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path

from evaluation.agreement.codings import Codings, Item, Scale
from twohands.errors import DataError, EmptyParagraphError, InputError, UnknownColumnError
from twohands.examples import Row, as_words, expand_paths, read_rows
from twohands.hashing import sha256_of_file, sha256_of_value
from twohands.open_cells import is_open
from twohands.paragraphs import normalise
from twohands.row_faults import (
    FileFault,
    LabelWordsError,
    RowError,
    advise_taxonomy,
    tell_columns,
    tell_faults,
    tell_once,
)
from twohands.taxonomy import Head, ProblemType
from twohands.values import is_empty_cell, read_whole

Json = dict[str, object]
DEFAULT_ITEM, DEFAULT_GROUP = "id", "group"  # what rows may lack: an item is then its row, and a document of its own
_MOST_TOLD = 40  # characters of a text that a fault repeats
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file holds what.

    `columns` name the annotators of a wide file; `codes` the cell of a nested one; neither is a long file. A name with
    dots goes into objects: `experts.mean`. `panel` is a key of each code; codes of one panel become one annotator.
    `where` names values that a row must have in some columns, all of them, else it is passed over.
    """

    item: str
    group: str
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    codes: str | None
    annotator: str
    label: str
    panel: str | None
    where: tuple[tuple[str, str], ...] = ()

    def takes(self, cells: Mapping[str, object]) -> bool:
        """Whether a row has all the values asked for; true and false are written as JSON has them, else as printed."""
        return all(_write(look_up(cells, column)) == value for column, value in self.where)


@dataclass(frozen=True, slots=True)
class _Code:
    """What one annotator gave; `number` is what on the scale stood there, None where the labels did."""

    words: Words
    number: float | None = None


@dataclass(slots=True)
class _Found:
    """One item while its codes are gathered: by panel (empty without), then annotator.

    `named` holds, by column, its document and its texts, each as the first row that has any gives it, and where.
    """

    place: str
    named: dict[str, tuple[str, str]] = field(default_factory=dict)
    codes: dict[str, dict[str, _Code]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadCodings:
    """Codings and where they came from; `n_repeated` codes were an annotator's second of an item and not counted.

    `n_tied` times a panel was tied: over its label, or over one of an any-of head. `notes` are of items that name no
    document.
    """

    codings: Codings
    files: list[Json]
    n_repeated: int
    n_tied: int
    where: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def describe(self) -> Json:
        """Name what was read, so that a figure can be traced to it."""
        codings = self.codings
        rows = [[item.id, dict(given)] for item, given in zip(codings.items, codings.given, strict=True)]
        rows += [[item.id, "tied", dict(tied)] for item, tied in zip(codings.items, codings.tied, strict=True) if tied]
        return {
            "files": self.files,
            "n_items": len(codings.items),
            "n_groups": len({item.group for item in codings.items}),
            "n_annotators": len(codings.annotators),
            "n_codes": sum(map(len, codings.given)),
            "n_repeated": self.n_repeated,
            "n_tied": self.n_tied,
            "where": dict(self.where),
            "fingerprint": sha256_of_value(rows),
        }


def look_up(cells: Mapping[str, object], name: str) -> object:
    """The cell of a column, or what stands in it under a dotted name.

    Args:
        cells: of a row.
        name: a column; else parts joined by dots.

    Returns:
        None where there is none, or a number that is none (NaN), as tables with gaps have it.
    """
    found: object = cells
    for part in (name,) if name in cells else name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return None if isinstance(found, float) and isnan(found) else found


def _list_names(cells: Mapping[str, object]) -> Iterator[str]:
    """Every name by which `look_up` finds a cell, but for those of whole objects."""
    for name, value in cells.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in _list_names(value))
        else:
            yield str(name)


def _write(value: object) -> str | None:
    """A cell as a command line can name it; None where there is none."""
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


class _Reader:
    def __init__(self, layout: Layout, head: Head, scale: Scale | None, *, with_texts: bool) -> None:
        self.layout, self.head, self.scale = layout, head, scale
        self.with_texts = with_texts
        self.found: dict[str, _Found] = {}
        self.faults: list[str] = []
        self.unknown: list[RowError] = []
        self.n_repeated = 0
        self.misnamed: set[str] = set()  # items whose document has the name of an empty cell
        self.columns: dict[str, None] = {}  # of rows, in the order of first sight
        self.keys: dict[str, None] = {}  # of codes, where they lie in a cell

    def choose(self, row: Row) -> None:
        self.columns |= dict.fromkeys([*_list_names(row.cells), *map(str, row.cells)])
        if self.layout.takes(row.cells):
            self.add(row)

    def check_columns(self) -> None:
        """Refuse names that no row has: a misspelt annotator was left out, a misspelt document made each item one."""
        layout = self.layout
        wanted = [*(column for column, _ in layout.where), *layout.columns, *(layout.texts if self.with_texts else ())]
        wanted += [layout.item] if layout.item != DEFAULT_ITEM else []
        wanted += [layout.group] if layout.group != DEFAULT_GROUP else []
        if layout.codes is not None:
            wanted.append(layout.codes)
            self._refuse_absent([layout.label], self.keys, "no code has")
        elif not layout.columns:
            wanted.append(layout.label)
        self._refuse_absent(wanted, self.columns, "no row has a column")

    def _refuse_absent(self, wanted: Sequence[str], names: Mapping[str, None], what: str) -> None:
        absent = [name for name in wanted if name not in names]
        if names and absent:
            leaves = tuple(name for name in names if not any(other.startswith(f"{name}.") for other in names))
            named = ", ".join(map(repr, dict.fromkeys(absent)))
            raise UnknownColumnError(f"{what} {named} {tell_columns(leaves, tuple(dict.fromkeys(wanted)))}")

    def add(self, row: Row) -> None:
        layout = self.layout
        item = read_whole(look_up(row.cells, layout.item))
        name = row.place if item is None else str(item)
        found = self.found.setdefault(name, _Found(row.place))
        self._name(found, name, row)
        if layout.columns:
            for column in layout.columns:
                self._code(found, "", column, look_up(row.cells, column), row.place)
            return
        for cells in self._code_cells(row):
            annotator = read_whole(look_up(cells, layout.annotator))
            panel = "" if layout.panel is None else read_whole(look_up(cells, layout.panel))
            if annotator is None or panel is None:
                lacking = layout.annotator if annotator is None else layout.panel
                self.faults.append(f"{row.place}: no {lacking!r} (there are: {', '.join(map(str, cells)) or 'none'})")
                continue
            self._code(found, str(panel), str(annotator), look_up(cells, layout.label), row.place)

    def _name(self, found: _Found, name: str, row: Row) -> None:
        """Take a row's document and texts, which all rows of an item share: ids that restart are no one item (#6)."""
        columns = {self.layout.group: "document", **dict.fromkeys(self.layout.texts, "text")}
        for column, what in columns.items():
            cell = look_up(row.cells, column)
            spelt = str(read_whole(cell)) if what == "document" else cell
            if cell is None or not isinstance(spelt, str) or not spelt.strip():
                continue
            if what == "document" and is_empty_cell(spelt):  # else all of them would be one document
                self.misnamed.add(name)
                continue
            first, place = found.named.setdefault(column, (spelt, row.place))
            if first != spelt and (what == "document" or _normalise(first) != _normalise(spelt)):
                self.faults.append(
                    FileFault(
                        "items",
                        row.place,
                        f"{self.layout.item} {name!r} has the {column} {_shorten(spelt)}, but {_shorten(first)} at "
                        f"{place}; expected one {what} of one item: name items by --item with a column that is unique "
                        f"to each, or give {'--group' if what == 'document' else '--text'} another column",
                    )
                )

    def _code_cells(self, row: Row) -> Iterator[Mapping[str, object]]:
        if self.layout.codes is None:
            yield row.cells
            return
        cell = look_up(row.cells, self.layout.codes)
        if not isinstance(cell, list) or not all(isinstance(part, Mapping) for part in cell):
            fault = f"{row.place}: {self.layout.codes} is {type(cell).__name__}, expected a list of objects"
            self.faults.append(fault)
            return
        for part in cell:
            self.keys |= dict.fromkeys(_list_names(part))
            yield part

    def _code(self, found: _Found, panel: str, annotator: str, value: object, place: str) -> None:
        if value == "" or is_open(value, self.head) or self._is_gap(value):
            return
        given = found.codes.setdefault(panel, {})
        if annotator in given:
            self.n_repeated += 1  # one person's second look is no second person
            return
        try:
            given[annotator] = self._read(value)
        except LabelWordsError as error:
            self.unknown.append(RowError(place, (), [f"{annotator}: {fault}" for fault in error.faults]))
        except ValueError as error:
            self.faults.append(f"{place}: {annotator}: {error}")

    def _is_gap(self, value: object) -> bool:
        """Whether a cell holds the word for no number, as CSV written from a table with gaps has it."""
        return isinstance(value, str) and value.strip().lower() == "nan" and value not in self.head.label_names

    def _read(self, value: object) -> _Code:
        number = _as_number(value)
        # As pandas writes a column with gaps, 1.0 is the label 1.
        if number is None or str(read_whole(value)) in self.head.label_names:
            return _Code(as_words(value, self.head))
        if self.scale is None:
            raise ValueError(f"found the number {value}; --scale and --cut say which label it stands for")
        return _Code((self.scale.label_of(number),), number)

    def agree(self, found: _Found) -> tuple[dict[str, Words], dict[str, Words], int]:
        """The codes that count, labels over which a panel among them is tied, and how many ties there were at all."""
        if self.layout.panel is None:
            return {name: code.words for name, code in found.codes.get("", {}).items()}, {}, 0
        spoken, tied, n_tied = {}, {}, 0
        for panel, codes in found.codes.items():
            if self.head.problem_type is ProblemType.ANY_OF:
                words, halved = _speak_by_label([code.words for code in codes.values()], self.head)
                n_tied += len(halved)
                if len(halved) < len(self.head.label_names):
                    spoken[panel] = words
                    if halved:
                        tied[panel] = halved
            elif (label := _speak(list(codes.values()), self.scale)) is None:
                n_tied += 1
            else:
                spoken[panel] = label
        return spoken, tied, n_tied

    def note_documents(self, items: Sequence[Item]) -> tuple[str, ...]:
        """Of items that name no document, or one by the name of an empty cell: nobody knows what they are part of."""
        column = self.layout.group
        notes = []
        if all(column not in self.found[item.id].named for item in items):
            notes.append(f"No item names its document (`{column}`): intervals take each as a document of its own.")
        n_misnamed = sum(item.id in self.misnamed and column not in self.found[item.id].named for item in items)
        if n_misnamed > 1:
            notes.append(
                f"{n_misnamed} items have nan or the like as their `{column}`, as pandas may write an empty cell: each "
                "is taken as a document of its own."
            )
        return tuple(notes)


def _speak(codes: Sequence[_Code], scale: Scale | None) -> Words | None:
    """The one label of a panel: by the mean on a scale, else the majority's; None where it is tied.

    Numbers are averaged as they stand: cut to labels first, three of -.3 and one of -.9 took no side (#6). Beside
    labels they are labels, too, as only these can be averaged with each other.
    """
    if scale is not None:
        numbers = [code.number for code in codes if code.number is not None]
        if len(numbers) < len(codes):
            numbers = [scale.labels.index(code.words[0]) - 1 for code in codes]
        return (scale.label_of(sum(numbers) / len(numbers)),)
    given = [code.words for code in codes]
    counts = {words: given.count(words) for words in given}
    most = [words for words, n in counts.items() if n == max(counts.values())]
    return most[0] if len(most) == 1 else None


def _speak_by_label(codes: Sequence[Words], head: Head) -> tuple[Words, Words]:
    """The labels that most of a panel give, and those that just half of it gives, which are not absent but open."""
    apart = {name: 2 * sum(name in words for words in codes) - len(codes) for name in head.label_names}
    return tuple(name for name, n in apart.items() if n > 0), tuple(name for name, n in apart.items() if n == 0)


def _normalise(text: str) -> str:
    try:
        return normalise(text, limit_chars=len(text))
    except EmptyParagraphError:
        return ""


def _shorten(words: str) -> str:
    return repr(words if len(words) <= _MOST_TOLD else words[:_MOST_TOLD] + "…")


def read_codings(
    paths: Sequence[Path], *, layout: Layout, head: Head, scale: Scale | None, with_texts: bool
) -> ReadCodings:
    """Read what people coded.

    Args:
        paths: files, or folders of them.
        layout: where they hold what.
        head: whose labels were given.
        scale: how numbers become labels, and how people agree; None for neither.
        with_texts: whether a model will read the items.

    Returns:
        The items that anybody coded, in the order of the files, annotators in the order of first sight.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
        UnknownColumnError: no row has a column that was named, by which rows are chosen or which holds the codes.
        DataError: a code or a text cannot be read, or fewer than two annotators are left; all faults at once.
    """
    reader = _Reader(layout, head, scale, with_texts=with_texts)
    files: list[Json] = []
    for path in expand_paths(paths):
        n_rows = 0
        for row in read_rows(path, reader.faults):
            n_rows += 1
            reader.choose(row)
        files.append({"name": str(path), "sha256": sha256_of_file(path), "n_rows": n_rows})
    reader.check_columns()
    items, given, tied, n_tied = [], [], [], 0
    for name, found in reader.found.items():
        spoken, tied_here, n_tied_here = reader.agree(found)
        n_tied += n_tied_here
        if not spoken:
            continue
        group, _ = found.named.get(layout.group, (name, ""))
        text = None
        if with_texts:
            try:
                text = normalise(" ".join(found.named[column][0] for column in layout.texts if column in found.named))
            except InputError as error:
                reader.faults.append(f"{found.place}: {' + '.join(layout.texts)}: {error}")
        items.append(Item(name, text, group))
        given.append(spoken)
        tied.append(tied_here)
    annotators = list(dict.fromkeys(annotator for spoken in given for annotator in spoken))
    reader.faults += tell_faults(reader.unknown)
    if reader.unknown and not given:
        reader.faults[-1] += f"; {advise_taxonomy('--model FOLDER of a model that has them, and --head NAME')}"
    if len(annotators) < 2 and not reader.faults:
        reader.faults.append(
            f"annotators found: {', '.join(annotators) or 'none'}; expected two or more; "
            "`twohands agreement --help` shows the layouts"
        )
    if reader.faults:
        raise DataError(f"{', '.join(map(str, paths))} cannot be used; nothing was measured", tell_once(reader.faults))
    codings = Codings(head, items, annotators, list(given), scale, list(tied))
    notes = reader.note_documents(items)
    return ReadCodings(codings, files, reader.n_repeated, n_tied, layout.where, notes)
