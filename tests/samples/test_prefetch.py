"""Prefetching: order, bound, errors, and going on where a state says."""

import threading
import time

import pytest

from segflow.samples.prefetch import Prefetcher


@pytest.mark.parametrize("depth, workers", [(0, 1), (1, 1), (3, 1), (5, 3)])
def test_items_come_in_order_however_long_each_takes(depth, workers):
    def make(index: int) -> int:
        time.sleep(0.002 if index % 3 == 0 else 0)
        return index * index

    ahead = Prefetcher(make, depth=depth, workers=workers)
    assert [ahead.next() for _ in range(20)] == [i * i for i in range(20)]
    ahead.close()


def test_never_more_than_depth_items_are_made_ahead():
    made = []
    ahead = Prefetcher(lambda index: made.append(index) or index, depth=3)
    assert ahead.next() == 0
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert made == [0, 1, 2, 3]
    ahead.close()


def test_items_are_made_in_other_threads():
    ahead = Prefetcher(lambda index: threading.get_ident(), depth=2)
    assert ahead.next() != threading.get_ident()
    ahead.close()


def test_error_is_raised_where_its_item_is_due_and_the_position_stays():
    broken = {2}

    def make(index: int) -> int:
        if index in broken:
            raise ValueError(f"item {index} is broken")
        return index

    ahead = Prefetcher(make, depth=4)
    assert [ahead.next(), ahead.next()] == [0, 1]
    with pytest.raises(ValueError, match="item 2 is broken"):
        ahead.next()
    assert ahead.get_state() == {"next": 2}
    broken.clear()
    assert [ahead.next(), ahead.next()] == [2, 3]
    ahead.close()


def test_state_is_of_what_was_consumed_not_of_what_was_made():
    one = Prefetcher(lambda index: index, depth=4)
    for _ in range(5):
        one.next()
    state = one.get_state()
    assert state == {"next": 5}
    other = Prefetcher(lambda index: index, depth=4)
    other.next()
    other.set_state(state)
    assert [other.next(), other.next()] == [5, 6]
    one.close()
    other.close()


@pytest.mark.parametrize("state", [{}, {"next": -1}, {"next": "5"}])
def test_foreign_state_is_refused(state):
    with pytest.raises(ValueError, match="want"):
        Prefetcher(lambda index: index).set_state(state)
