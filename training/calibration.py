"""Owns what is fitted on dev after training: calibration, thresholds, abstention levels."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from twohands.examples import NOT_LABELLED, Labels
from twohands.scores import DecisionRule, Platt, Scores, Temperature, calibrate, sigmoid, softmax
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.windows import Logits

# An answer is withheld where fewer than this share of dev rows with such a score are right.
ABSTENTION_PRECISION = 0.6
_TINY = 1e-12
_LOWEST, _HIGHEST = 0.05, 20.0  # of temperatures and of Platt's slopes
# What is known before dev is read: a temperature of 1, with a standard deviation of 0.5 of its logarithm.
_PULL = 2.0


def fit_temperature(logits: Logits, labels: Labels) -> Temperature:
    """Fit one temperature by the likelihood of the true class, which no number of rows shows to be certain.

    Without the smoothed targets and the pull to 1, dev rows that are all answered rightly have no temperature but the
    lowest, and every score served is 1.000. Of the released model's 958 dev rows both move it by half a hundredth.

    Args:
        logits: shape `(n, n_labels)`.
        labels: one-hot, the same shape.

    Returns:
        A temperature in [0.05, 20].

    Source:
        Guo et al. 2017, *On Calibration of Modern Neural Networks*, section 4.2; targets as in Platt 1999,
        *Probabilistic Outputs for Support Vector Machines*, section 2.2: (n + 1) / (n + 2) for the true class.
    """
    n, n_labels = labels.shape  # n is 0 where a smoke run's few rows have no label of the head
    doubt = 1 / (n + 2)
    target = np.where(labels == 1, 1 - doubt, doubt / (n_labels - 1))

    def loss(log_temperature: float) -> float:
        scores = softmax(logits / np.exp(log_temperature))
        likelihood = (target * np.log(np.maximum(scores, _TINY))).sum()
        return float((_PULL * log_temperature**2 - likelihood) / max(n, 1))

    best = minimize_scalar(loss, bounds=(np.log(_LOWEST), np.log(_HIGHEST)), method="bounded")
    return Temperature(temperature=float(np.exp(best.x)))


def fit_platt(logits: Logits, labels: Labels) -> Platt:
    """Fit slope and intercept per label, with Platt's smoothed targets and a weak pull to slope 1.

    Args:
        logits: shape `(n, n_labels)`.
        labels: 1 or 0, the same shape.

    Returns:
        Slopes in [0.05, 20], so that the order of texts by a label never turns around.

    Source:
        Platt 1999, *Probabilistic Outputs for Support Vector Machines*, section 2.2.
    """
    slopes, intercepts = [], []
    for column in range(logits.shape[1]):
        row_logits = logits[:, column].astype(np.float64)
        positive = labels[:, column] == 1
        n_positive, n_negative = positive.sum(), (~positive).sum()
        target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))

        def loss(
            parameters: npt.NDArray[np.float64],
            row_logits: npt.NDArray[np.float64] = row_logits,
            target: npt.NDArray[np.float64] = target,
        ) -> float:
            score = np.clip(sigmoid(parameters[0] * row_logits + parameters[1]), _TINY, 1 - _TINY)
            entropy = -(target * np.log(score) + (1 - target) * np.log(1 - score)).mean()
            return float(entropy + 1e-3 * (parameters[0] - 1) ** 2)

        best = minimize(loss, x0=[1.0, 0.0], bounds=[(_LOWEST, _HIGHEST), (-20, 20)], method="L-BFGS-B")
        slopes.append(float(best.x[0]))
        intercepts.append(float(best.x[1]))
    return Platt(slopes=slopes, intercepts=intercepts)


def best_threshold(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Find the threshold with the highest F1.

    Args:
        scores: shape `(n,)`.
        positive: shape `(n,)`; at least one.

    Returns:
        A threshold midway between two neighbouring scores, and the F1 it gives on these rows.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(positive[order])
    given = np.arange(1, len(scores) + 1)
    f1 = 2 * hits / (given + positive.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # equal scores cannot be told apart
    at = int(f1.argmax())
    below = ranked[at + 1] if at + 1 < len(ranked) else ranked[at]
    return float((ranked[at] + below) / 2), float(f1[at])


def fit_thresholds(scores: Scores, labels: Labels) -> list[float]:
    """Fit one threshold a label: half of the best F1 that any threshold reaches.

    For a calibrated score that is where F1 is best. The threshold at which F1 peaks on a few dozen positives is
    itself noisy, the height of the peak is much less so: over random halves of the released model's dev rows, the
    other half's macro-F1 of topics was .788 by this rule, .777 by the peak's own place.

    Args:
        scores: shape `(n, n_labels)`, calibrated.
        labels: 1 or 0, the same shape.

    Returns:
        Thresholds in [0.02, 0.5].

    Source:
        Lipton et al. 2014, *Optimal Thresholding of Classifiers to Maximize F1 Measure*, theorem 1.
    """
    thresholds = []
    for column in range(scores.shape[1]):
        _, f1 = best_threshold(scores[:, column], labels[:, column] == 1)
        thresholds.append(round(max(f1 / 2, 0.02), 4))
    return thresholds


def fit_abstention(scores: Scores, labels: Labels, *, precision: float = ABSTENTION_PRECISION) -> float:
    """Find the score below which a one-of answer is too often wrong to be given without a caveat.

    Scores are made monotone against hits (isotonic regression), and the level is where the fitted hit rate first
    reaches `precision`.

    Args:
        scores: shape `(n, n_labels)`, calibrated.
        labels: one-hot, the same shape.
        precision: the share of right answers that is asked for.

    Returns:
        A level in [0, 1]; 0 where even the least certain answers are right often enough.
    """
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415, RUF100 - slow to import

    top = scores.max(axis=1)
    hit = labels[np.arange(len(labels)), scores.argmax(axis=1)] == 1
    fitted = IsotonicRegression(out_of_bounds="clip").fit(top, hit)
    grid = np.linspace(1 / scores.shape[1], 1, 201)
    reached = grid[fitted.predict(grid) >= precision]
    level = float(reached[0]) if len(reached) else 1.0
    return round(level, 4) if level > grid[0] else 0.0


def fit_head(head: Head, logits: Logits, labels: Labels) -> DecisionRule:
    """Fit everything of one head.

    Args:
        head: which head.
        logits: shape `(n, n_labels of the head)`, of the graph that will be served.
        labels: the same shape, 1, 0 or -100; rows of -100 are left out.

    Returns:
        The rule for the manifest.
    """
    known = labels[:, 0] != NOT_LABELLED
    logits, labels = logits[known], labels[known]
    if head.problem_type is ProblemType.ONE_OF:
        temperature = fit_temperature(logits, labels)
        level = fit_abstention(calibrate(logits, temperature), labels)
        return DecisionRule(calibration=temperature, thresholds=None, abstention=level)
    platt = fit_platt(logits, labels)
    return DecisionRule(calibration=platt, thresholds=fit_thresholds(calibrate(logits, platt), labels), abstention=None)


def fit_rules(logits: Logits, labels: Labels, taxonomy: Taxonomy) -> dict[str, DecisionRule]:
    """Fit every head on dev.

    Args:
        logits: shape `(n, n_labels)`.
        labels: the same shape.
        taxonomy: the heads.

    Returns:
        Rules by head name.
    """
    return {
        head.name: fit_head(head, logits[:, taxonomy.slices[head.name]], labels[:, taxonomy.slices[head.name]])
        for head in taxonomy.heads
    }


def _is_at_bound(value: float) -> bool:
    return not 1.02 * _LOWEST < value < 0.98 * _HIGHEST


def warn_of_rules(rules: Mapping[str, DecisionRule], n_dev: int) -> list[str]:
    """Say which fits came to nothing: heads that abstain from every answer, calibration at the end of its range.

    Args:
        rules: of `fit_rules`.
        n_dev: rows that they were fitted on.

    Returns:
        One line for each of both in a head.
    """
    lines = []
    for name, rule in rules.items():
        if rule.abstention is not None and rule.abstention >= 1:
            lines.append(
                f"{name} abstains from every answer: at no score were {ABSTENTION_PRECISION:.0%} of {n_dev} dev rows "
                "right; labels are given all the same, and more rows mend it"
            )
        fitted = rule.calibration
        scales = fitted.slopes if isinstance(fitted, Platt) else [fitted.temperature]
        if any(_is_at_bound(scale) for scale in scales):
            what = "slope" if isinstance(fitted, Platt) else "temperature"
            lines.append(
                f"{name}: the {what} of its calibration is at the end of its range ({_LOWEST:g} to {_HIGHEST:g}), so "
                f"its scores are no probabilities: {n_dev} dev rows cannot tell it, or logits do not hang on the text"
            )
    return lines
