import json
import tracemalloc

import pytest
from fastapi.exceptions import RequestValidationError

from serving.corrections.schemas import CorrectionRequest
from serving.document_schemas import DocumentRequest
from serving.failures import STATUS_BY_ERROR, describe_validation, find_status
from serving.ndjson import read_row
from serving.protocols.inference_v2 import InferRequest
from serving.protocols.label_studio import PredictRequest
from serving.protocols.lists import ListRequest
from serving.schemas import ClassifyRequest, parse_as
from serving.strict_json import read_json
from tests.serving.support import JSON
from twohands import errors

pytestmark = pytest.mark.anyio

SECRET = "quartermaster"


def body(**fields):
    return json.dumps(fields).encode()


BROKEN = {
    "empty body": (b"", 400, "invalid_json"),
    "cut short": (b'{"inputs": "quartermaster', 400, "invalid_json"),
    "not json": (b"quartermaster", 400, "invalid_json"),
    "two values": (b'{"inputs": "plan"} {}', 400, "invalid_json"),
    "nan": (b'{"inputs": ["plan", NaN]}', 400, "invalid_json"),
    "infinity": (b'{"inputs": "plan", "thresholds": {"sanctions": Infinity}}', 400, "invalid_json"),
    "huge float": (b'{"inputs": "plan", "thresholds": {"sanctions": 1e999}}', 422, "invalid_request"),
    "long integer": (b'{"inputs": ' + b"9" * 3000 + b"}", 422, "invalid_request"),
    "lone surrogate": (rb'{"inputs": "plan", "model": "quartermaster \ud800 plan"}', 400, "invalid_json"),
    "lone surrogate in a name": (rb'{"inputs": "plan", "quartermaster \ud800": 1}', 400, "invalid_json"),
    "lone surrogate in a list within": (rb'{"inputs": [["quartermaster \ud800"]]}', 400, "invalid_json"),
    "lone surrogate alone": (rb'"quartermaster \ud800"', 400, "invalid_json"),
    "lone surrogate and nan": (rb'{"inputs": ["quartermaster \ud800", NaN]}', 400, "invalid_json"),
    "lone surrogate and invalid utf-8": (b'{"inputs": ["quartermaster \\ud800", "\xff"]}', 400, "invalid_json"),
    "lone surrogate and deep nesting": (
        rb'{"inputs": ["\ud800"], "a": ' + b"[" * 1900 + b"]" * 1900 + b"}",
        400,
        "invalid_json",
    ),
    "lone surrogate and an unknown field": (rb'{"inputs": ["\ud800"], "explains": 1}', 422, "invalid_request"),
    "single text with a lone surrogate": (rb'{"inputs": "quartermaster \ud800"}', 422, "input_not_a_string"),
    "invalid utf-8": (b'{"inputs": "quartermaster \xff\xfe"}', 400, "invalid_json"),
    "utf-16": ('{"inputs": "plan"}'.encode("utf-16"), 400, "invalid_json"),
    "raw control character": (b'{"inputs": "plan \x01"}', 400, "invalid_json"),
    "deep nesting": (b"[" * 3900, 400, "invalid_json"),
    "deep nesting of inputs": (b'{"inputs": ' + b"[" * 1900 + b"]" * 1900 + b"}", 400, "invalid_json"),
    "a list": (b'["quartermaster"]', 422, "invalid_request"),
    "null": (b"null", 422, "invalid_request"),
    "no inputs": (b"{}", 422, "invalid_request"),
    "inputs null": (body(inputs=None), 422, "invalid_request"),
    "inputs number": (body(inputs=3), 422, "invalid_request"),
    "inputs object": (body(inputs={SECRET: SECRET}), 422, "invalid_request"),
    "inputs empty list": (body(inputs=[]), 422, "invalid_request"),
    "too many inputs": (body(inputs=["plan"] * 9), 422, "too_many_inputs"),
    "unknown field": (body(inputs="plan", explains=True), 422, "invalid_request"),
    "explain of another type": (body(inputs="plan", explain="yes"), 422, "invalid_request"),
    "thresholds of another type": (body(inputs="plan", thresholds=[SECRET]), 422, "invalid_request"),
    "threshold out of range": (body(inputs="plan", thresholds={"sanctions": 1.01}), 422, "invalid_request"),
    "threshold of another type": (body(inputs="plan", thresholds={"sanctions": SECRET}), 422, "invalid_request"),
    "threshold true": (body(inputs="plan", thresholds={"sanctions": True}), 422, "invalid_request"),
    "threshold of no label": (body(inputs="plan", thresholds={"tariffs": 0.5}), 422, "invalid_threshold"),
    "threshold of a one-of label": (body(inputs="plan", thresholds={"neutral": 0.5}), 422, "invalid_threshold"),
    "threshold with a wild name": (body(inputs="plan", thresholds={f"{SECRET} \n": 0.5}), 422, "invalid_request"),
    "single empty text": (body(inputs=""), 422, "empty_paragraph"),
    "single blank text": (body(inputs=" \n "), 422, "empty_paragraph"),
    "single text of control characters": (body(inputs="\u0000\u0007\u200b"), 422, "empty_paragraph"),
    "single text too long": (body(inputs=SECRET * 50), 422, "paragraph_too_long"),
}


