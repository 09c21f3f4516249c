import asyncio
import json
import os
import sqlite3
import threading
import time
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

import serving.corrections.store as store_module
from serving.app import create_app
from serving.corrections.address import OFF, Address
from serving.corrections.desk import Desk
from serving.corrections.store import Store
from serving.keys import make_key, write_keys
from serving.protocols.label_config import read_controls
from serving.settings import ServeSettings
from tests.serving.corrections import ANSWER, FULL, LABELS, MODEL, database, postgres_url  # noqa: F401 - fixtures
from tests.serving.support import open_client
from tests.serving.test_metrics import read_metrics, value
from tests.support.rows import load_examples
from tests.support.tiny import build_tiny_model
from twohands.errors import CorrectionsUnavailableError, MissingExtraError
from twohands.taxonomy import Taxonomy

pytestmark = pytest.mark.anyio
PATH = "/v1/corrections"
SHORT = {"text": "plan", "labels": {"stance": "neutral", "topics": None}}


@pytest.fixture
def local(settings, tmp_path):
    kept_in = f"sqlite:///{tmp_path}/kept/corrections.sqlite3"
    return settings.model_copy(update={"corrections": kept_in, "max_body_bytes": 20_000})


@pytest.fixture
async def desk(local, classifier):
    async with open_client(create_app(local, classifier), base_url="http://localhost") as client:
        yield client


def code(response):
    return response.status_code, response.json()["error"]["code"]


async def save(client, **fields):
    response = await client.post(PATH, json=SHORT | fields)
    assert response.status_code == 201, response.text
    return response.json()


async def test_what_is_saved_is_answered_listed_and_shown_as_sent(settings, classifier, database):  # noqa: F811
    kept_in = settings.model_copy(update={"corrections": database})
    async with open_client(create_app(kept_in, classifier), base_url="http://localhost") as client:
        assert (await client.get("/info")).json()["corrections"] is True
        response = await client.post(PATH, json=FULL)
        assert response.status_code == 201
        saved = response.json()
        assert {name: saved[name] for name in FULL} == FULL
        assert list(saved["prediction"]) == list(ANSWER)  # the order of heads is the reader's
        assert saved["status"] == "pending"
        assert response.headers["location"] == f"{PATH}/{saved['id']}"
        assert (await client.get(f"{PATH}/{saved['id']}")).json() == saved
        assert (await client.get(PATH)).json() == {"corrections": [saved], "next": None, "total": 1, "clashes": {}}
        accepted = await client.patch(f"{PATH}/{saved['id']}", json={"status": "accepted", "note": None})
        assert accepted.status_code == 200
        assert accepted.json() == saved | {"status": "accepted", "note": None, "updated": accepted.json()["updated"]}
        assert accepted.json()["updated"] > saved["updated"]
        assert (await client.get(PATH, params={"status": "pending"})).json()["total"] == 0
        assert (await client.delete(f"{PATH}/{saved['id']}")).status_code == 204
        for method in ("GET", "DELETE"):
            assert code(await client.request(method, f"{PATH}/{saved['id']}")) == (404, "correction_not_found")


