import asyncio
import contextvars
import json
import math
import re
import shutil
import signal
import threading
import time

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.app import create_app
from serving.archive import Archive
from serving.commands import name_models
from serving.folders import name_each, name_folders
from serving.merging import Merged
from serving.metrics import RELOAD_OUTCOMES, Metrics
from serving.service import Phase
from serving.settings import ServeSettings
from serving.slots import Shared
from tests.serving.processes import ask, start_serve
from tests.serving.support import open_client
from tests.support.tiny import build_tiny_model
from twohands.errors import ConfigError, ModelNotFoundError, ReloadError, UnknownModelError
from twohands.known import KEY, PARITY_NAME
from twohands.manifest import MANIFEST_NAME, Manifest, load_manifest, write_manifest
from twohands.taxonomy import Taxonomy

pytestmark = pytest.mark.anyio
LOCAL = {"host": "localhost"}


@pytest.fixture
def folder(tmp_path):
    return build_tiny_model(tmp_path / "mine", version="1")


@pytest.fixture
async def app_client(folder):
    app = create_app(ServeSettings(model=str(folder), num_threads=1))
    async with open_client(app) as client:
        yield app, client


async def version(client, **more):
    return (await client.post("/v1/classify", json={"inputs": "plan"} | more)).json()["model"]["version"]


async def exchange(client, verb="reload", name="mine"):
    return await client.post(f"/admin/models/{name}/{verb}", headers=LOCAL)


async def test_several_models_answer_by_name(tmp_path, folder):
    other = build_tiny_model(tmp_path / "other", version="2")
    settings = ServeSettings(model=str(folder), other_models=(str(other), f"third={other}"), num_threads=1)
    async with open_client(create_app(settings)) as client:
        assert await version(client) == "1"
        assert await version(client, model="other") == "2"
        assert await version(client, model="third") == "2"
        listed = (await client.get("/v1/models")).json()["models"]
        assert [(m["name"], m["is_default"]) for m in listed] == [("mine", True), ("other", False), ("third", False)]
        assert (await client.get("/info?model=third")).json()["model"]["version"] == "2"
        for refused in (
            await client.post("/v1/classify", json={"inputs": "plan", "model": "absent"}),
            await client.get("/info?model=absent"),
        ):
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_model")
            assert "mine, other, third;" in refused.json()["error"]["message"]


@pytest.mark.issue(4)
async def test_info_names_a_model_as_it_is_asked_for(folder):
    settings = ServeSettings(model=f"large={folder}", other_models=(f"third={folder}",), num_threads=1)
    async with open_client(create_app(settings)) as client:
        for query, name in (("", "large"), ("?model=third", "third")):
            info = (await client.get(f"/info{query}")).json()
            assert info["served_model_name"] == info["model_id"] == name
            assert info["model"]["name"] != name
            assert await version(client, model=name) == "1"


async def test_a_refusal_names_no_more_than_a_few_models(folder):
    others = tuple(f"m{number}={folder}" for number in range(14))
    app = create_app(ServeSettings(model=str(folder), other_models=others, num_threads=1))
    with pytest.raises(UnknownModelError, match=r"mine, m0, .*, m8 and 5 more;"):
        app.state.models.get("absent")


@pytest.mark.usefixtures("folder")
async def test_a_folder_of_models_is_served_whole(tmp_path):
    build_tiny_model(tmp_path / "other", version="2")
    async with open_client(create_app(ServeSettings(models_dir=tmp_path, num_threads=1))) as client:
        assert await version(client, model="mine") == "1"
        assert await version(client, model="other") == "2"


def test_names_that_are_not_clear_are_refused(tmp_path):
    for settings in (
        ServeSettings(model=str(tmp_path / "a" / "m"), other_models=(str(tmp_path / "b" / "m"),)),
        ServeSettings(models_dir=tmp_path),
    ):
        with pytest.raises(ConfigError):
            name_folders(settings)
    assert name_folders(ServeSettings()) == {"twohands": None}
    assert name_models({"model": ("a", "b"), "port": 1}) == {"model": "a", "other_models": ("b",), "port": 1}


async def test_one_missing_model_fails_the_start(tmp_path, folder):
    app = create_app(ServeSettings(model=str(folder), other_models=(str(tmp_path / "absent"),), num_threads=1))
    with pytest.raises(ModelNotFoundError):
        async with open_client(app):
            pass
    assert isinstance(app.state.models.failure, ModelNotFoundError)


