"""Owns what is fitted on dev after training: temperatures, abstention levels, and each head's whole rule."""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize_scalar

from twohands.examples import NOT_LABELLED, Labels
from twohands.scores import DecisionRule, Platt, Scores, Temperature, calibrate, softmax
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.thresholds import LEAST_SCALE, MOST_SCALE, fit_platt, fit_thresholds
from twohands.windows import Logits

# An answer is withheld where fewer than this share of dev rows with such a score are right.
ABSTENTION_PRECISION = 0.6
_TINY = 1e-12
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

    best = minimize_scalar(loss, bounds=(np.log(LEAST_SCALE), np.log(MOST_SCALE)), method="bounded")
    return Temperature(temperature=float(np.exp(best.x)))


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
    return not 1.02 * LEAST_SCALE < value < 0.98 * MOST_SCALE


def warn_of_rules(rules: Mapping[str, DecisionRule], n_dev: Mapping[str, int]) -> list[str]:
    """Say which fits came to nothing: heads that abstain from every answer, calibration at the end of its range.

    Args:
        rules: of `fit_rules`.
        n_dev: by head name, the labelled rows that its rule was fitted on.

    Returns:
        One line for each of both in a head.
    """
    lines = []
    for name, rule in rules.items():
        if rule.abstention is not None and rule.abstention >= 1:
            lines.append(
                f"{name} abstains from every answer: at no score were {ABSTENTION_PRECISION:.0%} of {n_dev[name]} dev "
                "rows right; labels are given all the same, and more rows mend it"
            )
        fitted = rule.calibration
        scales = fitted.slopes if isinstance(fitted, Platt) else [fitted.temperature]
        if any(_is_at_bound(scale) for scale in scales):
            what = "slope" if isinstance(fitted, Platt) else "temperature"
            lines.append(
                f"{name}: the {what} of its calibration is at the end of its range ({LEAST_SCALE:g} to "
                f"{MOST_SCALE:g}), so its scores are no probabilities: {n_dev[name]} dev rows cannot tell it, or "
                "logits do not hang on the text"
            )
    return lines
