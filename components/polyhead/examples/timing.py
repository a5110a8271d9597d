"""Where the time of sharding goes."""

from __future__ import annotations

import time
from typing import Literal

Stage = Literal["read", "decode", "resize", "encode", "write"]
STAGES: tuple[Stage, ...] = ("read", "decode", "resize", "encode", "write")


class Stopwatch:
    """Seconds of one thread by stage.

    Attributes:
        seconds: Wall time so far, waiting for the disk and for other threads included.
    """

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        self._since = time.perf_counter()

    def start(self) -> None:
        """Begin to measure: what passed since the last lap belongs to no stage."""
        self._since = time.perf_counter()

    def lap(self, stage: Stage) -> None:
        """Count the time since the last lap or start for a stage."""
        now = time.perf_counter()
        self.seconds[stage] += now - self._since
        self._since = now

    def add(self, other: Stopwatch) -> None:
        """Count what another thread measured as well."""
        for stage, seconds in other.seconds.items():
            self.seconds[stage] += seconds