async def test_nothing_is_stored_and_no_file_made_before_the_first_save(desk, tmp_path):
    await desk.post("/v1/classify", json={"inputs": "plan market"})
    assert (await desk.get(PATH)).json() == {"corrections": [], "next": None, "total": 0, "clashes": {}}
    assert (await desk.get(f"{PATH}/export", params={"status": "all"})).content == b""
    assert code(await desk.post(PATH, json=SHORT | {"labels": {}})) == (422, "invalid_labels")
    assert not (tmp_path / "kept").exists()
    await save(desk)
    assert (tmp_path / "kept" / "corrections.sqlite3").exists()
    await desk.post("/v1/classify", json={"inputs": "plan market"})
    assert (await desk.get(PATH)).json()["total"] == 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"stance": "market-led"}, {"stance": "market-led", "topics": None}),
        ({"topics": []}, {"stance": None, "topics": []}),
        (
            {"topics": ["regulation", "sanctions", "regulation"], "stance": None},
            {"stance": None, "topics": ["sanctions", "regulation"]},
        ),
    ],
)
async def test_labels_are_laid_out_as_the_models_heads(desk, labels, expected):
    saved = await save(desk, labels=labels)
    assert saved["labels"] == expected
    assert list(saved["labels"]) == ["stance", "topics"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ({"stance": "sideways"}, ["labels.stance", "state-led"]),
        ({"stance": ["neutral"]}, ["labels.stance"]),
        ({"stance": "neutral", "topics": "regulation"}, ["labels.topics", "list"]),
        ({"stance": "neutral", "topics": ["regulation", "x"]}, ["labels.topics", "1 of"]),
        ({"mood": "neutral"}, ["labels.mood", "stance, topics"]),
        ({"mood": "a", "stance": "b", "topics": ["c"]}, ["labels.mood", "labels.stance", "labels.topics"]),
        ({}, ["stance, topics"]),
        ({"stance": None, "topics": None}, ["none is given"]),
    ],
)
async def test_labels_that_the_model_does_not_have_are_refused_all_at_once(desk, labels, names):
    response = await desk.post(PATH, json=SHORT | {"labels": labels})
    assert code(response) == (422, "invalid_labels")
    assert all(name in response.json()["error"]["message"] for name in names)
    assert "sideways" not in response.text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": " \x00 "}, "empty_paragraph"),
        ({"text": "a" * 501}, "paragraph_too_long"),
        ({"text": 5}, "invalid_request"),
        ({"labels": None}, "invalid_request"),
        ({"labels": {"stance": 1}}, "invalid_request"),
        ({"labels": {"a b": "neutral"}}, "invalid_request"),
        ({"confidence": 4}, "invalid_request"),
        ({"confidence": True}, "invalid_request"),
        ({"note": "n" * 4001}, "invalid_request"),
        ({"source": ""}, "invalid_request"),
        ({"group": "g" * 501}, "invalid_request"),
        ({"prediction": {"stance": "state-led"}}, "invalid_request"),
        ({"prediction": {name: value for name, value in ANSWER.items() if name != "n_tokens"}}, "invalid_request"),
        ({"prediction": []}, "invalid_request"),
        ({"model": {"name": "tiny"}}, "invalid_request"),
        ({"status": "accepted"}, "invalid_request"),
    ],
)
async def test_other_fields_are_checked_too(desk, fields, expected, tmp_path):
    assert code(await desk.post(PATH, json=SHORT | fields)) == (422, expected)
    assert not (tmp_path / "kept").exists()


@pytest.mark.issue(5)
async def test_no_more_exports_are_held_than_a_disk_has_room_for(local, classifier):
    app = create_app(local, classifier)
    async with open_client(app, base_url="http://localhost") as client:
        await save(client)
        copies = [app.state.corrections.open_copy() for _ in range(8)]  # as those of eight slow readers
        assert code(await client.get(f"{PATH}/export?status=all")) == (429, "overloaded")
        copies.pop().close()
        for _ in range(10):  # each of which is closed once it was sent
            assert len((await client.get(f"{PATH}/export?status=all")).text.splitlines()) == 1
        for copy in copies:
            copy.close()


@pytest.mark.issue(7)
@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400])
async def test_a_number_that_json_cannot_give_back_is_not_kept(desk, number):
    body = json.dumps(SHORT | {"prediction": ANSWER}).replace("0.06", number)
    headers = {"content-type": "application/json"}
    assert code(await desk.post(PATH, content=body, headers=headers)) == (422, "invalid_request")


@pytest.mark.issue(7)
@pytest.mark.parametrize(
    "answer",
    [
        {"stance": ANSWER["stance"] | {"scores": {"state-led": 1.0}}},
        {"stance": ANSWER["stance"] | {"scores": {"State Led": 0.9, "market-led": 0.1}}},
        {"A Head": ANSWER["stance"]},
        {"topics": {"labels": [], "scores": {}}},
    ],
)
async def test_an_answer_that_no_model_gives_is_refused_lest_it_fail_the_export_of_all(desk, answer):
    assert code(await desk.post(PATH, json=SHORT | {"prediction": ANSWER | answer})) == (422, "invalid_request")


