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
