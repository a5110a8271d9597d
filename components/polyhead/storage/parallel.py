"""An ordered parallel map with a bounded number of items in flight."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def available_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Budget:
    """What threads may hold together, such as bytes of memory.

    Args:
        limit: The most that is held at a time, in any unit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        """Wait until an amount is free, and hold it during the block; more than the limit is held alone."""
        with self._changed:
            self._changed.wait_for(lambda: self._held == 0 or self._held + amount <= self._limit)
            self._held += amount
        try:
            yield
        finally:
            with self._changed:
                self._held -= amount
                self._changed.notify_all()


def ordered_map(function: Callable[[In], Out], items: Iterable[In], *, workers: int) -> Iterator[Out]:
    """Apply a function in threads and give the results in the items' order.

    Threads suit work that drops the interpreter's lock, such as decoding and resizing pictures.

    Args:
        function: Called with one item.
        items: Read only as fast as results are taken.
        workers: Threads, at least 1; four items per thread are in flight.

    Raises:
        Exception: Whatever `function` raised, at the item's turn.
    """
    if workers == 1:
        yield from map(function, items)
        return
    pending: deque[Future[Out]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="polyhead")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
