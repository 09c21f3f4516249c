import asyncio
import email.utils
import json
import random
import threading
import time

import httpx
import pytest

from serving.app import create_app
from serving.settings import ServeSettings
from tests.serving.running import run_server
from tests.serving.support import open_client
from twohands import exchange
from twohands.client import AsyncClient, Client
from twohands.errors import (
    EmptyParagraphError,
    InputError,
    InputTypeError,
    MissingExtraError,
    ParagraphTooLongError,
    ServiceError,
    ServiceUnreachableError,
)
from twohands.exchange import Retries, cut_batches, make_classify_call, read_failure, read_items, read_retry_after
from twohands.prediction import OneOf, read_prediction

pytestmark = pytest.mark.anyio
TEXTS = ["the plan", "market", "embargo subsidy", "weather"]


@pytest.fixture(scope="module")
def url(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), max_inputs=8, max_pending=64, limit_chars=500)
    with run_server(settings, classifier) as url:
        yield url


def make_answer(n_texts=1):
    prediction = {
        "stance": {"label": "neutral", "score": 0.9, "scores": {"neutral": 0.9, "state-led": 0.1}, "abstained": False},
        "n_tokens": 3, "n_windows": 1, "truncated": False, "n_tokens_cut": 0, "evidence": None, "warnings": [],
    }  # fmt: skip
    return {"model": {}, "predictions": [prediction] * n_texts}


