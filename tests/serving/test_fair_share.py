import pytest

from serving.fair_queue import Flow
from serving.fair_share import FairShare


def pop_owners(queue, n):
    return [taken[0] for _ in range(n) if (taken := queue.pop()) is not None]


def test_one_caller_alone_is_served_as_by_the_fair_queue():
    queue = FairShare()
    for name, cost in (("long", 200), ("short", 10), ("middle", 60)):
        queue.push(Flow(name, [cost]))
    assert queue.tokens == 270
    assert pop_owners(queue, 9) == ["long", "short", "middle"]
    assert queue.tokens == 0


def test_a_key_that_sends_many_requests_gets_no_more_than_one_that_sends_one_at_a_time():
    queue = FairShare()
    for number in range(100):
        queue.push(Flow(f"many {number}", [10]), "many")
    n_turns = []
    for number in range(5):
        queue.push(Flow(f"few {number}", [10]), "few")
        turns = 0
        while not pop_owners(queue, 1)[0].startswith("few"):
            turns += 1
        n_turns.append(turns)
    assert max(n_turns) <= 2


def test_callers_share_by_tokens_and_not_by_windows():
    queue = FairShare()
    queue.push(Flow("long", [200] * 50), "a")
    for _ in range(200):
        queue.push(Flow("short", [50]), "b")
    first = pop_owners(queue, 100)
    assert first.count("short") == pytest.approx(80, abs=5)


def test_three_callers_get_a_third_each():
    queue = FairShare()
    for caller, n_requests in (("a", 300), ("b", 30), ("c", 30)):
        for _ in range(n_requests):
            queue.push(Flow(caller, [10]), caller)
    first = pop_owners(queue, 60)
    assert [first.count(caller) for caller in "abc"] == pytest.approx([20, 20, 20], abs=1)


def test_who_was_away_saves_nothing_up_and_owes_nothing_after_a_rest():
    queue = FairShare()
    queue.push(Flow("a", [10] * 50), "a")
    pop_owners(queue, 25)
    queue.push(Flow("b", [10] * 50), "b")  # it did not wait before, so it is owed nothing
    assert pop_owners(queue, 20).count("b") == pytest.approx(10, abs=1)
    pop_owners(queue, 200)
    queue.push(Flow("a", [10] * 10), "a")
    queue.push(Flow("c", [10] * 10), "c")
    assert pop_owners(queue, 10).count("a") == pytest.approx(5, abs=1)


def test_dropped_requests_give_their_tokens_back_to_all_and_to_their_caller():
    queue = FairShare()
    gone, stays = Flow("gone", [10, 20, 30]), Flow("stays", [100])
    queue.push(gone, "a")
    queue.push(stays, "b")
    assert queue.pop() == ("gone", 2)
    assert (queue.tokens, queue.tokens_of("a"), queue.tokens_of("b")) == (130, 30, 100)
    queue.drop(gone, "a")
    queue.drop(gone, "a")
    assert (queue.tokens, queue.tokens_of("a")) == (100, 0)
    assert pop_owners(queue, 9) == ["stays"]
    queue.drop(stays, "b")
    queue.drop(gone, "a")
    assert (queue.tokens, queue.tokens_of("nobody")) == (0, 0)
