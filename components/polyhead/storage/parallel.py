"""An ordered parallel map with a bounded number of items in flight."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def available_cpus() -> int:
    """Processors that this process may use: those that it may run on, and no more than its container's quota allows."""
    if hasattr(os, "process_cpu_count"):
        allowed = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    quota = cpu_quota()
    return allowed if quota == math.inf else max(1, min(allowed, math.ceil(quota)))


def cpu_quota(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> float:
    """Processors' worth of time that the control groups of this process allow, version 2 or 1.

    Infinite where there is no limit.

    Args:
        cgroups: Where the control groups are mounted.
        own: Says which of them this process is in.
    """
    groups = {"": "/"}  # by controllers; in a container its own group is mounted as the root
    with contextlib.suppress(OSError):
        for line in own.read_text(encoding="utf-8", errors="replace").splitlines():
            _, _, named = line.partition(":")
            controllers, _, group = named.partition(":")
            groups[controllers] = group
    quota = math.inf
    for controllers, group in groups.items():
        if controllers and "cpu" not in controllers.split(","):
            continue
        inner = PurePosixPath(group.lstrip("/"))
        for root in (cgroups, cgroups / "cpu", cgroups / (controllers or ".")):
            for folder in (inner, *inner.parents):
                quota = min(quota, _quota_of(root / folder))
    return quota


def _quota_of(group: Path) -> float:
    """The limit of one control group."""
    with contextlib.suppress(OSError, ValueError):
        most, period = (group / "cpu.max").read_text(encoding="ascii").split()
        return math.inf if most == "max" else int(most) / int(period)
    with contextlib.suppress(OSError, ValueError):
        most = (group / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
        period = (group / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        return int(most) / int(period) if int(most) > 0 else math.inf
    return math.inf


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


def one_ahead(items: Iterable[In]) -> Iterator[In]:
    """The items, each made in a thread while the one before it is used.

    Raises:
        Exception: Whatever making an item raised, at its turn.
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="polyhead-ahead") as thread:
        pending: Future[Any] = thread.submit(next, source, end)
        while (item := pending.result()) is not end:
            pending = thread.submit(next, source, end)
            yield item
