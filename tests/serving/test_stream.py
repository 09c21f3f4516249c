import asyncio
import json
import logging
import re
import time
from collections import Counter

import pytest

from serving.app import create_app
from serving.keys import make_key, write_keys
from serving.ndjson import LINES_AT_ONCE, RowReader
from serving.settings import ServeSettings
from tests.serving.support import Gate, open_client, with_session
from twohands.errors import InputError, NonFiniteLogitsError

pytestmark = pytest.mark.anyio

NDJSON = {"content-type": "application/x-ndjson"}
WORDS = ["plan", "market", "weather"]
LABELS = {"plan": "state-led", "market": "market-led", "weather": "neutral"}


def make_body(*rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


async def stream(client, content, **parameters):
    return await client.post("/v1/classify/stream", content=content, headers=NDJSON, params=parameters)


def read(response):
    return [json.loads(line) for line in response.text.splitlines()]


async def wait_until(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


class Wire:
    """A client that sends and reads at the same time, as httpx cannot: raw ASGI."""

    def __init__(self, app, *, query=b"", headers=()):
        self._incoming = asyncio.Queue()
        self.lines = asyncio.Queue()
        self.n_taken = 0
        self.status = None
        self.is_ended = False
        scope = {
            "type": "http", "method": "POST", "path": "/v1/classify/stream", "raw_path": b"/v1/classify/stream",
            "root_path": "", "scheme": "http", "query_string": query, "http_version": "1.1",
            "headers": [(b"content-type", b"application/x-ndjson"), *headers],
        }  # fmt: skip
        self.can_send = asyncio.Event()
        self.can_send.set()
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self):
        message = await self._incoming.get()
        self.n_taken += 1
        return message

    async def _send(self, message):
        await self.can_send.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            for line in message["body"].splitlines():
                self.lines.put_nowait(json.loads(line))
            self.is_ended = not message.get("more_body", False)

    def send(self, piece, *, is_last=False):
        self._incoming.put_nowait({"type": "http.request", "body": piece, "more_body": not is_last})

    def leave(self):
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def next_line(self):
        return await asyncio.wait_for(self.lines.get(), 10)


async def test_rows_answer_in_order_and_equal_the_library(client, classifier):
    texts = [f"{WORDS[number % 3]} of the {WORDS[number % 2]} " * (1 + number % 9) for number in range(100)]
    response = await stream(client, make_body(*({"id": f"r{n}", "text": text} for n, text in enumerate(texts))))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["x-model-sha256"] == classifier.sha256
    expected = [{"id": f"r{n}", **prediction.to_dict()} for n, prediction in enumerate(classifier.classify(texts))]
    assert read(response) == expected


async def test_bad_rows_answer_in_their_place(client, settings):
    rows = [
        b'{"id": "a", "text": "plan", "stance": "neutral"}',
        b"",
        b'"market"',
        b"{",
        b"[]",
        b'{"id": [1], "text": "plan"}',
        b'{"id": 7}',
        b'{"text": 7}',
        b'{"text": ""}',
        b'{"text": NaN}',
        b'"\\ud800"',
        b'"' + b"x" * settings.max_body_bytes + b'"',
        b'{"text": "' + b"y" * (settings.limit_chars + 1) + b'"}',
        b"\xff",
        b'{"text": "weather"}',
    ]
    answers = read(await stream(client, b"\r\n".join(rows)))
    assert [answer["id"] for answer in answers] == ["a", 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        None, None, "invalid_row", "invalid_row", "invalid_id", "missing_text", "input_not_a_string",
        "empty_paragraph", "invalid_row", "invalid_row", "line_too_long", "paragraph_too_long", "invalid_row", None,
    ]  # fmt: skip
    assert answers[-1]["stance"]["label"] == "neutral"


@pytest.mark.issue(4)
async def test_a_row_whose_text_is_null_is_told_so(client):
    absent, null = read(await stream(client, b'{"id": "a"}\n{"id": "b", "text": null}\n'))
    assert (absent["id"], absent["error"]["message"]) == ("a", "the row has no field `text`")
    told = {"code": "missing_text", "message": "the row's field `text` is null"}
    assert (null["id"], null["error"]) == ("b", told)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
async def test_empty_stream_answers_nothing(client, content):
    response = await stream(client, content)
    assert (response.status_code, response.text) == (200, "")


async def test_parameters_are_those_of_other_requests(client):
    body = make_body({"text": "The weather. A plan of homemade plan plan."})
    (plain,) = read(await stream(client, body))
    (changed,) = read(await stream(client, body, explain="true", threshold=["sanctions=0", "stance=1"]))
    assert plain["evidence"] is None
    assert changed["evidence"]["stance"]["sentence"] == "A plan of homemade plan plan."
    assert changed["topics"]["labels"] == ["sanctions"]
    assert changed["stance"]["abstained"] is True


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"threshold": "sanctions"}, 422, "invalid_threshold"),
        ({"threshold": "nothing=0.5"}, 422, "invalid_threshold"),
        ({"threshold": "sanctions=nan"}, 422, "invalid_threshold"),
        ({"threshold": "=0.5"}, 422, "invalid_threshold"),
        ({"threshold": ["sanctions=0.5", "stance=1", "sanctions=0.6"]}, 422, "invalid_threshold"),
        ({"explain": "perhaps"}, 422, "invalid_request"),
        ({"model": "absent"}, 404, "unknown_model"),
    ],
)
async def test_wrong_parameters_are_refused(client, parameters, status, code):
    response = await stream(client, make_body("plan"), **parameters)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.issue(4)
