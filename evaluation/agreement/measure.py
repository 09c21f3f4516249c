"""Owns what is reported of agreement: people among themselves, the model beside them, and who is further off."""

from collections.abc import Sequence

import numpy as np

from evaluation.agreement.alternative import stand_in
from evaluation.agreement.codings import MISSING, PRESENT, Codes, Codings, Variable, code_answers
from evaluation.agreement.consensus import LeftOut, agree_on, leave_one_out
from evaluation.agreement.figures import (
    Agreement,
    Level,
    compare_codes,
    count_pairable,
    kappa,
    measure_alpha,
)
from evaluation.measure import note_few, note_rare
from evaluation.swaps import swap_counts
from twohands.bounds import FEWEST_GROUPS, count_departing
from twohands.metrics import Floats, draw_weights
from twohands.taxonomy import ProblemType

Json = dict[str, object]
# Beyond these, pairs are many and thin: what each annotator shares with the rest says more.
MOST_IN_PAIRS = 8


class _Measurer:
    """Measures one variable; `weights` holds the sample in its first row and the draws, of `seed`, in the others."""

    def __init__(self, variable: Variable, codings: Codings, weights: Floats, *, seed: int) -> None:
        self.variable, self.weights, self.groups, self.seed = variable, weights, codings.groups, seed
        self.names = codings.annotators

    def compare(self, a: Codes, b: Codes, item: Codes, *, is_reference: bool = False) -> Agreement:
        variable = self.variable
        return compare_codes(
            a,
            b,
            groups=self.groups[item],
            weights=self.weights,
            labels=variable.labels,
            scale=variable.scale,
            is_reference=is_reference,
        )

    def against_rest(self, rest: LeftOut, codes: Codes) -> Agreement:
        """What the others say beside one set of codes: the person's own, or the model's of the same items."""
        return self.compare(rest.rest, codes, rest.item, is_reference=True)

    def describe(self, agreement: Agreement) -> Json:
        """Of a label that is there or not, only the F1 of its being there says anything."""
        described = agreement.describe()
        if self.variable.is_presence:
            labels = described.pop("labels")
            described.pop("macro_f1")
            described["f1"] = labels[PRESENT]["f1"] if isinstance(labels, dict) else None
        return described

    def pair(self, a: Codes, b: Codes) -> Json | None:
        """Two whole columns of codes, where both coded; None where they share no item."""
        (item,) = np.nonzero((a != MISSING) & (b != MISSING))
        return None if len(item) == 0 else self.describe(self.compare(a[item], b[item], item))

    def measure_people(self, rest: LeftOut) -> Json:
        variable, n = self.variable, len(self.names)
        pairs = []
        if n <= MOST_IN_PAIRS:
            for first in range(n):
                for second in range(first + 1, n):
                    found = self.pair(variable.codes[:, first], variable.codes[:, second])
                    if found is not None:
                        pairs.append({"a": self.names[first], "b": self.names[second], **found})
        per_item = variable.count().sum(axis=1)
        against = self.describe(self.against_rest(rest, rest.code)) if len(rest.item) else None
        levels: list[Level] = ["nominal", "ordinal"] if variable.scale else ["nominal"]
        return {
            "n_items": int((per_item > 0).sum()),
            "n_items_pairable": int((per_item > 1).sum()),
            "n_codes": int(per_item.sum()),
            "alpha": {
                level: measure_alpha(variable, self.groups, self.weights, level=level) for level in levels
            },
            "pairs": pairs,
            "one_against_rest": against,
        }  # fmt: skip

    def measure_model(self, model: Codes, rest: LeftOut, epsilon: float) -> Json:
        variable = self.variable
        counts = variable.count()
        together = agree_on(counts, variable.scale)
        (item,) = np.nonzero(together != MISSING)
        has_several = counts.sum(axis=1) > 1  # whom one person coded, nobody could differ from
        is_unanimous = counts.max(axis=1) == counts.sum(axis=1)
        with_annotators = [
            {"a": name, **found}
            for place, name in enumerate(self.names[:MOST_IN_PAIRS] if len(self.names) <= MOST_IN_PAIRS else [])
            if (found := self.pair(variable.codes[:, place], model)) is not None
        ]
        measured: Json = {
            "against_all": self._against(together, model, item),
            "unanimous_items": self._against(together, model, item[(has_several & is_unanimous)[item]]),
            "divided_items": self._against(together, model, item[(has_several & ~is_unanimous)[item]]),
            "pairs": with_annotators,
            "against_rest": None,
            "model_minus_person": None,
            "swaps": None,
            "stand_in": stand_in(variable, model, self.names, groups=self.groups, epsilon=epsilon),
        }
        if len(rest.item):
            person, machine = self.against_rest(rest, rest.code), self.against_rest(rest, model[rest.item])
            apart = machine.minus(person)
            if variable.is_presence:
                apart.pop("macro_f1")
                apart["f1"] = machine.minus_of_label(person, PRESENT)
            # Where all documents but a few agree, the bootstrap's interval is too narrow by far; see `swap_counts`.
            swaps = swap_counts(
                machine.confusion, person.confusion, kappa, n_replicates=len(self.weights) - 1, seed=self.seed
            )
            if apart["kappa"] is None:
                swaps |= {"p": None}
            measured |= {"against_rest": self.describe(machine), "model_minus_person": apart, "swaps": swaps}
        return measured

    def _against(self, together: Codes, model: Codes, item: Codes) -> Json | None:
        return self.describe(self.compare(together[item], model[item], item)) if len(item) else None


