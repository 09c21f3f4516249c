import asyncio

import pytest

from serving.app import create_app
from serving.openapi import make_prediction_model
from serving.settings import ServeSettings
from tests.serving.support import open_client, with_session

pytestmark = pytest.mark.anyio

TEXT = "The weather of the. A plan of homemade plan plan. Subsidy the of a."


async def explain(client, inputs, **body):
    return (await client.post("/v1/classify", json={"inputs": inputs, "explain": True, **body})).json()["predictions"]


async def test_evidence_equals_that_of_the_library(client, classifier):
    texts = [TEXT, "plan", "The market. The plan. The market."]
    thresholds = {"self-reliance": 0.1}
    expected = classifier.classify(texts, explain=True, thresholds=thresholds)
    answers = await explain(client, texts, thresholds=thresholds)
    assert answers == [prediction.to_dict() for prediction in expected]
    assert answers[0]["evidence"]["topics"]["self-reliance"]["sentence"] == "A plan of homemade plan plan."
    model = make_prediction_model(classifier.taxonomy)
    for answer in answers:
        model.model_validate(answer)


async def test_bad_items_among_explained_ones_answer_in_their_place(client, classifier):
    first, bad, last = await explain(client, [TEXT, "", TEXT])
    assert bad["error"]["code"] == "empty_paragraph"
    (expected,) = classifier.classify([TEXT], explain=True)
    assert first == last == expected.to_dict()


async def test_cost_of_an_explanation_is_bounded_and_paid_at_the_queue(tiny_model, classifier):
    n_runs = 0

    def run_batch(windows):
        nonlocal n_runs
        n_runs += len(windows)
        return classifier.session.run_batch(windows)

    text = " ".join(["The plan of a market."] * 8)
    app = create_app(ServeSettings(model=str(tiny_model)), with_session(classifier, run_batch, num_threads=1))
    async with open_client(app) as client:
        n_runs = 0
        await explain(client, text)
        n_windows = classifier.encoder.encode(text).windows
        assert len(n_windows) < n_runs <= len(n_windows) * 9
        n_runs = 0
        await explain(client, " ".join(["The plan of a market."] * 100))
        assert n_runs <= classifier.encoder.rule.max_windows * 17


async def test_warnings_stand_in_the_answer(client):
    texts = ["plan", "the plan of the market of the weather of the plan and " + "zyx " * 12]
    response = await client.post("/v1/classify", json={"inputs": texts})
    short, unknown = (prediction["warnings"] for prediction in response.json()["predictions"])
    assert short == ["too_short"]
    assert "unknown_tokens" in unknown


async def test_explained_and_plain_requests_do_not_disturb_each_other(tiny_model, classifier):
    app = create_app(ServeSettings(model=str(tiny_model)), classifier)
    async with open_client(app) as client:
        explained, plain = await asyncio.gather(
            asyncio.gather(*(explain(client, TEXT) for _ in range(5))),
            asyncio.gather(*(client.post("/v1/classify", json={"inputs": TEXT}) for _ in range(5))),
        )
    without = [response.json()["predictions"][0] for response in plain]
    assert all(answer[0] | {"evidence": None} == other for answer, other in zip(explained, without, strict=True))
