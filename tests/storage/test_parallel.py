"""The ordered map over threads, and amounts that threads hold together."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from polyhead.storage.parallel import Budget, one_ahead, ordered_map


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_ordered_map_keeps_the_order(workers: int) -> None:
    """Whatever the workers' number, and whoever is first."""
    gate = threading.Event()

    def work(item: int) -> int:
        if workers > 1 and item == 0:
            gate.wait(5)  # item 1 ends before item 0
        if item == 1:
            gate.set()
        return item * item

    assert list(ordered_map(work, range(50), workers=workers)) == [i * i for i in range(50)]


@pytest.mark.parametrize("workers", [1, 3])
def test_ordered_map_is_lazy_and_raises_at_the_items_turn(workers: int) -> None:
    """An endless input is read only a little ahead; results before the failing one arrive."""
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for item in itertools.count():
            read = item
            yield item

    def work(item: int) -> int:
        if item == 6:
            raise KeyError(item)
        return item

    results = ordered_map(work, items(), workers=workers)
    assert list(itertools.islice(results, 6)) == list(range(6))
    with pytest.raises(KeyError):
        next(results)
    assert read <= 6 + 4 * workers


def test_one_item_is_made_while_the_one_before_it_is_used() -> None:
    """One, no more; in their order, and what making one raises comes at its turn."""
    made: list[int] = []
    more = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for item in range(4):
            made.append(item)
            more.release()
            yield item
        raise KeyError

    ahead = one_ahead(items())
    for item in range(4):
        assert next(ahead) == item
        for _ in range(1 if item else 2):
            assert item == 3 or more.acquire(timeout=5)
        time.sleep(0.01)
        assert made == list(range(min(item + 2, 4)))
    with pytest.raises(KeyError):
        next(ahead)
    assert list(one_ahead([])) == []


def test_threads_share_a_budget() -> None:
    """Never more is held than the limit, but a single larger amount is held alone."""
    budget, held, most = Budget(10), 0, []
    lock = threading.Lock()

    def work(amount: int) -> None:
        nonlocal held
        with budget.hold(amount):
            with lock:
                held += amount
                most.append((held, amount))
            time.sleep(0.002)
            with lock:
                held -= amount

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, [3, 4, 5, 25, 1, 10, 7, 2] * 5))
    assert all(total <= 10 or total == amount == 25 for total, amount in most)
    assert any(total > amount for total, amount in most)