async def test_a_prediction_is_bounded_though_bodies_may_be_larger(local, classifier):
    wide = local.model_copy(update={"max_body_bytes": 1_000_000})
    async with open_client(create_app(wide, classifier), base_url="http://localhost") as client:
        fat = SHORT | {"prediction": ANSWER | {"evidence": {"stance": {"sentence": "a" * 200_000}}}}
        assert code(await client.post(PATH, json=fat)) == (422, "invalid_request")
        assert code(await client.post(PATH, json=fat | {"note": "a" * 1_000_000})) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "invalid_request"),
        ({"status": None}, "invalid_request"),
        ({"labels": None}, "invalid_request"),
        ({"status": "done"}, "invalid_request"),
        ({"text": "other"}, "invalid_request"),
        ({"labels": {"stance": "sideways"}}, "invalid_labels"),
    ],
)
async def test_a_bad_change_changes_nothing(desk, change, expected):
    saved = await save(desk)
    assert code(await desk.patch(f"{PATH}/{saved['id']}", json=change)) == (422, expected)
    assert (await desk.get(f"{PATH}/{saved['id']}")).json() == saved


@pytest.mark.parametrize("name", ["nothing", "%00", "01a21384-194b-77b3-b304-a2a03368d4cc", "%27%20OR%201=1"])
async def test_what_is_no_id_is_not_found(desk, name):
    await save(desk)
    for method, body in (("GET", None), ("PATCH", {"status": "accepted"}), ("DELETE", None)):
        assert code(await desk.request(method, f"{PATH}/{name}", json=body)) == (404, "correction_not_found")


async def test_pages_follow_each_other_without_gap_or_repetition(desk):
    saved = [(await save(desk, text=f"plan {number}"))["id"] for number in range(7)]
    await desk.patch(f"{PATH}/{saved[3]}", json={"status": "rejected"})
    seen, after, n_pages = [], None, 0
    while after is not None or n_pages == 0:
        page = (await desk.get(PATH, params={"limit": 3} | ({"after": after} if after else {}))).json()
        assert page["total"] == 7
        seen += [each["id"] for each in page["corrections"]]
        after, n_pages = page["next"], n_pages + 1
    assert (seen, n_pages) == (saved[::-1], 3)
    assert [c["id"] for c in (await desk.get(PATH, params={"status": "rejected"})).json()["corrections"]] == [saved[3]]
    for every in ("", "all"):
        assert (await desk.get(PATH, params={"status": every})).json()["total"] == 7
    for params in ({"limit": 0}, {"limit": 201}, {"after": "x"}, {"status": "x"}):
        assert code(await desk.get(PATH, params=params)) == (422, "invalid_request")


@pytest.mark.issue(7)
async def test_a_list_tells_which_corrections_of_one_text_contradict_one_another(settings, classifier, database):  # noqa: F811
    kept_in = settings.model_copy(update={"corrections": database})
    async with open_client(create_app(kept_in, classifier), base_url="http://localhost") as client:
        first = (await save(client, text="Sell the  depots.", labels=LABELS))["id"]
        second = (await save(client, text="Sell the depots.", labels={"stance": "neutral"}))["id"]
        await save(client, text="Sell the depots.", labels={"topics": ["regulation"]})  # as the first
        await save(client, text="Rain.", labels={"stance": "neutral"})

        async def list_clashes():
            return (await client.get(PATH, params={"limit": 200})).json()["clashes"]

        assert await list_clashes() == {first: {"n_newer": 1, "n_older": 0}, second: {"n_newer": 0, "n_older": 1}}
        # Those on other pages count, and labels that are set again are the newer.
        await client.patch(f"{PATH}/{first}", json={"labels": LABELS, "status": "accepted"})
        page = (await client.get(PATH, params={"status": "accepted"})).json()
        assert page["clashes"] == {first: {"n_newer": 0, "n_older": 1}}
        await client.patch(f"{PATH}/{second}", json={"status": "rejected"})
        assert await list_clashes() == {}


