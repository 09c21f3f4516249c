"""Rows without end and documents, by our own client against a running service."""

import asyncio
import itertools
import json
import tracemalloc

import httpx
import numpy as np
import pytest

from serving.settings import ServeSettings
from tests.serving.running import run_server
from twohands import exchange_long
from twohands.client import AsyncClient, Client
from twohands.errors import EmptyParagraphError, InputTypeError, ParagraphTooLongError, ServiceError
from twohands.exchange_long import cut_rows, make_stream_call
from twohands.outputs import encode_line

pytestmark = pytest.mark.anyio
TEXTS = ["the plan", "market", "embargo subsidy", "weather"]


@pytest.fixture(scope="module")
def url(tiny_model, classifier):
    settings = ServeSettings(model=str(tiny_model), max_inputs=8, max_pending=64, limit_chars=500)
    with run_server(settings, classifier) as url:
        yield url


async def collect(answers):
    return [answer async for answer in answers]


async def test_rows_come_back_in_order_by_name_or_place(url, classifier):
    texts = [f"{TEXTS[n % 4]} {n}" for n in range(300)]
    expected = list(enumerate(classifier.classify(texts)))
    with Client(url) as client:
        assert list(client.stream(iter(texts))) == expected
        named = list(client.stream([("a", "plan"), (7, " "), "x" * 501]))
    assert [name for name, _ in named] == ["a", 7, 2]
    assert [type(item) for _, item in named[1:]] == [EmptyParagraphError, ParagraphTooLongError]
    async with AsyncClient(url) as client:
        assert await collect(client.stream(texts)) == expected

        async def lazily():
            for text in texts:
                yield text

        assert await collect(client.stream(lazily())) == expected
        assert await collect(client.stream([])) == []


async def test_options_reach_the_service(url):
    with Client(url) as client:
        ((_, prediction),) = client.stream(["The plan. The market."], explain=True, thresholds={"stance": 1.0})
        assert prediction.stance.abstained
        assert prediction.evidence is not None
        for wrong in ({"model": "absent"}, {"thresholds": {"absent": 0.5}}):
            with pytest.raises(ServiceError) as failure:
                list(client.stream(["plan"], **wrong))
            assert failure.value.status in {404, 422}


def test_rows_without_end_are_read_no_further_than_needed(url):
    n_read = 0

    def count():
        nonlocal n_read
        for n_read in itertools.count(1):  # noqa: B007 - counted for the test
            yield "the plan"

    with Client(url) as client:
        answers = client.stream(count())
        for _ in range(200):
            next(answers)
        assert n_read < 500


async def test_async_stream_is_bounded_too_and_ends_when_it_is_left(url):
    n_read = 0

    def count():
        nonlocal n_read
        for n_read in itertools.count(1):  # noqa: B007 - counted for the test
            yield "the plan"

    async with AsyncClient(url, max_concurrency=2) as client:
        answers = client.stream(count())
        for _ in range(200):
            await anext(answers)
        await answers.aclose()
        assert n_read < 1000
    assert [task for task in asyncio.all_tasks() if "_ask" in repr(task)] == []


def test_memory_of_a_long_stream_is_constant():
    def answer(request):
        rows = [json.loads(line) for line in request.content.splitlines()]
        return httpx.Response(200, content=b"".join(encode_line({"id": row["id"], **PREDICTION}) for row in rows))

    def run(n_rows):
        with Client("http://service", transport=httpx.MockTransport(answer)) as client:
            tracemalloc.start()
            n_answers = sum(1 for _ in client.stream("the plan of the market" for _ in range(n_rows)))
            peak_bytes = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert n_answers == n_rows
        return peak_bytes

    assert run(8000) < 3_000_000  # held, the predictions of 8000 rows alone are some 12 MB


PREDICTION = {
    "stance": {"label": "neutral", "score": 0.9, "scores": {"neutral": 0.9, "state-led": 0.1}, "abstained": False},
    "n_tokens": 3, "n_windows": 1, "truncated": False, "n_tokens_cut": 0, "evidence": None, "warnings": [],
}  # fmt: skip


def answer_rows(request):
    rows = [json.loads(line) for line in request.content.splitlines()]
    return b"".join(encode_line({"id": row["id"], **PREDICTION}) for row in rows)


