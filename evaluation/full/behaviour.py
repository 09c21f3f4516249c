"""Owns which suites a full report runs: the user's own, and the shipped ones where they are of the model's labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.checklist.suites import check_taxonomy, load_suites
from twohands.errors import ConfigError
from twohands.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class ChosenSuites:
    """Suites of a report; `notes` say what was left out and why."""

    own: tuple[Path, ...]
    with_shipped: bool
    notes: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to run."""
        return not self.own and not self.with_shipped


def _fit(taxonomy: Taxonomy) -> bool:
    try:
        check_taxonomy(load_suites((), with_shipped=True), taxonomy)
    except ConfigError:
        return False
    return True


def choose_suites(own: Sequence[Path], taxonomy: Taxonomy, *, with_shipped: bool) -> ChosenSuites:
    """Choose suites, and refuse now what the checklist would refuse after minutes.

    Args:
        own: files or folders of the user's.
        taxonomy: the model's.
        with_shipped: whether the shipped ones are wanted; they are passed over where the model has other labels.

    Returns:
        What fits.

    Raises:
        FileReadError: a file cannot be read or is not YAML.
        ConfigError: one of the user's own files is no suite, or is of other labels; all faults at once.
    """
    notes = []
    names = ", ".join(head.name for head in taxonomy.heads)
    has_shipped = with_shipped and _fit(taxonomy)
    if with_shipped and not has_shipped:
        instead = "only --suite was run" if own else "behaviour was not measured; --suite takes suites of your own"
        notes.append(f"The shipped checklist is of other labels than this model's ({names}): {instead}.")
    elif not with_shipped and not own:
        notes.append("Behaviour was not measured: the shipped checklist was left out, and no --suite was given.")
    if own:
        check_taxonomy(load_suites(own, with_shipped=has_shipped), taxonomy)
    return ChosenSuites(tuple(own), has_shipped, tuple(notes))
