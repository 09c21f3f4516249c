"""Owns the figures of a data set itself: labels, lengths, documents. Knows nothing of models."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from twohands.examples import Example
from twohands.taxonomy import ProblemType, Taxonomy

Json = dict[str, object]
_SHARES = {"least": 0.0, "p05": 0.05, "median": 0.5, "p95": 0.95, "most": 1.0}


def _spread(values: Sequence[int]) -> dict[str, float]:
    """Order statistics; each is a value that occurs."""
    cuts = np.quantile(np.asarray(values), list(_SHARES.values()), method="nearest")
    return dict(zip(_SHARES, cuts.tolist(), strict=True))


def describe_labels(examples: Sequence[Example], taxonomy: Taxonomy) -> Json:
    """Count labels.

    Args:
        examples: checked rows.
        taxonomy: the heads.

    Returns:
        By head `n` labelled rows, `n_unlabelled`, `labels` with `n` and `share` of the labelled; for an any-of head
        also `n_without` any label and `together`, how often two labels stand in one row.
    """
    described: Json = {}
    for head in taxonomy.heads:
        labelled = [words for example in examples if (words := example.labels[head.name]) is not None]
        counts = Counter(word for words in labelled for word in words)
        of_head: Json = {
            "n": len(labelled),
            "n_unlabelled": len(examples) - len(labelled),
            "labels": {
                name: {"n": counts[name], "share": counts[name] / len(labelled) if labelled else None}
                for name in head.label_names
            },
        }
        if head.problem_type is ProblemType.ANY_OF:
            pairs = Counter(pair for words in labelled for pair in combinations(words, 2))
            of_head["n_without"] = sum(not words for words in labelled)
            of_head["together"] = {
                f"{a} + {b}": pairs[a, b] for a, b in combinations(head.label_names, 2) if pairs[a, b]
            }
        described[head.name] = of_head
    return described


def count_repeats(examples: Sequence[Example]) -> tuple[int, int]:
    """Count rows whose text stood before.

    Args:
        examples: checked rows; texts are compared as models read them.

    Returns:
        How many there are, and how many of them have other labels than were first given to the text; a head that
        nobody looked at differs from none.
    """
    first_given: dict[tuple[str, str], tuple[str, ...]] = {}
    n_other = 0
    for example in examples:
        given = {(example.paragraph, head): words for head, words in example.labels.items() if words is not None}
        n_other += any(first_given.setdefault(key, words) != words for key, words in given.items())
    return len(examples) - len({example.paragraph for example in examples}), n_other


def describe_examples(
    examples: Sequence[Example], taxonomy: Taxonomy, *, n_tokens: Sequence[int] = (), n_windows: Sequence[int] = ()
) -> Json:
    """Describe rows.

    Args:
        examples: checked rows; at least one.
        taxonomy: the heads.
        n_tokens: of each row, as a model reads it; left out when no model reads them.
        n_windows: of each row.

    Returns:
        `heads` as `describe_labels`; `n_words` (and `n_tokens`) as least, 5%, median, 95%, most; `rows_per_group`
        likewise; `n_repeated_texts`, rows whose text stood before; `n_sources`; `n_several_windows`.
    """
    described: Json = {
        "heads": describe_labels(examples, taxonomy),
        "n_words": _spread([len(example.paragraph.split()) for example in examples]),
        "rows_per_group": _spread(list(Counter(example.group for example in examples).values())),
        "n_sources": len({example.source for example in examples}),
        "n_repeated_texts": count_repeats(examples)[0],
    }
    if n_tokens:
        described["n_tokens"] = _spread(n_tokens)
    if n_windows:
        described["n_several_windows"] = sum(n > 1 for n in n_windows)
    return described
