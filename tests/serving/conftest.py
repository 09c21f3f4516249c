"""Fixtures of the serving room: the tiny model, loaded, its app, opened, and our client, which waits no time."""

import asyncio
from types import SimpleNamespace

import pytest

from serving.app import create_app
from serving.settings import ServeSettings
from tests.serving.running import leave_out_of_starts
from tests.serving.support import open_client
from twohands import client as client_module
from twohands import client_async
from twohands.classifier import Classifier


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def fast_starts(request, monkeypatch):
    leave_out_of_starts(request, monkeypatch)


@pytest.fixture(scope="session")
def classifier(tiny_model):
    classifier = Classifier.load(tiny_model, num_threads=2)
    yield classifier
    classifier.close()


@pytest.fixture
def settings(tiny_model):
    return ServeSettings(model=str(tiny_model), max_inputs=8, max_pending=8, max_body_bytes=4000, limit_chars=500)


@pytest.fixture
def app(settings, classifier):
    return create_app(settings, classifier)


@pytest.fixture
async def client(app):
    async with open_client(app) as client:
        yield client


@pytest.fixture
def waits(monkeypatch):
    """How long our client waited, which took no time; the server's threads sleep as they please."""
    waited = []

    async def sleep(wait_s):
        waited.append(wait_s)

    monkeypatch.setattr(client_module, "time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(client_async, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep}))
    return waited
