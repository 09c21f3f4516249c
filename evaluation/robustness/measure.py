"""Owns the figures of damaged rows beside those of the rows as they are, on the same draws."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluation.deciders import run_model
from evaluation.progress import Advance, show_progress
from evaluation.robustness.conditions import Condition, damage_text, list_conditions, share_of_words
from evaluation.robustness.names import measure_names, swap_countries
from evaluation.rows import HeadRows, Sample, select_rows, share_of
from twohands.bounds import bound_figure
from twohands.classifier import Classifier
from twohands.decide import decide_all
from twohands.errors import InputError
from twohands.examples import Example
from twohands.metrics import macro_f1
from twohands.paragraphs import normalise
from twohands.windows import Logits

Json = dict[str, object]


def _measure_head(as_is: HeadRows, drawn: Sequence[HeadRows], *, n_replicates: int, seed: int) -> Json:
    """Means over draws of the damage; the same bootstrap draws for each of them and for the rows as they are."""
    weights = as_is.draw(n_replicates=n_replicates, seed=seed)
    before = Sample.of(as_is, weights)
    values, bootstrapped, is_other = [], [], np.zeros(len(as_is.places))
    for damaged in drawn:
        after = Sample.of(damaged, weights)
        values.append(float(macro_f1(after.whole)[0]))
        bootstrapped.append(macro_f1(after.drawn, whole=after.whole))
        is_other += (as_is.decided != damaged.decided).any(axis=1)
    value, over_draws, n_groups = float(np.mean(values)), np.mean(bootstrapped, axis=0), before.n_rarest
    undamaged, of_undamaged = float(macro_f1(before.whole)[0]), macro_f1(before.drawn, whole=before.whole)
    return {
        "macro_f1": bound_figure(value, over_draws, n_groups=n_groups),
        "difference": bound_figure(value - undamaged, over_draws - of_undamaged, n_groups=n_groups),
        "changed": share_of(
            as_is.sum_by_document(is_other / len(drawn)), as_is.sum_by_document(np.ones(len(is_other))), weights
        ),
        "draws": {"macro_f1": values, "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None},
    }


def _run_damaged(
    classifier: Classifier, before: Sequence[Example], after: Sequence[Example], logits: Logits, *, advance: Advance
) -> Logits:
    """Logits of damaged rows; those that the damage left as they were are not run again."""
    is_changed = np.array([one.paragraph != other.paragraph for one, other in zip(before, after, strict=True)])
    answered = logits.copy()
    if is_changed.any():
        chosen = [after[place] for place in np.flatnonzero(is_changed).tolist()]
        answered[is_changed], _ = run_model(classifier, chosen, advance=advance)
    advance(int((~is_changed).sum()))
    return answered


def measure_robustness(
    classifier: Classifier,
    examples: Sequence[Example],
    selected: Mapping[str, HeadRows],
    logits: Logits,
    *,
    n_replicates: int,
    seed: int,
    n_draws: int,
) -> Json:
    """Measure a model on damaged rows, and on rows of other countries.

    Args:
        classifier: the model.
        examples: labelled rows.
        selected: what it answered on them as they are, by head.
        logits: the same, shape `(n, n_labels)`.
        n_replicates: bootstrap draws.
        seed: of the draws and of the damage.
        n_draws: how often the damage is drawn, where it is by chance.

    Returns:
        `conditions`: by name `n_draws`, `n_damaged` rows that differ in any of them, `words_changed`, the share of all
        words that was taken or changed, and by head `macro_f1`, its `difference` from the rows as they are, `changed`,
        the share of answers that are others, all means over the draws, and `draws` with macro-F1 of each and their
        standard deviation `sd` (None of one); `countries` as `measure_names`.
    """
    conditions = list(list_conditions(classifier.encoder))
    swapped = swap_countries(examples, seed=seed)
    n_swapped = sum(1 + len(swaps) for _, swaps in swapped)
    draws_of = {condition.name: n_draws if condition.is_random else 1 for condition in conditions}
    n_words = np.array([len(example.paragraph.split()) for example in examples])
    measured: Json = {}
    with show_progress("damaging", len(examples) * sum(draws_of.values()) + n_swapped) as advance:
        for condition in conditions:
            drawn: dict[str, list[HeadRows]] = {name: [] for name in selected}
            is_damaged, shares = np.zeros(len(examples), dtype=bool), np.zeros(len(examples))
            for draw in range(draws_of[condition.name]):
                damaged = _damage(classifier, examples, condition, seed=seed, draw=draw)
                answered = _run_damaged(classifier, examples, damaged, logits, advance=advance)
                decisions = decide_all(answered, classifier.taxonomy, classifier.manifest.rules)
                for name, rows in select_rows(damaged, classifier.taxonomy, decisions).items():
                    drawn[name].append(rows)
                pairs = [(one.paragraph, other.paragraph) for one, other in zip(examples, damaged, strict=True)]
                is_damaged |= np.array([before != after for before, after in pairs])
                shares += np.array([share_of_words(before, after) for before, after in pairs])
            measured[condition.name] = {
                "n_draws": draws_of[condition.name],
                "n_damaged": int(is_damaged.sum()),
                "words_changed": float((shares * n_words).sum() / n_words.sum() / draws_of[condition.name]),
                "heads": {
                    name: _measure_head(selected[name], rows, n_replicates=n_replicates, seed=seed)
                    for name, rows in drawn.items()
                },
            }
        countries = measure_names(classifier, swapped, advance=advance)
    return {"conditions": measured, "countries": countries}


def _damage(
    classifier: Classifier, examples: Sequence[Example], condition: Condition, *, seed: int, draw: int
) -> list[Example]:
    """Rows of which nothing would be left but marks that the model has no token for stay as they are (#6)."""
    texts = [normalise(damage_text(example.paragraph, condition, seed=seed, draw=draw)) for example in examples]
    return [
        example if isinstance(encoded, InputError) else replace(example, paragraph=text)
        for example, text, encoded in zip(examples, texts, classifier.try_encode(texts), strict=True)
    ]
