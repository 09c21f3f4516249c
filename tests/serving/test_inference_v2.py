import json
import struct

import numpy as np
import pytest

from serving.app import create_app
from serving.protocols.tensors import TensorOut
from serving.settings import ServeSettings
from tests.serving.running import run_server
from tests.serving.support import open_client

pytestmark = pytest.mark.anyio
URL = "/v2/models/tiny/infer"
TEXTS = ["the plan", "market 中国", "embargo subsidy"]


def make_input(texts, **more):
    return {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts} | more


def pack(texts):
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def outputs_of(response):
    return {output["name"]: output for output in response.json()["outputs"]}


@pytest.fixture(scope="module")
def triton(tiny_model, classifier):
    http = pytest.importorskip("tritonclient.http", reason="pip install twohands[clients]")
    settings = ServeSettings(model=str(tiny_model), max_inputs=8, max_pending=8, limit_chars=500)
    with run_server(settings, classifier) as url, http.InferenceServerClient(url.removeprefix("http://")) as client:
        client.module = http
        yield client


def make_triton_input(client, texts, *, binary):
    tensor = client.module.InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array(texts, dtype=np.object_), binary_data=binary)
    return tensor


def test_triton_client_sees_server_and_model(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("tiny")
    assert triton.is_model_ready("tiny", "0.0.1")
    assert not triton.is_model_ready("none")
    assert not triton.is_model_ready("tiny", "2")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = triton.get_model_metadata("tiny")
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    outputs = {output["name"]: output for output in metadata["outputs"]}
    assert outputs["label"] == {"name": "label", "datatype": "BYTES", "shape": [-1]}
    assert outputs["probs"]["shape"] == [-1, 3]
    assert outputs["probs"]["parameters"] == {"labels": "state-led|market-led|neutral"}
    assert outputs["topics.probs"]["shape"] == [-1, 4]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_triton_client_infers_by_json_and_by_bytes(triton, classifier, binary_in, binary_out):
    names = ["label", "probs", "topics.label", "stance.abstained", "n_tokens", "truncated"]
    outputs = None  # then the client asks for all of them as bytes
    if binary_out is not None:
        outputs = [triton.module.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    inputs = [make_triton_input(triton, TEXTS, binary=binary_in)]
    result = triton.infer("tiny", inputs, outputs=outputs, request_id="42", model_version="0.0.1")
    predictions = classifier.classify(TEXTS)
    read = {name: result.as_numpy(name) for name in names}

    def texts(name):  # bytes from bytes, text from JSON
        return [value.decode() if isinstance(value, bytes) else value for value in read[name].tolist()]

    assert texts("label") == [each.stance.label for each in predictions]
    assert texts("topics.label") == ["|".join(each.topics.labels) for each in predictions]
    assert texts("topics.label")[2] == "sanctions|industrial-policy"
    assert read["probs"].dtype == np.float32
    assert read["probs"] == pytest.approx(
        np.array([list(each.stance.scores.values()) for each in predictions]), abs=1e-6
    )
    assert read["stance.abstained"].tolist() == [each.stance.abstained for each in predictions]
    assert read["n_tokens"].tolist() == [each.n_tokens for each in predictions]
    assert read["truncated"].tolist() == [False] * 3
    response = result.get_response()
    assert (response["id"], response["model_name"], response["model_version"]) == ("42", "tiny", "0.0.1")


def test_triton_client_shows_our_words(triton):
    from tritonclient.utils import InferenceServerException

    for texts, model, status, words in (
        (["plan", " "], "tiny", "400", "element 1"),
        (["plan"], "none", "404", "model"),
        (["plan"] * 9, "tiny", "400", "at most 8"),
    ):
        with pytest.raises(InferenceServerException, match=words) as failure:
            triton.infer(model, [make_triton_input(triton, texts, binary=True)])
        assert failure.value.status() == status
    with pytest.raises(InferenceServerException, match="classification not supported"):
        triton.infer(
            "tiny",
            [make_triton_input(triton, ["plan"], binary=True)],
            outputs=[triton.module.InferRequestedOutput("probs", class_count=2)],
        )


# As `InferRequest.to_rest()` of KServe 0.17 has it: always an id and the model's name, the rest only where it is given.
KSERVE = {"id": "0a1b", "model_name": "tiny", "inputs": [make_input(["plan", "market"])]}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"parameters": {"content_type": "str"}, "outputs": [{"name": "label", "parameters": {"binary_data": False}}]},
        {"inputs": [make_input(["plan", "market"], parameters={"content_type": "str"})]},
        # Clients that write all their fields down, and gateways that turn gRPC into REST.
        {"model_version": "0.0.1", "parameters": {}},
        {
            "model_version": None, "parameters": None, "outputs": None,
            "inputs": [make_input(["plan", "market"], parameters=None)],
        },
        {"model_name": "", "model_version": "", "outputs": [{"name": "label", "parameters": None}]},
        {"inputs": [make_input(["plan", "market"], parameters={"content_type": None, "headers": None})]},
        {"parameters": {"binary_data_output": None, "content_type": None, "sequence_id": None}},
        {"outputs": [{"name": "label", "parameters": {"binary_data": None, "classification": None, "headers": None}}]},
    ],
)  # fmt: skip
async def test_bodies_of_kserves_client_are_answered(client, more):
    response = await client.post(URL, content=json.dumps(KSERVE | more))  # it names no media type
    assert response.status_code == 200, response.text
    assert response.json()["id"] == "0a1b"
    assert outputs_of(response)["label"]["data"] == ["state-led", "market-led"]


