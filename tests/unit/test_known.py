"""A model that is computed otherwise than where it was exported is refused, not served."""

import json
import shutil
from contextlib import nullcontext

import numpy as np
import pytest

from tests.conftest import ROOT
from twohands.classifier import Classifier
from twohands.encoding import ParagraphEncoder
from twohands.errors import FileReadError, ManifestError, WrongAnswersError
from twohands.known import KEPT_BY, KEY, MOST_CHANGE, PARITY_NAME, ask_known, check_known
from twohands.manifest import MANIFEST_NAME, TOKENIZER_NAME, Manifest, load_manifest, write_manifest
from twohands.session import OnnxSession


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


def rewrite(folder, known, **others):
    (folder / PARITY_NAME).write_text(json.dumps({KEY: known, **others}), encoding="utf-8")
    write_manifest(folder, Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes()))


@pytest.fixture
def known(folder):
    classifier = Classifier.load(folder, num_threads=1)
    return ask_known(classifier.encoder, classifier.predict_logits)


def test_a_model_that_answers_as_it_did_is_loaded(folder, known):
    rewrite(folder, known)
    assert Classifier.load(folder, num_threads=1).classify(["The plan of the market."])


def test_small_differences_between_kernels_pass(folder, known):
    rewrite(folder, [entry | {"logits": [value + 0.9 * MOST_CHANGE for value in entry["logits"]]} for entry in known])
    Classifier.load(folder, num_threads=1)


def test_other_answers_are_refused_with_the_difference_and_what_to_do(folder, known, monkeypatch):
    closed = []
    monkeypatch.setattr(OnnxSession, "close", lambda session: closed.append(session))
    rewrite(folder, [entry | {"logits": [value + 1.5 for value in entry["logits"]]} for entry in known])
    with pytest.raises(WrongAnswersError, match=r"differs by 1\.50 on average.*version of onnxruntime"):
        Classifier.load(folder, num_threads=1)
    assert len(closed) == 1


def test_a_model_of_large_logits_may_differ_by_a_share_of_them(folder, known):
    large = [entry | {"logits": [20.0 + value for value in entry["logits"]]} for entry in known]
    rewrite(folder, large)
    encoder = ParagraphEncoder.from_file(folder / TOKENIZER_NAME, load_manifest(folder)[0].window)
    for change, refused in ((3.0, False), (6.0, True)):
        answer = np.array([entry["logits"] for entry in large], dtype=np.float32) + change
        with pytest.raises(WrongAnswersError) if refused else nullcontext():
            check_known(folder, encoder, lambda _, answer=answer: answer, made_on="a", runtime="openvino 1")


def test_a_graph_that_does_not_run_is_named(folder, known):
    rewrite(folder, known)

    def fail(_):
        raise RuntimeError("index out of bounds")

    encoder = ParagraphEncoder.from_file(folder / TOKENIZER_NAME, load_manifest(folder)[0].window)
    with pytest.raises(FileReadError, match="index out of bounds"):
        check_known(folder, encoder, fail, made_on="a", runtime="onnxruntime 1")


@pytest.mark.parametrize(
    "known",
    [
        [{"text": "The plan."}],
        [{"text": "The plan.", "logits": [0.0, 1.0]}],
        [{"text": "", "logits": [0.0] * 7}],
        [{"text": "The plan.", "logits": ["many"] * 7}],
        [{"text": "The plan.", "logits": [float("nan")] * 7}],
        [{"text": "The plan.", "logits": [10**400] * 7}],
        "none",
    ],
)
def test_known_answers_that_are_none_make_the_folder_unsound(folder, known):
    rewrite(folder, known)
    with pytest.raises(ManifestError, match=PARITY_NAME):
        Classifier.load(folder, num_threads=1)


@pytest.mark.issue(3)
@pytest.mark.parametrize("kept_by", [None, 1, ["the quickest"]])
def test_a_rule_that_is_no_sentence_makes_the_folder_unsound(folder, kept_by):
    rewrite(folder, [], **{KEPT_BY: "The first was kept."})
    Classifier.load(folder, num_threads=1)
    rewrite(folder, [], **{KEPT_BY: kept_by})
    with pytest.raises(ManifestError, match=PARITY_NAME):
        Classifier.load(folder, num_threads=1)


def test_a_folder_of_an_older_release_is_loaded_unasked(folder):
    rewrite(folder, [])
    Classifier.load(folder, num_threads=1)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            folder.name,
            marks=pytest.mark.skipif(not (folder / MANIFEST_NAME).is_file(), reason="stands in a checkout alone"),
        )
        for folder in (ROOT / "models" / name for name in ("twohands", "twohands-large", "twohands-cascade"))
    ],
)
def test_released_models_hold_known_answers(name):
    folder = ROOT / "models" / name
    load_manifest(folder)
    assert len(json.loads((folder / PARITY_NAME).read_text(encoding="utf-8"))[KEY]) >= 4
