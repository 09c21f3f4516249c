import asyncio
import json
import threading

import pytest
from fastapi.openapi.models import OpenAPI
from pydantic import ValidationError

from serving.app import create_app
from serving.openapi import OpenapiDocument, make_example_prediction, make_labels_schema, make_prediction_model
from serving.protocols.label_config import read_controls
from serving.schemas import ClassifyRequest, FailedItem, InfoResponse
from serving.settings import ServeSettings
from tests.serving.support import open_client
from tests.support.tiny import build_tiny_model
from twohands.errors import NotReadyError
from twohands.taxonomy import Taxonomy

pytestmark = pytest.mark.anyio

OTHER_TAXONOMY = Taxonomy.model_validate(
    {
        "heads": [
            {
                "name": "json",
                "problem_type": "multi_label_classification",
                "labels": [{"name": "copy", "description": "a label called as a method of models is"}],
            },
            {
                "name": "policy-area",
                "problem_type": "single_label_classification",
                "labels": [{"name": name, "description": f"about {name}"} for name in ("1st", "2nd", "model_config")],
            },
        ]
    }
)


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def check_document(document):
    OpenAPI.model_validate(document)
    names = {reference.removeprefix("#/components/schemas/") for reference in references(document)}
    assert names
    assert names <= set(document["components"]["schemas"])
    return document["paths"]["/v1/classify"]["post"]


async def test_document_is_sound_and_its_examples_hold(client, classifier):
    document = (await client.get("/openapi.json")).json()
    classify = check_document(document)
    examples = classify["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        ClassifyRequest.model_validate(example["value"])
        assert (await client.post("/v1/classify", json=example["value"])).status_code == 200
    answer = classify["responses"]["200"]["content"]["application/json"]["example"]
    assert answer["model"] == classifier.identity
    prediction, failed = answer["predictions"]
    make_prediction_model(classifier.taxonomy).model_validate(prediction)
    FailedItem.model_validate(failed)
    assert {"400", "413", "415", "422", "429", "503"} <= set(classify["responses"])


async def test_document_names_the_heads_and_labels_of_the_model(client):
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert "balance" in schemas["HeadSummary"]["properties"]
    assert {"stance", "topics", "n_tokens", "truncated", "evidence"} <= set(schemas["Prediction"]["required"])
    assert schemas["StanceAnswer"]["properties"]["label"]["enum"] == ["state-led", "market-led", "neutral"]
    assert set(schemas["TopicsScores"]["required"]) == {"sanctions", "self-reliance", "industrial-policy", "regulation"}


async def test_document_names_the_labels_of_a_correction(client, taxonomy):
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    expected = make_labels_schema([taxonomy])
    for name in ("CorrectionRequest", "CorrectionChange"):
        labels = schemas[name]["properties"]["labels"]
        assert expected.items() <= labels.items()
        assert "patternProperties" not in labels  # else any other name would be one too


def test_labels_of_a_head_that_models_have_otherwise_are_those_of_either(taxonomy):
    torn = {"name": "stance", "problem_type": "multi_label_classification"}
    other = Taxonomy.model_validate({"heads": [torn | {"labels": [{"name": "torn", "description": "both"}]}]})
    schema = make_labels_schema([taxonomy, other, taxonomy])
    one_of = {"type": "string", "enum": ["state-led", "market-led", "neutral"]}
    any_of = {"type": "array", "items": {"type": "string", "enum": ["torn"]}}
    assert schema["properties"]["stance"] == {"anyOf": [one_of, any_of, {"type": "null"}]}
    assert schema["anyOf"][0] == {"required": ["stance"], "properties": {"stance": {"anyOf": [one_of, any_of]}}}
    assert [option["required"] for option in schema["anyOf"]] == [["stance"], ["topics"]]
    assert schema["additionalProperties"] is False


async def test_every_method_that_a_path_names_is_in_the_document(app):
    async with open_client(app, base_url="http://localhost") as client:
        document = (await client.get("/openapi.json")).json()
        for path, operations in document["paths"].items():
            response = await client.request("TRACE", path.replace("{", "").replace("}", ""))
            assert response.status_code == 405, path
            allowed = {method.lower() for method in response.headers["allow"].split(", ")}
            assert allowed - {"head"} == set(operations), path
            assert ("head" in allowed) == ("get" in operations), path


async def test_real_answers_fit_the_document(client, classifier):
    model = make_prediction_model(classifier.taxonomy)
    response = await client.post("/v1/classify", json={"inputs": ["plan homemade", "market " * 50, ""]})
    first, second, failed = response.json()["predictions"]
    model.model_validate(first)
    model.model_validate(second)
    FailedItem.model_validate(failed)
    InfoResponse.model_validate_json((await client.get("/info")).content)


@pytest.mark.issue(4)
async def test_other_heads_with_awkward_names_are_served_and_documented(tmp_path):
    folder = build_tiny_model(tmp_path / "other", taxonomy=OTHER_TAXONOMY)
    async with open_client(create_app(ServeSettings(model=str(folder), num_threads=1))) as client:
        document = (await client.get("/openapi.json")).json()
        check_document(document)
        (prediction,) = (await client.post("/v1/classify", json={"inputs": "market"})).json()["predictions"]
    model = make_prediction_model(OTHER_TAXONOMY)
    model.model_validate(prediction)
    assert prediction["policy-area"]["label"] == "1st"
    told = json.dumps(document)
    assert [word for word in ("stance", "topics", "state-led", "balance", "Whose hand") if word in told] == []
    assert "policy-area (one of 1st, 2nd, model_config)" in document["info"]["description"]
    for path, key in (("setup", "schema"), ("predict", "label_config")):
        body = document["paths"][f"/label-studio/{path}"]["post"]["requestBody"]["content"]["application/json"]
        controls = read_controls(body["example"][key], OTHER_TAXONOMY)
        assert [control.name for control in controls] == ["json", "policy-area"]


def test_schema_of_predictions_refuses_what_is_not_one(taxonomy):
    model = make_prediction_model(taxonomy)
    example = make_example_prediction(taxonomy)
    model.model_validate(example)
    assert set(example["stance"]["scores"]) == set(taxonomy.heads[0].label_names)
    for broken in (
        example | {"extra": 1},
        {name: value for name, value in example.items() if name != "topics"},
        example | {"stance": example["stance"] | {"label": "sideways"}},
        example | {"topics": {"labels": ["sideways"], "scores": example["topics"]["scores"]}},
        example | {"topics": {"labels": [], "scores": {}}},
    ):
        with pytest.raises(ValidationError):
            model.model_validate(broken)


@pytest.mark.issue(4)
async def test_document_is_made_once_off_the_event_loop_and_anew_for_another_model(classifier):
    threads, asked = [], []

    def build(classifiers):
        threads.append(threading.get_ident())
        if len(threads) == 1:
            raise NotReadyError("not yet")
        return {"models": [*classifiers]}

    document = OpenapiDocument(build, lambda: {f"tiny-{len(asked)}": classifier})
    with pytest.raises(NotReadyError):
        await document.answer(None)
    leaver = asyncio.create_task(document.answer(None))
    await asyncio.sleep(0)
    leaver.cancel()
    answers = await asyncio.gather(document.answer(None), document.answer(None))
    assert [answer.body for answer in answers] == [b'{"models":["tiny-0"]}'] * 2
    asked.append(1)
    assert (await document.answer(None)).body == answers[0].body
    document.forget()
    assert (await document.answer(None)).body == b'{"models":["tiny-1"]}'
    assert len(threads) == 3
    assert threading.get_ident() not in threads
