import asyncio
import gzip
import json
import re

import pytest

from serving.app import create_app
from serving.body_room import FREE_BYTES
from serving.limits import RequestLimits
from serving.settings import ServeSettings
from tests.serving.support import JSON, open_client
from tests.unit.test_docx_text import make_docx
from tests.unit.test_docx_text import p as write_paragraph

pytestmark = pytest.mark.anyio


async def chunks(size, *, count, sent):
    for _ in range(count):
        sent.append(size)
        yield b" " * size


async def test_declared_large_body_is_refused_and_drained(client):
    response = await client.post("/v1/classify", content=b" " * 10_000_000, headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
    assert response.json()["error"]["request_id"] == response.headers["x-request-id"]


async def test_streamed_large_body_is_refused_by_count_and_drained(client):
    sent = []
    response = await client.post("/v1/classify", content=chunks(1000, count=50, sent=sent), headers=JSON)
    assert "content-length" not in response.request.headers
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
    assert len(sent) == 50  # a client that sends all before it reads must be able to


async def test_body_at_the_limit_is_read(client, settings):
    text = b'{"inputs": "plan"}'
    padded = text + b" " * (settings.max_body_bytes - len(text))
    assert (await client.post("/v1/classify", content=padded, headers=JSON)).status_code == 200
    assert (await client.post("/v1/classify", content=padded + b" ", headers=JSON)).status_code == 413


@pytest.mark.parametrize(
    "path", ["/v1/classify", "/v1/classify/stream", "/v1/documents", "/predict", "/v2/models/tiny/infer"]
)
@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_body_is_refused_as_one_on_every_path(client, path, coding):
    headers = JSON | {"content-encoding": coding}
    response = await client.post(path, content=gzip.compress(b'{"inputs": "plan"}'), headers=headers)
    assert response.status_code == 415
    assert "compressed" in response.text


async def test_a_body_that_says_it_is_not_compressed_is_read(client):
    headers = JSON | {"content-encoding": "Identity"}
    assert (await client.post("/v1/classify", content=b'{"inputs": "plan"}', headers=headers)).status_code == 200


async def test_a_byte_order_mark_before_json_is_passed_over(client):
    content = '{"inputs": "plan"}'.encode("utf-8-sig")
    assert (await client.post("/v1/classify", content=content, headers=JSON)).status_code == 200
    twice = b"\xef\xbb\xbf" + content
    assert (await client.post("/v1/classify", content=twice, headers=JSON)).status_code == 400


async def test_a_body_refused_by_its_headers_is_counted_as_refused(client, app):
    await client.post("/v1/classify", content=b" " * 10_000, headers=JSON)
    assert 'twohands_rejected_total{reason="body_too_large"} 1.0' in app.state.metrics.show().decode()


async def run_middleware(headers, *, messages=()):
    """What a bare middleware reads and sends, for cases that no client library would make."""
    read, sent = [], []

    async def receive():
        read.append(True)
        return messages[len(read) - 1]

    async def send(message):
        sent.append(message)

    async def app(*_):
        raise AssertionError("the app must not see this request")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    await RequestLimits(app, max_body_bytes=10)(scope, receive, send)
    return len(read), sent[0]["status"]


async def test_client_that_waits_for_our_word_need_not_send():
    headers = [(b"content-length", b"11"), (b"expect", b"100-continue")]
    assert await run_middleware(headers) == (0, 413)


async def test_draining_ends_when_the_client_goes():
    messages = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}]
    assert await run_middleware([(b"content-length", b"11")], messages=messages) == (2, 413)


async def test_length_of_thousands_of_digits_is_refused():
    assert await run_middleware([(b"content-length", b"9" * 5000), (b"expect", b"100-continue")]) == (0, 413)


@pytest.fixture
async def crowded(tiny_model, classifier):
    """A client of a service that has room for half a large body, and a function that holds a large one in it."""
    settings = ServeSettings(model=str(tiny_model), max_bodies_bytes=100_000)
    app = create_app(settings, classifier)
    async with open_client(app) as client:
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def pieces():
            yield b'{"inputs": "plan"' + b" " * (FREE_BYTES + 60_000)
            begun.set()
            await may_end.wait()
            yield b"}"

        async with asyncio.TaskGroup() as group:
            held = group.create_task(client.post("/v1/classify", content=pieces(), headers=JSON))
            await begun.wait()
            yield client
            may_end.set()
        assert held.result().status_code == 200
        # Its room is free again.
        again = await client.post("/v1/classify", content=pad(FREE_BYTES + 90_000), headers=JSON)
        assert again.status_code == 200


