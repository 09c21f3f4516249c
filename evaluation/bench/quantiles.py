"""Owns which percentiles may be told from how many measurements; a p99 of fifty requests is none."""

from collections.abc import Sequence

import numpy as np

MIN_MEASUREMENTS = {50: 11, 90: 64, 95: 130, 99: 662}
"""Least count for each percentile: with one outlier at 99% confidence, as MLPerf LoadGen's early stopping has it."""


def tell_percentiles(values_ms: Sequence[float]) -> dict[str, float | int | None]:
    """Give the percentiles that a sample can carry.

    Args:
        values_ms: latencies in milliseconds.

    Returns:
        `n`, and `p50_ms` to `p99_ms`; None where there are too few for one.

    Source:
        MLPerf Inference rules, early stopping; `MIN_MEASUREMENTS` are its counts for one overlong query.
    """
    told: dict[str, float | int | None] = {"n": len(values_ms)}
    for percent, least in MIN_MEASUREMENTS.items():
        enough = len(values_ms) >= least
        told[f"p{percent}_ms"] = round(float(np.percentile(values_ms, percent)), 3) if enough else None
    return told


def say_ms(value: float | None) -> str:
    """Put a percentile of `tell_percentiles` into a cell."""
    return "too few" if value is None else f"{value:,.1f}"


def median(values: Sequence[float]) -> float:
    """The median of at least one value."""
    return float(np.median(values))
