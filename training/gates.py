"""Owns the gates: what must hold between PyTorch, the fp32 graph and the int8 graph before a folder is written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from training.calibration import fit_rules
from twohands.decide import decide_all
from twohands.encoding import EncodedParagraph
from twohands.errors import GateError
from twohands.examples import Labels
from twohands.metrics import score_heads
from twohands.session import OnnxSession, run_paragraphs
from twohands.taxonomy import Taxonomy
from twohands.windows import Logits

LENGTHS = (3, 16, 61)
BATCH_SIZES = (1, 7)
_MOST_BY_ARITHMETIC = 1e-3  # of a logit, as far as was seen; a wrong graph is further away
_N_TIMED = 40
_ROUNDS = 3
# Four timings of one graph on a busy machine lay up to 19% apart.
_AS_QUICK = 0.8


def check_fp32(
    model: PreTrainedModel, session: OnnxSession, *, max_tokens: int, limit: float, seed: int
) -> dict[str, float]:
    """Compare logits of the ONNX graph with PyTorch's, and of a padded row with the same row alone.

    Args:
        model: the reference, in evaluation mode.
        session: the fp32 graph.
        max_tokens: the longest window.
        limit: the largest change of a logit that is allowed.
        seed: of the random token ids and masks.

    Returns:
        `max_logit_change`, `max_padding_change`, `max_logit` and `limit`.

    Raises:
        GateError: a change is above the limit or not a number; the worst cases are named.
        ValueError: the model is in training mode.
    """
    if model.training:
        raise ValueError("found a model in training mode, expected evaluation mode; its dropout would pass for a fault")
    generator = np.random.default_rng(seed)
    vocab_size = model.get_input_embeddings().num_embeddings
    changes: dict[str, float] = {}
    padding_changes: dict[str, float] = {}
    largest = 0.0
    for length in (*LENGTHS, max_tokens):
        for batch_size in BATCH_SIZES:
            input_ids = generator.integers(5, vocab_size, (batch_size, length))
            # Mixed masks: the first row whole, the others cut anywhere.
            lengths = np.concatenate([[length], generator.integers(1, length + 1, batch_size - 1)])
            attention_mask = (np.arange(length) < lengths[:, None]).astype(np.int64)
            with torch.no_grad():
                expected = model(
                    input_ids=torch.from_numpy(input_ids), attention_mask=torch.from_numpy(attention_mask)
                ).logits.numpy()
            found = session.run_padded(input_ids, attention_mask)
            case = f"{batch_size} x {length} tokens"
            changes[case] = float(np.abs(found - expected).max())
            largest = max(largest, float(np.abs(expected).max()))
            alone = np.concatenate(
                [
                    session.run_padded(input_ids[row : row + 1, :n], attention_mask[row : row + 1, :n])
                    for row, n in enumerate(lengths)
                ]
            )
            padding_changes[case] = float(np.abs(found - alone).max())
    worst = float(np.max([*changes.values(), *padding_changes.values()]))
    faults = [
        f"{case}: logits differ by {change:.2e} from {what}, at most {limit:.0e} is allowed"
        for what, cases in (("PyTorch's", changes), ("the same row unpadded", padding_changes))
        for case, change in cases.items()
        if not change <= limit  # NaN fails too
    ]
    if faults:
        told = "the fp32 graph does not agree with the checkpoint; nothing was written"
        raise GateError(told + _advise(worst), faults)
    return {
        "max_logit_change": max(changes.values()),
        "max_padding_change": max(padding_changes.values()),
        "max_logit": largest,
        "limit": limit,
    }


def _advise(worst: float) -> str:
    """Say what a difference does to scores, where it is one of float arithmetic: a run of hours must not end there."""
    if not worst < _MOST_BY_ARITHMETIC:
        return ""
    # Of a softmax whose logits each move by d, no probability moves by more than d / 2.
    return (
        f". By so much a score moves by some {worst / 2:.0e} at most, before calibration: where that does no harm, "
        f"export the checkpoint by `twohands export` with `--set export.max_fp32_logit_change={worst * 1.5:.0e}`"
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A graph that was measured on dev; `reference` is None for the fp32 graph, whose clock is each other's."""

    recipe: str
    path: Path
    size_bytes: int
    inputs: list[str]
    logits: Logits
    macro_f1: dict[str, float]
    latency_ms: float
    fp32_latency_ms: float
    speedup: float
    max_logit_change: float
    max_score_change: float
    flips: dict[str, int]
    reference: str | None

    def faults(self, reference: "Candidate", *, max_f1_drop: float, min_speedup: float) -> list[str]:
        """Say which gates this graph fails.

        Args:
            reference: the fp32 graph.
            max_f1_drop: for each head.
            min_speedup: at batch 1.

        Returns:
            One line a fault; empty when it passes.
        """
        faults = [
            f"macro-F1 of {head} falls from {before:.4f} to {self.macro_f1[head]:.4f}, by more than {max_f1_drop}"
            for head, before in reference.macro_f1.items()
            if not self.macro_f1[head] >= before - max_f1_drop
        ]
        if not self.speedup >= min_speedup:
            faults.append(f"{self.speedup:.2f} times as fast as fp32 at batch 1, expected at least {min_speedup}")
        return faults

    def to_dict(self) -> dict[str, object]:
        """What goes into parity.json."""
        return {
            "recipe": self.recipe,
            "size_bytes": self.size_bytes,
            "macro_f1": self.macro_f1,
            "median_latency_ms": round(self.latency_ms, 3),
            "median_latency_ms_of_fp32_interleaved": round(self.fp32_latency_ms, 3),
            "speedup": round(self.speedup, 3),
            "max_logit_change": self.max_logit_change,
            "max_score_change": self.max_score_change,
            "flips": self.flips,
        }


