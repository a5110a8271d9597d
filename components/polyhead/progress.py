"""How a step reports what it is doing, and how its user's errors leave a process.

A terminal or a notebook gets a live bar, a log gets a line now and then, and a parent process that set
`POLYHEAD_PROGRESS=json` gets one JSON event per line, which it draws itself (`relay`). A program that uses Polyhead as
a library can have nothing shown (`quietly`): then the logger `polyhead` gets the lines, warnings as such.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, Protocol

from rich.cells import cell_len
from rich.console import Console
from rich.containers import Lines
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from polyhead.errors import PolyheadError, Problem, counted, fault_code

MODE = "POLYHEAD_PROGRESS"
RUN = "POLYHEAD_RUN"
"""Names the process that a step belongs to: it ends when that one has ended."""

json_wanted: ContextVar[bool] = ContextVar("json_wanted", default=False)
"""Whether the command was called with `--json`."""

LOG = logging.getLogger("polyhead")
"""For programs that use Polyhead as a library."""
LOG.addHandler(logging.NullHandler())

_shown: ContextVar[bool] = ContextVar("shown", default=True)
_WARNING = "warning: "

TERMINATED = 128 + signal.SIGTERM
_MARK = "@polyhead "
_LOG_SECONDS = 5.0
_EVENT_SECONDS = 0.2
_WATCH_SECONDS = 1.0


class Advance(Protocol):
    """Tells a progress display how many more items are done, and optionally a note and their bytes."""

    def __call__(self, count: int, note: str = "", *, size: int = 0) -> None:
        """Count items as done.

        Args:
            count: Items finished since the last call.
            note: How it goes, for example a loss; shown beside the bar.
            size: Bytes of these items.
        """


in_notebook = Console().is_jupyter
console = Console(
    stderr=not in_notebook,  # which notebooks show on red
    highlight=False,
    force_jupyter=False,
    force_interactive=None if sys.stderr.isatty() else False,
)
_PIPE_WIDTH = 100_000
_INDENT = 2


def result_console() -> Console:
    """For what a command prints as its result: as wide as the terminal, or as wide as it gets where there is none."""
    return Console(highlight=False, force_jupyter=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def _print(markup: str, indent: int = 0, *, whole: bool = False) -> None:
    """Print lines to stderr: wrapped between words on a terminal, and as they are elsewhere.

    A word that is longer than a line, such as a path, is left whole, so that it can be copied.
    """
    lines = Text.from_markup(markup).split("\n", allow_blank=True)
    if console.is_interactive and not whole:
        width = console.width - indent - _INDENT
        lines = Lines(part for line in lines for part in line.divide(_breaks(line.plain, width)))
    for i, line in enumerate(lines):
        line.rstrip()
        margin = " " * (indent + (_INDENT if i else 0)) if console.is_interactive or not i else ""
        console.print(Text(margin).append_text(line), soft_wrap=True)


def _breaks(text: str, width: int) -> list[int]:
    """Where lines of a text after the first begin, if only a single long word may take more cells than this."""
    breaks = [0]
    for word in re.finditer(r"\S+", text):
        if word.start() > breaks[-1] and cell_len(text[breaks[-1] : word.end()]) > width:
            breaks.append(word.start())
    return breaks[1:]


@contextlib.contextmanager
def quietly(quiet: bool = True) -> Iterator[None]:
    """Show nothing of what a block tells; the logger gets it instead.

    Args:
        quiet: False shows it.
    """
    former = _shown.set(not quiet)
    try:
        yield
    finally:
        _shown.reset(former)


@contextlib.contextmanager
def progress(label: str, *, total: int, unit: str) -> Iterator[Advance]:
    """Show how far a loop is.

    Args:
        label: What is being done, for example `decode`.
        total: Items to do.
        unit: What the items are, for example `images`.

    Yields:
        A function to call with the number of items just done.
    """
    started, done, done_bytes, last, shown_note = time.monotonic(), 0, 0, 0.0, ""
    as_events, is_shown = os.environ.get(MODE) == "json", _shown.get()
    live = _bar() if is_shown and _draws() and not as_events else None
    bar = live.add_task(label, total=total, rate="") if live else None

    def show(now: float, *, last_time: bool = False) -> None:
        seconds = max(now - started, 1e-9)
        rate = shown_note or f"{done / seconds:,.0f} {unit}/s"
        if done_bytes >= 1e6 * seconds:
            rate += f", {done_bytes / seconds / 1e6:,.0f} MB/s"
        if live is not None and bar is not None:
            live.update(bar, completed=done, rate=rate)
        elif as_events:
            left = _left(done, total, seconds)
            event = {"label": label, "done": done, "total": total, "unit": unit, "rate": rate, "left": left}
            _emit({**event, "last_time": last_time})
        elif is_shown:
            _print(escape(f"{label} {done:,}/{total:,} {unit} ({rate}{_left(done, total, seconds)})"), _INDENT)

    def advance(count: int, note: str = "", *, size: int = 0) -> None:
        nonlocal done, done_bytes, last, shown_note
        done += count
        done_bytes += size
        shown_note = note
        now = time.monotonic()
        if now - max(last, started) >= (_EVENT_SECONDS if as_events or live else _LOG_SECONDS):
            last = now
            show(now)

    with live or contextlib.nullcontext():
        yield advance
        show(time.monotonic(), last_time=True)


def _left(done: int, total: int, seconds: float) -> str:
    """How long the rest takes at the rate so far; empty where that cannot be said."""
    if not 0 < done < total:
        return ""
    return f", {timedelta(seconds=round(seconds * (total - done) / done))} left"


def say(message: str, *, whole: bool = False) -> None:
    """Report one finished thing, in one line.

    Args:
        message: The line.
        whole: Whether to leave it in one piece on a terminal too, as a command that can be copied.
    """
    if not _shown.get():
        level = logging.WARNING if message.startswith(_WARNING) else logging.INFO
        LOG.log(level, "%s", message.removeprefix(_WARNING))
    _tell({"say": message}, escape(message), _INDENT, whole=whole)


@dataclass(frozen=True)
class StepUse:
    """What a finished step took.

    Attributes:
        step: Its name.
        seconds: Wall time.
        peak_memory: Most bytes that its process held in memory at a time.
    """

    step: str
    seconds: float
    peak_memory: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {megabytes(self.peak_memory)} at most"


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Announce a step, report what it took, and turn a user's error into a message and exit code 1.

    What the system refuses, such as room on a full disk, is such an error too. SIGTERM ends the step as Ctrl-C does.

    Args:
        name: The step's name, as users know it.
    """
    _end_with_run()
    try:
        with _terminable(name), announced(name):
            yield
    except PolyheadError as error:
        exit_with(error)


