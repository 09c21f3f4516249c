"""A one-of head of any words can have poles, and what older releases wrote and read stays as it was."""

import json

import pytest
from pydantic import ValidationError

from tests.support.tiny import build_tiny_model
from twohands.classifier import Classifier
from twohands.manifest import MANIFEST_NAME, load_manifest
from twohands.summary import summarise
from twohands.taxonomy import Head, ProblemType, Taxonomy

pytestmark = pytest.mark.issue(4)


def make_head(labels, *, kind=ProblemType.ONE_OF, **more):
    labels = [{"name": name, "description": "One."} for name in labels]
    return {"name": "side", "problem_type": kind, "labels": labels} | more


@pytest.mark.parametrize(
    ("poles", "kind"),
    [
        (["claimant", "nobody"], ProblemType.ONE_OF),
        (["claimant", "claimant"], ProblemType.ONE_OF),
        (["claimant"], ProblemType.ONE_OF),
        (["claimant", "defendant"], ProblemType.ANY_OF),
    ],
    ids=["no label", "the same twice", "one alone", "any-of"],
)
def test_poles_are_two_labels_of_a_one_of_head(poles, kind):
    with pytest.raises(ValidationError):
        Head.model_validate(make_head(["claimant", "defendant"], kind=kind, poles=poles))


def test_only_heads_with_our_poles_have_some_without_a_word():
    ours = Head.model_validate(make_head(["neutral", "market-led", "state-led"]))
    assert ours.balance_poles == ("state-led", "market-led")
    assert Head.model_validate(make_head(["claimant", "defendant"])).balance_poles is None
    both = ["state-led", "market-led"]
    assert Head.model_validate(make_head(both, kind=ProblemType.ANY_OF)).balance_poles is None
    assert Head.model_validate(make_head(both, poles=both[::-1])).balance_poles == ("market-led", "state-led")


def test_a_balance_lies_between_the_poles_that_the_folder_names(tmp_path):
    head = make_head(["claimant", "defendant", "neither"], poles=["defendant", "claimant"])
    taxonomy = Taxonomy.model_validate({"heads": [head]})
    folder = build_tiny_model(tmp_path / "court", taxonomy=taxonomy)
    assert load_manifest(folder)[0].taxonomy == taxonomy
    told = summarise(Classifier.load(folder, num_threads=1).classify(["plan plan plan plan plan"]), taxonomy)
    assert told["heads"]["side"]["balance"]["value"] < -0.9


def test_a_folder_without_poles_is_written_as_before(tiny_model):
    heads = json.loads((tiny_model / MANIFEST_NAME).read_text(encoding="utf-8"))["heads"]
    assert [set(head) for head in heads] == [{"name", "problem_type", "labels", "decision"}] * 2
