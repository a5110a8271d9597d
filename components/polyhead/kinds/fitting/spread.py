"""Where numbers lie: their moments, the smallest and the largest."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from polyhead.kinds.fitting.accumulator import Ranged, State
from polyhead.kinds.fitting.moments import Moments


class Spread(Ranged):
    """Exact moments of float64 numbers, and their range.

    Attributes:
        moments: Count, sum and sum of squares.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moments = Moments()

    def update(self, values: NDArray[np.float64]) -> None:
        """Take more numbers: at least one, finite, of magnitude below 2^500."""
        self.moments.update(values)
        self._widen(float(values.min()), float(values.max()))

    def merge(self, other: Self) -> None:
        """Take what another has seen."""
        self.moments.merge(other.moments)
        self._widen(other.minimum, other.maximum)

    def state(self) -> State:
        """That of the moments, with `minimum` and `maximum`."""
        return {**self.moments.state(), "minimum": self.minimum, "maximum": self.maximum}

    @classmethod
    def restored(cls, state: State) -> Self:
        """A spread that goes on from a state."""
        spread = cls()
        spread.moments = Moments.restored(state)
        spread.minimum, spread.maximum = state["minimum"], state["maximum"]
        return spread