@contextlib.contextmanager
def announced(name: str) -> Iterator[None]:
    """Announce a step and report what it took.

    Args:
        name: The step's name, as users know it.

    Raises:
        PolyheadError: What the system refuses, such as room on a full disk, in the place of its own error.
    """
    started = time.monotonic()
    _tell({"step": name}, f"[bold]{name}[/]")
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if isinstance(error, PolyheadError):
            raise
        raise refused(error) from None
    use = StepUse(name, time.monotonic() - started, peak_memory())
    if not _shown.get():
        LOG.info("%s took %s", use.step, use)
    _tell(
        {"finished": use.step, "seconds": use.seconds, "peak_memory": use.peak_memory}, f"[dim]{use.step} took {use}[/]"
    )


def refused(error: OSError) -> PolyheadError:
    """What the system refused, as an error of the user's."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = f"free space there, or in {tempfile.gettempdir()}" if full else ""
    return PolyheadError(fault_code(error), error.strerror or str(error), where=str(error.filename or ""), hint=hint)


@contextlib.contextmanager
def _terminable(name: str) -> Iterator[None]:
    """Let SIGTERM leave a block as an exception would, so that it clears up, and say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        say(f"{name} was stopped; run it again")
        raise SystemExit(TERMINATED)

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _end_with_run() -> None:
    """End this process when the run that it belongs to has ended, however it ended."""
    run = os.environ.get(RUN)
    if run is None or not run.isdigit() or int(run) == os.getpid():
        return

    def watch() -> None:
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(int(run), 0)
                time.sleep(_WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def peak_memory() -> int:
    """Most bytes that this process has held in memory at a time, since its program began."""
    # getrusage counts what the parent held when it started this program, on Linux, and so may tell of the parent.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def megabytes(count: int) -> str:
    """Bytes as users read them: `212 MB`."""
    return f"{count / 1e6:,.0f} MB"


def _tell(event: dict[str, Any], line: str, indent: int = 0, *, whole: bool = False) -> None:
    if os.environ.get(MODE) == "json":
        _emit(event)
    elif _shown.get():
        _print(line, indent, whole=whole)


def exit_with(error: PolyheadError) -> NoReturn:
    """Show all problems of an error, for a command with `--json` also on stdout, and end the process with status 1."""
    if os.environ.get(MODE) == "json":
        _emit(error.as_json())
    else:
        show_error(error.subject, error.problems)
        if json_wanted.get():
            sys.stdout.write(json.dumps(error.as_json(), indent=2, ensure_ascii=False) + "\n")
    raise SystemExit(1)


def show_error(subject: str, problems: list[Problem]) -> None:
    """Print problems to stderr: a count, then for each its place, what is wrong, its code, and what to do."""
    count = "a problem" if len(problems) == 1 else counted(len(problems), "problem")
    _print(f"[bold red]error:[/] {count} with {escape(subject)}")
    for problem in problems:
        place = f"[cyan]{escape(problem.where)}[/]: " if problem.where else ""
        first, *others = problem.what.split("\n")
        _print("\n".join([f"{place}{escape(first)} [dim]\\[{problem.code}][/]", *map(escape, others)]), _INDENT)
        if problem.hint:
            _print(f"[dim]→ {escape(problem.hint)}[/]", 2 * _INDENT)


def _draws() -> bool:
    """Whether there is something that a bar can move on: a terminal, or a notebook with widgets."""
    return console.is_interactive or (in_notebook and importlib.util.find_spec("ipywidgets") is not None)


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("[dim]{task.fields[rate]}[/]"),
        TimeRemainingColumn(),
        console=Console(force_jupyter=True) if in_notebook else console,
        transient=not in_notebook,
        redirect_stdout=False,  # rich would replace the streams that are watched here
        redirect_stderr=False,
    )


