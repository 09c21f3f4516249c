"""Owns other people's classifiers and NLI models as deciders: their labels laid onto our heads."""

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.baselines import labelled_rows
from evaluation.deciders import Decisions
from evaluation.linear import plain_rule
from evaluation.neural.pretrained import SequenceClassifier
from evaluation.progress import Advance
from twohands.decide import decide_head
from twohands.errors import TaxonomyMismatchError
from twohands.examples import Example
from twohands.metrics import Floats
from twohands.scores import DecisionRule, Scores, sigmoid, softmax
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.thresholds import fit_score_thresholds

HYPOTHESIS = "This text: {description}"
ENTAILMENT_LABELS = ("entailment", "contradiction", "neutral")  # what --map may call an NLI model's labels
_MOST_NAMED = 10


def _plain_word(label: str) -> str:
    """Labels are the same word whatever their case and joints: `State_Led` is `state-led`."""
    return "-".join(label.lower().replace("_", " ").replace("-", " ").split())


def _note_cut(name: str, n_cut: int, n_rows: int, max_tokens: int) -> list[str]:
    return [f"{name} reads {max_tokens} tokens at most, and {n_cut} of {n_rows} rows are longer."] if n_cut else []


class PeerClassifier:
    """A Hugging Face sequence classifier whose labels are ours, by name or by a map."""

    def __init__(self, classifier: SequenceClassifier, taxonomy: Taxonomy, label_map: Mapping[str, str]) -> None:
        """Lay the model's labels onto the heads.

        Args:
            classifier: the model.
            taxonomy: the heads; those of which the model lacks a label are left out.
            label_map: the model's label -> ours, where names differ.

        Raises:
            TaxonomyMismatchError: the model has all labels of no head, the map names a label that is not there, or two
                of the model's labels stand for one.
        """
        strange = sorted(set(label_map) - set(classifier.labels))
        if strange:
            raise TaxonomyMismatchError(f"--map names {', '.join(strange)}; {classifier.name} has {classifier.labels}")
        places_of: dict[str, list[int]] = {}
        for number, label in enumerate(classifier.labels):
            places_of.setdefault(_plain_word(label_map.get(label, label)), []).append(number)
        heads = [head for head in taxonomy.heads if set(map(_plain_word, head.label_names)) <= set(places_of)]
        if not heads:
            wanted = "; ".join(f"{head.name}: {', '.join(head.label_names)}" for head in taxonomy.heads)
            raise TaxonomyMismatchError(
                f"{classifier.name} answers {', '.join(classifier.labels)}, which are all labels of no head "
                f"({wanted}); say which is which, as in --map LABEL_0=state-led"
            )
        for name in (name for head in heads for name in head.label_names):
            theirs = [classifier.labels[number] for number in places_of[_plain_word(name)]]
            if len(theirs) > 1:
                raise TaxonomyMismatchError(
                    f"{' and '.join(theirs)} of {classifier.name} all stand for {name}; expected one of them"
                )
        self.taxonomy = Taxonomy(heads=heads)
        self._classifier = classifier
        self.notes: list[str] = []
        known = {_plain_word(name) for head in heads for name in head.label_names}
        others = [classifier.labels[number] for word in places_of if word not in known for number in places_of[word]]
        if others:
            named = ", ".join(others[:_MOST_NAMED]) + f" and {len(others) - _MOST_NAMED} more" * (
                len(others) > _MOST_NAMED
            )
            self.notes.append(f"hf:{classifier.name} also answers {named}: no labels here, and never given.")
        self._columns = {head.name: [places_of[_plain_word(name)][0] for name in head.label_names] for head in heads}

    @property
    def identity(self) -> dict[str, object]:
        """Name and digest of the weights."""
        return {"name": f"hf:{self._classifier.name}", "sha256": self._classifier.sha256}

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Score and label examples; an any-of head's label is given from one half on.

        Where one of the model's labels applies, scores of an any-of head are shares of all its labels, as in
        transformers' pipeline: a logit above 0 says nothing there.

        Args:
            examples: checked rows; at least one.
            advance: called with the number of examples done.

        Returns:
            By head name.
        """
        texts = [example.paragraph for example in examples]
        name, n_cut = f"hf:{self._classifier.name}", self._classifier.count_cut(texts)
        self.notes += _note_cut(name, n_cut, len(texts), self._classifier.max_tokens)
        logits = self._classifier.run(texts, advance=advance)
        decisions = {}
        for head in self.taxonomy.heads:
            columns = self._columns[head.name]
            if head.problem_type is ProblemType.ONE_OF:
                scores = softmax(logits[:, columns])
            elif self._classifier.is_exclusive:
                scores = softmax(logits)[:, columns]
            else:
                scores = sigmoid(logits[:, columns])
            decisions[head.name] = (scores, decide_head(head, plain_rule(head), scores))
        return decisions


def find_entailment(classifier: SequenceClassifier, label_map: Mapping[str, str]) -> tuple[int, int | None]:
    """Find which logits say that a text entails and contradicts.

    Args:
        classifier: an NLI model.
        label_map: the model's label -> one of `ENTAILMENT_LABELS`.

    Returns:
        The place of entailment, and that of its contrary: the other one of two labels, whatever it is called, else
        that of contradiction; None where there is none.

    Raises:
        TaxonomyMismatchError: no label, or two, stand for entailment.
    """
    words = [label_map.get(label, label).lower()[:6] for label in classifier.labels]
    if words.count("entail") != 1:
        raise TaxonomyMismatchError(
            f"{classifier.name} answers {', '.join(classifier.labels)}; one label of an NLI model is entailment: say "
            "which by its card, as in --map LABEL_2=entailment --map LABEL_0=contradiction"
        )
    entailment = words.index("entail")
    if len(words) == 2:  # "Not Entailment" was passed over, and the score was of the logit alone (#6)
        return entailment, 1 - entailment
    return entailment, words.index("contra") if "contra" in words else None


class EntailmentBaseline:
    """Zero-shot by an NLI model: does the text entail the description of the label?

    Source:
        Yin et al. 2019, *Benchmarking Zero-shot Text Classification*.
    """

    def __init__(
        self,
        classifier: SequenceClassifier,
        taxonomy: Taxonomy,
        dev: Sequence[Example],
        *,
        label_map: Mapping[str, str],
        advance: Advance,
    ) -> None:
        """Set thresholds of any-of heads on dev; nothing else sees a label.

        Args:
            classifier: an NLI model, with a label that begins with "entail", by its own name or by the map's.
            taxonomy: the heads, with a description of each label.
            dev: labelled rows.
            label_map: the model's label -> one of `ENTAILMENT_LABELS`.
            advance: called with the number of pairs run.

        Raises:
            TaxonomyMismatchError: the model has no such label.
            DataError: a head has no labelled row.
        """
        self.taxonomy = taxonomy
        self.notes: list[str] = []
        self._classifier = classifier
        self._entailment, self._contradiction = find_entailment(classifier, label_map)
        labelled = labelled_rows(dev, taxonomy, "dev")
        self._rules: dict[str, DecisionRule] = {}
        any_of = [head for head in taxonomy.heads if head.problem_type is ProblemType.ANY_OF]
        for head in taxonomy.heads:
            self._rules[head.name] = plain_rule(head)
        for head in any_of:
            truth, rows = labelled[head.name]
            scores = self._score(head, [dev[row].paragraph for row in rows], advance)
            self._rules[head.name] = plain_rule(head, fit_score_thresholds(scores, truth))

    @property
    def identity(self) -> dict[str, object]:
        """Name and digest of the weights, the hypothesis, and the thresholds."""
        thresholds = {name: rule.thresholds for name, rule in self._rules.items() if rule.thresholds is not None}
        return {
            "name": f"nli:{self._classifier.name}",
            "sha256": self._classifier.sha256,
            "settings": {"hypothesis": HYPOTHESIS, "thresholds": thresholds},
        }

    def _score(self, head: Head, texts: Sequence[str], advance: Advance) -> Scores:
        columns: list[Floats] = []
        for label in head.labels:
            hypothesis = HYPOTHESIS.format(description=label.description)
            logits = self._classifier.run(texts, [hypothesis] * len(texts), advance=advance)
            entails = logits[:, self._entailment]
            if head.problem_type is ProblemType.ANY_OF:
                # As transformers' pipeline: entailment against contradiction, neutral left out.
                against = 0.0 if self._contradiction is None else logits[:, self._contradiction]
                entails = sigmoid(entails - against)
            columns.append(entails)
        stacked = np.stack(columns, axis=1)
        return softmax(stacked) if head.problem_type is ProblemType.ONE_OF else stacked

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Score and label examples.

        Args:
            examples: checked rows; at least one.
            advance: called with the number of examples done: as each label's pairs are, in turn.

        Returns:
            By head name.
        """
        texts = [example.paragraph for example in examples]
        descriptions = [label.description for head in self.taxonomy.heads for label in head.labels]
        longest = HYPOTHESIS.format(description=max(descriptions, key=len))
        name, n_cut = f"nli:{self._classifier.name}", self._classifier.count_cut(texts, longest)
        self.notes += _note_cut(f"{name}, with a description,", n_cut, len(texts), self._classifier.max_tokens)
        n_done, n_told = 0, 0

        def tell(n_pairs: int) -> None:
            nonlocal n_done, n_told
            n_done += n_pairs
            whole = n_done // self.taxonomy.n_labels
            advance(whole - n_told)
            n_told = whole

        decisions = {}
        for head in self.taxonomy.heads:
            scores = self._score(head, texts, tell)
            decisions[head.name] = (scores, decide_head(head, self._rules[head.name], scores))
        return decisions
