"""Throws broken requests at every protocol: none may be answered with 5xx, hang, or take the service down."""

import copy
import json
import random
import struct

import pytest

pytestmark = pytest.mark.anyio

CONFIG = """<View><Text name="text" value="$text"/>
<Choices name="stance" toName="text"><Choice value="neutral"/></Choices></View>"""
LIST = {"inputs": ["plan", ["market"]], "parameters": {"top_k": 2, "function_to_apply": "none"}, "truncate": True}
SOUND = {
    "/": LIST,
    "/predict": {"inputs": [["plan"], ["market"]], "truncation_direction": "Left", "raw_scores": True},
    "/models/tiny": LIST,
    "/models/tiny/topics": LIST,
    "/v2/models/tiny/infer": {
        "id": "1",
        "parameters": {"binary_data_output": True},
        "inputs": [{"name": "text", "shape": [2, 1], "datatype": "BYTES", "data": [["plan"], ["market"]]}],
        "outputs": [{"name": "label", "parameters": {"binary_data": False}}, {"name": "probs"}],
    },
    "/label-studio/predict": {"tasks": [{"id": 1, "data": {"text": "plan"}}], "label_config": CONFIG},
    "/label-studio/setup": {"project": "1", "schema": CONFIG},
    "/label-studio/webhook": {"action": "ANNOTATION_CREATED"},
}
WILD = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, 1e308, "", " ", "plan", "\x00", "中国" * 9, "$text", [],
    [[]], [[[]]], {}, {"a": {}}, [None], [1.5], ["plan"] * 9, {"text": None}, "<View/>", "\ud800", "x" * 600,
]  # fmt: skip


def list_places(node, path=()):
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from list_places(value, (*path, key))


def mutate(node, chance):
    """Replace, drop or add one thing somewhere."""
    node = copy.deepcopy(node)
    path = chance.choice(list(list_places(node)))
    wild = chance.choice(WILD)
    if not path:
        return wild
    parent = node
    for key in path[:-1]:
        parent = parent[key]
    action = chance.randrange(4)
    if action == 0:
        del parent[path[-1]]
    elif action == 1 and isinstance(parent, dict):
        parent[chance.choice(["x", "parameters", "data", "binary_data_size", "candidate_labels", "alias"])] = wild
    else:
        parent[path[-1]] = wild
    return node


@pytest.mark.parametrize("path", SOUND)
async def test_sound_request_is_one(client, path):
    assert (await client.post(path, json=SOUND[path])).status_code == 200


async def _throw(client, path, n_requests, seed):
    chance = random.Random(seed)
    for number in range(n_requests):
        wanted = SOUND[path]
        for _ in range(chance.randint(1, 3)):
            wanted = mutate(wanted, chance) if isinstance(wanted, dict | list) else wanted
        content = json.dumps(wanted).encode()
        if chance.random() < 0.1:
            at = chance.randrange(len(content) + 1)
            content = content[:at] + bytes([chance.randrange(256)]) + content[at:]
        response = await client.post(path, content=content, headers={"content-type": "application/json"})
        assert response.status_code < 500, (number, content)
        if response.status_code >= 400:
            assert isinstance(response.json()["error"], str), (number, content)
    assert (await client.post(path, json=SOUND[path])).status_code == 200


@pytest.mark.parametrize("path", SOUND)
async def test_broken_json_is_never_a_fault_of_ours(client, path):
    await _throw(client, path, 60, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("path", SOUND)
@pytest.mark.parametrize("seed", range(2, 6))
async def test_much_broken_json_is_never_a_fault_of_ours(client, path, seed):
    await _throw(client, path, 500, seed=seed)


async def test_broken_bytes_are_never_a_fault_of_ours(client):
    chance = random.Random(1)
    blob = struct.pack("<I", 4) + b"plan" + struct.pack("<I", 6) + "中国".encode()
    for _ in range(150):
        torn = bytearray(blob)
        for _ in range(chance.randint(0, 3)):
            torn[chance.randrange(len(torn))] = chance.randrange(256)
        torn = torn[: chance.randint(0, len(torn))] if chance.random() < 0.3 else torn
        tensor = {"name": "text", "shape": [chance.choice([0, 1, 2])], "datatype": "BYTES"}
        tensor["parameters"] = {"binary_data_size": chance.choice([len(torn), len(torn) - 1, 0, 2**40, -1])}
        content = json.dumps({"inputs": [tensor]}).encode()
        length = str(chance.choice([len(content), len(content), 0, len(content) - 1, 10**30]))
        headers = {"inference-header-content-length": length}
        response = await client.post("/v2/models/tiny/infer", content=content + bytes(torn), headers=headers)
        assert response.status_code < 500, bytes(torn)