@pytest.mark.parametrize("fault", ["broken off", "engine_stopped", "429", "reset"])
async def test_a_part_that_fails_in_passing_is_sent_again_and_no_row_twice(fault, monkeypatch):
    monkeypatch.setattr("twohands.exchange.random.uniform", lambda _low, _high: 0.0)
    seen = []

    def answer(request):
        seen.append(request)
        content = answer_rows(request)
        if len(seen) != 2:
            return httpx.Response(200, content=content)
        if fault == "reset":
            raise httpx.ReadError("reset")
        if fault == "429":
            return httpx.Response(429, headers={"retry-after": "0"})
        if fault == "broken off":
            return httpx.Response(200, content=content[: len(content) // 2])
        lines = content.splitlines(keepends=True)
        lines[-1] = encode_line({"id": json.loads(lines[-1])["id"], "error": {"code": fault, "message": "m"}})
        return httpx.Response(200, content=b"".join(lines))

    texts = ["plan"] * 300
    with Client("http://service", transport=httpx.MockTransport(answer)) as client:
        assert [name for name, _ in client.stream(texts)] == list(range(300))
    assert len(seen) == 4
    seen.clear()
    async with AsyncClient("http://service", transport=httpx.MockTransport(answer)) as client:
        assert [name for name, _ in await collect(client.stream(texts))] == list(range(300))


@pytest.mark.issue(5)
@pytest.mark.usefixtures("waits")
async def test_rows_that_were_answered_beside_one_that_fails_in_passing_are_not_sent_again():
    sent = []

    def answer(request):
        rows = [json.loads(line) for line in request.content.splitlines()]
        sent.append([row["id"] for row in rows])
        fault = {"code": ["deadline_exceeded", "engine_stopped", ""][len(sent) - 1], "message": "m"}
        lines = answer_rows(request).splitlines(keepends=True)
        if len(sent) == 1:  # one row that alone takes the service too long
            lines[2] = encode_line({"id": rows[2]["id"], "error": fault})
        elif len(sent) == 2:  # its end, told in a line without a name
            lines = [encode_line({"id": None, "error": fault})]
        return httpx.Response(200, content=b"".join(lines))

    texts = [7, "plan", "plan", "plan", "plan"]  # the first stays behind
    with Client("http://service", transport=httpx.MockTransport(answer)) as client:
        found = list(client.stream(texts))
    assert sent == [[1, 2, 3, 4], [3], [3]]
    assert [name for name, _ in found] == [0, 1, 2, 3, 4]
    assert [isinstance(item, InputTypeError) for _, item in found] == [True, False, False, False, False]
    sent.clear()
    async with AsyncClient("http://service", transport=httpx.MockTransport(answer)) as client:
        assert [name for name, _ in await collect(client.stream(texts))] == [0, 1, 2, 3, 4]
    assert sent == [[1, 2, 3, 4], [3], [3]]


@pytest.mark.issue(5)
@pytest.mark.usefixtures("waits")
async def test_rows_before_one_that_never_has_an_answer_are_given_so_that_it_is_the_next():
    fault = {"error": {"code": "deadline_exceeded", "message": "m"}}

    def answer(request):
        rows = [json.loads(line) for line in request.content.splitlines()]
        if rows[0]["id"] == 130:
            return httpx.Response(429, json=fault)
        lines = [encode_line({"id": row["id"], **(fault if row["id"] == 130 else PREDICTION)}) for row in rows]
        return httpx.Response(200, content=b"".join(lines))

    async def take(answers, given):
        async for name, _ in answers:
            given.append(name)  # what came before an error stays

    transport, texts, given, given_async = httpx.MockTransport(answer), ["plan"] * 400, [], []
    with Client("http://service", transport=transport) as client, pytest.raises(ServiceError) as failure:
        given += (name for name, _ in client.stream(texts))
    assert (failure.value.code, given) == ("deadline_exceeded", list(range(130)))
    async with AsyncClient("http://service", transport=transport) as client:
        with pytest.raises(ServiceError) as failure:
            await take(client.stream(texts), given_async)
    assert (failure.value.code, given_async) == ("deadline_exceeded", list(range(130)))


@pytest.mark.parametrize(
    "content",
    [b"<html>\n" * 3, b"[]\n" * 3, b"{}\n" * 3, b'{"id":0}\n{"id":1}\n{"id":2}\n', b"[" * 100_000 + b"\n"],
    ids=lambda content: str(content[:8]),
)
def test_what_is_no_answer_of_the_service_is_said_to_be_none(content):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    with Client("http://service", transport=transport) as client, pytest.raises(ServiceError) as failure:
        list(client.stream(["plan"] * 3))
    assert failure.value.code == "invalid_answer"


def test_parts_are_bounded_by_rows_and_by_bytes(monkeypatch):
    monkeypatch.setattr(exchange_long, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(exchange_long, "_BYTES_AT_ONCE", 10)
    parts = [[text for _, text in part] for part in cut_rows(["a", "b", "c", "x" * 50, "d", "中国中"])]
    assert parts == [["a", "b"], ["c"], ["x" * 50], ["d", "中国中"]]


@pytest.mark.issue(4)
def test_thresholds_of_numpy_are_sent_as_numbers():
    thresholds = {"regulation": np.float64(0.5), "sanctions": np.float32(0.25)}
    call = make_stream_call([(0, "plan")], thresholds=thresholds, explain=False, model=None)
    assert call.query == (("threshold", "regulation=0.5"), ("threshold", "sanctions=0.25"))


@pytest.mark.parametrize("row", [(None, "plan"), (True, "plan"), ("\ud83d", "plan")])
def test_a_row_whose_answer_would_have_no_name_is_refused_before_it_is_sent(row):
    with pytest.raises(InputTypeError):
        list(cut_rows([row]))


@pytest.mark.issue(4)
@pytest.mark.parametrize("text", [7, None, "half \ud83d", ("a", "plan", 1)])
async def test_one_row_without_text_does_not_end_a_stream(url, text):
    rows = [text, *(("row", "the plan"), ("bad", text)) * 200, *[("bad", text)] * 300]
    with Client(url) as client:
        found = list(client.stream(iter(rows)))
        assert [name for name, _ in client.stream([text])] == [0]
    async with AsyncClient(url) as client:
        assert [name for name, _ in found] == [name async for name, _ in client.stream(rows)]
    assert [name for name, _ in found] == [0, *["row", "bad"] * 200, *["bad"] * 300]
    for name, item in found:
        assert item.stance.label == "state-led" if name == "row" else isinstance(item, InputTypeError)


def test_one_string_is_not_taken_for_rows(url):
    with Client(url) as client, pytest.raises(TypeError):
        list(client.stream("the plan"))


async def test_documents_come_back_typed(url, classifier):
    text = "The plan of the market.\n\nThe market."
    with Client(url) as client:
        document = client.classify_document(text, thresholds={"stance": 1.0})
        assert [text[each.start : each.end] for each in document.paragraphs] == [
            "The plan of the market.",
            "The market.",
        ]
        assert document.paragraphs[0].item.stance.abstained
        assert document.text is None
        assert document.model == classifier.identity
        assert document.summary["n_paragraphs"] == 2
        assert [each.section for each in document.paragraphs] == [None, None]
        below = client.classify_document(f"# Ports\n\n{text}")
        assert [each.section for each in below.paragraphs] == ["Ports", "Ports"]
        assert [each.speaker for each in below.paragraphs] == [None, None]
        spoken = client.classify_document("Mr. Bo: The plan.\n\nMs. Li: The market.\n\nMr. Bo: The weather.")
        assert [each.speaker for each in spoken.paragraphs] == ["Mr. Bo", "Ms. Li", "Mr. Bo"]
        from_bytes = client.classify_document(text.encode(), media_type="text/plain")
        assert [each.start for each in from_bytes.paragraphs] == [each.start for each in document.paragraphs]
        wanted = {"thresholds": {"stance": 1.0}, "explain": True}
        explained = client.classify_document(text, **wanted)
        assert client.classify_document(text.encode(), media_type="text/plain", **wanted) == explained
        assert [each.text for each in explained.paragraphs] == text.split("\n\n")
        assert explained.paragraphs[0].item.stance.abstained
        assert explained.paragraphs[0].item.evidence["stance"]["sentence"] == "The plan of the market."
        assert document.paragraphs[0].text is None
        first, long = client.classify_document(f"The plan.\n\n{'A plan. ' * 70}").paragraphs
        assert (first.item.stance.label, type(long.item)) == ("state-led", ParagraphTooLongError)
        assert "in line 3" in str(long.item)
        with pytest.raises(ServiceError) as failure:
            client.classify_document(b"%PDF-", media_type="image/png")
        assert failure.value.status == 415
    async with AsyncClient(url) as client:
        assert await client.classify_document(text, thresholds={"stance": 1.0}) == document
        assert await client.classify_document(text, **wanted) == explained


@pytest.mark.issue(4)
def test_evidence_that_a_document_lacks_says_why():
    fault = {"code": "deadline_exceeded", "message": "m"}
    paragraphs = [{"paragraph": n, "start": n, "end": n + 1, **PREDICTION} for n in range(2)]
    paragraphs[1]["evidence_error"] = fault
    answer = {"model": {}, "document": {"text": None}, "paragraphs": paragraphs, "summary": None}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    with Client("http://service", transport=transport) as client:
        found = client.classify_document("plan", explain=True).paragraphs
    assert [each.evidence_error for each in found] == [None, fault]
    assert [each.item.stance.label for each in found] == ["neutral", "neutral"]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"plan", {}),
        ("\ud800", {}),
        ("<p>plan", {"media_type": "text/html"}),
    ],
)
def test_a_document_that_cannot_be_sent_as_asked_is_refused(url, content, options):
    with Client(url) as client, pytest.raises(InputTypeError):
        client.classify_document(content, **options)
