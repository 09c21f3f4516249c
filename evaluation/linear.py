"""Owns the linear models of the TF-IDF baseline: features, logistic regressions, and their choice on dev."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from evaluation.progress import Advance, Tell, tell_nothing
from twohands.decide import decide_head
from twohands.examples import Labels
from twohands.extras import import_extra
from twohands.metrics import Floats, count_head, macro_f1
from twohands.scores import DecisionRule, Platt, Scores, Temperature
from twohands.taxonomy import Head, ProblemType
from twohands.thresholds import fit_score_thresholds

C_VALUES = (0.3, 1.0, 5.0, 30.0)
CLASS_WEIGHTS = (None, "balanced")
GridPoint = tuple[float, str | None]
GRID = tuple(itertools.product(C_VALUES, CLASS_WEIGHTS))
_MAX_ITERATIONS = 1000

Features = Any  # scipy.sparse.csr_matrix, which ships no types


class _ProbabilityModel(Protocol):
    def predict_proba(self, features: Features) -> Floats:
        """Shape `(n, n_classes)`."""


def import_sklearn() -> None:
    """Check that scikit-learn is there, before minutes are spent.

    Raises:
        MissingExtraError: it is not.
    """
    import_extra("sklearn", use="the tfidf baseline", extra="eval", package="scikit-learn")


def plain_rule(head: Head, thresholds: Sequence[float] | None = None) -> DecisionRule:
    """A rule without calibration.

    Args:
        head: for which.
        thresholds: one for each label of an any-of head; one half each if left out.

    Returns:
        The rule.
    """
    n = len(head.labels)
    if head.problem_type is ProblemType.ONE_OF:
        return DecisionRule(calibration=Temperature(temperature=1), thresholds=None, abstention=None)
    platt = Platt(slopes=[1.0] * n, intercepts=[0.0] * n)
    return DecisionRule(calibration=platt, thresholds=list(thresholds or [0.5] * n), abstention=None)


def make_features() -> Any:  # noqa: ANN401 - a scikit-learn transformer, which ships no types
    """Make the features: words alone and in pairs, and 3 to 5 characters within words, all that stand in two rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    common = {"sublinear_tf": True, "min_df": 2, "dtype": np.float32}
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), **common),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **common),
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """One regression and the columns of the head that its classes fill; without a model, scores are constant."""

    model: _ProbabilityModel | None
    constant: Floats
    classes: Sequence[int]

    def score(self, features: Features) -> Scores:
        scores = np.tile(self.constant, (features.shape[0], 1))
        if self.model is not None:
            scores[:, self.classes] = np.asarray(self.model.predict_proba(features), dtype=np.float64)
        return scores


@dataclass(frozen=True, slots=True)
class FittedHead:
    """The regressions of one head and its rule; `settings` says what was chosen on dev."""

    head: Head
    columns: Sequence[_Column]
    rule: DecisionRule
    settings: dict[str, object]

    def score(self, features: Features) -> Scores:
        """Score rows.

        Args:
            features: shape `(n, n_features)`.

        Returns:
            Shape `(n, n_labels)`.
        """
        if self.head.problem_type is ProblemType.ONE_OF:
            return self.columns[0].score(features)
        return np.concatenate([column.score(features)[:, 1:] for column in self.columns], axis=1)

    def decide(self, features: Features) -> tuple[Scores, npt.NDArray[np.bool_]]:
        """Score and label rows.

        Args:
            features: shape `(n, n_features)`.

        Returns:
            Scores and labels given, shape `(n, n_labels)` each.
        """
        scores = self.score(features)
        return scores, decide_head(self.head, self.rule, scores)


def _fit_column(
    features: Features, classes: Floats, n_classes: int, *, c: float, class_weight: str | None, seed: int
) -> _Column:
    """Fit one regression; a class that train lacks keeps score 0, and a single class is answered without a model."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # of scikit-learn; ships no types

    present, counts = np.unique(classes, return_counts=True)
    constant = np.zeros(n_classes)
    if len(present) == 1:
        constant[present.astype(int)] = counts / counts.sum()
        return _Column(None, constant, [])
    model = LogisticRegression(C=c, class_weight=class_weight, max_iter=_MAX_ITERATIONS, random_state=seed)
    # Sums that BLAS splits over threads differ in their last bits from machine to machine, and threads that wait for
    # a busy core made small fits many times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        model.fit(features, classes)
    return _Column(model, constant, present.astype(int).tolist())


def fit_head(
    head: Head,
    features: Features,
    truth: Labels,
    features_dev: Features,
    truth_dev: Labels,
    *,
    seed: int,
    advance: Advance,
    grid: Sequence[GridPoint] | None = None,
    tell: Tell = tell_nothing,
) -> FittedHead:
    """Fit one head for each point of the grid, and keep the one with the highest macro-F1 on dev.

    Args:
        head: which head.
        features: of train, shape `(n_train, n_features)`.
        truth: of train, shape `(n_train, n_labels)`.
        features_dev: of dev.
        truth_dev: of dev.
        seed: of the solver.
        advance: called with 1 after each regression.
        grid: points of C and class weights to choose from; None is all of them.
        tell: called with one line before each of them.

    Returns:
        The best; the first of the grid among equals.
    """
    is_one_of = head.problem_type is ProblemType.ONE_OF
    targets = [truth.argmax(axis=1)] if is_one_of else list(truth.T)
    n_classes = len(head.labels) if is_one_of else 2
    candidates: list[tuple[float, FittedHead]] = []
    points = GRID if grid is None else grid
    for number, (c, class_weight) in enumerate(points, start=1):
        tell(
            f"fitting {head.name} on {len(truth):,} rows, setting {number} of {len(points)}: "
            f"C {c:g}, {class_weight or 'equal'} class weights"
        )
        columns = []
        for target in targets:
            columns.append(_fit_column(features, target, n_classes, c=c, class_weight=class_weight, seed=seed))
            advance(1)
        settings: dict[str, object] = {"c": c, "class_weight": class_weight}
        fitted = FittedHead(head, columns, plain_rule(head), settings)
        if not is_one_of:
            scores = fitted.score(features_dev)
            thresholds = fit_score_thresholds(scores, truth_dev)
            settings["thresholds"] = thresholds
            fitted = replace(fitted, rule=plain_rule(head, thresholds))
        scores, decided = fitted.decide(features_dev)
        counts = count_head(head, truth_dev, decided, scores).weigh(np.ones((1, len(truth_dev))))
        settings["dev_macro_f1"] = float(macro_f1(counts)[0])
        candidates.append((float(macro_f1(counts)[0]), fitted))
    return max(candidates, key=lambda candidate: candidate[0])[1]
