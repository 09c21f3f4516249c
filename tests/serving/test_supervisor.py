import asyncio
import json
import os
import shutil
import sys

import pytest

from serving import supervisor as supervising
from serving.pulse import N_SILENT, Pulse, Vitals, read_vitals
from serving.settings import ServeSettings
from serving.supervisor import Supervisor

pytestmark = pytest.mark.anyio

_READY = json.dumps({"event": "ready"})


def play_worker(then):
    """A program that does as a worker, without a model."""
    return (
        sys.executable,
        "-uc",
        f"import sys, time\nfor _ in '12': input()\nprint({_READY!r})\n{then}\ntime.sleep(60)",
    )


@pytest.fixture
def play(monkeypatch, tmp_path):
    """Starts a supervisor of workers that do as told, each an exception or what it does once it is ready."""
    real, left = asyncio.create_subprocess_exec, []

    async def start(*_, **named):
        then = left.pop(0) if left else ""
        if isinstance(then, Exception):
            raise then
        del named["env"], named["pass_fds"]
        return await real(*play_worker(then), **named)

    monkeypatch.setattr(supervising.asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(supervising, "mark_process_dead", lambda *_: None)

    def begin(*wanted, workers=2):
        left.extend(wanted)
        made = Supervisor(ServeSettings(workers=workers), socket_number=0, runtime=tmp_path, served={"mine": "a"})
        return made, left

    return begin


async def wait_until(condition, seconds=30):
    for _ in range(50 * seconds):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to be")


async def stop(supervisor, task):
    supervisor.stop()
    supervisor.kill()
    await asyncio.wait_for(task, 30)


async def test_a_worker_that_cannot_be_started_for_a_moment_is_tried_again_and_the_others_go_on(play, caplog):
    supervisor, left = play("time.sleep(.3); sys.exit(3)", "", BlockingIOError(11, "busy"), workers=2)
    task = asyncio.create_task(supervisor.run())
    await asyncio.wait_for(supervisor.all_ready.wait(), 30)
    first = set(supervisor._processes)
    await wait_until(lambda: not left and len(supervisor._processes - first) == 1)
    assert len(supervisor._processes & first) == 1
    assert supervisor.failure is None
    assert "busy" in caplog.text
    await stop(supervisor, task)


async def test_a_first_worker_that_cannot_be_started_ends_the_start_with_a_reason(play):
    supervisor, _ = play(OSError(12, "Cannot allocate memory"), workers=1)
    await asyncio.wait_for(supervisor.run(), 30)
    assert "Cannot allocate memory" in str(supervisor.failure)


@pytest.mark.issue(5)
@pytest.mark.parametrize("end", ["killed", "failed"])
async def test_a_worker_that_ends_while_it_loads_does_not_end_the_one_that_answers(play, caplog, monkeypatch, end):
    failed = json.dumps({"event": "failed", "code": "a", "message": "no memory"})
    then = "import os; os.kill(os.getpid(), 9)" if end == "killed" else f"print({failed!r}); sys.exit(3)"
    supervisor, left = play(workers=2)
    started = []
    real = supervisor._start_one

    async def start():
        if len(started) == 1:  # the second begins once the first answers, and is not ready when it ends
            await wait_until(lambda: supervisor._n_ready == 1)
            left[:0] = [then]
        monkeypatch.setattr(
            sys.modules[__name__], "_READY", json.dumps({"event": "alive" if len(started) == 1 else "ready"})
        )
        started.append(1)
        return await real()

    monkeypatch.setattr(supervisor, "_start_one", start)
    task = asyncio.create_task(supervisor.run())
    await asyncio.wait_for(supervisor.all_ready.wait(), 30)  # a third takes its place
    assert len(started) == 3
    assert supervisor.failure is None
    assert "another takes its place" in caplog.text
    assert ("no memory" in caplog.text) == (end == "failed")
    await stop(supervisor, task)


@pytest.mark.issue(7)
@pytest.mark.parametrize("fact", [{"event": "alive"}, {"event": "failed", "code": "a", "message": "b"}])
async def test_a_worker_that_fails_the_start_is_not_said_to_be_replaced(play, caplog, monkeypatch, fact):
    monkeypatch.setattr(sys.modules[__name__], "_READY", json.dumps(fact))
    supervisor, _ = play("sys.exit(3)", workers=1)
    await asyncio.wait_for(supervisor.run(), 30)
    assert supervisor.failure is not None
    assert not caplog.records


@pytest.mark.issue(4)
async def test_a_worker_finds_the_shared_folder_though_it_was_cleaned_away(play, tmp_path):
    supervisor, left = play("time.sleep(.3); sys.exit(3)", workers=1)
    task = asyncio.create_task(supervisor.run())
    await asyncio.wait_for(supervisor.all_ready.wait(), 30)
    shutil.rmtree(tmp_path)
    first = set(supervisor._processes)
    await wait_until(lambda: not left and len(supervisor._processes - first) == 1)
    assert {"metrics", "rates"} <= {entry.name for entry in tmp_path.iterdir()}
    await stop(supervisor, task)


@pytest.mark.parametrize("line", ["a line of a library", "{", "[]", "{}", '{"event": "of a library"}', "\\xff"])
async def test_a_line_that_is_no_workers_word_is_passed_over(play, caplog, line):
    after = json.dumps({"event": "exchanged", "name": "mine", "sha256": "b"})
    supervisor, _ = play(f"print({line!r}); print({after!r})", workers=1)
    task = asyncio.create_task(supervisor.run())
    await wait_until(lambda: supervisor._served["mine"][0] == "b" or task.done())
    assert not task.done()
    assert len(caplog.records) == 1
    await stop(supervisor, task)


@pytest.mark.issue(5)
async def test_a_line_without_end_ends_no_supervision(play):
    after = json.dumps({"event": "exchanged", "name": "mine", "sha256": "b"})
    supervisor, _ = play(f"print(200_000 * 'x'); print({after!r})", workers=1)
    task = asyncio.create_task(supervisor.run())
    await wait_until(lambda: supervisor._served["mine"][0] == "b" or task.done())
    assert not task.done()
    await stop(supervisor, task)


@pytest.mark.issue(4)
async def test_why_a_worker_cannot_take_the_place_of_another_is_told_and_ends_nothing(play, caplog):
    failed = json.dumps({"event": "failed", "code": "unwritable_file", "message": "there is no room"})
    supervisor, left = play("sys.exit(3)", f"print({failed!r})", workers=1)
    task = asyncio.create_task(supervisor.run())
    await wait_until(lambda: "there is no room" in caplog.text)
    assert supervisor.failure is None
    assert not left
    await stop(supervisor, task)


@pytest.mark.issue(4)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of other processes what is asked here")
async def test_a_worker_that_is_stopped_is_replaced(play, caplog, monkeypatch):
    monkeypatch.setattr(supervising, "BEAT_S", 0.02)
    stopped = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    supervisor, left = play(stopped, 'while True: print(\'{"event": "alive"}\'); time.sleep(.005)', workers=1)
    task = asyncio.create_task(supervisor.run())
    await asyncio.wait_for(supervisor.all_ready.wait(), 30)
    first = set(supervisor._processes)
    await wait_until(lambda: not left and supervisor._processes and supervisor._processes.isdisjoint(first))
    assert "is stopped" in caplog.text
    await stop(supervisor, task)


def still(state="S"):
    return [Vitals(state, 1.0, 2.0)] * (N_SILENT + 1)


def working(loop_s, all_s, state="R"):
    return [Vitals(state, 1 + n * loop_s, 2 + n * all_s) for n in range(N_SILENT + 1)]


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (still("T"), "is stopped"),
        (still("S"), "is asleep"),
        (working(4, 4), "is caught"),
        (working(4, 4, "S"), "is caught"),  # each time on its way to the lock of the interpreter
        (still("R"), None),  # waits for its turn
        (working(0.5, 0.5), None),  # has it seldom
        (still("D"), None),  # waits for a disk
        (still("t"), None),  # is looked at by a debugger
        (working(0, 4, "S"), None),  # another thread loads a model, and holds the lock of the interpreter
        ([*still("S")[:-1], Vitals("R", 1.0, 2.0)], None),
        ([*still("S")[:-1], None], None),
        (still("S")[:-1], None),  # not long enough
    ],
)
async def test_a_silent_worker_is_taken_for_hung_only_where_it_can_be_nothing_else(seen, why):
    pulse = Pulse()
    said = [pulse.judge(vitals) for vitals in seen]
    assert said[:-1] == [None] * (len(seen) - 1)
    assert (said[-1] or "").startswith(why or "")
    assert bool(said[-1]) == bool(why)
    pulse.beat()
    assert pulse.judge(seen[0]) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of other processes what is asked here")
async def test_vitals_are_those_of_a_process():
    vitals = read_vitals(os.getpid())
    assert vitals.state == "R"
    assert 0 < vitals.loop_cpu_s <= vitals.all_cpu_s
    assert read_vitals(2**22 + 1) is None  # more than any number of a process


async def test_a_worker_that_has_ended_keeps_no_other_from_being_told(play):
    class Ended:
        def send_signal(self, _):
            raise ProcessLookupError

    supervisor, _ = play()
    task = asyncio.create_task(supervisor.run())
    await asyncio.wait_for(supervisor.all_ready.wait(), 30)
    workers = list(supervisor._processes)
    supervisor._processes = {Ended(), *workers, Ended()}
    supervisor.stop()
    async with asyncio.timeout(30):
        assert [await process.wait() for process in workers] == [-15, -15]
    supervisor.kill()
    await asyncio.wait_for(task, 30)
