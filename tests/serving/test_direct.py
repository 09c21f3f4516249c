import inspect

import pytest
from pydantic import TypeAdapter

from serving import direct
from serving.app import _ROUTERS, create_app
from serving.direct import PATHS, find_direct
from tests.serving.support import JSON, open_client

pytestmark = pytest.mark.anyio


def test_direct_routes_are_there_and_want_nothing_of_fastapi():
    routes = find_direct(_ROUTERS)
    assert set(routes) == PATHS
    for route in routes.values():
        assert list(inspect.signature(route.endpoint).parameters) == ["request"]
        assert inspect.iscoroutinefunction(route.endpoint)
        assert route.dependencies == []


async def test_what_is_asked_most_goes_past_the_router(app, client):
    app.router.routes.clear()
    for path in PATHS:
        assert (await client.post(path, json={"inputs": "plan"})).status_code == 200
    assert (await client.get("/healthz")).status_code == 404


@pytest.mark.issue(5)
@pytest.mark.whole_start
async def test_the_first_request_makes_no_routes_ready(client, monkeypatch):
    make, made = TypeAdapter.__init__, []

    def note(self, *arguments, **named):
        made.append(arguments)
        make(self, *arguments, **named)

    monkeypatch.setattr(TypeAdapter, "__init__", note)
    assert (await client.get("/readyz")).status_code == 200
    assert (await client.get("/v2/models/tiny")).status_code == 200
    assert made == []  # two hundred, which took the event loop a tenth of a second


@pytest.mark.parametrize("path", sorted(PATHS))
async def test_both_ways_answer_alike(settings, classifier, client, monkeypatch, path):
    asked = [
        {"json": {"inputs": "plan"}},
        {"content": b"{", "headers": JSON},
        {"content": b"{}", "headers": JSON},
        {"content": b"{}"},
        {"json": {"inputs": "plan"}, "params": {"modle": "a"}},
        {"json": {"inputs": ""}},
        {"json": {"inputs": ["plan"] * 9}},
    ]
    monkeypatch.setattr(direct, "PATHS", frozenset())
    async with open_client(create_app(settings, classifier)) as by_the_router:
        for each in asked:
            named = {**each, "headers": {**each.get("headers", {}), "x-request-id": "one"}}
            short, long = await client.post(path, **named), await by_the_router.post(path, **named)
            assert (short.status_code, short.json()) == (long.status_code, long.json())
            assert short.headers.keys() == long.headers.keys()