def _emit(event: dict[str, Any]) -> None:
    sys.stderr.write(f"{_MARK}{json.dumps(event)}\n")
    sys.stderr.flush()


class Relay:
    """Draws the events of child processes, and keeps the other lines they print for when one fails.

    Args:
        rewrite: Applied to every text from a child before it is shown, to name places as the user knows them.

    Attributes:
        step: Name of the step that runs or ran last.
        error: Problems of the error that a child reported, or None.
        subject: What that error is about.
        uses: What each finished step took, in the order in which they finished.
        log: Lines that were no events.
    """

    def __init__(self, rewrite: Callable[[str], str]) -> None:
        self._rewrite = rewrite
        self.error: list[Problem] | None = None
        self.step = ""
        self.subject = ""
        self.uses: list[StepUse] = []
        self.log: list[str] = []
        self._live: Progress | None = None
        self._bars: dict[str, Any] = {}
        self._shown_at = time.monotonic()

    def line(self, line: str) -> None:
        """Take one line of a child's output."""
        _, mark, payload = line.partition(_MARK)
        event = _event(payload) if mark else None
        if event is None:
            self.log.append(line)
        elif "say" in event:
            self._print(escape(self._rewrite(event["say"])), _INDENT)
        elif "step" in event:
            self.step = event["step"]
            self._print(f"[bold]{event['step']}[/]")
        elif "finished" in event:
            self.uses.append(StepUse(event["finished"], event["seconds"], event["peak_memory"]))
            name = "" if event["finished"] == self.step else f"{event['finished']} took "  # steps may run side by side
            self._print(f"[dim]{name}{self.uses[-1]}[/]", _INDENT)
        elif "problems" in event:
            self.error = [
                Problem(**{name: text if name == "code" else self._rewrite(text) for name, text in one.items()})
                for one in event["problems"]
            ]
            self.subject = event["error"]
        else:
            self._advance(event)

    def close(self) -> None:
        """Take the bars off the screen."""
        if self._live is not None:
            self._live.stop()
        self._live, self._bars = None, {}

    def _print(self, line: str, indent: int = 0) -> None:
        self.close()
        if _shown.get():
            _print(line, indent)

    def _advance(self, event: dict[str, Any]) -> None:
        if not _shown.get():
            return
        label, done, total = event["label"], event["done"], event["total"]
        if _draws():
            if self._live is None:
                self._live = _bar()
                self._live.start()
            if label not in self._bars:
                self._bars[label] = self._live.add_task(label, total=total, rate="")
            self._live.update(self._bars[label], completed=done, rate=event["rate"])
        elif event["last_time"] or (done < total and time.monotonic() - self._shown_at >= _LOG_SECONDS):
            self._shown_at = time.monotonic()
            _print(escape(f"{label} {done:,}/{total:,} {event['unit']} ({event['rate']}{event['left']})"), _INDENT)


def _event(payload: str) -> dict[str, Any] | None:
    try:
        event = json.loads(payload)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
