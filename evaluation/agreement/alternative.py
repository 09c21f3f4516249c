"""Owns the alternative-annotator test: may a model stand in for one of the people?"""

from importlib import import_module

import numpy as np

from evaluation.agreement.codings import MISSING, Codes, Variable
from twohands.bounds import FEWEST_GROUPS
from twohands.metrics import Floats

Json = dict[str, object]
MIN_ITEMS = 30
_LEVEL = 0.05


def _support(counts: Floats, codes: Codes, own: Codes) -> Floats:
    """The share of the others who gave the same label; `own` is the label that the left-out annotator gave."""
    rows = np.arange(len(codes))
    others = counts.copy()
    others[rows, own] -= 1
    return np.asarray(others[rows, codes] / others.sum(axis=1))


def stand_in(variable: Variable, model: Codes, names: list[str], *, groups: Codes, epsilon: float) -> Json | None:
    """Test for each annotator whether the model agrees with the others at least as often as that annotator does.

    Items of one document are taken as independent, as in the source. Where the model is worse on some documents than
    on others, that is too bold: one that lay at `epsilon` was let stand in for 43% of people on one document of 60
    items, for 15% on 5 of 12 and 9% on 60 of 10, instead of 1 to 2 (simulated, #6).

    Args:
        variable: codes of the people.
        model: codes of the model, shape `(n_items,)`.
        names: of the annotators.
        groups: the document of each item, shape `(n_items,)`.
        epsilon: by how much a person is worth more than a model: 0.1 for crowds, 0.2 for experts.

    Returns:
        By annotator with at least 30 items of at least 5 documents `n`, how often the model's label (`model`) and the
        annotator's (`person`) is the one with at least as many others behind it, and the adjusted `p`; `n_won` and
        `winning_rate`, how many and what share of them the model can stand in for, and `passed`, whether that is at
        least half. None where nobody has as many.

    Source:
        Calderon, Reichart and Dror 2025, *The Alternative Annotator Test for LLM-as-a-Judge*.
    """
    stats = import_module("scipy.stats")
    counts = variable.count().astype(float)
    by_annotator: dict[str, Json] = {}
    p_values: list[float] = []
    for place, name in enumerate(names):
        own = variable.codes[:, place]
        kept = (own != MISSING) & (counts.sum(axis=1) > 1)
        if kept.sum() < MIN_ITEMS or len(np.unique(groups[kept])) < FEWEST_GROUPS:
            continue
        person = _support(counts[kept], own[kept], own[kept])
        machine = _support(counts[kept], model[kept], own[kept])
        model_wins, person_wins = machine >= person, person >= machine
        apart = person_wins.astype(float) - model_wins.astype(float)
        spread = apart.std(ddof=1)
        if spread == 0:
            p_values.append(float(apart.mean() >= epsilon))
        else:
            t = (apart.mean() - epsilon) / (spread / np.sqrt(len(apart)))
            p_values.append(float(stats.t.cdf(t, len(apart) - 1)))
        by_annotator[name] = {
            "n": int(kept.sum()), "model": float(model_wins.mean()), "person": float(person_wins.mean())
        }  # fmt: skip
    if not by_annotator:
        return None
    adjusted = stats.false_discovery_control(p_values, method="by")
    for described, p in zip(by_annotator.values(), adjusted, strict=True):
        described["p"] = float(p)
    n_won = int((adjusted <= _LEVEL).sum())
    winning_rate = n_won / len(by_annotator)
    return {
        "epsilon": epsilon,
        "annotators": by_annotator,
        "n_annotators": len(by_annotator),
        "n_won": n_won,
        "winning_rate": winning_rate,
        "passed": winning_rate >= 0.5,
    }