@pytest.mark.parametrize(
    "media_type",
    [
        "application/octet-stream",
        pytest.param("Application/Octet-Stream", marks=pytest.mark.issue(7)),
        pytest.param("application/octet-stream; charset=binary", marks=pytest.mark.issue(7)),
    ],
)
async def test_bytes_of_kserves_client_are_answered(client, media_type):
    tensor = {name: fact for name, fact in make_input(["plan"]).items() if name != "data"}
    blob = pack(["plan"])
    content = json.dumps(KSERVE | {"inputs": [tensor | {"parameters": {"binary_data_size": len(blob)}}]}).encode()
    headers = {"inference-header-content-length": str(len(content)), "content-type": media_type}
    response = await client.post(URL, content=content + blob, headers=headers)
    assert outputs_of(response)["label"]["data"] == ["state-led"]


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"model_name": "other"}, 400, "model_name: the path names another model"),
        ({"model_version": "2"}, 404, "served in version 0.0.1 only"),
        ({"model": "tiny"}, 400, "model: unknown field"),
    ],
)
async def test_a_body_that_names_another_model_than_its_path_is_refused(client, more, status, words):
    response = await client.post(URL, json=KSERVE | more)
    assert response.status_code == status
    assert words in response.json()["error"]


async def test_json_as_kserve_writes_it(client, classifier):
    wanted = {"id": "7", "inputs": [make_input(TEXTS)], "outputs": [{"name": "label"}, {"name": "topics.probs"}]}
    response = await client.post("/v2/models/tiny/versions/0.0.1/infer", json=wanted)
    assert response.status_code == 200
    answer = response.json()
    assert {name: answer[name] for name in ("id", "model_name", "model_version")} == {
        "id": "7", "model_name": "tiny", "model_version": "0.0.1"
    }  # fmt: skip
    label, probs = answer["outputs"]
    predictions = classifier.classify(TEXTS)
    assert label == {
        "name": "label", "datatype": "BYTES", "shape": [3], "data": [each.stance.label for each in predictions]
    }  # fmt: skip
    assert probs["shape"] == [3, 4]
    assert probs["data"] == [score for each in predictions for score in each.topics.scores.values()]
    response = await client.post(URL, json={"inputs": [make_input(["plan"])]})
    assert "id" not in response.json()
    assert set(outputs_of(response)) == {
        "label", "probs", "stance.label", "stance.probs", "stance.abstained", "topics.label", "topics.probs",
        "n_tokens", "truncated",
    }  # fmt: skip


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([3, 1], [["a"], ["b", "c"]]), ([3], [["a"], ["b", "c"]]), ([2], ["a", ["b"]]), ([1], [["a"]]),
        ([2, 1], [["a", "b"]]), ([1, 2], [["a"], ["b"]]), ([2, 1, 1], [["a"], ["b"]]), ([0, 2], [[]]),
    ],
)  # fmt: skip
async def test_nested_data_must_nest_as_the_shape_says(client, shape, data):
    response = await client.post(URL, json={"inputs": [make_input(data, shape=shape)]})
    assert response.status_code == 400
    assert "nest otherwise than its shape says" in response.json()["error"]


