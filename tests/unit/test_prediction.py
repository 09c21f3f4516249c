"""Predictions decide as evaluation does, and have the JSON shape of the interface."""

import copy
import importlib.util
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny import make_rules
from twohands.decide import decide_all
from twohands.encoding import EncodedParagraph
from twohands.errors import NonFiniteLogitsError, UnknownHeadError
from twohands.prediction import make_predictions

README = Path(__file__).resolve().parents[2] / "README.md"
ONE = EncodedParagraph(windows=(np.array([2, 4, 3]),), n_tokens=1, n_tokens_cut=0, n_tokens_unknown=0)
CUT = EncodedParagraph(windows=(np.array([2, 4, 3]),) * 3, n_tokens=50, n_tokens_cut=16, n_tokens_unknown=2)
LOGITS = np.array([[9, 0, 0, 9, -9, -9, 9], [0.1, 0.2, 0.1, -9, -9, -9, -9]], dtype=np.float32)


def test_shape_of_the_interface(taxonomy):
    certain, unsure = make_predictions(LOGITS, [ONE, CUT], taxonomy, make_rules(taxonomy))
    answer = json.loads(json.dumps(certain.to_dict()))  # no numpy value is left in it
    assert list(answer) == [
        "stance", "topics", "n_tokens", "n_windows", "truncated", "n_tokens_cut", "evidence", "warnings"
    ]  # fmt: skip
    assert answer["stance"] == {
        "label": "state-led",
        "score": answer["stance"]["scores"]["state-led"],
        "scores": {"state-led": 0.999753, "market-led": 0.000123, "neutral": 0.000123},
        "abstained": False,
    }
    assert answer["topics"]["labels"] == ["sanctions", "regulation"]
    assert list(answer["topics"]["scores"]) == ["sanctions", "self-reliance", "industrial-policy", "regulation"]
    assert (answer["n_tokens"], answer["n_windows"], answer["truncated"], answer["n_tokens_cut"]) == (1, 1, False, 0)
    assert (answer["evidence"], answer["warnings"]) == (None, [])
    answer = unsure.to_dict()
    assert answer["stance"]["label"] == "market-led"
    assert answer["stance"]["abstained"] is True
    assert answer["topics"]["labels"] == []
    assert (answer["n_tokens"], answer["n_windows"], answer["truncated"], answer["n_tokens_cut"]) == (50, 3, True, 16)


def test_heads_are_attributes(taxonomy):
    (prediction,) = make_predictions(LOGITS[:1], [ONE], taxonomy, make_rules(taxonomy))
    assert prediction.stance is prediction.heads["stance"]
    assert prediction.topics.labels == ["sanctions", "regulation"]
    with pytest.raises(AttributeError):
        _ = prediction.mood
    assert copy.deepcopy(prediction) == prediction
    assert pickle.loads(pickle.dumps(prediction)) == prediction  # noqa: S301 - its own bytes


def test_heads_are_asked_for_by_kind(taxonomy):
    (prediction,) = make_predictions(LOGITS[:1], [ONE], taxonomy, make_rules(taxonomy))
    assert prediction.one_of("stance") is prediction.stance
    assert prediction.any_of("topics") is prediction.topics
    for ask, name in ((prediction.one_of, "topics"), (prediction.any_of, "stance"), (prediction.one_of, "mood")):
        with pytest.raises(UnknownHeadError):
            ask(name)


TYPED = """

def decide(text: str) -> tuple[str, list[str]]:
    (prediction,) = classifier.classify([text])
    return prediction.one_of("stance").label, prediction.any_of("topics").labels
"""


@pytest.mark.issue(2)
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_the_readmes_example_passes_a_type_checker(tmp_path):
    (example,) = re.findall(
        r"```python\n(from twohands import Classifier\n.*?)```", README.read_text("utf-8"), re.DOTALL
    )
    (tmp_path / "example.py").write_text(example + TYPED, encoding="utf-8")
    # What other packages say of themselves is left out, which takes most of the time and is not asked about.
    command = [sys.executable, "-m", "mypy", "--strict", "--no-site-packages", "--follow-imports=silent", "example.py"]
    environment = os.environ | {"MYPYPATH": str(README.parent), "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_no_abstention_level_means_never(taxonomy):
    rules = make_rules(taxonomy, abstention=None)
    (prediction,) = make_predictions(LOGITS[1:], [ONE], taxonomy, rules)
    assert prediction.stance.abstained is False


def test_decides_by_exact_scores_as_evaluation_does(taxonomy):
    # Shown scores are rounded. A threshold between a score and its rounding must not part serving from evaluation.
    rules = make_rules(taxonomy)
    rows = np.random.default_rng(5).normal(size=(200, 7)).astype(np.float32)
    scores, _ = decide_all(rows, taxonomy, rules)["topics"]
    for row in range(len(rows)):
        thresholds = [
            float(np.nextafter(score, towards)) for score, towards in zip(scores[row], (0, 1, 0, 1), strict=True)
        ]
        exact = rules | {"topics": rules["topics"].model_copy(update={"thresholds": thresholds})}
        (prediction,) = make_predictions(rows[row : row + 1], [ONE], taxonomy, exact)
        _, given = decide_all(rows[row : row + 1], taxonomy, exact)["topics"]
        assert [name in prediction.topics.labels for name in prediction.topics.scores] == given[0].tolist()
        assert given[0].tolist() == [True, False, True, False]


def test_no_number_is_an_error(taxonomy):
    with pytest.raises(NonFiniteLogitsError):
        make_predictions(np.full((1, 7), np.nan, dtype=np.float32), [ONE], taxonomy, make_rules(taxonomy))
