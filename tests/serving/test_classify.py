import asyncio
import re
import threading
import time

import pytest

from serving import reading
from serving.app import create_app
from serving.settings import ServeSettings
from tests.serving.support import Gate, open_client, with_session

pytestmark = pytest.mark.anyio


async def classify(client, **body):
    return await client.post("/v1/classify", json=body)


async def test_one_string_answers_with_one_prediction(client, classifier):
    response = await classify(client, inputs="The plan of the market.")
    assert response.status_code == 200
    (expected,) = classifier.classify(["The plan of the market."])
    assert response.json() == {"model": classifier.identity, "predictions": [expected.to_dict()]}


async def test_list_answers_in_order_and_equals_the_library(client, classifier):
    texts = ["plan", "market " * 30, "weather of the homemade subsidy", "a licence"]
    response = await classify(client, inputs=texts)
    expected = [prediction.to_dict() for prediction in classifier.classify(texts)]
    assert response.json()["predictions"] == expected
    assert [prediction["stance"]["label"] for prediction in expected[:3]] == ["state-led", "market-led", "neutral"]


async def test_long_text_says_that_it_was_cut(client):
    (prediction,) = (await classify(client, inputs=["market " * 60])).json()["predictions"]
    assert prediction["truncated"] is True
    assert prediction["n_windows"] == 3
    assert prediction["n_tokens"] == 60
    assert prediction["n_tokens_cut"] > 0


async def test_bad_items_of_a_list_answer_in_their_place(client):
    texts = ["plan", "", " \n\t", "\u0001\u200b", 7, None, ["plan"], "a" * 501]
    response = await classify(client, inputs=texts)
    assert response.status_code == 200
    first, *others = response.json()["predictions"]
    assert first["stance"]["label"] == "state-led"
    assert [item["error"]["code"] for item in others] == [
        "empty_paragraph",
        "empty_paragraph",
        "empty_paragraph",
        "input_not_a_string",
        "input_not_a_string",
        "input_not_a_string",
        "paragraph_too_long",
    ]
    assert all(set(item) == {"error"} and item["error"]["message"] for item in others)


async def test_list_of_bad_items_only_still_answers(client):
    response = await classify(client, inputs=["", 1])
    assert response.status_code == 200
    assert [item["error"]["code"] for item in response.json()["predictions"]] == [
        "empty_paragraph",
        "input_not_a_string",
    ]


async def test_thresholds_change_labels_and_abstention_of_this_request_alone(client):
    text = "plan of homemade the the the the the"
    plain = (await classify(client, inputs=text)).json()["predictions"][0]
    changed = (await classify(client, inputs=text, thresholds={"sanctions": 0, "stance": 1})).json()["predictions"][0]
    assert "sanctions" not in plain["topics"]["labels"]
    assert "sanctions" in changed["topics"]["labels"]
    assert changed["stance"]["abstained"] is True
    assert changed["stance"]["scores"] == plain["stance"]["scores"]
    assert (await classify(client, inputs=text)).json()["predictions"][0] == plain


async def test_headers_say_which_model_answered_and_how_long_it_took(client, classifier):
    response = await classify(client, inputs=["plan", "market"])
    assert response.headers["x-model-sha256"] == classifier.sha256
    spent = dict(re.findall(r"(\w+);dur=([\d.]+)", response.headers["server-timing"]))
    assert set(spent) == {"tokenize", "queue", "infer", "total"}
    assert float(spent["total"]) >= float(spent["infer"]) >= 0


async def test_many_requests_at_once_each_get_their_own_answer(settings, classifier):
    app = create_app(ServeSettings(model=settings.model), classifier)
    words = ["plan", "market", "weather"] * 20
    async with open_client(app) as client:
        responses = await asyncio.gather(*(classify(client, inputs=[word]) for word in words))
    by_word = {"plan": "state-led", "market": "market-led", "weather": "neutral"}
    labels = [response.json()["predictions"][0]["stance"]["label"] for response in responses]
    assert labels == [by_word[word] for word in words]


async def test_app_without_a_classifier_loads_the_model_of_its_settings(settings, classifier):
    async with open_client(create_app(settings)) as client:
        response = await classify(client, inputs="plan")
    assert response.json()["model"] == classifier.identity


async def test_large_request_does_not_shut_out_a_single_paragraph(settings, classifier):
    gate = Gate(7, n_free=1)
    app = create_app(
        settings.model_copy(update={"max_queue_tokens": 100, "max_pending": 16}),
        with_session(classifier, gate.run_batch, num_threads=1),
    )
    async with open_client(app) as client:
        large = asyncio.create_task(classify(client, inputs=["the plan of the market " * 20] * 8))
        await asyncio.to_thread(gate.reached.wait, 5)
        single = asyncio.create_task(classify(client, inputs="plan"))
        _, waiting = await asyncio.wait({single}, timeout=0.2)
        assert waiting  # not refused
        gate.opened.set()
        assert [(await each).status_code for each in (large, single)] == [200, 200]


async def test_time_of_a_request_covers_the_reading_of_its_texts(settings, classifier, monkeypatch):
    n_pieces = 0
    reads = threading.Event()
    encode = reading.encode_inputs

    def encode_slowly(*arguments):
        nonlocal n_pieces
        n_pieces += 1
        reads.wait(10)
        return encode(*arguments)

    monkeypatch.setattr(reading, "encode_inputs", encode_slowly)
    monkeypatch.setattr(reading, "_TEXTS_AT_ONCE", 1)
    app = create_app(settings.model_copy(update={"request_timeout_s": 0.2}), classifier)
    async with open_client(app) as client:
        started_s = time.monotonic()
        response = await classify(client, inputs=["plan"] * 8)
        assert (response.status_code, response.json()["error"]["code"]) == (429, "deadline_exceeded")
        assert time.monotonic() - started_s < 8
        assert app.state.service.n_pending == 0
        reads.set()
        await asyncio.sleep(0.1)
        assert n_pieces == 1  # the others are never read
        assert (await classify(client, inputs="plan")).status_code == 200
