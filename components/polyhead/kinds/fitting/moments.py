"""Exact sums of numbers and of their squares, so that mean and variance depend on no order, batch or partition.

A number is cut into three limbs of 21 bits: whole multiples of units that a block of numbers shares. Sums over 8,192
limbs, and over products of two, are whole numbers of at most 53 bits, which float64 arithmetic adds without
rounding. Across blocks they are added as integers of any length.
"""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import NDArray

from polyhead.kinds.fitting.accumulator import Accumulator, State

_LIMBS, _LIMB_BITS = 3, 21
_CHUNK = 1 << (53 - 2 * (_LIMB_BITS - 1))
_BLOCK = 8 * _CHUNK
_FEW = 24  # numbers that are added up faster one by one
_POINT = 1200  # bits behind the binary point of the sum, more than any limb of the smallest float64 has
_TINY, _LIFT = -400, 800  # squares of numbers below 2^_TINY could vanish; they are lifted by 2^_LIFT
_ROUNDING = 1.5 * 2.0**52  # added to a number and subtracted again, it leaves the nearest whole number


class Moments(Accumulator):
    """Count, sum and sum of squares of float64 numbers, without any rounding.

    Attributes:
        count: Numbers seen.
        total: Their sum, times 2^1200.
        squares: The sum of their squares, times 2^2400.
    """

    def __init__(self, count: int = 0, total: int = 0, squares: int = 0) -> None:
        self.count, self.total, self.squares = count, total, squares

    def update(self, values: NDArray[np.float64]) -> None:
        """Take more numbers: finite, of magnitude below 2^500."""
        self.count += len(values)
        while len(values) > _FEW:
            blocks = [values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK)]
            values = np.concatenate([self._take(block) for block in blocks])
        for value in values.tolist():
            over, under = value.as_integer_ratio()
            whole = (over << _POINT) // under
            self.total += whole
            self.squares += whole * whole

    def _take(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add the numbers that three limbs can hold; the others, all of them smaller, are given back."""
        largest = max(float(values.max()), -float(values.min()))
        if largest == 0:
            return values[:0]
        top = math.frexp(largest)[1]
        lift = _LIFT if top < _TINY else 0
        units = [top + lift - (_LIMB_BITS - 1) - _LIMB_BITS * i for i in range(_LIMBS)]
        chunk = min(_CHUNK, len(values))
        limbs = np.empty((_LIMBS, -(-len(values) // chunk) * chunk))
        limbs[:, len(values) :] = 0
        rest = values * 2.0**lift
        for unit, row in zip(units, limbs, strict=True):
            limb = np.add(rest, _ROUNDING * 2.0**unit, out=row[: len(rest)])
            np.subtract(limb, _ROUNDING * 2.0**unit, out=limb)
            np.subtract(rest, limb, out=rest)
        others = np.flatnonzero(rest != 0)
        limbs[:, others] = 0
        self._add(limbs.reshape(_LIMBS, -1, chunk), [unit - lift for unit in units], lift)
        return values[others]

    def _add(self, limbs: NDArray[np.float64], units: list[int], lift: int) -> None:
        """Add the sums of limbs (limb, chunk, number), whole multiples of 2^(unit + lift), and of their products."""
        for i in range(_LIMBS):
            self.total += _whole(limbs[i].sum(axis=1), units[i] + lift) << (units[i] + _POINT)
            for j in range(i + 1):
                unit = units[i] + units[j]
                products = (limbs[i, :, None, :] @ limbs[j, :, :, None]).ravel()
                product = _whole(products, unit + 2 * lift) << (unit + 2 * _POINT)
                self.squares += product if i == j else 2 * product

    def merge(self, other: Self) -> None:
        """Take what another has seen."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    def mean_and_variance(self) -> tuple[float, float]:
        """Mean and population variance, each the float64 nearest to the true one; (0, 1) for no numbers.

        A deviation below 1e-15 of the mean, some roundings of its own, counts as none: such a column is constant.
        """
        if self.count == 0:
            return 0.0, 1.0
        mean = self.total / (self.count << _POINT)
        variance = (self.count * self.squares - self.total**2) / (self.count**2 << 2 * _POINT)
        return mean, variance if variance > (mean * 1e-15) ** 2 else 0.0

    def state(self) -> State:
        """`count`, and both sums in hexadecimal, since they exceed what 64 bits hold."""
        return {"count": self.count, "total": hex(self.total), "squares": hex(self.squares)}

    @classmethod
    def restored(cls, state: State) -> Self:
        """Moments that continue from a state."""
        return cls(state["count"], int(state["total"], 16), int(state["squares"], 16))


def _whole(sums: NDArray[np.float64], unit: int) -> int:
    """The sum of multiples of 2^unit, in that unit."""
    return int((sums * 2.0**-unit).astype(np.int64).sum())
