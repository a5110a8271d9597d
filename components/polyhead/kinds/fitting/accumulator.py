"""What statistics are gathered with: something that takes values, merges with another, and has a plain state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

State = dict[str, Any]
"""An accumulator as plain values: integers, floats, strings, and polars series for long lists."""


class Accumulator(ABC):
    """Something that is gathered batch by batch, and that any grouping or order of the rows leaves the same."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Take what another has seen."""

    @abstractmethod
    def state(self) -> State:
        """All of it as plain values; the same values seen give the same state."""

    @classmethod
    @abstractmethod
    def restored(cls, state: State) -> Self:
        """The accumulator with this state."""


class Ranged(Accumulator):
    """What keeps the range of the numbers seen.

    Attributes:
        minimum: The smallest, exactly; infinite where there is none.
        maximum: The largest.
    """

    def __init__(self) -> None:
        self.minimum, self.maximum = float("inf"), float("-inf")

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest; zeros where no number was seen."""
        return (self.minimum, self.maximum) if self.minimum <= self.maximum else (0.0, 0.0)

    def _widen(self, minimum: float, maximum: float) -> None:
        self.minimum = min(self.minimum, minimum + 0.0)  # turns -0.0 into 0.0, which compare equal
        self.maximum = max(self.maximum, maximum + 0.0)