@pytest.mark.parametrize(("content", "status", "code"), BROKEN.values(), ids=BROKEN.keys())
async def test_broken_request_gets_a_clear_answer_and_no_echo(client, content, status, code):
    response = await client.post("/v1/classify", content=content, headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    failure = response.json()["error"]
    assert set(failure) == {"code", "message", "request_id"}
    assert failure["message"]
    assert failure["request_id"] == response.headers["x-request-id"]
    assert SECRET not in response.text
    # The service is none the worse for it.
    assert (await client.post("/v1/classify", json={"inputs": "plan"})).status_code == 200


HALVES = [rb"\ud83d", rb"\ud83d.", rb"\ud83d\n", rb"\ud83d\ud83d", rb"\ude00"]


@pytest.mark.issue(4)
@pytest.mark.parametrize("half", HALVES)
async def test_a_text_cut_amid_an_emoji_is_told_of_and_costs_no_other(client, half):
    told = "half of a surrogate pair such as \\ud83d stands at character 5, as where a text was cut amid an emoji"
    whole = rb'"market \ud83d\ude00", ""'
    content = b'{"inputs": [' + whole + b', "plan ' + half + b'", "weather"], "explain": true}'
    response = await client.post("/v1/classify", content=content, headers=JSON)
    market, empty, faulty, weather = response.json()["predictions"]
    assert faulty == {"error": {"code": "input_not_a_string", "message": told}}
    assert (market["stance"]["label"], weather["stance"]["label"]) == ("market-led", "neutral")
    assert empty["error"]["code"] == "empty_paragraph"
    response = await client.post("/v1/classify", content=b'{"inputs": "plan ' + half + b'"}', headers=JSON)
    assert (response.status_code, response.json()["error"]["message"]) == (422, told)
    row = {"content-type": "application/x-ndjson"}
    rows = (
        b'"plan ' + half + b'"\n{"id": "a", "text": "plan ' + half + b'"}\n{"text": "plan", "title": "' + half + b'"}\n'
    )
    rows += b'{"id": "' + half + b'", "text": "plan"}'
    response = await client.post("/v1/classify/stream", content=rows, headers=row)
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [answer["id"] for answer in answers] == [1, "a", 3, 4]
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        "invalid_row",
        "invalid_row",
        None,
        "invalid_row",
    ]
    assert answers[0]["error"]["message"] == answers[1]["error"]["message"] == told
    assert answers[3]["error"]["message"].startswith("the line is not valid JSON: id: half of a surrogate pair")
    response = await client.post("/v1/classify", content=rb'{"inputs": "plan \u12"}', headers=JSON)
    assert "surrogate" not in response.json()["error"]["message"]


@pytest.mark.issue(4)
async def test_a_task_cut_amid_an_emoji_costs_no_other(client):
    config = (
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="state-led"/></Choices></View>'
    )
    tasks = rb'[{"data": {"t": "plan \ud83d"}}, {"data": {"t": "plan", "u": "\ud83d"}, "meta": "\ud83d"}]'
    content = b'{"tasks": ' + tasks + b', "label_config": ' + json.dumps(config).encode() + b"}"
    response = await client.post("/label-studio/predict", content=content, headers=JSON)
    first, second = response.json()["results"]
    assert (first["result"], first["error"]["code"]) == ([], "input_not_a_string")
    assert second["result"][0]["value"] == {"choices": ["state-led"]}
    content = rb'{"tasks": [], "label_config": "\ud83d"}'
    response = await client.post("/label-studio/predict", content=content, headers=JSON)
    assert response.json()["error"].startswith("the body is not valid JSON: label_config: half of a surrogate pair")


