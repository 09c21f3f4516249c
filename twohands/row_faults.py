"""Owns how what is wrong with rows is told: by file and line, and what many cells share once, with a likely remedy.

Knows nothing of files and taxonomies.
"""

import difflib
import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from twohands.values import is_empty_cell

_LIKE = 0.75  # share of letters in common from which a word is taken for a misspelt one
_LIKE_COLUMN = 0.8  # "texts" for "text", and not "test"
_NO_LETTER = re.compile(r"[^a-z0-9]+")
_NO_LABEL = "no label: "
_BETWEEN_LABELS = re.compile(r"[\s,;/\[\](){}'\"]+")
_OF_LABEL_STUDIO = re.compile(r'\{"choices": *(\[.*\])\}')  # a cell of several choices in its CSV


class LabelWordsError(ValueError):
    """Words of one cell that are no labels; `faults` has one line a word, the same in every row."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(self.faults))


class FileFault(str):
    """A row's fault that comes of how its `file` was written, so that nearly all rows may have it; see `tell_once`."""

    def __new__(cls, file: str, place: str, what: str, *, n_alone: int = 1) -> "FileFault":
        """Join place and fault as others have them; up to `n_alone` rows of a file are told of one by one."""
        fault = super().__new__(cls, f"{place}: {what}")
        fault.file, fault.place, fault.what, fault.n_alone = file, place, what, n_alone
        return fault

    file: str
    place: str
    what: str
    n_alone: int


class RowError(ValueError):
    """What is wrong with one row: `own` is the row's alone, `shared` is of words that other rows may have, too."""

    def __init__(self, place: str, own: Iterable[str], shared: Iterable[str]) -> None:
        self.place, self.own, self.shared = place, list(own), list(dict.fromkeys(shared))
        super().__init__("; ".join([*self.own, *self.shared]))


@functools.lru_cache(maxsize=4096)
def find_like(word: str, names: tuple[str, ...]) -> str | None:
    """Find the likeliest name.

    Args:
        word: what was found.
        names: what was expected, at least one.

    Returns:
        One of the names, or None where the word is like none.
    """
    plain = word.strip().casefold()
    if plain in names:
        return plain
    if len(plain) > 2 * max(map(len, names)):  # a text in the column of labels is like none of them
        return None
    return next(iter(difflib.get_close_matches(plain, names, 1, _LIKE)), None)


def suggest(word: str, names: tuple[str, ...]) -> str:
    """Ask for the likeliest name.

    Args:
        word: what was found.
        names: what was expected, at least one.

    Returns:
        The end of a fault, `; did you mean 'praise'?`, or nothing.
    """
    like = find_like(word, names)
    return "" if like is None else f"; did you mean {like!r}?"


@functools.lru_cache(maxsize=256)
def find_meant(columns: tuple[str, ...], wanted: tuple[str, ...]) -> dict[str, str]:
    """Find the columns that are likely meant by names that no column has.

    Args:
        columns: their names, as they stand.
        wanted: names that would be read.

    Returns:
        By the name that is absent, the column that is like it.
    """
    others = {name.strip().casefold(): name for name in columns if name not in wanted}
    pairs = ((name, _find_column(name, others)) for name in wanted if name not in columns)
    return {name: found for name, found in pairs if found is not None}


