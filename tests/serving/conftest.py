"""Fixtures of the serving room: the tiny model, loaded, and its app, opened."""

import pytest

from serving.app import create_app
from serving.settings import ServeSettings
from tests.serving.support import open_client
from twohands.classifier import Classifier


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


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
