"""Owns the learning curve: nested parts of a training set, what is learnt from each, and where that would lead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.learners import Learner
from evaluation.progress import Advance
from evaluation.rows import HeadRows, Sample, select_rows
from twohands.bounds import DrawnFigure, bound_figure
from twohands.examples import Example
from twohands.metrics import Counts, Floats, f1, macro_f1
from twohands.taxonomy import Head

Json = dict[str, object]
_EXPONENTS = np.linspace(0.05, 2, 40)
FEWEST_POINTS = 4  # three numbers are fitted
_LEAST_STEP = 1.2  # parts of whole documents that grow by less are one size measured twice
_DOUBLING = (1.7, 2.3)
_ROUNDING = 1e-9
FACTORS = (2, 4)  # of all rows, to which a curve is continued


def choose_sizes(n_rows: int, *, n_points: int, fewest: int) -> list[int]:
    """Sizes that double, down from all rows.

    Args:
        n_rows: all rows.
        n_points: how many sizes at most.
        fewest: no size below it, but for that of all rows.

    Returns:
        From small to all.
    """
    sizes = [round(n_rows / 2**power) for power in range(n_points)]
    return sorted({size for size in sizes if size >= fewest} | {n_rows})


def draw_parts(examples: Sequence[Example], sizes: Sequence[int], *, seed: int | Sequence[int]) -> list[list[Example]]:
    """Draw nested parts of whole documents: each holds the smaller ones.

    Args:
        examples: all rows.
        sizes: rows of each part, from small to large; a part ends with the document that fills it.
        seed: of the order of documents; several numbers make one.

    Returns:
        One part for each size, rows in the order of the file.
    """
    rows_of: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        rows_of.setdefault(example.group, []).append(place)
    groups = list(rows_of)
    drawn = [rows_of[groups[number]] for number in np.random.default_rng(seed).permutation(len(groups))]
    order = [place for places in drawn for place in places]
    ends = np.cumsum([len(places) for places in drawn])
    parts = []
    for size in sizes:
        end = int(ends[min(int(np.searchsorted(ends, size)), len(ends) - 1)])
        parts.append([examples[place] for place in sorted(order[:end])])
    return parts


@dataclass(frozen=True, slots=True)
class _Fits:
    """What the fits of one size score: `whole` has shape `(n_fits,)`, `drawn` shape `(n_fits, n_replicates)`.

    It rests on `n_groups` documents: those that have the label, or the rarest label of a mean over labels. A draw that
    does not define it is NaN. No more than `reach` can be scored: labels that no row has count 0 in a mean over labels.
    """

    whole: Floats
    drawn: Floats
    n_groups: int
    reach: float = 1.0

    def figure(self) -> DrawnFigure:
        """Mean over the fits; the interval spans fits and draws of the measured documents together."""
        return bound_figure(float(self.whole.mean()), self.drawn.ravel(), n_groups=self.n_groups)


def _score(samples: Sequence[Sample], of: int | None) -> _Fits:
    def read(counts: Counts, whole: Counts | None = None) -> Floats:
        return macro_f1(counts, whole=whole) if of is None else f1(counts, whole=whole)[:, of]

    return _Fits(
        np.array([float(read(sample.whole)[0]) for sample in samples]),
        np.stack([read(sample.drawn, sample.whole) for sample in samples]),
        samples[0].n_rarest if of is None else samples[0].n_with[of],
        float(np.mean(np.array(samples[0].n_with) > 0)) if of is None else 1.0,
    )


def fit_power_law(sizes: Floats, errors: Floats) -> tuple[Floats, Floats, Floats]:
    """Fit `error = floor + scale * size ** -exponent` by least squares, floor and scale not below 0.

    Each size counts as much as it has rows: small parts scatter more, and the law is one of large ones.

    Args:
        sizes: shape `(n_sizes,)`.
        errors: shape `(n_curves, n_sizes)`.

    Returns:
        Floor, scale and exponent, shape `(n_curves,)` each.

    Source:
        Hestness et al. 2017, *Deep Learning Scaling is Predictable, Empirically*; Cortes et al. 1994, *Learning Curves:
        Asymptotic Values and Rate of Convergence*.
    """
    best = np.full(len(errors), np.inf)
    found = np.zeros((3, len(errors)))
    relative, weights = sizes / sizes[-1], sizes / sizes.sum()
    for exponent in _EXPONENTS:
        decay = relative**-exponent
        centred = decay - weights @ decay
        scales = np.clip((errors @ (weights * centred)) / (centred @ (weights * centred)), 0, None)
        floors = errors @ weights - scales * (weights @ decay)
        # Where the free floor would be negative, it is 0 and the scale alone is fitted.
        scales = np.where(
            floors < 0, np.clip((errors @ (weights * decay)) / (decay @ (weights * decay)), 0, None), scales
        )
        floors = np.clip(floors, 0, None)
        loss = (floors[:, None] + scales[:, None] * decay - errors) ** 2 @ weights
        is_better = loss < best
        best = np.where(is_better, loss, best)
        found[:, is_better] = np.stack([floors, scales * sizes[-1] ** exponent, np.full(len(errors), exponent)])[
            :, is_better
        ]
    return found[0], found[1], found[2]


def extrapolate(
    sizes: Sequence[int], fits: Sequence[_Fits], *, seed: int, factors: Sequence[int] = FACTORS
) -> Json | None:
    """Say where the curve would lead if it went on as a power law.

    Args:
        sizes: measured.
        fits: of each size.
        seed: of which fit stands for each draw.
        factors: how many times the rows of the largest.

    Returns:
        `law`: floor (of labels that no row has, too), scale, exponent; `points`: `n_rows`, and `macro_f1` with an
        interval over draws of the measured documents and of the fits (None from fewer than 5 documents of the rarest
        label), which does not hold the doubt whether the law goes on, of the sizes at which it is not below what was
        measured last; None for too few sizes, and where it is below at all.
    """
    if len(sizes) < FEWEST_POINTS:
        return None
    at = np.array(sizes, dtype=float)
    n_replicates = fits[0].drawn.shape[1]
    generator = np.random.default_rng(seed)
    # Each draw takes one fit of each size, so that the spread of fits is in the interval too.
    columns = [
        fit.drawn[generator.integers(len(fit.whole), size=n_replicates), np.arange(n_replicates)] for fit in fits
    ]
    reach = fits[0].reach
    errors = reach - np.stack(columns, axis=1)
    drawn = fit_power_law(at, errors[np.isfinite(errors).all(axis=1)])
    floor, scale, exponent = fit_power_law(at, reach - np.array([[fit.whole.mean() for fit in fits]]))
    points = []
    for factor in factors:
        target = float(sizes[-1] * factor)
        reached = reach - (drawn[0] + drawn[1] * target ** -drawn[2])
        value = float(reach - (floor + scale * target**-exponent)[0])
        if (
            value < fits[-1].whole.mean() - _ROUNDING
        ):  # the last part was above its curve by chance: more rows do not cost (#6)
            continue
        points.append({"n_rows": int(target), "macro_f1": bound_figure(value, reached, n_groups=fits[0].n_groups)})
    if not points:
        return None
    law = {"floor": float(floor[0]) + (1 - reach), "scale": float(scale[0]), "exponent": float(exponent[0])}
    return {"law": law, "points": points}


def _measure_gain(before: _Fits, after: _Fits) -> DrawnFigure:
    """What the last doubling brought: means over fits, the same draws of documents, the spread of fits added."""
    draws = (after.drawn[:, None, :] - before.drawn[None, :, :]).ravel()
    return bound_figure(float(after.whole.mean() - before.whole.mean()), draws, n_groups=after.n_groups)


def _choose_grown(n_rows: Sequence[int]) -> list[int]:
    """Places of the sizes that differ, the largest always: a part ends with a whole document, however long that is."""
    kept = [len(n_rows) - 1]
    for place in reversed(range(len(n_rows) - 1)):
        if n_rows[place] * _LEAST_STEP <= n_rows[kept[0]]:
            kept.insert(0, place)
    return kept


def _describe_size(samples: Sequence[Mapping[str, Sample]], heads: Sequence[Head]) -> Json:
    """By head macro-F1 and the F1 of each label, of the fits of one size."""
    return {
        head.name: {
            "macro_f1": _score([sample[head.name] for sample in samples], None).figure(),
            "labels": {
                label: _score([sample[head.name] for sample in samples], number).figure()
                for number, label in enumerate(head.label_names)
            },
        }
        for head in heads
    }


def grow(
    learner: Learner,
    train: Sequence[Example],
    measured: Sequence[Example],
    sizes: Sequence[int],
    *,
    n_fits: int,
    n_replicates: int,
    seed: int,
    advance: Advance,
) -> Json:
    """Fit parts of the training set, and measure each on the same rows.

    Args:
        learner: fitted on all rows first, which chooses its settings.
        train: all rows to learn from.
        measured: rows to measure on.
        sizes: from small to all.
        n_fits: parts of each size but the largest, which is one.
        n_replicates: bootstrap draws of the measured documents.
        seed: of parts and draws.
        advance: called with 1 after each fit.

    Returns:
        `points` (by size `n_rows`, `n_fits`, and by head `macro_f1` and `labels`, F1 each; a size whose parts turned
        out as large as the next one's is left out), and by head `heads`: `last_doubling` (None where the last step is
        none) and `extrapolation` (None for fewer than 4 sizes).

    Raises:
        DataError: a part has no labelled row for a head.
    """
    taxonomy = learner.taxonomy

    def measure(part: Sequence[Example]) -> dict[str, Sample]:
        decisions = learner.fit(part).decide(measured, advance=lambda _: None)
        advance(1)
        selected: Mapping[str, HeadRows] = select_rows(measured, taxonomy, decisions)
        return {
            name: Sample.of(rows, rows.draw(n_replicates=n_replicates, seed=seed)) for name, rows in selected.items()
        }

    whole = measure(train)
    # Not seed + number, by which the second part of one seed would be the first of the next.
    parts = [draw_parts(train, sizes[:-1], seed=(seed, number)) for number in range(n_fits)]
    realised = [round(float(np.mean([len(part[place]) for part in parts]))) for place in range(len(sizes) - 1)]
    kept = _choose_grown([*realised, len(train)])
    advance(n_fits * (len(sizes) - len(kept)))
    samples = [[measure(part[place]) for part in parts] for place in kept[:-1]] + [[whole]]
    n_rows = [*(realised[place] for place in kept[:-1]), len(train)]
    is_doubling = len(n_rows) > 1 and _DOUBLING[0] <= n_rows[-1] / n_rows[-2] <= _DOUBLING[1]
    names = [head for head in taxonomy.heads if head.name in whole]
    points = [
        {"n_rows": rows, "n_fits": len(of_size), "heads": _describe_size(of_size, names)}
        for rows, of_size in zip(n_rows, samples, strict=True)
    ]
    by_head: Json = {}
    for head in names:
        fits = [_score([sample[head.name] for sample in of_size], None) for of_size in samples]
        gain = _measure_gain(fits[-2], fits[-1]) if is_doubling else None
        by_head[head.name] = {"last_doubling": gain, "extrapolation": extrapolate(n_rows, fits, seed=seed)}
    return {"points": points, "heads": by_head}
