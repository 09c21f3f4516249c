import asyncio
import time

import numpy as np
import pytest
from pydantic import ValidationError

from serving.app import create_app
from serving.service import Phase
from serving.settings import ServeSettings
from tests.serving.support import Gate, open_client, with_session
from twohands.classifier import Classifier
from twohands.errors import ModelNotFoundError, NonFiniteLogitsError

pytestmark = pytest.mark.anyio


async def test_not_ready_before_the_model_is_warm(app):
    async with open_client(app, lifespan=False) as client:
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        answers = [
            await client.get("/readyz"),
            await client.get("/info"),
            await client.get("/openapi.json"),
            await client.post("/v1/classify", json={"inputs": "plan"}),
        ]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [(503, "not_ready")] * 4
    assert all(answer.headers["retry-after"] for answer in answers)


async def test_ready_once_warm_and_not_while_stopping(app):
    async with open_client(app) as client:
        response = await client.get("/readyz")
        assert (response.json(), "connection" in response.headers) == ({"status": "ready"}, False)
        app.state.service.begin_stop()
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_stopped")
        assert (await client.get("/healthz")).status_code == 200
        # A load balancer needs a moment to learn of it: what it still sends is answered, and told to be the last.
        response = await client.post("/v1/classify", json={"inputs": "plan"})
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        app.state.service.abandon()
        response = await client.post("/v1/classify", json={"inputs": "plan"})
        assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_stopped")


async def test_warm_up_runs_the_longest_window_on_every_thread(settings, classifier):
    seen = []

    def run_batch(windows):
        seen.extend(len(window) for window in windows)
        return classifier.session.run_batch(windows)

    async with open_client(create_app(settings, with_session(classifier, run_batch, num_threads=3))):
        assert seen == [classifier.manifest.window.max_tokens] * 3


async def test_a_time_shorter_than_one_run_refuses_requests_and_not_the_start(settings, classifier):
    def run_batch(windows):
        time.sleep(0.05)
        return classifier.session.run_batch(windows)

    hurried = settings.model_copy(update={"request_timeout_s": 0.02})
    async with open_client(create_app(hurried, with_session(classifier, run_batch))) as client:
        assert (await client.get("/readyz")).status_code == 200
        response = await client.post("/v1/classify", json={"inputs": "plan"})
        assert (response.status_code, response.json()["error"]["code"]) == (429, "deadline_exceeded")
        assert int(response.headers["retry-after"]) >= 1


async def test_model_that_answers_nan_never_becomes_ready(settings, classifier):
    def run_batch(windows):
        return np.full((len(windows), 7), np.nan, dtype=np.float32)

    app = create_app(settings, with_session(classifier, run_batch))
    with pytest.raises(NonFiniteLogitsError):
        async with open_client(app):
            pass
    assert isinstance(app.state.service.failure, NonFiniteLogitsError)
    assert app.state.service.phase is Phase.STOPPING


async def test_missing_model_fails_the_start(tmp_path):
    app = create_app(ServeSettings(model=str(tmp_path / "absent")))
    with pytest.raises(ModelNotFoundError):
        async with open_client(app):
            pass


async def test_given_classifier_stays_its_owners_and_a_loaded_one_is_closed(settings, classifier, monkeypatch):
    given = with_session(classifier, classifier.session.run_batch)
    async with open_client(create_app(settings, given)):
        pass
    assert not given.session.is_closed
    loaded = with_session(classifier, classifier.session.run_batch)
    monkeypatch.setattr(Classifier, "load", lambda *_, **__: loaded)
    async with open_client(create_app(settings)):
        assert not loaded.session.is_closed
    assert loaded.session.is_closed


async def test_damaged_answer_is_a_500_with_its_code(settings, classifier):
    n_calls = 0

    def run_batch(windows):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 3:  # the two before it warm up
            raise NonFiniteLogitsError("the model answered NaN")
        return classifier.session.run_batch(windows)

    async with open_client(create_app(settings, with_session(classifier, run_batch))) as client:
        response = await client.post("/v1/classify", json={"inputs": "plan"})
        assert (response.status_code, response.json()["error"]["code"]) == (500, "non_finite_logits")
        assert (await client.post("/v1/classify", json={"inputs": "plan"})).status_code == 200


async def test_unforeseen_fault_shows_nothing_of_the_inside(settings, classifier, caplog):
    n_calls = 0

    def run_batch(windows):
        nonlocal n_calls
        n_calls += 1
        if n_calls > 2:
            raise ZeroDivisionError("secret path of the inside")
        return classifier.session.run_batch(windows)

    async with open_client(create_app(settings, with_session(classifier, run_batch))) as client:
        response = await client.post("/v1/classify", json={"inputs": "plan"}, headers={"x-request-id": "job-9"})
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert response.json()["error"]["request_id"] == response.headers["x-request-id"] == "job-9"
    assert "secret" not in response.text
    assert "job-9" in caplog.text


async def test_full_service_refuses_with_a_time_to_come_back(settings, classifier):
    gate = Gate(7, n_free=2)
    async with open_client(create_app(settings, with_session(classifier, gate.run_batch))) as client:
        admitted = asyncio.create_task(client.post("/v1/classify", json={"inputs": ["plan"] * 8}))
        await asyncio.to_thread(gate.reached.wait, 5)
        response = await client.post("/v1/classify", json={"inputs": "plan"})
        assert (response.status_code, response.json()["error"]["code"]) == (429, "overloaded")
        assert int(response.headers["retry-after"]) >= 1
        assert (await client.get("/healthz")).status_code == 200
        gate.opened.set()
        assert (await admitted).status_code == 200
        assert (await client.post("/v1/classify", json={"inputs": "plan"})).status_code == 200


async def test_info_says_what_is_served_and_how(client, classifier, settings):
    info = (await client.get("/info")).json()
    manifest = classifier.manifest
    assert info["model"] == classifier.identity
    assert [head["name"] for head in info["heads"]] == [head.name for head in manifest.heads]
    stance, topics = info["heads"]
    assert [label["name"] for label in stance["labels"]] == ["state-led", "market-led", "neutral"]
    assert all(label["description"] and label["threshold"] is None for label in stance["labels"])
    assert stance["abstention"] == manifest.rules["stance"].abstention
    assert [label["threshold"] for label in topics["labels"]] == manifest.rules["topics"].thresholds
    assert info["window"] == manifest.window.model_dump()
    assert (info["threads"], info["runtime"]) == (classifier.session.num_threads, "onnxruntime")
    assert info["limits"]["max_inputs"] == settings.max_inputs
    assert info["precision"] == "fp32"
    assert all(info["versions"].values())


async def test_root_says_where_to_look(client):
    pointers = (await client.get("/", headers={"accept": "application/json"})).json()
    for name in ("info", "openapi"):
        assert (await client.get(pointers[name])).status_code == 200


def test_settings_refuse_what_cannot_be_served_with():
    for wrong in ({"max_inputs": 10, "max_pending": 9}, {"unknown_field": 1}, {"port": -1}, {"host": ""}):
        with pytest.raises(ValidationError):
            ServeSettings(**wrong)
