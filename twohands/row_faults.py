"""Owns how what is wrong with rows is told: by file and line, and what many cells share once, with a likely remedy.

Knows nothing of files and taxonomies.
"""

import difflib
import functools
from collections import Counter
from collections.abc import Iterable, Sequence

_LIKE = 0.75  # share of letters in common from which a word is taken for a misspelt one


class LabelWordsError(ValueError):
    """Words of one cell that are no labels; `faults` has one line a word, the same in every row."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(self.faults))


class RowError(ValueError):
    """What is wrong with one row: `own` is the row's alone, `shared` is of words that other rows may have, too."""

    def __init__(self, place: str, own: Iterable[str], shared: Iterable[str]) -> None:
        self.place, self.own, self.shared = place, list(own), list(dict.fromkeys(shared))
        super().__init__("; ".join([*self.own, *self.shared]))


@functools.lru_cache(maxsize=4096)
def _suggest(word: str, names: tuple[str, ...]) -> str:
    """The end of a fault, `; did you mean 'praise'?`, or nothing."""
    plain = word.strip().casefold()
    if plain in names:
        return f"; did you mean {plain!r}?"
    if len(plain) > 2 * max(map(len, names)):  # a text in the column of labels is like none of them
        return ""
    return "".join(f"; did you mean {like!r}?" for like in difflib.get_close_matches(plain, names, 1, _LIKE))


def tell_unknown(head: str, word: object, names: tuple[str, ...]) -> str:
    """Say that a word is no label of a head.

    Args:
        head: the head's name.
        word: what stood in the cell.
        names: the head's labels.

    Returns:
        One line that names the labels, and the likeliest of them where the word is like one.
    """
    return f"{head} {word!r} is none of {', '.join(names)}{_suggest(word, names) if isinstance(word, str) else ''}"


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
                lines.append(f"{error.place} and {n_more} more row{'s'[: n_more != 1]}: {fault}")
                counts[fault] = 0  # told
    return lines