async def test_saved_accepted_exported_and_read_as_training_rows(settings, classifier, taxonomy, tmp_path, database):  # noqa: F811
    kept_in = settings.model_copy(update={"corrections": database})
    async with open_client(create_app(kept_in, classifier), base_url="http://localhost") as client:
        first = await save(client, text="Sell the depots.\n", labels=LABELS, group="doc-1", source="desk", confidence=2)
        again = await save(client, text="Sell  the depots.", labels={"stance": "neutral"})
        other = await save(client, text="Rain.\u2028 Or \x1b[2J not.", labels={"stance": "neutral", "topics": []})
        pending = await save(client, text="Nobody has looked at this.")
        for each in (first, again, other):
            await client.patch(f"{PATH}/{each['id']}", json={"status": "accepted"})
        exported = await client.get(f"{PATH}/export")
        assert exported.headers["content-disposition"] == 'attachment; filename="corrections.jsonl"'
        (tmp_path / "corrections.jsonl").write_bytes(exported.content)
        latest, last = load_examples([tmp_path / "corrections.jsonl"], taxonomy)
        assert (latest.id, latest.paragraph, latest.group) == (again["id"], "Sell the depots.", again["id"])
        assert latest.labels == {"stance": ("neutral",), "topics": None}
        assert (last.id, last.labels["topics"], last.source) == (other["id"], (), "corrections")
        # Labels that are set again are the latest, whatever was saved in between.
        await client.patch(f"{PATH}/{first['id']}", json={"labels": LABELS})
        (tmp_path / "corrections.jsonl").write_bytes((await client.get(f"{PATH}/export")).content)
        last, latest = sorted(load_examples([tmp_path / "corrections.jsonl"], taxonomy), key=lambda e: e.paragraph)
        assert (latest.id, latest.group, latest.source) == (first["id"], "doc-1", "desk")
        assert latest.labels == {"stance": ("market-led",), "topics": ("regulation",)}
        assert latest.columns == {"confidence": 2}
        everything = (await client.get(f"{PATH}/export", params={"status": "all"})).text
        # By line feeds alone: a text may hold other line ends.
        assert pending["id"] in {json.loads(line)["id"] for line in everything.split("\n") if line}
        assert code(await client.get(f"{PATH}/export", params={"format": "xls"})) == (422, "invalid_request")


async def test_label_studio_gets_tasks_that_fit_the_config_of_its_backend(desk, taxonomy, classifier):
    kept = await save(desk, text=FULL["text"], labels=LABELS, prediction=ANSWER, model=MODEL, note="free fares")
    await desk.patch(f"{PATH}/{kept['id']}", json={"status": "accepted"})
    config = (await desk.get(f"{PATH}/export", params={"format": "label-studio-config"})).text
    controls = {control.name: control for control in read_controls(config, taxonomy)}
    assert {name: control.to_name for name, control in controls.items()} == {"stance": "text", "topics": "text"}
    (task,) = (await desk.get(f"{PATH}/export", params={"format": "label-studio"})).json()
    assert task["data"]["text"] == FULL["text"]
    (annotation,), (prediction,) = task["annotations"], task["predictions"]
    assert prediction["model_version"] == "tiny-0.0.1-cccccccc"
    told = {region["from_name"]: region["value"]["choices"] for region in annotation["result"]}
    assert told == {"stance": ["market-led"], "topics": ["regulation"]}
    answered = {region["from_name"]: region["value"]["choices"] for region in prediction["result"]}
    assert answered == {"stance": ["state-led"], "topics": ["regulation"]}
    offered = {element.get("name"): {c.get("value") for c in element} for element in ET.fromstring(config)}  # noqa: S314
    for region in [*annotation["result"], *prediction["result"]]:
        assert set(region["value"]["choices"]) <= offered[region["from_name"]]
        assert region["to_name"] == "text"
    backend = {"tasks": [{"id": 1, "data": task["data"]}], "label_config": config}
    (live,) = (await desk.post("/label-studio/predict", json=backend)).json()["results"]
    assert {region["from_name"] for region in live["result"]} <= set(controls)
    assert classifier.identity["name"] in live["model_version"]


async def test_label_studios_own_reader_accepts_the_tasks(desk):
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason="pip install twohands[clients]")
    kept = await save(desk, text=FULL["text"], labels=LABELS, prediction=ANSWER, model=MODEL)
    await desk.patch(f"{PATH}/{kept['id']}", json={"status": "accepted"})
    config = (await desk.get(f"{PATH}/export", params={"format": "label-studio-config"})).text
    (task,) = (await desk.get(f"{PATH}/export", params={"format": "label-studio"})).json()
    reader = interface.LabelInterface(config)
    assert reader.validate_task({"data": task["data"]})
    assert reader.validate_annotation(task["annotations"][0])
    assert reader.validate_prediction(task["predictions"][0])


