import math

import pytest
from huggingface_hub import InferenceClient, constants
from huggingface_hub.errors import HfHubHTTPError

from serving.keys import make_key, write_keys
from serving.settings import ServeSettings
from tests.serving.running import run_server
from twohands.errors import InputError

pytestmark = pytest.mark.anyio
TEXT = "the plan"


@pytest.fixture(autouse=True)
def _lets_the_hub_client_reach_this_machine(monkeypatch):
    # The suite keeps the client offline, loopback included. The Hub itself stays out of reach.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def url(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), max_inputs=8, max_pending=8, limit_chars=500)
    with run_server(settings, classifier) as url:
        yield url


def ask(url, text=TEXT, **options):
    return InferenceClient(model=url, token="hf_none").text_classification(text, **options)


@pytest.mark.parametrize("path", ["", "/", "/models/tiny", "/models/tiny/stance", "/?head=stance"])
def test_hub_client_gets_every_label_of_the_default_head_in_order(url, classifier, path):
    elements = ask(url + path)
    (prediction,) = classifier.classify([TEXT])
    assert {each.label: each.score for each in elements} == prediction.stance.scores
    assert elements[0].label == "state-led"
    assert [each.score for each in elements] == sorted((each.score for each in elements), reverse=True)
    assert {(each.head, each.calibrated) for each in elements} == {("stance", True)}
    assert "threshold" not in elements[0]


def test_hub_client_by_base_url(url):
    assert InferenceClient(base_url=url, token="hf_none").text_classification(TEXT)[0].label == "state-led"


@pytest.mark.parametrize("path", ["/models/tiny/topics", "/?head=topics", "/models/tiny?head=topics"])
def test_hub_client_reaches_another_head_and_sees_its_thresholds(url, classifier, path):
    elements = ask(url + path, "embargo")
    (prediction,) = classifier.classify(["embargo"])
    assert {each.label: each.score for each in elements} == prediction.topics.scores
    assert elements[0].label == "sanctions"
    assert {(each.head, each.threshold) for each in elements} == {("topics", 0.5)}


def test_top_k(url):
    assert len(ask(url, top_k=1)) == 1
    assert len(ask(url, top_k=2)) == 2
    assert len(ask(url, top_k=99)) == 3


def test_function_to_apply_is_that_function_of_the_raw_logits(url, classifier):
    text = "the embargo"
    (encoded,) = classifier.try_encode([text])
    logits = [float(value) for value in classifier.predict_logits([encoded])[0][3:7]]
    names = classifier.taxonomy.heads[1].label_names
    wanted = {
        "none": logits,
        "sigmoid": [1 / (1 + math.exp(-value)) for value in logits],
        "softmax": [math.exp(value) / sum(map(math.exp, logits)) for value in logits],
    }
    for function, scores in wanted.items():
        elements = ask(url + "/models/tiny/topics", text, function_to_apply=function)
        assert {each.label: each.score for each in elements} == pytest.approx(
            dict(zip(names, scores, strict=True)), abs=1e-5
        )
        assert not any(each.calibrated for each in elements)
    calibrated = {each.label: each.score for each in ask(url + "/models/tiny/topics", text)}
    assert calibrated != pytest.approx(dict(zip(names, wanted["sigmoid"], strict=True)), abs=1e-3)


def test_hub_client_shows_our_words_and_request_id(url):
    client = InferenceClient(model=url, token="hf_none", headers={"x-request-id": "mine-1"})
    with pytest.raises(HfHubHTTPError, match="empty") as failure:
        client.text_classification(" ")
    assert failure.value.response.status_code == 400
    assert "mine-1" in str(failure.value)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("/models/none", 404, "model"), ("/models/tiny/none", 404, "stance, topics"), ("/?head=none", 404, "head")],
)
def test_unknown_model_or_head(url, path, status, words):
    with pytest.raises(HfHubHTTPError, match=words) as failure:
        ask(url + path)
    assert failure.value.response.status_code == status


