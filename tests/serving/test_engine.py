import asyncio
import threading
import time

import numpy as np
import pytest

from serving.engine import Engine
from tests.serving.support import Gate
from twohands.encoding import EncodedParagraph
from twohands.errors import DeadlineError, EngineStoppedError, NonFiniteLogitsError, OverloadedError

pytestmark = pytest.mark.anyio


def paragraph(*numbers):
    """One window for each number; the echoing model answers with it."""
    windows = tuple(np.array([number], dtype=np.int64) for number in numbers)
    return EncodedParagraph(windows=windows, n_tokens=1, n_tokens_cut=0, n_tokens_unknown=0)


def echo(windows):
    return np.array([window.astype(np.float32) for window in windows])


def make_engine(run_batch=echo, *, num_threads=2, max_pending=4, max_queue_tokens=100, timeout_s=20.0, most_windows=1):
    return Engine(
        run_batch=run_batch,
        num_threads=num_threads,
        max_pending=max_pending,
        max_queue_tokens=max_queue_tokens,
        timeout_s=timeout_s,
        most_windows=most_windows,
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
    with pytest.raises(ValueError, match="zip"):
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


async def test_request_that_waits_too_long_is_refused_and_never_run():
    gate = Gate(1, n_free=0)
    engine = make_engine(gate.run_batch, num_threads=1)
    first = asyncio.create_task(engine.run([paragraph(1)]))
    await asyncio.to_thread(gate.reached.wait, 5)
    now_s = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineError) as caught:
        await engine.run([paragraph(2), paragraph(3)], deadline_s=now_s + 0.05)
    assert caught.value.retry_after_s >= 1
    assert engine.queue_tokens == 0
    gate.opened.set()
    await first
    assert (await engine.run([paragraph(4)])).value.tolist() == [[0]]
    assert gate.n_begun == 2
    await engine.stop()


