"""Waiting for a run on a server: what is reported as its steps change, and how it ends."""

from __future__ import annotations

import time

from polyhead.errors import Problem
from polyhead.progress import say
from polyhead_pipelines.remote.access import UnavailableError
from polyhead_pipelines.remote.definition import Definition
from polyhead_pipelines.remote.server import FAILED, Run, Server, Status

_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE = 60.0
_ANSWER_SECONDS = 60.0


def wait_for(server: Server, run: Run, definition: Definition, timeout: float | None = None) -> Status:
    """Wait until a run ends, and tell each change of a step's state.

    A lost connection is reported once and retried, after a pause that doubles up to a minute.

    Args:
        server: Where it runs.
        run: The run, as it was when it was started or found.
        definition: The run's pipeline.
        timeout: Seconds to wait; None to wait as long as it takes.

    Returns:
        The last that was heard. It has not ended where the time is up.

    Raises:
        SubmitError: The server refuses to report on the run.
    """
    until = time.monotonic() + timeout if timeout is not None else float("inf")
    status, shown, pause, lost = run.status, _show(run.status, {}), _PAUSE_SECONDS, False
    while not status.ended and (left := until - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        try:
            status = server.status(run.run_id, definition, min(_ANSWER_SECONDS, max(until - time.monotonic(), 1.0)))
        except UnavailableError as error:
            if not lost:
                say(f"the connection was lost ({error.problems[0].what}); the run continues, reconnecting")
            lost, pause = True, min(2 * pause, _LONGEST_PAUSE)
            continue
        if lost:
            say("reconnected")
        lost, pause = False, _PAUSE_SECONDS
        shown = _show(status, shown)
    return status


def _show(status: Status, shown: dict[str, str]) -> dict[str, str]:
    """Tell what changed, and return the state of every step and of the run, under the empty name."""
    for step in status.steps:
        if shown.get(step.name) != step.state:
            say(str(step))
    if shown.get("") != status.state:
        say(f"run {status.state}")
    return {**{step.name: step.state for step in status.steps}, "": status.state}


def explain(run: Run, status: Status) -> list[Problem]:
    """Why a run did not succeed: a problem for each step that failed, or one for the run.

    Args:
        run: The run.
        status: How it ended, or what was heard last before the time was up.
    """
    if not status.ended:
        return [
            Problem(
                "timed-out",
                f"was still {status.state} when the timeout expired",
                hint=f"it is still running: {run.link}",
            )
        ]
    problems = [
        Problem(
            "step-failed",
            step.error or "failed; the server does not say why",
            where=f"step '{step.name}'",
            hint=f"its log: {run.link}",
        )
        for step in status.steps
        if step.state == FAILED
    ]
    if not problems:
        why = f": {status.error}" if status.error else ""
        problems = [Problem("run-failed", f"ended as {status.state}{why}", hint=f"see {run.link}")]
    return problems