def test_zero_shot_is_refused_clearly(url):
    client = InferenceClient(model=url, token="hf_none")
    with pytest.raises(HfHubHTTPError, match="zero-shot classification is not served") as failure:
        client.zero_shot_classification(TEXT, candidate_labels=["a", "b"], multi_label=True)
    assert failure.value.response.status_code == 422


async def test_list_with_parameters_is_nested_even_if_of_one_text(client):
    response = await client.post("/", json={"inputs": ["plan", "market"], "parameters": {"top_k": 1}})
    assert [[each["label"] for each in row] for row in response.json()] == [["state-led"], ["market-led"]]
    response = await client.post("/", json={"inputs": "plan", "parameters": None})
    assert [len(row) for row in response.json()] == [3]


@pytest.mark.parametrize(
    "parameters", [{"top_k": 0}, {"top_k": True}, {"function_to_apply": "tanh"}, {"temperature": 1}, 7]
)
async def test_wrong_parameters_are_named_in_the_protocols_shape(client, parameters):
    response = await client.post("/models/tiny", json={"inputs": "plan", "parameters": parameters})
    assert response.status_code == 422
    failure = response.json()
    assert set(failure) == {"error", "error_type"}
    assert failure["error"].startswith("parameters")
    assert failure["error_type"] == "Validation"


@pytest.mark.issue(4)
async def test_habits_of_other_clients_are_taken_where_they_ask_for_what_is_done_anyway(client):
    plain = (await client.post("/", json={"inputs": "plan", "parameters": {}})).json()
    for parameters in (
        {"truncation": True, "max_length": 512},
        {"truncation": "longest_first", "padding": "max_length", "max_length": 64.0},
        {"truncation": False, "padding": True},
        {"return_all_scores": True},
        {"return_all_scores": None, "truncation": None, "max_length": None},
    ):
        response = await client.post("/", json={"inputs": "plan", "parameters": parameters})
        assert (response.status_code, response.json()) == (200, plain)


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"inputs": "a", "parameters": {"t": 1}}, "parameters.t: unknown field; known are function_to_apply, top_k"),
        ({"inputs": "a", "parameters": []}, "parameters: expected an object; known are function_to_apply, top_k"),
        ([], 'body: expected an object such as {"inputs": ...}'),
        ({"inputs": "a", "parameters": {"return_all_scores": False}}, "return_all_scores: only true is taken"),
        ({"inputs": "a", "parameters": {"truncation": 1}}, "parameters.truncation: only true, false, 'longest_first'"),
        ({"inputs": "plan " * 9, "parameters": {"max_length": 10}}, "11 tokens, and this service does not cut"),
        ({"inputs": "plan " * 99, "parameters": {"truncation": False}}, "`inputs` must have less than"),
        ({"inputs": [{"text": "a"}], "parameters": {}}, "`inputs[0]`: found an object, expected a string of text"),
    ],
)  # fmt: skip
async def test_a_refusal_says_what_is_taken(client, wanted, words):
    response = await client.post("/", json=wanted)
    assert response.status_code == 422
    assert words in response.json()["error"]


async def test_leaked_token_is_in_no_answer(client):
    response = await client.post("/", json={"inputs": " "}, headers={"authorization": "Bearer hf_leaked"})
    assert "hf_leaked" not in response.text + str(response.headers)


def test_input_errors_can_be_made_again_with_another_message():
    kinds = [InputError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        assert str(kind("a message")) == "a message"


def test_hub_client_sends_our_key_as_its_token(tmp_path, tiny_model, classifier):
    key, kept = make_key(name="test")
    write_keys(tmp_path / "keys.json", [kept])
    with run_server(ServeSettings(model=str(tiny_model), api_keys_file=tmp_path / "keys.json"), classifier) as url:
        assert InferenceClient(model=url, token=key).text_classification(TEXT)[0].label == "state-led"
        with pytest.raises(HfHubHTTPError) as failure:
            ask(url)
        assert failure.value.response.status_code == 401