@functools.lru_cache(maxsize=256)
def tell_columns(columns: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """List the columns that there are, for a fault that misses some.

    Args:
        columns: their names, as they stand.
        wanted: names that would be read; other columns are kept, and mean nothing.

    Returns:
        In brackets; and what is like one that is wanted and absent, as a header of another case is.
    """
    meant = ", ".join(f"{found!r} for {name}" for name, found in find_meant(columns, wanted).items())
    return f"(columns: {', '.join(columns) or 'none'})" + (f"; did you mean {meant}?" if meant else "")


@functools.lru_cache(maxsize=256)
def tell_case(columns: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Tell of columns that are like an absent one but for case and blanks: each would be passed over in silence.

    Args:
        columns: their names, as they stand.
        wanted: names that would be read.

    Returns:
        A fault for each.
    """
    meant = {name: name.strip().casefold() for name in columns if name not in wanted}
    return tuple(
        f"column {name!r} is not {plain!r}, by case or blanks alone, and would not be read; rename it"
        for name, plain in meant.items()
        if plain in wanted and plain not in columns
    )


def _find_column(name: str, others: dict[str, str]) -> str | None:
    """The column that is like an absent one; or holds its name as a word, as complaint_text does, if only one does."""
    near = difflib.get_close_matches(name.casefold(), others, 1, _LIKE_COLUMN)
    holding = [other for other in others if name.casefold() in _NO_LETTER.split(other)]
    found = near or (holding if len(holding) == 1 else [])
    return others[found[0]] if found else None


def suggest_bars(word: str, names: tuple[str, ...]) -> str:
    """Say how several labels are written, where a cell has them as lists are printed, or with commas between them.

    Args:
        word: what was found.
        names: what was expected.

    Returns:
        The end of a fault, or nothing.
    """
    words = [each for each in _BETWEEN_LABELS.split(_OF_LABEL_STUDIO.sub(r"\1", word)) if each]
    are_labels = bool(words) and all(each in names for each in words)
    several = ", as labels are joined by a bar" if len(words) > 1 else ""
    return f"; write {'|'.join(words)}{several}" if are_labels else ""


def tell_unknown(head: str, word: object, names: tuple[str, ...], *, are_several: bool = False) -> str:
    """Say that a word is no label of a head.

    Args:
        head: the head's name.
        word: what stood in the cell.
        names: the head's labels.
        are_several: whether a cell may name several.

    Returns:
        One line that names the labels, and the likeliest of them where the word is like one, or all that it holds.
    """
    # As pandas may write a cell without a label, NaN among them.
    is_nothing = is_empty_cell(str(word)) or (isinstance(word, str) and not word.strip())
    if isinstance(word, int | float) and not is_nothing:
        if any(name.isdecimal() for name in names):
            return f"{head} {word!r} is none of {', '.join(names)}"
        kind = "true or false" if isinstance(word, bool) else "a number"
        return f"{head} {word!r} is {kind}, expected one of the words {', '.join(names)}; write which it stands for"
    meant = ""
    if isinstance(word, list | tuple) and not are_several:
        meant = "; the head is one-of: write one word, not a list"
    if isinstance(word, str):
        meant = (are_several and suggest_bars(word, names)) or suggest(word, names)
    if is_nothing and not meant:
        none = ", - or [] that none applies" if are_several else ""
        meant = f"; an empty cell, or null in JSONL, says that nobody looked{none}"
    return f"{head} {word!r} is none of {', '.join(names)}{meant}"


def tell_no_words(head: str, value: object) -> str:
    """Say that what stands for the labels of an any-of head is neither a list nor a string.

    Args:
        head: the head's name.
        value: what was found.

    Returns:
        One line; of an object that holds a list, as Label Studio exports several choices, where that is to stand.
    """
    found, remedy = type(value).__name__, ""
    if isinstance(value, Mapping):
        found = f"an object of {', '.join(map(str, value)) or 'nothing'}"
        lists = [key for key, inner in value.items() if isinstance(inner, list)]
        remedy = f"; put the list of {lists[0]} in its place" if len(lists) == 1 else ""
    return f"{head} is {found}, expected a list of labels or labels joined by |{remedy}"


def advise_taxonomy(option: str) -> str:
    """Say how a command is told of other labels than those it knows.

    Args:
        option: the words that name another taxonomy to it.

    Returns:
        The end of a fault.
    """
    return f"other labels than these: {option}"


def tell_unlabelled(heads: Sequence[str], columns: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """Say that a row has no label of any head.

    Args:
        heads: their names.
        columns: names of the row's columns, as they stand.
        wanted: names that would be read.

    Returns:
        One line, the same for all rows of these columns.
    """
    return f"{_NO_LABEL}none of the columns {', '.join(heads)} is filled {tell_columns(columns, wanted)}"


def advise_unlabelled(found: Iterable[RowError], any_of: Sequence[str], option: str | None) -> None:
    """Say of rows without a label, beside others of their file that have one, what to do.

    Args:
        found: those rows; what is wrong with them is told with its remedy from now on.
        any_of: names of the heads of which none of the labels may apply.
        option: by which the command that reads them leaves such rows out, if it has one.
    """
    out = "leave such rows out" + (f" ({option})" if option else "")
    none = f", or write - (in JSON []) where no {' or '.join(any_of)} applies" if any_of else ""
    for error in found:
        error.shared = [
            # Where a column is asked about, that is the remedy.
            f"{fault}; {out}{none}" if fault.startswith(_NO_LABEL) and not fault.endswith("?") else fault
            for fault in error.shared
        ]


def _count_more(place: str, n_more: int) -> str:
    return f"{place} and {n_more} more row{'s'[: n_more != 1]}"


def tell_once(faults: Sequence[str]) -> list[str]:
    """Tell what is wrong with a whole file once.

    Args:
        faults: of rows.

    Returns:
        The faults, those of a file that are `FileFault`s, where they are more than are told one by one, as the first
        of them with the number of rows.
    """
    counts = Counter(fault.file for fault in faults if isinstance(fault, FileFault))
    lines: list[str] = []
    for fault in faults:
        if not isinstance(fault, FileFault) or 0 < counts[fault.file] <= fault.n_alone:
            lines.append(fault)
        elif counts[fault.file]:
            lines.append(f"{_count_more(fault.place, counts[fault.file] - 1)}: {fault.what}")
            counts[fault.file] = 0  # told
    return lines


def tell_faults(found: Sequence[RowError]) -> list[str]:
    """Describe rows that cannot be used.

    Args:
        found: in the order of the rows.

    Returns:
        A line for each row, but for what several share: that is told once, where it first stands, with the number of
        rows. A renamed label is one fault and not as many as there are rows.
    """
    counts = Counter(fault for error in found for fault in error.shared)
    lines: list[str] = []
    for error in found:
        own = [*error.own, *(fault for fault in error.shared if counts[fault] == 1)]
        if own:
            lines.append(f"{error.place}: {'; '.join(own)}")
        for fault in error.shared:
            n_more = counts[fault] - 1
            if n_more > 0:
                lines.append(f"{_count_more(error.place, n_more)}: {fault}")
                counts[fault] = 0  # told
    return lines
