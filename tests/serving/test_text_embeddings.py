import asyncio

import numpy as np
import pytest

from serving.app import create_app
from serving.dialects import tell_failure
from serving.keys import make_key, write_keys
from serving.schemas import InfoResponse
from serving.settings import ServeSettings
from tests.serving.support import Gate, open_client, with_session

pytestmark = pytest.mark.anyio


async def ask(client, inputs, path="/predict", **more):
    return await client.post(path, json={"inputs": inputs} | more)


@pytest.mark.parametrize("path", ["/predict", "/", "/invocations"])
async def test_single_text_is_answered_flat_and_a_batch_nested(client, classifier, path):
    one, other = classifier.classify(["the plan", "market"])
    single = await ask(client, "the plan", path)
    assert single.status_code == 200
    assert {each["label"]: each["score"] for each in single.json()} == one.stance.scores
    assert [set(each) for each in single.json()] == [{"score", "label"}] * 3
    assert [each["score"] for each in single.json()] == sorted((each["score"] for each in single.json()), reverse=True)
    for batch in (["the plan", "market"], [["the plan"], ["market"]]):
        rows = (await ask(client, batch, path)).json()
        assert [{each["label"]: each["score"] for each in row} for row in rows] == [
            one.stance.scores,
            other.stance.scores,
        ]


async def test_batch_of_one_stays_a_batch_and_unknown_keys_are_ignored(client):
    assert [len(row) for row in (await ask(client, [["plan"]], truncate=None, prompt_name="x")).json()] == [3]


async def test_raw_scores_are_the_logits_and_another_head_can_be_asked(client, classifier):
    (encoded,) = classifier.try_encode(["the embargo"])
    logits = classifier.predict_logits([encoded])[0]
    response = await client.post("/predict?head=topics", json={"inputs": "the embargo", "raw_scores": True})
    scores = {each["label"]: each["score"] for each in response.json()}
    assert scores == pytest.approx(
        dict(zip(classifier.taxonomy.label_names[3:], logits[3:].tolist(), strict=True)), abs=1e-5
    )
    assert response.headers["x-head"] == "topics"


async def test_headers_are_whole_milliseconds_and_counts(client, classifier):
    response = await ask(client, ["the plan", "market"])
    for name in ("compute-time", "total-time", "tokenization-time", "queue-time", "inference-time"):
        assert response.headers[f"x-{name}"].isdigit()
    assert response.headers["x-compute-type"] == "cpu"
    assert response.headers["x-compute-characters"] == str(len("the plan" + "market"))
    assert response.headers["x-compute-tokens"] == "3"
    assert response.headers["x-model-sha256"] == classifier.sha256


async def test_pairs_are_refused_and_never_joined(client, tiny_model, classifier):
    response = await ask(client, [["plan", "market"]])
    assert (response.status_code, response.json()["error_type"]) == (422, "Validation")
    settings = ServeSettings(model=str(tiny_model), flat_list="pair")
    async with open_client(create_app(settings, classifier)) as strict:
        response = await ask(strict, ["plan", "market"])
        assert (response.status_code, response.json()["error_type"]) == (422, "Validation")
        assert (await ask(strict, ["plan"])).json()[0]["label"] == "state-led"
        assert len((await ask(strict, ["plan", "market"], parameters={})).json()) == 2


LONG = "plan " * 60  # three windows of sixteen tokens hold far fewer


async def test_nothing_is_cut_against_the_callers_will(client):
    assert (await ask(client, LONG)).status_code == 200
    assert (await ask(client, LONG, truncate=True)).status_code == 200
    response = await ask(client, LONG, truncate=False)
    assert (response.status_code, response.json()["error_type"]) == (422, "Validation")
    (found, given) = [int(word) for word in response.json()["error"].replace(".", "").split() if word.isdigit()]
    assert given == 60
    longest = (await client.get("/info")).json()["max_input_length"]
    assert found == longest + 1
    assert (await ask(client, "plan " * longest, truncate=False)).status_code == 200
    assert (await ask(client, "plan " * (longest + 1), truncate=False)).status_code == 422
    assert (await ask(client, LONG, truncation_direction="Left")).status_code == 422
    assert (await ask(client, "plan", truncation_direction="left")).status_code == 200


@pytest.mark.issue(4)
async def test_the_model_is_not_asked_for_what_is_not_to_be_cut(settings, classifier):
    n_run = 0

    def count(windows):
        nonlocal n_run
        n_run += 1
        return np.zeros((len(windows), 7), dtype=np.float32)

    async with open_client(create_app(settings, with_session(classifier, count))) as client:
        n_before = n_run
        for refusal in {"truncate": False}, {"truncation_direction": "Left"}:
            assert (await ask(client, ["plan", LONG], **refusal)).status_code == 422
        assert n_run == n_before
        assert (await ask(client, ["plan", LONG])).status_code == 200
        assert n_run > n_before


@pytest.mark.issue(4)
@pytest.mark.parametrize(("inputs", "found"), [(None, "null"), ({"text": "plan"}, "an object"), (7, "a number")])
async def test_wrong_inputs_are_told_in_words_of_json(client, inputs, found):
    words = f"inputs: expected a string or a list of strings, found {found}"
    assert (await ask(client, inputs)).json()["error"] == words
    assert (await client.post("/v1/classify", json={"inputs": inputs})).json()["error"]["message"] == words


