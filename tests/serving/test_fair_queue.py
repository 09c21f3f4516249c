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


def test_single_paragraphs_go_in_the_order_in_which_they_came_whatever_their_length():
    queue = FairQueue()
    for name, cost in (("long", 200), ("short", 10), ("middle", 60)):
        queue.push(Flow(name, [cost]))
    queue.pop()
    queue.push(Flow("late and short", [5]))
    assert owners(queue) == ["short", "middle", "late and short"]


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
@pytest.mark.parametrize("n_others", [1, 30])
def test_no_stream_of_newcomers_holds_anybody_back_for_ever(cost, n_others):
    queue = FairQueue()
    queue.push(Flow("patient", [200, 200]))
    for _ in range(n_others):
        queue.push(Flow("newcomer", [cost]))
    n_given = 0
    for turn in range(100_000):
        owner, _ = queue.pop()
        n_given += owner == "patient"
        if n_given == 2:
            # An equal share: as many tokens as each of the others had, give or take a turn.
            assert turn * cost <= (n_others + 1) * (200 + cost) + n_others * cost
            return
        if owner != "patient":
            queue.push(Flow("newcomer", [cost]))
    pytest.fail("starved")


def test_a_large_request_and_a_stream_of_single_ones_share_by_tokens():
    queue = FairQueue()
    queue.push(Flow("large", [100] * 1000))
    for _ in range(9):
        queue.push(Flow("single", [50]))
    spent = {"large": 0, "single": 0}
    for _ in range(1000):
        owner, _ = queue.pop()
        spent[owner] += 100 if owner == "large" else 50
        if owner == "single":
            queue.push(Flow("single", [50]))
    assert spent["single"] / spent["large"] == pytest.approx(9, rel=0.05)


def test_dropped_requests_do_not_slow_the_time_of_the_others():
    queue = FairQueue()
    queue.push(Flow("large", [100] * 100))
    gone = [Flow("gone", [100, 100]) for _ in range(50)]
    for flow in gone:
        queue.push(flow)
    queue.pop()
    for flow in gone:
        queue.drop(flow)
    for _ in range(5):
        queue.push(Flow("single", [100]))
    assert [queue.pop()[0] for _ in range(7)].count("large") == 2


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
