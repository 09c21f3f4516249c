"""The garbage collector passes over what a service holds from its start on, and not over what it let go.

And what was let go goes back to the system.
"""

import asyncio
import ctypes
import gc
import json
import os
import sys
import threading
import weakref
from pathlib import Path

import pytest

from serving.app import create_app
from serving.freed import give_back
from serving.pauses import settle, settle_anew
from serving.settings import ServeSettings
from tests.serving.running import run_server
from tests.serving.support import open_client
from tests.support.tiny import build_tiny_model
from twohands.classifier import Classifier
from twohands.known import KEY, PARITY_NAME
from twohands.manifest import MANIFEST_NAME, Manifest, write_manifest

pytestmark = [pytest.mark.issue(5), pytest.mark.whole_start]


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


def read_resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_is_free_between_what_is_in_use_goes_back_to_the_system():
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(libc, "malloc_trim"):
        pytest.skip("of glibc alone")
    libc.malloc.argtypes, libc.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p
    libc.free.argtypes, libc.free.restype = (ctypes.c_void_p,), None
    n_bytes, n_pieces = 60_000, 1000  # each below what the library asks the system for by itself
    pieces = [libc.malloc(n_bytes) for _ in range(n_pieces)]
    for piece in pieces:
        ctypes.memset(piece, 1, n_bytes)
    last = pieces.pop()  # in use, above all others: so the heap does not end before it
    for piece in pieces:
        libc.free(piece)
    before = read_resident_bytes()
    give_back()
    assert before - read_resident_bytes() > n_bytes * n_pieces / 2
    libc.free(last)


@pytest.fixture
def given_back(monkeypatch):
    """The threads in which memory was given back since a service was ready."""
    threads = []
    monkeypatch.setattr("serving.pauses.give_back", lambda: threads.append(threading.current_thread()))
    return threads


@pytest.mark.anyio
@pytest.mark.parametrize("exchange", ["refused", "second"])
async def test_what_a_reload_let_go_goes_back_in_a_thread(tmp_path, given_back, exchange):
    folder = build_tiny_model(tmp_path / "mine", version="1")
    app = create_app(ServeSettings(model=str(folder), num_threads=1))
    async with open_client(app) as client:
        settle()

        async def reload():
            return (await client.post("/admin/models/mine/reload", headers={"host": "localhost"})).status_code

        if exchange == "refused":  # once it is loaded and has answered
            (folder / PARITY_NAME).write_text(json.dumps({KEY: [{"text": "The plan.", "logits": [9.0] * 7}]}))
            write_manifest(folder, Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes()))
            assert await reload() == 409
        else:  # the one before stays, for a rollback
            for version in ("2", "3"):
                assert not given_back
                build_tiny_model(folder, version=version)
                assert await reload() == 200
        for _ in range(200):
            if given_back:
                break
            await asyncio.sleep(0.02)
    (thread,) = given_back
    assert thread is not threading.main_thread()


@pytest.mark.anyio
async def test_a_reload_of_what_is_served_already_loads_nothing(tmp_path, monkeypatch):
    folder = build_tiny_model(tmp_path / "mine", version="1")
    app = create_app(ServeSettings(model=str(folder), num_threads=1))
    async with open_client(app) as client:
        loaded = []
        monkeypatch.setattr(
            Classifier, "load", lambda *args, real=Classifier.load, **more: loaded.append(args) or real(*args, **more)
        )

        async def reload():
            return await client.post("/admin/models/mine/reload", headers={"host": "localhost"})

        for _ in range(3):
            assert (await reload()).json()["outcome"] == "unchanged"
        assert loaded == []
        # The same manifest, but a file that it does not name so: that is no model to go on with at the next start.
        (folder / "tokenizer.json").write_text("{}")
        assert (await reload()).status_code == 409


def test_a_service_that_is_ready_has_settled(tiny_model, classifier, monkeypatch):
    given_back = []
    monkeypatch.setattr("serving.server.give_back", lambda: given_back.append(gc.get_freeze_count()))
    with run_server(ServeSettings(model=str(tiny_model)), classifier):
        assert gc.get_freeze_count() > 0
        (n_frozen,) = given_back
        assert n_frozen > 0  # after what nobody holds was collected