@pytest.mark.issue(4)
@pytest.mark.parametrize("is_multiprocess", [False, True])
async def test_drift_of_a_model_that_was_exchanged_is_shown_no_longer(folder, monkeypatch, is_multiprocess):
    def set_reference(reference):
        manifest, _ = load_manifest(folder)
        write_manifest(folder, manifest.model_copy(update={"metrics": {"reference": reference} if reference else {}}))

    def show():
        families = text_string_to_metric_families(app.state.metrics.show().decode())
        drift = [sample for family in families for sample in family.samples if "twohands_drift" in sample.name]
        told = {(sample.labels["figure"], sample.labels.get("bin")): sample.value for sample in drift}
        return {place: value for place, value in told.items() if not math.isnan(value)}

    first = {"input_tokens_edges": [2, 8], "input_tokens_share": [1.0, 0.0, 0.0], "unknown_token_share": 0.0}
    set_reference(first)
    app = create_app(ServeSettings(model=str(folder), num_threads=1))
    monkeypatch.setattr(app.state.metrics, "is_multiprocess", is_multiprocess)
    monkeypatch.setattr(Metrics, "show", lambda self: generate_latest(self._registry))
    async with open_client(app) as client:
        texts = ["plan plan plan plan plan plan plan plan plan plan"] * 100
        set_reference({"unknown_token_share": 0.5})
        assert (await exchange(client)).status_code == 200  # before there is any drift to tell
        set_reference(first)
        assert (await exchange(client)).status_code == 200
        for _ in range(2):  # as many as are needed to tell
            assert (await client.post("/v1/classify", json={"inputs": texts})).status_code == 200
        assert show()["input_tokens", None] > 0.2
        assert {("input_tokens", "8"), ("unknown_tokens", "unknown")} <= set(show())

        set_reference({"input_tokens_edges": [5], "input_tokens_share": [0.0, 1.0]})
        assert (await exchange(client)).status_code == 200
        assert show() == {("input_tokens", "5"): 0, ("input_tokens", "inf"): 1}
        for _ in range(2):
            await client.post("/v1/classify", json={"inputs": texts})
        assert show()["input_tokens", None] < 0.05

        set_reference(None)
        assert (await exchange(client)).status_code == 200
        assert show() == {}
        assert (await exchange(client, "rollback")).status_code == 200
        assert show() == {("input_tokens", "5"): 0, ("input_tokens", "inf"): 1}


async def test_reload_and_rollback(app_client, folder):
    app, client = app_client
    assert (await exchange(client)).json()["outcome"] == "unchanged"
    build_tiny_model(folder, version="2")
    answer = (await exchange(client)).json()
    assert answer["outcome"] == "reloaded"
    assert (answer["served"]["model"]["version"], answer["served"]["previous"]["version"]) == ("2", "1")
    assert await version(client) == "2"
    assert (await client.get("/info")).json()["model"]["version"] == "2"
    assert (await client.get("/readyz")).status_code == 200
    assert (await exchange(client, "rollback")).json()["outcome"] == "rolled_back"
    assert await version(client) == "1"
    assert (await exchange(client, "rollback")).json()["served"]["model"]["version"] == "2"
    shown = app.state.metrics.show().decode()
    for outcome, n in (("reloaded", 1), ("unchanged", 1), ("rolled_back", 2)):
        assert f'twohands_model_reloads_total{{outcome="{outcome}"}} {n}.0' in shown


async def test_nothing_to_roll_back_to_is_said(app_client):
    refused = await exchange(app_client[1], "rollback")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "reload_refused")
    assert (await exchange(app_client[1], name="absent")).status_code == 404


@pytest.mark.parametrize("damage", ["altered", "gone", "no graph", "computed otherwise"])
async def test_a_bad_folder_is_refused_and_the_old_model_goes_on(app_client, folder, damage):
    app, client = app_client
    if damage == "altered":
        (folder / "tokenizer.json").write_text("{}")
    elif damage == "gone":
        shutil.rmtree(folder)
    elif damage == "computed otherwise":
        known = [{"text": "The plan of the market.", "logits": [9.0] * 7}]
        (folder / PARITY_NAME).write_text(json.dumps({KEY: known}))
        write_manifest(folder, Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes()))
    else:
        (folder / "model.onnx").unlink()
    refused = await exchange(client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "reload_refused")
    assert await version(client) == "1"
    assert 'twohands_model_reloads_total{outcome="refused"} 1.0' in app.state.metrics.show().decode()


