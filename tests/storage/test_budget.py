"""Amounts that threads hold together."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from polyhead.storage.parallel import Budget


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
