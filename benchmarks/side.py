"""One side of a case in a process of its own: time the work, tell it as one line of JSON.

Standard library only: it runs in Polyhead's environment and in the peers' alike.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable


def available_cpus() -> int:
    """Processors that this process may use: as many workers as a side gets."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_seconds() -> float:
    """CPU time of this process with all its threads, and of its children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def report(work: Callable[[], int | tuple[int, float] | tuple[int, float, float]]) -> None:
    """Do the work once and print what it took: the last line of what this process prints.

    Args:
        work: Gives how many items it did; or that and the seconds that count, where it knows better than the clock
            around it, and their CPU time, which is otherwise left out. Imports belong before it.
    """
    cpu, started = cpu_seconds(), time.perf_counter()
    done = work()
    told: dict[str, float] = {"seconds": time.perf_counter() - started, "cpu_seconds": cpu_seconds() - cpu}
    if isinstance(done, tuple):
        count, *taken = done
        told = dict(zip(("seconds", "cpu_seconds"), taken, strict=False))
    else:
        count = done
    print(json.dumps({"count": count, **told}), flush=True)
