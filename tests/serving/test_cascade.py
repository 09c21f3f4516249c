"""A cascade is served like any model: its second is warm, named, counted, and kept with what can be gone back to."""

import shutil

import pytest

from serving.app import create_app
from serving.archive import Archive
from serving.settings import ServeSettings
from tests.serving.support import open_client
from tests.serving.test_metrics import read_metrics, value
from tests.support.cascades import DOUBTED, SURE, build_tiny_cascade
from tests.support.tiny import build_tiny_model
from twohands import Classifier
from twohands.cascade import CascadeSession
from twohands.manifest import load_manifest

pytestmark = [pytest.mark.anyio, pytest.mark.issue(3)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_tiny_cascade(tmp_path_factory.mktemp("models") / "both")


@pytest.fixture
async def client(built):
    async with open_client(create_app(ServeSettings(model=str(built)))) as opened:
        yield opened


async def test_the_second_model_answers_where_the_first_doubts_and_is_counted(client):
    before = await read_metrics(client)
    assert value(before, "windows_asked_second_total", model="both") == 0, "there from the start, and not for warm-up"
    assert ("twohands_windows_asked_second_total", (("model", "both"),)) in before
    answer = (await client.post("/v1/classify", json={"inputs": [SURE, DOUBTED, "the of a the"]})).json()
    assert [each["stance"]["label"] for each in answer["predictions"]] == ["state-led", "market-led", "market-led"]
    after = await read_metrics(client)
    assert value(after, "windows_asked_second_total", model="both") == 2
    assert value(after, "windows_asked_first_total", model="both") == 3
    assert value(after, "windows_total", model="both") == 3
    await client.post("/v1/classify", json={"inputs": ["The the. Plan plan."], "explain": True})
    explained = await read_metrics(client)
    assert value(explained, "windows_total", model="both") == 4
    assert value(explained, "windows_asked_first_total", model="both") == 6, "the text, and twice without a sentence"
    assert value(explained, "windows_asked_second_total", model="both") == 3, "of these only what is left is doubted"


async def test_info_names_the_second_and_no_other_model_has_one(client, built, tiny_model):
    second, sha256 = load_manifest(built.parent / "second")
    expected = {"name": "second", "version": second.version, "sha256": sha256}
    assert (await client.get("/info")).json()["second"] == expected
    async with open_client(create_app(ServeSettings(model=str(tiny_model)))) as other:
        assert (await other.get("/info")).json()["second"] is None
        assert not any(name.startswith("twohands_windows_asked") for name, _ in await read_metrics(other))


async def test_the_second_is_warm_before_the_first_request(tmp_path, monkeypatch):
    asked = []
    ask = CascadeSession.ask_second
    monkeypatch.setattr(CascadeSession, "ask_second", lambda self, ids: asked.append(len(ids[0])) or ask(self, ids))
    never = build_tiny_cascade(tmp_path / "both", doubt=1.0)
    async with open_client(create_app(ServeSettings(model=str(never)))):
        assert asked == [16], "one run of its longest windows, though the first doubts nothing"


async def test_evidence_and_streams_come_from_both(client):
    body = {"inputs": ["The the. Of a."], "explain": True}
    (found,) = (await client.post("/v1/classify", json=body)).json()["predictions"]
    assert found["stance"]["label"] == "market-led", "which the second alone says"
    assert found["evidence"]["stance"]["sentence"] == "The the."
    assert found["evidence"]["stance"]["drop"] > 0.5, "of the scores of both"
    reloaded = await client.post("/admin/models/both/reload", headers={"host": "localhost"})
    assert reloaded.status_code == 200
    before = value(await read_metrics(client), "windows_asked_second_total", model="both")
    await client.post("/v1/classify", json={"inputs": [DOUBTED]})
    assert value(await read_metrics(client), "windows_asked_second_total", model="both") == before + 1


@pytest.mark.parametrize("fault", ["altered", "gone"])
async def test_a_reload_sees_a_second_that_is_no_longer_whole(tmp_path, fault):
    folder = build_tiny_cascade(tmp_path / "both")
    async with open_client(create_app(ServeSettings(model=str(folder)))) as client:
        reload = {"url": "/admin/models/both/reload", "headers": {"host": "localhost"}}
        assert (await client.post(**reload)).json()["outcome"] == "unchanged"
        if fault == "gone":
            shutil.rmtree(tmp_path / "second")
        else:
            graph = tmp_path / "second" / "model.onnx"
            graph.write_bytes(graph.read_bytes() + b"\0")
        refused = await client.post(**reload)
        assert refused.status_code == 409, "the next start would fail"
        assert "second" in refused.json()["error"]["message"]
        answered = await client.post("/v1/classify", json={"inputs": [DOUBTED]})
        assert answered.status_code == 200


def test_a_copy_is_not_kept_while_the_second_is_not_whole_and_never_of_another_second(tmp_path):
    folder = build_tiny_cascade(tmp_path / "both")
    sha256, graph = load_manifest(folder)[1], tmp_path / "second" / "model.onnx"
    whole, archive = graph.read_bytes(), Archive(tmp_path / "kept")
    graph.write_bytes(whole[:-1])  # its manifest is there, the graph is still on its way
    archive.keep(folder, sha256)
    assert archive.find(sha256) is None
    graph.write_bytes(whole)
    build_tiny_model(folder / "second")  # another one of that name, which is passed over for the one beside
    archive.keep(folder, sha256)
    again = Classifier.load(archive.find(sha256), num_threads=1)
    assert again.classify([DOUBTED])[0].heads["stance"].label == "market-led"
    again.close()


async def test_a_copy_to_go_back_to_has_the_second_in_it(tmp_path):
    folder = build_tiny_cascade(tmp_path / "here" / "both")
    sha256 = load_manifest(folder)[1]
    archive = Archive(tmp_path / "kept")
    archive.keep(folder, sha256)
    shutil.rmtree(tmp_path / "here")
    again = Classifier.load(archive.find(sha256), num_threads=1)
    assert again.classify([DOUBTED])[0].heads["stance"].label == "market-led"
    again.close()