def pad(n_bytes):
    return b'{"inputs": "plan"}'.ljust(n_bytes)


@pytest.mark.issue(4)
@pytest.mark.parametrize("is_declared", [True, False])
async def test_large_bodies_share_one_room_and_small_ones_need_none(crowded, is_declared):
    async def pieces(content):
        yield content

    for path, is_told in (
        ("/v1/classify", lambda told: told["error"]["code"] == "overloaded"),
        ("/v1/documents", lambda told: told["error"]["code"] == "overloaded"),
        ("/predict", lambda told: told["error_type"] == "Overloaded"),
        ("/v2/models/tiny/infer", lambda told: set(told) == {"error"}),
    ):
        large = pad(FREE_BYTES + 50_000)
        refused = await crowded.post(path, content=large if is_declared else pieces(large), headers=JSON)
        assert refused.status_code == 429
        assert is_told(refused.json())
        assert int(refused.headers["retry-after"]) >= 1
    for n_bytes in (FREE_BYTES, FREE_BYTES + 30_000):
        content = pad(n_bytes)
        answer = await crowded.post("/v1/classify", content=content if is_declared else pieces(content), headers=JSON)
        assert answer.status_code == 200


@pytest.mark.issue(4)
async def test_the_text_of_a_packed_document_shares_the_room_of_bodies(crowded):
    headers = {"content-type": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}
    for n_paragraphs, status in ((8, 429), (1, 200)):
        packed = make_docx(*[write_paragraph("The plan of the plan. " * 1000)] * n_paragraphs)
        assert len(packed) < 10_000
        answer = await crowded.post("/v1/documents", content=packed, headers=headers)
        assert answer.status_code == status
        assert ("retry-after" in answer.headers) is (status == 429)


@pytest.mark.issue(4)
async def test_a_line_of_a_stream_shares_the_room_of_bodies_and_lines_that_are_read_do_not(crowded):
    row = b'{"text": "plan"}\n'

    async def pieces(*parts):
        for part in parts:
            yield part

    headers = JSON | {"content-type": "application/x-ndjson"}
    line = b'{"text": "' + b"a" * (FREE_BYTES + 50_000)
    refused = await crowded.post("/v1/classify/stream", content=pieces(line, b'"}\n'), headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
    broken_off = await crowded.post("/v1/classify/stream", content=pieces(row, line, b'"}\n'), headers=headers)
    first, last = (json.loads(line) for line in broken_off.text.splitlines())
    assert first["id"] == 1
    assert (last["id"], last["error"]["code"]) == (None, "overloaded")
    many = await crowded.post("/v1/classify/stream", content=pieces(*[row.rjust(50_000)] * 4), headers=headers)
    assert len(many.text.splitlines()) == 4


async def test_a_body_that_is_larger_than_the_room_is_held_alone(tiny_model, classifier):
    app = create_app(ServeSettings(model=str(tiny_model), max_bodies_bytes=1), classifier)
    async with open_client(app) as client:
        answer = await client.post("/v1/classify", content=pad(FREE_BYTES + 50_000), headers=JSON)
        assert answer.status_code == 200


@pytest.mark.usefixtures("client")
async def test_client_that_goes_amid_its_body_is_no_fault_of_the_service(app, caplog):
    messages = iter([{"type": "http.request", "body": b'{"inp', "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/classify", "raw_path": b"/v1/classify", "root_path": "",
        "scheme": "http", "query_string": b"", "http_version": "1.1",
        "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert caplog.records == []


@pytest.mark.parametrize("sane", ["a", "job-7.step_2:retry=1", "0" * 128])
async def test_sane_request_id_is_kept(client, sane):
    response = await client.get("/healthz", headers={"x-request-id": sane})
    assert response.headers.get_list("x-request-id") == [sane]


@pytest.mark.parametrize("wild", ["", "a b", 'a"', "0" * 129, b"a\xe9", "a;b"])
async def test_wild_request_id_is_replaced(client, wild):
    response = await client.get("/nowhere", headers={"x-request-id": wild})
    (made,) = response.headers.get_list("x-request-id")
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert response.json()["error"]["request_id"] == made