@pytest.mark.issue(4)
@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    ("path", "before", "after", "place"),
    [
        ("/predict", b'{"inputs": ["plan", "', b'"]}', "inputs.1"),
        ("/predict", b'{"inputs": [["plan"], ["', b'"]]}', "inputs.1.0"),
        ("/", b'{"parameters": {}, "inputs": "', b'"}', "inputs"),
        (
            "/v2/models/tiny/infer",
            b'{"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["plan", "',
            b'"]}]}',
            "inputs.0.data.1",
        ),
        ("/v1/documents", b'{"text": "', b'"}', "text"),
        ("/v1/classify", b'{"inputs": "plan", "model": "', b'"}', "model"),
        ("/v1/classify", b'{"inputs": "plan", "thresholds": {" ": "', b'"}}', "thresholds.(unprintable name)"),
    ],
)
async def test_where_a_half_fails_the_request_its_place_is_named(client, half, path, before, after, place):
    response = await client.post(path, content=before + rb"plan \u4e2d " + half + after, headers=JSON)
    assert response.status_code == 400
    error = response.json()["error"]
    message = error if isinstance(error, str) else error["message"]
    assert message.startswith(
        f"the body is not valid JSON: {place}: half of a surrogate pair such as \\ud83d stands at "
    )
    assert "at character 7, as where a text was cut amid an emoji" in message


@pytest.mark.issue(5)
@pytest.mark.parametrize("many", [b"0,", b'"",', b"[],", b"[" * 100 + b"]" * 100 + b",", b'{"a":0},'])
@pytest.mark.parametrize("before", [b'[0,"', rb'["\ud83d","'])
def test_what_has_too_many_values_is_not_read_at_all(monkeypatch, before, many):
    """2 MB of them held the event loop for half a second, and 10 MB as a document for more than one."""
    monkeypatch.setattr("serving.strict_json.from_json", lambda *_, **__: pytest.fail("it was read"))
    content = before + rb"a, [b], \"{c}\", \\" + b'",' + many * (500_000 // len(many)) + b"0]"
    with pytest.raises(ValueError, match="more than 100000 values"):
        read_json(content, name="the body")


@pytest.mark.issue(5)
def test_a_text_with_as_many_commas_is_read():
    text = 'a, [b], "{c}", \\ and,' * 60_000
    sent = {"inputs": [text, "b"], "thresholds": {"c": 0.5}}
    for content in (json.dumps(sent).encode(), bytearray(json.dumps(sent).encode())):
        assert read_json(content, name="the body") == sent
    most = b"[" + b"0," * 99_998 + b" " * 100_000 + b"0]"
    assert len(read_json(most, name="the body")) == 99_999


@pytest.mark.issue(5)
async def test_a_body_of_too_many_values_is_refused_as_too_large(client):
    content = b'{"inputs": [' + b"[]," * 100_000 + b"[]]}"
    response = await client.post("/v1/documents", content=content, headers=JSON)  # its bodies may be larger
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
    for schema in (ClassifyRequest, ListRequest, InferRequest, PredictRequest, CorrectionRequest):
        with pytest.raises(errors.BodyTooLargeError, match="more than 100000 values"):
            parse_as(schema, content)
    assert isinstance(read_row(content, 1).text, errors.RowError)


@pytest.mark.issue(5)
def test_halves_are_mended_only_so_far():
    """A body of them alone took half a second of the event loop."""
    places = []

    def mend(place, fault):
        places.append(place)
        return fault

    read_json(b"[" + rb'"\ud83d",' * 4_999 + rb'"\ud83d"]', name="the body", mend=mend)
    assert len(places) == 5_000
    with pytest.raises(ValueError, match="stands in one of its texts, as where"):
        read_json(b"[" + rb'"\ud83d",' * 99_998 + rb'"\ud83d"]', name="the body", mend=mend)
    assert len(places) < 11_000


@pytest.mark.issue(4)
def test_lists_in_lists_beside_half_of_an_emoji_cost_no_more_than_their_bytes():
    def read(n_levels, n_lists):
        lists = b"[" * n_levels + b"[]," * n_lists + b"[]" + b"]" * n_levels
        return read_json(rb'["\ud83d",' + lists + b"]", name="the body", mend=lambda place, _: str(place))

    assert read(150, 3)[0] == "(0,)"
    tracemalloc.start()
    try:
        read(190, 20_000)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 10_000_000  # 60 kB; with the way to each list beside it, 40 MB
    with pytest.raises(ValueError, match="more than 200 levels"):
        read(900, 3)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (body(), "inputs"),
        (body(inputs="plan", explains=True), "explains"),
        (body(inputs="plan", explain=1), "explain"),
        (body(inputs="plan", thresholds={"sanctions": 7}), "thresholds.sanctions"),
        (body(inputs="plan", thresholds=7), "thresholds"),
    ],
)
async def test_message_names_the_field(client, content, field):
    response = await client.post("/v1/classify", content=content, headers=JSON)
    assert response.json()["error"]["message"].startswith(f"{field}: ")


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("item", "kind"),
    [(None, "null"), ({"text": "a"}, "an object"), (["a"], "a list"), (3, "a number"), (False, "true or false")],
)
async def test_faults_are_told_in_the_words_of_json(client, item, kind):
    (answer,) = (await client.post("/v1/classify", json={"inputs": [item]})).json()["predictions"]
    assert answer["error"] == {"code": "input_not_a_string", "message": f"found {kind}, expected a string of text"}
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [item]}
    response = await client.post("/v2/models/tiny/infer", json={"inputs": [tensor]})
    assert item == ["a"] or f"found {kind}, " in response.json()["error"]
    config = (
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="state-led"/></Choices></View>'
    )
    tasks = {"tasks": [{"data": {"t": item}}], "label_config": config}
    (result,) = (await client.post("/label-studio/predict", json=tasks)).json()["results"]
    assert item is None or f"found {kind}, " in result["error"]["message"]


