"""What a case is, how its two sides are measured in turns, and what figures come of it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.side import cpu_seconds

ROOT = Path(__file__).parents[1]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"

Measure = Literal["seconds", "cpu_seconds", "process_seconds", "process_cpu_seconds", "peak_bytes"]
MEASURES: tuple[Measure, ...] = ("seconds", "cpu_seconds", "process_seconds", "process_cpu_seconds", "peak_bytes")

Asked = float | tuple[float, float] | None
"""The smallest ratio that is asked for, or the smallest and the largest, or none."""

_LOOK_SECONDS = 0.05
_WORTH_A_LOOK = 1.01


class SideError(Exception):
    """One side of a case did not do its work."""


class MissingPeersError(Exception):
    """The peers are not installed."""


@dataclass(frozen=True)
class Sample:
    """What one run of one side took; None where it was not measured.

    Attributes:
        seconds: The work alone, without imports and what was prepared.
        cpu_seconds: The same, summed over all threads and processes.
        process_seconds: From the start of the side's process to its end.
        process_cpu_seconds: The same, summed over all threads and processes.
        peak_bytes: Most memory of all its processes together, pages that they share counted once.
        count: Items that it says it did.
    """

    seconds: float | None = None
    cpu_seconds: float | None = None
    process_seconds: float | None = None
    process_cpu_seconds: float | None = None
    peak_bytes: int | None = None
    count: int | None = None


@dataclass(frozen=True)
class Case:
    """One thing done two ways.

    Attributes:
        name: What is done.
        unit: What is counted, for example images.
        count: How many of them one run does.
        peer: The name of the other way.
        ours: One run of Polyhead. Unless it gives a `Sample`, as `own_process` does, it is timed where it stands; a
            number that it gives is that of the items it did.
        theirs: One run of the peer, doing the same work; likewise.
        asked: The measures that become figures, each with the ratio asked for. Default: seconds, nothing asked.
        peer_count: How many items a run of the peer does. Default: `count`.
        note: How the peer works, where a reader would ask.
    """

    name: str
    unit: str
    count: int
    peer: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    asked: Mapping[Measure, Asked]
    peer_count: int
    note: str = ""

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Case:
        """A case from a module's dict, which may leave out what has a default."""
        return cls(**{"asked": {"seconds": None}, "peer_count": described["count"], **described})


@dataclass(frozen=True)
class Figure:
    """One measure of a case over all rounds.

    Attributes:
        measure: What was measured.
        ours: Median over the rounds.
        theirs: Median over the rounds.
        ratio: Median over the rounds of how many times as much the peer took for an item as Polyhead took: 2 is
            twice as fast, or half the memory, which is compared whole.
        low: The smallest of the rounds' ratios.
        high: The largest.
        asked: The ratio asked for, its smallest and largest: None where that end is open.
    """

    measure: Measure
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    asked: tuple[float | None, float | None]

    @property
    def reached(self) -> bool | None:
        """Whether the ratio is the one asked for; None where none is."""
        least, most = self.asked
        if least is None:
            return None
        return least <= self.ratio and (most is None or self.ratio <= most)


def measure(case: Case, rounds: int, *, warm_up: bool = True) -> tuple[list[Sample], list[Sample]]:
    """Run a case's sides in turns, so that neighbours in time are compared: a machine's speed drifts.

    The side that begins changes from round to round, so that a steady drift favours neither.

    Args:
        case: What to run.
        rounds: Rounds that count, at least 1.
        warm_up: Whether a round that does not count goes first.

    Returns:
        The samples of Polyhead and of the peer, one each a round.

    Raises:
        SideError: A side failed, or did another number of items than the case says.
    """
    samples: dict[str, list[Sample]] = {"ours": [], "theirs": []}
    sides = [("ours", case.ours, case.count), ("theirs", case.theirs, case.peer_count)]
    for index in range(rounds + warm_up):
        for side, run, count in sides if index % 2 == 0 else reversed(sides):
            sample = _sampled(run)
            if sample.count not in (None, count):
                raise SideError(f"{side} did {sample.count} of {count} {case.unit}")
            samples[side].append(sample)
    return samples["ours"][warm_up:], samples["theirs"][warm_up:]


def _sampled(run: Callable[[], object]) -> Sample:
    cpu, started = cpu_seconds(), time.perf_counter()
    given = run()
    seconds = time.perf_counter() - started
    if isinstance(given, Sample):
        return given
    count = given if isinstance(given, int) else None
    return Sample(seconds=seconds, cpu_seconds=cpu_seconds() - cpu, count=count)