async def test_where_it_is_off_every_route_says_so(settings, classifier):
    off = settings.model_copy(update={"corrections": OFF})
    async with open_client(create_app(off, classifier), base_url="http://localhost") as client:
        assert (await client.get("/info")).json()["corrections"] is False
        for method, path in (
            ("POST", PATH),
            ("GET", PATH),
            ("GET", f"{PATH}/export"),
            ("GET", f"{PATH}/x"),
            ("PATCH", f"{PATH}/x"),
            ("DELETE", f"{PATH}/x"),
        ):
            assert code(await client.request(method, path, json=SHORT)) == (404, "corrections_disabled")


async def test_keys_may_write_read_or_neither(local, classifier, tmp_path):
    made = {right: make_key(name=right, corrections=right) for right in ("none", "read", "write")}
    write_keys(tmp_path / "keys.json", [kept for _, kept in made.values()])
    header = {right: {"authorization": f"Bearer {key}"} for right, (key, _) in made.items()}
    guarded = local.model_copy(update={"api_keys_file": tmp_path / "keys.json"})
    async with open_client(create_app(guarded, classifier)) as client:
        assert code(await client.post(PATH, json=SHORT)) == (401, "unauthorized")
        saved = await client.post(PATH, json=SHORT, headers=header["write"])
        assert saved.json()["created_by"] == made["write"][1].id
        one = f"{PATH}/{saved.json()['id']}"
        asked = {"format": "label-studio", "status": "all"}
        (task,) = (await client.get(f"{PATH}/export", params=asked, headers=header["read"])).json()
        assert task["meta"]["created_by"] == made["write"][1].id  # two analysts are told apart outside, too
        for method, path, allowed in (
            ("GET", PATH, {"read", "write"}),
            ("GET", one, {"read", "write"}),
            ("GET", f"{PATH}/export", {"read", "write"}),
            ("POST", PATH, {"write"}),
            ("PATCH", one, {"write"}),
        ):
            for right in made:
                body = SHORT if method == "POST" else {"status": "accepted"}
                answered = await client.request(method, path, json=body, headers=header[right])
                assert (answered.status_code < 300) is (right in allowed), (method, path, right)
                if right not in allowed:
                    assert code(answered) == (403, "forbidden")
        assert code(await client.delete(one, headers=header["read"])) == (403, "forbidden")
        assert (await client.delete(one, headers=header["write"])).status_code == 204
        for right in made:
            asked = await client.post("/v1/classify", json={"inputs": "plan"}, headers=header[right])
            assert asked.status_code == 200


async def test_without_keys_only_who_names_this_machine_reads_what_was_saved(local, classifier):
    for is_insecure, expected in ((False, 403), (True, 200)):
        settings = local.model_copy(update={"insecure": is_insecure})
        async with open_client(create_app(settings, classifier)) as client:
            for host, status in (("localhost:8000", 200), ("127.0.0.1", 200), ("rebound.example", expected)):
                assert (await client.get(PATH, headers={"host": host})).status_code == status


async def test_labels_are_those_of_the_model_that_answered(local, classifier, tmp_path):
    heads = {
        "heads": [
            {
                "name": "mood",
                "problem_type": "single_label_classification",
                "labels": [{"name": name, "description": name} for name in ("calm", "torn")],
            }
        ]
    }
    other = build_tiny_model(tmp_path / "moods", taxonomy=Taxonomy.model_validate(heads))
    both = local.model_copy(update={"other_models": (f"lively={other}",)})
    async with open_client(create_app(both, classifier), base_url="http://localhost") as client:
        answered = (await client.post("/v1/classify", json={"inputs": "plan", "model": "lively"})).json()
        fields = {"text": "plan", "model": answered["model"], "prediction": answered["predictions"][0]}
        assert answered["model"]["name"] == "moods"
        older = {"name": "lively", "version": "0", "sha256": "f" * 64}
        for model in (answered["model"], older):  # known by its digest, and by the name that it is served under
            saved = await client.post(PATH, json=fields | {"model": model, "labels": {"mood": "torn"}})
            assert saved.json()["labels"] == {"mood": "torn"}
        assert code(await client.post(PATH, json=fields | {"labels": {"stance": "neutral"}})) == (422, "invalid_labels")
        one = f"{PATH}/{saved.json()['id']}"
        assert (await client.patch(one, json={"labels": {"mood": "calm"}})).status_code == 200
        assert code(await client.patch(one, json={"labels": {"stance": "neutral"}})) == (422, "invalid_labels")
        assert (await client.post(PATH, json=SHORT)).status_code == 201


