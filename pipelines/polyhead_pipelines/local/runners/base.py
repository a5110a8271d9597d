"""What a runner is, and how signals end its steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from polyhead.errors import Problem
from polyhead.progress import TERMINATED

POLL_SECONDS = 0.2
"""How often a runner looks for steps that are still to be ended."""


@dataclass(frozen=True)
class Session:
    """A runner that is ready for the steps of one run.

    Attributes:
        image: The image to build the components with.
        kfp: The runner, for `kfp.local.init`.
        stop: Ends the steps that still run.
        explain: What the runner knows of a step that failed, given what KFP raised; None where it knows no more.
    """

    image: str
    kfp: Any
    stop: Callable[[], None]
    explain: Callable[[Exception | None], Problem | None]


class Runner(Protocol):
    """Where steps are carried out."""

    def open(self, reads: Sequence[str], writes: Sequence[str]) -> AbstractContextManager[Session]:
        """Get ready for one run.

        Args:
            reads: What the steps read beside each other's outputs: absolute paths and remote places.
            writes: Where they write to beside their outputs: absolute paths of folders, and remote places.
        """
        ...


@contextlib.contextmanager
def stopped_by_signals(end: Callable[[threading.Event], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the steps, which may get no signal themselves, and then the run.

    KFP ends an interrupted loop only when each of its partitions has had its turn, so steps are ended until the run is
    over.

    Args:
        end: Ends the steps until an event is set; called in a thread.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
        SystemExit: After SIGTERM, with the code that shells know it by.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = threading.Event()
    ender = threading.Thread(target=end, args=(over,), daemon=True)
    received: list[int] = []

    def interrupt(number: int, _: object) -> None:
        received.append(number)
        if ender.ident is None:
            ender.start()
            raise KeyboardInterrupt  # exactly this one lets `subprocess` stop waiting

    former = [(number, signal.signal(number, interrupt)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    except KeyboardInterrupt:
        if received[:1] == [signal.SIGTERM]:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        over.set()
        if ender.ident is not None:
            ender.join()
        for number, handler in former:
            signal.signal(number, handler)