async def test_expired_request_costs_no_run_even_if_its_timer_is_late():
    begun = []

    def run_batch(windows):
        begun.append(int(windows[0][0]))
        time.sleep(0.2)
        return echo(windows)

    engine = make_engine(run_batch, num_threads=1)
    now_s = asyncio.get_running_loop().time()
    first = asyncio.create_task(engine.run([paragraph(1)]))
    late = asyncio.create_task(engine.run([paragraph(2)], deadline_s=now_s + 0.1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    time.sleep(0.4)  # noqa: ASYNC251 - the loop is busy, so that its timers are late
    await first
    with pytest.raises(DeadlineError):
        await late
    assert begun == [1]
    await engine.stop()


async def test_model_that_times_out_itself_is_not_taken_for_a_deadline():
    def run_batch(_):
        raise TimeoutError("of the model")

    engine = make_engine(run_batch)
    with pytest.raises(TimeoutError, match="of the model"):
        await engine.run([paragraph(1)])
    await engine.stop()


async def test_full_queue_refuses_by_tokens_and_says_when_to_come_back():
    gate = Gate(1, n_free=0)
    engine = make_engine(gate.run_batch, num_threads=1, max_queue_tokens=16, max_pending=100)
    waiting = [asyncio.create_task(engine.run([paragraph(1)] * 12)), asyncio.create_task(engine.run([paragraph(1)]))]
    await asyncio.to_thread(gate.reached.wait, 5)
    assert engine.queue_tokens == 12
    with pytest.raises(OverloadedError) as caught:
        await engine.run([paragraph(1)] * 2)
    assert caught.value.retry_after_s >= 1
    waiting += [asyncio.create_task(engine.run([paragraph(1)])) for _ in range(4)]  # room kept for small ones
    await asyncio.sleep(0)
    assert engine.queue_tokens == 16
    with pytest.raises(OverloadedError):
        await engine.run([paragraph(1)])
    with pytest.raises(OverloadedError), engine.admit(1):  # before its text is even read
        pass
    gate.opened.set()
    await asyncio.gather(*waiting)
    assert engine.queue_tokens == 0
    await engine.stop()


async def test_texts_that_are_still_read_count_by_their_estimate():
    gate = Gate(1, n_free=0)
    engine = make_engine(gate.run_batch, num_threads=1, max_queue_tokens=16, max_pending=100)
    with engine.admit(5, n_tokens=10) as place:
        assert engine.queue_tokens == 10
        with pytest.raises(OverloadedError), engine.admit(5, n_tokens=10):  # a burst does not overshoot
            pass
        first = asyncio.create_task(engine.run([paragraph(1)] * 9, place=place))
        await asyncio.to_thread(gate.reached.wait, 5)
        assert engine.queue_tokens == 8  # one runs; what waits is counted once, and as it is
    assert engine.queue_tokens == 8
    with engine.admit(1, n_tokens=1) as place:
        # More than was promised: the room is asked for, and this one has none.
        with pytest.raises(OverloadedError):
            await engine.run([paragraph(1)] * 6, place=place)
        assert engine.queue_tokens == 8
    with pytest.raises(KeyError), engine.admit(1, n_tokens=1):
        raise KeyError
    assert engine.queue_tokens == 8
    gate.opened.set()
    await first
    await engine.stop()


async def test_what_was_promised_is_kept_though_the_room_is_gone_meanwhile():
    gate = Gate(1, n_free=0)
    engine = make_engine(gate.run_batch, num_threads=1, max_queue_tokens=16, max_pending=100)
    with engine.admit(8, n_tokens=8) as place:
        others = [asyncio.create_task(engine.run([paragraph(1)]))]
        await asyncio.to_thread(gate.reached.wait, 5)  # one runs
        others += [asyncio.create_task(engine.run([paragraph(1)])) for _ in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await engine.run([paragraph(1)])
        mine = asyncio.create_task(engine.run([paragraph(2)] * 8, place=place))
        await asyncio.sleep(0)
        assert engine.queue_tokens == 16
        gate.opened.set()
        assert len((await mine).value) == 8
    await asyncio.gather(*others)
    await engine.stop()


async def test_one_key_cannot_take_all_of_the_room():
    engine = make_engine(max_queue_tokens=1000, max_pending=16)
    with engine.admit(6, n_tokens=600, caller="a"):
        with pytest.raises(OverloadedError), engine.admit(7, n_tokens=1, caller="a"):
            pass
        with pytest.raises(OverloadedError), engine.admit(1, n_tokens=151, caller="a"):
            pass
        with engine.admit(6, n_tokens=50, caller="a"), engine.admit(1, n_tokens=60, caller="b"):
            assert (engine.n_pending, engine.queue_tokens) == (13, 710)
    with engine.admit(16, n_tokens=1000, caller="a"):  # where nothing of it waits, a large one is still taken in
        pass
    with engine.admit(8, n_tokens=1), engine.admit(1, n_tokens=1):  # without keys there is nobody to share with
        pass
    assert (engine.n_pending, engine.queue_tokens) == (0, 0)
    await engine.stop()


async def test_keys_share_the_model_whatever_each_sends():
    begun, is_under_way = [], threading.Event()

    def run_batch(windows):
        begun.append(int(windows[0][0]))
        if len(begun) == 5:
            is_under_way.set()
        time.sleep(0.002)
        return echo(windows)

    engine = make_engine(run_batch, num_threads=1, max_queue_tokens=1000, max_pending=1000)

    async def ask(number, caller):
        with engine.admit(1, n_tokens=1, caller=caller) as place:
            await engine.run([paragraph(number)], place=place)

    many = [asyncio.create_task(ask(1, "many")) for _ in range(200)]
    await asyncio.to_thread(is_under_way.wait, 5)
    before = len(begun)
    await asyncio.gather(*(ask(2, "few") for _ in range(10)))
    few = [place for place, number in enumerate(begun) if number == 2]
    assert max(few) - before <= 30  # alternating; in order of arrival they would stand behind 190
    await asyncio.gather(*many)
    await engine.stop()


async def test_cancelled_caller_gives_its_tokens_back():
    gate = Gate(1, n_free=0)
    engine = make_engine(gate.run_batch, num_threads=1)
    first = asyncio.create_task(engine.run([paragraph(1)]))
    await asyncio.to_thread(gate.reached.wait, 5)
    gone = asyncio.create_task(engine.run([paragraph(*range(50))]))
    await asyncio.sleep(0)
    assert engine.queue_tokens == 50
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert engine.queue_tokens == 0
    gate.opened.set()
    await first
    await engine.stop()


async def test_one_paragraph_does_not_wait_for_a_large_request():
    begun, is_under_way = [], threading.Event()

    def run_batch(windows):
        begun.append(int(windows[0][0]))
        if len(begun) == 5:
            is_under_way.set()
        time.sleep(0.002)
        return echo(windows)

    engine = make_engine(run_batch, num_threads=1, max_queue_tokens=10_000)
    large = asyncio.create_task(engine.run([paragraph(1)] * 200))
    await asyncio.to_thread(is_under_way.wait, 5)
    before = len(begun)
    await engine.run([paragraph(2)])
    assert begun.index(2) - before <= 5
    assert not large.done()
    assert len((await large).value) == 200
    await engine.stop()


class Died(BaseException):
    """Nothing that a runner expects."""


async def test_dead_runner_answers_all_and_is_seen(caplog):
    gate = threading.Event()

    def run_batch(_):
        gate.wait(5)
        raise Died

    engine = make_engine(run_batch, num_threads=2)
    engine.check_alive()
    waiting = [asyncio.create_task(engine.run([paragraph(number)])) for number in range(4)]
    await asyncio.sleep(0.01)
    gate.set()
    answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [type(answer) for answer in answers] == [EngineStoppedError] * 4
    with pytest.raises(EngineStoppedError, match="died"):
        engine.check_alive()
    with pytest.raises(EngineStoppedError), engine.admit(1):
        pass
    assert "Died" in caplog.text
    await asyncio.wait_for(engine.stop(), 5)


async def test_work_aside_gives_its_value_its_error_or_nothing_to_who_left():
    engine = make_engine()
    assert (await engine.aside(lambda: 7)).value == 7
    with pytest.raises(ZeroDivisionError):
        await engine.aside(lambda: 1 / 0)
    opened, begun = threading.Event(), []
    first = asyncio.create_task(engine.aside(lambda: opened.wait(5)))
    gone = asyncio.create_task(engine.aside(lambda: begun.append(1)))
    await asyncio.sleep(0.01)
    assert (await engine.aside(lambda: 8, is_slow=True)).value == 8  # slow work has a line of its own
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    opened.set()
    await first
    await engine.aside(lambda: None)
    assert begun == []
    await engine.stop()
    with pytest.raises(EngineStoppedError):
        await engine.aside(lambda: 7)


def watch_runs(gate, runs):
    """Hold the first run until the gate opens, and note what each was given."""

    def run_batch(windows):
        runs.append([int(window[0]) for window in windows])
        if len(runs) == 1:
            gate.wait(20)
        if any(window[0] == 13 for window in windows):
            raise NonFiniteLogitsError("poison")
        return echo(windows)

    return run_batch


async def test_what_waits_is_run_together_where_the_session_takes_several():
    gate, runs = threading.Event(), []
    engine = make_engine(watch_runs(gate, runs), num_threads=1, max_pending=100, most_windows=4)
    tasks = [asyncio.create_task(engine.run([paragraph(number)])) for number in range(1, 12)]
    await asyncio.sleep(0)  # all of them wait or run now
    gate.set()
    answers = await asyncio.gather(*tasks)
    assert [answer.value.tolist() for answer in answers] == [[[number]] for number in range(1, 12)]
    assert sorted(number for run in runs for number in run) == list(range(1, 12))
    assert max(map(len, runs)) == 4
    assert [len(run) for run in runs[1:-1]] == [4] * (len(runs) - 2)
    await engine.stop()


async def test_runners_that_sleep_get_their_share_of_a_request():
    runs, begun = [], threading.Barrier(2)

    def run_batch(windows):
        runs.append(len(windows))
        begun.wait(20)  # both run, or neither goes on
        return echo(windows)

    engine = make_engine(run_batch, num_threads=2, most_windows=8)
    answer = await engine.run([paragraph(1, 2, 3, 4), paragraph(5, 6, 7, 8)])
    assert answer.value.tolist() == [[2.5], [6.5]]
    assert sorted(runs) == [4, 4]
    await engine.stop()


async def test_a_poisoned_window_fails_its_own_request_and_none_of_those_beside_it():
    gate, runs = threading.Event(), []
    engine = make_engine(watch_runs(gate, runs), num_threads=1, max_pending=100, most_windows=8)
    tasks = [asyncio.create_task(engine.run([paragraph(number)])) for number in (1, 2, 13, 4)]
    await asyncio.sleep(0)  # all of them wait or run now
    gate.set()
    *_, bad, last = answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(bad, NonFiniteLogitsError)
    assert [answer.value.tolist() for answer in (*answers[:2], last)] == [[[1]], [[2]], [[4]]]
    await engine.stop()
