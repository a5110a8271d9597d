"""How long trainings may take that share a time."""

from __future__ import annotations

import time
from collections.abc import Callable

now: Callable[[], float] = time.monotonic


class Budget:
    """The time that some trainings of about the same length share, one after the other.

    Without a bound nothing depends on the clock. A training has at least one epoch, however late it is.

    Args:
        seconds: From now on; None for as long as it takes.
        trainings: How many there will be.
    """

    def __init__(self, seconds: float | None, trainings: int = 1) -> None:
        self._end = None if seconds is None else now() + seconds
        self._left = trainings
        self._until: float | None = None
        self._since = 0.0
        self._shortest: float | None = None

    def begin_training(self) -> None:
        """Another training begins, which has an equal share of what is left."""
        self._shortest = None
        if self._end is not None:
            self._since = now()
            self._until = self._since + (self._end - self._since) / max(self._left, 1)
        self._left -= 1

    def end_epoch(self) -> None:
        """An epoch has ended, and another may begin at once."""
        if self._end is not None:
            moment = now()
            took, self._since = moment - self._since, moment
            self._shortest = took if self._shortest is None else min(self._shortest, took)

    @property
    def is_spent(self) -> bool:
        """Whether an epoch as short as the shortest so far would end too late."""
        if self._until is None or self._shortest is None:
            return False
        return self._since + self._shortest > self._until


def spelled_time(seconds: float) -> str:
    """A time as people write it, to the second: `45 s`, `20 min`, `1 h 30 min`."""
    hours, minutes, rest = int(seconds) // 3600, int(seconds) // 60 % 60, round(seconds % 60)
    parts = [f"{count} {unit}" for count, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if count]
    return " ".join(parts) or "0 s"
