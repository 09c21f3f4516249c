"""Owns how scores of an any-of head become calibrated and labels are given: fitted alike for models and baselines."""

import numpy as np
import numpy.typing as npt

from twohands.examples import Labels
from twohands.scores import Platt, Scores, sigmoid
from twohands.windows import Logits

LEAST_SCALE, MOST_SCALE = 0.05, 20.0  # of Platt's slopes, and of temperatures
_TINY = 1e-12
_NO_ROW = 0.5  # the threshold of a label that no row has
_LEAST_SCORE = 1e-6  # log-odds of a score of 0 are those of this one: further out, such rows alone would set the slope


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
    from scipy.optimize import minimize

    slopes, intercepts = [], []
    for column in range(logits.shape[1]):
        row_logits = logits[:, column].astype(np.float64)
        positive = labels[:, column] == 1
        n_positive, n_negative = positive.sum(), (~positive).sum()
        target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))

        def measure(
            parameters: Scores,
            row_logits: Scores = row_logits,
            target: Scores = target,
        ) -> tuple[float, Scores]:
            log_odds = parameters[0] * row_logits + parameters[1]
            # By log-odds: of scores that round to 0 and 1 none moves the loss, and the fit stopped where it began (#3).
            entropy = (target * np.logaddexp(0, -log_odds) + (1 - target) * np.logaddexp(0, log_odds)).mean()
            error, pull = (sigmoid(log_odds) - target) / len(target), parameters[0] - 1
            gradient = np.array([error @ row_logits + 2e-3 * pull, error.sum()])
            return float(entropy + 1e-3 * pull**2), gradient

        # By its own gradient and to the end: of logits about -60 a step of usual size gains less than 1e-9, and the
        # search ended there, with scores .12 off (#3).
        best = minimize(
            measure,
            x0=[1.0, 0.0],
            jac=True,
            bounds=[(LEAST_SCALE, MOST_SCALE), (-20, 20)],
            method="L-BFGS-B",
            options={"ftol": 1e-14, "gtol": 1e-8},
        )
        slopes.append(float(best.x[0]))
        intercepts.append(float(best.x[1]))
    return Platt(slopes=slopes, intercepts=intercepts)


def best_threshold(scores: Scores, positive: npt.NDArray[np.bool_]) -> tuple[float, float]:
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
        Thresholds in [0.02, 0.5]; one half for a label that no row has, whose F1 is 0 wherever the threshold lies.

    Source:
        Lipton et al. 2014, *Optimal Thresholding of Classifiers to Maximize F1 Measure*, theorem 1.
    """
    thresholds = []
    for column in range(scores.shape[1]):
        positive = labels[:, column] == 1
        if not positive.any():  # .02 lies below what few rows without the label are scored: all were given it (#3)
            thresholds.append(_NO_ROW)
            continue
        _, f1 = best_threshold(scores[:, column], positive)
        thresholds.append(round(max(f1 / 2, 0.02), 4))
    return thresholds


def fit_score_thresholds(scores: Scores, labels: Labels) -> list[float]:
    """Fit thresholds for scores that are not calibrated, by the very rule that a trained model's get.

    The scores' log-odds are calibrated, a threshold is fitted to what comes out, and what is returned is the score at
    which it is reached. So a baseline differs from a model by its scores alone.

    Args:
        scores: shape `(n, n_labels)`, each in [0, 1], of any scale.
        labels: 1 or 0, the same shape.

    Returns:
        One for each label, above 0, so that a row that scores 0 is never given it; one half where no row has it.
    """
    clipped = np.clip(scores, _LEAST_SCORE, 1 - _LEAST_SCORE)
    log_odds = np.log(clipped) - np.log1p(-clipped)
    platt = fit_platt(log_odds, labels)
    calibrated = sigmoid(log_odds * platt.slopes + platt.intercepts)
    reached = np.array(fit_thresholds(calibrated, labels))
    wanted = (np.log(reached) - np.log1p(-reached) - platt.intercepts) / platt.slopes
    thresholds = np.clip(sigmoid(wanted), _TINY, 1.0)
    has_label = (labels == 1).any(axis=0)
    return [float(one) if has else _NO_ROW for one, has in zip(thresholds, has_label, strict=True)]