def measure_agreement(
    codings: Codings,
    answers: Sequence[tuple[str, ...]] | None,
    *,
    n_replicates: int,
    seed: int,
    epsilon: float,
) -> Json:
    """Measure how people agree, and a model beside them.

    Args:
        codings: what people said.
        answers: what the model says, label words by item; None measures people only.
        n_replicates: bootstrap draws of documents.
        seed: of the draws.
        epsilon: see `stand_in`.

    Returns:
        By variable (a one-of head, or each label of an any-of head): `people` with `alpha`, `pairs` and
        `one_against_rest`; `model` with `against_rest` on the same codes, `model_minus_person`, `swaps` of the two by
        kappa, `against_all` (None where people are tied over every item), and `stand_in`; None without a model.
    """
    n_groups = int(codings.groups.max()) + 1
    drawn = draw_weights(n_groups, n_replicates=n_replicates, seed=seed)
    weights = np.concatenate([np.ones((1, n_groups)), drawn])
    measured: Json = {}
    for variable in codings.variables():
        measurer = _Measurer(variable, codings, weights, seed=seed)
        rest = leave_one_out(variable)
        model = None if answers is None else code_answers(variable, codings.head, answers)
        measured[variable.name] = {
            "labels": list(variable.labels),
            "people": measurer.measure_people(rest),
            "model": None if model is None else measurer.measure_model(model, rest, epsilon),
        }
    return measured


def _note_labels(codings: Codings, answers: Sequence[tuple[str, ...]] | None) -> list[str]:
    """What macro-F1 is not made of, or cannot show, for want of codes; the F1 of one label stands for itself."""
    if codings.head.problem_type is not ProblemType.ONE_OF:
        return []
    (variable,) = codings.variables()
    n_coded = variable.count()
    answered = {words[0] for words in answers or ()}
    unused = [
        name for name, n in zip(variable.labels, n_coded.sum(axis=0), strict=True) if not n and name not in answered
    ]
    notes = [f"Nobody gave {', '.join(unused)}; macro-F1 is the mean over the other labels."] if unused else []
    return notes + note_rare(variable.labels, n_coded > 0, [item.group for item in codings.items])


def _note_departing(codings: Codings) -> list[str]:
    """Of what alpha and kappa have no interval, though there are documents enough in all."""
    groups = codings.groups
    if len(set(groups.tolist())) < FEWEST_GROUPS:
        return []
    notes = []
    for variable in codings.variables():
        given = count_pairable(variable, groups)
        if 0 < count_departing(given) < FEWEST_GROUPS:
            most = variable.labels[int(given.sum(axis=0).argmax())]
            notes.append(
                f"{variable.name}: fewer than {FEWEST_GROUPS} documents are coded {most}, or fewer anything else: no "
                "interval of alpha and kappa."
            )
    return notes


def _note_tied(codings: Codings) -> list[str]:
    """Of codes that stand beside no label of the others: left out are those of items over which people are divided."""
    counted = []
    for variable in codings.variables():
        per_item = variable.count().sum(axis=1)
        n_codes = int(per_item[per_item > 1].sum())
        n_tied = n_codes - len(leave_one_out(variable).item)
        if n_tied:
            counted.append(f"{variable.name} {n_tied} of {n_codes}")
    if not counted:
        return []
    return [
        f"Codes that are not set against the rest, who are tied over the item: {', '.join(counted)}. What is left are "
        "items that people are less divided over."
    ]


def note_limits(
    codings: Codings, answers: Sequence[tuple[str, ...]] | None, *, n_repeated: int, n_tied: int
) -> list[str]:
    """Say what the figures cannot show.

    Args:
        codings: what people said.
        answers: what the model says; None without one.
        n_repeated: codes that were an annotator's second of an item.
        n_tied: times that the members of a panel were tied, over a label of an any-of head or over the only one.

    Returns:
        One sentence for each limit.
    """
    notes: list[str] = []
    notes += note_few(codings.groups.tolist())
    notes += _note_labels(codings, answers) + _note_departing(codings) + _note_tied(codings)
    if n_repeated:
        notes.append(f"{n_repeated} codes were an annotator's second of an item; the first counts.")
    if n_tied:
        is_any_of = codings.head.problem_type is ProblemType.ANY_OF
        said = "was tied over a label and counts as not having coded it" if is_any_of else "was tied and gave no label"
        notes.append(f"{n_tied} times a panel {said}.")
    return notes
