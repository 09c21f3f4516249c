"""Owns SetFit as a baseline: a few rows a label, pairs of them drawn together or apart, a linear layer on top.

The library `setfit` does the work; this file draws the rows, and sets thresholds on dev as for every baseline.
"""

import contextlib
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.baselines import labelled_rows
from evaluation.deciders import Decisions
from evaluation.linear import plain_rule
from evaluation.progress import Advance
from twohands.decide import decide_head
from twohands.errors import DataError
from twohands.examples import Example, Labels
from twohands.extras import import_extra
from twohands.hashing import sha256_of_value
from twohands.metrics import Floats
from twohands.scores import DecisionRule
from twohands.taxonomy import Head, ProblemType, Taxonomy
from twohands.threads import count_threads
from twohands.thresholds import fit_score_thresholds

_BATCH = 16
_MOST_TOKENS = 128  # pairs are run again and again; more would take hours without a GPU


def _import_setfit() -> Any:  # noqa: ANN401 - an optional library without types
    return import_extra("setfit", use="the baseline setfit", extra="setfit")


def draw_shots(head: Head, truth: Labels, *, shots: int, seed: int) -> list[int]:
    """Draw rows of each label, and of those without any where the head is any-of.

    Args:
        head: which head.
        truth: shape `(n, n_labels)` of 0 and 1.
        shots: rows of each label, or as many as there are.
        seed: of the draw.

    Returns:
        Places, each once, in order.
    """
    generator = np.random.default_rng(seed)
    pools = [np.flatnonzero(column == 1) for column in truth.T]
    if head.problem_type is ProblemType.ANY_OF:
        pools.append(np.flatnonzero(~(truth == 1).any(axis=1)))
    chosen: set[int] = set()
    for pool in pools:
        chosen |= set(generator.permutation(pool)[:shots].tolist())
    return sorted(chosen)


class SetFitBaseline:
    """One SetFit model for each head, from a few rows of train."""

    def __init__(
        self,
        taxonomy: Taxonomy,
        encoder: Path,
        train: Sequence[Example],
        dev: Sequence[Example],
        *,
        shots: int,
        seed: int,
        num_threads: int | None,
        advance: Advance,
    ) -> None:
        """Draw, fit, and set thresholds.

        Args:
            taxonomy: which heads.
            encoder: folder of the sentence encoder that is fine-tuned.
            train: rows to draw from.
            dev: rows that set the thresholds of any-of heads.
            shots: rows of each label.
            seed: of the draw and of the training.
            num_threads: most threads; None for all that are free.
            advance: called with 1 after each head.

        Raises:
            MissingExtraError: setfit is not installed.
            DataError: a head has no labelled row, or rows of one label only.
        """
        self._setfit = _import_setfit()
        import torch

        torch.set_num_threads(count_threads(num_threads))
        self.taxonomy = taxonomy
        self._shots, self._drawn = shots, {}
        self._models: dict[str, Any] = {}
        self._rules: dict[str, DecisionRule] = {}
        fit_on, tune_on = labelled_rows(train, taxonomy, "train"), labelled_rows(dev, taxonomy, "dev")
        for head in taxonomy.heads:
            truth, places = fit_on[head.name]
            drawn = draw_shots(head, truth, shots=shots, seed=seed)
            texts = [train[places[row]].paragraph for row in drawn]
            self._drawn[head.name] = {"n": len(drawn), "ids": sha256_of_value([train[places[row]].id for row in drawn])}
            self._models[head.name] = self._fit(head, encoder, texts, truth[drawn], seed=seed)
            self._rules[head.name] = plain_rule(head)
            if head.problem_type is ProblemType.ANY_OF:
                truth_dev, places_dev = tune_on[head.name]
                scores = self._score(head, [dev[row].paragraph for row in places_dev])
                self._rules[head.name] = plain_rule(head, fit_score_thresholds(scores, truth_dev))
            advance(1)

    @property
    def identity(self) -> dict[str, object]:
        """Its name, how many rows it saw, and its thresholds."""
        settings = {
            name: {"shots": self._shots, **self._drawn[name], "thresholds": rule.thresholds}
            for name, rule in self._rules.items()
        }
        return {"name": "setfit", "library": self._setfit.__version__, "settings": settings}

    def _fit(self, head: Head, encoder: Path, texts: Sequence[str], truth: Labels, *, seed: int) -> Any:  # noqa: ANN401
        from datasets import Dataset

        one_of = head.problem_type is ProblemType.ONE_OF
        targets = truth.argmax(axis=1).tolist() if one_of else truth.astype(int).tolist()
        varied = truth.sum(axis=0) if one_of else truth.sum(axis=0) * (len(truth) - truth.sum(axis=0))
        if (one_of and (varied > 0).sum() < 2) or (not one_of and not varied.all()):
            raise DataError("setfit cannot be fitted on train", [f"{head.name}: a label that all or no rows have"])
        # The trainer prints to standard output, which belongs to the report.
        with (
            contextlib.redirect_stdout(sys.stderr),
            warnings.catch_warnings(),
            tempfile.TemporaryDirectory() as folder,
        ):
            warnings.simplefilter("ignore")  # of the library about its own loaders and of torch about a missing GPU
            kind = {} if one_of else {"multi_target_strategy": "one-vs-rest"}
            model = self._setfit.SetFitModel.from_pretrained(str(encoder), local_files_only=True, device="cpu", **kind)
            model.model_body.max_seq_length = _MOST_TOKENS
            arguments = self._setfit.TrainingArguments(
                output_dir=folder,
                batch_size=_BATCH,
                num_epochs=1,
                seed=seed,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                show_progress_bar=False,
            )
            dataset = Dataset.from_dict({"text": list(texts), "label": targets})
            self._setfit.Trainer(model=model, args=arguments, train_dataset=dataset).train()
        return model

    def _score(self, head: Head, texts: Sequence[str]) -> Floats:
        model = self._models[head.name]
        scores = np.asarray(model.predict_proba(list(texts), as_numpy=True, show_progress_bar=False), dtype=np.float64)
        if head.problem_type is ProblemType.ANY_OF:
            return scores
        laid_out = np.zeros((len(texts), len(head.labels)))  # a label that no drawn row has keeps 0
        laid_out[:, np.asarray(model.model_head.classes_, dtype=int)] = scores
        return laid_out

    def decide(self, examples: Sequence[Example], *, advance: Advance) -> Decisions:
        """Score and label examples.

        Args:
            examples: checked rows; at least one.
            advance: called with the number of examples done.

        Returns:
            By head name.
        """
        texts = [example.paragraph for example in examples]
        decisions = {}
        for head in self.taxonomy.heads:
            scores = self._score(head, texts)
            decisions[head.name] = (scores, decide_head(head, self._rules[head.name], scores))
        advance(len(examples))
        return decisions
