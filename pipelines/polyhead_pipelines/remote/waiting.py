"""Waiting for a run on a server: what is told as its steps change, and how it ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from polyhead.errors import Problem
from polyhead.progress import say
from polyhead_pipelines.remote.access import UnavailableError
from polyhead_pipelines.remote.submitting import Definition, Request

SUCCEEDED, FAILED, CANCELED, SKIPPED = "SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"
ENDED = (SUCCEEDED, FAILED, CANCELED, SKIPPED)
EXIT_CODES = {SUCCEEDED: 0, FAILED: 3, CANCELED: 4, SKIPPED: 3}
EXIT_TIMEOUT = 5
"""The exit code for a run that had not ended when the time was up."""

_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE = 60.0
_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Attributes:
        name: The task's name, followed by `#2`, `#3`, … where a loop runs it several times.
        state: As the server calls it, for example `RUNNING`.
        seconds: How long it took; None while it runs, or where the server does not say.
        error: Why it failed, as far as the server knows.
    """

    name: str
    state: str
    seconds: float | None = None
    error: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.state}" + (f", {self.seconds:,.0f} s" if self.seconds is not None else "")


@dataclass(frozen=True)
class Status:
    """What a server knows of a run at one moment.

    Attributes:
        state: One of `ENDED`, or what a run is in before: `PENDING`, `RUNNING`, `CANCELING`, `PAUSED`, …
        steps: The steps that began, in the order in which they did.
        error: Why the run as a whole failed, as far as the server knows.
    """

    state: str
    steps: tuple[Step, ...] = ()
    error: str = ""

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ENDED

    @property
    def exit_code(self) -> int:
        """The exit code of a command that waited for the run: 0 only where it succeeded."""
        return EXIT_CODES.get(self.state, EXIT_TIMEOUT)


@dataclass(frozen=True)
class Run:
    """A run on a server.

    Attributes:
        run_id: The server's id.
        link: Where a browser shows it.
        status: What the server said last.
        found: Whether it was there already, and nothing was started.
    """

    run_id: str
    link: str
    status: Status
    found: bool = False


def numbered(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps in the given order, those of a name that was there before told apart by a number."""
    times = Counter[str]()
    told = []
    for step in steps:
        times[step.name] += 1
        told.append(replace(step, name=f"{step.name} #{times[step.name]}") if times[step.name] > 1 else step)
    return tuple(told)


class Server(Protocol):
    """What can run a pipeline."""

    def start(self, request: Request) -> Run:
        """Start a run, or find the one that was started under the request's id."""

    def status(self, run_id: str, definition: Definition, seconds: float) -> Status:
        """Ask once what the server knows of a run, and give up after so many seconds."""


def wait_for(server: Server, run: Run, definition: Definition, timeout: float | None = None) -> Status:
    """Wait until a run ends, and tell each change of a step's state.

    A connection that is lost is told once and tried again, after a pause that doubles up to a minute.

    Args:
        server: Where it runs.
        run: The run, as it was when it was started or found.
        definition: The run's pipeline.
        timeout: Seconds to wait; None to wait as long as it takes.

    Returns:
        The last that was heard. It has not ended where the time is up.

    Raises:
        SubmitError: The server refuses to tell of the run.
    """
    until = time.monotonic() + timeout if timeout is not None else float("inf")
    status, told, pause, lost = run.status, _tell(run.status, {}), _PAUSE_SECONDS, False
    while not status.ended and (left := until - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        try:
            status = server.status(run.run_id, definition, min(_ANSWER_SECONDS, max(until - time.monotonic(), 1.0)))
        except UnavailableError as error:
            if not lost:
                say(f"the connection is lost ({error.problems[0].what}); the run goes on, trying again")
            lost, pause = True, min(2 * pause, _LONGEST_PAUSE)
            continue
        if lost:
            say("connected again")
        lost, pause = False, _PAUSE_SECONDS
        told = _tell(status, told)
    return status


def _tell(status: Status, told: dict[str, str]) -> dict[str, str]:
    """Tell what changed, and return the state of every step and of the run, under the empty name."""
    for step in status.steps:
        if told.get(step.name) != step.state:
            say(str(step))
    if told.get("") != status.state:
        say(f"run {status.state}")
    return {**{step.name: step.state for step in status.steps}, "": status.state}


def explain(run: Run, status: Status) -> list[Problem]:
    """Why a run did not succeed: a problem for each step that failed, or one for the run.

    Args:
        run: The run.
        status: How it ended, or what was heard last before the time was up.
    """
    if not status.ended:
        return [Problem(f"is still {status.state} when the time is up", hint=f"it goes on: {run.link}")]
    problems = [
        Problem(step.error or "failed; the server does not say why", f"step '{step.name}'", f"its log: {run.link}")
        for step in status.steps
        if step.state == FAILED
    ]
    if not problems:
        why = f": {status.error}" if status.error else ""
        problems = [Problem(f"ended as {status.state}{why}", hint=f"see {run.link}")]
    return problems