@pytest.mark.issue(4)
async def test_an_unknown_field_is_told_beside_the_known_ones(client):
    response = await client.post("/v1/classify", json={"inputs": "plan", "explains": True})
    known = "explains: unknown field; known are inputs, explain, model, thresholds"
    assert response.json()["error"]["message"] == known
    response = await client.post("/label-studio/predict", json={"tasks": [7], "label_config": "<View/>"})
    assert response.json()["error"] == 'tasks.0: expected an object such as {"data": ...}'
    response = await client.post("/v1/classify", json={"inputs": "plan", "thresholds": []})
    assert response.json()["error"]["message"] == "thresholds: expected an object"


def read_faults(schema, content):
    with pytest.raises(RequestValidationError) as caught:
        parse_as(schema, json.dumps(content).encode())
    return caught.value.errors()


@pytest.mark.issue(4)
def test_a_body_of_many_faults_costs_no_more_than_those_that_are_told(monkeypatch):
    described = []
    describe = ClassifyRequest.model_json_schema
    monkeypatch.setattr(ClassifyRequest, "model_json_schema", lambda: described.append(None) or describe())
    message = describe_validation(read_faults(ClassifyRequest, {"inputs": "plan"} | {f"k{n}": 1 for n in range(1500)}))
    assert message.startswith("k0: unknown field; known are inputs, explain, model, thresholds; k1: unknown field; ")
    assert message.endswith("; and 1495 more")
    assert len(described) <= 5


HEAP = [1] * 3000
FIELDS = {f"k{n}": 2 for n in range(3000)}
TENSORS = [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["plan"]}]
HEAPS = {
    "fields": (ClassifyRequest, {"inputs": "plan"} | FIELDS, "body: 3000 faults, too many to name; known are inputs, "),
    "thresholds": (ClassifyRequest, {"inputs": "plan", "thresholds": FIELDS}, "body: 3000 faults, "),
    "parameters": (ListRequest, {"inputs": "plan", "parameters": FIELDS}, "body: 3000 faults, "),
    "inputs": (InferRequest, {"inputs": HEAP}, "inputs: List should have at most 16 items "),
    "outputs": (InferRequest, {"inputs": TENSORS, "outputs": HEAP}, "outputs: List should have at most 1024 items "),
    "tasks": (PredictRequest, {"tasks": HEAP, "label_config": "<View/>"}, "tasks: List should have at most 1000 "),
    "a document": (DocumentRequest, {"text": "plan"} | FIELDS, "body: 3000 faults, "),
    "a correction": (CorrectionRequest, {"text": "plan", "labels": {}} | FIELDS, "body: 3000 faults, "),
    "labels": (CorrectionRequest, {"text": "plan", "labels": {"topics": HEAP}}, "labels.topics"),
}


@pytest.mark.issue(4)
@pytest.mark.parametrize(("schema", "content", "words"), HEAPS.values(), ids=HEAPS.keys())
def test_a_heap_of_faults_is_counted_and_not_listed(schema, content, words):
    faults = read_faults(schema, content)
    assert len(faults) <= 2
    assert describe_validation(faults).startswith(words)


@pytest.mark.parametrize(
    "media_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json2", ""],
)
async def test_body_of_another_media_type_is_refused(client, media_type):
    headers = {} if media_type is None else {"content-type": media_type}
    response = await client.post("/v1/classify", content=body(inputs="plan"), headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
async def test_json_by_other_spellings_is_taken(client, media_type):
    response = await client.post("/v1/classify", content=body(inputs="plan"), headers={"content-type": media_type})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/nowhere", 404, "not_found"),
        ("GET", "/v1/classify/", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/v1/classify", 405, "method_not_allowed"),
        ("DELETE", "/info", 405, "method_not_allowed"),
    ],
)
async def test_wrong_path_or_method_has_the_same_shape(client, method, path, status, code):
    response = await client.request(method, path)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("kind", STATUS_BY_ERROR)
def test_every_error_of_the_table_has_a_status_that_fits(kind):
    assert 400 <= STATUS_BY_ERROR[kind] < 600


def test_status_is_found_by_the_nearest_parent():
    assert find_status(errors.EmptyParagraphError("")) == 422
    assert find_status(errors.ManifestError("", [])) == 500
    assert find_status(ValueError()) == 500
