"""Owns the figures of damaged rows beside those of the rows as they are, on the same draws."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluation.deciders import run_model
from evaluation.progress import show_progress
from evaluation.robustness.conditions import damage_text, list_conditions
from evaluation.robustness.names import measure_names, swap_countries
from evaluation.rows import HeadRows, Sample, select_rows, share_of, subtract
from twohands.classifier import Classifier
from twohands.decide import decide_all
from twohands.examples import Example
from twohands.metrics import macro_f1
from twohands.paragraphs import normalise

Json = dict[str, object]


def _measure_head(as_is: HeadRows, damaged: HeadRows, *, n_replicates: int, seed: int) -> Json:
    weights = as_is.draw(n_replicates=n_replicates, seed=seed)
    before, after = Sample.of(as_is, weights), Sample.of(damaged, weights)
    is_other = (as_is.decided != damaged.decided).any(axis=1).astype(float)
    return {
        "macro_f1": after.macro(macro_f1),
        "difference": subtract(macro_f1, after, before, n_groups=before.n_rarest),
        "changed": share_of(
            damaged.sum_by_document(is_other), damaged.sum_by_document(np.ones(len(is_other))), weights
        ),
    }


def measure_robustness(
    classifier: Classifier,
    examples: Sequence[Example],
    selected: Mapping[str, HeadRows],
    *,
    n_replicates: int,
    seed: int,
) -> Json:
    """Measure a model on damaged rows, and on rows of other countries.

    Args:
        classifier: the model.
        examples: labelled rows.
        selected: what it answered on them as they are, by head.
        n_replicates: bootstrap draws.
        seed: of the draws and of the damage.

    Returns:
        `conditions`: by name `n_damaged` rows that differ, and by head `macro_f1`, its `difference` from the rows as
        they are, and `changed`, the share of answers that are others; `countries` as `measure_names`.
    """
    conditions = list(list_conditions(classifier.encoder))
    swapped = swap_countries(examples, seed=seed)
    n_swapped = sum(1 + len(swaps) for _, swaps in swapped)
    measured: Json = {}
    with show_progress("damaging", len(examples) * len(conditions) + n_swapped) as advance:
        for name, damage in conditions:
            damaged = [
                replace(example, paragraph=normalise(damage_text(example.paragraph, name, damage, seed=seed)))
                for example in examples
            ]
            logits, _ = run_model(classifier, damaged, advance=advance)
            decisions = decide_all(logits, classifier.taxonomy, classifier.manifest.rules)
            rows = select_rows(damaged, classifier.taxonomy, decisions)
            measured[name] = {
                "n_damaged": sum(
                    after.paragraph != before.paragraph for before, after in zip(examples, damaged, strict=True)
                ),
                "heads": {
                    head: _measure_head(selected[head], rows[head], n_replicates=n_replicates, seed=seed)
                    for head in selected
                },
            }
        countries = measure_names(classifier, swapped, advance=advance)
    return {"conditions": measured, "countries": countries}
