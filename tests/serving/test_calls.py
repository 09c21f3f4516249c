"""How much a request runs, counted instead of timed: a clock tells nothing on a machine that others use."""

import sys
from collections import Counter

import pytest

from tests.serving.test_departures import Client, make_scope

pytestmark = pytest.mark.anyio

# Of Python functions, on the event loop, without the server itself; 0.11.0 made 795, and now they are some 395. Behind
# a model each costs nearly twice what it does in a tight loop, so what raises this is to be worth it.
MOST_CALLS = 450


async def test_a_request_makes_few_calls(app, client):
    assert (await client.post("/v1/classify", json={"inputs": "plan"})).status_code == 200  # what is made once is made
    calls: Counter[str] = Counter()

    def count(frame, event, _argument):
        if event == "call":
            calls[frame.f_code.co_qualname] += 1

    asked = Client(b'{"inputs": "The state will plan steel."}')
    scope = make_scope() | {"state": {"calls_lose_connection": True, "body_has_come": True}}
    sys.setprofile(count)
    try:
        await app(scope, asked.receive, asked.send)
    finally:
        sys.setprofile(None)
    assert asked.sent[0]["status"] == 200
    assert calls.total() <= MOST_CALLS, calls.most_common(20)
