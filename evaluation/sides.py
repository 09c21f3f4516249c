"""Owns what A and B of a comparison may be: a model folder, or a baseline that is fitted on the spot."""

from collections.abc import Mapping

import click

from evaluation.baselines import BASELINES, MAJORITY, TFIDF, MajorityBaseline, TfidfBaseline
from evaluation.dataset import LabelledFiles
from evaluation.deciders import Decider, ModelDecider
from evaluation.progress import show_progress
from twohands.classifier import Classifier
from twohands.taxonomy import Taxonomy

Side = Classifier | str


def load_side(name: str, *, num_threads: int | None, splits: Mapping[str, object]) -> Side:
    """Load a model, or check that a baseline has what it needs.

    Args:
        name: a baseline, or a model's folder or name.
        num_threads: most threads of a model.
        splits: what was given; a baseline needs `train`, and tfidf `dev` too.

    Returns:
        The model, or the baseline's name.

    Raises:
        UsageError: rows that the baseline needs are not given.
        ModelNotFoundError: there is no such model.
        ManifestError: the model folder is incomplete or altered.
        FileReadError: the model's graph or tokenizer cannot be read.
    """
    if name not in BASELINES:
        return Classifier.load(name, num_threads=num_threads)
    missing = [f"--{split}" for split in ("train", "dev")[: 1 + (name == TFIDF)] if not splits[split]]
    if missing:
        raise click.UsageError(f"the baseline {name} needs {' and '.join(missing)}")
    return name


def make_decider(side: Side, taxonomy: Taxonomy, files: Mapping[str, LabelledFiles], *, seed: int) -> Decider:
    """Make a side ready to decide.

    Args:
        side: from `load_side`.
        taxonomy: which heads a baseline answers.
        files: `train` and `dev`, as far as given.
        seed: of the solver.

    Returns:
        A model or a fitted baseline.

    Raises:
        DataError: a head has no labelled row to fit or to tune on.
        MissingExtraError: tfidf without scikit-learn.
    """
    if isinstance(side, Classifier):
        return ModelDecider(side)
    train = files["train"].examples
    if side == MAJORITY:
        return MajorityBaseline(taxonomy, train)
    with show_progress("fitting tfidf", TfidfBaseline.count_fits(taxonomy)) as advance:
        return TfidfBaseline(taxonomy, train, files["dev"].examples, seed=seed, advance=advance)
