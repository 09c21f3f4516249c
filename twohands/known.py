"""Owns known answers: does this machine compute a model's graph as the machine that exported it did?

A digest proves that the file is the same, not that it is computed alike: on x86 without VNNI, int8 sums once overflowed
and a sound folder answered neutral to everything.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twohands.encoding import EncodedParagraph, ParagraphEncoder
from twohands.errors import FileReadError, InputError, ManifestError, TwoHandsError, WrongAnswersError
from twohands.windows import Logits

PARITY_NAME = "parity.json"
KEY = "known_answers"
KEPT_BY = "kept_by"  # the rule by which the served graph was chosen, in words; older releases do not say it

# Short, since they are asked at each start.
_TEXTS = (
    "The cabinet will take a majority stake in the chip maker and tell the banks whom to lend to.",
    "Let prices find their level, said the chair of the exporters' union; no office can do it for us.",
    "The conference meets again on Tuesday, and the minutes of the last session are in the annex.",
    "From March, foreign suppliers of turbines need a licence, and sales to listed firms are banned.",
)
# Runtimes and kernels that compute rightly differ by .1 on average (int8 against bf16), wrong ones by more than 1; over
# all labels, since what computes wrongly does so everywhere. A model whose logits are large may differ by more.
MOST_CHANGE = 0.5
MOST_SHARE = 0.2

PredictLogits = Callable[[Sequence[EncodedParagraph]], Logits]


def ask_known(encoder: ParagraphEncoder, predict_logits: PredictLogits) -> list[dict[str, object]]:
    """Ask a model the texts by which it will be known again.

    Args:
        encoder: of the model.
        predict_logits: of the model; paragraphs to shape `(len(paragraphs), n_labels)`.

    Returns:
        `text` and `logits` of each, for `parity.json`.
    """
    logits = predict_logits([encoder.encode(text) for text in _TEXTS])
    return [
        {"text": text, "logits": [round(float(value), 4) for value in row]}
        for text, row in zip(_TEXTS, logits, strict=True)
    ]


def _read_known(folder: Path, encoder: ParagraphEncoder) -> tuple[list[EncodedParagraph], NDArray[np.float32]]:
    """Known texts, encoded, and their logits; none where the folder is of an older release."""
    fault = "a logit is NaN or infinite"
    try:
        parity = json.loads((folder / PARITY_NAME).read_text(encoding="utf-8"))
        known, kept_by = parity.get(KEY, []), parity.get(KEPT_BY, "")
        expected = np.array([entry["logits"] for entry in known], dtype=np.float32)
        encoded = [encoder.encode(entry["text"]) for entry in known]
        if not isinstance(kept_by, str):
            fault = f"{KEPT_BY} is {kept_by!r}, expected a sentence"
        elif np.isfinite(expected).all():
            return encoded, expected
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError, InputError) as e:
        fault = f"{type(e).__name__}: {e}"
    raise ManifestError(f"{folder} is not a sound model folder; fetch or export it again", [f"{PARITY_NAME}: {fault}"])


def check_known(
    folder: Path, encoder: ParagraphEncoder, predict_logits: PredictLogits, *, made_on: str, runtime: str
) -> None:
    """Refuse a model that answers otherwise than where it was exported.

    Args:
        folder: the model folder, of which `parity.json` is read; one of an older release holds no known answers and
            passes.
        encoder: of the model.
        predict_logits: of the model as it is loaded here.
        made_on: CPU and runtime of the export, for the message.
        runtime: that computes the graph here, with its version.

    Raises:
        ManifestError: `parity.json` cannot be read, or its known answers are not those of such a model.
        FileReadError: the runtime cannot run the graph.
        NonFiniteLogitsError: the model answered NaN or infinity.
        WrongAnswersError: logits differ on average by more than `MOST_CHANGE`, and by more than `MOST_SHARE` of their
            mean size.
    """
    encoded, expected = _read_known(folder, encoder)
    if not encoded:
        return
    try:
        found = predict_logits(encoded)
    except TwoHandsError:
        raise
    except Exception as error:  # runtimes raise their own untyped classes
        raise FileReadError(f"{runtime} cannot run the graph of {folder}: {error}") from error
    if found.shape != expected.shape:
        fault = f"{PARITY_NAME}: {KEY} have the shape {expected.shape}, the graph answers {found.shape}"
        raise ManifestError(f"{folder} is not a sound model folder; fetch or export it again", [fault])
    change = float(np.abs(found - expected).mean())
    most = max(MOST_CHANGE, MOST_SHARE * float(np.abs(expected).mean()))
    if not change <= most:
        other = "another version of onnxruntime" if runtime.startswith("onnxruntime") else "--runtime onnxruntime"
        raise WrongAnswersError(
            f"{folder} answers otherwise here, by {runtime}, than where it was exported ({made_on}): over "
            f"{len(encoded)} known texts a logit differs by {change:.2f} on average, expected at most {most:.2f}. Its "
            f"digests are right, so the graph is computed wrongly here: try {other}, or export the model on this "
            "machine"
        )
