"""The garbage collector passes over what a service holds from its start on, and not over what it let go."""

import asyncio
import gc
import weakref

import pytest

from serving.app import create_app
from serving.pauses import settle, settle_anew
from serving.settings import ServeSettings
from tests.serving.running import run_server
from tests.serving.support import open_client
from tests.support.tiny import build_tiny_model

pytestmark = pytest.mark.issue(5)


class Ring:
    """Held by itself alone, as a model may be that was let go."""

    def __init__(self):
        self.me = self


@pytest.fixture(autouse=True)
def unfrozen():
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_is_there_is_passed_over_and_what_comes_later_is_not():
    held = [[] for _ in range(1000)]
    settle()
    assert gc.get_freeze_count() > len(held)
    assert not any(each is held[0] for each in gc.get_objects())
    gone = weakref.ref(Ring())
    gc.collect()
    assert gone() is None


@pytest.mark.anyio
async def test_what_was_let_go_since_is_collected_where_it_was_passed_over():
    ring = Ring()
    gone = weakref.ref(ring)
    settle()
    del ring
    gc.collect()
    assert gone() is not None, "frozen, so no collection sees it"
    waiting = [False, False, True]  # the third time nobody waits
    await settle_anew(lambda: waiting.pop(0))
    assert waiting == []
    assert gone() is None
    assert gc.get_freeze_count() > 0


@pytest.mark.anyio
async def test_nothing_is_passed_over_where_nobody_asked_for_it():
    await settle_anew(lambda: True)
    assert gc.get_freeze_count() == 0


@pytest.mark.anyio
async def test_a_model_that_is_exchanged_twice_is_let_go(tmp_path):
    """Held by itself and passed over, it would stay for as long as the service runs."""
    folder = build_tiny_model(tmp_path / "mine", version="1")
    app = create_app(ServeSettings(model=str(folder), num_threads=1))
    async with open_client(app) as client:
        oldest = app.state.models.slots[0].current
        oldest.me, gone = oldest, weakref.ref(oldest)
        del oldest
        settle()
        for version in ("2", "3"):
            build_tiny_model(folder, version=version)
            assert (await client.post("/admin/models/mine/reload", headers={"host": "localhost"})).status_code == 200
        for _ in range(200):
            if gone() is None:
                break
            await asyncio.sleep(0.02)
        assert gone() is None


def test_a_service_that_is_ready_has_settled(tiny_model, classifier):
    with run_server(ServeSettings(model=str(tiny_model)), classifier):
        assert gc.get_freeze_count() > 0
