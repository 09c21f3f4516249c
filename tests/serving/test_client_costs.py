"""A batch that takes the service too long is sent by halves, since the same request would take as long again."""

import json

import httpx
import pytest

from tests.serving.test_client import make_answer
from twohands.client import AsyncClient, Client
from twohands.errors import EmptyParagraphError, ServiceError

pytestmark = pytest.mark.anyio


class Slow:
    """Answers requests of few texts; each prediction names its text by `n_tokens`."""

    def __init__(self, most, *, status=429, code="deadline_exceeded", retry_after="2"):
        self.most, self.status, self.code, self.retry_after = most, status, code, retry_after
        self.sizes = []

    def __call__(self, request):
        texts = json.loads(request.content)["inputs"]
        self.sizes.append(len(texts))
        if len(texts) > self.most:
            error = {"code": self.code, "message": "not answered within 30 s; send less at once"}
            return httpx.Response(self.status, json={"error": error}, headers={"retry-after": self.retry_after})
        (prediction,) = make_answer()["predictions"]
        answers = [prediction | {"n_tokens": int(text)} if text else {"error": EMPTY} for text in texts]
        return httpx.Response(200, json={"model": {}, "predictions": answers})

    async def ask(self, kind, texts, **options):
        transport = httpx.MockTransport(self)
        if kind is Client:
            with Client("http://service", transport=transport, **options) as client:
                return client.classify(texts)
        async with AsyncClient("http://service", transport=transport, max_concurrency=1, **options) as client:
            return await client.classify(texts)


EMPTY = {"code": "empty_paragraph", "message": "nothing"}
both = pytest.mark.parametrize("kind", [Client, AsyncClient])


@both
@pytest.mark.parametrize("status", [429, 503])
async def test_a_batch_that_takes_too_long_is_halved_in_order(waits, kind, status):
    service = Slow(3, status=status)
    texts = [str(number) for number in range(20)]
    items = await service.ask(kind, [*texts, ""], batch_size=11)
    assert [item.n_tokens for item in items[:-1]] == list(range(20))
    assert isinstance(items[-1], EmptyParagraphError)
    # 11 -> 6 -> 3, and so from then on; the second batch has 10.
    assert service.sizes == [11, 6, 3, 3, 3, 2, 3, 3, 3, 1]
    assert len(waits) == 2
    assert all(2 <= wait_s <= 2.5 for wait_s in waits)  # not before the service said


@both
async def test_one_text_that_takes_too_long_is_tried_no_more_often_than_asked(waits, kind):
    service = Slow(0)
    with pytest.raises(ServiceError) as failure:
        await service.ask(kind, ["1"] * 8, batch_size=8, max_retries=2)
    assert failure.value.code == "deadline_exceeded"
    assert service.sizes == [8, 4, 2, 1, 1, 1]
    assert len(waits) == 5


@both
@pytest.mark.parametrize(
    ("told", "options", "sizes"),
    [
        ({"code": "overloaded"}, {"max_retries": 2}, [4, 4, 4]),  # another request's cost
        ({"code": "rate_limited"}, {"max_retries": 1}, [4, 4]),
        ({}, {"max_retries": 0}, [4]),  # nothing is sent again
        ({"retry_after": "99"}, {"max_wait_s": 60}, [4]),
        ({"status": 500}, {}, [4]),
    ],
)
async def test_what_halving_would_not_mend_is_not_halved(waits, kind, told, options, sizes):
    service = Slow(3, **told)
    with pytest.raises(ServiceError):
        await service.ask(kind, ["1"] * 4, batch_size=4, **options)
    assert service.sizes == sizes
    assert len(waits) == len(sizes) - 1


async def test_batches_on_their_way_at_once_learn_from_each_other(waits):
    service = Slow(2)
    transport = httpx.MockTransport(service)
    async with AsyncClient("http://service", transport=transport, batch_size=8, max_concurrency=3) as client:
        items = await client.classify([str(number) for number in range(64)])
    assert [item.n_tokens for item in items] == list(range(64))
    too_long = [size for size in service.sizes if size > 2]
    assert len(too_long) == len(waits) <= 3 * 2
    assert sum(size for size in service.sizes if size <= 2) == 64