async def test_a_database_that_is_held_stalls_no_classification_and_is_bounded(desk, monkeypatch):
    await save(desk)
    release, begun = threading.Event(), threading.Event()
    real = Store.get

    def slow(store, correction_id):
        begun.set()
        assert release.wait(20)
        return real(store, correction_id)

    monkeypatch.setattr(Store, "get", slow)
    path = f"{PATH}/01a21384-194b-77b3-b304-a2a03368d4cc"
    waiting = [asyncio.create_task(desk.get(path)) for _ in range(64)]
    await asyncio.to_thread(begun.wait, 20)
    try:
        started_s = time.monotonic()
        for _ in range(5):
            assert (await desk.post("/v1/classify", json={"inputs": "plan"})).status_code == 200
        refused = await desk.get(path)
        assert code(refused) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert time.monotonic() - started_s < 10
        assert not any(task.done() for task in waiting)
    finally:
        release.set()
    assert {(await task).status_code for task in waiting} == {404}
    assert (await desk.get(PATH)).status_code == 200


@pytest.mark.issue(4)
async def test_postgresql_that_gives_no_answer_holds_neither_a_caller_nor_the_end(
    settings,
    classifier,
    postgres_url,  # noqa: F811
    monkeypatch,
    caplog,
):
    """As one that froze, whose host vanished, or where somebody keeps the table locked."""
    import psycopg

    begun = threading.Event()

    def hang(store, correction_id):
        del correction_id
        with store._reading() as connection:
            begun.set()
            connection.execute(sa.text("SELECT pg_sleep(60)"))

    monkeypatch.setattr(Store, "get", hang)
    path, refused = f"{PATH}/01a21384-194b-77b3-b304-a2a03368d4cc", (503, "corrections_unavailable")
    app = create_app(settings.model_copy(update={"corrections": postgres_url}), classifier)
    async with open_client(app, base_url="http://localhost") as client:
        await save(client)
        with psycopg.connect(postgres_url) as other, monkeypatch.context() as patch:
            patch.setattr("serving.corrections.database._BUSY_TIMEOUT_S", 0.01)
            other.execute("LOCK TABLE corrections")
            assert code(await client.get(PATH)) == refused
        assert "LockNotAvailable" in caplog.text

        waiting = asyncio.create_task(client.get(path))
        await asyncio.to_thread(begun.wait, 20)
        with monkeypatch.context() as patch:
            patch.setattr("serving.corrections.desk._PATIENCE_S", 0)
            app.state.corrections._watch()
            assert code(await waiting) == refused
        assert "broken off" in caplog.text
        assert (await client.get(PATH)).status_code == 200

        begun.clear()
        left = asyncio.create_task(client.get(path))
        await asyncio.to_thread(begun.wait, 20)
        monkeypatch.setattr("serving.corrections.desk._STOP_S", 0.01)
        await app.state.corrections.stop()
        assert code(await left) == refused


