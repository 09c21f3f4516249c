"""Owns learners that are fitted again and again on parts of a data set: quick, with costly settings tuned once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import click

from evaluation.baselines import MAJORITY, TFIDF, MajorityBaseline, TfidfBaseline
from evaluation.deciders import Decider
from evaluation.embedding import fit_frozen, fit_neighbours
from evaluation.linear import GridPoint
from evaluation.neural.encoder import SentenceEncoder
from evaluation.progress import Advance
from evaluation.sides import FROZEN, NEIGHBOURS, Baseline, parse_baseline
from twohands.examples import Example
from twohands.taxonomy import Taxonomy

LEARNERS = (TFIDF, FROZEN, NEIGHBOURS, MAJORITY)
LEARNER = click.option(
    "--learner",
    default=TFIDF,
    show_default=True,
    metavar="NAME",
    help="tfidf, frozen[:FOLDER], neighbours[:FOLDER] or majority, as for `compare`.",
)


def _ignore(steps: int) -> None:
    del steps


def parse_learner(name: str) -> Baseline:
    """Read the name of a learner.

    Args:
        name: one of `LEARNERS`, with a folder where it takes one.

    Returns:
        The baseline that it is.

    Raises:
        UsageError: there is no such learner.
    """
    baseline = parse_baseline(name)
    if baseline is None or baseline.kind not in LEARNERS:
        raise click.UsageError(f"--learner {name!r}; expected one of {', '.join(LEARNERS)}")
    return baseline


@dataclass
class Learner:
    """Fits a baseline on any rows; C and class weights that its first fit chose on dev are kept for all later ones.

    Thresholds are still set anew by each fit, since they depend on how sure it is, and so is the number of neighbours,
    which costs next to nothing and depends on how many rows there are.
    """

    baseline: Baseline
    taxonomy: Taxonomy
    dev: Sequence[Example]
    seed: int
    encoder: SentenceEncoder | None = None
    grids: dict[str, list[GridPoint]] | None = field(default=None, init=False)

    @classmethod
    def make(
        cls, name: str, taxonomy: Taxonomy, dev: Sequence[Example], *, seed: int, num_threads: int | None
    ) -> "Learner":
        """Make a learner; an encoder is loaded where it needs one.

        Args:
            name: as `parse_learner`.
            taxonomy: which heads.
            dev: rows that settings and thresholds are tuned on.
            seed: of solvers.
            num_threads: most threads of an encoder.

        Returns:
            The learner.

        Raises:
            UsageError: there is no such learner.
            EncoderError: the folder is no encoder.
            MissingExtraError: a package that it needs is not installed.
        """
        baseline = parse_learner(name)
        needs_encoder = baseline.kind in {FROZEN, NEIGHBOURS}
        encoder = SentenceEncoder(baseline.path, num_threads=num_threads) if needs_encoder else None
        return cls(baseline, taxonomy, dev, seed, encoder)

    def read(self, examples: Sequence[Example], *, advance: Advance) -> None:
        """Read texts beforehand, so that fits take little time; nothing to do without an encoder.

        Args:
            examples: all rows that will be fitted or decided.
            advance: called with the number of examples done.
        """
        if self.encoder is None:
            advance(len(examples))
        else:
            self.encoder.embed([example.paragraph for example in examples], advance=advance)

    def fit(self, train: Sequence[Example]) -> Decider:
        """Fit on some rows.

        Args:
            train: labelled rows; at least one for each head.

        Returns:
            The fitted baseline.

        Raises:
            DataError: a head has no labelled row, or train holds no word twice.
        """
        decider = self._fit(train)
        if self.grids is None and self.baseline.kind in {TFIDF, FROZEN}:
            settings = cast("Mapping[str, Mapping[str, object]]", decider.identity["settings"])
            self.grids = {
                name: [(float(str(chosen["c"])), cast("str | None", chosen["class_weight"]))]
                for name, chosen in settings.items()
            }
        return decider

    def _fit(self, train: Sequence[Example]) -> Decider:
        if self.baseline.kind == MAJORITY:
            return MajorityBaseline(self.taxonomy, train)
        if self.encoder is None:
            return TfidfBaseline(self.taxonomy, train, self.dev, seed=self.seed, advance=_ignore, grids=self.grids)
        if self.baseline.kind == NEIGHBOURS:
            return fit_neighbours(self.taxonomy, self.encoder, train, self.dev, advance=_ignore)
        return fit_frozen(
            self.taxonomy, self.encoder, train, self.dev, seed=self.seed, advance=_ignore, grids=self.grids
        )