def choose_candidate(passed: Sequence[Candidate]) -> Candidate:
    """Choose among graphs that hold all gates: of those that are as quick as any, the one listed first.

    By the clock alone, two exports of one checkpoint would keep different graphs of the same speed, and so give
    different answers (#3).

    Args:
        passed: at least one, in the order in which the config lists them.

    Returns:
        The first whose speed-up is at least four fifths of the largest.
    """
    quickest = max(candidate.speedup for candidate in passed)
    return next(candidate for candidate in passed if candidate.speedup >= _AS_QUICK * quickest)


def tell_rule(kept: Candidate) -> str:
    """Say by which rule a graph was kept: without it, who reads `parity.json` sees a quicker one that was not (#3).

    Args:
        kept: of `choose_candidate`, or the fp32 graph where none passed.

    Returns:
        A sentence.
    """
    if kept.reference is None:
        return "The fp32 graph was kept, as no int8 graph that was tried held all gates."
    return (
        f"Of the int8 graphs that held all gates, {kept.recipe} was kept: the first, in the order of "
        f"export.candidates, of those whose speed-up is at least {_AS_QUICK:.0%} of the largest."
    )


def _time_interleaved(
    first: OnnxSession, second: OnnxSession, encoded: list[EncodedParagraph]
) -> tuple[float, float, float]:
    """Median milliseconds of each, one paragraph a run, in turn, and the median of the ratios pair by pair."""
    step = max(1, len(encoded) // _N_TIMED)
    windows = [paragraph.windows[0] for paragraph in encoded[::step]][:_N_TIMED]
    times: list[tuple[float, float]] = []
    for round_number in range(_ROUNDS + 1):
        for window in windows:
            pair = []
            for session in (first, second):
                started = time.perf_counter()
                session.run_batch([window])
                pair.append(time.perf_counter() - started)
            if round_number > 0:  # the first round warms up
                times.append((pair[0], pair[1]))
    table = np.array(times)
    first_ms, second_ms = np.median(table, axis=0) * 1000
    return float(first_ms), float(second_ms), float(np.median(table[:, 0] / table[:, 1]))


def measure_candidate(
    recipe: str,
    path: Path,
    reference: Candidate | None,
    encoded: list[EncodedParagraph],
    labels: Labels,
    taxonomy: Taxonomy,
) -> Candidate:
    """Run a graph over dev and against the fp32 graph's clock.

    Args:
        recipe: its name.
        path: the graph.
        reference: the fp32 graph, measured before; None for itself.
        encoded: dev rows.
        labels: shape `(len(encoded), n_labels)`.
        taxonomy: the heads.

    Returns:
        The measurements. Each graph is calibrated by its own logits, as it would be if it were kept.
    """
    session = OnnxSession(path)
    logits = run_paragraphs(session.run_batch, encoded)
    rules = fit_rules(logits, labels, taxonomy)
    answers = decide_all(logits, taxonomy, rules)
    latency_ms = fp32_latency_ms = speedup = logit_change = score_change = 0.0
    flips = {head.name: 0 for head in taxonomy.heads}
    if reference is not None:
        reference_session = OnnxSession(reference.path)
        fp32_latency_ms, latency_ms, speedup = _time_interleaved(reference_session, session, encoded)
        before = decide_all(reference.logits, taxonomy, rules)  # one rule, so that a flip is the graph's doing
        logit_change = float(np.abs(logits - reference.logits).max())
        score_change = max(float(np.abs(answers[name][0] - before[name][0]).max()) for name in flips)
        flips = {name: int((answers[name][1] != before[name][1]).any(axis=1).sum()) for name in flips}
        reference_session.close()
    candidate = Candidate(
        recipe=recipe,
        path=path,
        size_bytes=path.stat().st_size,
        inputs=session.input_names,
        logits=logits,
        macro_f1=score_heads(answers, labels, taxonomy),
        latency_ms=latency_ms,
        fp32_latency_ms=fp32_latency_ms,
        speedup=speedup,
        max_logit_change=logit_change,
        max_score_change=score_change,
        flips=flips,
        reference=None if reference is None else reference.recipe,
    )
    session.close()
    return candidate
