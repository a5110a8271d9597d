"""A server that runs pipelines, and what it says of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from polyhead.errors import SubmitError
from polyhead_pipelines.remote.definition import Definition
from polyhead_pipelines.remote.request import Request

SUCCEEDED, FAILED, CANCELED, SKIPPED = "SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"
ENDED = (SUCCEEDED, FAILED, CANCELED, SKIPPED)
EXIT_CODES = {SUCCEEDED: 0, FAILED: 3, CANCELED: 4, SKIPPED: 3}
EXIT_TIMEOUT = 5
"""The exit code for a run that had not ended when the time was up."""


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
    """The steps in the given order, repeated names distinguished by a number."""
    times = Counter[str]()
    made = []
    for step in steps:
        times[step.name] += 1
        made.append(replace(step, name=f"{step.name} #{times[step.name]}") if times[step.name] > 1 else step)
    return tuple(made)


@dataclass(frozen=True)
class Uploaded:
    """A version of a pipeline on a server.

    Attributes:
        pipeline_id: The pipeline.
        version_id: The version.
        version: The version's name: the package's version and the content's digest.
        link: Where a browser shows it.
        found: Whether it was there already, and nothing was sent.
    """

    pipeline_id: str
    version_id: str
    version: str
    link: str
    found: bool


@dataclass(frozen=True)
class Scheduled:
    """A recurring run on a server.

    Attributes:
        recurring_run_id: The server's id.
        cron: When it starts runs: six fields, the second first.
        link: Where a browser shows it.
    """

    recurring_run_id: str
    cron: str
    link: str


class Server(ABC):
    """What can run a pipeline; schedules and uploads are not everywhere."""

    @abstractmethod
    def start(self, request: Request) -> Run:
        """Start a run, or find the one that was started under the request's id."""

    @abstractmethod
    def status(self, run_id: str, definition: Definition, seconds: float) -> Status:
        """Ask once what the server knows of a run, and give up after so many seconds."""

    def schedule(self, request: Request, cron: str) -> Scheduled:
        """Have a run started at certain times, given as six fields of cron, the second first.

        Raises:
            SubmitError: The server keeps no schedules.
        """
        raise SubmitError("unsupported-by-server", "does not support schedules", where="--schedule")

    def upload(self, definition: Definition) -> Uploaded:
        """Keep a pipeline on the server, and start nothing.

        Raises:
            SubmitError: The server keeps no pipelines.
        """
        raise SubmitError("unsupported-by-server", "does not store pipelines", where="--upload-only")
