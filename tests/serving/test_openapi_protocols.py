"""The protocols of other clients in the OpenAPI document: named, with bodies that hold and answers that fit."""

import re
import struct

import pytest
from pydantic import TypeAdapter

from serving.app import create_app
from serving.protocols import documented as told
from serving.settings import ServeSettings
from tests.serving.support import open_client

pytestmark = pytest.mark.anyio

ROUTES = {
    "/": {"get", "post"}, "/predict": {"post"}, "/invocations": {"post"}, "/health": {"get"}, "/ping": {"get"},
    "/models/{model}": {"post"}, "/models/{model}/{head}": {"post"},
    "/v2": {"get"}, "/v2/health/live": {"get"}, "/v2/health/ready": {"get"},
    "/v2/models/{model}": {"get"}, "/v2/models/{model}/ready": {"get"}, "/v2/models/{model}/infer": {"post"},
    "/v2/models/{model}/versions/{version}": {"get"}, "/v2/models/{model}/versions/{version}/ready": {"get"},
    "/v2/models/{model}/versions/{version}/infer": {"post"},
    "/label-studio": {"get"}, "/label-studio/health": {"get"},
    "/label-studio/versions": {"get"}, "/label-studio/setup": {"post"}, "/label-studio/predict": {"post"},
    "/label-studio/webhook": {"post"},
}  # fmt: skip
ANSWERS = {
    "/": told.RankedAnswer, "/predict": told.RankedAnswer, "/invocations": told.RankedAnswer,
    "/models/{model}": told.RankedAnswer, "/models/{model}/{head}": told.RankedAnswer,
    "/v2": told.ServerMetadata, "/v2/health/live": told.ServerLive, "/v2/health/ready": told.ServerReady,
    "/label-studio/versions": told.BackendVersions, "/label-studio/setup": told.BackendSetup,
    "/label-studio/predict": told.BackendAnswer, "/label-studio/webhook": told.WebhookAnswer,
}  # fmt: skip


def find_answer_model(path):
    if path in ANSWERS:
        return ANSWERS[path]
    if path.startswith("/label-studio"):
        return told.BackendHealth
    end = path.rsplit("/", 1)[1]
    return {"ready": told.ModelReady, "infer": told.InferAnswer}.get(end, told.ModelMetadata)


@pytest.fixture(scope="module")
async def document(tiny_model, classifier):
    """Asked for once: to write it takes the service half a second."""
    async with open_client(create_app(ServeSettings(model=str(tiny_model)), classifier)) as client:
        return (await client.get("/openapi.json")).json()


async def test_every_route_of_a_protocol_stands_in_the_document(document):
    found = {path: set(operations) for path, operations in document["paths"].items()}
    assert {path: found.get(path) for path in ROUTES} == ROUTES


@pytest.mark.parametrize("path", ROUTES)
async def test_the_example_of_a_route_is_answered_as_the_document_says(client, document, classifier, path):
    operations = document["paths"][path]  # what else is at "/" is the page
    operation = operations.get("post") or operations["get"]
    by_name = {parameter["name"]: parameter for parameter in operation.get("parameters", [])}
    url = path
    for name in ("model", "version", "head"):
        if f"{{{name}}}" in path:
            url = url.replace(f"{{{name}}}", by_name[name]["schema"]["enum"][0])
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        response = await client.post(url, json=example)
    else:
        response = await client.get(url)
    assert response.status_code == 200
    if path in {"/health", "/ping"}:
        assert response.content == b""
        return
    TypeAdapter(find_answer_model(path)).validate_json(response.content)
    assert classifier.sha256 == response.headers.get("x-model-sha256", classifier.sha256)


@pytest.mark.parametrize("path", [path for path, methods in ROUTES.items() if "post" in methods])
async def test_a_refusal_has_the_body_that_the_document_says(client, document, path):
    operation = document["paths"][path]["post"]
    url = path.format(model="tiny", version="1", head="topics")
    for content, media_type in ((b"{", "application/json"), (b"7", "application/json"), (b"{}", "text/plain")):
        response = await client.post(url, content=content, headers={"content-type": media_type})
        assert 400 <= response.status_code < 500
        schema = operation["responses"][str(response.status_code)]["content"]["application/json"]["schema"]["$ref"]
        getattr(told, schema.rsplit("/", 1)[1]).model_validate_json(response.content)


