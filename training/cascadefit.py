"""Owns what two models say of rows beside one another: in how far the second, asked where the first doubts, helps."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.bars import open_bar
from training.calibration import fit_rules
from training.leaks import find_leaks
from training.present import list_absent
from twohands import Classifier
from twohands.cascade import measure_doubt
from twohands.classifier import join_sessions
from twohands.decide import decide_all
from twohands.encoding import EncodedParagraph
from twohands.errors import DataError, LeakError
from twohands.examples import Example, Labels, check_rows, expand_paths, finish_examples, read_rows
from twohands.hashing import sha256_of_file
from twohands.manifest import DataFile
from twohands.metrics import score_heads
from twohands.scores import Scores
from twohands.taxonomy import Taxonomy
from twohands.windows import Logits, aggregate_windows

Figures = dict[str, dict[str, dict[str, object]]]  # by split and head
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
_CHUNK = 32


@dataclass(frozen=True, slots=True)
class Split:
    """Labelled rows and the files that they came from."""

    examples: list[Example]
    files: list[DataFile]


@dataclass(frozen=True, slots=True)
class Heard:
    """What two models say of the windows of some paragraphs, both calibrated, shape `(n_windows, n_labels)`.

    `doubt` is the first one's, shape `(n_windows,)`; `cost` how many times the first one's time a window takes the
    second.
    """

    first: Logits
    second: Logits
    doubt: Scores
    counts: list[int]
    cost: float

    def find_level(self, share: float) -> float:
        """The doubt from which on such a share of windows has it, at least one; above every one for a share of 0."""
        if share <= 0:
            return 1.0
        if share >= 1:  # other text may hold a window that is less doubtful than any of these
            return 0.0
        n_asked = max(round(share * len(self.doubt)), 1)
        return float(np.sort(self.doubt)[::-1][n_asked - 1])

    def blend(self, level: float) -> Logits:
        """What the cascade says of each paragraph, shape `(n, n_labels)`; at a level of 1 the first alone."""
        is_asked = (self.doubt >= level)[:, None]
        mixed = np.where(is_asked, (self.first + self.second) / 2, self.first).astype(np.float32)
        return aggregate_windows(mixed, self.counts)

    def say_second(self) -> Logits:
        """What the second alone says of each paragraph, shape `(n, n_labels)`."""
        return aggregate_windows(self.second, self.counts)


@dataclass(frozen=True, slots=True)
class Offer:
    """One row of the table to choose by: how often the second is asked, what that costs and what it gives on dev.

    `cost` is time, as a multiple of the first model's alone; `macro_f1` by head.
    """

    name: str
    share: float
    cost: float
    macro_f1: dict[str, float]


@dataclass(frozen=True, slots=True)
class Cascade:
    """What was made: the share of dev's windows that the second is asked, the table, and warnings for people."""

    dev_files: list[DataFile]
    share: float
    doubt: float
    offers: list[Offer]
    figures: Figures
    warnings: list[str]


def read_split(paths: Sequence[Path], taxonomy: Taxonomy, *, split: str) -> Split:
    """Read labelled rows.

    Args:
        paths: files, or folders of them.
        taxonomy: of the models.
        split: `dev` or `test`, for the manifest.

    Returns:
        The rows.

    Raises:
        FileReadError: a path is missing or of an unknown kind.
        DataError: rows cannot be used.
    """
    examples: list[Example] = []
    files: list[DataFile] = []
    faults: list[str] = []
    for path in expand_paths(paths):
        rows = check_rows(read_rows(path, faults), taxonomy, faults, default_source=path.stem)
        files.append(DataFile(split=split, name=path.name, sha256=sha256_of_file(path), n_rows=len(rows)))
        examples += rows
    finish_examples(examples, faults, ", ".join(map(str, paths)))
    return Split(examples, files)


def check_unseen(models: Sequence[Classifier], files: Sequence[DataFile]) -> None:
    """Refuse files that a model learnt from, on which it is never in doubt, and to report on what one was chosen by.

    Args:
        models: of the cascade.
        files: to fit or to report on, by their split.

    Raises:
        DataError: the manifest of a model has one among what it was trained on, or one of test among its dev.
    """
    barred = {"dev": {"train", "labels"}, "test": {"train", "labels", "dev"}}
    faults = [
        f"{file.name}, given as {file.split}, is {learnt.name} of {learnt.split} of {model.manifest.name} "
        f"{model.manifest.version}"
        for model in models
        for file in files
        for learnt in model.manifest.training_data.files
        if learnt.split in barred[file.split] and learnt.sha256 == file.sha256
    ]
    if faults:
        heading = "a cascade is fitted on rows that neither model learnt from, and measured on such as chose neither"
        raise DataError(heading, faults)


