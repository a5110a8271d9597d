"""Each step a process of this environment."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfp import local

from polyhead.progress import MODE, RUN
from polyhead_pipelines.local.runners.base import POLL_SECONDS, Session, stopped_by_signals

_GRACE_SECONDS = 5.0
"""What a process has to end by itself after SIGTERM."""


@dataclass(frozen=True)
class Processes:
    """Each step a process of this environment."""

    @contextlib.contextmanager
    def open(self, reads: Sequence[str], writes: Sequence[str]) -> Iterator[Session]:  # noqa: ARG002  # it may all
        """Let the steps report their progress as events while the session is open, and end with this process."""
        given = {MODE: "json", RUN: str(os.getpid())}
        former = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        try:
            with stopped_by_signals(_end_processes):
                yield Session("python", local.SubprocessRunner(use_venv=False), lambda: None, lambda _: None)
        finally:
            for name, value in former.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _end_processes(over: threading.Event) -> None:
    """End what this process has started, until the run is over and nothing is left; what does not end is killed."""
    since: dict[int, float] = {}
    while (alive := _descendants()) or not over.is_set():
        for process in alive:
            asked = since.setdefault(process, time.monotonic())
            late = time.monotonic() - asked > _GRACE_SECONDS
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(POLL_SECONDS)


def _descendants() -> list[int]:
    """The processes below this one; none where the system has no /proc: there they end by themselves."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = status.read_bytes().rpartition(b")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(status.parent.name))
    found = list(children.get(os.getpid(), []))
    for process in found:
        found += children.get(process, [])
    return found
