"""The garbage collector passes over what a service holds from its start on, and not over what it let go."""

import gc
import weakref

import pytest

from serving.pauses import settle, settle_anew
from serving.settings import ServeSettings
from tests.serving.running import run_server

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


def test_what_was_let_go_since_is_collected_where_it_was_passed_over():
    ring = Ring()
    gone = weakref.ref(ring)
    settle()
    del ring
    gc.collect()
    assert gone() is not None, "frozen, so no collection sees it"
    settle_anew()
    assert gone() is None
    assert gc.get_freeze_count() > 0


def test_nothing_is_passed_over_where_nobody_asked_for_it():
    settle_anew()
    assert gc.get_freeze_count() == 0


def test_a_service_that_is_ready_has_settled(tiny_model, classifier):
    with run_server(ServeSettings(model=str(tiny_model)), classifier):
        assert gc.get_freeze_count() > 0