def check_present(dev: Split, taxonomy: Taxonomy) -> None:
    """Refuse rows to fit on in which a label never stands: nothing could be fitted for it.

    Args:
        dev: the rows.
        taxonomy: of both models.

    Raises:
        DataError: a label is absent; all faults at once.
    """
    faults = [
        f"dev has no row with {head.name} {', '.join(absent)}"
        for head in taxonomy.heads
        if (absent := list_absent(dev.examples, head))
    ]
    if faults:
        raise DataError("dev lacks labels, for which nothing can be fitted; add such rows", faults)


def check_apart(dev: Split, test: Split) -> None:
    """Refuse rows to report on that the cascade was fitted on.

    Args:
        dev: what chooses.
        test: what is reported on.

    Raises:
        LeakError: both hold a document or a text.
    """
    # Texts that are nearly the same are not looked for: where forms make them so, nothing here could say otherwise.
    heading, leaks = find_leaks({"dev": dev.examples, "test": test.examples}, near_duplicate_jaccard=None)
    if leaks:
        raise LeakError(heading, leaks)


def hear(first: Classifier, second: Classifier, paragraphs: Sequence[EncodedParagraph], *, name: str) -> Heard:
    """Ask both models everything.

    Args:
        first: the small one.
        second: the large one, which reads the first one's ids translated.
        paragraphs: encoded by the first.
        name: of the rows, for the bar.

    Returns:
        What they say.

    Raises:
        DataError: they do not fit together, are the same, or one is a cascade itself.
    """
    calibrations = {head: rule.calibration for head, rule in first.manifest.rules.items()}
    if first.manifest.cascade is not None:
        raise DataError("these models cannot make a cascade", [f"{first.manifest.name} is a cascade itself"])
    if first.sha256 == second.sha256:
        raise DataError("these models cannot make a cascade", [f"{first.manifest.name} was given as both of them"])
    try:
        whole = join_sessions(first, second, first_calibrations=calibrations, doubt=0)
    except ValueError as error:
        raise DataError("these models cannot make a cascade", [str(error)]) from error
    windows = [window for paragraph in paragraphs for window in paragraph.windows]
    said: tuple[list[Logits], list[Logits]] = ([], [])
    spent_s = [0.0, 0.0]
    asks = (whole.ask_first, whole.ask_second)
    with open_bar(f"asking both models of {name}", total=len(windows), unit="window") as bar:
        for start in range(0, len(windows), _CHUNK):
            chunk = windows[start : start + _CHUNK]
            for number, ask in enumerate(asks):
                began_s = time.perf_counter()
                said[number].append(ask(chunk))
                spent_s[number] += time.perf_counter() - began_s
            bar.update(len(chunk))
    logits_first, logits_second = map(np.concatenate, said)
    return Heard(
        first=logits_first,
        second=logits_second,
        doubt=measure_doubt(logits_first, first.taxonomy),
        counts=[len(paragraph.windows) for paragraph in paragraphs],
        cost=spent_s[1] / spent_s[0],
    )


def offer_shares(
    heard: Heard, labels: Labels, taxonomy: Taxonomy, shares: Sequence[float] = SHARES, *, chosen: float | None = None
) -> list[Offer]:
    """Show what several shares would give and cost, each with calibration and thresholds fitted anew.

    Args:
        heard: of dev.
        labels: shape `(n, n_labels)` of 0, 1 or -100.
        taxonomy: of both models.
        shares: of windows that the second is asked.
        chosen: the share that is taken, shown among them in bold.

    Returns:
        One offer for each, from the smallest share on, and one of the second model alone.
    """

    def score(logits: Logits) -> dict[str, float]:
        return score_heads(decide_all(logits, taxonomy, fit_rules(logits, labels, taxonomy)), labels, taxonomy)

    offers = [
        Offer(
            f"**{share:.0%}**" if share == chosen else f"{share:.0%}",
            share,
            1 + share * heard.cost,
            score(heard.blend(heard.find_level(share))),
        )
        for share in sorted({*shares, *([] if chosen is None else [chosen])})
    ]
    return [*offers, Offer("second alone", 1.0, heard.cost, score(heard.say_second()))]
