"""Where the components of vectors lie."""

from __future__ import annotations

from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.kinds.fitting.accumulator import Accumulator, State
from polyhead.kinds.fitting.spread import Spread


class Components(Accumulator):
    """A `Spread` of each component of vectors of one length.

    Attributes:
        spreads: In the order of the components; empty while no vector was seen.
    """

    def __init__(self) -> None:
        self.spreads: list[Spread] = []

    def update(self, vectors: NDArray[np.float64]) -> None:
        """Take more vectors, (rows, components): at least one, finite, of magnitude below 2^500."""
        self._grow(vectors.shape[1])
        for spread, component in zip(self.spreads, np.ascontiguousarray(vectors.T), strict=True):
            spread.update(component)

    def merge(self, other: Self) -> None:
        """Take what another has seen."""
        if other.spreads:
            self._grow(len(other.spreads))
            for mine, theirs in zip(self.spreads, other.spreads, strict=True):
                mine.merge(theirs)

    def _grow(self, components: int) -> None:
        self.spreads = self.spreads or [Spread() for _ in range(components)]

    def state(self) -> State:
        """That of a spread, a series of each value."""
        states = [spread.state() for spread in self.spreads]
        return {key: pl.Series([state[key] for state in states]) for key in Spread().state()}

    @classmethod
    def restored(cls, state: State) -> Self:
        """Components that go on from a state."""
        components = cls()
        values = zip(*(series.to_list() for series in state.values()), strict=True)
        components.spreads = [Spread.restored(dict(zip(state, of, strict=True))) for of in values]
        return components
