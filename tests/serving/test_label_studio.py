import threading
import tracemalloc

import pytest

from serving.app import create_app
from serving.protocols import label_studio
from serving.protocols.label_config import read_controls
from serving.settings import ServeSettings
from tests.serving.running import run_server
from tests.serving.support import open_client
from twohands.errors import ProtocolError

pytestmark = pytest.mark.anyio

CONFIG = """<View><Text name="text" value="$text"/>
<Choices name="stance" toName="text" choice="single" required="true">
<Choice value="state-led"/><Choice value="market-led"/><Choice value="neutral"/></Choices>
<Choices name="topic" toName="text" choice="multiple">
<Choice value="sanctions"/><Choice value="self-reliance"/>
<Choice value="industrial-policy"/><Choice value="regulation"/>
</Choices></View>"""
TEXTS = ["plan", "market", "weather embargo", "homemade subsidy licence plan", "embargo subsidy"]


@pytest.fixture(scope="module")
def interface():
    module = pytest.importorskip("label_studio_sdk.label_interface", reason="pip install twohands[clients]")
    return module.LabelInterface


async def predict(client, texts, config=CONFIG, key="text", **more):
    tasks = [{"id": number, "data": {key: text}, "annotations": []} for number, text in enumerate(texts)]
    wanted = {"tasks": tasks, "label_config": config, "project": "1.1700000000", "params": {"context": None}}
    return await client.post("/label-studio/predict", json=wanted | more)


def choices_of(result):
    return {region["from_name"]: region["value"]["choices"] for region in result["result"]}


async def test_every_prediction_is_valid_by_label_studios_own_word(client, classifier, interface):
    response = await predict(client, TEXTS)
    assert response.status_code == 200
    results = response.json()["results"]
    oracle = interface(CONFIG)
    for result, prediction in zip(results, classifier.classify(TEXTS), strict=True):
        assert oracle.validate_prediction(result, return_errors=True) == []
        assert oracle.validate_prediction(result) is True
        wanted = {} if prediction.stance.abstained else {"stance": [prediction.stance.label]}
        assert choices_of(result) == wanted | ({"topic": prediction.topics.labels} if prediction.topics.labels else {})
    assert choices_of(results[0]) == {"stance": ["state-led"]}
    assert choices_of(results[4]) == {"topic": ["sanctions", "industrial-policy"]}  # the stance is one to abstain on
    broken = results[0] | {"result": [results[0]["result"][0] | {"value": {"choices": ["sideways"]}}]}
    assert oracle.validate_prediction(broken) is False  # so that the oracle can say no


async def test_scores_are_those_of_the_model_and_the_least_certain_head(client, classifier):
    (result,) = (await predict(client, ["weather embargo"])).json()["results"]
    (prediction,) = classifier.classify(["weather embargo"])
    by_name = {region["from_name"]: region["score"] for region in result["result"]}
    assert by_name == {"stance": prediction.stance.score, "topic": prediction.topics.scores["sanctions"]}
    certainties = [max(score, 1 - score) for score in prediction.topics.scores.values()]
    assert result["score"] == pytest.approx(min(prediction.stance.score, *certainties), abs=1e-6)
    assert result["model_version"] == f"tiny-0.0.1-{classifier.sha256[:8]}"


async def test_bad_task_answers_in_its_place(client, interface):
    results = (await predict(client, ["plan", "", None, 7, "market"])).json()["results"]
    assert [choices_of(result) for result in results] == [
        {"stance": ["state-led"]},
        {},
        {},
        {},
        {"stance": ["market-led"]},
    ]
    assert [result.get("error", {}).get("code") for result in results] == [
        None, "empty_paragraph", "missing_text", "input_not_a_string", None
    ]  # fmt: skip
    assert [result["score"] for result in results[1:4]] == [0.0] * 3
    assert all(interface(CONFIG).validate_prediction(result) for result in results)


