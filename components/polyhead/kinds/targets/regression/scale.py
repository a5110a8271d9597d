"""The scales on which a number can be learned, for arrays; `graph.py` has the same as graph operations."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.targets.regression.config import Knots, Transform

Floats = NDArray[np.float64]

_STEPS = 200
_LEAST_SHARE = 1 / (2 * _STEPS)

SMALLEST = float(np.finfo(np.float64).tiny)
"""What smaller numbers above 0 count as in a logarithm: TensorFlow takes them for 0."""


def _log(numbers: Floats) -> Floats:
    return np.log(np.maximum(numbers, SMALLEST))


_FORWARD: dict[Transform, Callable[[Floats], Floats]] = {"log": _log, "log1p": np.log1p, "sqrt": np.sqrt}
_BACK: dict[Transform, Callable[[Floats], Floats]] = {"log": np.exp, "log1p": np.expm1, "sqrt": np.square}
_LOWEST: dict[Transform, float] = {"log": float(np.finfo(np.float32).tiny), "log1p": -1 + 2.0**-53, "sqrt": 0.0}


@dataclass(frozen=True)
class Scale:
    """A scale on which a number is learned.

    Attributes:
        transform: Its name. Default: the table's own scale.
        knots: Of `quantile`.
    """

    transform: Transform = "none"
    knots: Knots | None = None

    def learned(self, numbers: Floats) -> Floats:
        """Numbers of the table, none of them outside what the transform takes, on this scale."""
        if self.knots is not None:
            return np.interp(numbers, self.knots.numbers, self.knots.scores)
        return _FORWARD[self.transform](numbers) if self.transform in _FORWARD else numbers

    def clipped(self, numbers: Floats) -> Floats:
        """Numbers that may lie outside what the transform takes, brought to its end."""
        return np.maximum(numbers, _LOWEST[self.transform]) if self.transform in _LOWEST else numbers

    def back(self, learned: Floats) -> Floats:
        """The way back."""
        if self.knots is not None:
            return np.interp(learned, self.knots.scores, self.knots.numbers)
        return _BACK[self.transform](learned) if self.transform in _BACK else learned


TABLES_OWN = Scale()
"""The scale of the table."""


def knots_of(quantiles: Quantiles) -> Knots:
    """Normal scores at 201 quantiles, evenly apart; a number that several quantiles share has that of their middle.

    Args:
        quantiles: Of at least two different numbers.
    """
    shares = np.linspace(0, 1, _STEPS + 1)
    numbers, first, counts = np.unique(quantiles.at(shares.tolist()), return_index=True, return_counts=True)
    middle = np.clip((shares[first] + shares[first + counts - 1]) / 2, _LEAST_SHARE, 1 - _LEAST_SHARE)
    normal = statistics.NormalDist()
    return Knots(numbers=numbers.tolist(), scores=[normal.inv_cdf(share) for share in middle.tolist()])