async def test_fields_that_a_protocol_refuses_are_not_offered(document):
    parameters = document["components"]["schemas"]["ListParameters"]["properties"]
    assert set(parameters) == {"function_to_apply", "top_k"}
    assert parameters["top_k"]["anyOf"][0] == {"type": "integer", "minimum": 1}


async def test_the_document_has_no_failure_that_is_never_answered(document):
    assert "HTTPValidationError" not in str(document)


async def test_a_path_of_several_methods_names_them_all(client):
    response = await client.request("PUT", "/")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, POST"
    assert (await client.request("PUT", "/v1/classify")).headers["allow"] == "POST"
    local = {"host": "localhost"}
    # Not DELETE and PATCH, though the path of one correction fits too.
    assert (await client.request("PUT", "/v1/corrections/export", headers=local)).headers["allow"] == "GET, HEAD"
    assert (await client.request("PUT", "/v1/corrections/7", headers=local)).headers[
        "allow"
    ] == "DELETE, GET, HEAD, PATCH"
    assert "GET" in (await client.request("PUT", "/openapi.json")).headers["allow"]


async def test_what_the_document_calls_a_text_is_one(client, document):
    pattern = document["components"]["schemas"]["ListRequest"]["properties"]["inputs"]["anyOf"][0]["pattern"]
    for text in ("plan", "\u4e2d", "!", "\u0439", "\xbf", " a "):
        assert re.search(pattern, text)
        assert (await client.post("/predict", json={"inputs": text})).status_code == 200
    for text in ("\u0001", " \n", "\ue000", "\U0010238e", "\u200b", "\xad", "\ufffe", "\u0378"):
        assert not re.search(pattern, text)
        assert (await client.post("/predict", json={"inputs": text})).status_code == 400


async def test_a_number_without_a_fraction_is_whole_as_json_schema_has_it(client):
    wanted = {"inputs": "plan", "parameters": {"top_k": 2.0}}
    assert len((await client.post("/", json=wanted)).json()[0]) == 2
    tensor = {"name": "text", "shape": [1.0], "datatype": "BYTES", "data": ["plan"]}
    assert (await client.post("/v2/models/tiny/infer", json={"inputs": [tensor]})).status_code == 200
    for wrong in (2.5, "2", True):
        assert (await client.post("/", json={"inputs": "plan", "parameters": {"top_k": wrong}})).status_code == 422


def find_enums(schema):
    if isinstance(schema, dict):
        yield from [schema["enum"]] if isinstance(schema.get("enum"), list) else []
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from find_enums(part)


async def test_no_enum_holds_two_words_that_a_generated_client_would_call_alike(client, document):
    enums = list(find_enums(document))
    assert ["right", "left"] in enums
    assert [names for names in enums if len({str(name).upper() for name in names}) < len(names)] == []
    for direction in ("Right", "right", "Left", "left"):
        wanted = {"inputs": "plan", "truncation_direction": direction}
        assert (await client.post("/predict", json=wanted)).status_code == 200
    assert (await client.post("/predict", json={"inputs": "plan", "truncation_direction": "RIGHT"})).status_code == 422


async def test_a_generated_client_that_takes_the_first_form_that_fits_loses_no_key(document):
    forms = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
    nested = [form["items"]["items"]["$ref"] for form in forms if "items" in form["items"]]
    schemas = document["components"]["schemas"]
    required = [set(schemas[name.rsplit("/", 1)[1]]["required"]) for name in nested]
    assert required[0] > required[1]  # the one with fewer keys would fit both


async def test_the_length_header_needs_no_place_in_the_document_to_be_read(client):
    blob = struct.pack("<I", 4) + b"plan"
    described = b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":8}}]}'
    headers = {"inference-header-content-length": str(len(described))}
    assert (await client.post("/v2/models/tiny/infer", content=described + blob, headers=headers)).status_code == 200


async def test_lines_may_be_sent_as_plain_bytes(client):
    headers = {"content-type": "application/octet-stream"}
    response = await client.post("/v1/classify/stream", content=b'"plan"\n\xff\n', headers=headers)
    assert response.status_code == 200
    assert len(response.content.splitlines()) == 2