async def test_more_tasks_than_one_request_may_hold(client):
    results = (await predict(client, ["plan", "market"] * 10)).json()["results"]
    assert [choices_of(result)["stance"] for result in results] == [["state-led"], ["market-led"]] * 10
    assert (await predict(client, [])).json() == {"results": []}


async def test_config_with_other_names_aliases_and_fewer_choices(client, interface):
    config = """<View><Text name="para" value="$body"/><Choices name="who" toName="para">
    <Choice value="The state" alias="state-led"/><Choice value="market-led" alias="M"/></Choices>
    <Choices name="quality" toName="para"><Choice value="good"/></Choices></View>"""
    results = (await predict(client, ["plan", "market", "weather"], config, key="body")).json()["results"]
    assert [choices_of(result) for result in results] == [{"who": ["state-led"]}, {"who": ["M"]}, {}]
    assert {region["to_name"] for result in results for region in result["result"]} == {"para"}
    assert all(interface(config).validate_prediction(result) is True for result in results[:1])


MANY_CHOICES = [f'<Choices name="s{number}" toName="t"/>' for number in range(65)]
BAD_CONFIGS = {
    "not XML": "<View>",
    "no choices": '<View><Text name="text" value="$text"/></View>',
    "other choices": CONFIG.replace('<Choice value="', '<Choice value="x'),
    "choices of an image": CONFIG.replace("<Text ", "<Image "),
    "text by address": CONFIG.replace("<Text ", '<Text valueType="url" '),
    "topics one at a time": CONFIG.replace('"multiple"', '"single"'),
    "entities": '<!DOCTYPE v [<!ENTITY a "plan">]>' + CONFIG,
    "deep": "<View>" * 100 + "</View>" * 99,
    "one name twice": CONFIG.replace('name="topic"', 'name="stance"'),
    "a long name": CONFIG.replace('name="topic"', f'name="{"n" * 257}"'),
    "a long alias": CONFIG.replace('"neutral"', f'"neutral" alias="{"n" * 257}"'),
    "many controls": f'<View><Text name="t" value="$text"/>{"".join(MANY_CHOICES)}</View>',
}  # fmt: skip


@pytest.mark.parametrize("config", BAD_CONFIGS.values(), ids=BAD_CONFIGS.keys())
async def test_config_that_asks_for_nothing_we_have_is_refused(client, config):
    response = await predict(client, ["plan"], config)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["error"].startswith("label_config: ")
    response = await client.post("/label-studio/setup", json={"project": "1.17", "schema": config, "extra_params": {}})
    assert response.status_code == 422


def test_config_of_a_deep_tree_is_read_without_recursion(taxonomy):
    with pytest.raises(ProtocolError):
        read_controls("<View>" * 50_000 + "</View>" * 50_000, taxonomy)


@pytest.mark.issue(5)
@pytest.mark.parametrize("address", ["n" * 50_000, "\U0001f600" * 50_000], ids=["narrow", "wide"])
def test_a_namespace_is_not_written_out_for_each_element(taxonomy, address):
    elements = "".join(f"<a:e{number}/>" for number in range(500))
    tracemalloc.start()
    try:
        controls = read_controls(CONFIG.replace("<View>", f'<View xmlns:a="{address}">{elements}'), taxonomy)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [control.name for control in controls] == ["stance", "topic"]
    assert peak_bytes < 2_000_000  # 25 MB and 100 MB where it is


@pytest.mark.issue(4)
async def test_more_tasks_or_a_larger_config_than_are_read_are_refused(tiny_model, classifier):
    async with open_client(create_app(ServeSettings(model=str(tiny_model)), classifier)) as client:
        for tasks, config in (([{"data": {}}] * 1001, CONFIG), ([{"data": {}}], CONFIG + " " * 200_000)):
            response = await client.post("/label-studio/predict", json={"tasks": tasks, "label_config": config})
            assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
        response = await client.post("/label-studio/predict", json={"tasks": tasks * 1000, "label_config": CONFIG})
        assert len(response.json()["results"]) == 1000