async def test_a_threshold_for_what_is_no_name_is_refused_without_its_words(client):
    told = (await stream(client, make_body("plan"), threshold="Rates=0.5")).json()["error"]["message"]
    assert told.startswith("threshold for 'Rates', which is none of ")
    for words in ("The ministry will buy the first three years", "plan\x1b", "x" * 65):
        response = await stream(client, make_body("plan"), threshold=f"{words}=0.5")
        assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_threshold")
        assert words not in response.text


async def test_body_that_is_not_declared_as_lines_is_refused(client):
    response = await client.post("/v1/classify/stream", json={"text": "plan"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.usefixtures("client")
async def test_each_row_is_answered_while_others_are_still_to_come(app):
    wire = Wire(app)
    for number, word in enumerate(WORDS * 3, start=1):
        wire.send(make_body(word))
        answer = await wire.next_line()
        assert (answer["id"], answer["stance"]["label"]) == (number, LABELS[word])
    wire.send(b"", is_last=True)
    await asyncio.wait_for(wire.task, 10)
    assert wire.is_ended


async def test_client_that_does_not_read_is_not_read_from(tiny_model, classifier):
    app = create_app(ServeSettings(model=str(tiny_model)), classifier)
    async with open_client(app):
        wire = Wire(app)
        wire.can_send.clear()
        n_pieces = 200
        for number in range(n_pieces):
            wire.send(make_body(*WORDS), is_last=number == n_pieces - 1)
        await asyncio.sleep(0.5)
        assert wire.n_taken < 10  # what it sends stays with it, however long the stream is
        wire.can_send.set()
        await asyncio.wait_for(wire.task, 20)
    assert wire.n_taken == n_pieces
    assert [wire.lines.get_nowait()["id"] for _ in range(3 * n_pieces)] == list(range(1, 3 * n_pieces + 1))


@pytest.mark.parametrize("n_rows", [4, 80])  # one group, and more than are in work at once
@pytest.mark.parametrize("is_whole", [False, True])
async def test_client_that_leaves_ends_the_work(settings, classifier, n_rows, is_whole):
    gate = Gate(7, n_free=2)
    app = create_app(settings, with_session(classifier, gate.run_batch))
    async with open_client(app):
        wire = Wire(app)
        wire.send(make_body(*["plan"] * n_rows), is_last=is_whole)
        await asyncio.to_thread(gate.reached.wait, 5)
        wire.leave()
        await asyncio.wait_for(wire.task, 5)  # at once, though the model still runs
        assert app.state.service.n_pending == 0
        gate.opened.set()
    assert gate.n_begun <= 2 + 2


async def test_client_that_leaves_does_not_wait_for_room_any_more(settings, classifier):
    gate = Gate(7, n_free=3)
    app = create_app(settings, with_session(classifier, gate.run_batch))
    async with open_client(app) as client:
        wire = Wire(app)
        wire.send(make_body("plan"))
        await wire.next_line()
        filler = asyncio.create_task(client.post("/v1/classify", json={"inputs": ["plan"] * 8}))
        await asyncio.to_thread(gate.reached.wait, 5)
        wire.send(make_body("market"))
        await asyncio.sleep(0.1)
        assert not wire.task.done()
        wire.leave()
        await asyncio.wait_for(wire.task, 5)
        assert wire.lines.empty()
        gate.opened.set()
        assert (await filler).status_code == 200
    assert gate.n_begun == 3 + 8  # what was waiting for room never ran


async def test_group_that_takes_longer_than_a_request_may_is_halved(tiny_model, classifier):
    def run_batch(windows):
        time.sleep(0.6 if len(windows[0]) > 10 else 0.06)
        return classifier.session.run_batch(windows)

    settings = ServeSettings(model=str(tiny_model), request_timeout_s=0.5)
    app = create_app(settings, with_session(classifier, run_batch))
    async with open_client(app):
        wire = Wire(app)
        wire.send(make_body("plan"))
        await wire.next_line()
        # Together too long: .7 s on two threads; and one that takes too long by itself.
        texts = ["plan"] * 24 + ["market " * 15]
        wire.send(make_body(*texts), is_last=True)
        codes = [(await wire.next_line()).get("error", {}).get("code") for _ in texts]
        await asyncio.wait_for(wire.task, 10)
        assert app.state.service.n_pending == 0
    assert codes == [None] * 24 + ["deadline_exceeded"]


async def test_rows_of_more_tokens_than_the_room_find_some_beside_others(tiny_model, classifier):
    gate = Gate(7, n_free=3)
    settings = ServeSettings(model=str(tiny_model), max_queue_tokens=100)
    app = create_app(settings, with_session(classifier, gate.run_batch))
    async with open_client(app) as client:
        wire = Wire(app)
        wire.send(make_body("plan"))
        await wire.next_line()
        others = [asyncio.create_task(client.post("/v1/classify", json={"inputs": "plan"})) for _ in range(3)]
        await wait_until(lambda: app.state.service.n_pending == 3)  # one of them waits
        wire.send(make_body(*["the plan of the market and the weather"] * 16), is_last=True)
        await wait_until(lambda: app.state.service.n_pending > 3)
        gate.opened.set()
        assert [(await other).status_code for other in others] == [200] * 3
        assert all(["error" not in await wire.next_line() for _ in range(16)])
        await asyncio.wait_for(wire.task, 10)


@pytest.mark.usefixtures("client")
async def test_connection_that_breaks_amid_the_body_is_no_fault_of_the_service(app, caplog):
    wire = Wire(app)
    wire.send(make_body("plan"))
    await wire.next_line()
    wire.leave()
    await asyncio.wait_for(wire.task, 10)
    assert wire.lines.empty()
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


async def test_full_service_refuses_a_stream_that_begins_and_holds_one_that_goes_on(settings, classifier):
    gate = Gate(7, n_free=3)
    app = create_app(settings, with_session(classifier, gate.run_batch))
    async with open_client(app) as client:
        wire = Wire(app)
        wire.send(make_body("plan"))
        assert (await wire.next_line())["id"] == 1
        filler = asyncio.create_task(client.post("/v1/classify", json={"inputs": ["plan"] * 8}))
        await asyncio.to_thread(gate.reached.wait, 5)
        refused = await stream(client, make_body("plan"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
        wire.send(make_body("market"), is_last=True)
        await asyncio.sleep(0.1)
        assert wire.lines.empty()
        gate.opened.set()
        assert (await filler).status_code == 200
        assert "error" not in await wire.next_line()
        await asyncio.wait_for(wire.task, 10)


async def test_model_that_fails_on_a_row_answers_its_group_and_goes_on(settings, classifier):
    n_runs = 0

    def run_batch(windows):
        nonlocal n_runs
        n_runs += 1
        if n_runs == 4:
            raise NonFiniteLogitsError("poison")
        return classifier.session.run_batch(windows)

    app = create_app(settings, with_session(classifier, run_batch))
    async with open_client(app):
        wire = Wire(app)
        codes = []
        for _ in range(3):
            wire.send(make_body("plan"))
            codes.append((await wire.next_line()).get("error", {}).get("code"))
        wire.send(b"", is_last=True)
        await asyncio.wait_for(wire.task, 10)
    assert codes == [None, "non_finite_logits", None]


class Breaking:
    """A session's `run_batch` that fails from some time on, with what is none of our errors."""

    def __init__(self, classifier):
        self.is_broken = False
        self._run_batch = classifier.session.run_batch

    def __call__(self, windows):
        if self.is_broken:
            raise RuntimeError("plan")
        return self._run_batch(windows)


async def test_a_fault_that_nobody_foresaw_is_told_before_the_stream_breaks_off(settings, classifier, caplog):
    run_batch = Breaking(classifier)
    app = create_app(settings, with_session(classifier, run_batch))
    caplog.set_level(logging.INFO)
    async with open_client(app):
        wire = Wire(app)
        wire.send(make_body("plan"))
        assert "error" not in await wire.next_line()
        run_batch.is_broken = True
        wire.send(make_body("market"))
        last = await wire.next_line()
        with pytest.raises(RuntimeError, match="plan"):  # the server logs it, and closes without an end
            await asyncio.wait_for(wire.task, 10)
    assert last["id"] is None
    assert last["error"]["code"] == "internal_error"
    assert "plan" not in last["error"]["message"]
    (line,) = [record.facts for record in caplog.records if record.name == "serving.access"]
    assert (line["status"], line["code"]) == (200, "internal_error")
    faults = [record.getMessage() for record in caplog.records if record.name == "serving.failures"]
    assert faults == [f"request {line['request_id']} failed: RuntimeError"]


async def test_a_fault_that_nobody_foresaw_before_the_first_answer_is_a_status(settings, classifier):
    run_batch = Breaking(classifier)
    async with open_client(create_app(settings, with_session(classifier, run_batch))) as client:
        run_batch.is_broken = True
        response = await stream(client, make_body("plan"))
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"


@pytest.mark.issue(5)
async def test_faults_of_the_service_amid_a_stream_are_counted_by_row_and_logged_once(settings, classifier, caplog):
    is_broken = False

    def run_batch(windows):
        if is_broken:
            raise NonFiniteLogitsError("poison")
        return classifier.session.run_batch(windows)

    app = create_app(settings, with_session(classifier, run_batch))
    caplog.set_level(logging.INFO)
    async with open_client(app):
        assert 'twohands_failed_inputs_total{code="non_finite_logits"} 0.0' in app.state.metrics.show().decode()
        wire = Wire(app)
        for rows in (["plan", "", 7], ["plan", "", "market"], ["plan"]):
            wire.send(make_body(*rows))
            found = [(await wire.next_line()).get("error", {}).get("code") for _ in rows]
            is_broken = True
        wire.send(b"", is_last=True)
        await asyncio.wait_for(wire.task, 10)
    assert found == ["non_finite_logits"]
    shown = app.state.metrics.show().decode()
    counted = dict(re.findall(r'^twohands_failed_inputs_total\{code="(\w+)"\} (\S+)$', shown, re.MULTILINE))
    # Each once: the empty text by the service, what is no row before it.
    assert counted == {"non_finite_logits": "4.0", "empty_paragraph": "1.0", "invalid_row": "1.0"}
    (fault,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    (line,) = [record.facts for record in caplog.records if record.name == "serving.access"]
    assert fault.getMessage() == f"request {line['request_id']} failed: NonFiniteLogitsError"
    assert (line["status"], line["code"]) == (200, "non_finite_logits")


@pytest.mark.issue(5)
async def test_a_clients_own_rows_are_no_fault_of_the_service(client, caplog):
    caplog.set_level(logging.INFO)
    await stream(client, make_body("plan", "", 7))
    (line,) = [record.facts for record in caplog.records if record.name == "serving.access"]
    assert "code" not in line
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_service_that_stops_says_so_in_place(settings, classifier):
    app = create_app(settings, classifier)
    async with open_client(app):
        wire = Wire(app)
        wire.send(make_body("plan"))
        await wire.next_line()
        app.state.service.abandon()
        wire.send(make_body({"id": "late", "text": "plan"}), is_last=True)
        answer = await wire.next_line()
        await asyncio.wait_for(wire.task, 10)
    assert (answer["id"], answer["error"]["code"]) == ("late", "engine_stopped")


async def test_body_that_stalls_ends_the_stream_with_a_reason(tiny_model, classifier):
    app = create_app(ServeSettings(model=str(tiny_model), body_timeout_s=0.2), classifier)
    async with open_client(app):
        wire = Wire(app)
        wire.send(make_body("plan"))
        await wire.next_line()
        answer = await wire.next_line()
        await asyncio.wait_for(wire.task, 10)
    assert (answer["id"], answer["error"]["code"]) == (None, "body_timeout")
    assert wire.is_ended


@pytest.mark.issue(5)
async def test_a_stream_ends_once_its_key_is_revoked(tiny_model, classifier, tmp_path, monkeypatch):
    monkeypatch.setattr("serving.keys._CHECK_EVERY_S", 0)
    path = tmp_path / "keys.json"
    (key, kept), (_, other) = make_key(name="leaver"), make_key(name="analyst")
    write_keys(path, [kept, other])
    app = create_app(ServeSettings(model=str(tiny_model), api_keys_file=path), classifier)
    async with app.router.lifespan_context(app):
        wire = Wire(app, headers=[(b"authorization", f"Bearer {key}".encode())])
        for word in ("plan", "market"):
            wire.send(make_body(word))
            assert (await wire.next_line())["stance"]["label"] == LABELS[word]
        write_keys(path, [other])
        wire.send(make_body("plan"))
        line = await wire.next_line()
        assert (line["id"], line["error"]["code"]) == (None, "unauthorized")
        await asyncio.wait_for(wire.task, 10)
        assert wire.is_ended


async def test_client_that_waits_for_its_answers_before_it_sends_more_does_not_stall(tiny_model, classifier):
    gate = Gate(7, n_free=2)
    settings = ServeSettings(model=str(tiny_model), body_timeout_s=0.2)
    app = create_app(settings, with_session(classifier, gate.run_batch))
    async with open_client(app):
        wire = Wire(app)
        wire.send(make_body("plan"))
        await asyncio.sleep(0.7)
        gate.opened.set()
        assert (await wire.next_line())["id"] == 1
        wire.send(make_body("market"), is_last=True)
        assert (await wire.next_line())["id"] == 2
        await asyncio.wait_for(wire.task, 10)
    assert wire.lines.empty()


@pytest.mark.issue(5)
@pytest.mark.parametrize("line", [b"x\n", b"\n", b'{"text": 1}\n'])
async def test_lines_that_give_no_work_let_others_between(client, monkeypatch, line):
    n_steps, n_by_step = 0, Counter()

    async def step():
        nonlocal n_steps
        while True:
            n_steps += 1
            await asyncio.sleep(0)

    def finish_counted(reader, real=RowReader._finish_line):
        n_by_step[n_steps] += 1
        return real(reader)

    monkeypatch.setattr(RowReader, "_finish_line", finish_counted)
    stepping = asyncio.create_task(step())
    n_lines = 1_000 if line.startswith(b"{") else 10_000  # each of these takes a millisecond
    answer = await stream(client, line * n_lines)
    stepping.cancel()
    assert answer.status_code == 200
    assert len(read(answer)) == (0 if line == b"\n" else n_lines)
    assert n_by_step.total() == n_lines + 1  # what is behind the last line end, too
    assert max(n_by_step.values()) <= 2 * LINES_AT_ONCE


def feed(reader, piece):
    return [row for rows in reader.feed(piece) for row in rows]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_lines_are_found_however_the_bytes_are_cut(size):
    body = '"a"\n\n"ü"\r\n{"id":"x","text":"中"}\n"last"'.encode()
    reader = RowReader(max_line_bytes=100)
    rows = [row for start in range(0, len(body), size) for row in feed(reader, body[start : start + size])]
    rows += reader.end()
    assert [(row.id, row.text) for row in rows] == [(1, "a"), (3, "ü"), ("x", "中"), (5, "last")]


def test_line_without_end_is_not_held():
    reader = RowReader(max_line_bytes=10)
    for _ in range(1000):
        assert feed(reader, b"x" * 9) == []
        assert len(reader._held) <= 10
    (row, after) = feed(reader, b'\n"ok"\n')
    assert isinstance(row.text, InputError)
    assert (after.id, after.text) == (2, "ok")
