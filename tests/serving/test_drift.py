"""Drift of labels: of heads whose labels are many or none, and of requests that chose labels by thresholds."""

import random

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.drift import Drift
from serving.metrics import Metrics
from serving.stability import Shares, stability_index
from twohands.encoding import EncodedParagraph
from twohands.prediction import AnyOf, OneOf, Prediction
from twohands.reference import Reference
from twohands.taxonomy import Head, Label, ProblemType

pytestmark = pytest.mark.issue(5)

TOPICS = {"sanctions": 0.17, "self-reliance": 0.1, "industrial-policy": 0.15, "regulation": 0.13}
PARAGRAPH = EncodedParagraph(windows=(np.zeros(3, dtype=np.int64),), n_tokens=1, n_tokens_cut=0, n_tokens_unknown=0)


def make_head(name, problem_type, labels):
    return Head(name=name, problem_type=problem_type, labels=[Label(name=label, description="-") for label in labels])


def predict(**heads):
    return Prediction(heads=heads, n_tokens=1, n_windows=1, truncated=False, n_tokens_cut=0)


def show(predictions, *, shares, problem_type, thresholds=None):
    """The indices of labels after these answers of a head that is called `h`."""
    metrics = Metrics()
    heads = [make_head("h", problem_type, shares)]
    drift = Drift(Reference(label_share={"h": shares}), heads=heads, metrics=metrics, model="m")
    for prediction in predictions:
        drift.see(prediction, PARAGRAPH, thresholds or {})
    families = text_string_to_metric_families(metrics.show().decode())
    found = {s.labels["figure"]: s.value for family in families for s in family.samples if "stability" in s.name}
    return found.get("labels:h")


def give_topics(topics):
    return predict(h=AnyOf(labels=topics, scores=dict.fromkeys(TOPICS, 0.5)))


def draw_topics(n, *, seed, factor=1.0):
    draw = random.Random(seed)
    return [give_topics([name for name, share in TOPICS.items() if draw.random() < factor * share]) for _ in range(n)]


def show_topics(predictions, **more):
    return show(predictions, shares=TOPICS, problem_type=ProblemType.ANY_OF, **more)


def test_traffic_that_is_given_no_topic_is_not_like_the_models_own_data():
    assert show_topics([give_topics([])] * 400) > 0.5
    # As is traffic of the same mix that is given three times as many, or as few.
    assert show_topics(draw_topics(400, seed=1, factor=3)) > 0.2
    assert show_topics(draw_topics(400, seed=2, factor=1 / 3)) > 0.05
    assert show_topics(draw_topics(400, seed=3)) < 0.05
    # One that is always given, beside the others as they are.
    always = [give_topics([*dict.fromkeys([*each.h.labels, "regulation"])]) for each in draw_topics(400, seed=4)]
    assert show_topics(always) > 0.5


def test_labels_that_a_request_chose_by_its_own_thresholds_are_no_shift():
    every = [give_topics(list(TOPICS))] * 400
    assert show_topics(every) > 0.5
    assert show_topics(every, thresholds={"sanctions": 0.0}) is None
    # That of another head says nothing of these.
    assert show_topics(every, thresholds={"stance": 0.9}) > 0.5
    # One of two hundred others among the many of such requests is enough of them.
    metrics = Metrics()
    heads = [make_head("h", ProblemType.ANY_OF, TOPICS)]
    drift = Drift(Reference(label_share={"h": TOPICS}), heads=heads, metrics=metrics, model="m")
    for prediction in draw_topics(400, seed=5):
        drift.see(prediction, PARAGRAPH)
        drift.see(every[0], PARAGRAPH, {"regulation": 0.0})
    told = metrics.drift.labels("m", "labels:h")
    assert told._value.get() < 0.05


@pytest.mark.parametrize("n_labels", [3, 77])
def test_a_head_of_many_labels_does_not_drift_by_chance(n_labels):
    names = [f"label-{place}" for place in range(n_labels)]
    draw = random.Random(n_labels)
    weights = [draw.random() + 0.1 for _ in names]
    shares = {name: weight / sum(weights) for name, weight in zip(names, weights, strict=True)}

    def answer(weights):
        given = draw.choices(names, weights, k=200)
        return [predict(h=OneOf(name, 0.9, {name: 0.9}, abstained=False)) for name in given]

    for _ in range(10):
        assert show(answer(weights), shares=shares, problem_type=ProblemType.ONE_OF) < 0.1
    half = [weight if place % 2 else 0 for place, weight in enumerate(weights)]
    assert show(answer(half), shares=shares, problem_type=ProblemType.ONE_OF) > 0.2


def test_what_chance_shows_is_allowed_for_and_no_more():
    expected = np.full(50, 1 / 50)
    found = np.where(np.arange(50) < 25, 1.4, 0.6) / 50  # shares, without chance
    shares, index = Shares(expected), stability_index(found, expected)
    assert shares.measure(found, n=1e6) == pytest.approx(index, abs=1e-3)
    assert shares.measure(found, n=200) < index
    assert shares.measure(expected, n=200) == 0
    assert shares.measure(found, n=500) == shares.measure(found, n=500)
