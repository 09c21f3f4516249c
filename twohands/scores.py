"""Owns logits -> calibrated scores -> decisions, once for training, evaluation and serving."""

from collections.abc import Mapping
from numbers import Real
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from twohands.errors import NonFiniteLogitsError, ThresholdError
from twohands.taxonomy import Head, ProblemType
from twohands.windows import Logits

Scores = npt.NDArray[np.float64]


class Temperature(BaseModel):
    """Softmax calibration of a one-of head: logits are divided by `temperature`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0, description="above 1 softens, below 1 sharpens")


class Platt(BaseModel):
    """Sigmoid calibration of an any-of head: `sigmoid(slope * logit + intercept)` per label."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["platt"] = "platt"
    slopes: list[Annotated[float, Field(gt=0)]] = Field(description="one per label; positive, so order is kept")
    intercepts: list[float]


class DecisionRule(BaseModel):
    """How one head's logits become labels; fitted on dev, kept in the manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration: Annotated[Temperature | Platt, Field(discriminator="method")]
    thresholds: list[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        description="any-of: a label is given when its score reaches this; None for one-of"
    )
    abstention: float | None = Field(ge=0, le=1, description="one-of: below this score the model abstains; else None")


def _check_finite(logits: Logits | Scores) -> None:
    if not np.isfinite(logits).all():
        raise NonFiniteLogitsError("found NaN or infinity among the logits")


def softmax(logits: Logits | Scores) -> Scores:
    """Turn exclusive-class logits into scores that sum to 1 per row.

    The maximum is subtracted by value, not by magnitude: with the largest magnitude `[-50, 45]` would overflow.

    Args:
        logits: shape `(batch, n_labels)`, any real unit.

    Returns:
        Shape `(batch, n_labels)`, each in [0, 1], rows summing to 1.

    Raises:
        NonFiniteLogitsError: any logit is NaN or infinite.

    Source:
        Goodfellow et al. 2016, *Deep Learning*, section 4.1.
    """
    _check_finite(logits)
    wide = logits.astype(np.float64, copy=False)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(logits: Logits | Scores) -> Scores:
    """Turn logits into independent scores without overflow on either side.

    Args:
        logits: any shape, any real unit.

    Returns:
        The same shape, each in [0, 1].

    Raises:
        NonFiniteLogitsError: any logit is NaN or infinite.
    """
    _check_finite(logits)
    wide = logits.astype(np.float64, copy=False)
    small = np.exp(-np.abs(wide))
    return np.where(wide >= 0, 1 / (1 + small), small / (1 + small))


def calibrate(logits: Logits, calibration: Temperature | Platt) -> Scores:
    """Turn one head's logits into calibrated scores.

    Args:
        logits: shape `(batch, n_labels)` of this head.
        calibration: as fitted on dev.

    Returns:
        Shape `(batch, n_labels)`, each in [0, 1].
    """
    if isinstance(calibration, Temperature):
        return softmax(logits.astype(np.float64) / calibration.temperature)
    return sigmoid(logits.astype(np.float64) * calibration.slopes + calibration.intercepts)


def check_threshold(key: object, value: object) -> None:
    """Refuse what is no threshold, for the library and its clients alike.

    Args:
        key: the label or head that it is for.
        value: any real number in [0, 1], as of numpy.

    Raises:
        ThresholdError: it is none.
    """
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    if not is_real or not 0 <= value <= 1:  # type: ignore[operator]  # a real number can be compared
        raise ThresholdError(f"threshold for {key!r} is {value!r}; expected a number from 0 to 1")


def with_thresholds(
    heads: list[Head], rules: Mapping[str, DecisionRule], overrides: Mapping[str, object]
) -> dict[str, DecisionRule]:
    """Apply a caller's thresholds to the manifest's rules.

    Args:
        heads: the model's heads.
        rules: by head name.
        overrides: label of an any-of head -> threshold, or name of a one-of head -> abstention level.

    Returns:
        New rules by head name.

    Raises:
        ThresholdError: an unknown key, a value that is no real number in [0, 1], or no mapping at all.
    """
    if not isinstance(overrides, Mapping):
        raise ThresholdError(f"thresholds are {type(overrides).__name__}; expected a mapping of label to number")
    if not overrides:
        return dict(rules)
    known = {head.name for head in heads if head.problem_type is ProblemType.ONE_OF}
    known |= {label for head in heads if head.problem_type is ProblemType.ANY_OF for label in head.label_names}
    asked: dict[str, float] = {}
    for key, value in overrides.items():
        if key not in known:
            raise ThresholdError(f"threshold for {key!r}, which is none of {', '.join(sorted(known))}")
        check_threshold(key, value)
        asked[key] = float(value)  # type: ignore[arg-type]  # and made a float
    changed = dict(rules)
    for head in heads:
        rule = rules[head.name]
        if head.problem_type is ProblemType.ONE_OF and head.name in asked:
            changed[head.name] = rule.model_copy(update={"abstention": asked[head.name]})
        elif rule.thresholds is not None:
            thresholds = [
                asked.get(name, threshold) for name, threshold in zip(head.label_names, rule.thresholds, strict=True)
            ]
            changed[head.name] = rule.model_copy(update={"thresholds": thresholds})
    return changed