@pytest.mark.issue(4)
async def test_answers_are_written_off_the_event_loop(client, monkeypatch):
    threads = []
    make_result = label_studio.make_result
    monkeypatch.setattr(
        label_studio, "make_result", lambda *given: threads.append(threading.get_ident()) or make_result(*given)
    )
    assert len((await predict(client, ["plan", None])).json()["results"]) == 2
    assert set(threads).isdisjoint({threading.get_ident()})


@pytest.mark.issue(4)
async def test_labels_are_known_in_upper_case_where_the_choices_are_those_of_the_head(client):
    config = """<View><Text name="text" value="$text"/>
    <Choices name="a" toName="text"><Choice value="State-led"/><Choice value="MARKET-LED"/><Choice value="Neutral"/>
    </Choices>
    <Choices name="b" toName="text"><Choice value="state-led"/><Choice value="Market-Led"/></Choices>
    <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Neutral"/></Choices></View>"""
    results = (await predict(client, ["plan", "market"], config)).json()["results"]
    assert [choices_of(result) for result in results] == [
        {"a": ["State-led"], "b": ["state-led"]},
        {"a": ["MARKET-LED"], "b": ["Market-Led"]},
    ]


@pytest.mark.issue(4)
async def test_setup_warns_of_labels_without_a_choice(client, caplog):
    config = CONFIG.replace('<Choice value="state-led"/>', '<Choice value="state led"/>')
    response = await client.post("/label-studio/setup", json={"project": "1.17", "schema": config})
    assert response.json()["warnings"] == [
        "label_config: no Choice for state-led of stance; where that is the answer, tasks come back without one"
    ]
    assert "a labelling config has no choice for state-led of stance" in caplog.text


async def test_setup_health_versions_and_webhook(client, classifier):
    version = f"tiny-0.0.1-{classifier.sha256[:8]}"
    response = await client.post("/label-studio/setup", json={"project": "1.17", "schema": CONFIG, "extra_params": {}})
    assert response.json() == {"model_version": version}
    assert (await client.get("/label-studio/health")).json() == {"status": "UP", "model_class": "twohands"}
    assert (await client.get("/label-studio/versions")).json() == {"versions": [version]}
    response = await client.post("/label-studio/webhook", json={"action": "ANNOTATION_CREATED", "project": {"id": 1}})
    assert response.status_code == 200
    assert (await client.post("/label-studio/webhook", json={})).status_code == 422


async def test_failures_have_one_shape_with_words_to_show(app):
    async with open_client(app, lifespan=False) as client:
        response = await client.get("/label-studio/health")
        assert (response.status_code, set(response.json())) == (503, {"error", "code", "request_id"})
    async with open_client(app) as client:
        for response in (
            await client.post("/label-studio/predict", json={"tasks": []}),
            await client.post("/label-studio/predict", content=b"x", headers={"content-type": "application/json"}),
            await client.get("/label-studio/nowhere"),
        ):
            assert set(response.json()) == {"error", "code", "request_id"}


async def test_answer_that_is_abstained_on_is_no_annotation(tiny_model, classifier):
    (prediction,) = classifier.classify(["the"])
    assert prediction.stance.abstained
    async with open_client(create_app(ServeSettings(model=str(tiny_model)), classifier)) as client:
        (result,) = (await predict(client, ["the"])).json()["results"]
    assert result["result"] == []
    assert result["score"] == pytest.approx(prediction.stance.score, abs=1e-6)


def test_a_running_server_is_asked_as_label_studio_asks(tiny_model, classifier, interface):
    requests = pytest.importorskip("requests")
    with run_server(ServeSettings(model=str(tiny_model)), classifier) as url:
        assert requests.get(f"{url}/label-studio/health", timeout=10).json()["status"] == "UP"
        wanted = {"tasks": [{"id": 1, "data": {"text": "plan"}}], "label_config": CONFIG}
        (result,) = requests.post(f"{url}/label-studio/predict", json=wanted, timeout=10).json()["results"]
    assert interface(CONFIG).validate_prediction(result) is True