class Scripted:
    """Answers in turn, and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(200, json=make_answer())
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open(self, **options):
        return Client("http://service", transport=httpx.MockTransport(self), **options)


def test_predictions_are_the_classifiers_own(url, classifier):
    with Client(url, batch_size=3) as client:
        assert client.classify(TEXTS) == classifier.classify(TEXTS)
        assert client.classify_one("the plan") == classifier.classify(["the plan"])[0]
        prediction = client.classify_one("the", thresholds={"stance": 1.0})
        assert isinstance(prediction.stance, OneOf)
        assert prediction.stance.abstained
        assert client.classify([]) == []
        assert client.info()["model"]["sha256"] == classifier.sha256


async def test_async_client_gives_the_same_and_keeps_the_order(url, classifier):
    texts = TEXTS * 9
    async with AsyncClient(url, batch_size=2) as client:
        assert await client.classify(texts) == classifier.classify(texts)
        assert await client.classify_one("market") == classifier.classify(["market"])[0]
        assert (await client.info())["model"]["name"] == "tiny"
        with pytest.raises(EmptyParagraphError):
            await client.classify_one(" ")


def test_evidence_comes_back(url):
    with Client(url) as client:
        assert client.classify_one("The plan. The market.", explain=True).evidence is not None
        assert client.classify_one("The plan. The market.").evidence is None


def test_bad_text_is_its_error_in_its_place(url):
    with Client(url) as client:
        first, empty, long, last = client.classify(["plan", " ", "x" * 501, "market"])
    assert (first.stance.label, last.stance.label) == ("state-led", "market-led")
    assert isinstance(empty, EmptyParagraphError)
    assert isinstance(long, ParagraphTooLongError)


def test_error_of_a_newer_service_keeps_its_code():
    content = json.dumps({"predictions": [{"error": {"code": "too_loud", "message": "no"}}]}).encode()
    (item,) = read_items(content, n_texts=1)
    assert (type(item), item.code, str(item)) == (InputError, "too_loud", "no")
    assert InputError.code == "invalid_input"


def test_refused_request_says_code_status_and_id(url):
    with Client(url, batch_size=50) as client, pytest.raises(ServiceError) as failure:
        client.classify(["plan"] * 9)
    assert (failure.value.code, failure.value.status) == ("too_many_inputs", 422)
    assert failure.value.request_id


@pytest.mark.parametrize("status", [429, 502, 503])
def test_busy_service_is_asked_again_and_never_too_soon(waits, status):
    service = Scripted(httpx.Response(status, headers={"retry-after": "7"}), httpx.Response(status))
    with service.open() as client:
        assert client.classify_one("plan").stance.label == "neutral"
    assert len(service.requests) == 3
    assert 7 <= waits[0] <= 7.5
    assert 0 <= waits[1] <= 1


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.RemoteProtocolError("")]
)
def test_broken_connection_is_tried_again(waits, error):
    service = Scripted(error, error)
    with service.open() as client:
        client.classify_one("plan")
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            httpx.Response(500, json={"error": {"code": "internal_error", "message": "m", "request_id": "r"}}),
            "internal_error",
        ),
        (httpx.Response(401, json={"error": {"code": "unauthorized", "message": "m"}}), "unauthorized"),
        (httpx.Response(504, text="<html>"), "http_504"),
        (httpx.Response(404, json=[]), "http_404"),
        (httpx.Response(307, headers={"location": "http://elsewhere/"}), "http_307"),
        (httpx.ReadTimeout("slow"), "service_unreachable"),
        (httpx.Response(200, text="<html>"), "invalid_answer"),
        (httpx.Response(200, json={"predictions": [{}]}), "invalid_answer"),
        (httpx.Response(200, json={"predictions": [None]}), "invalid_answer"),
        (httpx.Response(200, json=make_answer(2)), "invalid_answer"),
        (httpx.Response(200, content=json.dumps(make_answer()).replace("0.9", "9" * 400)), "invalid_answer"),
        (httpx.Response(200, content="[" * 100_000), "invalid_answer"),
        (httpx.Response(500, content="[" * 100_000), "http_500"),
    ],
)
def test_what_trying_again_would_not_mend_is_raised_at_once(waits, answer, code):
    service = Scripted(answer)
    with service.open() as client, pytest.raises(ServiceError) as failure:
        client.classify(["plan"])
    assert failure.value.code == code
    assert (len(service.requests), waits) == (1, [])


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://name:secret@service:8443/v1/classify?ticket=secret", "redirect to https://service:8443;"),
        ("/login?ticket=secret", "a redirect;"),
        ("//[secret", "status 308"),
    ],
)
def test_a_redirect_is_said_to_be_one_and_where_it_leads(location, told):
    failure = read_failure(308, httpx.Headers({"location": location}), b"")
    assert told in str(failure)
    assert "secret" not in str(failure)


@pytest.mark.issue(4)
def test_an_answer_that_breaks_off_unnoticed_is_asked_for_again(waits):
    whole = json.dumps(make_answer()).encode()
    cut = [httpx.Response(200, content=whole[: len(whole) // 2]) for _ in range(3)]
    service = Scripted(*cut[:2])
    with service.open() as client:
        assert client.classify_one("plan").stance.label == "neutral"
    assert (len(service.requests), len(waits)) == (3, 2)
    with Scripted(cut[2]).open(max_retries=0) as client, pytest.raises(ServiceError, match="broke off") as failure:
        client.classify(["plan"])
    assert failure.value.code == "invalid_answer"


def test_retries_end_and_a_long_wait_is_given_up(waits):
    service = Scripted(*[httpx.Response(503)] * 10)
    with service.open(max_retries=3) as client, pytest.raises(ServiceError) as failure:
        client.classify(["plan"])
    assert (len(service.requests), failure.value.status) == (4, 503)
    waits.clear()
    service = Scripted(httpx.Response(429, headers={"retry-after": "3600"}))
    with service.open(max_wait_s=30) as client, pytest.raises(ServiceError):
        client.classify(["plan"])
    assert waits == []


def test_nobody_there_is_an_error_of_ours(waits):
    with Client("http://127.0.0.1:9", max_retries=1, timeout_s=5) as client, pytest.raises(ServiceUnreachableError):
        client.classify(["plan"])
    assert len(waits) == 1


def test_jitter_is_full_grows_and_is_capped(monkeypatch):
    asked = []
    monkeypatch.setattr(random, "uniform", lambda low, high: asked.append((low, high)) or high)
    retries = Retries(max_retries=8, max_wait_s=60)
    failure = ServiceError("busy", "overloaded", is_passing=True)
    assert [retries.next_wait_s(failure) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 20, 20]
    assert {low for low, _ in asked} == {0}
    with pytest.raises(ServiceError):
        retries.next_wait_s(failure)


def test_retry_after_as_number_date_or_nonsense():
    assert read_retry_after("3") == 3
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert read_retry_after(date) == pytest.approx(100, abs=10)
    assert read_retry_after(email.utils.formatdate(0, usegmt=True)) == 0
    for value in (None, "", "soon", "-1", "\u0661", f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT"):
        assert read_retry_after(value) is None
    assert read_failure(429, {"retry-after": "3"}, b"").retry_after_s == 3


def test_batches_by_number_and_by_bytes(monkeypatch):
    faults = {}
    assert list(cut_batches(["a", None, "b", "c"], max_texts=2, faults=faults)) == [["a", "b"], ["c"]]
    assert list(faults) == [1]
    monkeypatch.setattr(exchange, "_MAX_BATCH_BYTES", 15)
    batches = list(cut_batches(["中国", "中国", "a" * 50, "b"], max_texts=9, faults=faults))
    assert batches == [["中国"], ["中国"], ["a" * 50], ["b"]]
    assert list(cut_batches([], max_texts=2, faults=faults)) == []


@pytest.mark.issue(7)
@pytest.mark.parametrize("text", ["\x01" * 5, '"\\\n\t' * 4, "\x7f\x1f中国\u2028", "😀é" * 3])
def test_no_batch_of_several_has_more_bytes_as_json_than_it_may(monkeypatch, text):
    most = 100
    monkeypatch.setattr(exchange, "_MAX_BATCH_BYTES", most)
    batches = list(cut_batches([text] * 20, max_texts=99, faults={}))
    n_around = len(make_classify_call([], thresholds=None, explain=False, model=None).body)
    sizes = [len(make_classify_call(batch, thresholds=None, explain=False, model=None).body) for batch in batches]
    n_one = len(json.dumps(text, ensure_ascii=False).encode()) + 2
    assert max(sizes) - n_around <= most
    assert all(size - n_around > most - n_one - 2 for size in sizes[:-1])  # and no fewer than there is room for
    assert [each for batch in batches for each in batch] == [text] * 20


@pytest.mark.issue(7)
async def test_texts_that_json_escapes_are_sent_in_requests_that_the_service_takes(url):
    """Two of 300 kB were sent in one request of 3.6 MB, which is refused, and the others with them."""
    texts = ["\x01" * 300_000, "\x02" * 300_000, "the plan"]
    with Client(url) as client:
        *long, last = client.classify(texts)
    async with AsyncClient(url) as client:
        *others, same = await client.classify(texts)
    assert [each.code for each in long + others] == ["paragraph_too_long"] * 4
    assert (last.stance.label, same) == ("state-led", last)


@pytest.mark.issue(4)
@pytest.mark.parametrize("text", [7, None, "half \ud83d"])
async def test_what_no_request_can_carry_has_its_error_in_its_place(url, text):
    """One such text cost the answers to all others."""
    texts = [text, "the plan", text, "market", text]
    with Client(url, batch_size=1) as client:
        found = client.classify(iter(texts))
        with pytest.raises(InputTypeError):
            client.classify_one(text)
    async with AsyncClient(url, batch_size=1) as client:
        also = await client.classify(texts)
    for items in (found, also):
        assert [getattr(item, "code", "") for item in items] == ["input_not_a_string", ""] * 2 + ["input_not_a_string"]
        assert [items[place].stance.label for place in (1, 3)] == ["state-led", "market-led"]
        assert "text 2" in str(items[2])
    service = Scripted()
    with service.open() as client:
        assert len(client.classify([text])) == 1
    assert service.requests == []


async def test_one_string_is_not_a_list(url):
    with Client(url) as client, pytest.raises(TypeError):
        client.classify("plan")
    async with AsyncClient(url) as client:
        with pytest.raises(TypeError):
            await client.classify("plan")


def test_key_is_sent_and_no_redirect_followed():
    service = Scripted()
    with service.open(api_key="th_key") as client:
        client.classify(["plan"])
    assert service.requests[0].headers["authorization"] == "Bearer th_key"
    service = Scripted()
    with service.open() as client:
        client.classify(["plan"])
    assert "authorization" not in service.requests[0].headers


async def test_async_client_bounds_what_is_on_its_way_and_gives_up_with_the_first_failure(waits):
    running, most, n_asked = 0, 0, 0

    async def answer(request):
        nonlocal running, most, n_asked
        running, n_asked = running + 1, n_asked + 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        if n_asked > 6:
            return httpx.Response(500)
        return httpx.Response(200, json=make_answer(len(json.loads(request.content)["inputs"])))

    transport = httpx.MockTransport(answer)
    async with AsyncClient("http://service", transport=transport, batch_size=1, max_concurrency=3) as client:
        with pytest.raises(ServiceError):
            await client.classify(["plan"] * 100)
        await asyncio.sleep(0.2)  # while the client is open, what was not given up would go on
    assert most == 3
    assert n_asked < 20
    assert waits == []


async def test_async_client_waits_as_told(waits):
    answers = [httpx.Response(429, headers={"retry-after": "2"}), httpx.ConnectError("refused")]
    service = Scripted(*answers)
    async with AsyncClient("http://service", transport=httpx.MockTransport(service)) as client:
        await client.classify(["plan"])
    assert len(service.requests) == 3
    assert 2 <= waits[0] <= 2.5


def test_one_client_serves_several_threads(url, classifier):
    wanted = classifier.classify(TEXTS)
    found = []
    with Client(url) as client:
        threads = [threading.Thread(target=lambda: found.append(client.classify(TEXTS))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert found == [wanted] * 4


@pytest.mark.issue(4)
def test_the_key_goes_beside_what_the_address_has_for_a_proxy():
    service = Scripted()
    with Client("http://desk:proxy@service", api_key="th_key", transport=httpx.MockTransport(service)) as client:
        client.classify(["plan"])
    sent = service.requests[0].headers
    assert sent["x-api-key"] == "th_key"
    assert sent["authorization"].startswith("Basic ")


@pytest.mark.issue(4)
async def test_waiting_for_a_connection_of_ones_own_is_no_fault_of_the_service():
    service = Scripted()
    with service.open(timeout_s=7) as client:
        client.classify(["plan"])
    async with AsyncClient("http://service", transport=httpx.MockTransport(service), timeout_s=7) as client:
        await client.classify(["plan"])
    for request in service.requests:
        assert request.extensions["timeout"] == {"connect": 7, "read": 7, "write": 7, "pool": None}


@pytest.mark.issue(4)
async def test_a_call_that_is_cancelled_as_its_turn_comes_leaves_a_connection_for_those_behind_it(monkeypatch):
    for module in ("transport", "client_async"):
        monkeypatch.setattr(f"twohands.{module}.MOST_CONNECTIONS", 1)
    calls = []

    def cancel_the_next(_):
        calls[1].cancel()
        return {}

    monkeypatch.setattr("twohands.client_async.read_info", cancel_the_next)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as service:
        port = service.sockets[0].getsockname()[1]
        async with AsyncClient(f"http://127.0.0.1:{port}", max_retries=0) as client:
            calls += [asyncio.create_task(client.info()) for _ in range(3)]
            await asyncio.wait(calls, timeout=5)
            assert [call.done() and not call.cancelled() for call in calls] == [True, False, True]


def test_without_httpx_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r"twohands\[client\]"):
        Client()


def test_prediction_is_read_as_it_was_written(classifier):
    for prediction in classifier.classify(TEXTS):
        assert read_prediction(json.loads(json.dumps(prediction.to_dict()))) == prediction
    with pytest.raises(KeyError):
        read_prediction({"stance": {"scores": {}}})


async def test_service_with_keys_is_reached_by_the_key_only(tmp_path, tiny_model, classifier):
    keys = pytest.importorskip("serving.keys")
    key, kept = keys.make_key(name="test")
    keys.write_keys(tmp_path / "keys.json", [kept])
    app = create_app(ServeSettings(model=str(tiny_model), api_keys_file=tmp_path / "keys.json"), classifier)
    async with open_client(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with AsyncClient("http://service", api_key=key, transport=transport) as client:
            assert (await client.classify_one("plan")).stance.label == "state-led"
        async with AsyncClient("http://service", transport=transport) as client:
            with pytest.raises(ServiceError) as failure:
                await client.classify_one("plan")
    assert (failure.value.code, failure.value.status) == ("unauthorized", 401)
