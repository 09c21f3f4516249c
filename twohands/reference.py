"""Owns what a model's answers on its own data look like, kept in the manifest so that drift can be told in service.

Like is compared with like: the reference holds what the model answered on rows it was selected on, not what their
labels say, since of traffic only answers are known.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twohands.encoding import EncodedParagraph
from twohands.prediction import OneOf, Prediction

REFERENCE_KEY = "reference"
N_SCORE_BINS = 10
_DIGITS = 6


class Reference(BaseModel):
    """Figures of the model on its own data; stands in the manifest's `metrics` under `reference`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    label_share: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="head -> label -> share of the paragraphs that are given it"
    )
    score_share: dict[str, list[float]] = Field(
        default_factory=dict, description="head -> share of the highest scores in each tenth from 0 to 1"
    )
    input_tokens_edges: list[float] = Field(default_factory=list, description="upper bounds of length bins, rising")
    input_tokens_share: list[float] = Field(default_factory=list, description="one more than edges")
    unknown_token_share: float | None = Field(default=None, ge=0, le=1)


def find_score_bin(score: float) -> int:
    """Which tenth a score falls into, from 0."""
    return min(int(score * N_SCORE_BINS), N_SCORE_BINS - 1)


def measure_reference(predictions: Sequence[Prediction], paragraphs: Sequence[EncodedParagraph]) -> Reference:
    """Measure what a model answers on its own data.

    Args:
        predictions: at least one.
        paragraphs: what was read for each.

    Returns:
        The figures; lengths are binned at the deciles.
    """
    n_rows = len(predictions)
    label_share: dict[str, dict[str, float]] = {}
    score_share: dict[str, list[float]] = {}
    for head, first in predictions[0].heads.items():
        answers = [prediction.heads[head] for prediction in predictions]
        given: Counter[str] = Counter()
        for answer in answers:
            given.update([answer.label] if isinstance(answer, OneOf) else answer.labels)
        label_share[head] = {name: round(given[name] / n_rows, _DIGITS) for name in first.scores}
        bins = Counter(find_score_bin(max(answer.scores.values())) for answer in answers)
        score_share[head] = [round(bins[place] / n_rows, _DIGITS) for place in range(N_SCORE_BINS)]
    lengths = np.array([paragraph.n_tokens for paragraph in paragraphs])
    edges = sorted({float(edge) for edge in np.quantile(lengths, np.linspace(0.1, 0.9, 9), method="higher")})
    places = Counter(int(place) for place in np.searchsorted(edges, lengths))
    n_tokens = int(lengths.sum())
    n_unknown = sum(paragraph.n_tokens_unknown for paragraph in paragraphs)
    return Reference(
        label_share=label_share,
        score_share=score_share,
        input_tokens_edges=edges,
        input_tokens_share=[round(places[place] / n_rows, _DIGITS) for place in range(len(edges) + 1)],
        unknown_token_share=round(n_unknown / n_tokens, _DIGITS),
    )


def read_reference(metrics: dict[str, object]) -> Reference | None:
    """The figures of a manifest.

    Args:
        metrics: the manifest's.

    Returns:
        None where there are none, or they are of a shape that this release does not know.
    """
    try:
        return Reference.model_validate(metrics[REFERENCE_KEY]) if REFERENCE_KEY in metrics else None
    except ValidationError:
        return None
