"""Owns which sentence carries an answer: leave one out, see how far the score falls.

A paragraph is run once as it is and once without each of its sentences, at most 16 times in all beyond the first:
where there are more sentences, neighbours are left out together. What is given back is a comparison of scores of the
same model, not a reason: two sentences that say the same hide each other, and then no one of them carries the answer.
A cascade is taken as the one model that it is served as: with a sentence gone it may ask its second model or cease to,
and a drop then holds what the second says, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twohands.encoding import EncodedParagraph, ParagraphEncoder
from twohands.errors import EmptyParagraphError
from twohands.paragraphs import normalise
from twohands.prediction import OneOf, Prediction, make_predictions
from twohands.scores import DecisionRule, Scores, calibrate
from twohands.sentences import Sentence, find_sentences, group_sentences
from twohands.taxonomy import Taxonomy
from twohands.windows import Logits

MAX_PIECES = 16
# Any change of a text moves its scores a little. On the released model's dev rows a quarter of the stances fall by less
# than this without their best sentence: they are carried by no one sentence, and naming one would only mislead.
MIN_DROP = 0.02
_DIGITS = 6

Evidence = dict[str, object]


@dataclass(frozen=True, slots=True)
class EvidencePlan:
    """What is to be run to explain one paragraph: `variants[i]` is the paragraph without `pieces[i]`.

    A paragraph of one sentence has one piece and no variant, since nothing would be left.
    """

    pieces: tuple[Sentence, ...]
    variants: tuple[EncodedParagraph, ...]


def _place_sentences(paragraph: str, raw: str) -> list[Sentence]:
    """The sentences of raw text, which may end at its lines, as they stand in its paragraph."""
    sentences: list[Sentence] = []
    end = 0
    for sentence in find_sentences(raw):
        try:
            words = normalise(sentence.text)
        except EmptyParagraphError:  # nothing of it is in the paragraph
            continue
        start = paragraph.find(words, end)
        if start < 0 or paragraph[end:start].strip():  # an accent went to the letter before
            return find_sentences(paragraph)
        end = start + len(words)
        sentences.append(Sentence(words, start, end))
    return find_sentences(paragraph) if paragraph[end:].strip() else sentences


def plan_evidence(encoder: ParagraphEncoder, text: str, *, raw: str | None = None) -> EvidencePlan:
    """Cut a paragraph and encode what is left without each part.

    Args:
        encoder: the one that encoded the paragraph itself.
        text: raw text, which could be encoded.
        raw: what `text` was before it was normalised, if it was: items of a list are parted by line ends.

    Returns:
        At most `MAX_PIECES` variants; places are of `text`.
    """
    sentences = find_sentences(text) if raw is None else _place_sentences(text, raw)
    pieces = group_sentences(text, sentences, most=MAX_PIECES)
    if len(pieces) < 2:
        return EvidencePlan(tuple(pieces), ())
    variants = []
    for piece in pieces:
        try:
            variants.append(encoder.encode(f"{text[: piece.start]} {text[piece.end :]}"))
        except EmptyParagraphError:  # the rest is nothing but characters that are not read: this is the only sentence
            return EvidencePlan((piece,), ())
    return EvidencePlan(tuple(pieces), tuple(variants))


def _show(piece: Sentence, drop: float | None) -> Evidence:
    return {"sentence": piece.text, "start": piece.start, "end": piece.end, "drop": drop}


def _choose(plan: EvidencePlan, score: float, without: Scores) -> Evidence | None:
    """The piece without which a score falls furthest; None when it hardly falls without any."""
    if not plan.variants:
        return _show(plan.pieces[0], None) if plan.pieces else None
    drops = score - without
    best = int(np.argmax(drops))
    drop = round(float(drops[best]), _DIGITS)
    return _show(plan.pieces[best], drop) if drop >= MIN_DROP else None


def _read_evidence(
    prediction: Prediction,
    plan: EvidencePlan,
    scores: Mapping[str, Scores],
    without: Mapping[str, Scores],
    taxonomy: Taxonomy,
) -> Evidence:
    """Say which sentence carries each answer.

    Args:
        prediction: of the whole paragraph.
        plan: how it was taken apart.
        scores: of the whole paragraph by head, shape `(n_labels,)` each.
        without: of the variants by head, shape `(n_variants, n_labels)` each.
        taxonomy: the heads.

    Returns:
        For a one-of head the sentence of its label; for an any-of head one for each label that was given. Each is
        `{"sentence", "start", "end", "drop"}`, or None when no single sentence lowers the score by
        `MIN_DROP`. `start` and `end` are characters of the raw text; `drop` is the score less the score without the
        sentence, in [0.02, 1], and None when there is only one sentence.
    """
    evidence: Evidence = {}
    for head in taxonomy.heads:
        answer = prediction.heads[head.name]
        labels = [answer.label] if isinstance(answer, OneOf) else answer.labels
        places = {label: head.label_names.index(label) for label in labels}
        found = {
            label: _choose(plan, float(scores[head.name][place]), without[head.name][:, place])
            for label, place in places.items()
        }
        evidence[head.name] = found[answer.label] if isinstance(answer, OneOf) else found
    return evidence


def list_runs(paragraphs: Sequence[EncodedParagraph], plans: Sequence[EvidencePlan]) -> list[EncodedParagraph]:
    """Everything that must be run, in one batch: the paragraphs, then the variants of each.

    Args:
        paragraphs: what is classified.
        plans: one for each, or none at all when nothing is explained.

    Returns:
        The order that `make_explained_predictions` expects.
    """
    return [*paragraphs, *(variant for plan in plans for variant in plan.variants)]


def make_explained_predictions(
    logits: Logits,
    paragraphs: Sequence[EncodedParagraph],
    plans: Sequence[EvidencePlan],
    taxonomy: Taxonomy,
    rules: Mapping[str, DecisionRule],
) -> list[Prediction]:
    """Calibrate, decide, and explain what was planned.

    Args:
        logits: shape `(len(list_runs(paragraphs, plans)), n_labels)`.
        paragraphs: what was read.
        plans: one for each, or none at all: then this is `make_predictions`.
        taxonomy: the heads.
        rules: by head name.

    Returns:
        One prediction for each paragraph.

    Raises:
        NonFiniteLogitsError: a logit is NaN or infinite.
    """
    predictions = make_predictions(logits[: len(paragraphs)], paragraphs, taxonomy, rules)
    if not plans:
        return predictions
    scores = {
        head.name: calibrate(logits[:, taxonomy.slices[head.name]], rules[head.name].calibration)
        for head in taxonomy.heads
    }
    explained = []
    start = len(paragraphs)
    for row, (prediction, plan) in enumerate(zip(predictions, plans, strict=True)):
        end = start + len(plan.variants)
        whole = {name: values[row] for name, values in scores.items()}
        without = {name: values[start:end] for name, values in scores.items()}
        explained.append(replace(prediction, evidence=_read_evidence(prediction, plan, whole, without, taxonomy)))
        start = end
    return explained