@pytest.mark.issue(4)
async def test_an_export_may_take_as_long_as_rows_come(settings, classifier, postgres_url, monkeypatch):  # noqa: F811
    passed_s, watched = 0.0, threading.Event()
    loop, read = asyncio.get_running_loop(), store_module._read
    app = create_app(settings.model_copy(update={"corrections": postgres_url}), classifier)
    desk = app.state.corrections

    def watch():
        desk._watch()
        watched.set()

    def read_slowly(row):
        nonlocal passed_s
        passed_s += 40  # more than a minute for any two
        watched.clear()
        loop.call_soon_threadsafe(watch)
        assert watched.wait(20)
        return read(row)

    async with open_client(app, base_url="http://localhost") as client:
        saved = [await save(client, text=f"plan {number}") for number in range(6)]
        monkeypatch.setitem(Store.iterate_latest.__kwdefaults__, "n_at_once", 1)
        monkeypatch.setattr(store_module, "_read", read_slowly)
        monkeypatch.setattr("serving.corrections.desk.time", SimpleNamespace(monotonic=lambda: passed_s))
        answer = await client.get(f"{PATH}/export?status=all")
    assert answer.status_code == 200, answer.text
    assert {each["id"] for each in saved} <= {json.loads(line)["id"] for line in answer.content.splitlines()}


@pytest.mark.issue(4)
async def test_whoever_waits_at_the_end_of_the_service_is_answered(tmp_path):
    """As under a server that, unlike ours, waits for no request: it was cancelled, which is a bare 500."""
    release, begun = threading.Event(), threading.Event()
    desk = Desk(Address(tmp_path / "kept.sqlite3", None))
    working = [asyncio.create_task(desk.run(lambda _: begun.set() or release.wait(20))) for _ in range(5)]
    await asyncio.to_thread(begun.wait, 20)
    left, stopping = working[3], asyncio.create_task(desk.stop())
    with pytest.raises(CorrectionsUnavailableError):
        await working[4]
    left.cancel()  # who is cancelled himself stays so
    release.set()
    await stopping
    answers = await asyncio.gather(*working[:4], return_exceptions=True)
    assert [answer is True for answer in answers] == [True, True, True, False]
    assert isinstance(answers[3], asyncio.CancelledError)


async def test_the_first_use_loads_the_database_library_beside_the_event_loop(desk, monkeypatch):
    release, begun = threading.Event(), threading.Event()

    def open_slowly(*arguments):
        begun.set()
        assert release.wait(10)
        return Store(*arguments)

    monkeypatch.setattr("serving.corrections.store.Store", open_slowly)
    waiting = [asyncio.create_task(desk.get(PATH)) for _ in range(3)]
    try:
        await asyncio.to_thread(begun.wait, 20)
        waiting.append(asyncio.create_task(desk.get(PATH)))
        assert (await desk.post("/v1/classify", json={"inputs": "plan"})).status_code == 200
        assert not any(task.done() for task in waiting)
    finally:
        release.set()
    assert {(await task).status_code for task in waiting} == {200}


async def test_a_database_that_cannot_be_used_is_503_and_says_nothing_of_the_inside(
    settings, classifier, tmp_path, caplog
):
    (tmp_path / "secret-place").write_text("no folder")
    broken = settings.model_copy(update={"corrections": f"sqlite:///{tmp_path}/secret-place/c.sqlite3"})
    async with open_client(create_app(broken, classifier), base_url="http://localhost") as client:
        response = await client.post(PATH, json=SHORT | {"note": "private words"})
        assert code(response) == (503, "corrections_unavailable")
        assert "retry-after" in response.headers
        assert "secret-place" not in response.text
        assert (await client.post("/v1/classify", json={"inputs": "plan"})).status_code == 200
        (tmp_path / "secret-place").unlink()
        assert (await client.post(PATH, json=SHORT)).status_code == 201  # tried again
    assert "secret-place" in caplog.text  # who runs the service is told
    assert "private words" not in caplog.text


async def test_a_file_that_is_no_database_is_refused_and_left_alone(local, classifier, tmp_path):
    (tmp_path / "kept").mkdir()
    path = tmp_path / "kept" / "corrections.sqlite3"
    path.write_text("something else, and long enough to be no empty file" * 50)
    before = path.read_bytes()
    async with open_client(create_app(local, classifier), base_url="http://localhost") as client:
        assert code(await client.post(PATH, json=SHORT)) == (503, "corrections_unavailable")
    assert path.read_bytes() == before


