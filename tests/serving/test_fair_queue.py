import pytest

from serving.fair_queue import FairQueue, Flow


def drain(queue):
    order = []
    while (taken := queue.pop()) is not None:
        order.append(taken)
    return order


def owners(queue):
    return [owner for owner, _ in drain(queue)]


def test_every_window_is_given_once_and_the_longest_of_a_request_first():
    queue = FairQueue()
    queue.push(Flow("a", [5, 9, 7]))
    assert queue.tokens == 21
    assert drain(queue) == [("a", 1), ("a", 2), ("a", 0)]
    assert queue.tokens == 0
    assert queue.pop() is None


def test_the_shortest_of_those_that_came_together_goes_first():
    queue = FairQueue()
    for name, cost in (("long", 200), ("short", 10), ("middle", 60)):
        queue.push(Flow(name, [cost]))
    assert owners(queue) == ["short", "middle", "long"]


def test_among_equals_the_first_to_come_goes_first():
    queue = FairQueue()
    for name in "abc":
        queue.push(Flow(name, [10]))
    assert owners(queue) == ["a", "b", "c"]


def test_one_paragraph_waits_for_one_of_a_large_request_not_for_all():
    queue = FairQueue()
    queue.push(Flow("large", [100] * 1000))
    for _ in range(3):
        queue.pop()
    queue.push(Flow("single", [100]))
    assert "single" in [queue.pop()[0] for _ in range(2)]


def test_two_large_requests_share_by_tokens():
    queue = FairQueue()
    queue.push(Flow("long paragraphs", [200] * 50))
    queue.push(Flow("short paragraphs", [50] * 200))
    first = [queue.pop()[0] for _ in range(100)]
    assert first.count("short paragraphs") == pytest.approx(80, abs=2)  # 80 * 50 tokens and 20 * 200 tokens


@pytest.mark.parametrize("cost", [1, 10, 200])
def test_no_stream_of_newcomers_holds_anybody_back_for_ever(cost):
    queue = FairQueue()
    queue.push(Flow("patient", [200]))
    for turn in range(1000):
        queue.push(Flow("newcomer", [cost]))
        if queue.pop()[0] == "patient":
            assert turn <= 200 / cost + 1
            return
    pytest.fail("starved")


def test_dropped_request_gives_its_tokens_back_and_is_never_run():
    queue = FairQueue()
    gone = Flow("gone", [10, 20, 30])
    queue.push(gone)
    queue.push(Flow("stays", [100]))
    assert queue.pop() == ("gone", 2)
    queue.drop(gone)
    queue.drop(gone)
    assert queue.tokens == 100
    assert owners(queue) == ["stays"]


def test_dropping_what_is_done_changes_nothing():
    queue = FairQueue()
    done = Flow("done", [10])
    queue.push(done)
    queue.pop()
    queue.drop(done)
    assert queue.tokens == 0