async def test_no_request_fails_while_models_are_exchanged(app_client, folder):
    _, client = app_client
    is_over = False
    statuses, versions = [], set()

    async def ask():
        while not is_over:
            response = await client.post("/v1/classify", json={"inputs": ["plan", "market"]})
            statuses.append(response.status_code)
            versions.add(response.json().get("model", {}).get("version"))

    askers = [asyncio.create_task(ask()) for _ in range(4)]
    for number in range(2, 6):
        await asyncio.to_thread(build_tiny_model, folder, version=str(number))
        assert (await exchange(client)).json()["outcome"] == "reloaded"
    is_over = True
    await asyncio.gather(*askers)
    assert set(statuses) == {200}
    assert len(versions) >= 3


async def test_the_oldest_model_is_let_go_only_when_its_last_request_ended(app_client, folder):
    app, client = app_client
    models = app.state.models
    first = models.default
    token = models.holdings.begin()  # as a request that is still being answered
    assert models.get() is models.get() is first
    served = [first]
    for number in ("2", "3", "4", "5"):
        build_tiny_model(folder, version=number)
        await asyncio.create_task(exchange(client), context=contextvars.Context())
        served.append(models.default)
    assert first.phase is Phase.READY
    assert (await first.classify(["plan"])).items[0].heads["stance"].label == "state-led"
    # Those that it never got are not kept for its sake.
    await wait_until(lambda: [each.phase for each in served[1:3]] == [Phase.STOPPING] * 2)
    assert [each.phase for each in served[3:]] == [Phase.READY] * 2
    assert first.phase is Phase.READY
    models.holdings.end(token)
    await wait_until(lambda: first.phase is Phase.STOPPING)
    assert models.default.phase is Phase.READY