@pytest.mark.issue(5)
async def test_corrections_are_saved_while_there_is_room_and_again_behind_a_delete(settings, classifier, database):  # noqa: F811
    """Whoever may save could fill the disk, and with it stop whatever else writes there."""
    bounds = {"corrections": database, "max_corrections_bytes": 200_000, "max_body_bytes": 20_000}
    app = create_app(settings.model_copy(update=bounds), classifier)
    async with open_client(app, base_url="http://localhost") as client:
        saved = []
        while (response := await client.post(PATH, json=SHORT | {"note": os.urandom(2000).hex()})).status_code == 201:
            saved.append(response.json())
            assert len(saved) < 100
        assert code(response) == (507, "corrections_full")
        assert "retry-after" not in response.headers
        assert "--max-corrections-bytes" in response.json()["error"]["message"]
        assert len(saved) > 10
        assert (await client.get(PATH)).json()["total"] == len(saved)
        one = f"{PATH}/{saved[0]['id']}"
        assert code(await client.patch(one, json={"note": "long"})) == (507, "corrections_full")
        assert (await client.patch(one, json={"status": "accepted", "labels": LABELS})).status_code == 200
        samples = await read_metrics(client)
        assert value(samples, "corrections_used_ratio") >= 1
        assert value(samples, "rejected_total", reason="corrections_full") == 2
        for each in saved:
            assert (await client.delete(f"{PATH}/{each['id']}")).status_code == 204
        await save(client)
    async with open_client(create_app(settings.model_copy(update=bounds), classifier)) as client:
        for _ in range(100):  # it is opened beside the first requests
            if 0 < value(await read_metrics(client), "corrections_used_ratio") < 1 or database.startswith("postgresql"):
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("the room that is taken up at the start was not told")


async def test_an_old_file_is_brought_to_this_version_when_the_service_starts(local, classifier, tmp_path):
    (tmp_path / "kept").mkdir()
    path = tmp_path / "kept" / "corrections.sqlite3"
    sqlite3.connect(path).close()
    path.touch()
    async with open_client(create_app(local, classifier)):
        for _ in range(200):
            with sqlite3.connect(path) as connection:
                names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            connection.close()
            if "corrections" in names:
                return
            await asyncio.sleep(0.05)
    pytest.fail("nobody made the table")


async def test_the_document_describes_the_routes(desk):
    document = (await desk.get("/openapi.json")).json()
    assert {PATH, f"{PATH}/export", f"{PATH}/{{correction_id}}"} <= set(document["paths"])
    body = document["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    wanted = document["components"]["schemas"][body.rsplit("/", 1)[1]]
    assert {"text", "labels"} == set(wanted["required"])
    assert set(FULL) == set(wanted["properties"])


@pytest.mark.parametrize(
    "value", ["sqlite:///:memory:", "sqlite://", "sqlite:///", "c.db", "mysql://u:word@h/d", "OFF", ""]
)
def test_what_is_no_address_is_refused_without_repeating_it(value):
    with pytest.raises(ValueError, match="corrections") as failure:
        ServeSettings(corrections=value)
    assert "u:word" not in str(failure.value.errors()[0]["msg"])


def test_postgresql_without_its_driver_is_said_at_the_start(settings, classifier, monkeypatch):
    monkeypatch.setattr("serving.corrections.address.importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError):
        create_app(settings.model_copy(update={"corrections": "postgresql://h/d"}), classifier)


def test_the_schema_says_what_is_refused():
    from serving.corrections.schemas import CorrectionChange, CorrectionRequest

    change, request = CorrectionChange.model_json_schema(), CorrectionRequest.model_json_schema()
    assert change["minProperties"] == 1
    assert {change["properties"][name]["type"] for name in ("status", "labels")} == {"string", "object"}
    whole = {"type": "integer", "minimum": 1, "maximum": 3}
    assert change["properties"]["confidence"]["anyOf"] == [whole, {"type": "null"}]
    assert change["properties"]["labels"]["minProperties"] == request["properties"]["labels"]["minProperties"] == 1


async def test_a_whole_number_may_be_written_with_a_point(desk):
    saved = await desk.post(PATH, json=FULL | {"confidence": 2.0})
    assert (saved.status_code, saved.json()["confidence"]) == (201, 2)
    for wrong in (2.5, "2", True, 4.0):
        assert (await desk.post(PATH, json=FULL | {"confidence": wrong})).status_code == 422