def figures(case: Case, ours: Sequence[Sample], theirs: Sequence[Sample]) -> list[Figure]:
    """The figures of a case, one for each of its measures that both sides have, in the order of `MEASURES`.

    Args:
        case: What was run.
        ours: Polyhead's samples, one a round.
        theirs: The peer's samples of the same rounds.
    """
    found = []
    for name in MEASURES:
        pairs = [(getattr(our, name), getattr(their, name)) for our, their in zip(ours, theirs, strict=True)]
        if name not in case.asked or not pairs or any(value is None for pair in pairs for value in pair):
            continue
        share = 1.0 if name == "peak_bytes" else case.count / case.peer_count
        ratios = [their / our * share for our, their in pairs]
        asked = case.asked[name]
        found.append(
            Figure(
                measure=name,
                ours=statistics.median(our for our, _ in pairs),
                theirs=statistics.median(their for _, their in pairs),
                ratio=statistics.median(ratios),
                low=min(ratios),
                high=max(ratios),
                asked=asked if isinstance(asked, tuple) else (asked, None),
            )
        )
    return found


def own_process(module: str, *arguments: str | Path, peers: bool = False) -> Callable[[], Sample]:
    """A side that runs in a process of its own, `python -m MODULE ARGUMENTS`, and ends with `side.report`.

    Args:
        module: For example `benchmarks.sharding`.
        arguments: Its command line.
        peers: Whether it runs in the peers' environment.

    Raises:
        MissingPeersError: It wants them.
    """
    if peers and not PEERS_PYTHON.exists():
        raise MissingPeersError("the peers are not installed: make bench-peers")
    command = [str(PEERS_PYTHON if peers else sys.executable), "-m", module, *map(str, arguments)]

    def run() -> Sample:
        sample, printed = _watched(command)
        try:
            told = json.loads(printed.splitlines()[-1])
        except (IndexError, ValueError):
            raise SideError(f"{' '.join(command)} told no times: it must end with side.report") from None
        return Sample(
            **told,
            process_seconds=sample.process_seconds,
            process_cpu_seconds=sample.process_cpu_seconds,
            peak_bytes=sample.peak_bytes,
        )

    return run


def whole_command(*arguments: str | Path) -> Callable[[], Sample]:
    """A side that is a command of the user's, `python ARGUMENTS`: it is measured from outside only."""
    return lambda: _watched([sys.executable, *map(str, arguments)])[0]


def _watched(command: list[str]) -> tuple[Sample, str]:
    """Run a command to its end; what it took, and what it printed on stdout."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        before, started = _children_cpu_seconds(), time.perf_counter()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=err, start_new_session=True)
        memory = _Memory(process.pid)
        try:
            while process.poll() is None:
                memory.look()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_SECONDS)
            seconds = time.perf_counter() - started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode:
            err.seek(0)
            raise SideError(f"{' '.join(command)} ended with {process.returncode}:\n{err.read()[-2000:]}")
        out.seek(0)
        taken = Sample(
            process_seconds=seconds,
            process_cpu_seconds=_children_cpu_seconds() - before,
            peak_bytes=memory.peak,
        )
        return taken, out.read()


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Memory:
    """The most memory that all processes of a session held together, as Linux counts it.

    A look is cheap: it sums the resident pages. Only when there are a hundredth more than ever before is it
    worth the milliseconds in which the kernel divides shared pages among the processes that share them.

    Args:
        session: The session's first process.

    Attributes:
        peak: Bytes; None before the first look, and where there is no such thing as /proc.
    """

    def __init__(self, session: int) -> None:
        self.peak: int | None = None
        self._session = session
        self._most_pages = 0

    def look(self) -> None:
        """Look now."""
        processes = list(self._processes())
        pages = sum(self._read(process, "statm", lambda text: int(text.split()[1])) for process in processes)
        if pages > self._most_pages * _WORTH_A_LOOK:
            self._most_pages = pages
            held = sum(self._read(process, "smaps_rollup", _proportional) for process in processes)
            self.peak = max(self.peak or 0, held)

    def _processes(self) -> list[str]:
        if not os.path.isdir("/proc"):
            return []
        return [
            name
            for name in os.listdir("/proc")
            if name.isdigit() and self._read(name, "stat", _session_of) == self._session
        ]

    @staticmethod
    def _read(process: str, file: str, parse: Callable[[str], int]) -> int:
        """A number from a process's file; 0 where it has just ended."""
        try:
            return parse(Path("/proc", process, file).read_text())
        except (OSError, IndexError, ValueError):
            return 0


def _session_of(stat: str) -> int:
    return int(stat.rpartition(")")[2].split()[3])


def _proportional(smaps_rollup: str) -> int:
    return int(smaps_rollup.partition("\nPss:")[2].split()[0]) * 1024
