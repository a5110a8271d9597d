"""Counts of numbers by their leading bits, from which quantiles follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.kinds.fitting.accumulator import Accumulator, Ranged, State

DISTINCT = 1 << 15
"""Different numbers that are distinguished."""

_MANTISSA_BITS = 52
_WEIGHT_BITS = 20


class Quantiles(Ranged):
    """How often each number occurs, and what follows from it.

    Up to `DISTINCT` different numbers are distinguished. Beyond that, numbers that agree in all but their last bits
    count as one: the fewest last bits for which at most `DISTINCT` groups remain. How many these are depends on the set
    of numbers alone, so the order and the grouping in which numbers come do not matter.

    Attributes:
        dropped: Last bits that are ignored; 0 while all numbers are distinguished.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._keys = np.empty(0, np.int64)
        self._counts = np.empty(0, np.int64)

    @property
    def error(self) -> float:
        """Largest relative error of a quantile, half a group's width; 0 where they are exact."""
        return 2.0 ** (self.dropped - 1 - _MANTISSA_BITS) if self.dropped else 0.0

    def update(self, values: NDArray[np.float64], counts: NDArray[np.int64] | None = None) -> None:
        """Take more numbers: at least one, all finite.

        Args:
            values: The numbers.
            counts: How often each occurs, above 0. Default: once.
        """
        self._widen(float(values.min()), float(values.max()))
        bits: NDArray[Any] = values.view(np.int64) >> self.dropped
        bits = bits.astype(np.int32) if self.dropped >= 32 else bits  # half as wide sorts twice as fast
        keys = _reordered(bits, self.dropped)
        if counts is None:
            keys.sort()
        else:
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
        starts = _starts(keys)
        if len(starts) > DISTINCT:
            more = _bits_too_many(keys[starts])
            self._coarsen(self.dropped + more)
            keys >>= more
            starts = _starts(keys)
        added = np.diff(starts, append=len(keys)) if counts is None else np.add.reduceat(counts, starts)
        self._add(keys[starts].astype(np.int64), added)

    def merge(self, other: Self) -> None:
        """Take what another has seen."""
        self._widen(other.minimum, other.maximum)
        self._coarsen(other.dropped)
        self._add(other._keys >> (self.dropped - other.dropped), other._counts)

    def at(self, shares: Sequence[float]) -> list[float]:
        """The numbers below which these shares of all lie, between two neighbours in proportion, as NumPy has it.

        Args:
            shares: Each from 0 to 1.

        Returns:
            One number per share; zeros where no number was seen.
        """
        if not len(self._keys):
            return [0.0] * len(shares)
        ends = np.cumsum(self._counts)
        places = np.array(shares) * (ends[-1] - 1)
        lower = np.floor(places)
        numbers = self._numbers()
        low, high = (numbers[np.searchsorted(ends, np.minimum(i, ends[-1] - 1), "right")] for i in (lower, lower + 1))
        return [float(value) + 0.0 for value in low + (high - low) * (places - lower)]

    @property
    def count(self) -> int:
        """Numbers seen."""
        return int(self._counts.sum())

    def counted(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The different numbers, ascending, and how often each occurs; beyond `DISTINCT` the middle of each group."""
        return self._numbers(), self._counts

    def between(self, edges: Sequence[float]) -> list[int]:
        """How many numbers lie up to each of some rising edges and above the one before, and beyond the last."""
        ranges = np.searchsorted(np.array(edges, np.float64), self._numbers(), "left")
        counts = np.zeros(len(edges) + 1, np.int64)
        np.add.at(counts, ranges, self._counts)
        return [int(count) for count in counts]

    def _numbers(self) -> NDArray[np.float64]:
        """The middle of every group, within what was seen."""
        middle = (1 << self.dropped) >> 1
        numbers = _reordered((self._keys << self.dropped) + middle).view(np.float64)
        return np.clip(numbers, self.minimum, self.maximum)

    def _add(self, keys: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Add counts of sorted keys, then drop bits while there are too many keys."""
        keys = np.concatenate([self._keys, keys])
        order = np.argsort(keys, kind="stable")
        self._group(keys[order], np.concatenate([self._counts, counts])[order])
        if len(self._keys) > DISTINCT:
            self._coarsen(self.dropped + _bits_too_many(self._keys))

    def _coarsen(self, dropped: int) -> None:
        if dropped > self.dropped:
            self._group(self._keys >> (dropped - self.dropped), self._counts)
            self.dropped = dropped

    def _group(self, keys: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Hold sorted keys, the counts of equal ones added."""
        starts = _starts(keys)
        before = np.concatenate([[0], np.cumsum(counts)])
        self._keys, self._counts = keys[starts], np.diff(before[starts], append=before[-1])

    def state(self) -> State:
        """The bins as sorted `keys` and their `counts`, the bits `dropped` from each key, and the extremes."""
        return {
            "dropped": self.dropped,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "keys": pl.Series(self._keys),
            "counts": pl.Series(self._counts),
        }

    @classmethod
    def restored(cls, state: State) -> Self:
        """Quantiles that continue from a state."""
        quantiles = cls()
        quantiles.dropped = state["dropped"]
        quantiles.minimum, quantiles.maximum = state["minimum"], state["maximum"]
        quantiles._keys, quantiles._counts = state["keys"].to_numpy(), state["counts"].to_numpy()
        return quantiles


class WeightedQuantiles(Accumulator):
    """What each number weighs, and the quantiles that follow.

    Weights count to 20 bits, as whole multiples of a power of two. So their sums are exact, and the order and the
    grouping in which numbers come do not matter.
    """

    def __init__(self) -> None:
        self._by_unit: dict[int, Quantiles] = {}

    def update(self, values: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Take more numbers, all finite, with their weights, from 0."""
        shares, units = np.frexp(weights)
        multiples = np.rint(np.ldexp(shares, _WEIGHT_BITS)).astype(np.int64)
        for unit in np.unique(units[multiples > 0]).tolist():
            rows = (units == unit) & (multiples > 0)
            self._by_unit.setdefault(unit, Quantiles()).update(values[rows], multiples[rows])

    def merge(self, other: Self) -> None:
        """Take what another has seen."""
        for unit, quantiles in other._by_unit.items():
            if unit in self._by_unit:
                self._by_unit[unit].merge(quantiles)
            else:
                self._by_unit[unit] = Quantiles.restored(quantiles.state())

    def at(self, shares: Sequence[float]) -> list[float]:
        """The smallest number up to which at least these shares of the weight lie, as NumPy's `inverted_cdf` has it.

        Args:
            shares: Each from 0 to 1.

        Returns:
            One number per share; zeros where nothing has a weight.
        """
        if not self._by_unit:
            return [0.0] * len(shares)
        largest = max(self._by_unit)
        parts = [(unit, *of.counted()) for unit, of in sorted(self._by_unit.items())]
        numbers = np.concatenate([numbers for _, numbers, _ in parts])
        masses = np.concatenate([np.ldexp(counts.astype(np.float64), unit - largest) for unit, _, counts in parts])
        order = np.argsort(numbers, kind="stable")
        ends = masses[order].cumsum()
        places = np.searchsorted(ends, np.array(shares) * ends[-1], "left")
        return [float(number) + 0.0 for number in numbers[order][np.minimum(places, len(ends) - 1)]]

    def state(self) -> State:
        """That of the quantiles of each power of two, below its exponent."""
        return {
            f"{unit}/{key}": value for unit, of in sorted(self._by_unit.items()) for key, value in of.state().items()
        }

    @classmethod
    def restored(cls, state: State) -> Self:
        """What goes on from a state."""
        found = cls()
        for unit in dict.fromkeys(key.split("/")[0] for key in state):
            own = {key.split("/")[1]: value for key, value in state.items() if key.split("/")[0] == unit}
            found._by_unit[int(unit)] = Quantiles.restored(own)
        return found


def _starts(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Where runs of equal sorted keys begin."""
    return np.flatnonzero(np.concatenate([[len(keys) > 0], keys[1:] != keys[:-1]]))


def _bits_too_many(keys: NDArray[Any]) -> int:
    """The fewest last bits without which at most `DISTINCT` of more different sorted keys remain.

    Neighbours stay different while the highest bit in which they differ stays. So it is the `DISTINCT`-th largest
    difference that has to go.
    """
    changes = (keys[1:] ^ keys[:-1]).view(f"u{keys.itemsize}")
    return int(np.partition(changes, -DISTINCT)[-DISTINCT]).bit_length()


def _reordered(bits: NDArray[Any], dropped: int = 0) -> NDArray[Any]:
    """The bits of float64 numbers, less the dropped ones, as integers in the numbers' order; and the way back.

    The bits of negative numbers are turned around, all but the sign.
    """
    signs = bits >> (8 * bits.itemsize - 1)
    reordered: NDArray[Any] = bits ^ (signs & (np.iinfo(np.int64).max >> dropped))
    return reordered