@pytest.mark.parametrize(
    ("shape", "data"), [([2, 1], [["plan"], ["market"]]), ([1, 2], [["plan", "market"]]), ([2, 1], ["plan", "market"])]
)
async def test_nested_and_flat_data_are_read_row_by_row(client, shape, data):
    response = await client.post(URL, json={"inputs": [make_input(data, shape=shape)]})
    assert outputs_of(response)["label"]["data"] == ["state-led", "market-led"]


async def test_bytes_made_by_hand(client):
    texts = ["plan", "市场 market"]
    content = json.dumps(
        {
            "inputs": [
                {
                    "name": "text",
                    "shape": [2],
                    "datatype": "BYTES",
                    "parameters": {"binary_data_size": len(pack(texts))},
                }
            ],
            "outputs": [{"name": "probs", "parameters": {"binary_data": True}}, {"name": "label"}],
        }
    ).encode()
    headers = {"inference-header-content-length": str(len(content))}
    response = await client.post(URL, content=content + pack(texts), headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/octet-stream"
    n_json = int(response.headers["inference-header-content-length"])
    probs, label = json.loads(response.content[:n_json])["outputs"]
    blob = response.content[n_json:]
    assert len(blob) == probs["parameters"]["binary_data_size"] == 2 * 3 * 4
    assert "data" not in probs
    assert label["data"] == ["state-led", "market-led"]
    assert np.frombuffer(blob, "<f4").reshape(2, 3).argmax(axis=1).tolist() == [0, 1]


def binary_request(blob, *, declared=None, shape=(1,), length=None, **more):
    size = len(blob) if declared is None else declared
    tensor = {
        "name": "text",
        "shape": list(shape),
        "datatype": "BYTES",
        "parameters": {"binary_data_size": size},
    } | more
    content = json.dumps({"inputs": [tensor]}).encode()
    return content + blob, {"inference-header-content-length": str(len(content) if length is None else length)}


BROKEN_BYTES = {
    "length cut": binary_request(b"\x01\x00"),
    "element cut": binary_request(struct.pack("<I", 9) + b"plan"),
    "huge length": binary_request(struct.pack("<I", 2**32 - 1) + b"plan"),
    "not UTF-8": binary_request(struct.pack("<I", 1) + b"\xff"),
    "declared too few": binary_request(pack(["plan"]), declared=3),
    "declared true": binary_request(b"\x00", declared=True),
    "declared text": binary_request(pack(["plan"]), declared="8"),
    "shape differs": binary_request(pack(["plan"]), shape=(2,)),
    "none at all": binary_request(b"", shape=(0,)),
    "twice": binary_request(pack(["plan"]), data=["plan"]),
    "header beyond the body": binary_request(pack(["plan"]), length=10_000),
    "header no number": binary_request(pack(["plan"]), length="-1"),
    "header of another script": (b"{}", {"inference-header-content-length": "٣".encode()}),
}


@pytest.mark.parametrize(("content", "headers"), BROKEN_BYTES.values(), ids=BROKEN_BYTES.keys())
async def test_broken_bytes_are_refused(client, content, headers):
    response = await client.post(URL, content=content, headers=headers)
    assert response.status_code == 400
    assert set(response.json()) == {"error"}


BROKEN = {
    "no inputs": {"inputs": []},
    "nothing": {},
    "not an object": [],
    "other input": {"inputs": [make_input(["plan"], name="texts")]},
    "two inputs": {"inputs": [make_input(["plan"])] * 2},
    "other datatype": {"inputs": [make_input([1.0], datatype="FP32")]},
    "shape differs": {"inputs": [make_input(["plan"], shape=[2])]},
    "shape negative": {"inputs": [make_input(["plan"], shape=[-1, -1])]},
    "shape of none": {"inputs": [make_input(["plan"], shape=[])]},
    "nested too deep": {"inputs": [make_input([[["plan"]]])]},
    "no data": {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES"}]},
    "not a text": {"inputs": [make_input([7])]},
    "empty text": {"inputs": [make_input([""])]},
    "one output twice": {"inputs": [make_input(["plan"])], "outputs": [{"name": "label"}, {"name": "label"}]},
    "unknown output": {"inputs": [make_input(["plan"])], "outputs": [{"name": "none"}]},
    "shared memory in": {"inputs": [make_input(["plan"], parameters={"shared_memory_region": "x"})]},
    "shared memory out": {
        "inputs": [make_input(["plan"])], "outputs": [{"name": "label", "parameters": {"shared_memory_region": "x"}}]
    },
    "parameter of an input": {"inputs": [make_input(["plan"], parameters={"encoding": "base64"})]},
    "content type of no text": {"inputs": [make_input(["plan"], parameters={"content_type": ["str"]})]},
    "sequence": {"inputs": [make_input(["plan"])], "parameters": {"sequence_id": 1}},
    "all outputs binary or not": {"inputs": [make_input(["plan"])], "parameters": {"binary_data_output": "true"}},
    "binary of no truth": {
        "inputs": [make_input(["plan"])], "outputs": [{"name": "label", "parameters": {"binary_data": 1}}]
    },
}  # fmt: skip


@pytest.mark.parametrize("wanted", BROKEN.values(), ids=BROKEN.keys())
async def test_broken_requests_are_refused_in_the_protocols_shape(client, wanted):
    response = await client.post(URL, json=wanted)
    assert response.status_code == 400
    assert set(response.json()) == {"error"}
    assert response.json()["error"]


@pytest.mark.issue(4)
@pytest.mark.parametrize("at", ["request", "input"])
async def test_a_text_that_is_said_to_be_something_else_is_not_taken_for_the_text_itself(client, at):
    parameters = {"content_type": "base64"}
    wanted = {"inputs": [make_input(["cGxhbg=="], **({"parameters": parameters} if at == "input" else {}))]}
    response = await client.post(URL, json=wanted | ({"parameters": parameters} if at == "request" else {}))
    assert response.status_code == 400
    assert "content_type" in response.json()["error"]


async def test_bodies_of_forms_and_compressed_ones_are_refused(client):
    content = json.dumps({"inputs": [make_input(["plan"])]})
    assert (await client.post(URL, content=content)).status_code == 200  # Triton's client names no type
    assert (await client.post(URL, content=content, headers={"content-type": "text/plain"})).status_code == 415
    assert (await client.post(URL, content=content, headers={"content-encoding": "gzip"})).status_code == 415


async def test_ready_and_unknown_paths(app):
    async with open_client(app, lifespan=False) as client:
        assert (await client.get("/v2/health/live")).json() == {"live": True}
        for path in ("/v2/health/ready", "/v2/models/tiny/ready"):
            response = await client.get(path)
            assert (response.status_code, set(response.json())) == (503, {"error"})
    async with open_client(app) as client:
        assert (await client.get("/v2/health/ready")).json() == {"ready": True, "live": True}
        assert (await client.get("/v2/models/tiny/versions/0.0.1/ready")).json() == {"name": "tiny", "ready": True}
        for path in ("/v2/nowhere", "/v2/models/none", "/v2/models/tiny/versions/9"):
            response = await client.get(path)
            assert (response.status_code, set(response.json())) == (404, {"error"})


def test_texts_as_bytes_count_bytes_not_characters():
    tensor = TensorOut(name="label", datatype="BYTES", shape=[2], values=["中国", ""], parameters={})
    assert tensor.to_bytes() == struct.pack("<I", 6) + "中国".encode() + struct.pack("<I", 0)


async def test_model_without_a_one_of_head(tmp_path):
    from tests.serving.test_openapi import OTHER_TAXONOMY
    from tests.support.tiny import build_tiny_model

    folder = build_tiny_model(tmp_path / "other", taxonomy=OTHER_TAXONOMY)
    async with open_client(create_app(ServeSettings(model=str(folder), num_threads=1))) as client:
        response = await client.post("/v2/models/other/infer", json={"inputs": [make_input(["market"])]})
        assert outputs_of(response)["label"]["data"] == ["1st"]
        assert outputs_of(response)["json.label"]["data"] in ([""], ["copy"])
