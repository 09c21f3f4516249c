"""Owns what several people say together, and what the others say where one is left out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.agreement.codings import MISSING, Codes, Scale, Variable


def agree_on(counts: npt.NDArray[np.int64], scale: Scale | None) -> Codes:
    """The label on which people agree, by the mean on a scale, else by majority.

    Args:
        counts: how many gave each label; shape `(n, n_labels)`.
        scale: the order of the labels; None takes the majority.

    Returns:
        Places of labels, shape `(n,)`; -1 where nobody coded, or where a majority is tied.
    """
    n = counts.sum(axis=1)
    if scale is None:
        most = counts.max(axis=1, initial=0)
        is_tied = (counts == most[:, None]).sum(axis=1) > 1
        return np.where((n == 0) | is_tied, MISSING, counts.argmax(axis=1))
    means = counts @ np.array([-1.0, 0.0, 1.0]) / np.maximum(n, 1)
    places = [scale.labels.index(scale.label_of(float(mean))) for mean in means]
    return np.where(n == 0, MISSING, np.array(places, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Each code beside what all others say of the item; arrays of shape `(n_codes,)`, places of labels."""

    item: Codes
    annotator: Codes
    code: Codes
    rest: Codes


def leave_one_out(variable: Variable) -> LeftOut:
    """Set every annotator against the rest.

    Args:
        variable: codes of all.

    Returns:
        The codes whose item has others that agree on a label, by item and annotator.
    """
    item, annotator = np.nonzero(variable.codes != MISSING)
    code = variable.codes[item, annotator]
    others = variable.count()[item]
    others[np.arange(len(item)), code] -= 1
    rest = agree_on(others, variable.scale)
    kept = rest != MISSING
    return LeftOut(item[kept], annotator[kept], code[kept], rest[kept])