async def wait_until(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


@pytest.mark.parametrize("verb", ["reload", "rollback"])
async def test_an_exchange_goes_on_when_who_asked_for_it_leaves(app_client, folder, monkeypatch, verb):
    app, client = app_client
    models, told = app.state.models, []
    models.tell_others = lambda *fact: told.append(fact)
    build_tiny_model(folder, version="2")
    if verb == "rollback":
        await exchange(client)
        told.clear()
    served, wanted = models.default, {"reload": "2", "rollback": "1"}[verb]
    begun, may_go_on, real = asyncio.Event(), asyncio.Event(), getattr(models, verb)

    async def work_slowly(*arguments):
        begun.set()
        await may_go_on.wait()
        return await real(*arguments)

    monkeypatch.setattr(models, verb, work_slowly)
    asked = asyncio.create_task(exchange(client, verb))
    await begun.wait()
    asked.cancel()
    await asyncio.wait({asked})
    assert models.default is served
    may_go_on.set()
    await wait_until(lambda: told)
    exchanged = models.default
    assert exchanged.classifier.identity["version"] == wanted
    assert told == [("mine", exchanged.classifier.sha256)]
    for number in ("3", "4"):  # it is let go as any other: nobody holds it
        build_tiny_model(folder, version=number)
        await exchange(client)
    await wait_until(lambda: exchanged.phase is Phase.STOPPING)


async def test_a_model_that_could_not_take_over_is_let_go(app_client, folder, monkeypatch):
    app, _ = app_client
    made = []

    def make(*arguments, real=app.state.models._make_service):
        made.append(real(*arguments))
        return made[-1]

    async def fail(*_):
        raise asyncio.CancelledError

    monkeypatch.setattr(app.state.models, "_make_service", make)
    monkeypatch.setattr(app.state.models, "_keep", fail)
    build_tiny_model(folder, version="2")
    with pytest.raises(asyncio.CancelledError):
        await app.state.models.reload("mine")
    assert [each.phase for each in made] == [Phase.STOPPING]


async def test_a_worker_that_comes_later_needs_the_copy_alone(tmp_path, folder, caplog):
    archive = Archive(tmp_path / "kept")
    digests = []
    for version_wanted in ("1", "2"):
        build_tiny_model(folder, version=version_wanted)
        digests.insert(0, load_manifest(folder)[1])
        archive.keep(folder, digests[0])
    shutil.rmtree(folder)
    shared = Shared(archive, {"mine": digests})
    async with open_client(create_app(ServeSettings(model=str(folder), num_threads=1), shared=shared)) as client:
        assert await version(client) == "2"
        (listed,) = (await client.get("/v1/models")).json()["models"]
        assert (await exchange(client)).json()["error"]["code"] == "reload_refused"
        answer = (await exchange(client, "rollback")).json()["served"]
        assert answer["model"] == listed["previous"]
        assert (answer["model"]["version"], answer["previous"]["version"]) == ("1", "2")
    assert "no copy" not in caplog.text


@pytest.mark.issue(4)
async def test_a_worker_serves_what_the_others_do_where_no_copy_could_be_kept(tmp_path, folder, caplog):
    app = create_app(ServeSettings(model=str(folder), num_threads=1), shared=Shared(Archive(tmp_path / "kept")))
    async with open_client(app) as client:
        build_tiny_model(folder, version="2")
        await app.state.models.serve_version("mine", load_manifest(folder)[1])
        assert await version(client) == "2"
        build_tiny_model(folder, version="3")
        wanted = load_manifest(folder)[1]
        build_tiny_model(folder, version="4")  # another has come before this worker was told of the third
        with pytest.raises(ReloadError, match="no copy of it is kept"):
            await app.state.models.serve_version("mine", wanted)
        assert await version(client) == "2"
        assert 'twohands_model_reloads_total{outcome="refused"} 1.0' in app.state.metrics.show().decode()
    (told,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert wanted in told.getMessage()


@pytest.mark.issue(7)
async def test_an_exchange_is_counted_by_the_worker_that_was_asked_alone(tmp_path, folder):
    archive, digests = Archive(tmp_path / "kept"), []
    for wanted in ("1", "2", "3"):
        build_tiny_model(folder, version=wanted)
        digests.append(load_manifest(folder)[1])
        archive.keep(folder, digests[-1])
    shared = Shared(archive, {"mine": [digests[1], digests[0]]})
    app = create_app(ServeSettings(model=str(folder), num_threads=1), shared=shared)

    def count(outcome):
        shown = app.state.metrics.show().decode()
        return float(re.search(rf'^twohands_model_reloads_total{{outcome="{outcome}"}} (.+)', shown, re.MULTILINE)[1])

    async with open_client(app) as client:
        for digest in (digests[2], digests[1]):  # loaded, and back to what is in memory
            await app.state.models.serve_version("mine", digest)
        assert await version(client) == "2"
        assert [count(outcome) for outcome in RELOAD_OUTCOMES] == [0] * len(RELOAD_OUTCOMES)
        assert (await exchange(client, "rollback")).status_code == 200
        assert (count("rolled_back"), count("reloaded")) == (1, 0)


@pytest.mark.issue(7)
async def test_a_rollback_to_what_is_not_in_memory_counts_as_one(tmp_path, folder):
    archive, digests = Archive(tmp_path / "kept"), []
    for wanted in ("1", "2"):
        build_tiny_model(folder, version=wanted)
        digests.insert(0, load_manifest(folder)[1])
        archive.keep(folder, digests[0])
    app = create_app(ServeSettings(model=str(folder), num_threads=1), shared=Shared(archive, {"mine": digests}))
    async with open_client(app) as client:
        assert (await exchange(client, "rollback")).json()["outcome"] == "rolled_back"
    shown = app.state.metrics.show().decode()
    assert 'twohands_model_reloads_total{outcome="rolled_back"} 1.0' in shown
    assert 'twohands_model_reloads_total{outcome="reloaded"} 0.0' in shown


def test_names_stay_what_they_were_whatever_a_folder_of_models_holds_later(tmp_path):
    for name in ("b", "c=d"):
        build_tiny_model(tmp_path / "models" / name)
    (tmp_path / "link").symlink_to(tmp_path / "models" / "b")
    given = ServeSettings(model=str(tmp_path / "link"), models_dir=tmp_path / "models", other_models=("e=f=g",))
    for settings in (given.model_copy(update={"model": None}), ServeSettings(), ServeSettings(model="a=b")):
        assert name_folders(name_each(settings)) == name_folders(settings)
    settings = ServeSettings(models_dir=tmp_path / "models", model=f"x={tmp_path / 'link'}")
    named, before = name_each(settings), name_folders(settings)
    build_tiny_model(tmp_path / "models" / "a")
    assert name_folders(settings) != name_folders(named) == before


@pytest.mark.issue(5)
def test_the_default_may_be_named_beside_the_folder_of_models_that_holds_it(tmp_path, monkeypatch):
    for name in ("a", "b"):
        build_tiny_model(tmp_path / "models" / name)
    monkeypatch.chdir(tmp_path)
    for named in ("b", "./models/b", "models/b/", str(tmp_path / "models" / "b")):
        for models_dir in ("models", tmp_path / "models"):
            found = name_folders(ServeSettings(model=named, models_dir=models_dir))
            assert list(found) == ["b", "a"]
            assert found["b"] == named


async def test_a_shadow_is_counted_and_never_answers(tmp_path, folder, taxonomy):
    stance, *others = taxonomy.heads
    first, second, *rest = stance.labels  # the word for one label is now that for the other
    swapped = Taxonomy(heads=[stance.model_copy(update={"labels": [second, first, *rest]}), *others])
    contrary = build_tiny_model(tmp_path / "contrary", version="9", taxonomy=swapped)
    settings = ServeSettings(model=str(folder), shadow=str(contrary), shadow_share=1.0, num_threads=1)
    app = create_app(settings)
    async with open_client(app) as client:
        assert await version(client) == "1"
        for _ in range(300):
            shown = app.state.metrics.show().decode()
            if 'shadow_compared_total{head="stance"' in shown:
                break
            await asyncio.sleep(0.01)
    assert 'twohands_shadow_compared_total{head="stance",shadow="shadow"} 1.0' in shown
    assert 'twohands_shadow_disagreements_total{head="stance",shadow="shadow"} 1.0' in shown
    assert 'twohands_shadow_disagreements_total{head="topics",shadow="shadow"} 0.0' in shown
    assert 'twohands_predictions_total{head="stance",label="market-led",model="mine"} 0.0' in shown


@pytest.mark.issue(5)
async def test_what_a_shadow_still_reads_waits_for_no_answer(tmp_path, folder):
    begun, may_end = threading.Event(), threading.Event()

    def hold(run_batch):
        def run_held(windows):
            if is_warm:
                begun.set()
                may_end.wait(20)
            return run_batch(windows)

        return run_held

    is_warm = []
    other = build_tiny_model(tmp_path / "other", version="2")
    app = create_app(ServeSettings(model=str(folder), shadow=str(other), shadow_share=1.0, num_threads=1))
    app.state.models._shadow_service.wrap_run = hold
    async with open_client(app) as client:
        is_warm.append(True)
        try:
            assert await version(client) == "1"
            assert await asyncio.to_thread(begun.wait, 10)
            shown = (await client.get("/metrics")).text
        finally:
            may_end.set()
    assert "\ntwohands_queue_depth 0.0\n" in shown
    assert "\nte_queue_size 0.0\n" in shown


def test_hangup_reloads_a_running_service(folder):
    with start_serve(folder) as (process, port):
        build_tiny_model(folder, version="2")
        process.send_signal(signal.SIGHUP)
        end_s = time.monotonic() + 30
        while ask(port, "GET", "/info")[1]["model"]["version"] != "2":
            assert time.monotonic() < end_s
            time.sleep(0.05)


@pytest.mark.issue(4)
async def test_what_is_asked_for_while_it_runs_is_done_once_more_and_wholly_after():
    begun, may_end = [], asyncio.Event()

    async def work():
        begun.append(True)
        await may_end.wait()

    merged = Merged(work)
    for _ in range(5):
        merged.ask()
        await asyncio.sleep(0)
    assert len(begun) == 1
    may_end.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(begun) == 2
    merged.ask()
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(begun) == 3


def test_a_hangup_that_comes_before_all_is_loaded_waits_for_it(folder):
    early = (
        "import os, signal; from serving.server import hold_hangup; from serving.commands import serve;"
        "hold_hangup(); os.kill(os.getpid(), signal.SIGHUP); serve()"
    )
    with start_serve(folder, program=("-c", early)) as (_, port):
        end_s = time.monotonic() + 30
        while 'twohands_model_reloads_total{outcome="unchanged"} 1.0' not in ask(port, "GET", "/metrics")[1]:
            assert time.monotonic() < end_s
            time.sleep(0.05)
