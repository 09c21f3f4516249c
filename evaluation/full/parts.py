"""Owns the parts of a full report: which commands it runs, in which order, and where each writes. Measures nothing."""

import contextlib
import io
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from evaluation.agreement.commands import agreement
from evaluation.agreement.page import PAGE_NAME as PEOPLE_PAGE
from evaluation.agreement.page import REPORT_NAME as PEOPLE_NAME
from evaluation.checklist.commands import checklist
from evaluation.checklist.page import PAGE_NAME as CHECKLIST_PAGE
from evaluation.checklist.page import REPORT_NAME as CHECKLIST_NAME
from evaluation.commands import evaluate
from evaluation.compare_command import compare
from evaluation.full.behaviour import ChosenSuites
from evaluation.report import METRICS_NAME
from evaluation.report import PAGE_NAME as METRICS_PAGE
from evaluation.report_comparison import COMPARISON_NAME, COMPARISON_PAGE_NAME

PEOPLE, BEHAVIOUR, BASELINE, FIGURES = "people", "behaviour", "baseline", "figures"


@dataclass(frozen=True, slots=True)
class Part:
    """One command of the report: `words` are its options; `json_name` and `page_name` stand in the folder `folder`."""

    kind: str
    title: str
    folder: str
    command: click.Command
    words: tuple[str, ...]
    json_name: str
    page_name: str

    @property
    def page(self) -> str:
        """The page's place in the report, for links."""
        return f"{self.folder}/{self.page_name}"


@dataclass(frozen=True, slots=True)
class Shared:
    """Options that every part takes alike; None leaves a part its own default."""

    model: str
    seed: int
    replicates: int
    threads: int | None

    def words(self, *, draws: bool = True) -> list[str]:
        """As options.

        Args:
            draws: whether the part has bootstrap draws.

        Returns:
            Words of a command line, without the model.
        """
        words = ["--seed", str(self.seed)]
        words += ["--replicates", str(self.replicates)] if draws else []
        return words + ([] if self.threads is None else ["--threads", str(self.threads)])


def _repeat(option: str, paths: Sequence[Path]) -> list[str]:
    return [word for path in paths for word in (option, str(path))]


def plan_people(coded: Sequence[str], shared: Shared) -> list[Part]:
    """Read what `--people` says.

    Args:
        coded: `NAME=OPTIONS` each, the options those of `twohands agreement`.
        shared: options of every part.

    Returns:
        One part each.

    Raises:
        UsageError: a name or options are missing, a name stands twice, or `agreement` does not know an option.
    """
    parts: list[Part] = []
    for text in coded:
        name, _, options = text.partition("=")
        try:
            words = shlex.split(options)
        except ValueError as error:
            raise click.UsageError(f"--people {text!r}: {error}") from error
        if not name.strip() or not words:
            raise click.UsageError(
                f"--people {text!r}; expected NAME=OPTIONS of `twohands agreement`, as in "
                "--people 'panels=--data coded.csv --annotators ann ben'"
            )
        words = [*words, "--model", shared.model, *shared.words()]
        # A misspelt option fails now, not after minutes.
        agreement.make_context("agreement", list(words)).close()
        folder = f"people-{_as_folder(name)}"
        if any(part.folder == folder for part in parts):
            raise click.UsageError(f"--people {name!r} stands twice; each needs a name of its own")
        parts.append(Part(PEOPLE, name.strip(), folder, agreement, tuple(words), PEOPLE_NAME, PEOPLE_PAGE))
    return parts


def _as_folder(name: str) -> str:
    kept = "".join(letter if letter.isalnum() else " " for letter in name.lower())
    return "-".join(kept.split()) or "unnamed"


def _name_in_brief(name: str) -> str:
    """A baseline with its folder cut to the last part: a summary names no folder of the machine it was made on."""
    kind, colon, path = name.partition(":")
    return f"{kind}{colon}{Path(path).name if path else ''}"


def plan_baselines(
    baselines: Sequence[str],
    shared: Shared,
    *,
    train: Sequence[Path],
    dev: Sequence[Path],
    data: Sequence[Path],
) -> list[Part]:
    """Say how the model is compared.

    Args:
        baselines: as the sides of `twohands compare`.
        shared: options of every part.
        train: rows that baselines are fitted on.
        dev: rows that they are tuned on; without them, one half of `data` tunes and the other measures.
        data: rows that are measured.

    Returns:
        One part each.
    """
    rows = [*_repeat("--dev", dev), *_repeat("--data", data)] if dev else _repeat("--dev", data)
    words = [*_repeat("--train", train), *rows, *shared.words()]
    return [
        Part(
            BASELINE,
            _name_in_brief(name),
            f"against-{_as_folder(name)}",
            compare,
            (shared.model, name, *words),
            COMPARISON_NAME,
            COMPARISON_PAGE_NAME,
        )
        for name in dict.fromkeys(baselines)
    ]


def plan_figures(data: Sequence[Path], shared: Shared, *, damage_draws: int | None, without_texts: bool) -> Part:
    """Say how the rows are measured.

    Args:
        data: labelled rows.
        shared: options of every part.
        damage_draws: how often damage by chance is drawn; None for neither damaged rows nor other countries.
        without_texts: name mistakes by id only.

    Returns:
        The part.
    """
    words = ["--model", shared.model, *_repeat("--data", data), *shared.words()]
    words += [] if damage_draws is None else ["--robustness", "--damage-draws", str(damage_draws)]
    words += ["--without-texts"] if without_texts else []
    return Part(FIGURES, "figures", "figures", evaluate, tuple(words), METRICS_NAME, METRICS_PAGE)


def plan_behaviour(suites: ChosenSuites, shared: Shared) -> list[Part]:
    """Say how the checklist is run.

    Args:
        suites: which; they fit the model.
        shared: options of every part.

    Returns:
        The part; none where there is no suite.
    """
    if suites.is_empty:
        return []
    words = ["--model", shared.model, *_repeat("--suite", suites.own), *shared.words(draws=False)]
    words += [] if suites.with_shipped else ["--no-shipped"]
    return [Part(BEHAVIOUR, "checklist", "checklist", checklist, tuple(words), CHECKLIST_NAME, CHECKLIST_PAGE)]


def run_parts(parts: Sequence[Part], folder: Path, *, tell: Callable[[str], None]) -> list[Mapping[str, Any]]:
    """Run each part and read what it wrote.

    Args:
        parts: in order.
        folder: of the report.
        tell: called with a line before each part.

    Returns:
        The JSON object of each.

    Raises:
        TwoHandsError: whatever a part raises; the parts before it stay written.
    """
    found = []
    for number, part in enumerate(parts, start=1):
        tell(f"{number}/{len(parts)} {part.command.name}: {part.title}")
        # Its tables are the part's own way to show itself; here its page does.
        with contextlib.redirect_stdout(io.StringIO()):
            part.command.main(
                [*part.words, "--report", str(folder / part.folder)],
                prog_name=f"twohands {part.command.name}",
                standalone_mode=False,
            )
        found.append(json.loads((folder / part.folder / part.json_name).read_text(encoding="utf-8")))
    return found
