"""Owns the interval of a failure rate whose checks come in clusters: several checks of one case are not independent."""

from collections.abc import Sequence
from importlib import import_module

import numpy as np

from twohands.errors import MissingExtraError
from twohands.metrics import Figure


def check_scipy() -> None:
    """Check that scipy is there, before minutes are spent.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import_module("scipy.stats")
    except ImportError as error:
        raise MissingExtraError("intervals of failure rates need scipy: pip install 'twohands[eval]'") from error


def rate_of(failed: Sequence[bool], cases: Sequence[str], *, level: float = 0.95) -> Figure:
    """The share of failed checks, with the interval of Korn and Graubard.

    A bootstrap would give [0, 0] where nothing failed; here the upper end of none in `n` cases stays well above 0, and
    no failure lowers it: where one or two cases fail, what they differ by is estimated from next to nothing.

    Args:
        failed: by check; at least one.
        cases: the case of each check; checks of one case may well fail together.
        level: of the interval.

    Returns:
        `value`, `low`, `high`.

    Source:
        Korn and Graubard 1998, *Confidence intervals for proportions with small expected number of positive counts
        estimated from survey data*: Clopper and Pearson's interval with the effective number of checks. It holds what
        none or all of the cases alone would leave open, which theirs does not.
    """
    beta, t = import_module("scipy.stats").beta, import_module("scipy.stats").t
    numbers = {case: number for number, case in enumerate(dict.fromkeys(cases))}
    place = np.array([numbers[case] for case in cases])
    n_cases, n_checks = len(numbers), len(place)
    failures = np.bincount(place, weights=np.asarray(failed, dtype=float), minlength=n_cases)
    sizes = np.bincount(place, minlength=n_cases).astype(float)
    rate = failures.sum() / n_checks
    if n_cases == 1:
        return {"value": float(rate), "low": 0.0, "high": 1.0}  # one case says nothing of how cases differ
    effective, beyond = float(n_cases), (1 - level) / 2
    residuals = failures - rate * sizes
    variance = (residuals**2).sum() / n_checks**2  # of a ratio; single checks give rate * (1 - rate) / n_checks
    # Few cases vary less about their own rate than about the true one; single checks stay Clopper and Pearson's.
    variance *= n_cases / (n_cases - 1) * (n_checks - 1) / n_checks
    if variance > 0:
        tail = (1 + level) / 2
        # The variance is itself estimated, from n_cases - 1 differences.
        effective = rate * (1 - rate) / variance * (t.ppf(tail, n_checks - 1) / t.ppf(tail, n_cases - 1)) ** 2
        effective = min(effective, float(n_checks))
    events = rate * effective
    low = 0.0 if events <= 0 else float(beta.ppf(beyond, events, effective - events + 1))
    high = 1.0 if events >= effective else float(beta.ppf(1 - beyond, events + 1, effective - events))
    # One failure in 459 checks of 27 cases would bound the rate by .013, and none by .128 (#6).
    certain = beyond ** (1 / n_cases)
    return {"value": float(rate), "low": min(low, certain), "high": max(high, 1 - certain)}
