"""Owns the two baselines that a model must beat: the most frequent answer, and tuned TF-IDF."""

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.deciders import Decisions
from evaluation.linear import GRID, FittedHead, GridPoint, fit_head, import_sklearn, make_features, plain_rule
from evaluation.progress import Advance, Tell, tell_nothing
from twohands.decide import decide_head
from twohands.errors import DataError
from twohands.examples import NOT_LABELLED, Example, Labels, encode_labels
from twohands.metrics import Floats
from twohands.taxonomy import ProblemType, Taxonomy

MAJORITY = "majority"
TFIDF = "tfidf"


def labelled_rows(examples: Sequence[Example], taxonomy: Taxonomy, split: str) -> dict[str, tuple[Labels, list[int]]]:
    """Find the rows labelled for each head.

    Args:
        examples: checked rows.
        taxonomy: the heads.
        split: what the rows are called, for the message.

    Returns:
        By head the truth, shape `(n, n_labels)`, and the places of the rows.

    Raises:
        DataError: a head has no labelled row.
    """
    truth = encode_labels(examples, taxonomy)
    labelled, faults = {}, []
    for head in taxonomy.heads:
        of_head = truth[:, taxonomy.slices[head.name]]
        places = np.flatnonzero(of_head[:, 0] != NOT_LABELLED)
        if not len(places):
            faults.append(f"{head.name}: no row is labelled for it")
        labelled[head.name] = (of_head[places], places.tolist())
    if faults:
        raise DataError(f"a baseline cannot be fitted: {split} lacks labels", faults)
    return labelled


class MajorityBaseline:
    """Answers alike whatever the text: the most frequent label, and each topic that most rows have."""

    def __init__(self, taxonomy: Taxonomy, train: Sequence[Example]) -> None:
        """Count labels.

        Args:
            taxonomy: which heads to answer.
            train: labelled rows; at least one for each head.

        Raises:
            DataError: a head has no labelled row.
        """
        self.taxonomy = taxonomy
        labelled = labelled_rows(train, taxonomy, "train")
        self._shares: dict[str, Floats] = {
            name: truth.mean(axis=0, dtype=np.float64) for name, (truth, _) in labelled.items()
        }

    @property
    def identity(self) -> dict[str, object]:
        """Its name and the shares it answers with."""
        shares = {
            head.name: dict(zip(head.label_names, self._shares[head.name].tolist(), strict=True))
            for head in self.taxonomy.heads
        }
        return {"name": MAJORITY, "settings": shares}

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Give every example the same scores, the shares of the labels in train.

        Args:
            examples: any rows.
            advance: called with the number of examples done.

        Returns:
            By head name.
        """
        decisions = {}
        for head in self.taxonomy.heads:
            scores = np.tile(self._shares[head.name], (len(examples), 1))
            decisions[head.name] = (scores, decide_head(head, plain_rule(head), scores))
        advance(len(examples))
        return decisions


class TfidfBaseline:
    """TF-IDF of words and characters, logistic regression, everything tuned on dev."""

    def __init__(
        self,
        taxonomy: Taxonomy,
        train: Sequence[Example],
        dev: Sequence[Example],
        *,
        seed: int,
        advance: Advance,
        grids: Mapping[str, Sequence[GridPoint]] | None = None,
        tell: Tell = tell_nothing,
    ) -> None:
        """Fit and tune.

        Args:
            taxonomy: which heads to answer.
            train: labelled rows to fit; at least one for each head.
            dev: labelled rows that choose C, class weights and thresholds; at least one for each head.
            seed: of the solver.
            advance: called with the number of fits done, `count_fits` in all.
            grids: by head the settings to choose from; None is all of them.
            tell: called with one line before each stage.

        Raises:
            DataError: a head has no labelled row, or train holds no word twice.
            MissingExtraError: scikit-learn is not installed.
        """
        import_sklearn()
        self.taxonomy = taxonomy
        fit_on, tune_on = labelled_rows(train, taxonomy, "train"), labelled_rows(dev, taxonomy, "dev")
        self._features = make_features()
        tell(f"tfidf: counting words and characters of {len(train):,} rows of train and {len(dev):,} of dev")
        try:
            of_train = self._features.fit_transform([example.paragraph for example in train])
        except ValueError as error:
            # The library's own words name its settings, of which nobody here has heard.
            fault = f"no word stands in two of its rows, of which there are {len(train):,}"
            raise DataError("tfidf cannot be fitted on train", [fault]) from error
        of_dev = self._features.transform([example.paragraph for example in dev])
        self._fitted: dict[str, FittedHead] = {}
        for head in taxonomy.heads:
            (truth, places), (truth_dev, places_dev) = fit_on[head.name], tune_on[head.name]
            self._fitted[head.name] = fit_head(
                head,
                of_train[places],
                truth,
                of_dev[places_dev],
                truth_dev,
                seed=seed,
                advance=advance,
                grid=None if grids is None else grids[head.name],
                tell=lambda line: tell(f"tfidf: {line}"),
            )

    @staticmethod
    def count_fits(taxonomy: Taxonomy) -> int:
        """How many regressions are fitted in all."""
        return len(GRID) * sum(
            1 if head.problem_type is ProblemType.ONE_OF else len(head.labels) for head in taxonomy.heads
        )

    @property
    def identity(self) -> dict[str, object]:
        """Its name and what was chosen on dev."""
        return {"name": TFIDF, "settings": {name: fitted.settings for name, fitted in self._fitted.items()}}

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Score and label examples.

        Args:
            examples: checked rows.
            advance: called with the number of examples done.

        Returns:
            By head name.
        """
        features = self._features.transform([example.paragraph for example in examples])
        decisions = {name: fitted.decide(features) for name, fitted in self._fitted.items()}
        advance(len(examples))
        return decisions
