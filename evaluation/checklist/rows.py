"""Owns the user's own paragraphs, whose answers must survive the changes, too; they need no labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.checklist.draws import make_generator
from twohands.errors import DataError, InputError
from twohands.examples import expand_paths, read_rows
from twohands.hashing import sha256_of_file, sha256_of_value
from twohands.paragraphs import normalise
from twohands.row_faults import FileFault, tell_case, tell_once
from twohands.values import name_document


@dataclass(frozen=True, slots=True)
class RowText:
    """A paragraph and its document."""

    group: str
    paragraph: str


@dataclass(frozen=True, slots=True)
class RowTexts:
    """Paragraphs of the user's files; `n_read` were read, of which `texts` were drawn."""

    texts: list[RowText]
    n_read: int
    files: list[dict[str, object]]

    def describe(self) -> dict[str, object]:
        """Name what was read, so that a figure can be traced to its rows."""
        return {
            "files": self.files,
            "n_read": self.n_read,
            "n_rows": len(self.texts),
            "n_groups": len({text.group for text in self.texts}),
            "fingerprint": sha256_of_value([[text.group, text.paragraph] for text in self.texts]),
        }


def load_texts(paths: Sequence[Path], *, at_most: int, seed: int) -> RowTexts:
    """Read the column `text`, and `group` where there is one.

    Args:
        paths: files, or folders of them.
        at_most: a seeded sample of so many rows.
        seed: of the sample.

    Returns:
        The paragraphs in their order.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
        DataError: a row has no text, or a column is called like one of the two but for case and blanks; all faults at
            once.
    """
    faults: list[str] = []
    texts: list[RowText] = []
    files: list[dict[str, object]] = []
    for path in expand_paths(paths):
        before = len(texts)
        for row in read_rows(path, faults):
            # `Group` was passed over, and rows of one document were cases of their own (#6).
            misspelt = tell_case(row.list_columns(), ("text", "group"))
            faults += [FileFault(f"{path}: {fault}", row.place, fault) for fault in misspelt]
            try:
                paragraph = normalise(row.cells.get("text"))
            except InputError as error:
                faults.append(f"{row.place}: text: {error}")
                continue
            # As one case, all rows whose document pandas wrote as `nan` would say nothing: [0, 1] (#6).
            texts.append(RowText(name_document(row.cells.get("group"), row.place), paragraph))
        files.append({"name": str(path), "sha256": sha256_of_file(path), "n_rows": len(texts) - before})
    if faults:
        raise DataError(f"{', '.join(map(str, paths))} cannot be used; nothing was run", tell_once(faults))
    chosen = texts
    if len(texts) > at_most:
        places = sorted(make_generator(seed, "rows").sample(range(len(texts)), at_most))
        chosen = [texts[place] for place in places]
    return RowTexts(chosen, len(texts), files)
