"""The service answers by the runtime that it was told, after a reload too, and says which it is."""

import asyncio

import pytest

from serving.app import create_app
from serving.settings import ServeSettings
from tests.serving.processes import ask, start_serve
from tests.serving.support import open_client
from tests.support.runtimes import skip_without_openvino
from tests.support.tiny import build_tiny_model

skip_without_openvino()
pytestmark = pytest.mark.anyio
LOCAL = {"host": "localhost"}


async def test_reloads_and_shadows_take_the_same_runtime(tmp_path):
    folder = build_tiny_model(tmp_path / "mine", version="1")
    shadow = build_tiny_model(tmp_path / "shadow", version="9")
    settings = ServeSettings(model=str(folder), shadow=str(shadow), num_threads=1, runtime="openvino")
    app = create_app(settings)
    async with open_client(app) as client:
        info = (await client.get("/info")).json()
        assert info["runtime"].startswith("openvino ")
        assert {"openvino", "onnxruntime"} <= set(info["versions"])
        build_tiny_model(folder, version="2")
        assert (await client.post("/admin/models/mine/reload", headers=LOCAL)).status_code == 200
        answer = (await client.post("/v1/classify", json={"inputs": ["plan", "market"]})).json()
        assert answer["model"]["version"] == "2"
        assert [one["stance"]["label"] for one in answer["predictions"]] == ["state-led", "market-led"]
        sessions = [service.classifier.session.runtime for service in app.state.models._all_services()]
        assert len(sessions) == 3  # the new one, the one before, the shadow
        assert set(sessions) == {info["runtime"]}


async def test_requests_that_wait_share_runs_and_each_has_its_own_answer(tmp_path):
    folder = build_tiny_model(tmp_path / "mine")
    words = ["plan", "market", "weather"]
    labels = ["state-led", "market-led", "neutral"]
    app = create_app(ServeSettings(model=str(folder), num_threads=1, runtime="openvino"))
    async with open_client(app) as client:
        texts = [f"the {words[number % 3]} " * (1 + number % 5) for number in range(40)]
        answers = await asyncio.gather(*(client.post("/v1/classify", json={"inputs": text}) for text in texts))
        found = [answer.json()["predictions"][0]["stance"]["label"] for answer in answers]
        assert found == [labels[number % 3] for number in range(40)]


@pytest.mark.parametrize("arguments", [("--runtime", "openvino"), ("--runtime", "openvino", "--workers", "2")])
def test_the_command_takes_a_runtime(tiny_model, arguments):
    with start_serve(tiny_model, *arguments) as (_, port):
        status, info = ask(port, "GET", "/info")
        assert (status, info["runtime"].split()[0]) == (200, "openvino")
