import asyncio
import threading
import time

import numpy as np
import pytest

from serving.engine import Engine
from tests.serving.support import Gate
from twohands.encoding import EncodedParagraph
from twohands.errors import EngineStoppedError, NonFiniteLogitsError, OverloadedError

pytestmark = pytest.mark.anyio


def paragraph(*numbers):
    """One window for each number; the echoing model answers with it."""
    windows = tuple(np.array([number], dtype=np.int64) for number in numbers)
    return EncodedParagraph(windows=windows, n_tokens=1, n_tokens_cut=0, n_tokens_unknown=0)


def echo(windows):
    return np.array([window.astype(np.float32) for window in windows])


def make_engine(run_batch=echo, *, num_threads=2, max_pending=4, max_queue_tokens=100, timeout_s=20.0):
    return Engine(
        run_batch=run_batch,
        num_threads=num_threads,
        max_pending=max_pending,
        max_queue_tokens=max_queue_tokens,
        timeout_s=timeout_s,
    )


async def test_each_paragraph_gets_its_own_row_and_windows_are_averaged():
    engine = make_engine()
    first, second = await asyncio.gather(
        engine.run([paragraph(1), paragraph(2, 4), paragraph(5)]), engine.run([paragraph(7)])
    )
    assert first.value.tolist() == [[1], [3], [5]]
    assert second.value.tolist() == [[7]]
    assert first.queue_ms >= 0
    assert first.work_ms > 0
    await engine.stop()


async def test_no_more_threads_run_than_were_asked_for():
    running, most, lock = 0, 0, threading.Lock()

    def run_batch(windows):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1
        return echo(windows)

    engine = make_engine(run_batch, num_threads=2)
    await asyncio.gather(*(engine.run([paragraph(1, 2), paragraph(3)]) for _ in range(5)))
    assert most == 2
    await engine.stop()


async def test_poisoned_paragraph_fails_alone():
    def run_batch(windows):
        if windows[0][0] == 13:
            raise NonFiniteLogitsError("poison")
        return echo(windows)

    engine = make_engine(run_batch)
    bad, good = await asyncio.gather(
        engine.run([paragraph(1), paragraph(13, 2)]), engine.run([paragraph(4)]), return_exceptions=True
    )
    assert isinstance(bad, NonFiniteLogitsError)
    assert good.value.tolist() == [[4]]
    assert (await engine.run([paragraph(5)])).value.tolist() == [[5]]
    await engine.stop()


@pytest.mark.parametrize("n_rows", [0, 2])
async def test_wrong_number_of_rows_is_an_error_not_a_hang(n_rows):
    engine = make_engine(lambda _: np.zeros((n_rows, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="values to unpack"):
        await asyncio.wait_for(engine.run([paragraph(1)]), 5)
    await engine.stop()


async def test_requests_are_admitted_whole_or_refused_whole():
    engine = make_engine(max_pending=4)
    with engine.admit(3):
        with pytest.raises(OverloadedError), engine.admit(2):
            pass
        assert engine.n_pending == 3
        with engine.admit(1):
            assert engine.n_pending == 4
    assert engine.n_pending == 0
    with engine.admit(4):
        pass
    await engine.stop()


async def test_failed_request_gives_its_place_back():
    engine = make_engine()
    with pytest.raises(KeyError), engine.admit(4):
        raise KeyError
    assert engine.n_pending == 0
    await engine.stop()


async def test_stop_answers_all_who_wait():
    gate = Gate(1, n_free=0)
    engine = make_engine(gate.run_batch, num_threads=1)
    waiting = [asyncio.create_task(engine.run([paragraph(number)])) for number in range(3)]
    await asyncio.to_thread(gate.reached.wait, 5)
    engine.abandon()
    answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [type(answer) for answer in answers] == [EngineStoppedError] * 3
    gate.opened.set()
    await engine.stop()
    assert gate.n_begun == 1  # what had not begun never ran
    with pytest.raises(EngineStoppedError):
        await engine.run([paragraph(1)])
    with pytest.raises(EngineStoppedError), engine.admit(1):
        pass


async def test_cancelled_caller_leaves_the_others_alone_and_costs_nothing_more():
    gate = Gate(1, n_free=0)
    engine = make_engine(gate.run_batch, num_threads=1)
    first = asyncio.create_task(engine.run([paragraph(1)]))
    await asyncio.to_thread(gate.reached.wait, 5)
    gone = asyncio.create_task(engine.run([paragraph(2), paragraph(3)]))
    last = asyncio.create_task(engine.run([paragraph(4)]))
    await asyncio.sleep(0)
    gone.cancel()
    gate.opened.set()
    assert (await first).value.shape == (1, 1)
    assert (await asyncio.wait_for(last, 5)).value.shape == (1, 1)
    assert gone.cancelled()
    assert gate.n_begun == 2
    await engine.stop()


async def test_event_loop_goes_on_while_the_model_runs():
    gate = Gate(1, n_free=0)
    engine = make_engine(gate.run_batch, num_threads=1)
    running = asyncio.create_task(engine.run([paragraph(1)]))
    await asyncio.to_thread(gate.reached.wait, 5)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not running.done()
    gate.opened.set()
    await running
    await engine.stop()


async def test_idle_engine_costs_no_cpu():
    engine = make_engine()
    await engine.run([paragraph(1, 2, 3)])
    before_s = time.process_time()
    await asyncio.sleep(0.3)
    assert time.process_time() - before_s < 0.1
    await engine.stop()