@pytest.mark.parametrize(
    ("inputs", "status", "error_type"),
    [
        ("", 400, "Empty"),
        ([], 400, "Empty"),
        (["plan", " "], 400, "Empty"),
        (["plan", 7], 422, "Validation"),
        ([[]], 422, "Validation"),
        ({"text": "plan"}, 422, "Validation"),
        (None, 422, "Validation"),
        (["plan"] * 9, 422, "Validation"),
        ("x" * 501, 422, "Validation"),
    ],
)
async def test_wrong_inputs_have_teis_shape(client, inputs, status, error_type):
    response = await ask(client, inputs)
    assert response.status_code == status
    assert response.json()["error_type"] == error_type
    assert isinstance(response.json()["error"], str)
    assert set(response.json()) == {"error", "error_type"}


async def test_message_says_which_text_of_a_batch(client):
    assert "inputs[1]" in (await ask(client, ["plan", " "])).json()["error"]


async def test_overload_and_faults_of_the_model_have_teis_codes(settings, classifier):
    def fail(windows):
        return np.full((len(windows), 7), np.nan if len(calls) else 0, dtype=np.float32)

    calls = []
    async with open_client(create_app(settings, with_session(classifier, fail))) as client:
        calls.append(1)
        response = await ask(client, "plan")
        assert (response.status_code, response.json()["error_type"]) == (424, "Backend")
    full = ServeSettings(model=settings.model, max_inputs=2, max_pending=2)
    gate = Gate(7, n_free=2)
    async with open_client(create_app(full, with_session(classifier, gate.run_batch))) as client:
        waiting = asyncio.create_task(ask(client, ["plan", "plan"]))
        await asyncio.to_thread(gate.reached.wait, 10)
        response = await ask(client, "plan")
        assert (response.status_code, response.json()["error_type"]) == (429, "Overloaded")
        assert int(response.headers["retry-after"]) >= 1
        gate.opened.set()
        assert (await waiting).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ping"])
async def test_health_is_empty_or_unhealthy(app, path):
    async with open_client(app, lifespan=False) as client:
        response = await client.get(path)
        assert (response.status_code, response.json()["error_type"]) == (503, "Unhealthy")
    async with open_client(app) as client:
        response = await client.get(path)
        assert (response.status_code, response.content) == (200, b"")


async def test_info_has_teis_keys_beside_ours(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), max_inputs=8, max_pending=9, max_queue_tokens=1000)
    async with open_client(create_app(settings, classifier)) as client:
        response = await client.get("/info")
    InfoResponse.model_validate_json(response.content)
    info = response.json()
    names = ["state-led", "market-led", "neutral"]
    assert info["model_type"] == {
        "classifier": {
            "id2label": {str(number): name for number, name in enumerate(names)},
            "label2id": {name: number for number, name in enumerate(names)},
        }
    }
    assert (info["model_id"], info["served_model_name"], info["model_sha"]) == ("tiny", "tiny", classifier.sha256)
    assert info["model_dtype"] == "float32"
    assert info["max_client_batch_size"] == info["limits"]["max_inputs"] == 8
    assert (info["max_concurrent_requests"], info["max_batch_tokens"]) == (9, 1000)
    assert info["model"]["sha256"] == classifier.sha256
    assert {"docker_label", "sha", "version", "auto_truncate", "tokenization_workers", "max_batch_requests"} <= set(
        info
    )


async def test_body_that_is_too_large_or_of_another_kind_has_teis_shape(client):
    response = await client.post("/predict", content=b" " * 5000, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error_type"]) == (413, "Validation")
    response = await client.post("/predict", content=b"{}", headers={"content-type": "text/plain"})
    assert (response.status_code, response.json()["error_type"]) == (415, "Validation")


async def test_missing_key_is_told_in_each_protocols_shape(tmp_path, settings, classifier):
    key, kept = make_key(name="test")
    write_keys(tmp_path / "keys.json", [kept])
    guarded = settings.model_copy(update={"api_keys_file": tmp_path / "keys.json"})
    async with open_client(create_app(guarded, classifier)) as client:
        response = await ask(client, "plan")
        assert (response.status_code, response.content) == (401, b"")  # as TEI
        shapes = {
            "/": {"error", "error_type"},
            "/models/tiny": {"error", "error_type"},
            "/v2/models/tiny/infer": {"error"},
            "/label-studio/predict": {"error", "code", "request_id"},
        }
        for path, keys in shapes.items():
            response = await ask(client, "plan", path)
            assert (response.status_code, set(response.json())) == (401, keys)
            assert isinstance(response.json()["error"], str)
        for path in ("/health", "/v2/health/live", "/label-studio/health"):
            assert (await client.get(path)).status_code == 200
        response = await client.post("/predict", json={"inputs": "plan"}, headers={"authorization": f"Bearer {key}"})
        assert response.status_code == 200


@pytest.mark.issue(4)
@pytest.mark.parametrize("path", ["/embed", "/embed/", "/embed_sparse", "/rerank", "/similarity", "/tokenize"])
async def test_routes_of_other_kinds_of_models_are_refused_in_teis_shape(client, path):
    response = await client.post(path, json={"inputs": "plan"})
    assert (response.status_code, response.json()["error_type"]) == (404, "Validation")
    assert set(response.json()) == {"error", "error_type"}


OWN = {"/v1/classify", "/info", "/healthz", "/nowhere", "/predictor", "/embedder", "/modelsx", "/v2x", "/label-studios"}


@pytest.mark.parametrize("path", sorted(OWN))
def test_paths_of_no_protocol_keep_our_own_shape(path):
    told = tell_failure(path, status=500, code="internal_error", message="m", request_id="r")
    assert told == (500, {"error": {"code": "internal_error", "message": "m", "request_id": "r"}})
